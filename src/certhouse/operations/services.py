"""Restart a Service (manual, the section of this name): the two Control Center pages as one list and three verbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.change import Change, Plan, Step
from certhouse.model.node import Node, Probe
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import look_around, node_named
from certhouse.policy.plan import Surroundings, restart_with_gate
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import (
    ChangeKind,
    ChangeState,
    NodeName,
    PurposeName,
    ServiceAction,
    ServiceKind,
    ServiceName,
    ServiceStatus,
    StepAction,
    StepState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """A service of the catalog on a node. ``shows`` is what it was last seen to serve, one for each check."""

    name: ServiceName
    node: NodeName
    kind: ServiceKind
    status: ServiceStatus
    controller: str
    detail: str
    shows: tuple[Probe, ...]
    restart_pending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlService:
    """``all_nodes`` acts on every node that the service's row names, publisher first."""

    name: ServiceName
    action: ServiceAction
    node: NodeName | None = None
    all_nodes: bool = False


def list_services(*, store: Store, node: NodeName | None = None) -> Sequence[ServiceView]:
    """Gives feature services first, each in the catalog's order, for one node or for all."""
    with store.read() as tx:
        surroundings = look_around(tx)
        nodes = surroundings.nodes if node is None else (node_named(surroundings.nodes, node),)
        from_changes = {
            (step.node, step.target)
            for change in tx.changes.in_state(ChangeState.WAITING, ChangeState.RUNNING)
            for step in change.steps
            if step.action is StepAction.RESTART and step.state in (StepState.WAITING, StepState.PLANNED)
        }
    return tuple(
        _view(surroundings, keeper, name, pending=(keeper.name, name) in from_changes)
        for keeper in nodes
        for name, row in surroundings.catalog.services.items()
        if keeper.role in row.roles
    )


def _view(surroundings: Surroundings, node: Node, name: ServiceName, *, pending: bool) -> ServiceView:
    observed = surroundings.observed.get(node.name)
    seen = next((item for item in observed.services if item.service == name), None) if observed else None
    return ServiceView(
        name=name,
        node=node.name,
        kind=surroundings.catalog.services[name].kind,
        status=seen.status if seen else ServiceStatus.UNBOUND,
        controller=seen.controller if seen else "",
        detail=seen.detail if seen else "",
        shows=tuple(probe for probe in observed.probes if probe.service == name) if observed else (),
        restart_pending=pending,
    )


def control_service(
    command: ControlService, *, store: Store, clock: Clock, ids: Ids, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Starts, stops or restarts a service; after a restart looks at what it serves. Raises Refused for an unbound one."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx, restart_at_once=True)
        row = surroundings.catalog.services.get(command.name)
        if row is None:
            raise NotFound(f"there is no service {command.name}; `certhouse service list` names them")
        nodes = (
            tuple(node for node in surroundings.nodes if node.role in row.roles)
            if command.all_nodes
            else (node_named(surroundings.nodes, command.node),)
        )
        faults = [_unbound(command.name, node) for node in nodes if not surroundings.is_bound(node.name, command.name)]
        if faults:
            raise Refused(faults)
        steps = [step for node in nodes for step in _steps(tx, surroundings, command, node)]
        plan = Plan(
            kind=ChangeKind.SERVICE,
            summary=f"{command.action} {command.name} on {', '.join(node.name for node in nodes)}",
            steps=tuple(steps),
            warnings=tuple(surroundings.catalog.warnings_for(command.name, command.action, surroundings.settings)),
            facts={"service": command.name},
        )
        return Decision(plan=plan)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def _unbound(name: ServiceName, node: Node) -> Fault:
    return Fault(
        code="unbound",
        detail=f"{name} is not bound on {node.name}: Certhouse does not know how to control it there",
        found="unbound",
        expected="an entry in the node's bindings.toml",
        remedy="bind it (`certhouse node bindings check` shows how it is), or restart it by hand and tick off the follow-up",
    )


def _steps(tx: Transaction, surroundings: Surroundings, command: ControlService, node: Node) -> tuple[Step, ...]:
    if command.action is ServiceAction.RESTART:
        purposes: list[PurposeName] = [version.purpose for version in tx.identities.of_node(node.name)]
        return restart_with_gate(surroundings, node.name, command.name, purposes)
    action = StepAction.START if command.action is ServiceAction.START else StepAction.STOP
    return (Step(number=0, node=node.name, action=action, target=command.name),)
