"""The application: routers, protection, errors."""

import threading
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from certhouse import __version__
from certhouse.api import accounts, certificates, health, identities, operation, trust, uploads
from certhouse.api.asking import LoggedInRoute, Reader, answer
from certhouse.api.exporting import MOST_EXPORTS
from certhouse.errors import CerthouseError
from certhouse.http.gate import Gate
from certhouse.http.problems import problem, problem_document
from certhouse.http.protection import Protection
from certhouse.wiring.server import Server

LARGEST_REQUEST = 2 << 20
"""Bytes: an upload of 1 MiB as base64, and what is around it."""

LARGEST_BULK = 24 << 20

_PROBLEM: dict[str, Any] = {
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "faults"],
                "properties": {
                    **{name: {"type": "string"} for name in ("type", "title", "detail")},
                    "status": {"type": "integer"},
                    "faults": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["code", "detail", "found", "expected", "remedy"],
                            "properties": {
                                name: {"type": "string"} for name in ("code", "detail", "found", "expected", "remedy")
                            },
                        },
                    },
                },
            }
        }
    }
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, **_PROBLEM}
    for status, text in {
        400: "Not readable",
        401: "Log in first",
        403: "Not allowed",
        404: "Not found",
        409: "The state has moved on",
        413: "Too large",
        422: "Refused, with every fault",
        429: "Come back later",
        503: "Another part does not answer",
    }.items()
}

log = structlog.get_logger("certhouse.api")


def create_app(server: Server, hosts: frozenset[str] = frozenset()) -> FastAPI:
    """Gives the application. ``hosts`` are the names it answers to; none means any."""
    app = FastAPI(
        title="Certhouse",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        responses=_PROBLEMS,
    )
    app.state.server = server
    app.state.gate = Gate()
    app.state.exports = threading.BoundedSemaphore(MOST_EXPORTS)
    document = APIRouter(route_class=LoggedInRoute)

    @document.get("/openapi.json", include_in_schema=False)
    def openapi(actor: Reader) -> Response:
        return answer(app.openapi())

    for router in (health.public, health.router):
        app.include_router(router)
    for router in (
        accounts.public,
        accounts.router,
        uploads.router,
        certificates.router,
        identities.router,
        trust.router,
        operation.router,
        document,
    ):
        app.include_router(router, prefix="/api/v1")
    app.add_exception_handler(CerthouseError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)
    app.add_middleware(
        Protection, hosts=hosts, largest=LARGEST_REQUEST, largest_bulk=LARGEST_BULK, bulk_suffix="/import"
    )
    return app


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, CerthouseError):
        return await _unforeseen(request, error)
    return problem(error)


async def _invalid(request: Request, error: Exception) -> Response:
    """Names what is wrong in a request, and never repeats its values: one of them may be a password."""
    found = error.errors() if isinstance(error, RequestValidationError | ValidationError) else []
    faults = [
        {
            "code": "request",
            "detail": f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}",
            "found": "",
            "expected": "",
            "remedy": "see /api/v1/openapi.json",
        }
        for item in found
    ]
    return problem_document(422, "Refused", "the request does not fit", "request", faults=faults)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    title = {400: "Not readable", 404: "Not found", 405: "Method not allowed", 413: "Too large"}.get(status, "Refused")
    return problem_document(
        status, title, f"{request.method} {request.url.path}: {title.lower()}", "http", headers=headers
    )


async def _unforeseen(request: Request, error: Exception) -> Response:
    """The last resort: the log names the place, the answer nothing."""
    log.error("unforeseen", path=request.url.path, error=type(error).__name__, exc_info=error)
    return problem_document(500, "Error", "something unforeseen went wrong; the log of the server has it", "unforeseen")
