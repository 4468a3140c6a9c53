"""What each kind of step does: start it, look whether it is done, read back what came of it.

A driver runs inside one transaction and is called again until it says that the step is finished or failed. It touches
nothing but the database: nodes act on desired state and on tasks, and report.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec

from certhouse.errors import Fault
from certhouse.model.change import Change, Step
from certhouse.model.identity import IdentityVersion, PendingRequest, Tombstone, TrustEntry
from certhouse.model.task import Task
from certhouse.operations.recording import task_id
from certhouse.ports.store import Transaction
from certhouse.vocabulary import (
    CertificateType,
    Distribution,
    Fingerprint,
    KeyId,
    KeyType,
    NodeName,
    PurposeName,
    ServiceAction,
    ServiceName,
    ServiceStatus,
    StepAction,
    StepState,
    StoreName,
)
from certhouse.wire.messages import (
    ControlService,
    KeyImported,
    MakeRequest,
    MakeSelfSigned,
    Probed,
    ProbePurpose,
    RequestMade,
    Result,
    SelfSignedMade,
    ServiceControlled,
    TaskRefused,
    Work,
    decode_result,
    encode,
)
from certhouse.x509.facts import read_certificate
from certhouse.x509.request import CsrTemplate, read_request

CSR_LIFE = timedelta(days=398)
"""How long the key of a replaced CSR is kept: no public CA issues on a request for longer."""

GATE_ATTEMPTS = 10
GATE_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    step: Step
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    step: Step
    facts: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    faults: tuple[Fault, ...]
    topics: tuple[str, ...] = ()


Outcome = Later | Finished | Failed
Driver = Callable[[Transaction, Change, Step, datetime, int], Outcome]


def _done(step: Step, detail: str = "", **facts: str) -> Step:
    return replace(step, state=StepState.DONE, detail=detail or step.detail, facts={**step.facts, **facts})


def _ask(
    tx: Transaction, change: Change, step: Step, work: Work | None, now: datetime, fence: int, attempt: int = 1
) -> Result | Later:
    """Hands a task to the step's node, or gives the node's answer. ``work`` is None for one that was handed over before."""
    name = task_id(change.id, step.number, attempt)
    task = tx.tasks.get(name)
    if task is None and work is not None:
        tx.tasks.add(Task(id=name, node=step.node, fence=fence, work=encode(work), created=now))
    if task is None or task.result is None:
        running = replace(step, state=StepState.RUNNING)
        return Later(
            step=running, topics=(f"node:{step.node}",) if step.state is StepState.PLANNED or task is None else ()
        )
    return decode_result(task.result)


def _unexpected(step: Step, result: Result) -> Failed:
    if isinstance(result, TaskRefused):
        return Failed(faults=result.faults)
    return Failed(
        faults=(Fault(code="unexpected-answer", detail=f"{step.node} gave another answer than was asked for"),)
    )


def make_key(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    template = msgspec.json.decode(step.facts["template"], type=CsrTemplate)
    length = int(step.facts["key_length"])
    purpose = PurposeName(step.target)
    work = MakeRequest(purpose=purpose, key_type=KeyType(step.facts["key_type"]), key_length=length, template=template)
    result = _ask(tx, change, step, work, now, fence)
    if isinstance(result, Later):
        return result
    if not isinstance(result, RequestMade):
        return _unexpected(step, result)
    request = read_request(result.csr)
    former = tx.requests.current(step.node, purpose)
    tx.requests.add(
        PendingRequest(
            id=change.id,
            purpose=purpose,
            node=step.node,
            distribution=Distribution(step.facts["distribution"]),
            key_id=result.key_id,
            csr=result.csr,
            common_name=request.common_name,
            subject=request.subject,
            sans=tuple(san.value for san in request.sans),
            key_type=request.key_type,
            key_length=request.key_length,
            hash=template.hash,
            created=now,
            keep_until=now + CSR_LIFE,
            change=change.id,
        )
    )
    return Finished(
        step=_done(step, key_id=result.key_id), facts={"key_id": result.key_id, "replaced": former.id if former else ""}
    )


def make_self_signed(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    work = MakeSelfSigned(
        purpose=PurposeName(step.target),
        key_type=KeyType(step.facts["key_type"]),
        key_length=int(step.facts["key_length"]),
        template=msgspec.json.decode(step.facts["template"], type=CsrTemplate),
        # The serial has to be the same when the step is asked again, and not be guessable before (RFC 5280 4.1.2.2).
        serial=step.facts["serial"],
        not_before=change.created - timedelta(minutes=5),
        days=int(step.facts["days"]),
        ca=bool(step.facts["ca"]),
    )
    result = _ask(tx, change, step, work, now, fence)
    if isinstance(result, Later):
        return result
    if not isinstance(result, SelfSignedMade):
        return _unexpected(step, result)
    facts = read_certificate(result.certificate)
    if facts.key_id != result.key_id or not facts.self_signed:
        return Failed(
            faults=(
                Fault(code="unexpected-answer", detail=f"{step.node} made a certificate that does not fit its key"),
            )
        )
    tx.certificates.add([facts])
    found = {"fingerprint": facts.fingerprint, "key_id": facts.key_id}
    return Finished(step=_done(step, **found), facts=found)


def import_key(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    result = _ask(tx, change, step, None, now, fence)
    if isinstance(result, Later):
        return result
    return Finished(step=_done(step)) if isinstance(result, KeyImported) else _unexpected(step, result)


def _fingerprints(change: Change, step: Step) -> list[Fingerprint]:
    listed = step.facts.get("fingerprints") or change.facts["fingerprint"]
    return [Fingerprint(item) for item in listed.split(",")]


def install_trust(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    store = StoreName(step.target)
    local = NodeName(step.facts["local"]) if step.facts["local"] else None
    if step.state is StepState.PLANNED:
        origin = step.facts.get("origin", "")
        added = tx.trust.add(
            TrustEntry(
                store=store,
                fingerprint=fingerprint,
                node=local,
                description=step.facts.get("description", ""),
                added=now,
                change=change.id,
                origin=PurposeName(origin) if origin else None,
            )
            for fingerprint in _fingerprints(change, step)
        )
        return _changed(tx, step) if added else _proven(tx, step, store, local)
    return _proven(tx, step, store, local)


def remove_trust(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    store = StoreName(step.target)
    local = NodeName(step.facts["local"]) if step.facts["local"] else None
    if step.state is not StepState.PLANNED:
        return _proven(tx, step, store, local)
    origin = step.facts.get("origin", "")
    removed = False
    for fingerprint in _fingerprints(change, step):
        entry = tx.trust.get(store, fingerprint, local)
        # Only the identity's own copy leaves by itself; what a person put there stays.
        if entry is None or (origin and entry.origin != origin):
            continue
        removed = True
        tx.trust.remove(
            Tombstone(
                store=store,
                fingerprint=fingerprint,
                node=local,
                description=entry.description,
                deleted=now,
                change=change.id,
            )
        )
    return _changed(tx, step) if removed else _proven(tx, step, store, local)


def _changed(tx: Transaction, step: Step, **facts: str) -> Later:
    revision = tx.nodes.raise_revision()
    running = replace(step, state=StepState.RUNNING, facts={**step.facts, **facts, "revision": str(revision)})
    topics = tuple(f"node:{node.name}" for node in tx.nodes.all())
    return Later(step=running, topics=topics)


def _proven(tx: Transaction, step: Step, store: StoreName, local: NodeName | None) -> Outcome:
    """Says whether the node has read back what the store should hold."""
    observed = tx.nodes.observed(step.node)
    if observed is not None and observed.stores.get(store) == tx.trust.digest(store, local):
        return Finished(step=_done(step))
    return Later(step=replace(step, state=StepState.RUNNING))


def install_identity(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    purpose = PurposeName(step.target)
    if step.state is StepState.PLANNED:
        return _switch(tx, change, step, purpose, now)
    current = tx.identities.current(step.node, purpose)
    observed = tx.nodes.observed(step.node)
    if observed is None or observed.revision < int(step.facts["revision"]):
        return Later(step=step)
    seen = next((item for item in observed.identities if item.purpose == purpose), None)
    if current is None:
        return Finished(step=_done(step)) if seen is None else Later(step=step)
    if seen is not None and seen.fingerprint == current.fingerprint and seen.key_fits:
        return Finished(step=_done(step))
    told = [fault for fault in observed.faults if fault.startswith(f"{purpose}: ")]
    if told:
        return Failed(faults=tuple(Fault(code="not-installed", detail=f"{step.node}: {text}") for text in told))
    return Later(step=step)


def _switch(tx: Transaction, change: Change, step: Step, purpose: PurposeName, now: datetime) -> Outcome:
    node = step.node
    current = tx.identities.current(node, purpose)
    former = str(current.number) if current else ""
    if "version" in step.facts:
        if step.facts["version"]:
            tx.identities.make_current(node, purpose, int(step.facts["version"]))
        else:
            tx.identities.clear_current(node, purpose)
        if step.facts.get("consumed"):
            _let_wait_again(tx, msgspec.json.decode(step.facts["consumed"], type=PendingRequest), now)
        return _changed(tx, step, former=former)
    versions = tx.identities.versions(node, purpose)
    number = versions[0].number + 1 if versions else 1
    tx.identities.add(
        IdentityVersion(
            node=node,
            purpose=purpose,
            number=number,
            fingerprint=Fingerprint(step.facts.get("fingerprint") or change.facts["fingerprint"]),
            chain=tuple(Fingerprint(item) for item in step.facts["chain"].split(",") if item),
            key_id=KeyId(step.facts.get("key_id") or change.facts["key_id"]),
            type=CertificateType(step.facts["type"]),
            description=step.facts["description"],
            created=now,
            change=change.id,
        )
    )
    tx.identities.make_current(node, purpose, number)
    consumed = {}
    if step.facts.get("request"):
        # Kept in the change as public values, so that a rollback can let it wait again.
        request = next((item for item in tx.requests.all(replaced=True) if item.id == step.facts["request"]), None)
        if request is not None:
            consumed = {"consumed": msgspec.json.encode(request).decode()}
            tx.requests.remove(request.id)
    return _changed(tx, step, former=former, installed=str(number), **consumed)


def _let_wait_again(tx: Transaction, request: PendingRequest, now: datetime) -> None:
    """Puts a consumed CSR back; as a replaced one where a newer waits by now."""
    newer = tx.requests.current(request.node, request.purpose)
    tx.requests.add(replace(request, replaced=now if newer is not None else None))


def control(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    action = {StepAction.START: ServiceAction.START, StepAction.STOP: ServiceAction.STOP}.get(
        step.action, ServiceAction.RESTART
    )
    result = _ask(tx, change, step, ControlService(service=ServiceName(step.target), action=action), now, fence)
    if isinstance(result, Later):
        return result
    if not isinstance(result, ServiceControlled):
        return _unexpected(step, result)
    wanted = ServiceStatus.STOPPED if action is ServiceAction.STOP else ServiceStatus.RUNNING
    if result.service.status is not wanted:
        return Failed(
            faults=(
                Fault(
                    code="service-state",
                    detail=f"{step.target} on {step.node} is not {wanted} after {action}: {result.service.detail}".rstrip(
                        ": "
                    ),
                    found=result.service.status,
                    expected=wanted,
                    remedy="look at the service's own log on the node",
                ),
            )
        )
    return Finished(step=_done(step, result.service.detail))


def verify_served(tx: Transaction, change: Change, step: Step, now: datetime, fence: int) -> Outcome:
    """The health gate: the service has to show the stored certificate. It may take a few looks after a restart."""
    attempt = int(step.facts.get("attempt", "1"))
    not_before = step.facts.get("not_before")
    if not_before and now < datetime.fromisoformat(not_before):
        return Later(step=step)
    service = ServiceName(step.facts["service"])
    result = _ask(
        tx, change, step, ProbePurpose(purpose=PurposeName(step.target), service=service), now, fence, attempt
    )
    if isinstance(result, Later):
        return result
    if not isinstance(result, Probed):
        return _unexpected(step, result)
    current = tx.identities.current(step.node, PurposeName(step.target))
    stored = current.fingerprint if current else None
    wrong = [probe for probe in result.probes if probe.fingerprint != stored]
    if result.probes and not wrong:
        return Finished(step=_done(step, f"{service} serves {stored}"))
    if attempt < GATE_ATTEMPTS:
        again = {**step.facts, "attempt": str(attempt + 1), "not_before": (now + GATE_PAUSE).isoformat()}
        return Later(step=replace(step, facts=again))
    shown = "; ".join(f"{probe.address}: {probe.fingerprint or probe.error}" for probe in wrong) or "nothing answered"
    return Failed(
        faults=(
            Fault(
                code="served-differs",
                detail=f"{service} on {step.node} does not serve the stored certificate of {step.target}",
                found=shown,
                expected=stored or "nothing",
                remedy="check which files the service reads (`certhouse node bindings check`)",
            ),
        )
    )


DRIVERS: Mapping[StepAction, Driver] = {
    StepAction.MAKE_KEY: make_key,
    StepAction.MAKE_SELF_SIGNED: make_self_signed,
    StepAction.IMPORT_KEY: import_key,
    StepAction.INSTALL_TRUST: install_trust,
    StepAction.REMOVE_TRUST: remove_trust,
    StepAction.INSTALL_IDENTITY: install_identity,
    StepAction.START: control,
    StepAction.STOP: control,
    StepAction.RESTART: control,
    StepAction.VERIFY_SERVED: verify_served,
}
