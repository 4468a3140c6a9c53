"""From a decision to the steps that carry it out: trust before identity, publisher before the others, gate after restart.

Which services restart and what a person has to do afterwards comes from the catalog (manual, table 3 and its notes).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from certhouse.catalog.rows import Catalog
from certhouse.model.change import PlannedFollowUp, Step
from certhouse.model.node import Node, ObservedState
from certhouse.vocabulary import NodeName, PurposeName, ServiceName, StepAction, StepState, StoreName


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a plan is made against. ``nodes`` are in order: the publisher first."""

    catalog: Catalog
    settings: Mapping[str, str]
    nodes: tuple[Node, ...]
    observed: Mapping[NodeName, ObservedState]
    restart_at_once: bool = False

    def nodes_with_store(self, store: StoreName) -> tuple[Node, ...]:
        """Gives the nodes whose role keeps this trust store."""
        roles = self.catalog.stores[store].roles
        return tuple(node for node in self.nodes if node.role in roles)

    def stores_for(self, store: StoreName, node: Node) -> tuple[tuple[StoreName, NodeName | None], ...]:
        """Gives where an import into ``store`` goes, copies included; the node is None where the store replicates."""
        row = self.catalog.stores[store]
        names = (store, *row.also_copied_to)
        return tuple((name, None if self.catalog.stores[name].replicates_on_import else node.name) for name in names)

    def is_bound(self, node: NodeName, service: ServiceName) -> bool:
        observed = self.observed.get(node)
        return observed is not None and any(seen.service == service and seen.controller for seen in observed.services)

    def shows(self, node: NodeName, service: ServiceName, purpose: PurposeName) -> bool:
        """Says whether the node can ask the service for this purpose's certificate."""
        observed = self.observed.get(node)
        return observed is not None and any(
            probe.service == service and probe.purpose == purpose for probe in observed.probes
        )


def numbered(steps: Iterable[Step], start: int = 1) -> tuple[Step, ...]:
    return tuple(replace(step, number=number) for number, step in enumerate(steps, start))


def trust_steps(
    surroundings: Surroundings,
    action: StepAction,
    store: StoreName,
    node: NodeName | None,
    facts: Mapping[str, str],
) -> tuple[Step, ...]:
    """Gives one step for each node that keeps the store; ``node`` limits a node-local store to its own node."""
    return tuple(
        Step(number=0, node=keeper.name, action=action, target=store, facts={**facts, "local": node or ""})
        for keeper in surroundings.nodes_with_store(store)
        if node is None or keeper.name == node
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What follows an installation: restarts with their gates, and what a person has to do."""

    steps: tuple[Step, ...]
    follow_ups: tuple[PlannedFollowUp, ...]


def aftermath(
    surroundings: Surroundings,
    target: str,
    event: str,
    nodes: Sequence[Node],
    *,
    purposes: Sequence[PurposeName] = (),
) -> Aftermath:
    """Gives the restarts that the catalog demands after ``event`` on ``target``, node by node in their order.

    ``purposes`` are those whose certificate is verified at each restarted service that shows one. A service that
    nobody bound becomes a follow-up. Restarts wait for an administrator unless the surroundings say at once.
    """
    steps: list[Step] = []
    follow_ups: list[PlannedFollowUp] = []
    for node in nodes:
        circumstances = {"settings": surroundings.settings, "role": node.role, "publisher": node.publisher}
        for service in surroundings.catalog.restarts(target, event=event, **circumstances):  # type: ignore[arg-type]  # the mapping is as the signature says
            if not surroundings.is_bound(node.name, service):
                follow_ups.append(
                    PlannedFollowUp(
                        kind="restart-service",
                        text=f"restart {service} on {node.name}: nobody has bound it there",
                        node=node.name,
                        service=service,
                    )
                )
                continue
            steps.extend(restart_with_gate(surroundings, node.name, service, purposes))
        for row in surroundings.catalog.follow_ups_for(target, event=event, **circumstances):  # type: ignore[arg-type]  # as above
            planned = PlannedFollowUp(kind=row.name, text=row.text, node=node.name if row.per_node else None)
            if planned not in follow_ups:
                follow_ups.append(planned)
    return Aftermath(steps=tuple(steps), follow_ups=tuple(follow_ups))


def restart_with_gate(
    surroundings: Surroundings, node: NodeName, service: ServiceName, purposes: Sequence[PurposeName]
) -> tuple[Step, ...]:
    """Gives the restart of a service and, for each purpose it shows, the look at what it then serves."""
    state = StepState.PLANNED if surroundings.restart_at_once else StepState.WAITING
    restart = Step(number=0, node=node, action=StepAction.RESTART, target=service, state=state)
    gates = (
        Step(number=0, node=node, action=StepAction.VERIFY_SERVED, target=purpose, facts={"service": service})
        for purpose in purposes
        if surroundings.shows(node, service, purpose)
    )
    return (restart, *gates)
