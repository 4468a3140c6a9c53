"""The HTTPS listener and the local socket, both for the same application.

A restart gives the listener fresh TLS contexts; connections that are open live on. Until then it serves what it has.
"""

import asyncio
import contextlib
import os
import pwd
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from certhouse.operations.surroundings import current_catalog, current_settings
from certhouse.ports.store import Store
from certhouse.ports.world import Clock, Ids
from certhouse.vocabulary import KeyType
from certhouse.x509.export import to_pem
from certhouse.x509.facts import San
from certhouse.x509.keys import KeySpec, make_key, private_key_pem
from certhouse.x509.request import CsrTemplate
from certhouse.x509.self_signed import self_sign

log = structlog.get_logger("certhouse.listener")

# Which of them can be agreed on follows from the certificates that are loaded: with an RSA one alone, RSA only.
_CIPHERS = "ECDHE+aECDSA+AESGCM:ECDHE+aECDSA+CHACHA20:ECDHE+aRSA+AESGCM:ECDHE+aRSA+CHACHA20"


class ListenerTls:
    """The TLS contexts of the listener. ``swap`` reads the identity's files again; new connections get the new ones."""

    def __init__(self, data: Path, store: Store, clock: Clock, ids: Ids, hosts: tuple[str, ...]) -> None:
        self._data = data
        self._store = store
        self._clock = clock
        self._ids = ids
        self._hosts = hosts
        self._current = self._load()
        self.generation = 1

    def swap(self) -> None:
        self._current = self._load()
        self.generation += 1
        log.info("listener has fresh TLS contexts", generation=self.generation)

    def factory(self, config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """Gives the context that uvicorn listens with; each handshake continues in the newest one."""
        outer = self._load()
        outer.sni_callback = self._choose
        return outer

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        with self._store.read() as tx:
            catalog = current_catalog(tx)
            settings = current_settings(tx, catalog)
        row = catalog.listener
        ec = bool(row.ec_setting) and settings.get(row.ec_setting) == row.ec_value
        names = (*row.purposes, *(row.ec_purposes if ec else ()))
        paths = [self._data / "live" / name / "combined.pem" for name in names]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.set_ciphers(_CIPHERS)
        # A resumed session would go on with the certificate of its first handshake.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        loaded = 0
        for path in paths:
            if path.is_file():
                context.load_cert_chain(path)
                loaded += 1
        if not loaded:
            self._load_bootstrap(context)
        return context

    def _load_bootstrap(self, context: ssl.SSLContext) -> None:
        """Serves a certificate of its own until the node has made the first identity."""
        key = make_key(KeySpec(type=KeyType.EC, length=256))
        template = CsrTemplate(
            subject=(("CN", "Certhouse, first start"),),
            sans=tuple(San("dns", host) for host in self._hosts if not host.replace(".", "").isdigit()),
            key_usage=("digitalSignature",),
            extended_key_usage=("1.3.6.1.5.5.7.3.1",),
        )
        now = self._clock.now() - timedelta(minutes=5)
        certificate = self_sign(key, template, serial=self._ids.serial(), not_before=now, days=2)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "first.pem"
            path.touch(mode=0o600)
            path.write_bytes(private_key_pem(key) + to_pem(certificate))
            context.load_cert_chain(path)


class LocalProtocol(H11Protocol):
    """HTTP on the local socket: the kernel says who is at the other end (SO_PEERCRED)."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        credentials = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, _ = struct.unpack("3i", credentials)
        if uid not in (0, os.geteuid()):
            transport.abort()
            return
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        application = self.app

        async def identified(scope: Any, receive: Any, send: Any) -> None:
            extensions = {**scope.get("extensions", {}), "certhouse.local_user": name}
            await application({**scope, "extensions": extensions}, receive, send)

        self.app = identified


def local_socket(path: Path) -> socket.socket:
    """Gives a listening Unix socket that only its owner may open. One that a dead process left behind is replaced."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen(128)
    return listening


class _Quiet(uvicorn.Server):
    """A uvicorn server whose signals are somebody else's to handle."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


async def serve(app: Any, *, tls: ListenerTls, address: tuple[str, int], api_socket: Path, stop: asyncio.Event) -> None:
    """Serves the application over HTTPS and the local socket until ``stop`` is set. Raises OSError if it cannot listen."""
    common: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "lifespan": "off",
        "timeout_graceful_shutdown": 5,
        "h11_max_incomplete_event_size": 131_072,
        "limit_concurrency": 1000,
    }
    https = uvicorn.Config(
        app,
        host=address[0],
        port=address[1],
        ssl_context_factory=tls.factory,
        proxy_headers=False,
        http="h11",
        **common,
    )
    local = uvicorn.Config(app, http=LocalProtocol, **common)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listening = socket.create_server(address, family=family, backlog=512)
    try:
        beside = local_socket(api_socket)
    except OSError:
        listening.close()
        raise
    servers = ((_Quiet(https), [listening]), (_Quiet(local), [beside]))
    running = [asyncio.ensure_future(server.serve(sockets=sockets)) for server, sockets in servers]
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for server, _ in servers:
        server.should_exit = True
    results = await asyncio.gather(*running, return_exceptions=True)
    stopping.cancel()
    api_socket.unlink(missing_ok=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
