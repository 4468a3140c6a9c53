"""What the node agent needs from its machine: keys and files, services, and a look at what they serve."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from certhouse.model.node import DesiredIdentity, ObservedIdentity, ObservedService, Probe
from certhouse.vocabulary import KeyId, KeyType, PurposeName, ServiceAction, ServiceName, StoreName
from certhouse.x509.request import CsrTemplate


class Keys(Protocol):
    """Private keys of this node. They never leave through this port."""

    def make(self, purpose: PurposeName, key_type: KeyType, key_length: int, *, task: str) -> KeyId:
        """Makes a key and keeps it; the same ``task`` again gives the same key (a crash in between is harmless)."""

    def request(self, purpose: PurposeName, key_id: KeyId, template: CsrTemplate) -> bytes:
        """Gives a CSR (DER) signed with the key. Raises NotFound."""

    def self_sign(
        self,
        purpose: PurposeName,
        key_id: KeyId,
        template: CsrTemplate,
        *,
        serial: int,
        not_before: datetime,
        days: int,
        ca: bool,
    ) -> bytes:
        """Gives a self-signed certificate (DER). Raises NotFound."""

    def open_sealed(self, purpose: PurposeName, key_id: KeyId, sealed: bytes) -> None:
        """Opens a sealed PKCS#8 key and keeps it. Raises Refused if it is not the key that was announced."""

    def forget(self, purpose: PurposeName, key_ids: Iterable[KeyId]) -> None:
        """Destroys keys, but never one that a live identity uses."""

    def has(self, purpose: PurposeName, key_id: KeyId) -> bool: ...


class Vault(Protocol):
    """The files that services read (design section 6, Files on a node). A set is switched as a whole or not at all."""

    def install_identity(self, identity: DesiredIdentity) -> None:
        """Switches the purpose's set of files. Raises Refused if the key is missing or does not fit."""

    def remove_identity(self, purpose: PurposeName) -> None: ...

    def identity(self, purpose: PurposeName) -> ObservedIdentity | None:
        """Reads back what is on disk now."""

    def identities(self) -> Sequence[ObservedIdentity]: ...

    def install_store(self, store: StoreName, certificates: Sequence[bytes]) -> None:
        """Switches a trust store to exactly these certificates (DER)."""

    def store_digest(self, store: StoreName) -> str | None:
        """Reads a trust store back; None if there is none on disk."""

    def stores(self) -> Sequence[StoreName]: ...


class Services(Protocol):
    """Services as the node's own bindings have them."""

    def bound(self) -> Sequence[ServiceName]: ...

    def purposes(self, service: ServiceName) -> Sequence[PurposeName]:
        """Gives the purposes whose certificate the service's checks expect."""

    def status(self, service: ServiceName) -> ObservedService:
        """Says how it is now; an unbound one has status unbound."""

    def control(self, service: ServiceName, action: ServiceAction) -> ObservedService:
        """Acts, and waits until the service answers or its limit passes. Raises Refused, Unavailable."""

    def probe(self, service: ServiceName) -> Sequence[Probe]:
        """Asks every check of the service for the certificate it shows now; never raises for a silent service."""
