"""The HTTP edge as its users have it: TLS and the local socket on loopback, over a real database."""

import asyncio
import http.client
import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from certhouse.adapters.bell import ThreadBell
from certhouse.adapters.clock import SystemClock
from certhouse.adapters.configuration import Configuration
from certhouse.adapters.ids import TimeOrderedIds
from certhouse.adapters.store import open_store
from certhouse.adapters.vault.keys import HpkeSeal
from certhouse.api.app import create_app
from certhouse.http.listener import ListenerTls, serve
from certhouse.model.node import Node
from certhouse.operations.accounts import issue_setup_link
from certhouse.vocabulary import Fingerprint, NodeName, NodeState, Role
from certhouse.wiring.server import Server
from tests.waiting import free_port, until

NODE = NodeName("node1.example.com")
PASSWORD = "correct horse battery"
LIMIT = 30.0


class MovableClock(SystemClock):
    """The system's time, moved forward at will."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class QuickPasswords:
    """``ports.world.PasswordHasher`` without its cost."""

    def hash(self, password: str) -> str:
        return f"quick:{password[::-1]}"

    def verify(self, password_hash: str, password: str) -> bool:
        return password_hash == self.hash(password)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [fault["code"] for fault in self.json()["faults"]]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(str(self._path))


@dataclass
class Caller:
    """Someone who asks: over HTTPS with headers of its own, or over the local socket."""

    edge: "Edge"
    headers: dict[str, str] = field(default_factory=dict)
    local: bool = False

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection: http.client.HTTPConnection
        if self.local:
            connection = _UnixConnection(self.edge.configuration.api_socket)
        else:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.edge.port, timeout=LIMIT, context=self.edge.trusting_all()
            )
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), {"Content-Type": "application/json", **sent}
        target = path if path.startswith(("/healthz", "/readyz", "/metrics", "/nowhere")) else f"/api/v1{path}"
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            cookies = [value for name, value in response.getheaders() if name.lower() == "set-cookie"]
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                cookies,
                response.read(),
            )
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)


class Edge:
    """A control plane's edge without gateway, worker and agent: what it is asked to change stays to be done."""

    def __init__(self, data: Path, *, hosts: frozenset[str] = frozenset(("localhost",))) -> None:
        self.clock = MovableClock()
        self.port = free_port()
        self.configuration = Configuration(
            data=data,
            listen=f"127.0.0.1:{self.port}",
            gateway_listen="127.0.0.1:1",
            database_url=f"sqlite:///{data / 'certhouse.db'}",
            node_name=NODE,
            domain="example.com",
            allowed_hosts=(),
        )
        self.server = Server(
            configuration=self.configuration,
            store=open_store(self.configuration.database_url, bytes(32)),
            clock=self.clock,
            ids=TimeOrderedIds(self.clock),
            bell=ThreadBell(),
            seal=HpkeSeal(),
            passwords=QuickPasswords(),
        )
        with self.server.store.begin() as tx:
            tx.settings.set_starting_catalog("uc")
            tx.nodes.add(
                Node(
                    name=NODE,
                    role=Role.CALL_MANAGER,
                    publisher=True,
                    state=NodeState.ACTIVE,
                    certificate=Fingerprint("0" * 64),
                    seal_key=bytes(32),
                    domain="example.com",
                    joined=self.clock.now(),
                )
            )
        self.app = create_app(self.server, hosts)
        self.tls = ListenerTls(data, self.server.store, self.clock, self.server.ids, ("localhost",))
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="edge")

    def _run(self) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve(
                self.app,
                tls=self.tls,
                address=("127.0.0.1", self.port),
                api_socket=self.configuration.api_socket,
                stop=self._stop,
            )

        asyncio.run(main())

    def start(self) -> None:
        self._thread.start()
        until(self._answers, LIMIT, "the edge to listen")

    def _answers(self) -> bool:
        try:
            return self.anybody.get("/healthz").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()

    @staticmethod
    def trusting_all() -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    @property
    def anybody(self) -> Caller:
        return Caller(self)

    @property
    def local(self) -> Caller:
        return Caller(self, local=True)

    def setup_token(self) -> str:
        token = issue_setup_link(store=self.server.store, clock=self.clock, ids=self.server.ids)
        assert token is not None
        return token

    def set_up(self, name: str = "alice") -> Caller:
        """Makes the first administrator; gives the browser that did it."""
        answer = self.anybody.post("/setup", {"token": self.setup_token(), "user": name, "password": PASSWORD})
        return self.browser(answer)

    def log_in(self, name: str = "alice", password: str = PASSWORD) -> Answer:
        return self.anybody.post("/login", {"user": name, "password": password})

    def browser(self, answer: Answer) -> Caller:
        """Gives the browser that got a log-in's answer."""
        assert answer.status == 200, answer.body
        cookie = answer.cookies[0].partition(";")[0]
        return Caller(self, {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]})

    def script(self, name: str = "alice", expires_in: str = "1d") -> Caller:
        """Gives a script with an API token of a user."""
        made = self.local.post("/tokens", {"user": name, "description": "script", "expires_in": expires_in})
        assert made.status == 201, made.body
        return Caller(self, {"Authorization": f"Bearer {made.json()['token']}"})

    def auditor(self) -> Caller:
        body = {"name": "otto", "password": PASSWORD, "role": "auditor"}
        assert self.local.post("/users", body).status == 201
        return self.browser(self.log_in("otto"))
