"""What every route needs: who asks, the process's parts, and answers as bytes."""

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from certhouse.api.repeated import Repeated
from certhouse.errors import Conflict, Fault, Unauthenticated
from certhouse.http.identity import Actor, identify
from certhouse.model.change import Change
from certhouse.vocabulary import ChangeId, ChangeState
from certhouse.wiring.server import Server

LONGEST_WAIT = 60
"""Seconds."""

_LOOK_AGAIN = 1.0
_EDIT_SECONDS = 10


def _cannot_be_kept(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value or (not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value))
        case dict():
            return any(_cannot_be_kept(part) for pair in value.items() for part in pair)
        case list():
            return any(_cannot_be_kept(part) for part in value)
        case _:
            return False


class Body(BaseModel):
    """A request's body. Unknown keys are refused, so that a misspelt one is not silently ignored; so are NUL and half a
    surrogate pair, which a database cannot keep."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _keepable(cls, value: Any) -> Any:
        if _cannot_be_kept(value):
            raise ValueError("a text holds NUL or half a surrogate pair")
        return value


async def server_of(request: Request) -> Server:
    server: Server = request.app.state.server
    return server


async def reader(request: Request) -> Actor:
    """Gives who asks, as ``LoggedInRoute`` found out. Raises Unauthenticated."""
    actor = getattr(request.state, "actor", None)
    if not isinstance(actor, Actor):
        raise Unauthenticated("log in, or send an API token")
    return actor


async def administrator(request: Request) -> Actor:
    """Gives who asks, an administrator. Raises Unauthenticated, Forbidden."""
    actor = await reader(request)
    actor.must_administrate()
    return actor


ServerPart = Annotated[Server, Depends(server_of)]
Reader = Annotated[Actor, Depends(reader)]
Administrator = Annotated[Actor, Depends(administrator)]
DryRun = Annotated[bool, Query(description="Only say what would happen; nothing is changed")]
Wait = Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the change to get done")]


class LoggedInRoute(APIRoute):
    """A route that asks for a log-in before it reads anything, makes a POST's change under its Idempotency-Key once, and
    waits for a change without holding a thread."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "wait" in inspect.signature(endpoint).parameters:
            running = {202: {"description": "The change runs; look at Location"}}
            options["responses"] = {**running, **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        act = super().get_route_handler()

        async def handle(request: Request) -> Response:
            server: Server = request.app.state.server
            actor = await run_in_threadpool(identify, request, server)
            request.state.actor = actor
            key = request.headers.get("idempotency-key") if request.method == "POST" else None
            if key is None:
                return await _settled(server, await act(request))
            repeated = Repeated(server, actor.name, key, request.method, str(request.url), await request.body())
            former = await run_in_threadpool(repeated.former)
            if former is not None:
                return await _settled(server, await run_in_threadpool(_again, server, former, request))
            try:
                response = await act(request)
                # Only changes: what another answer holds may be a secret that is shown once.
                if isinstance(response, ChangeAnswer) and response.change.id:
                    await run_in_threadpool(repeated.keep, response.status_code, bytes(response.body))
            finally:
                await run_in_threadpool(repeated.end)
            return await _settled(server, response)

        return handle


def _again(server: Server, former: tuple[int, bytes], request: Request) -> Response:
    """Gives the first answer again; a change is shown as it is by now."""
    status, body = former
    headers = {"Idempotent-Replayed": "true"}
    found = msgspec.json.decode(body)
    if isinstance(found, dict) and found.get("id") and "steps" in found:
        with server.store.read() as tx:
            change = tx.changes.get(ChangeId(found["id"]))
        if change is not None:
            wait = request.query_params.get("wait", "")
            return ChangeAnswer(change, min(int(wait), LONGEST_WAIT) if wait.isdigit() else 0, headers)
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers)


def file(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Gives what the OpenAPI document says of an answer that is a file."""
    return {200: {"description": "A file", "content": {name: {} for name in media_types}}}


class ChangeAnswer(Response):
    """A change, 202 while it runs. ``LoggedInRoute`` waits for it ``wait`` seconds before it answers."""

    def __init__(self, change: Change, wait: int, headers: dict[str, str] | None = None) -> None:
        self.change = change
        self.wait = wait
        self.extra = headers or {}
        location = {"Location": f"/api/v1/changes/{change.id}"} if change.id else {}
        super().__init__(
            msgspec.json.encode(change),
            status_code=202 if change.id and change.state is ChangeState.RUNNING else 200,
            media_type="application/json",
            headers={**location, **self.extra},
        )


def change_answer(change: Change, wait: int) -> Response:
    """Gives a change once it is over or waits for a person: 202 while it still runs when ``wait`` seconds have passed."""
    return ChangeAnswer(change, wait)


async def _settled(server: Server, response: Response) -> Response:
    if not isinstance(response, ChangeAnswer) or response.status_code != 202 or not response.wait:
        return response
    loop, rung = asyncio.get_running_loop(), asyncio.Event()

    def ring() -> None:
        loop.call_soon_threadsafe(rung.set)

    leave = server.bell.listen(f"change:{response.change.id}", ring)
    deadline = server.clock.monotonic() + response.wait
    change = response.change
    try:
        while True:
            rung.clear()
            change = await run_in_threadpool(_look, server, change)
            left = deadline - server.clock.monotonic()
            if change.state is not ChangeState.RUNNING or left <= 0:
                return ChangeAnswer(change, 0, response.extra)
            try:
                await asyncio.wait_for(rung.wait(), min(left, _LOOK_AGAIN))
            except TimeoutError:
                continue
    finally:
        leave()


def _look(server: Server, change: Change) -> Change:
    with server.store.read() as tx:
        return tx.changes.get(change.id) or change


def etag(value: Any) -> str:
    return f'"{hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]}"'


@contextmanager
def editing(request: Request, server: Server, name: str, present: Callable[[], Any]) -> Iterator[None]:
    """Lets one edit of ``name`` happen at a time, and with If-Match only to what its sender saw. Raises Conflict."""
    holder, lease = server.ids.new("edit"), f"edit:{name}"
    deadline = server.clock.monotonic() + _EDIT_SECONDS
    while True:
        with server.store.begin() as tx:
            taken = tx.leases.take(lease, holder, server.clock.now(), _EDIT_SECONDS)
        if taken is not None:
            break
        if server.clock.monotonic() > deadline:
            raise Conflict(Fault(code="busy", detail=f"{name} is being edited by another request", remedy="try again"))
        server.clock.sleep(0.05)
    try:
        wanted = request.headers.get("if-match")
        if wanted and wanted.strip() not in ("*", etag(present())):
            raise Conflict(
                Fault(
                    code="changed-meanwhile",
                    detail=f"{name} has been changed since you looked",
                    remedy="look again, then repeat the change",
                )
            )
        yield
    finally:
        with server.store.begin() as tx:
            tx.leases.release(lease, holder)
