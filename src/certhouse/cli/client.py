"""Talks to Certhouse: over the data directory's local socket, or over HTTPS with a token (CERTHOUSE_URL, CERTHOUSE_TOKEN)."""

import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from certhouse.errors import CerthouseError, Fault, Refused, Unavailable

_SECONDS = 120.0


class Problem(Refused):
    """The server's answer to a request that it did not do; ``document`` is RFC 9457's."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        faults = [
            Fault(**{name: str(item.get(name, "")) for name in ("code", "detail", "found", "expected", "remedy")})
            for item in document.get("faults") or ()
        ]
        super().__init__(faults or [Fault(code="refused", detail=str(document.get("detail", "the server refused")))])


class _LocalConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def quoted(part: str) -> str:
    """Gives a part of a path, safe in an address."""
    return quote(part, safe="")


def data_directory() -> Path:
    default = "/var/lib/certhouse" if os.geteuid() == 0 else "~/.local/share/certhouse"
    return Path(os.environ.get("CERTHOUSE_DATA") or default).expanduser().absolute()


class Client:
    """One connection, opened at the first request. Raises Problem, Unavailable."""

    def __init__(self) -> None:
        self._url = os.environ.get("CERTHOUSE_URL", "")
        self._token = self._read_token()

    @staticmethod
    def _read_token() -> str:
        if file := os.environ.get("CERTHOUSE_TOKEN_FILE"):
            return Path(file).read_text().strip()
        return os.environ.get("CERTHOUSE_TOKEN", "")

    def _connection(self) -> http.client.HTTPConnection:
        if not self._url:
            return _LocalConnection(data_directory() / "run" / "api.sock")
        address = urlsplit(self._url)
        if address.scheme != "https" or not address.hostname:
            raise Unavailable("CERTHOUSE_URL takes https://HOST:PORT")
        context = ssl.create_default_context(cafile=os.environ.get("CERTHOUSE_CA") or None)
        return http.client.HTTPSConnection(address.hostname, address.port or 8443, timeout=_SECONDS, context=context)

    def _open(
        self, method: str, path: str, query: list[tuple[str, str]], body: Any
    ) -> tuple[Any, http.client.HTTPConnection]:
        target = f"/api/v1{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        payload = None
        if body is not None:
            payload, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = self._connection()
        try:
            connection.request(method, target, payload, headers)
            return connection.getresponse(), connection
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(
                f"the server's certificate is not trusted: {error.verify_message}; name its CA with CERTHOUSE_CA=FILE"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(self._away(error)) from error

    def _away(self, error: Exception) -> str:
        if self._url:
            return f"{self._url} does not answer ({type(error).__name__}); check CERTHOUSE_URL and that Certhouse runs there"
        return (
            f"no Certhouse answers on {data_directory()}; start it with `certhouse up`, "
            "or name its data directory with CERTHOUSE_DATA, or its address with CERTHOUSE_URL and CERTHOUSE_TOKEN"
        )

    def fetch(self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: Any = None) -> bytes:
        response, connection = self._open(method, path, query or [], body)
        try:
            content: bytes = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(self._away(error)) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise _problem(response.status, content)
        return content

    def lines(self, path: str, query: list[tuple[str, str]]) -> Iterator[bytes]:
        """Gives a stream's blocks as they come."""
        response, connection = self._open("GET", path, query, None)
        try:
            if response.status >= 400:
                raise _problem(response.status, response.read())
            while block := response.read(65_536):
                yield block
        finally:
            connection.close()

    def get(self, path: str, query: list[tuple[str, str]] | None = None) -> Any:
        return json.loads(self.fetch("GET", path, query))

    def send(self, method: str, path: str, body: Any = None, query: list[tuple[str, str]] | None = None) -> Any:
        content = self.fetch(method, path, query, body)
        return json.loads(content) if content else {}


def _problem(status: int, content: bytes) -> CerthouseError:
    try:
        document = json.loads(content)
    except ValueError:
        document = {"status": status, "detail": f"the server answered {status}"}
    return Problem(document if isinstance(document, dict) else {"status": status})


def stdin_is_terminal() -> bool:
    return sys.stdin.isatty()
