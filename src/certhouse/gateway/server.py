"""The gateway's requests. A node sees and changes only what is its own: its name comes from its certificate, never from
what it sends."""

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from aiohttp import web

from certhouse.errors import CerthouseError, NotFound, Refused, Unauthenticated
from certhouse.model.node import Node
from certhouse.operations.desired_state import desired_state, observe, store_content
from certhouse.operations.node_membership import join_node, renew_node
from certhouse.ports.store import Store
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import NodeName, NodeState, StoreName
from certhouse.wire.joining import JoinRequest, RenewRequest, decode_join
from certhouse.wire.messages import TaskOrder, decode_observed, decode_result, decode_work
from certhouse.x509.export import pem_block, to_pem
from certhouse.x509.facts import fingerprint_of

LARGEST_REQUEST = 1 << 20
HEARTBEAT = 10.0
"""Seconds between lines of a quiet stream: either side notices a dead peer."""

log = structlog.get_logger("certhouse.gateway")
T = TypeVar("T")


def tls_context(key: bytes, certificate: bytes, ca: bytes) -> ssl.SSLContext:
    """Gives TLS 1.3 only, without session tickets: a node whose certificate is gone must not go on by resumption."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=pem_block("CERTIFICATE", ca).decode())
    # The library reads keys from files only: this one is gone before the function returns.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.pem"
        path.touch(mode=0o600)
        path.write_bytes(key + to_pem(certificate, ca))
        context.load_cert_chain(path)
    return context


class Gateway:
    """Holds no state of its own: any replica may answer any request."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids, bell: Bell, ca: bytes) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._ca = ca

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[self._errors])
        app.router.add_get("/v1/ca", self._show_ca)
        app.router.add_post("/v1/join", self._join)
        app.router.add_post("/v1/renew", self._renew)
        app.router.add_get("/v1/desired", self._desired)
        app.router.add_get("/v1/stores/{store}", self._store_content)
        app.router.add_get("/v1/events", self._events)
        app.router.add_post("/v1/observed", self._observed)
        app.router.add_post("/v1/tasks/{task}/result", self._result)
        return app

    @web.middleware
    async def _errors(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except Unauthenticated as error:
            return web.json_response({"error": str(error)}, status=401)
        except NotFound as error:
            return web.json_response({"error": str(error)}, status=404)
        except Refused as error:
            return web.json_response({"error": str(error)}, status=422)
        except CerthouseError as error:
            log.error("request failed", path=request.path, error=str(error))
            return web.json_response({"error": str(error)}, status=503)

    async def _node(self, request: web.Request) -> Node:
        """Gives the node that the client certificate names now. Raises Unauthenticated."""
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        node: Node | None = await self._read(lambda tx: tx.nodes.by_certificate(fingerprint_of(der))) if der else None
        if node is None:
            raise Unauthenticated("no node of this cluster has this certificate")
        return node

    async def _read(self, ask: Callable[[Any], T]) -> T:
        def inside() -> T:
            with self._store.read() as tx:
                return ask(tx)

        return await asyncio.to_thread(inside)

    async def _show_ca(self, request: web.Request) -> web.Response:
        """Gives the node CA's certificate, which is public; a joining node compares it with its token."""
        return web.Response(body=self._ca, content_type="application/pkix-cert")

    async def _join(self, request: web.Request) -> web.Response:
        message = decode_join(await request.read(), JoinRequest)
        if not isinstance(message, JoinRequest):
            raise Unauthenticated("not a join")
        membership = await asyncio.to_thread(join_node, message, store=self._store, clock=self._clock, ids=self._ids)
        log.info("node joined", node=membership.name, role=membership.role)
        return web.Response(body=msgspec.json.encode(membership), content_type="application/json")

    async def _renew(self, request: web.Request) -> web.Response:
        node = await self._node(request)
        message = decode_join(await request.read(), RenewRequest)
        if not isinstance(message, RenewRequest):
            raise Unauthenticated("not a renewal")
        membership = await asyncio.to_thread(
            renew_node, node, message, store=self._store, clock=self._clock, ids=self._ids
        )
        return web.Response(body=msgspec.json.encode(membership), content_type="application/json")

    async def _desired(self, request: web.Request) -> web.Response:
        node = await self._node(request)
        state = await self._read(lambda tx: desired_state(tx, node))
        return web.Response(body=msgspec.json.encode(state), content_type="application/json")

    async def _store_content(self, request: web.Request) -> web.Response:
        node = await self._node(request)
        name = StoreName(request.match_info["store"])

        def content(tx: Any) -> bytes | None:
            found = store_content(tx, node, name)
            return None if found is None else msgspec.json.encode(list(found))

        body = await self._read(content)
        if body is None:
            raise NotFound(f"this node has no trust store {name}")
        return web.Response(body=body, content_type="application/json")

    async def _observed(self, request: web.Request) -> web.Response:
        node = await self._node(request)
        observed = decode_observed(await request.read())
        if observed.node != node.name:
            raise Unauthenticated("a node reports for itself only")
        await asyncio.to_thread(observe, observed, store=self._store, clock=self._clock, bell=self._bell)
        return web.Response(status=204)

    async def _result(self, request: web.Request) -> web.Response:
        node = await self._node(request)
        body, task = await request.read(), request.match_info["task"]
        decode_result(body)

        def finish() -> None:
            with self._store.begin() as tx:
                tx.tasks.finish(task, node.name, body, self._clock.now())

        await asyncio.to_thread(finish)
        self._bell.ring("worker")
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Streams lines of JSON: the desired revision when it changes, tasks that are open, and a heartbeat.

        The stream stands and falls with the node's certificate: it is looked up again before every line.
        """
        node = await self._node(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        leave = self._bell.listen(f"node:{node.name}", wake)
        told: tuple[int, int] | None = None
        handed: set[str] = set()
        try:
            while True:
                woken.clear()
                present, now, orders = await self._read(lambda tx: self._news(tx, node.name))
                if present is None or present.certificate != node.certificate:
                    return response
                lines: list[dict[str, object]] = []
                if now != told:
                    lines.append({"desired": {"epoch": now[0], "revision": now[1]}})
                    told = now
                fresh = [order for order in orders if order.id not in handed]
                lines.extend({"order": order} for order in fresh)
                handed = {order.id for order in orders}
                for line in lines or [{"heartbeat": True}]:
                    await response.write(msgspec.json.encode(line) + b"\n")
                try:
                    await asyncio.wait_for(woken.wait(), HEARTBEAT)
                except TimeoutError:
                    continue
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            leave()

    @staticmethod
    def _news(tx: Any, name: NodeName) -> tuple[Node | None, tuple[int, int], list[TaskOrder]]:
        node = tx.nodes.get(name)
        if node is None or node.state is not NodeState.ACTIVE:
            return None, (0, 0), []
        orders = [
            TaskOrder(id=task.id, fence=task.fence, work=decode_work(task.work)) for task in tx.tasks.open_for(name)
        ]
        return node, (tx.nodes.epoch(), tx.nodes.revision()), orders
