"""Generate Self-Signed Certificate, and Regenerate (manual, Regenerate a Certificate).

The new certificate is made on the node with a new key, enters its trust store everywhere before it is used, and the
former self-signed one leaves after the services have switched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from certhouse.catalog.rows import Purpose
from certhouse.errors import Fault, Refused
from certhouse.model.change import Change, Plan, Step
from certhouse.model.node import Node
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import look_around, node_named, purpose_on, unfinished_changes
from certhouse.policy.certificate_requests import KeyChoice, choose_key, choose_names, request_template
from certhouse.policy.plan import Surroundings, aftermath, trust_steps
from certhouse.policy.replacement import leaving_self_signed, one_at_a_time, overwrite_warnings
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import CertificateType, ChangeKind, NodeName, PurposeName, StepAction
from certhouse.x509.request import CsrTemplate

LONGEST_DAYS = 20 * 366
"""ITLRecovery may be valid for 20 years (domain of the manual: self-signed window); nothing longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSelfSigned:
    """What the Generate New Self-Signed Certificate window asks; None takes the catalog's default."""

    purpose: PurposeName
    node: NodeName | None = None
    common_name: str | None = None
    sans: tuple[str, ...] = ()
    parent_domain: bool = False
    subject: Mapping[str, str] = field(default_factory=dict)
    include_ou: bool = False
    key_length: int | None = None
    hash: str | None = None
    days: int | None = None
    restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegenerateCertificate:
    """Same purpose, same key type and length, same names as the identity in use."""

    purpose: PurposeName
    node: NodeName | None = None
    restart: bool = False


def generate_self_signed(
    command: GenerateSelfSigned, *, store: Store, clock: Clock, ids: Ids, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Replaces an identity by a self-signed one of the wished key and names. Raises Refused, NotFound."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx, restart_at_once=command.restart)
        node = node_named(surroundings.nodes, command.node)
        purpose = purpose_on(surroundings, command.purpose, node)
        faults: list[Fault] = []
        days = _days(purpose, command.days, faults)
        key = choose_key(purpose, command.key_length, command.hash, faults)
        names = choose_names(
            purpose,
            node,
            common_name=command.common_name,
            sans=command.sans,
            parent_domain=command.parent_domain,
            faults=faults,
        )
        template = request_template(purpose, names, key, command.subject, include_ou=command.include_ou, faults=faults)
        if faults:
            raise Refused(faults)
        return _decide(tx, surroundings, node, purpose, template, key, days, ChangeKind.SELF_SIGN)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def regenerate_certificate(
    command: RegenerateCertificate,
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    bell: Bell,
    actor: str,
    dry_run: bool = False,
) -> Change:
    """Replaces an identity, expired or not, by a self-signed one with a key of the same type and length."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx, restart_at_once=command.restart)
        node = node_named(surroundings.nodes, command.node)
        purpose = purpose_on(surroundings, command.purpose, node)
        if not purpose.regenerable:
            raise Refused(Fault(code="not-regenerable", detail=f"{purpose.name} cannot be regenerated this way"))
        current = tx.identities.current(node.name, purpose.name)
        facts = tx.certificates.get(current.fingerprint) if current else None
        faults: list[Fault] = []
        length = facts.key_length if facts is not None and facts.key_length in purpose.key_lengths else None
        key = choose_key(purpose, length, None, faults)
        names = choose_names(
            purpose,
            node,
            common_name=facts.common_name if facts is not None and len(facts.common_name) <= 64 else None,
            sans=tuple(f"{san.kind}:{san.value}" for san in facts.sans if san.kind != "other")
            if facts is not None
            else (),
            parent_domain=False,
            faults=faults,
        )
        template = request_template(purpose, names, key, {}, include_ou=False, faults=faults)
        if faults:
            raise Refused(faults)
        days = purpose.self_signed_days
        return _decide(tx, surroundings, node, purpose, template, key, days, ChangeKind.REGENERATE)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def _days(purpose: Purpose, wished: int | None, faults: list[Fault]) -> int:
    days = purpose.self_signed_days if wished is None else wished
    if not 1 <= days <= LONGEST_DAYS:
        faults.append(
            Fault(
                code="validity",
                detail="the validity does not fit",
                found=f"{days} days",
                expected=f"1 to {LONGEST_DAYS} days",
                remedy=f"leave it out for {purpose.self_signed_days} days",
            )
        )
    return days


def _decide(
    tx: Transaction,
    surroundings: Surroundings,
    node: Node,
    purpose: Purpose,
    template: CsrTemplate,
    key: KeyChoice,
    days: int,
    kind: ChangeKind,
) -> Decision:
    current = tx.identities.current(node.name, purpose.name)
    former = tx.certificates.get(current.fingerprint) if current else None
    others = one_at_a_time(surroundings.catalog, purpose, unfinished_changes(tx)) if current else ()
    if others:
        raise Refused(others)
    steps = [
        Step(
            number=0,
            node=node.name,
            action=StepAction.MAKE_SELF_SIGNED,
            target=purpose.name,
            facts={
                "template": msgspec.json.encode(template).decode(),
                "key_type": purpose.key_type,
                "key_length": str(key.length),
                "days": str(days),
                "ca": "yes" if purpose.self_signed_is_ca else "",
            },
        )
    ]
    if purpose.store is not None:
        # The fingerprint is known once the node has made the certificate: the step reads it from the change then.
        facts = {"description": current.description if current else "", "origin": purpose.name}
        for store, local in surroundings.stores_for(purpose.store, node):
            steps.extend(trust_steps(surroundings, StepAction.INSTALL_TRUST, store, local, facts))
    description = current.description if current else "self-signed certificate generated by Certhouse"
    steps.append(
        Step(
            number=0,
            node=node.name,
            action=StepAction.INSTALL_IDENTITY,
            target=purpose.name,
            facts={"type": CertificateType.SELF_SIGNED, "description": description, "chain": "", "request": ""},
        )
    )
    after = aftermath(surroundings, purpose.name, "regenerate", [node], purposes=[purpose.name])
    steps.extend(after.steps)
    steps.extend(leaving_self_signed(surroundings, purpose, node, former))
    verb = "regenerate" if kind is ChangeKind.REGENERATE else "self-sign"
    plan = Plan(
        kind=kind,
        summary=f"{verb} {purpose.name} on {node.name} with {purpose.key_type} {key.length}",
        steps=tuple(steps),
        warnings=(
            *surroundings.catalog.warnings_for(purpose.name, "regenerate", surroundings.settings),
            *overwrite_warnings(purpose, node, current, former),
        ),
        # Nobody runs with a former certificate where there was none.
        follow_ups=after.follow_ups if former else (),
        facts={"purpose": purpose.name, "node": node.name},
    )
    return Decision(plan=plan)
