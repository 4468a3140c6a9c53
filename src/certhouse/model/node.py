"""Nodes, what they should have, and what they say they have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from certhouse.vocabulary import (
    Fingerprint,
    KeyId,
    NodeName,
    NodeState,
    PurposeName,
    Role,
    ServiceName,
    ServiceStatus,
    StoreName,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine with an agent. ``certificate`` is the fingerprint of the only client certificate it may show now.

    ``seal_key`` is the node's raw X25519 public key: keys that must travel to it are sealed to this (RFC 9180).
    """

    name: NodeName
    role: Role
    publisher: bool
    state: NodeState
    certificate: Fingerprint
    seal_key: bytes
    domain: str
    joined: datetime
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredIdentity:
    """``certificate`` and ``chain`` are DER; the key with ``key_id`` is already on the node."""

    purpose: PurposeName
    key_id: KeyId
    certificate: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredStore:
    """``digest`` is SHA-256, hexadecimal, over the sorted fingerprints joined by line feeds."""

    store: StoreName
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """All that one node should have, and no other node's. A restore of the database raises ``epoch``."""

    node: NodeName
    epoch: int
    revision: int
    identities: tuple[DesiredIdentity, ...]
    stores: tuple[DesiredStore, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedIdentity:
    purpose: PurposeName
    fingerprint: Fingerprint
    key_id: KeyId
    key_fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a service showed when it was asked. Exactly one of ``fingerprint`` and ``error`` is set."""

    service: ServiceName
    purpose: PurposeName
    address: str
    fingerprint: Fingerprint | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedService:
    """A service as the node's bindings have it. ``instance`` names this very run of it (PID and start time, or an id)."""

    service: ServiceName
    status: ServiceStatus
    controller: str
    instance: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedState:
    """What a node read back from its disk and its services."""

    node: NodeName
    epoch: int
    revision: int
    identities: tuple[ObservedIdentity, ...] = ()
    stores: Mapping[StoreName, str] = field(default_factory=dict)
    services: tuple[ObservedService, ...] = ()
    probes: tuple[Probe, ...] = ()
    faults: tuple[str, ...] = ()
