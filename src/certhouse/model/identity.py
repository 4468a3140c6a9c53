"""Identities with their versions, requests that wait for a CA, and what a trust store holds."""

from dataclasses import dataclass
from datetime import datetime

from certhouse.vocabulary import (
    CertificateType,
    ChangeId,
    Distribution,
    Fingerprint,
    KeyId,
    KeyType,
    NodeName,
    PurposeName,
    StoreName,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityVersion:
    """A certificate that a purpose had or has on a node. ``chain`` is leaf's issuer first, without the leaf.

    ``number`` counts from 1 per purpose and node. The key named by ``key_id`` lies on the node and nowhere else.
    """

    node: NodeName
    purpose: PurposeName
    number: int
    fingerprint: Fingerprint
    chain: tuple[Fingerprint, ...]
    key_id: KeyId
    type: CertificateType
    description: str
    created: datetime
    change: ChangeId
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A CSR whose certificate may still come. Only the newest of a purpose and node has ``replaced`` None.

    A replaced one is kept until ``keep_until``, so that a late certificate still finds its key.
    ``csr`` is DER; ``sans`` are bare values.
    """

    id: str
    purpose: PurposeName
    node: NodeName
    distribution: Distribution
    key_id: KeyId
    csr: bytes
    common_name: str
    subject: str
    sans: tuple[str, ...]
    key_type: KeyType
    key_length: int
    hash: str
    created: datetime
    keep_until: datetime
    change: ChangeId
    replaced: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustEntry:
    """A certificate in a trust store. ``node`` is None where the store replicates to the cluster.

    ``origin`` is the purpose whose own self-signed certificate this is, or None where a person put it there.
    """

    store: StoreName
    fingerprint: Fingerprint
    node: NodeName | None
    description: str
    added: datetime
    change: ChangeId | None
    origin: PurposeName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A deleted trust entry. It outranks any copy that a node still has, and ``trust restore`` reads it."""

    store: StoreName
    fingerprint: Fingerprint
    node: NodeName | None
    description: str
    deleted: datetime
    change: ChangeId
