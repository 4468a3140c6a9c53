"""Changes after they were recorded: look, run what waits, cancel, roll back; and what is left for a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from certhouse.errors import Conflict, Fault, NotFound
from certhouse.model.account import AuditRecord
from certhouse.model.change import Change, FollowUp, PendingRestart
from certhouse.operations.drive_change import OVER, clear_restart
from certhouse.operations.recording import Decision, carry_out, task_id
from certhouse.operations.roll_back import decide_rollback
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeId, ChangeState, FollowUpState, NodeName, ServiceName, StepAction, StepState


def _known(tx: Transaction, change_id: ChangeId) -> Change:
    change = tx.changes.get(change_id)
    if change is None:
        raise NotFound(f"there is no change {change_id}")
    return change


def list_changes(*, store: Store, limit: int = 50, before: ChangeId | None = None) -> Sequence[Change]:
    """Gives the newest first."""
    with store.read() as tx:
        return tx.changes.newest(limit, before)


def show_change(change_id: ChangeId, *, store: Store) -> Change:
    with store.read() as tx:
        return _known(tx, change_id)


def apply_change(
    change_id: ChangeId, *, store: Store, clock: Clock, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Runs the restarts that a change waits for, in their order, each with its gate.

    A change that runs or is done is left as it is. Raises Conflict for one that ended otherwise.
    """
    with store.read() if dry_run else store.begin() as tx:
        change = _known(tx, change_id)
        if change.state in (ChangeState.RUNNING, ChangeState.DONE):
            return change
        if change.state is not ChangeState.WAITING:
            raise Conflict(
                Fault(
                    code="change-over",
                    detail=f"change {change_id} is {change.state}",
                    found=change.state,
                    expected=ChangeState.WAITING,
                    remedy="make the change again",
                )
            )
        steps = tuple(
            replace(step, state=StepState.PLANNED) if step.state is StepState.WAITING else step for step in change.steps
        )
        change = replace(change, steps=steps, state=ChangeState.RUNNING, updated=clock.now())
        if dry_run:
            return change
        for step in steps:
            tx.changes.save_step(change.id, step)
        tx.changes.save(change)
        tx.audit.add(
            AuditRecord(
                at=clock.now(),
                actor=actor,
                action="apply-change",
                target=change.summary,
                outcome="recorded",
                detail=change.id,
            )
        )
    bell.ring("worker")
    return change


def cancel_change(
    change_id: ChangeId, *, store: Store, clock: Clock, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Ends a change that has not altered anything yet, such as a CSR whose node is away.

    Raises Conflict for one that has: ``change rollback`` undoes it.
    """
    with store.read() if dry_run else store.begin() as tx:
        change = _known(tx, change_id)
        if change.state in (ChangeState.CANCELLED, ChangeState.FAILED, ChangeState.ROLLED_BACK):
            return change
        altering = (StepAction.INSTALL_TRUST, StepAction.REMOVE_TRUST, StepAction.INSTALL_IDENTITY)
        begun = [
            step
            for step in change.steps
            if step.action in altering and step.state in (StepState.RUNNING, StepState.DONE)
        ]
        if begun or change.state is ChangeState.DONE:
            raise Conflict(
                Fault(
                    code="change-begun",
                    detail=f"change {change_id} has altered {begun[0].target if begun else 'what it was made for'} already",
                    found=change.state,
                    expected="a change that has altered nothing",
                    remedy=f"undo it with `certhouse change rollback {change_id}`",
                )
            )
        steps = tuple(step if step.state in OVER else replace(step, state=StepState.CANCELLED) for step in change.steps)
        change = replace(change, steps=steps, state=ChangeState.CANCELLED, updated=clock.now())
        if dry_run:
            return change
        for step in steps:
            tx.changes.save_step(change.id, step)
            tx.tasks.cancel(task_id(change.id, step.number))
        tx.changes.save(change)
        tx.audit.add(
            AuditRecord(
                at=clock.now(),
                actor=actor,
                action="cancel-change",
                target=change.summary,
                outcome="done",
                detail=change.id,
            )
        )
    bell.ring(f"change:{change.id}")
    return change


def rollback_change(
    change_id: ChangeId, *, store: Store, clock: Clock, ids: Ids, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Makes the change that undoes another. Raises Conflict with the reason when a later change has superseded it."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        return decide_rollback(tx, _known(tx, change_id))

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def list_restarts(*, store: Store) -> Sequence[PendingRestart]:
    """Gives the services that still run with what they had before, in the order of the changes."""
    pending: dict[tuple[NodeName, ServiceName], PendingRestart] = {}
    with store.read() as tx:
        for change in tx.changes.in_state(ChangeState.WAITING):
            for step in change.steps:
                if step.action is StepAction.RESTART and step.state is StepState.WAITING:
                    place = (step.node, ServiceName(step.target))
                    known = pending.get(place)
                    changes = (*known.changes, change.id) if known else (change.id,)
                    pending[place] = PendingRestart(
                        node=place[0],
                        service=place[1],
                        since=known.since if known else change.updated,
                        changes=tuple(dict.fromkeys(changes)),
                    )
    return tuple(pending.values())


def list_follow_ups(*, store: Store, open_only: bool = True) -> Sequence[FollowUp]:
    with store.read() as tx:
        return tx.changes.follow_ups(open_only=open_only)


def close_follow_up(follow_up_id: str, *, store: Store, clock: Clock, bell: Bell, actor: str) -> FollowUp:
    """Ticks a follow-up off. One that names a service counts as its restart."""
    with store.begin() as tx:
        follow_up = tx.changes.follow_up(follow_up_id)
        if follow_up is None:
            raise NotFound(f"there is no follow-up {follow_up_id}")
        if follow_up.state is FollowUpState.DONE:
            return follow_up
        done = replace(follow_up, state=FollowUpState.DONE, closed=clock.now(), closed_by=actor)
        tx.changes.save_follow_up(done)
        if done.node is not None and done.service is not None:
            clear_restart(tx, done.node, done.service, clock.now(), by=actor)
        tx.audit.add(
            AuditRecord(
                at=clock.now(), actor=actor, action="close-follow-up", target=done.text, outcome="done", detail=done.id
            )
        )
    bell.ring("worker")
    return done
