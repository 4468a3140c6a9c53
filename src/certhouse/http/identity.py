"""Who is asking: a browser's session, a script's token, or a user of this machine through the local socket."""

import secrets
from dataclasses import dataclass

from starlette.requests import Request

from certhouse.errors import Forbidden, Unauthenticated
from certhouse.operations.accounts import ADMINISTRATOR, user_of_session, user_of_token
from certhouse.wiring.server import Server

COOKIE = "__Host-certhouse"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """``name`` is what the audit trail shows. ``csrf_token`` and ``cookie`` are a browser's only."""

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
        user = user_of_token(header[7:].strip(), store=server.store, clock=server.clock)
        return Actor(name=user.name, user=user.name, role=user.role)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated("log in, or send an API token")
    user, session = user_of_session(cookie, store=server.store, clock=server.clock)
    if request.method not in _SAFE and not secrets.compare_digest(
        request.headers.get(CSRF_HEADER, "").encode(), session.csrf_token.encode()
    ):
        raise Forbidden(f"a change from a browser needs its {CSRF_HEADER}")
    return Actor(name=user.name, user=user.name, role=user.role, csrf_token=session.csrf_token)
