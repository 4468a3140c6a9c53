"""Show, find, export, download, describe and inspect."""

import base64
import binascii
from itertools import chain
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response, StreamingResponse

from certhouse.api.asking import (
    Administrator,
    Body,
    LoggedInRoute,
    Reader,
    ServerPart,
    answer,
    editing,
    etag,
    file,
)
from certhouse.api.exporting import as_csv, limited
from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.entry import Condition, Entry, ListQuery
from certhouse.operations.describe_certificate import describe_certificate
from certhouse.operations.download_certificate import (
    Download,
    download_certificate,
)
from certhouse.operations.find_certificates import export_certificates, find_certificates, parse_condition
from certhouse.operations.show_certificate import show_certificate
from certhouse.vocabulary import EntryKey, Field, NodeName, Operator, Usage
from certhouse.wiring.server import Server
from certhouse.x509.inspect import inspect

router = APIRouter(tags=["certificates"], route_class=LoggedInRoute)

Where = Annotated[
    list[Annotated[str, StringConstraints(max_length=500)]] | None,
    Query(description="FIELD OP VALUE; several hold together", max_length=20),
]
Node = Annotated[str | None, Query(max_length=253)]
Identifier = Annotated[str, Path(max_length=400)]


def list_query(
    server: Server,
    where: list[str] | None,
    usage: Usage | None,
    node: str | None,
    sort: Field,
    order: str,
    limit: int,
    cursor: str | None,
    extra: tuple[Condition, ...] = (),
) -> ListQuery:
    """Gives the query of a list's parameters. Raises Refused with the faults of every filter."""
    conditions: list[Condition] = list(extra)
    faults: list[Fault] = []
    for text in where or ():
        try:
            conditions.append(parse_condition(text))
        except Refused as error:
            faults.extend(error.faults)
    if faults:
        raise Refused(faults)
    if usage is not None:
        conditions.append(Condition(field=Field.USAGE, operator=Operator.IS, value=usage))
    if node is not None:
        conditions.append(Condition(field=Field.NODE, operator=Operator.IS, value=node))
    return ListQuery(
        conditions=tuple(conditions),
        sort=sort,
        descending=order == "desc",
        limit=limit,
        cursor=cursor,
        now=server.clock.now(),
    )


def page_answer(server: Server, query: ListQuery) -> Response:
    page = find_certificates(query, store=server.store)
    body: dict[str, Any] = {"items": page.items, "next": page.next}
    body["total" if page.total is not None else "total_at_least"] = (
        page.total if page.total is not None else page.total_at_least
    )
    return answer(body)


def download_answer(download: Download) -> Response:
    return Response(
        download.content,
        media_type=download.media_type,
        headers={"Content-Disposition": f'attachment; filename="{download.name}"'},
    )


def unpack(text: str, what: str) -> bytes:
    """Gives what base64 holds. Raises Refused."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(
            Fault(code="base64", detail=f"{what} is not base64", remedy="encode the file's bytes as base64")
        ) from error


@router.get("/certificates")
def find(
    server: ServerPart,
    actor: Reader,
    where: Where = None,
    usage: Usage | None = None,
    node: Node = None,
    sort: Field = Field.COMMON_NAME,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "asc",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
) -> Response:
    """The certificate list: filtered, sorted, in pages."""
    return page_answer(server, list_query(server, where, usage, node, sort, order, limit, cursor))


@router.get("/certificates/export", response_class=Response, responses=file("application/x-ndjson", "text/csv"))
def export(
    request: Request,
    server: ServerPart,
    actor: Reader,
    where: Where = None,
    usage: Usage | None = None,
    node: Node = None,
    sort: Field = Field.COMMON_NAME,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "asc",
    format: Annotated[str, Query(pattern="^(ndjson|csv)$")] = "ndjson",
) -> Response:
    """Every match, as lines of JSON or as CSV."""
    query = list_query(server, where, usage, node, sort, order, 1000, None)
    blocks = limited(export_certificates(query, store=server.store), request.app.state.exports)
    # The first block is read before the answer begins, so that whatever is wrong still becomes an error's document.
    whole = chain((next(blocks, b""),), blocks)
    if format == "csv":
        return StreamingResponse(
            as_csv(whole),
            media_type="text/csv",
            headers={"Content-Disposition": 'attachment; filename="certificates.csv"'},
        )
    return StreamingResponse(whole, media_type="application/x-ndjson")


class Inspect(Body):
    content: str


@router.post("/certificates/inspect")
def inspect_file(body: Inspect, actor: Reader) -> Response:
    """What a file holds, without trusting it."""
    return answer(inspect(unpack(body.content, "the content")))


@router.get("/certificates/{identifier}")
def show(identifier: Identifier, server: ServerPart, actor: Reader, node: Node = None) -> Response:
    """One certificate, by fingerprint, entry key or purpose."""
    details = show_certificate(identifier, store=server.store, node=NodeName(node) if node else None)
    body = msgspec.to_builtins(details)
    entry = body.pop("entry")
    return answer({**entry, **body}, headers={"ETag": etag(_editable(details.entry))})


@router.get(
    "/certificates/{identifier}/download",
    response_class=Response,
    responses=file("application/x-pem-file", "application/pkix-cert", "application/x-pkcs7-certificates"),
)
def download(
    identifier: Identifier, server: ServerPart, actor: Reader, format: str = "pem", node: Node = None
) -> Response:
    """The certificate as pem, der, or with its chain as p7b."""
    return download_answer(
        download_certificate(identifier, format=format, store=server.store, node=NodeName(node) if node else None)
    )


class Description(Body):
    description: str


def _editable(entry: Entry | None) -> tuple[str, ...]:
    """Gives what an entry's ETag covers: what a node reports meanwhile is no reason to refuse an edit."""
    return (entry.entry, entry.id or "", entry.description) if entry else ()


@router.patch("/entries/{entry:path}")
def describe(
    entry: Identifier, body: Description, request: Request, server: ServerPart, actor: Administrator
) -> Response:
    """Edit the description of an entry."""
    key = EntryKey(entry)

    def present() -> tuple[str, ...]:
        with server.store.read() as tx:
            return _editable(tx.entries.get(key))

    if not present():
        raise NotFound(f"there is no entry {entry}")
    with editing(request, server, entry, present):
        edited = describe_certificate(key, body.description, store=server.store, clock=server.clock, actor=actor.name)
    return answer(edited, headers={"ETag": etag(_editable(edited))})
