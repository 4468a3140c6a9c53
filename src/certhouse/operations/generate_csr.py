"""Generate a Certificate Signing Request (manual, the section of this name). The key is made on the node and stays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from certhouse.errors import Fault, Refused
from certhouse.model.change import Change, Plan, Step
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import look_around, node_named, purpose_on
from certhouse.policy.certificate_requests import (
    KeyChoice,
    choose_key,
    choose_names,
    multi_server_faults,
    request_template,
)
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeKind, Distribution, NodeName, PurposeName, StepAction


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateCsr:
    """What the Generate CSR window asks. ``sans`` come on top of the auto-populated ones; ``subject`` is by short name
    (C, ST, L, O, OU); the OU is left out unless ``include_ou``; None takes the catalog's default."""

    purpose: PurposeName
    node: NodeName | None = None
    distribution: Distribution = Distribution.NODE
    common_name: str | None = None
    sans: tuple[str, ...] = ()
    parent_domain: bool = True
    subject: Mapping[str, str] = field(default_factory=dict)
    include_ou: bool = False
    key_length: int | None = None
    hash: str | None = None


def generate_csr(
    command: GenerateCsr, *, store: Store, clock: Clock, ids: Ids, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Has the node make a key and a CSR. A CSR that waits is replaced; its key is kept for a late certificate.

    Raises Refused with every fault of the wish at once, NotFound for an unknown purpose or node.
    """

    def decide(tx: Transaction, now: datetime) -> Decision:
        return _decide(command, tx)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def _decide(command: GenerateCsr, tx: Transaction) -> Decision:
    surroundings = look_around(tx)
    node = node_named(surroundings.nodes, command.node)
    purpose = purpose_on(surroundings, command.purpose, node)
    faults: list[Fault] = []
    if not purpose.csr:
        faults.append(
            Fault(
                code="no-csr-for-purpose",
                detail=f"{purpose.name} is always self-signed",
                remedy="regenerate it instead",
            )
        )
    if command.distribution is Distribution.MULTI_SERVER:
        faults.extend(multi_server_faults(purpose, surroundings.nodes))
    key: KeyChoice = choose_key(purpose, command.key_length, command.hash, faults)
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
    warnings = list(surroundings.catalog.warnings_for(purpose.name, "csr", surroundings.settings))
    waiting = tx.requests.current(node.name, purpose.name)
    if waiting is not None:
        warnings.append(
            f"the CSR of {waiting.created.isoformat(timespec='seconds')} for {purpose.name} on {node.name} is replaced; "
            "its key is kept, so that a certificate for it can still be uploaded"
        )
    step = Step(
        number=1,
        node=node.name,
        action=StepAction.MAKE_KEY,
        target=purpose.name,
        facts={
            "template": msgspec.json.encode(template).decode(),
            "key_type": purpose.key_type,
            "key_length": str(key.length),
            "distribution": command.distribution,
        },
    )
    plan = Plan(
        kind=ChangeKind.GENERATE_CSR,
        summary=f"CSR for {purpose.name} on {node.name}, CN={names.common_name}",
        steps=(step,),
        warnings=tuple(warnings),
        facts={"purpose": purpose.name, "node": node.name},
    )
    return Decision(plan=plan)
