"""``certhouse node join`` and ``certhouse node run``: the agent's process."""

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import structlog

from certhouse.adapters.control.bindings import Binding, Bindings, Check
from certhouse.errors import Misconfigured
from certhouse.node.agent import Agent
from certhouse.node.membership import Member, MemberFiles, join
from certhouse.processes.logging import set_up_logging
from certhouse.vocabulary import NodeName, PurposeName, ServiceName
from certhouse.wire.joining import read_token
from certhouse.wiring.agent import wire_agent

log = structlog.get_logger("certhouse.node")


class OwnListener(msgspec.Struct, frozen=True):
    """What ``up`` tells its own agent of the listener beside it, through the environment; nothing of it is secret."""

    service: str
    purposes: tuple[str, ...]
    address: str

    def bindings(self) -> Bindings:
        checks = tuple(Check(purpose=PurposeName(purpose), address=self.address) for purpose in self.purposes)
        return {ServiceName(self.service): Binding(controller="self", checks=checks)}


def own_listener(environment: str | None) -> Bindings:
    if not environment:
        return {}
    return msgspec.json.decode(environment, type=OwnListener).bindings()


def join_cluster(data: Path, token: str, name: str, domain: str) -> Member:
    """Joins and writes the membership. Raises Refused, Unavailable, Misconfigured for a node that has joined already."""
    files = MemberFiles(data / "node")
    if files.member() is not None:
        raise Misconfigured(f"{data} has joined a cluster already; use another data directory")
    data.mkdir(mode=0o711, parents=True, exist_ok=True)
    wiring = wire_agent(data, NodeName(name))
    return asyncio.run(join(read_token(token), NodeName(name), domain, wiring.keys.seal_key(), files))


def run_node(data: Path, *, token: str | None = None, name: str = "", domain: str = "") -> None:
    """Runs the agent until it is told to stop; joins first when there is a token and no membership."""
    set_up_logging()
    files = MemberFiles(data / "node")
    member = files.member()
    if member is None and token:
        member = join_cluster(data, token, name, domain)
    if member is None:
        raise Misconfigured(f"{data} has not joined a cluster; `certhouse node join` does that")
    os.nice(5)
    wiring = wire_agent(data, member.name, own_listener(os.environ.get("CERTHOUSE_OWN_LISTENER")))
    agent = Agent(
        data=data,
        member=member,
        files=files,
        keys=wiring.keys,
        vault=wiring.vault,
        services=wiring.services,
        clock=wiring.clock,
    )
    asyncio.run(_run(agent))


async def _run(agent: Agent) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await agent.run(stop)
