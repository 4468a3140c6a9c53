"""The gateway lets in who has a node's certificate, and shows each node what is its own. Over real TLS on loopback."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import aiohttp
import msgspec
import pytest
from aiohttp import web

from certhouse.adapters.bell import ThreadBell
from certhouse.adapters.clock import SystemClock
from certhouse.adapters.ids import TimeOrderedIds
from certhouse.adapters.store import open_store
from certhouse.errors import CerthouseError, Refused
from certhouse.gateway.server import LARGEST_REQUEST, Gateway, tls_context
from certhouse.model.task import Task
from certhouse.node.membership import Member, MemberFiles, join, renew
from certhouse.operations.node_membership import gateway_certificate, invite_node
from certhouse.vocabulary import Fingerprint, NodeName, NodeState, PurposeName, Role
from certhouse.wire.joining import JoinToken, read_token
from certhouse.wire.messages import ProbePurpose, encode
from certhouse.x509.export import to_pem
from certhouse.x509.node_ca import issue_node_certificate, make_node_ca, make_node_request
from tests.waiting import free_port

LIMIT = 20.0
ONE, TWO = NodeName("one.example.com"), NodeName("two.example.com")
T = TypeVar("T")


def limited(work: Coroutine[Any, Any, T]) -> T:
    async def inside() -> T:
        return await asyncio.wait_for(work, LIMIT)

    return asyncio.run(inside())


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Cluster:
    """A gateway over a database of its own, and the folders of nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self.ids = TimeOrderedIds(self.clock)
        self.bell = ThreadBell()
        self.store = open_store(f"sqlite:///{folder / 'certhouse.db'}", bytes(32))
        self.address = f"127.0.0.1:{free_port()}"
        with self.store.begin() as tx:
            tx.settings.set_starting_catalog("uc")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        key, certificate, ca = gateway_certificate(["127.0.0.1"], store=self.store, clock=self.clock, ids=self.ids)
        gateway = Gateway(store=self.store, clock=self.clock, ids=self.ids, bell=self.bell, ca=ca)
        runner = web.AppRunner(gateway.application(), shutdown_timeout=1, handler_cancellation=True)
        await runner.setup()
        host, _, port = self.address.rpartition(":")
        await web.TCPSite(runner, host, int(port), ssl_context=tls_context(key, certificate, ca)).start()
        try:
            yield
        finally:
            await runner.cleanup()

    def invite(self) -> JoinToken:
        return invite_node(
            Role.CALL_MANAGER, self.address, store=self.store, clock=self.clock, ids=self.ids, actor="test"
        )

    def files(self, name: NodeName) -> MemberFiles:
        return MemberFiles(self.folder / name)

    async def admit(self, name: NodeName, token: JoinToken | None = None) -> Member:
        return await join(token or self.invite(), name, "example.com", bytes(32), self.files(name))

    async def ask(self, tls: ssl.SSLContext, method: str, path: str, body: bytes | BinaryIO | None = None) -> Answer:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.request(method, f"https://{self.address}{path}", data=body, ssl=tls) as response,
        ):
            return Answer(response.status, await response.read())

    def impostor(self, name: NodeName) -> ssl.SSLContext:
        """Gives the TLS of one who has a certificate of that name from a CA of its own."""
        ca_key, ca = make_node_ca(serial=1, now=self.clock.now())
        key, csr = make_node_request(name)
        certificate = issue_node_certificate(ca_key, ca, csr, name=name, serial=2, now=self.clock.now())
        file = self.folder / "impostor.pem"
        file.write_bytes(key + to_pem(certificate))
        context = self.stranger()
        context.load_cert_chain(file)
        return context

    @staticmethod
    def stranger() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


PRIVATE = (
    ("GET", "/v1/desired"),
    ("GET", "/v1/events"),
    ("GET", "/v1/stores/tomcat-trust"),
    ("POST", "/v1/observed"),
    ("POST", "/v1/renew"),
    ("POST", "/v1/tasks/chg-1.1.1/result"),
)


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_nothing_is_shown_to_one_without_a_certificate(cluster: Cluster, method: str, path: str) -> None:
    async def work() -> int:
        async with cluster.running():
            return (await cluster.ask(cluster.stranger(), method, path)).status

    assert limited(work()) == 401


def test_a_certificate_of_another_ca_does_not_get_through_the_handshake(cluster: Cluster) -> None:
    async def work() -> None:
        async with cluster.running():
            await cluster.admit(ONE)
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await cluster.ask(cluster.impostor(ONE), "GET", "/v1/desired")

    limited(work())


def test_tls_1_2_is_refused(cluster: Cluster) -> None:
    async def work() -> None:
        async with cluster.running():
            old = cluster.stranger()
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(aiohttp.ClientError):
                await cluster.ask(old, "GET", "/v1/ca")

    limited(work())


def test_an_invitation_is_good_once(cluster: Cluster) -> None:
    async def work() -> None:
        async with cluster.running():
            token = cluster.invite()
            await cluster.admit(ONE, token)
            with pytest.raises(Refused, match="used up"):
                await cluster.admit(TWO, token)

    limited(work())
    assert cluster.files(TWO).member() is None


def test_the_name_of_a_node_that_is_there_is_not_given_away(cluster: Cluster) -> None:
    async def work() -> None:
        async with cluster.running():
            await cluster.admit(ONE)
            before = cluster.files(ONE)
            with pytest.raises(Refused, match="is in the cluster"):
                await join(cluster.invite(), ONE, "example.com", bytes(32), MemberFiles(cluster.folder / "other"))
            assert (await cluster.ask(before.tls(), "GET", "/v1/desired")).status == 200

    limited(work())


def test_a_gateway_with_another_ca_than_the_token_pins_learns_no_secret(cluster: Cluster) -> None:
    async def work() -> None:
        async with cluster.running():
            token = cluster.invite()
            forged = msgspec.structs.replace(token, ca=Fingerprint("0" * 64))
            with pytest.raises(Refused, match="not the one"):
                await cluster.admit(ONE, forged)
            await cluster.admit(ONE, token)  # which shows that the secret was not used up

    limited(work())


def test_a_node_sees_its_own_desired_state(cluster: Cluster) -> None:
    async def work() -> list[dict[str, Any]]:
        async with cluster.running():
            for name in (ONE, TWO):
                await cluster.admit(name)
            return [
                msgspec.json.decode((await cluster.ask(cluster.files(name).tls(), "GET", "/v1/desired")).body)
                for name in (ONE, TWO)
            ]

    assert [state["node"] for state in limited(work())] == [ONE, TWO]


def test_a_node_answers_its_own_tasks_only(cluster: Cluster) -> None:
    async def work() -> list[bytes | None]:
        async with cluster.running():
            for name in (ONE, TWO):
                await cluster.admit(name)
            task = Task(
                id="chg-1.1.1",
                node=ONE,
                fence=1,
                work=encode(ProbePurpose(purpose=PurposeName("tomcat"))),
                created=cluster.clock.now(),
            )
            with cluster.store.begin() as tx:
                tx.tasks.add(task)
            kept = []
            for name in (TWO, ONE):
                body = b'{"type":"probed","probes":[]}'
                await cluster.ask(cluster.files(name).tls(), "POST", "/v1/tasks/chg-1.1.1/result", body)
                with cluster.store.read() as tx:
                    found = tx.tasks.get("chg-1.1.1")
                    kept.append(found.result if found else None)
            return kept

    first, second = limited(work())
    assert first is None
    assert second is not None


def test_a_node_does_not_report_for_another(cluster: Cluster) -> None:
    async def work() -> int:
        async with cluster.running():
            for name in (ONE, TWO):
                await cluster.admit(name)
            body = msgspec.json.encode(
                {"node": TWO, "at": cluster.clock.now(), "epoch": 1, "revision": 1, "version": "1"}
            )
            return (await cluster.ask(cluster.files(ONE).tls(), "POST", "/v1/observed", body)).status

    assert limited(work()) in (401, 422)
    with cluster.store.read() as tx:
        assert tx.nodes.observed(TWO) is None


def test_a_removed_node_is_out_and_its_stream_ends(cluster: Cluster) -> None:
    async def work() -> tuple[bytes, int]:
        async with cluster.running():
            await cluster.admit(ONE)
            tls = cluster.files(ONE).tls()
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.get(f"https://{cluster.address}/v1/events", ssl=tls) as stream,
            ):
                await stream.content.readline()
                with cluster.store.begin() as tx:
                    node = tx.nodes.get(ONE)
                    assert node is not None
                    tx.nodes.save(replace(node, state=NodeState.REMOVED))
                cluster.bell.ring(f"node:{ONE}")
                rest = await stream.content.read()
            return rest, (await cluster.ask(tls, "GET", "/v1/desired")).status

    rest, status = limited(work())
    assert rest == b""
    assert status == 401


def test_after_a_renewal_the_former_certificate_is_out(cluster: Cluster) -> None:
    async def work() -> tuple[int, int]:
        async with cluster.running():
            member = await cluster.admit(ONE)
            former = cluster.files(ONE).tls()
            await renew(member, cluster.files(ONE))
            present = cluster.files(ONE).tls()
            return (
                (await cluster.ask(present, "GET", "/v1/desired")).status,
                (await cluster.ask(former, "GET", "/v1/desired")).status,
            )

    assert limited(work()) == (200, 401)


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"secret":1}', b"{" + b" " * 5000])
def test_a_join_that_is_none_is_refused(cluster: Cluster, body: bytes) -> None:
    async def work() -> int:
        async with cluster.running():
            return (await cluster.ask(cluster.stranger(), "POST", "/v1/join", body)).status

    assert 400 <= limited(work()) < 500


def test_a_request_that_is_too_large_is_refused(cluster: Cluster) -> None:
    async def work() -> int:
        async with cluster.running():
            return (
                await cluster.ask(cluster.stranger(), "POST", "/v1/join", io.BytesIO(bytes(LARGEST_REQUEST + 1)))
            ).status

    assert limited(work()) == 413


@pytest.mark.parametrize("text", ["", "chj_", "chj_e30", "chj_\udcff", "x" * 100_000, "chj_" + "A" * 5])
def test_a_token_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(CerthouseError) as refusal:
        read_token(text)
    assert len(text) < 5 or text not in str(refusal.value)
