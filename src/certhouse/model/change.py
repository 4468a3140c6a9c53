"""A change: what was decided, the journal of its steps, and what a person still has to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from certhouse.errors import Fault
from certhouse.vocabulary import (
    ChangeId,
    ChangeKind,
    ChangeState,
    FollowUpState,
    NodeName,
    ServiceName,
    StepAction,
    StepState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done on one node. ``target`` is a purpose, a store or a service.

    ``facts`` holds what the step needs and what it found (fingerprints, key ids, former versions): public values only.
    """

    number: int
    node: NodeName
    action: StepAction
    target: str
    state: StepState = StepState.PLANNED
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Something that validates now and would not afterwards.

    ``kind`` is ``identity``, ``pinned-peer`` or ``store-entry``; ``name`` its entry in the list; ``lost_path`` the
    subjects from it up to the anchor that it loses.
    """

    kind: str
    name: str
    node: NodeName | None
    fingerprint: str
    lost_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What only a person can do (update the CTL file, take a backup, restart a service that nobody bound)."""

    id: str
    kind: str
    text: str
    node: NodeName | None
    service: ServiceName | None
    change: ChangeId | None
    created: datetime
    state: FollowUpState = FollowUpState.OPEN
    closed: datetime | None = None
    closed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFollowUp:
    """A follow-up that a change will raise once it has done its part."""

    kind: str
    text: str
    node: NodeName | None = None
    service: ServiceName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a change would do: the answer of every preview, and the first part of the change that is made of it."""

    kind: ChangeKind
    summary: str
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()
    breaks: tuple[Break, ...] = ()
    follow_ups: tuple[PlannedFollowUp, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A recorded plan and how far it is (design section 4). ``facts`` are public values that its steps share."""

    id: ChangeId
    kind: ChangeKind
    state: ChangeState
    summary: str
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]
    breaks: tuple[Break, ...]
    follow_ups: tuple[PlannedFollowUp, ...]
    actor: str
    created: datetime
    updated: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    rolls_back: ChangeId | None = None
    rolled_back_by: ChangeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRestart:
    """A service that still runs with what it had before: the set of (node, service) over all waiting changes."""

    node: NodeName
    service: ServiceName
    since: datetime
    changes: tuple[ChangeId, ...]
