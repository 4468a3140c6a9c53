"""What operations keep: one transaction with a few tables, each a small protocol.

``Store.begin`` opens a transaction that writes (serialised by the database), ``Store.read`` one that sees a single
moment. Leaving the block commits, an exception rolls all of it back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from certhouse.model.account import ApiToken, AuditRecord, LoginSession, User
from certhouse.model.change import Change, FollowUp, Step
from certhouse.model.entry import Entry, ListQuery, Page
from certhouse.model.identity import IdentityVersion, PendingRequest, Tombstone, TrustEntry
from certhouse.model.node import Node, ObservedState
from certhouse.model.task import Task
from certhouse.vocabulary import (
    ChangeId,
    ChangeState,
    EntryKey,
    Fingerprint,
    KeyId,
    NodeName,
    PurposeName,
    Revocation,
    Served,
    SettingName,
    StoreName,
    UserName,
)
from certhouse.x509.facts import CertificateFacts


class Certificates(Protocol):
    """Every certificate that was ever stored, by fingerprint."""

    def add(self, certificates: Iterable[CertificateFacts]) -> None:
        """Keeps them; one that is there already is no error."""

    def get(self, fingerprint: Fingerprint) -> CertificateFacts | None: ...

    def many(self, fingerprints: Iterable[Fingerprint]) -> dict[Fingerprint, CertificateFacts]: ...

    def having_subject(self, subject_key: str) -> Sequence[CertificateFacts]:
        """Gives those whose subject name hashes to ``subject_key``: the candidates for an issuer."""


class Entries(Protocol):
    """The certificate list. Kept true by ``Identities``, ``Requests`` and ``Trust`` in the same transaction."""

    def find(self, query: ListQuery) -> Page[Entry]: ...

    def stream(self, query: ListQuery) -> Iterator[Entry]:
        """Gives every match in order, without holding them all; ``limit`` and ``cursor`` are ignored."""

    def stream_json(self, query: ListQuery) -> Iterator[bytes]:
        """Gives every match as lines of JSON, in blocks that end at a line's end; as fast as the database can."""

    def get(self, key: EntryKey) -> Entry | None: ...

    def with_certificate(self, fingerprint: Fingerprint) -> Sequence[Entry]: ...

    def set_description(self, key: EntryKey, description: str) -> bool:
        """Says whether there was such an entry. The current version or trust entry gets the text too."""

    def set_served(self, key: EntryKey, served: Served) -> None: ...

    def set_revocation(self, fingerprint: Fingerprint, revocation: Revocation) -> None: ...


class Identities(Protocol):
    def current(self, node: NodeName, purpose: PurposeName) -> IdentityVersion | None: ...

    def of_node(self, node: NodeName) -> Sequence[IdentityVersion]:
        """Gives the current version of each purpose that the node has one for."""

    def all_current(self) -> Sequence[IdentityVersion]: ...

    def versions(self, node: NodeName, purpose: PurposeName) -> Sequence[IdentityVersion]:
        """Gives all versions, newest first."""

    def add(self, version: IdentityVersion) -> None:
        """Keeps a version (its ``current`` is ignored: new versions are not current). The same one again is no error."""

    def make_current(self, node: NodeName, purpose: PurposeName, number: int) -> None:
        """Switches the purpose to that version and updates its list entry (``served`` becomes unknown)."""

    def clear_current(self, node: NodeName, purpose: PurposeName) -> None:
        """Leaves the purpose without a certificate: undoes its first one."""


class Requests(Protocol):
    def add(self, request: PendingRequest) -> None:
        """Keeps it and marks a former one of the same purpose and node as replaced at ``request.created``.

        One that comes with ``replaced`` set is kept beside the current one and marks nothing.
        """

    def current(self, node: NodeName, purpose: PurposeName) -> PendingRequest | None: ...

    def by_key(self, node: NodeName, purpose: PurposeName, key_id: KeyId) -> PendingRequest | None:
        """Gives the newest with this key, replaced ones included."""

    def all(self, *, replaced: bool = False) -> Sequence[PendingRequest]: ...

    def remove(self, request_id: str) -> None: ...

    def overdue(self, now: datetime) -> Sequence[PendingRequest]:
        """Gives replaced requests whose ``keep_until`` has passed."""


class Trust(Protocol):
    def add(self, entries: Iterable[TrustEntry]) -> int:
        """Adds what is not there; gives how many were new. A tombstone of the same entry is lifted.

        The certificates themselves must have been added before.
        """

    def get(self, store: StoreName, fingerprint: Fingerprint, node: NodeName | None) -> TrustEntry | None: ...

    def of_store(self, store: StoreName, node: NodeName | None) -> Sequence[TrustEntry]: ...

    def fingerprints(self, store: StoreName, node: NodeName | None) -> Iterator[Fingerprint]:
        """Gives them sorted."""

    def digest(self, store: StoreName, node: NodeName | None) -> str:
        """Gives SHA-256, hexadecimal, over the sorted fingerprints joined by line feeds; remembered between changes."""

    def stores_with(self, fingerprint: Fingerprint) -> Sequence[TrustEntry]: ...

    def remove(self, tombstone: Tombstone) -> None:
        """Deletes the entry and leaves the tombstone."""

    def tombstone(self, store: StoreName, fingerprint: Fingerprint, node: NodeName | None) -> Tombstone | None: ...

    def tombstones(self, store: StoreName) -> Sequence[Tombstone]:
        """Gives them newest first."""


class Changes(Protocol):
    def add(self, change: Change) -> None: ...

    def get(self, change_id: ChangeId) -> Change | None: ...

    def save(self, change: Change) -> None:
        """Writes everything but the steps."""

    def save_step(self, change_id: ChangeId, step: Step) -> None:
        """Writes one step, by its number; adds it if it is new."""

    def newest(self, limit: int, before: ChangeId | None = None) -> Sequence[Change]: ...

    def in_state(self, *states: ChangeState) -> Sequence[Change]:
        """Gives them oldest first."""

    def add_follow_up(self, follow_up: FollowUp) -> None: ...

    def follow_up(self, follow_up_id: str) -> FollowUp | None: ...

    def save_follow_up(self, follow_up: FollowUp) -> None: ...

    def follow_ups(self, *, open_only: bool = True) -> Sequence[FollowUp]: ...


class Tasks(Protocol):
    def add(self, task: Task) -> None:
        """Keeps it; the same id again is no error and changes nothing."""

    def get(self, task_id: str) -> Task | None: ...

    def open_for(self, node: NodeName) -> Sequence[Task]:
        """Gives what the node has not answered, oldest first."""

    def finish(self, task_id: str, node: NodeName, result: bytes, at: datetime) -> bool:
        """Records the first answer, of the task's own node only; says whether it was recorded."""

    def cancel(self, task_id: str) -> None:
        """Takes back a task that has no answer."""


class Nodes(Protocol):
    def add(self, node: Node) -> None: ...

    def save(self, node: Node) -> None: ...

    def get(self, name: NodeName) -> Node | None: ...

    def by_certificate(self, fingerprint: Fingerprint) -> Node | None:
        """Gives the active node whose present client certificate this is."""

    def all(self) -> Sequence[Node]:
        """Gives active nodes, the publisher first, then by name."""

    def observe(self, observed: ObservedState, at: datetime) -> None:
        """Keeps a node's latest report and the time it was heard of."""

    def observed(self, name: NodeName) -> ObservedState | None: ...

    def add_invitation(self, token_hash: str, role: str, expires: datetime) -> None: ...

    def take_invitation(self, token_hash: str, now: datetime) -> str | None:
        """Uses an invitation up; gives its role, or None if there is none that is valid."""

    def epoch(self) -> int: ...

    def revision(self) -> int: ...

    def raise_revision(self) -> int:
        """Says that desired state has changed; gives the new revision."""


class Settings(Protocol):
    """Values that differ from the catalog's defaults, and the administrators' own catalog."""

    def all(self) -> dict[SettingName, str]: ...

    def set(self, name: SettingName, value: str) -> None: ...

    def unset(self, name: SettingName) -> None: ...

    def starting_catalog(self) -> str | None:
        """Gives the name of the shipped catalog this cluster began with, or the text of its own."""

    def set_starting_catalog(self, name_or_text: str) -> None: ...

    def own_catalogs(self) -> Mapping[str, str]:
        """Gives the administrators' own catalog texts (TOML) by name, in the order they were applied."""

    def set_own_catalog(self, name: str, text: str) -> None: ...


class Accounts(Protocol):
    def add_user(self, user: User) -> None: ...

    def save_user(self, user: User) -> None: ...

    def user(self, name: UserName) -> User | None: ...

    def users(self) -> Sequence[User]: ...

    def remove_user(self, name: UserName) -> None:
        """Removes the user with all sessions and tokens."""

    def add_session(self, session: LoginSession) -> None: ...

    def session(self, token_hash: str) -> LoginSession | None: ...

    def remove_session(self, token_hash: str) -> None: ...

    def add_token(self, token: ApiToken) -> None: ...

    def token(self, token_hash: str) -> ApiToken | None: ...

    def tokens(self, user: UserName | None = None) -> Sequence[ApiToken]: ...

    def remove_token(self, token_id: str) -> bool: ...

    def touch_token(self, token_id: str, at: datetime) -> None: ...

    def set_setup_token(self, token_hash: str, expires: datetime) -> None: ...

    def setup_token_expires(self, token_hash: str) -> datetime | None: ...

    def clear_setup_tokens(self) -> None: ...

    def add_failure(self, key: str, at: datetime) -> None:
        """Counts a failed log-in for a rate limit."""

    def failures(self, key: str, since: datetime) -> int: ...

    def clear_failures(self, key: str) -> None: ...


class Audit(Protocol):
    def add(self, record: AuditRecord) -> None: ...

    def newest(self, limit: int, before: int | None = None) -> Sequence[AuditRecord]: ...


class Idempotency(Protocol):
    """Answers to requests that carried an Idempotency-Key."""

    def get(self, actor: str, key: str) -> tuple[str, int, bytes] | None:
        """Gives the request's hash, the status and the body of the first answer."""

    def put(self, actor: str, key: str, request_hash: str, status: int, body: bytes, at: datetime) -> None: ...


class Secrets(Protocol):
    """The control plane's own keys, encrypted under a key-encryption key that is not in the database."""

    def get(self, name: str) -> bytes | None: ...

    def set(self, name: str, value: bytes) -> None: ...


class Leases(Protocol):
    def take(self, name: str, holder: str, now: datetime, seconds: int) -> int | None:
        """Takes or renews a lease; gives its fencing number (raised whenever the holder changes), or None if another holds it."""

    def release(self, name: str, holder: str) -> None: ...


class Transaction(Protocol):
    """Everything that one unit of work reads and writes."""

    @property
    def certificates(self) -> Certificates: ...
    @property
    def entries(self) -> Entries: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def changes(self) -> Changes: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def nodes(self) -> Nodes: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def leases(self) -> Leases: ...


class Store(Protocol):
    def begin(self) -> AbstractContextManager[Transaction]: ...

    def read(self) -> AbstractContextManager[Transaction]: ...
