"""Headers that protect, and limits that hold before anything is read."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from certhouse.http.problems import problem_document

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "Cache-Control": "no-store",
}


class Protection:
    """ASGI middleware: unknown hosts and oversized bodies are refused, and every answer carries the headers."""

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
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]").lower()
        local = "certhouse.local_user" in scope.get("extensions", {})
        if self._hosts and not local and host not in self._hosts:
            answer = problem_document(421, "Misdirected", "this server is not for that host name", "host")
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
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, receive_limited, send_protected)
