"""Identities with their versions, and CSRs that wait; both keep their row of the list true."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, select, update

from certhouse.adapters.store.certificates import SqlCertificates
from certhouse.adapters.store.entries import SqlEntries
from certhouse.adapters.store.entry_rows import clean
from certhouse.adapters.store.statements import add_missing, from_micros, micros
from certhouse.adapters.store.tables import identity_versions, requests
from certhouse.model.entry import Entry, identity_key
from certhouse.model.identity import IdentityVersion, PendingRequest
from certhouse.vocabulary import (
    CertificateType,
    ChangeId,
    Distribution,
    Fingerprint,
    KeyId,
    KeyType,
    NodeName,
    PurposeName,
    Revocation,
    Served,
    Usage,
)
from certhouse.x509.facts import CertificateFacts


def entry_of_version(version: IdentityVersion, facts: CertificateFacts, *, csr_pending: bool) -> Entry:
    return Entry(
        entry=identity_key(version.purpose, version.node),
        id=facts.fingerprint,
        common_name=facts.common_name,
        subject=facts.subject,
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        usage=Usage.IDENTITY,
        purpose=version.purpose,
        store=None,
        node=version.node,
        type=version.type,
        key_type=facts.key_type,
        key_length=facts.key_length,
        signature_algorithm=facts.signature_algorithm,
        sans=tuple(san.value for san in facts.sans),
        description=version.description,
        served=Served.UNKNOWN,
        revocation=Revocation.UNCHECKED,
        csr_pending=csr_pending,
        key_id=version.key_id,
    )


def entry_of_request(request: PendingRequest) -> Entry:
    return Entry(
        entry=identity_key(request.purpose, request.node),
        id=None,
        common_name=request.common_name,
        subject=request.subject,
        issuer="",
        serial="",
        not_before=None,
        not_after=None,
        usage=Usage.IDENTITY,
        purpose=request.purpose,
        store=None,
        node=request.node,
        type=CertificateType.CSR_ONLY,
        key_type=request.key_type,
        key_length=request.key_length,
        signature_algorithm="",
        sans=request.sans,
        description="",
        served=Served.UNBOUND,
        revocation=Revocation.UNCHECKED,
        distribution=request.distribution,
        csr_pending=True,
        key_id=request.key_id,
    )


class _Identity:
    """Keeps the list's row of one purpose on one node true to its current version and its waiting CSR."""

    def __init__(self, connection: Connection, entries: SqlEntries, certificates: SqlCertificates) -> None:
        self._connection = connection
        self._entries = entries
        self._certificates = certificates

    def refresh(self, node: NodeName, purpose: PurposeName) -> None:
        version, request = (
            current_version(self._connection, node, purpose),
            current_request(self._connection, node, purpose),
        )
        if version is not None:
            facts = self._certificates.get(version.fingerprint)
            if facts is not None:
                entry = entry_of_version(version, facts, csr_pending=request is not None)
                known = self._entries.get(entry.entry)
                if known is not None and known.id == entry.id:
                    entry = _with_findings(entry, known)
                self._entries.put([entry])
        elif request is not None:
            self._entries.put([entry_of_request(request)])
        else:
            self._entries.remove(identity_key(purpose, node))


def _with_findings(entry: Entry, known: Entry) -> Entry:
    """Keeps what was found out of the same certificate."""
    return replace(entry, served=known.served, revocation=known.revocation)


def _version(row: RowMapping) -> IdentityVersion:
    return IdentityVersion(
        node=NodeName(row["node"]),
        purpose=PurposeName(row["purpose"]),
        number=row["number"],
        fingerprint=Fingerprint(row["fingerprint"]),
        chain=tuple(Fingerprint(item) for item in row["chain"].split()),
        key_id=KeyId(row["key_id"]),
        type=CertificateType(row["type"]),
        description=row["description"],
        created=from_micros(row["created"]),
        change=ChangeId(row["change"]),
        current=bool(row["current"]),
    )


def _request(row: RowMapping) -> PendingRequest:
    return PendingRequest(
        id=row["id"],
        purpose=PurposeName(row["purpose"]),
        node=NodeName(row["node"]),
        distribution=Distribution(row["distribution"]),
        key_id=KeyId(row["key_id"]),
        csr=bytes(row["csr"]),
        common_name=row["common_name"],
        subject=row["subject"],
        sans=tuple(json.loads(row["sans"])),
        key_type=KeyType(row["key_type"]),
        key_length=row["key_length"],
        hash=row["hash"],
        created=from_micros(row["created"]),
        keep_until=from_micros(row["keep_until"]),
        change=ChangeId(row["change"]),
        replaced=None if row["replaced"] is None else from_micros(row["replaced"]),
    )


def current_version(connection: Connection, node: NodeName, purpose: PurposeName) -> IdentityVersion | None:
    table = identity_versions.c
    query = select(identity_versions).where(table.node == node, table.purpose == purpose, table.current == 1)
    row = connection.execute(query).mappings().first()
    return _version(row) if row is not None else None


def current_request(connection: Connection, node: NodeName, purpose: PurposeName) -> PendingRequest | None:
    table = requests.c
    query = select(requests).where(table.node == node, table.purpose == purpose, table.replaced.is_(None))
    row = connection.execute(query).mappings().first()
    return _request(row) if row is not None else None


class SqlIdentities(_Identity):
    """``ports.store.Identities``."""

    def current(self, node: NodeName, purpose: PurposeName) -> IdentityVersion | None:
        return current_version(self._connection, node, purpose)

    def of_node(self, node: NodeName) -> Sequence[IdentityVersion]:
        query = select(identity_versions).where(identity_versions.c.node == node, identity_versions.c.current == 1)
        rows = self._connection.execute(query.order_by(identity_versions.c.purpose)).mappings()
        return [_version(row) for row in rows]

    def all_current(self) -> Sequence[IdentityVersion]:
        query = select(identity_versions).where(identity_versions.c.current == 1)
        ordered = query.order_by(identity_versions.c.node, identity_versions.c.purpose)
        return [_version(row) for row in self._connection.execute(ordered).mappings()]

    def versions(self, node: NodeName, purpose: PurposeName) -> Sequence[IdentityVersion]:
        query = select(identity_versions).where(
            identity_versions.c.node == node, identity_versions.c.purpose == purpose
        )
        rows = self._connection.execute(query.order_by(identity_versions.c.number.desc())).mappings()
        return [_version(row) for row in rows]

    def add(self, version: IdentityVersion) -> None:
        row = {
            "node": version.node,
            "purpose": version.purpose,
            "number": version.number,
            "fingerprint": version.fingerprint,
            "chain": " ".join(version.chain),
            "key_id": version.key_id,
            "type": version.type,
            "description": clean(version.description),
            "created": micros(version.created),
            "change": version.change,
            "current": 0,
        }
        add_missing(self._connection, identity_versions, [row])

    def make_current(self, node: NodeName, purpose: PurposeName, number: int) -> None:
        table = identity_versions.c
        mine = (table.node == node, table.purpose == purpose)
        self._connection.execute(update(identity_versions).where(*mine, table.number != number).values(current=0))
        self._connection.execute(update(identity_versions).where(*mine, table.number == number).values(current=1))
        self.refresh(node, purpose)

    def clear_current(self, node: NodeName, purpose: PurposeName) -> None:
        table = identity_versions.c
        self._connection.execute(
            update(identity_versions).where(table.node == node, table.purpose == purpose).values(current=0)
        )
        self.refresh(node, purpose)


class SqlRequests(_Identity):
    """``ports.store.Requests``."""

    def add(self, request: PendingRequest) -> None:
        table = requests.c
        if request.replaced is None:
            self._connection.execute(
                update(requests)
                .where(
                    table.node == request.node,
                    table.purpose == request.purpose,
                    table.replaced.is_(None),
                    table.id != request.id,
                )
                .values(replaced=micros(request.created))
            )
        row = {
            "id": request.id,
            "purpose": request.purpose,
            "node": request.node,
            "distribution": request.distribution,
            "key_id": request.key_id,
            "csr": request.csr,
            "common_name": clean(request.common_name),
            "subject": clean(request.subject),
            "sans": clean(json.dumps(request.sans, ensure_ascii=False)),
            "key_type": request.key_type,
            "key_length": request.key_length,
            "hash": request.hash,
            "created": micros(request.created),
            "keep_until": micros(request.keep_until),
            "change": request.change,
            "replaced": None if request.replaced is None else micros(request.replaced),
        }
        add_missing(self._connection, requests, [row])
        self.refresh(request.node, request.purpose)

    def current(self, node: NodeName, purpose: PurposeName) -> PendingRequest | None:
        return current_request(self._connection, node, purpose)

    def by_key(self, node: NodeName, purpose: PurposeName, key_id: KeyId) -> PendingRequest | None:
        table = requests.c
        query = select(requests).where(table.node == node, table.purpose == purpose, table.key_id == key_id)
        row = self._connection.execute(query.order_by(table.created.desc()).limit(1)).mappings().first()
        return _request(row) if row is not None else None

    def all(self, *, replaced: bool = False) -> Sequence[PendingRequest]:
        query = select(requests).order_by(requests.c.node, requests.c.purpose, requests.c.created.desc())
        if not replaced:
            query = query.where(requests.c.replaced.is_(None))
        return [_request(row) for row in self._connection.execute(query).mappings()]

    def remove(self, request_id: str) -> None:
        row = self._connection.execute(select(requests).where(requests.c.id == request_id)).mappings().first()
        if row is None:
            return
        self._connection.execute(delete(requests).where(requests.c.id == request_id))
        self.refresh(NodeName(row["node"]), PurposeName(row["purpose"]))

    def overdue(self, now: datetime) -> Sequence[PendingRequest]:
        table = requests.c
        query = select(requests).where(table.replaced.is_not(None), table.keep_until < micros(now))
        return [_request(row) for row in self._connection.execute(query).mappings()]
