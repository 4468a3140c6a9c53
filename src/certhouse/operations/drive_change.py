"""Moves a change forward, one step's transition per transaction, so that any process may die anywhere.

Everything a step needs is in the database before it starts; whatever a node does is asked for under a name that is
made from the change and the step, so that a repeated request is the same request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from certhouse.errors import Fault
from certhouse.model.account import AuditRecord
from certhouse.model.change import Change, FollowUp, Step
from certhouse.operations.step_drivers import DRIVERS, Failed, Finished, Later
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeId, ChangeState, FollowUpState, NodeName, ServiceName, StepAction, StepState

OVER = frozenset({StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one transition did: whether to go on at once, and which bells to ring after the commit."""

    moved: bool
    topics: tuple[str, ...] = ()


@dataclass(slots=True)
class _Turn:
    """One transition of one change, inside its transaction."""

    tx: Transaction
    change: Change
    now: datetime
    ids: Ids
    fence: int
    topics: list[str] = field(default_factory=list)

    def save(self, **what: object) -> None:
        self.change = replace(self.change, updated=self.now, **what)  # type: ignore[arg-type]  # named fields of Change
        self.tx.changes.save(self.change)
        self.topics.append(f"change:{self.change.id}")

    def save_step(self, step: Step) -> None:
        known = {old.number: old for old in self.change.steps}
        known[step.number] = step
        self.change = replace(self.change, steps=tuple(known[number] for number in sorted(known)))
        self.tx.changes.save_step(self.change.id, step)
        self.topics.append(f"change:{self.change.id}")


def drive(change_id: ChangeId, *, store: Store, clock: Clock, ids: Ids, bell: Bell, fence: int) -> None:
    """Drives a change until it is over, waits for a person, or waits for a node."""
    while True:
        with store.begin() as tx:
            change = tx.changes.get(change_id)
            if change is None or change.state is not ChangeState.RUNNING:
                return
            progress = _advance(_Turn(tx=tx, change=change, now=clock.now(), ids=ids, fence=fence))
        for topic in dict.fromkeys(progress.topics):
            bell.ring(topic)
        if not progress.moved:
            return


def _advance(turn: _Turn) -> Progress:
    step = next((step for step in turn.change.steps if step.state not in OVER), None)
    if step is None:
        _finish(turn)
        return Progress(moved=False, topics=tuple(turn.topics))
    if step.state is StepState.WAITING:
        _raise_follow_ups(turn)
        turn.save(state=ChangeState.WAITING)
        return Progress(moved=False, topics=tuple(turn.topics))
    outcome = DRIVERS[step.action](turn.tx, turn.change, step, turn.now, turn.fence)
    turn.topics.extend(outcome.topics)
    match outcome:
        case Later():
            if outcome.step != step:
                turn.save_step(outcome.step)
            return Progress(moved=False, topics=tuple(turn.topics))
        case Finished():
            turn.save_step(outcome.step)
            if outcome.facts:
                turn.save(facts={**turn.change.facts, **outcome.facts})
            if step.action is StepAction.RESTART:
                clear_restart(turn.tx, step.node, ServiceName(step.target), turn.now, by=turn.change.id)
            return Progress(moved=True, topics=tuple(turn.topics))
        case Failed():
            turn.save_step(
                replace(step, state=StepState.FAILED, detail="; ".join(fault.detail for fault in outcome.faults))
            )
            _stop(turn, outcome.faults)
            return Progress(moved=True, topics=tuple(turn.topics))


def _finish(turn: _Turn) -> None:
    change = turn.change
    _raise_follow_ups(turn)
    failed = any(step.state is StepState.FAILED for step in change.steps)
    undone = "undoing" in change.facts
    undo_failed = failed and any(step.state is StepState.FAILED and "undo" in step.facts for step in change.steps)
    if undo_failed or (failed and not undone):
        state = ChangeState.FAILED
    elif failed:
        state = ChangeState.ROLLED_BACK
    else:
        state = ChangeState.DONE
    turn.save(state=state)
    if state is ChangeState.DONE and change.rolls_back is not None:
        original = turn.tx.changes.get(change.rolls_back)
        if original is not None:
            turn.tx.changes.save(
                replace(original, state=ChangeState.ROLLED_BACK, rolled_back_by=change.id, updated=turn.now)
            )
            turn.topics.append(f"change:{original.id}")
    turn.tx.audit.add(
        AuditRecord(
            at=turn.now, actor=change.actor, action=change.kind, target=change.summary, outcome=state, detail=change.id
        )
    )


def _stop(turn: _Turn, faults: tuple[Fault, ...]) -> None:
    """Ends the plan after a failed step and, if an identity was switched, puts the former one back on that node."""
    change = turn.change
    for step in change.steps:
        if step.state not in OVER:
            turn.save_step(replace(step, state=StepState.CANCELLED))
    turn.save(faults=(*turn.change.faults, *faults))
    if "undoing" in change.facts:
        return
    undo = undo_steps(turn.change)
    if undo:
        turn.save(facts={**turn.change.facts, "undoing": "yes"})
        for number, step in enumerate(undo, max(step.number for step in turn.change.steps) + 1):
            turn.save_step(replace(step, number=number))


def undo_steps(change: Change) -> tuple[Step, ...]:
    """Gives the steps that put back what a stopped change has switched: identities, then the services that saw them."""
    undo: list[Step] = []
    switched: set[NodeName] = set()
    for step in change.steps:
        if step.action is StepAction.INSTALL_IDENTITY and step.state is StepState.DONE:
            switched.add(step.node)
            facts = {"version": step.facts.get("former", ""), "consumed": step.facts.get("consumed", ""), "undo": "yes"}
            undo.append(
                Step(number=0, node=step.node, action=StepAction.INSTALL_IDENTITY, target=step.target, facts=facts)
            )
    for step in change.steps:
        if (
            step.action is StepAction.RESTART
            and step.node in switched
            and step.state in (StepState.DONE, StepState.FAILED)
        ):
            undo.append(
                Step(number=0, node=step.node, action=StepAction.RESTART, target=step.target, facts={"undo": "yes"})
            )
    return tuple(undo)


def _raise_follow_ups(turn: _Turn) -> None:
    if "follow_ups_raised" in turn.change.facts or not turn.change.follow_ups:
        return
    if not any(step.state is StepState.DONE for step in turn.change.steps):
        return
    open_now = {(known.kind, known.node, known.service) for known in turn.tx.changes.follow_ups()}
    for planned in turn.change.follow_ups:
        if (planned.kind, planned.node, planned.service) in open_now:
            continue
        turn.tx.changes.add_follow_up(
            FollowUp(
                id=turn.ids.new("fup"),
                kind=planned.kind,
                text=planned.text,
                node=planned.node,
                service=planned.service,
                change=turn.change.id,
                created=turn.now,
                state=FollowUpState.OPEN,
            )
        )
    turn.save(facts={**turn.change.facts, "follow_ups_raised": "yes"})


def clear_restart(tx: Transaction, node: NodeName, service: ServiceName, now: datetime, *, by: str) -> None:
    """Clears a restart that has happened from every waiting change and follow-up (design section 4).

    A change counts only if all before its restart was done by then: a waiting one has nothing else before it.
    """
    for change in tx.changes.in_state(ChangeState.WAITING):
        steps = [
            step
            for step in change.steps
            if step.state is StepState.WAITING
            and step.action is StepAction.RESTART
            and step.node == node
            and step.target == service
        ]
        for step in steps:
            tx.changes.save_step(change.id, replace(step, state=StepState.DONE, detail=f"restarted by {by}"))
        if steps:
            tx.changes.save(replace(change, state=ChangeState.RUNNING, updated=now))
    for follow_up in tx.changes.follow_ups():
        if follow_up.node == node and follow_up.service == service:
            tx.changes.save_follow_up(replace(follow_up, state=FollowUpState.DONE, closed=now, closed_by=by))


def notice_restarts(*, store: Store, clock: Clock, bell: Bell) -> None:
    """Finds restarts that somebody ordered elsewhere: a service that already shows the stored certificate needs none."""
    with store.read() as tx:
        waiting = [
            (step.node, ServiceName(step.target))
            for change in tx.changes.in_state(ChangeState.WAITING)
            for step in change.steps
            if step.state is StepState.WAITING and step.action is StepAction.RESTART
        ]
        found = [place for place in dict.fromkeys(waiting) if _shows_stored(tx, *place)]
    if not found:
        return
    with store.begin() as tx:
        for node, service in found:
            if _shows_stored(tx, node, service):
                clear_restart(tx, node, service, clock.now(), by="the service itself: it shows the stored certificate")
    bell.ring("worker")


def _shows_stored(tx: Transaction, node: NodeName, service: ServiceName) -> bool:
    observed = tx.nodes.observed(node)
    probes = [probe for probe in observed.probes if probe.service == service] if observed else []
    stored: Mapping[str, str] = {version.purpose: version.fingerprint for version in tx.identities.of_node(node)}
    return bool(probes) and all(probe.fingerprint == stored.get(probe.purpose) for probe in probes)
