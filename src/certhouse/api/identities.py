"""Regenerate and self-sign identities; certificate signing requests."""

from fastapi import APIRouter
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
from certhouse.api.certificates import Identifier, Node, download_answer
from certhouse.operations.download_certificate import (
    download_csr,
    list_csrs,
    show_csr,
)
from certhouse.operations.generate_csr import GenerateCsr, generate_csr
from certhouse.operations.generate_self_signed import (
    GenerateSelfSigned,
    RegenerateCertificate,
    generate_self_signed,
    regenerate_certificate,
)
from certhouse.vocabulary import Distribution, NodeName, PurposeName

router = APIRouter(tags=["identities"], route_class=LoggedInRoute)


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
    return change_answer(change, wait)


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
    return change_answer(change, wait)


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
    body: Csr, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
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

    change = generate_csr(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(change, wait)


@router.get("/csrs/{purpose}")
def csr(purpose: Identifier, server: ServerPart, actor: Reader, node: Node = None) -> Response:
    """The CSR that waits for a purpose."""
    return answer(show_csr(PurposeName(purpose), store=server.store, node=NodeName(node) if node else None))


@router.get(
    "/csrs/{purpose}/download",
    response_class=Response,
    responses=file("application/x-pem-file", "application/pkcs10"),
)
def csr_download(
    purpose: Identifier, server: ServerPart, actor: Reader, format: str = "pem", node: Node = None
) -> Response:
    """The CSR as pem or der."""
    return download_answer(
        download_csr(PurposeName(purpose), format=format, store=server.store, node=NodeName(node) if node else None)
    )
