"""``certhouse up``: everything on one machine, with no configuration."""

import asyncio
import ctypes
import fcntl
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import TextIO

import msgspec
import structlog
from aiohttp import web

from certhouse.adapters.configuration import Configuration, split_address
from certhouse.adapters.vault.atomic import replace_file
from certhouse.api.app import create_app
from certhouse.catalog.shipped import NAMES, starting_catalog
from certhouse.errors import CerthouseError, Misconfigured, Refused
from certhouse.gateway.server import Gateway, tls_context
from certhouse.http.listener import ListenerTls, serve
from certhouse.node.membership import MemberFiles
from certhouse.operations.accounts import issue_setup_link
from certhouse.operations.generate_self_signed import GenerateSelfSigned, generate_self_signed
from certhouse.operations.node_membership import gateway_certificate, invite_node
from certhouse.operations.surroundings import current_catalog
from certhouse.processes.logging import set_up_logging
from certhouse.processes.node_run import OwnListener
from certhouse.vocabulary import ChangeState, PurposeName, Role
from certhouse.wiring.server import Server, wire_server
from certhouse.worker import run as run_worker

log = structlog.get_logger("certhouse")

_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0


def up(configuration: Configuration, *, catalog: str | None = None, agent: bool = True) -> None:
    """Runs control plane and, with ``agent``, this machine's node until TERM or INT. Raises Misconfigured."""
    set_up_logging()
    configuration.data.mkdir(mode=0o711, parents=True, exist_ok=True)
    lock = _lock(configuration.data)
    try:
        server = wire_server(configuration)
        _begin(server, catalog)
        asyncio.run(_run(server, agent))
    finally:
        lock.close()


def _lock(data: Path) -> TextIO:
    file = (data / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Misconfigured(
            f"another Certhouse runs on {data}; stop it, or use another data directory (CERTHOUSE_DATA)"
        ) from error
    return file


def _begin(server: Server, wanted: str | None) -> None:
    """Chooses the starting catalog at the first start; later the choice stands."""
    with server.store.read() as tx:
        start = tx.settings.starting_catalog()
    if start is not None:
        if wanted is not None and wanted in NAMES and wanted != start:
            raise Misconfigured(
                "this cluster began with another catalog; add rows of your own with `certhouse catalog apply`"
            )
        return
    text = wanted or "uc"
    if text not in NAMES:
        try:
            text = Path(text).read_text("utf-8")
        except OSError as error:
            raise Misconfigured(
                f"the catalog {wanted} is neither one of {', '.join(NAMES)} nor a file that can be read"
            ) from error
    try:
        starting_catalog(text)
    except Refused as error:
        raise Misconfigured(str(error)) from error
    with server.store.begin() as tx:
        tx.settings.set_starting_catalog(text)


async def _run(server: Server, agent: bool) -> None:
    configuration = server.configuration
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    https, gateway_at = (
        split_address(configuration.listen, "listen"),
        split_address(configuration.gateway_listen, "gateway_listen"),
    )
    hosts = ("localhost", configuration.node_name, "127.0.0.1", "::1", https[0], *configuration.allowed_hosts)
    tls = ListenerTls(configuration.data, server.store, server.clock, server.ids, hosts[:2])
    runner = await _start_gateway(server, gateway_at)
    worker_stop = threading.Event()
    worker = threading.Thread(
        target=run_worker,
        kwargs={
            "store": server.store,
            "clock": server.clock,
            "ids": server.ids,
            "bell": server.bell,
            "stop": worker_stop,
        },
        name="worker",
    )
    worker.start()
    self_server = await _start_self_socket(configuration.self_socket, tls)
    jobs: list[Awaitable[None]] = [
        serve(
            create_app(server, frozenset(host.lower() for host in hosts)),
            tls=tls,
            address=https,
            api_socket=configuration.api_socket,
            stop=stop,
        )
    ]
    if agent:
        jobs += [_keep_agent(server, stop), _first_identity(server, stop)]
    _show_setup_link(server)
    log.info("certhouse is up", web=f"https://{configuration.listen}", data=str(configuration.data))
    running = [asyncio.ensure_future(job) for job in jobs]
    await asyncio.wait({running[0], asyncio.ensure_future(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    worker_stop.set()
    server.bell.ring("worker")
    results = await asyncio.gather(*running, return_exceptions=True)
    self_server.close()
    await runner.cleanup()
    await asyncio.to_thread(worker.join, 10)
    for result in results:
        if isinstance(result, OSError):
            raise Misconfigured(f"cannot listen on {configuration.listen}: {result.strerror}") from result
        if isinstance(result, Exception):
            raise result


async def _start_gateway(server: Server, address: tuple[str, int]) -> web.AppRunner:
    names = [address[0], server.configuration.node_name, "localhost"]
    key, certificate, ca = await asyncio.to_thread(
        gateway_certificate, list(dict.fromkeys(names)), store=server.store, clock=server.clock, ids=server.ids
    )
    gateway = Gateway(store=server.store, clock=server.clock, ids=server.ids, bell=server.bell, ca=ca)
    runner = web.AppRunner(gateway.application(), access_log=None, shutdown_timeout=1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, address[0], address[1], ssl_context=tls_context(key, certificate, ca)).start()
    except OSError as error:
        raise Misconfigured(f"cannot listen on {server.configuration.gateway_listen}: {error.strerror}") from error
    return runner


async def _start_self_socket(path: Path, tls: ListenerTls) -> asyncio.Server:
    """Listens for the node agent's word to restart the listener. Only the owner of the data directory can reach it."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            message = json.loads(await asyncio.wait_for(reader.readline(), 5))
            if message == {"restart": "listener"}:
                await asyncio.to_thread(tls.swap)
            writer.write(json.dumps({"ok": True, "instance": f"{os.getpid()}-{tls.generation}"}).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, TimeoutError) as error:
            log.error("listener restart failed", error=str(error))
            writer.write(b'{"ok": false}\n')
        finally:
            writer.close()

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listening = await asyncio.start_unix_server(hear, path)
    path.chmod(0o600)
    return listening


def _show_setup_link(server: Server) -> None:
    token = issue_setup_link(store=server.store, clock=server.clock, ids=server.ids)
    file = server.configuration.data / "setup-link"
    if token is None:
        file.unlink(missing_ok=True)
        return
    link = f"https://{server.configuration.listen}/setup#token={token}"
    if sys.stderr.isatty():
        sys.stderr.write(f"\nSet up the first administrator within the hour:\n\n  {link}\n\n")
    else:
        replace_file(file, link.encode() + b"\n")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def _keep_agent(server: Server, stop: asyncio.Event) -> None:
    """Runs this machine's node agent as a child, and again when it ends."""
    configuration = server.configuration
    pause = _FIRST_PAUSE
    while not stop.is_set():
        environment = {**os.environ, "CERTHOUSE_OWN_LISTENER": await asyncio.to_thread(_own_listener, server)}
        environment.pop("CERTHOUSE_KEY_ENCRYPTION_KEY", None)
        environment.pop("CERTHOUSE_DATABASE_URL", None)
        if MemberFiles(configuration.data / "node").member() is None:
            environment["CERTHOUSE_JOIN_TOKEN"] = await asyncio.to_thread(_invite_self, server)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "certhouse",
            "node",
            "run",
            "--data",
            str(configuration.data),
            "--name",
            configuration.node_name,
            "--domain",
            configuration.domain,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )
        ended, stopping = asyncio.ensure_future(child.wait()), asyncio.ensure_future(stop.wait())
        began = server.clock.monotonic()
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(child)
            return
        log.warning("node agent ended, starting it again", code=child.returncode)
        pause = _FIRST_PAUSE if server.clock.monotonic() - began > _LONGEST_PAUSE else min(pause * 2, _LONGEST_PAUSE)
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            continue


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), 5)
        except TimeoutError:
            child.kill()
            await child.wait()


def _own_listener(server: Server) -> str:
    with server.store.read() as tx:
        listener = current_catalog(tx).listener
    host, port = split_address(server.configuration.listen, "listen")
    address = f"{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # compared, not bound
    return msgspec.json.encode(
        OwnListener(service=listener.service, purposes=listener.purposes, address=address)
    ).decode()


def _invite_self(server: Server) -> str:
    with server.store.read() as tx:
        role = (
            Role.SERVER if Role.SERVER in next(iter(current_catalog(tx).services.values())).roles else Role.CALL_MANAGER
        )
    gateway = server.configuration.gateway_listen
    return invite_node(role, gateway, store=server.store, clock=server.clock, ids=server.ids, actor="up").text()


async def _first_identity(server: Server, stop: asyncio.Event) -> None:
    """Makes the listener's first identity once the node is there, by the same operation that everybody uses."""
    while not stop.is_set():
        if await asyncio.to_thread(_make_first_identity, server):
            return
        try:
            await asyncio.wait_for(stop.wait(), 0.3)
        except TimeoutError:
            continue


def _make_first_identity(server: Server) -> bool:
    """Says whether there is nothing left to do: every purpose of the listener has a certificate, or one is being made."""
    with server.store.read() as tx:
        purposes = current_catalog(tx).listener.purposes
        nodes = [node for node in tx.nodes.all() if node.name == server.configuration.node_name]
        if not nodes or tx.nodes.observed(nodes[0].name) is None:
            return False
        missing = [purpose for purpose in purposes if tx.identities.current(nodes[0].name, purpose) is None]
        begun = [
            change
            for change in tx.changes.in_state(ChangeState.RUNNING, ChangeState.WAITING)
            if change.facts.get("purpose") in missing
        ]
    if begun:
        return True
    for purpose in missing:
        command = GenerateSelfSigned(
            purpose=PurposeName(purpose), node=nodes[0].name, sans=_listener_names(server), restart=True
        )
        try:
            generate_self_signed(
                command, store=server.store, clock=server.clock, ids=server.ids, bell=server.bell, actor="up"
            )
        except CerthouseError as error:
            log.error("the first identity cannot be made", purpose=purpose, error=str(error))
    return True


def _listener_names(server: Server) -> tuple[str, ...]:
    host = split_address(server.configuration.listen, "listen")[0]
    names = ["localhost", "127.0.0.1"]
    if host not in ("0.0.0.0", "::", *names):  # compared, not bound
        names.append(host)
    return tuple(names)
