"""Trust stores: list, import, export, delete, restore."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from certhouse.api.asking import (
    Administrator,
    Body,
    DryRun,
    LoggedInRoute,
    Reader,
    ServerPart,
    Wait,
    answer,
    change_answer,
    file,
)
from certhouse.api.certificates import Identifier, Node, Where, download_answer, list_query, page_answer, unpack
from certhouse.errors import NotFound
from certhouse.model.entry import Condition
from certhouse.operations.catalogs import show_catalog
from certhouse.operations.delete_trust_certificate import (
    DeleteTrustCertificate,
    RestoreTrustCertificate,
    delete_trust_certificate,
    restore_trust_certificate,
)
from certhouse.operations.download_certificate import export_trust_store
from certhouse.operations.import_trust import ImportTrust, import_trust
from certhouse.vocabulary import Field, Fingerprint, NodeName, Operator, StoreName, Usage

router = APIRouter(prefix="/trust", tags=["trust"], route_class=LoggedInRoute)
StorePath = Annotated[str, Path(max_length=64)]


@router.get("")
def stores(server: ServerPart, actor: Reader) -> Response:
    """The trust stores and how they replicate."""
    items = [
        {
            "name": row.name,
            "roles": row.roles,
            "replicates_on_import": row.replicates_on_import,
            "deletes_everywhere": row.deletes_everywhere,
            "also_copied_to": row.also_copied_to,
            "description": row.description,
        }
        for row in show_catalog(store=server.store).stores.values()
    ]
    return answer({"items": items, "next": None, "total": len(items)})


@router.get("/{name}")
def members(
    name: StorePath,
    server: ServerPart,
    actor: Reader,
    where: Where = None,
    node: Node = None,
    sort: Field = Field.COMMON_NAME,
    order: Annotated[str, Query(pattern="^(asc|desc)$")] = "asc",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
) -> Response:
    """What a trust store holds."""
    if name not in show_catalog(store=server.store).stores:
        raise NotFound(f"there is no trust store {name}")
    mine = (Condition(field=Field.STORE, operator=Operator.IS, value=name),)
    return page_answer(server, list_query(server, where, Usage.TRUST, node, sort, order, limit, cursor, mine))


class Import(Body):
    """``content`` is base64 of a PEM or PKCS#7 bundle with at most 1,000 certificates."""

    content: str
    node: str | None = None
    description: str = ""


@router.post("/{name}/import")
def bulk_import(
    name: StorePath, body: Import, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Import a batch of certificates."""
    command = ImportTrust(
        store=StoreName(name),
        files=(unpack(body.content, "the content"),),
        node=NodeName(body.node) if body.node else None,
        description=body.description,
    )
    change = import_trust(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(change, wait)


@router.get("/{name}/export", response_class=Response, responses=file("application/x-pem-file"))
def export_pem(name: StorePath, server: ServerPart, actor: Reader, node: Node = None) -> Response:
    """The whole store as a PEM bundle."""
    wanted = NodeName(node) if node else None
    return download_answer(export_trust_store(StoreName(name), format="pem", store=server.store, node=wanted))


class Export(Body):
    format: str = "p12"
    password: str
    node: str | None = None


@router.post(
    "/{name}/export", response_class=Response, responses=file("application/x-pem-file", "application/x-pkcs12")
)
def export_p12(name: StorePath, body: Export, server: ServerPart, actor: Reader) -> Response:
    """The whole store as PKCS#12; the password travels in the body, never in the address."""
    return download_answer(
        export_trust_store(
            StoreName(name),
            format=body.format,
            store=server.store,
            node=NodeName(body.node) if body.node else None,
            password=body.password,
        )
    )


@router.delete("/{name}/{identifier}")
def delete(
    name: StorePath,
    identifier: Identifier,
    server: ServerPart,
    actor: Administrator,
    node: Node = None,
    dry_run: DryRun = False,
    wait: Wait = 30,
) -> Response:
    """Delete a trust certificate; with dry_run, what would stop validating."""
    command = DeleteTrustCertificate(
        store=StoreName(name), fingerprint=Fingerprint(identifier.lower()), node=NodeName(node) if node else None
    )
    change = delete_trust_certificate(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(change, wait)


@router.post("/{name}/{identifier}/restore")
def restore(
    name: StorePath,
    identifier: Identifier,
    server: ServerPart,
    actor: Administrator,
    node: Node = None,
    dry_run: DryRun = False,
    wait: Wait = 30,
) -> Response:
    """Bring a deleted trust certificate back, byte for byte."""
    command = RestoreTrustCertificate(
        store=StoreName(name), fingerprint=Fingerprint(identifier.lower()), node=NodeName(node) if node else None
    )
    change = restore_trust_certificate(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(change, wait)
