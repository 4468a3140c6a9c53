"""From a plan to a change: shown as a preview, or recorded with the journal of its steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from certhouse.errors import CerthouseError
from certhouse.model.account import AuditRecord
from certhouse.model.change import Change, Plan, Step
from certhouse.model.task import Task
from certhouse.policy.plan import numbered
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeId, ChangeState, StepAction
from certhouse.wire.messages import Work, encode
from certhouse.x509.facts import CertificateFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A plan with what must be kept for it. ``sealed_work`` is handed to the node of the first step when recorded.

    It stays out of the change, because it may hold a sealed key. ``effect`` is what is written at once, with the record:
    what the control plane itself keeps, and no node has to prove.
    """

    plan: Plan
    certificates: tuple[CertificateFacts, ...] = ()
    sealed_work: Work | None = None
    rolls_back: ChangeId | None = None
    effect: Callable[[Transaction], None] | None = None


def task_id(change: ChangeId, step: int, attempt: int = 1) -> str:
    """Names a step's task. The same step's task has the same name whoever asks, so that it is done once."""
    return f"{change}.{step}.{attempt}"


def as_preview(plan: Plan, *, actor: str, now: datetime) -> Change:
    """Gives the plan in a change's shape, without an id."""
    return Change(
        id=ChangeId(""),
        kind=plan.kind,
        state=ChangeState.PLANNED,
        summary=plan.summary,
        steps=numbered(plan.steps),
        warnings=plan.warnings,
        breaks=plan.breaks,
        follow_ups=plan.follow_ups,
        actor=actor,
        created=now,
        updated=now,
        facts=plan.facts,
    )


def record(decision: Decision, tx: Transaction, *, ids: Ids, actor: str, now: datetime) -> Change:
    """Writes the change, ready to run."""
    plan = decision.plan
    preview = as_preview(plan, actor=actor, now=now)
    change = Change(
        id=ChangeId(ids.new("chg")),
        kind=preview.kind,
        state=ChangeState.RUNNING,
        summary=preview.summary,
        steps=tuple(_with_serial(step, ids) for step in preview.steps),
        warnings=preview.warnings,
        breaks=preview.breaks,
        follow_ups=preview.follow_ups,
        actor=actor,
        created=now,
        updated=now,
        facts=preview.facts,
        rolls_back=decision.rolls_back,
    )
    tx.certificates.add(decision.certificates)
    tx.changes.add(change)
    if decision.effect is not None:
        decision.effect(tx)
    if decision.sealed_work is not None:
        first = change.steps[0]
        work = encode(decision.sealed_work)
        tx.tasks.add(Task(id=task_id(change.id, first.number), node=first.node, fence=0, work=work, created=now))
    tx.audit.add(
        AuditRecord(at=now, actor=actor, action=plan.kind, target=plan.summary, outcome="recorded", detail=change.id)
    )
    return change


def _with_serial(step: Step, ids: Ids) -> Step:
    """Fixes the serial of a certificate to be made, so that a repeated step makes the same one."""
    if step.action is not StepAction.MAKE_SELF_SIGNED:
        return step
    return replace(step, facts={**step.facts, "serial": f"{ids.serial():x}"})


def carry_out(
    decide: Callable[[Transaction, datetime], Decision],
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    bell: Bell,
    actor: str,
    dry_run: bool,
) -> Change:
    """Decides and records in one transaction, or only decides. A refusal leaves nothing behind but the audit's line."""
    now = clock.now()
    if dry_run:
        with store.read() as tx:
            return as_preview(decide(tx, now).plan, actor=actor, now=now)
    try:
        with store.begin() as tx:
            change = record(decide(tx, now), tx, ids=ids, actor=actor, now=now)
    except CerthouseError as error:
        with store.begin() as tx:
            tx.audit.add(
                AuditRecord(
                    at=now, actor=actor, action="refused", target="", outcome=error.code, detail=str(error)[:500]
                )
            )
        raise
    bell.ring("worker")
    return change
