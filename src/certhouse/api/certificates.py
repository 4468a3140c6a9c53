"""Show, find, download, upload, regenerate; CSRs."""

import base64
import binascii
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from certhouse.api.asking import (
    Administrator,
    Body,
    DryRun,
    Reader,
    ServerPart,
    Wait,
    answer,
    change_answer,
    etag,
    must_match,
    once,
)
from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.entry import Condition, ListQuery
from certhouse.operations.describe_certificate import describe_certificate
from certhouse.operations.download_certificate import (
    Download,
    download_certificate,
    download_csr,
    list_csrs,
    show_csr,
)
from certhouse.operations.find_certificates import export_certificates, find_certificates, parse_condition
from certhouse.operations.generate_csr import GenerateCsr, generate_csr
from certhouse.operations.generate_self_signed import (
    GenerateSelfSigned,
    RegenerateCertificate,
    generate_self_signed,
    regenerate_certificate,
)
from certhouse.operations.show_certificate import show_certificate
from certhouse.operations.upload_certificate import UploadCertificate, upload_certificate
from certhouse.vocabulary import Distribution, EntryKey, Field, NodeName, Operator, PurposeName, Usage
from certhouse.wiring.server import Server
from certhouse.x509.inspect import inspect

router = APIRouter(tags=["certificates"])

Where = Annotated[list[str] | None, Query(description="FIELD OP VALUE; several hold together", max_length=2000)]
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
    for text in (where or [])[:50]:
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


@router.get("/certificates/export")
def export(
    server: ServerPart,
    actor: Reader,
    where: Where = None,
    usage: Usage | None = None,
    node: Node = None,
    sort: Field = Field.COMMON_NAME,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "asc",
) -> Response:
    """Every match as lines of JSON."""
    query = list_query(server, where, usage, node, sort, order, 1000, None)
    return StreamingResponse(export_certificates(query, store=server.store), media_type="application/x-ndjson")


class UploadFile(Body):
    name: str = ""
    content: str


class Upload(Body):
    """``files`` hold base64; ``text`` is pasted PEM; ``key`` is PEM or base64."""

    target: str
    node: str | None = None
    files: list[UploadFile] = []
    text: str = ""
    key: str | None = None
    password: str | None = None
    description: str = ""
    restart: bool = False


def unpack(text: str, what: str) -> bytes:
    """Gives what base64 holds. Raises Refused."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(
            Fault(code="base64", detail=f"{what} is not base64", remedy="encode the file's bytes as base64")
        ) from error


@router.post("/certificates")
async def upload(
    request: Request, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Upload a certificate or chain to a purpose or a trust store, as JSON or as a form with files."""
    import asyncio

    content_type = request.headers.get("content-type", "")
    raw = await request.body()
    if content_type.startswith("multipart/form-data"):
        form = await request.form(max_files=32, max_fields=32)
        files = tuple([await item.read() for item in form.getlist("files") if not isinstance(item, str)])
        key_item = form.get("key")
        key = (await key_item.read() if not isinstance(key_item, str) else key_item.encode()) if key_item else None
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        wish = Upload.model_validate(
            {
                name: value
                for name, value in fields.items()
                if name in ("target", "node", "text", "password", "description", "restart")
            }
        )
    else:
        wish = Upload.model_validate_json(raw)
        files = tuple(unpack(item.content, item.name or "a file") for item in wish.files)
        key = None
        if wish.key:
            key = wish.key.encode() if "-----BEGIN" in wish.key else unpack(wish.key, "the key")
    if wish.text:
        files = (*files, wish.text.encode())
    command = UploadCertificate(
        target=wish.target,
        node=NodeName(wish.node) if wish.node else None,
        files=files,
        key=key,
        password=wish.password.encode() if wish.password else None,
        description=wish.description,
        restart=wish.restart,
    )

    def act() -> Response:
        change = upload_certificate(
            command,
            store=server.store,
            clock=server.clock,
            ids=server.ids,
            bell=server.bell,
            seal=server.seal,
            actor=actor.name,
            dry_run=dry_run,
        )
        return change_answer(server, change, wait)

    return await asyncio.to_thread(once, request, server, actor, raw, act)


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
    return answer({**entry, **body}, headers={"ETag": etag(details.entry)})


@router.get("/certificates/{identifier}/download")
def download(
    identifier: Identifier, server: ServerPart, actor: Reader, format: str = "pem", node: Node = None
) -> Response:
    """The certificate as pem, der, or with its chain as p7b."""
    return download_answer(
        download_certificate(identifier, format=format, store=server.store, node=NodeName(node) if node else None)
    )


class Description(Body):
    description: str


@router.patch("/entries/{entry:path}")
def describe(
    entry: Identifier, body: Description, request: Request, server: ServerPart, actor: Administrator
) -> Response:
    """Edit the description of an entry."""
    with server.store.read() as tx:
        present = tx.entries.get(EntryKey(entry))
    if present is None:
        raise NotFound(f"there is no entry {entry}")
    must_match(request, present)
    edited = describe_certificate(
        EntryKey(entry), body.description, store=server.store, clock=server.clock, actor=actor.name
    )
    return answer(edited, headers={"ETag": etag(edited)})


class Regenerate(Body):
    node: str | None = None
    restart: bool = False


@router.post("/identities/{purpose}/regenerate")
def regenerate(
    purpose: Identifier,
    body: Regenerate,
    server: ServerPart,
    actor: Administrator,
    dry_run: DryRun = False,
    wait: Wait = 30,
) -> Response:
    """Replace an identity by a self-signed one with a key of the same type and length."""
    command = RegenerateCertificate(
        purpose=PurposeName(purpose), node=NodeName(body.node) if body.node else None, restart=body.restart
    )
    change = regenerate_certificate(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(server, change, wait)


class SelfSign(Body):
    node: str | None = None
    common_name: str | None = None
    sans: list[str] = []
    parent_domain: bool = False
    subject: dict[str, str] = {}
    include_ou: bool = False
    key_length: int | None = None
    hash: str | None = None
    days: int | None = None
    restart: bool = False


@router.post("/identities/{purpose}/self-sign")
def self_sign(
    purpose: Identifier,
    body: SelfSign,
    server: ServerPart,
    actor: Administrator,
    dry_run: DryRun = False,
    wait: Wait = 30,
) -> Response:
    """Replace an identity by a self-signed one of your choice."""
    command = GenerateSelfSigned(
        purpose=PurposeName(purpose),
        node=NodeName(body.node) if body.node else None,
        common_name=body.common_name,
        sans=tuple(body.sans),
        parent_domain=body.parent_domain,
        subject=body.subject,
        include_ou=body.include_ou,
        key_length=body.key_length,
        hash=body.hash,
        days=body.days,
        restart=body.restart,
    )
    change = generate_self_signed(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(server, change, wait)


class Csr(Body):
    purpose: str
    node: str | None = None
    distribution: Distribution = Distribution.NODE
    common_name: str | None = None
    sans: list[str] = []
    parent_domain: bool = True
    subject: dict[str, str] = {}
    include_ou: bool = False
    key_length: int | None = None
    hash: str | None = None


@router.get("/csrs")
def csrs(server: ServerPart, actor: Reader, replaced: bool = False) -> Response:
    """The CSRs that wait for a certificate."""
    items = list_csrs(store=server.store, replaced=replaced)
    return answer({"items": items, "next": None, "total": len(items)})


@router.post("/csrs")
def create_csr(
    body: Csr, request: Request, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Generate a CSR; the node makes the key. Answers with the change; the CSR is at /csrs/{purpose} when it is done."""
    command = GenerateCsr(
        purpose=PurposeName(body.purpose),
        node=NodeName(body.node) if body.node else None,
        distribution=body.distribution,
        common_name=body.common_name,
        sans=tuple(body.sans),
        parent_domain=body.parent_domain,
        subject=body.subject,
        include_ou=body.include_ou,
        key_length=body.key_length,
        hash=body.hash,
    )

    def act() -> Response:
        change = generate_csr(
            command,
            store=server.store,
            clock=server.clock,
            ids=server.ids,
            bell=server.bell,
            actor=actor.name,
            dry_run=dry_run,
        )
        return change_answer(server, change, wait)

    return once(request, server, actor, body.model_dump_json().encode(), act)


@router.get("/csrs/{purpose}")
def csr(purpose: Identifier, server: ServerPart, actor: Reader, node: Node = None) -> Response:
    """The CSR that waits for a purpose."""
    return answer(show_csr(PurposeName(purpose), store=server.store, node=NodeName(node) if node else None))


@router.get("/csrs/{purpose}/download")
def csr_download(
    purpose: Identifier, server: ServerPart, actor: Reader, format: str = "pem", node: Node = None
) -> Response:
    """The CSR as pem or der."""
    return download_answer(
        download_csr(PurposeName(purpose), format=format, store=server.store, node=NodeName(node) if node else None)
    )
