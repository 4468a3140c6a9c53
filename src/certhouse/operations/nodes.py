"""The nodes of the cluster and what each says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certhouse.errors import NotFound
from certhouse.model.node import Node
from certhouse.operations.surroundings import look_around
from certhouse.policy.plan import Surroundings
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Clock
from certhouse.vocabulary import NodeName, Role, StoreName

SILENT_AFTER = timedelta(seconds=90)
"""A node reports every half minute: three missed reports mean that it is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """``reachable`` is whether the node was heard of lately; ``stores`` says per trust store whether it has converged."""

    name: NodeName
    role: Role
    publisher: bool
    reachable: bool
    last_seen: datetime | None
    epoch: int
    revision: int
    wanted_revision: int
    stores: Mapping[StoreName, bool]
    faults: tuple[str, ...]


def list_nodes(*, store: Store, clock: Clock) -> Sequence[NodeView]:
    with store.read() as tx:
        surroundings = look_around(tx)
        return tuple(_view(tx, surroundings, node, clock.now()) for node in surroundings.nodes)


def show_node(name: NodeName, *, store: Store, clock: Clock) -> NodeView:
    for view in list_nodes(store=store, clock=clock):
        if view.name == name:
            return view
    raise NotFound(f"there is no node {name}")


def _view(tx: Transaction, surroundings: Surroundings, node: Node, now: datetime) -> NodeView:
    observed = surroundings.observed.get(node.name)
    stores = {
        name: observed is not None
        and observed.stores.get(name) == tx.trust.digest(name, None if row.replicates_on_import else node.name)
        for name, row in surroundings.catalog.stores.items()
        if node.role in row.roles
    }
    return NodeView(
        name=node.name,
        role=node.role,
        publisher=node.publisher,
        reachable=node.last_seen is not None and now - node.last_seen < SILENT_AFTER,
        last_seen=node.last_seen,
        epoch=observed.epoch if observed else 0,
        revision=observed.revision if observed else 0,
        wanted_revision=tx.nodes.revision(),
        stores=stores,
        faults=observed.faults if observed else (),
    )
