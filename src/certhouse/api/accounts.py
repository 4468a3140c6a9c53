"""Set-up, log-in, users, tokens and the audit trail."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from certhouse.api.asking import Administrator, Body, LoggedInRoute, Reader, ServerPart, answer
from certhouse.api.certificates import Identifier
from certhouse.errors import Forbidden
from certhouse.http.identity import COOKIE, address_of, give_cookie, take_cookie
from certhouse.model.account import ApiToken, User
from certhouse.operations import accounts
from certhouse.operations.api_tokens import create_token, list_audit, list_tokens, revoke_token
from certhouse.operations.log_in import LoggedIn, log_in, log_out
from certhouse.policy.durations import parse_duration

router = APIRouter(tags=["accounts"], route_class=LoggedInRoute)
public = APIRouter(tags=["accounts"])


def _session_answer(logged_in: LoggedIn) -> Response:
    session = logged_in.session
    response = answer(
        {
            "user": logged_in.user.name,
            "role": logged_in.user.role,
            "csrf_token": session.csrf_token,
            "expires": session.expires,
        }
    )
    give_cookie(response, logged_in)
    return response


class SetUp(Body):
    token: str
    user: str
    password: str


@public.post("/setup")
async def first_user(body: SetUp, request: Request, server: ServerPart) -> Response:
    """Make the first administrator with the token of the set-up link."""
    act = partial(
        accounts.set_up,
        body.token,
        body.user,
        body.password,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        passwords=server.passwords,
    )
    return _session_answer(await request.app.state.gate.run(act))


class LogIn(Body):
    user: str
    password: str


@public.post("/login")
async def begin_session(body: LogIn, request: Request, server: ServerPart) -> Response:
    """Log in; the answer's CSRF token goes into the header of every change."""
    act = partial(
        log_in,
        body.user,
        body.password,
        address=address_of(request),
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        passwords=server.passwords,
    )
    return _session_answer(await request.app.state.gate.run(act))


@router.post("/logout", status_code=204, response_class=Response)
def end_session(request: Request, server: ServerPart, actor: Reader) -> Response:
    """End the log-in."""
    log_out(request.cookies.get(COOKIE, ""), store=server.store)
    response = Response(status_code=204)
    take_cookie(response)
    return response


@router.get("/me")
def me(actor: Reader) -> Response:
    """Who is asking."""
    return answer({"name": actor.name, "user": actor.user, "role": actor.role, "csrf_token": actor.csrf_token})


def _user_view(user: User) -> dict[str, object]:
    return {"name": user.name, "role": user.role, "created": user.created, "disabled": user.disabled}


def _token_view(token: ApiToken) -> dict[str, object]:
    return {
        "id": token.id,
        "user": token.user,
        "description": token.description,
        "created": token.created,
        "expires": token.expires,
        "last_used": token.last_used,
    }


@router.get("/users")
def users(server: ServerPart, actor: Administrator) -> Response:
    """All users."""
    items = [_user_view(user) for user in accounts.list_users(store=server.store)]
    return answer({"items": items, "next": None, "total": len(items)})


class NewUser(Body):
    name: str
    password: str
    role: str = accounts.ADMINISTRATOR


@router.post("/users", status_code=201)
def add_user(body: NewUser, server: ServerPart, actor: Administrator) -> Response:
    """Add a user."""
    user = accounts.add_user(
        body.name,
        body.password,
        body.role,
        store=server.store,
        clock=server.clock,
        passwords=server.passwords,
        actor=actor.name,
    )
    return answer(_user_view(user), 201)


@router.delete("/users/{name}", status_code=204, response_class=Response)
def remove_user(name: Identifier, server: ServerPart, actor: Administrator) -> Response:
    """Remove a user with all log-ins and tokens."""
    accounts.remove_user(name, store=server.store, clock=server.clock, actor=actor.name)
    return Response(status_code=204)


class Access(Body):
    disabled: bool


@router.patch("/users/{name}")
def set_access(name: Identifier, body: Access, server: ServerPart, actor: Administrator) -> Response:
    """Shut a user out, or let the user in again."""
    user = accounts.disable_user(name, disabled=body.disabled, store=server.store, clock=server.clock, actor=actor.name)
    return answer(_user_view(user))


class NewPassword(Body):
    password: str
    present: str = ""


@router.put("/users/{name}/password", responses={204: {"description": "Set"}})
async def set_password(
    name: Identifier, body: NewPassword, request: Request, server: ServerPart, actor: Reader
) -> Response:
    """Set a password: one's own with the present one, any other as administrator. The user's log-ins end."""
    gate = request.app.state.gate
    if actor.user == name:
        own = partial(
            accounts.change_own_password,
            name,
            body.present,
            body.password,
            address=address_of(request),
            store=server.store,
            clock=server.clock,
            ids=server.ids,
            passwords=server.passwords,
        )
        logged_in = await gate.run(own)
        # A browser goes on in a session of its own; a script has its token.
        return _session_answer(logged_in) if actor.csrf_token else Response(status_code=204)
    actor.must_administrate()
    await gate.run(
        partial(
            accounts.change_password,
            name,
            body.password,
            store=server.store,
            clock=server.clock,
            passwords=server.passwords,
            actor=actor.name,
        )
    )
    return Response(status_code=204)


@router.get("/tokens")
def tokens(server: ServerPart, actor: Reader) -> Response:
    """One's own tokens; an administrator sees all."""
    own = None if actor.role == accounts.ADMINISTRATOR else actor.user
    items = [_token_view(token) for token in list_tokens(store=server.store, user=own)]
    return answer({"items": items, "next": None, "total": len(items)})


class NewToken(Body):
    user: str | None = None
    description: str = ""
    expires_in: str = "90d"


@router.post("/tokens", status_code=201)
def make_token(body: NewToken, server: ServerPart, actor: Reader) -> Response:
    """Make an API token. It is shown this once."""
    user = body.user or actor.user
    if user is None:
        raise Forbidden("name the user whose token it is to be")
    if user != actor.user:
        actor.must_administrate()
    token, secret = create_token(
        user,
        body.description,
        parse_duration(body.expires_in),
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        actor=actor.name,
    )
    return answer({**_token_view(token), "token": secret}, 201)


@router.delete("/tokens/{identifier}", status_code=204, response_class=Response)
def take_token_back(identifier: Identifier, server: ServerPart, actor: Reader) -> Response:
    """Revoke a token: one's own, or any as administrator."""
    owner = None if actor.role == accounts.ADMINISTRATOR else actor.user
    revoke_token(identifier, store=server.store, clock=server.clock, actor=actor.name, owner=owner)
    return Response(status_code=204)


@router.get("/audit")
def audit(
    server: ServerPart,
    actor: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """The audit trail, newest first."""
    found = list_audit(store=server.store, limit=limit + 1, before=cursor)
    following = found[limit - 1].number if len(found) > limit else None
    return answer({"items": found[:limit], "next": following})
