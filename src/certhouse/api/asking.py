"""What every route needs: who asks, the process's parts, and answers as bytes."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from certhouse.errors import Conflict, Fault
from certhouse.http.identity import Actor, identify
from certhouse.model.change import Change
from certhouse.vocabulary import ChangeState
from certhouse.wiring.server import Server

LONGEST_WAIT = 60


class Body(BaseModel):
    """A request's body: unknown keys are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def server_of(request: Request) -> Server:
    server: Server = request.app.state.server
    return server


def reader(request: Request) -> Actor:
    """Gives who asks. Raises Unauthenticated."""
    return identify(request, server_of(request))


def administrator(request: Request) -> Actor:
    """Gives who asks, an administrator. Raises Unauthenticated, Forbidden."""
    actor = identify(request, server_of(request))
    actor.must_administrate()
    return actor


ServerPart = Annotated[Server, Depends(server_of)]
Reader = Annotated[Actor, Depends(reader)]
Administrator = Annotated[Actor, Depends(administrator)]
DryRun = Annotated[bool, Query(description="Only say what would happen; nothing is changed")]
Wait = Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the change to get done")]


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers)


def change_answer(server: Server, change: Change, wait: int) -> Response:
    """Gives a change once it is over or waits for a person: 202 while it still runs when ``wait`` seconds have passed."""
    if not change.id:
        return answer(change)
    deadline = server.clock.monotonic() + wait
    while change.state is ChangeState.RUNNING and (left := deadline - server.clock.monotonic()) > 0:
        server.bell.wait(f"change:{change.id}", min(left, 0.25))
        with server.store.read() as tx:
            change = tx.changes.get(change.id) or change
    location = {"Location": f"/api/v1/changes/{change.id}"}
    return answer(change, 202 if change.state is ChangeState.RUNNING else 200, location)


def once(request: Request, server: Server, actor: Actor, body: bytes, act: Callable[[], Response]) -> Response:
    """Does a request that carries an Idempotency-Key once: the same again gives the first answer.

    Raises Conflict when the key was used for another request.
    """
    key = request.headers.get("idempotency-key")
    if not key:
        return act()
    mark = hashlib.sha256(b"\0".join((request.method.encode(), str(request.url).encode(), body))).hexdigest()
    with server.store.read() as tx:
        known = tx.idempotency.get(actor.name, key[:200])
    if known is not None:
        if known[0] != mark:
            raise Conflict(
                Fault(
                    code="idempotency-key",
                    detail="this Idempotency-Key was used for another request",
                    remedy="use a fresh one",
                )
            )
        return Response(known[2], status_code=known[1], media_type="application/json")
    response = act()
    with server.store.begin() as tx:
        tx.idempotency.put(actor.name, key[:200], mark, response.status_code, bytes(response.body), server.clock.now())
    return response


def etag(value: Any) -> str:
    return f'"{hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]}"'


def must_match(request: Request, value: Any) -> None:
    """Raises Conflict when If-Match names another state than the present one."""
    wanted = request.headers.get("if-match")
    if wanted and wanted.strip() not in ("*", etag(value)):
        raise Conflict(
            Fault(
                code="changed-meanwhile",
                detail="it has been changed since you looked",
                remedy="look again, then repeat the change",
            )
        )
