"""One certificate with all there is to know of it, and the texts of it to take away (manual, Show, Download)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from certhouse.errors import Conflict, Fault, NotFound, Refused
from certhouse.model.entry import Entry, identity_key
from certhouse.model.identity import IdentityVersion
from certhouse.operations.surroundings import look_around
from certhouse.operations.trust_stores import members
from certhouse.policy.plan import Surroundings
from certhouse.ports.store import Store, Transaction
from certhouse.vocabulary import (
    CertificateType,
    ChangeId,
    EntryKey,
    Fingerprint,
    NodeName,
    PurposeName,
    ServiceName,
    Usage,
)
from certhouse.x509.describe import Extension, describe_extensions, describe_tags
from certhouse.x509.export import to_pem
from certhouse.x509.facts import CertificateFacts
from certhouse.x509.path import build_chain, missing_issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One certificate of the chain, leaf first."""

    id: Fingerprint
    common_name: str
    subject: str
    not_after: datetime
    self_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    number: int
    id: Fingerprint
    type: CertificateType
    created: datetime
    change: ChangeId
    description: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDetails:
    """An entry with its certificate opened. ``tags`` has one set of display names per key (until 14SU1, from 14SU2).

    ``missing_issuer`` names the CA at which the chain breaks; it is None for a chain that ends in a root.
    """

    entry: Entry
    pem: str
    tags: Mapping[str, Mapping[str, str]]
    extensions: tuple[Extension, ...]
    fingerprints: Mapping[str, str]
    chain: tuple[ChainLink, ...]
    missing_issuer: str | None
    services: tuple[ServiceName, ...]
    versions: tuple[VersionView, ...]
    also_in: tuple[EntryKey, ...]


def find_entry(tx: Transaction, id_or_purpose: str, node: NodeName | None) -> Entry:
    """Gives the entry that a fingerprint, an entry's key or a purpose names.

    Raises NotFound, and Conflict when several entries fit and ``node`` does not choose between them.
    """
    surroundings = look_around(tx)
    direct = tx.entries.get(EntryKey(id_or_purpose))
    if direct is not None:
        return direct
    if id_or_purpose in surroundings.catalog.purposes:
        wanted = node or (surroundings.nodes[0].name if len(surroundings.nodes) == 1 else None)
        found = [
            entry
            for keeper in surroundings.nodes
            if wanted is None or keeper.name == wanted
            if (entry := tx.entries.get(identity_key(PurposeName(id_or_purpose), keeper.name))) is not None
        ]
    else:
        found = [
            entry
            for entry in tx.entries.with_certificate(Fingerprint(id_or_purpose.lower().replace(":", "")))
            if node is None or entry.node in (None, node)
        ]
    if not found:
        where = f" on {node}" if node else ""
        raise NotFound(f"there is no certificate {id_or_purpose}{where}; `certhouse cert list` shows what there is")
    # The same certificate as identity and in its own trust store is one certificate: the identity speaks for it.
    identities = [entry for entry in found if entry.usage is Usage.IDENTITY] or found
    nodes = {entry.node for entry in identities}
    if len(nodes) > 1:
        raise Conflict(
            Fault(
                code="several-nodes",
                detail=f"{id_or_purpose} is on several nodes",
                found=", ".join(str(name) for name in nodes if name),
                expected="one node",
                remedy="name it with --node",
            )
        )
    return identities[0]


def show_certificate(id_or_purpose: str, *, store: Store, node: NodeName | None = None) -> CertificateDetails:
    """Gives all there is to know. For a purpose that has only a CSR ``pem`` is the CSR. Raises NotFound, Conflict."""
    with store.read() as tx:
        entry = find_entry(tx, id_or_purpose, node)
        surroundings = look_around(tx)
        facts = tx.certificates.get(entry.id) if entry.id else None
        if entry.id is None or facts is None:
            raise Refused(
                Fault(
                    code="csr-only",
                    detail=f"{entry.entry} has a CSR and no certificate yet",
                    remedy=f"`certhouse csr show {entry.purpose}` shows the CSR",
                )
            )
        chain = chain_of(tx, surroundings, entry, facts)
        versions: Sequence[IdentityVersion] = ()
        if entry.usage is Usage.IDENTITY and entry.purpose and entry.node:
            versions = tx.identities.versions(entry.node, entry.purpose)
        return CertificateDetails(
            entry=entry,
            pem=to_pem(facts.der).decode(),
            tags={name: describe_tags(facts, tags) for name, tags in surroundings.catalog.display_tags.items()},
            extensions=describe_extensions(facts),
            fingerprints=facts.fingerprints(),
            chain=tuple(
                ChainLink(
                    id=link.fingerprint,
                    common_name=link.common_name,
                    subject=link.subject,
                    not_after=link.not_after,
                    self_signed=link.self_signed,
                )
                for link in chain
            ),
            missing_issuer=missing_issuer(chain),
            services=_services(surroundings, entry),
            versions=tuple(
                VersionView(
                    number=version.number,
                    id=version.fingerprint,
                    type=version.type,
                    created=version.created,
                    change=version.change,
                    description=version.description,
                    current=version.current,
                )
                for version in versions
            ),
            also_in=tuple(other.entry for other in tx.entries.with_certificate(entry.id) if other.entry != entry.entry),
        )


def chain_of(
    tx: Transaction, surroundings: Surroundings, entry: Entry, facts: CertificateFacts
) -> tuple[CertificateFacts, ...]:
    """Gives the chain of an entry, leaf first, from its own version, its trust store and whatever else is known."""
    candidates: list[CertificateFacts] = []
    if entry.purpose and entry.node:
        version = tx.identities.current(entry.node, entry.purpose)
        if version is not None:
            candidates.extend(tx.certificates.many(version.chain).values())
    row = surroundings.catalog.purposes.get(entry.purpose) if entry.purpose else None
    store = entry.store or (row.store if row else None)
    if store is not None and store in surroundings.catalog.stores and len(candidates) == 0:
        node = next((item for item in surroundings.nodes if item.name == entry.node), None)
        if not facts.self_signed:
            candidates.extend(_issuers(tx, facts))
            candidates.extend(members(tx, surroundings, store, node) if not candidates else ())
    return build_chain(facts, candidates)


def _issuers(tx: Transaction, facts: CertificateFacts) -> list[CertificateFacts]:
    """Gives the certificates that could be above ``facts``, by name, level by level; names that recur end it."""
    found: dict[Fingerprint, CertificateFacts] = {}
    seen: set[str] = set()
    wanted = [facts.issuer_key]
    while wanted and len(seen) < 16:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        for issuer in tx.certificates.having_subject(name):
            found[issuer.fingerprint] = issuer
            wanted.append(issuer.issuer_key)
    return list(found.values())


def _services(surroundings: Surroundings, entry: Entry) -> tuple[ServiceName, ...]:
    target = entry.purpose or entry.store
    node = next((item for item in surroundings.nodes if item.name == entry.node), None) or (
        surroundings.nodes[0] if surroundings.nodes else None
    )
    if target is None or node is None:
        return ()
    event = "upload" if entry.usage is Usage.IDENTITY else "import"
    return surroundings.catalog.restarts(
        target, event=event, settings=surroundings.settings, role=node.role, publisher=node.publisher
    )
