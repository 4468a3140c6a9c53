"""Rollback of a change to the version before: a change of its own, refused where a later one has built on it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from certhouse.errors import Conflict, Fault
from certhouse.model.change import Change, Plan, Step
from certhouse.operations.recording import Decision
from certhouse.operations.surroundings import look_around
from certhouse.policy.plan import Surroundings, trust_steps
from certhouse.ports.store import Transaction
from certhouse.vocabulary import (
    ChangeKind,
    ChangeState,
    Fingerprint,
    NodeName,
    PurposeName,
    SettingName,
    StepAction,
    StepState,
    StoreName,
)

_UNDOABLE = (ChangeState.DONE, ChangeState.WAITING)


def decide_rollback(tx: Transaction, change: Change) -> Decision:
    """Decides how to undo ``change``. Raises Conflict with every reason why it cannot be undone."""
    if change.state not in _UNDOABLE:
        raise Conflict(
            Fault(
                code="not-undoable",
                detail=f"change {change.id} is {change.state}: there is nothing to roll back",
                found=change.state,
                expected=" or ".join(_UNDOABLE),
                remedy="wait for it, or cancel it"
                if change.state is ChangeState.RUNNING
                else "look at `certhouse change list`",
            )
        )
    surroundings = look_around(tx)
    steps: list[Step] = []
    faults: list[Fault] = []
    for step in change.steps:
        if step.action is StepAction.INSTALL_IDENTITY and step.state is StepState.DONE:
            steps.extend(_identity_back(tx, surroundings, change, step, faults))
    before, after = _trust_back(tx, surroundings, change, faults)
    faults.extend(_superseded_effect(tx, change))
    if faults:
        raise Conflict(faults)
    restarts = _restarts(surroundings, change)
    effect = _effect_back(change)
    if not (steps or before or after or effect):
        raise Conflict(
            Fault(
                code="nothing-to-undo",
                detail=f"change {change.id} ({change.kind}) altered nothing that could be put back",
                remedy="nothing is to be done",
            )
        )
    plan = Plan(
        kind=ChangeKind.ROLLBACK,
        summary=f"roll back {change.id}: {change.summary}",
        steps=(*before, *steps, *restarts, *after),
        warnings=("services that were restarted for the change restart again",) if restarts else (),
        facts={"rolls_back": change.id},
    )
    return Decision(plan=plan, rolls_back=change.id, effect=effect)


def _identity_back(
    tx: Transaction, surroundings: Surroundings, change: Change, step: Step, faults: list[Fault]
) -> Sequence[Step]:
    purpose = PurposeName(step.target)
    current = tx.identities.current(step.node, purpose)
    # The number is what the step installed: a rollback of a rollback names the version it switched to.
    installed = step.facts.get("installed") or step.facts.get("version", "")
    if (str(current.number) if current else "") != installed:
        faults.append(
            Fault(
                code="superseded",
                detail=f"{purpose} on {step.node} has been changed since by {current.change if current else 'another change'}",
                found=f"version {current.number}" if current else "no certificate",
                expected=f"version {installed}" if installed else "no certificate",
                remedy="roll back the later change first",
            )
        )
    facts = {"version": step.facts.get("former", ""), "consumed": step.facts.get("consumed", "")}
    return [Step(number=0, node=step.node, action=StepAction.INSTALL_IDENTITY, target=purpose, facts=facts)]


def _trust_back(
    tx: Transaction, surroundings: Surroundings, change: Change, faults: list[Fault]
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Gives the steps before the identities (what left comes back) and after them (what came leaves)."""
    before: list[Step] = []
    after: list[Step] = []
    seen: set[tuple[str, str, str]] = set()
    for step in change.steps:
        store, local = StoreName(step.target), step.facts.get("local", "")
        if step.state is not StepState.DONE or (step.action, store, local) in seen:
            continue
        if step.action not in (StepAction.INSTALL_TRUST, StepAction.REMOVE_TRUST):
            continue
        node = NodeName(local) if local else None
        listed = (step.facts.get("fingerprints") or change.facts.get("fingerprint", "")).split(",")
        mine = [item for item in listed if _is_by(tx, change, step.action, store, Fingerprint(item), node)]
        if not mine:
            continue
        seen.add((step.action, store, local))
        origin = step.facts.get("origin", "")
        if step.action is StepAction.REMOVE_TRUST:
            grave = tx.trust.tombstone(store, Fingerprint(mine[0]), node)
            facts = {
                "fingerprints": ",".join(mine),
                "origin": origin,
                "description": grave.description if grave else "",
            }
            before.extend(trust_steps(surroundings, StepAction.INSTALL_TRUST, store, node, facts))
        else:
            facts = {"fingerprints": ",".join(mine)}
            after.extend(trust_steps(surroundings, StepAction.REMOVE_TRUST, store, node, facts))
    return tuple(before), tuple(after)


def _is_by(
    tx: Transaction,
    change: Change,
    action: StepAction,
    store: StoreName,
    fingerprint: Fingerprint,
    node: NodeName | None,
) -> bool:
    """Says whether the entry, or its deletion, is still this change's own and nobody's later."""
    if action is StepAction.INSTALL_TRUST:
        entry = tx.trust.get(store, fingerprint, node)
        return entry is not None and entry.change == change.id
    grave = tx.trust.tombstone(store, fingerprint, node)
    return grave is not None and grave.change == change.id


def _restarts(surroundings: Surroundings, change: Change) -> tuple[Step, ...]:
    """Gives the restarts that undoing needs: the same services, with the gates of what they then serve."""
    done = {
        (step.node, step.target)
        for step in change.steps
        if step.action is StepAction.RESTART and step.state is StepState.DONE
    }
    state = StepState.WAITING
    steps: list[Step] = []
    for step in change.steps:
        if step.action is StepAction.RESTART and (step.node, step.target) in done:
            steps.append(Step(number=0, node=step.node, action=StepAction.RESTART, target=step.target, state=state))
        elif step.action is StepAction.VERIFY_SERVED and (step.node, step.facts["service"]) in done:
            facts = {"service": step.facts["service"]}
            steps.append(
                Step(number=0, node=step.node, action=StepAction.VERIFY_SERVED, target=step.target, facts=facts)
            )
    return tuple(steps)


def _effect_back(change: Change) -> Callable[[Transaction], None] | None:
    """Gives what has to be written to undo what the change wrote at once."""
    match change.kind:
        case ChangeKind.SETTING:
            return lambda tx: put_setting_back(tx, change.facts)
        case ChangeKind.CATALOG:
            return lambda tx: tx.settings.set_own_catalog(change.facts["catalog"], change.facts["former"])
        case ChangeKind.GENERATE_CSR:
            return lambda tx: _former_csr_back(tx, change)
        case _:
            return None


def put_setting_back(tx: Transaction, facts: Mapping[str, str]) -> None:
    name = SettingName(facts["setting"])
    if facts["former_own"]:
        tx.settings.set(name, facts["former"])
    else:
        tx.settings.unset(name)


def _former_csr_back(tx: Transaction, change: Change) -> None:
    """Lets the CSR wait again that this one replaced. The newer key stays on the node until its time is up."""
    requests = {request.id: request for request in tx.requests.all(replaced=True)}
    mine = requests.get(change.id)
    if mine is None:
        return
    tx.requests.remove(mine.id)
    former = requests.get(change.facts.get("replaced", ""))
    if former is not None:
        tx.requests.remove(former.id)
        tx.requests.add(replace(former, replaced=None))
        tx.requests.add(replace(mine, replaced=change.updated))


def _superseded_effect(tx: Transaction, change: Change) -> Iterator[Fault]:
    """Gives the reason why what was written at once is no longer this change's own."""
    facts, found, expected = change.facts, "", ""
    if change.kind is ChangeKind.SETTING:
        found, expected = tx.settings.all().get(SettingName(facts["setting"]), ""), facts["value"]
    elif change.kind is ChangeKind.CATALOG:
        found, expected = tx.settings.own_catalogs().get(facts["catalog"], ""), facts["text"]
    elif change.kind is ChangeKind.GENERATE_CSR:
        waiting = tx.requests.current(NodeName(facts["node"]), PurposeName(facts["purpose"]))
        found, expected = waiting.id if waiting else "no CSR", change.id
    if found != expected:
        yield Fault(
            code="superseded",
            detail=f"what change {change.id} set has been changed since",
            found=found[:200],
            expected=expected[:200],
            remedy="roll back the later change first",
        )
