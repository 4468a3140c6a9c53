"""Who is asking: a browser's session, a script's token, or a user of this machine through the local socket."""

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from certhouse.errors import Forbidden, Unauthenticated
from certhouse.operations.accounts import ADMINISTRATOR
from certhouse.operations.api_tokens import user_of_token
from certhouse.operations.log_in import SESSION_LIFE, LoggedIn, user_of_session
from certhouse.wiring.server import Server

COOKIE = "__Host-certhouse"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """``name`` is what the audit trail shows: a user, ``USER/TOKEN`` or ``local:USER``. ``user`` is None for the last.

    ``csrf_token`` is a browser's only.
    """

    name: str
    user: str | None
    role: str
    csrf_token: str = ""

    def must_administrate(self) -> None:
        if self.role != ADMINISTRATOR:
            raise Forbidden("this needs the role administrator")


def identify(request: Request, server: Server) -> Actor:
    """Gives who is asking. Raises Unauthenticated, and Forbidden for a browser's change without its CSRF token.

    Blocking: it reads the database.
    """
    local = request.scope.get("extensions", {}).get("certhouse.local_user")
    if local is not None:
        return Actor(name=f"local:{local}", user=None, role=ADMINISTRATOR)
    header = request.headers.get("authorization", "")
    if header[:7].lower() == "bearer ":
        user, token = user_of_token(header[7:].strip(), store=server.store, clock=server.clock)
        return Actor(name=f"{user.name}/{token.id}", user=user.name, role=user.role)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated("log in, or send an API token")
    user, session = user_of_session(cookie, store=server.store, clock=server.clock)
    if request.method not in _SAFE and not secrets.compare_digest(
        request.headers.get(CSRF_HEADER, "").encode(), session.csrf_token.encode()
    ):
        raise Forbidden(f"a change from a browser needs its {CSRF_HEADER}")
    return Actor(name=user.name, user=user.name, role=user.role, csrf_token=session.csrf_token)


def give_cookie(response: Response, logged_in: LoggedIn) -> None:
    """Hands the session to a browser: this host only, HTTPS only, out of scripts' sight, never from another site."""
    response.set_cookie(
        COOKIE,
        logged_in.cookie,
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="strict",
    )


def take_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def address_of(request: Request) -> str:
    """Gives the address that a request comes from, as the connection has it; headers are anybody's to write."""
    return request.client.host if request.client else "local"
