"""Rows of the certificate list, and the questions that are asked of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from certhouse.vocabulary import (
    CertificateType,
    Distribution,
    EntryKey,
    Field,
    Fingerprint,
    KeyId,
    KeyType,
    NodeName,
    Operator,
    PurposeName,
    Revocation,
    Served,
    StoreName,
    Usage,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the certificate list (design section 6, JSON shapes).

    There is one per identity and node, one per certificate in a replicated trust store (``node`` is None) and one per
    node for a node-local store. ``id`` is None for a purpose that has only a CSR; then the names, key facts and SANs
    are the CSR's and the times are None. ``serial`` is lower-case hexadecimal; ``sans`` are bare values.
    """

    entry: EntryKey
    id: Fingerprint | None
    common_name: str
    subject: str
    issuer: str
    serial: str
    not_before: datetime | None
    not_after: datetime | None
    usage: Usage
    purpose: PurposeName | None
    store: StoreName | None
    node: NodeName | None
    type: CertificateType
    key_type: KeyType
    key_length: int
    signature_algorithm: str
    sans: tuple[str, ...]
    description: str
    served: Served
    revocation: Revocation
    distribution: Distribution = Distribution.NODE
    csr_pending: bool = False
    key_id: KeyId | None = None


def identity_key(purpose: PurposeName, node: NodeName) -> EntryKey:
    return EntryKey(f"{purpose}@{node}")


def trust_key(store: StoreName, fingerprint: Fingerprint, node: NodeName | None) -> EntryKey:
    """Gives the key of a trust entry; ``node`` is None in a replicated store."""
    suffix = f"@{node}" if node else ""
    return EntryKey(f"{store}/{fingerprint}{suffix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One filter: ``value`` is text; for ``expires`` an RFC 3339 time (before, after) or a duration in seconds (within).

    Text compares without regard to case. ``is-empty`` ignores ``value``.
    """

    field: Field
    operator: Operator
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What to list: conditions hold together; ``cursor`` continues after the last row of a former page of the same query.

    ``now`` is what ``within`` counts from. ``limit`` is 1 to 1,000.
    """

    conditions: tuple[Condition, ...] = ()
    sort: Field = Field.COMMON_NAME
    descending: bool = False
    limit: int = 50
    cursor: str | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list. Exactly one of ``total`` (exact, to 10,000) and ``total_at_least`` is set."""

    items: tuple[T, ...]
    next: str | None = None
    total: int | None = None
    total_at_least: int | None = None
