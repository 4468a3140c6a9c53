"""Download Certificates, CSRs and whole trust stores (manual, Download Certificates; Download a CSR). Never a key."""

from dataclasses import dataclass
from datetime import datetime

from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.identity import PendingRequest
from certhouse.operations.show_certificate import chain_of, find_entry
from certhouse.operations.surroundings import look_around, node_named
from certhouse.operations.trust_stores import home_of, members
from certhouse.ports.store import Store
from certhouse.vocabulary import KeyType, NodeName, PurposeName, StoreName
from certhouse.x509.export import pem_block, to_pem, to_pkcs7, trust_pkcs12


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """``name`` is safe as a file's name."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CsrView:
    """A CSR as the public interface has it (design section 6). ``csr`` is PEM; ``sans`` are bare values."""

    purpose: PurposeName
    node: NodeName
    common_name: str
    subject: str
    sans: tuple[str, ...]
    key_type: KeyType
    key_length: int
    hash: str
    distribution: str
    csr: str
    created: datetime
    replaced: datetime | None


def _file_name(text: str, ending: str) -> str:
    safe = "".join(
        character if character.isascii() and (character.isalnum() or character in "._-") else "_" for character in text
    )
    return f"{safe.strip('._')[:100] or 'certificate'}.{ending}"


def _unknown_format(found: str, *known: str) -> Refused:
    return Refused(
        Fault(
            code="format",
            detail=f"there is no download as {found}",
            found=found,
            expected=", ".join(known),
            remedy="choose one of these",
        )
    )


def download_certificate(id_or_purpose: str, *, format: str, store: Store, node: NodeName | None = None) -> Download:
    """Gives one certificate as ``pem`` or ``der``, or with its chain as ``p7b`` (PKCS#7, DER). Raises NotFound, Refused."""
    with store.read() as tx:
        entry = find_entry(tx, id_or_purpose, node)
        facts = tx.certificates.get(entry.id) if entry.id else None
        if facts is None:
            raise Refused(
                Fault(
                    code="csr-only", detail=f"{entry.entry} has a CSR and no certificate yet", remedy="download the CSR"
                )
            )
        chain = chain_of(tx, look_around(tx), entry, facts)
    name = facts.common_name or facts.fingerprint[:16]
    match format:
        case "pem":
            return Download(
                name=_file_name(name, "pem"), media_type="application/x-pem-file", content=to_pem(facts.der)
            )
        case "der":
            return Download(name=_file_name(name, "der"), media_type="application/pkix-cert", content=facts.der)
        case "p7b":
            content = to_pkcs7([link.der for link in chain])
            return Download(
                name=_file_name(name, "p7b"), media_type="application/x-pkcs7-certificates", content=content
            )
        case _:
            raise _unknown_format(format, "pem", "der", "p7b")


def export_trust_store(
    name: StoreName, *, format: str, store: Store, node: NodeName | None = None, password: str | None = None
) -> Download:
    """Gives a whole trust store as a PEM bundle, or as PKCS#12 under ``password``. Raises NotFound, Refused."""
    with store.read() as tx:
        surroundings = look_around(tx)
        if name not in surroundings.catalog.stores:
            raise NotFound(f"there is no trust store {name}; there are: {', '.join(surroundings.catalog.stores)}")
        ders = [facts.der for facts in members(tx, surroundings, name, home_of(surroundings, name, node))]
    match format:
        case "pem":
            return Download(name=_file_name(name, "pem"), media_type="application/x-pem-file", content=to_pem(*ders))
        case "p12":
            if not password:
                raise Refused(Fault(code="password-needed", detail="PKCS#12 needs a password", remedy="give one"))
            if not ders:
                raise Refused(Fault(code="empty-store", detail=f"{name} is empty", remedy="import a certificate first"))
            content = trust_pkcs12(ders, password.encode())
            return Download(name=_file_name(name, "p12"), media_type="application/x-pkcs12", content=content)
        case _:
            raise _unknown_format(format, "pem", "p12")


def csr_view(request: PendingRequest) -> CsrView:
    return CsrView(
        purpose=request.purpose,
        node=request.node,
        common_name=request.common_name,
        subject=request.subject,
        sans=request.sans,
        key_type=request.key_type,
        key_length=request.key_length,
        hash=request.hash,
        distribution=request.distribution,
        csr=pem_block("CERTIFICATE REQUEST", request.csr).decode(),
        created=request.created,
        replaced=request.replaced,
    )


def list_csrs(*, store: Store, replaced: bool = False) -> tuple[CsrView, ...]:
    """Gives the CSRs that wait; with ``replaced`` also those whose late certificate would still find its key."""
    with store.read() as tx:
        return tuple(csr_view(request) for request in tx.requests.all(replaced=replaced))


def _waiting(purpose: PurposeName, node: NodeName | None, store: Store) -> PendingRequest:
    with store.read() as tx:
        surroundings = look_around(tx)
        keeper = node_named(surroundings.nodes, node)
        request = tx.requests.current(keeper.name, purpose)
    if request is None:
        raise NotFound(f"no CSR of {purpose} waits on {keeper.name}; `certhouse csr create {purpose}` makes one")
    return request


def show_csr(purpose: PurposeName, *, store: Store, node: NodeName | None = None) -> CsrView:
    return csr_view(_waiting(purpose, node, store))


def download_csr(purpose: PurposeName, *, format: str, store: Store, node: NodeName | None = None) -> Download:
    """Gives the CSR that waits as ``pem`` or ``der`` (manual, Download a Certificate Signing Request)."""
    request = _waiting(purpose, node, store)
    match format:
        case "pem":
            content = pem_block("CERTIFICATE REQUEST", request.csr)
            return Download(
                name=_file_name(f"{purpose}-{request.node}", "csr"),
                media_type="application/x-pem-file",
                content=content,
            )
        case "der":
            return Download(
                name=_file_name(f"{purpose}-{request.node}", "der"),
                media_type="application/pkcs10",
                content=request.csr,
            )
        case _:
            raise _unknown_format(format, "pem", "der")
