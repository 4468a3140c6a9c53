"""The one place where errors become HTTP: RFC 9457 documents that carry all faults."""

import msgspec
from starlette.responses import Response

from certhouse.errors import (
    CerthouseError,
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreadable,
)

_STATUS: tuple[tuple[type[CerthouseError], int, str], ...] = (
    (Unreadable, 400, "Not readable"),
    (Conflict, 409, "Conflict"),
    (Refused, 422, "Refused"),
    (NotFound, 404, "Not found"),
    (Unauthenticated, 401, "Log in first"),
    (Forbidden, 403, "Not allowed"),
    (TooManyRequests, 429, "Too many requests"),
    (Unavailable, 503, "Unavailable"),
)


def status_of(error: CerthouseError) -> tuple[int, str]:
    return next(((status, title) for kind, status, title in _STATUS if isinstance(error, kind)), (500, "Error"))


def problem(error: CerthouseError) -> Response:
    """Gives the error's document. Its ``faults`` are all of them, each with its way out."""
    status, title = status_of(error)
    faults = error.faults if isinstance(error, Refused) else ()
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequests) else {}
    return problem_document(status, title, str(error), error.code, faults=msgspec.to_builtins(faults), headers=headers)


def problem_document(
    status: int, title: str, detail: str, code: str, *, faults: object = (), headers: dict[str, str] | None = None
) -> Response:
    body = {"type": f"urn:certhouse:{code}", "title": title, "status": status, "detail": detail, "faults": faults}
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/problem+json", headers=headers
    )
