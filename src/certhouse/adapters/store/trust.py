"""Trust stores: what they hold, what was deleted from them, and a digest of each."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, RowMapping, delete, select

from certhouse.adapters.store.certificates import SqlCertificates
from certhouse.adapters.store.entries import SqlEntries
from certhouse.adapters.store.entry_rows import clean
from certhouse.adapters.store.statements import add_missing, batches, from_micros, micros, put
from certhouse.adapters.store.tables import tombstones, trust, trust_digests
from certhouse.model.entry import Entry, trust_key
from certhouse.model.identity import Tombstone, TrustEntry
from certhouse.vocabulary import (
    CertificateType,
    ChangeId,
    Fingerprint,
    NodeName,
    PurposeName,
    Revocation,
    Served,
    StoreName,
    Usage,
)
from certhouse.x509.facts import CertificateFacts


def entry_of_trust(item: TrustEntry, facts: CertificateFacts) -> Entry:
    return Entry(
        entry=trust_key(item.store, item.fingerprint, item.node),
        id=item.fingerprint,
        common_name=facts.common_name,
        subject=facts.subject,
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        usage=Usage.TRUST,
        purpose=None,
        store=item.store,
        node=item.node,
        type=CertificateType.SELF_SIGNED if facts.self_signed else CertificateType.CA_SIGNED,
        key_type=facts.key_type,
        key_length=facts.key_length,
        signature_algorithm=facts.signature_algorithm,
        sans=tuple(san.value for san in facts.sans),
        description=item.description,
        served=Served.UNBOUND,
        revocation=Revocation.UNCHECKED,
    )


def _entry(row: RowMapping) -> TrustEntry:
    return TrustEntry(
        store=StoreName(row["store"]),
        fingerprint=Fingerprint(row["fingerprint"]),
        node=NodeName(row["node"]) if row["node"] else None,
        description=row["description"],
        added=from_micros(row["added"]),
        change=ChangeId(row["change"]) if row["change"] else None,
        origin=PurposeName(row["origin"]) if row["origin"] else None,
    )


def _tombstone(row: RowMapping) -> Tombstone:
    return Tombstone(
        store=StoreName(row["store"]),
        fingerprint=Fingerprint(row["fingerprint"]),
        node=NodeName(row["node"]) if row["node"] else None,
        description=row["description"],
        deleted=from_micros(row["deleted"]),
        change=ChangeId(row["change"]),
    )


class SqlTrust:
    """``ports.store.Trust``."""

    def __init__(self, connection: Connection, entries: SqlEntries, certificates: SqlCertificates) -> None:
        self._connection = connection
        self._entries = entries
        self._certificates = certificates

    def add(self, entries: Iterable[TrustEntry]) -> int:
        return sum(self._add(batch) for batch in batches(entries))

    def _add(self, batch: list[TrustEntry]) -> int:
        known = self._known(batch)
        new = {(item.store, item.node or "", item.fingerprint): item for item in batch}
        new = {place: item for place, item in new.items() if place not in known}
        if not new:
            return 0
        facts = self._certificates.many(item.fingerprint for item in new.values())
        rows = [
            {
                "store": item.store,
                "node": item.node or "",
                "fingerprint": item.fingerprint,
                "description": clean(item.description),
                "added": micros(item.added),
                "change": item.change or "",
                "origin": item.origin or "",
            }
            for item in new.values()
        ]
        add_missing(self._connection, trust, rows)
        self._entries.put([entry_of_trust(item, facts[item.fingerprint]) for item in new.values()])
        for place in new:
            self._lift(*place)
        for store, node in {(store, node) for store, node, _ in new}:
            self._forget_digest(store, node)
        return len(new)

    def _known(self, batch: list[TrustEntry]) -> set[tuple[str, str, str]]:
        query = select(trust.c.store, trust.c.node, trust.c.fingerprint).where(
            trust.c.fingerprint.in_({item.fingerprint for item in batch})
        )
        return {(row[0], row[1], row[2]) for row in self._connection.execute(query)}

    def _lift(self, store: str, node: str, fingerprint: str) -> None:
        table = tombstones.c
        self._connection.execute(
            delete(tombstones).where(table.store == store, table.node == node, table.fingerprint == fingerprint)
        )

    def _forget_digest(self, store: str, node: str) -> None:
        table = trust_digests.c
        self._connection.execute(delete(trust_digests).where(table.store == store, table.node == node))

    def get(self, store: StoreName, fingerprint: Fingerprint, node: NodeName | None) -> TrustEntry | None:
        table = trust.c
        query = select(trust).where(table.store == store, table.node == (node or ""), table.fingerprint == fingerprint)
        row = self._connection.execute(query).mappings().first()
        return _entry(row) if row is not None else None

    def of_store(self, store: StoreName, node: NodeName | None) -> Sequence[TrustEntry]:
        table = trust.c
        query = select(trust).where(table.store == store, table.node == (node or "")).order_by(table.fingerprint)
        return [_entry(row) for row in self._connection.execute(query).mappings()]

    def fingerprints(self, store: StoreName, node: NodeName | None) -> Iterator[Fingerprint]:
        table = trust.c
        query = select(table.fingerprint).where(table.store == store, table.node == (node or ""))
        for row in self._connection.execute(query.order_by(table.fingerprint)):
            yield Fingerprint(row[0])

    def digest(self, store: StoreName, node: NodeName | None) -> str:
        table = trust_digests.c
        query = select(table.digest).where(table.store == store, table.node == (node or ""))
        known = self._connection.execute(query).scalar()
        if known is not None:
            return str(known)
        total = hashlib.sha256()
        for number, fingerprint in enumerate(self.fingerprints(store, node)):
            total.update(f"{chr(10) if number else ''}{fingerprint}".encode())
        return total.hexdigest()

    def remember_digest(self, store: StoreName, node: NodeName | None) -> None:
        put(self._connection, trust_digests, {"store": store, "node": node or "", "digest": self.digest(store, node)})

    def stores_with(self, fingerprint: Fingerprint) -> Sequence[TrustEntry]:
        query = select(trust).where(trust.c.fingerprint == fingerprint).order_by(trust.c.store, trust.c.node)
        return [_entry(row) for row in self._connection.execute(query).mappings()]

    def remove(self, tombstone: Tombstone) -> None:
        table = trust.c
        node = tombstone.node or ""
        self._connection.execute(
            delete(trust).where(
                table.store == tombstone.store, table.node == node, table.fingerprint == tombstone.fingerprint
            )
        )
        self._entries.remove(trust_key(tombstone.store, tombstone.fingerprint, tombstone.node))
        self._forget_digest(tombstone.store, node)
        row = {
            "store": tombstone.store,
            "node": node,
            "fingerprint": tombstone.fingerprint,
            "description": clean(tombstone.description),
            "deleted": micros(tombstone.deleted),
            "change": tombstone.change,
        }
        put(self._connection, tombstones, row)

    def tombstone(self, store: StoreName, fingerprint: Fingerprint, node: NodeName | None) -> Tombstone | None:
        table = tombstones.c
        query = select(tombstones).where(
            table.store == store, table.node == (node or ""), table.fingerprint == fingerprint
        )
        row = self._connection.execute(query).mappings().first()
        return _tombstone(row) if row is not None else None

    def tombstones(self, store: StoreName) -> Sequence[Tombstone]:
        query = select(tombstones).where(tombstones.c.store == store).order_by(tombstones.c.deleted.desc())
        return [_tombstone(row) for row in self._connection.execute(query).mappings()]
