"""Headers that protect, and limits that hold before anything is read."""

import ipaddress

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from certhouse.http.problems import problem_document

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "Cache-Control": "no-store",
}


class Protection:
    """ASGI middleware: unknown hosts and oversized bodies are refused, and every answer carries the headers.

    ``hosts`` are names; none means any. An address in the place of a name is always taken: rebinding a name to another
    address, which this is against, needs a name.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str], largest: int, largest_bulk: int, bulk_suffix: str
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._largest = largest
        self._largest_bulk = largest_bulk
        self._bulk_suffix = bulk_suffix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = {name.lower(): value for name, value in scope["headers"]}
        local = "certhouse.local_user" in scope.get("extensions", {})
        if not local and not self._is_for_us(headers.get(b"host", b"").decode("latin-1")):
            answer = problem_document(421, "Misdirected", "this server is not for that host name", "host")
            await answer(scope, receive, send_protected)
            return
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            answer = problem_document(400, "Not readable", "the address holds the character NUL", "nul")
            await answer(scope, receive, send_protected)
            return
        limit = self._largest_bulk if scope["path"].endswith(self._bulk_suffix) else self._largest
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > limit:
            answer = problem_document(413, "Too large", f"a request has at most {limit} bytes", "too-large")
            await answer(scope, receive, send_protected)
            return
        seen = 0

        async def receive_limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_limited, send_protected)

    def _is_for_us(self, host: str) -> bool:
        if not self._hosts:
            return True
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name.lower() in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
