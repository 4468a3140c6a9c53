"""What a plan is made against, read in one transaction: catalog, settings, nodes and what they report."""

from collections.abc import Mapping
from functools import lru_cache

from certhouse.catalog.rows import Catalog, Purpose
from certhouse.catalog.shipped import starting_catalog
from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.change import Change
from certhouse.model.node import Node
from certhouse.policy.plan import Surroundings
from certhouse.ports.store import Transaction
from certhouse.vocabulary import ChangeState, NodeName, PurposeName, SettingName


@lru_cache(maxsize=8)
def _catalog(start: str, own: tuple[tuple[str, str], ...]) -> Catalog:
    catalog = starting_catalog(start)
    for name, text in own:
        catalog = catalog.with_text(name, text)
    return catalog


def current_catalog(tx: Transaction) -> Catalog:
    """Gives the catalog this cluster began with, under the administrators' own rows."""
    start = tx.settings.starting_catalog() or "uc"
    return _catalog(start, tuple(tx.settings.own_catalogs().items()))


def current_settings(tx: Transaction, catalog: Catalog) -> Mapping[str, str]:
    """Gives every setting: its own value, or the catalog's default."""
    own: Mapping[SettingName, str] = tx.settings.all()
    return {name: own.get(name, row.default) for name, row in catalog.settings.items()}


def look_around(tx: Transaction, *, restart_at_once: bool = False) -> Surroundings:
    catalog = current_catalog(tx)
    nodes = tuple(tx.nodes.all())
    seen = {node.name: tx.nodes.observed(node.name) for node in nodes}
    return Surroundings(
        catalog=catalog,
        settings=current_settings(tx, catalog),
        nodes=nodes,
        observed={name: observed for name, observed in seen.items() if observed is not None},
        restart_at_once=restart_at_once,
    )


def unfinished_changes(tx: Transaction) -> tuple[Change, ...]:
    """Gives the changes that are not over, and those that are but left follow-ups which nobody has done yet."""
    found = {change.id: change for change in tx.changes.in_state(ChangeState.RUNNING, ChangeState.WAITING)}
    for follow_up in tx.changes.follow_ups():
        change = tx.changes.get(follow_up.change) if follow_up.change and follow_up.change not in found else None
        if change is not None:
            found[change.id] = change
    return tuple(found.values())


def node_named(nodes: tuple[Node, ...], name: NodeName | None) -> Node:
    """Gives the node, or the only one there is when none is named.

    Raises NotFound for an unknown name, Refused when a name is needed.
    """
    if name is None and len(nodes) == 1:
        return nodes[0]
    names = ", ".join(node.name for node in nodes) or "none has joined yet"
    if name is None:
        raise Refused(
            Fault(
                code="node-needed",
                detail="the cluster has not exactly one node, so the node has to be named",
                found=names,
                expected="the name of a node",
                remedy="name it with --node",
            )
        )
    for node in nodes:
        if node.name == name:
            return node
    raise NotFound(f"there is no node {name}; there are: {names}")


def purpose_on(surroundings: Surroundings, name: PurposeName, node: Node) -> Purpose:
    """Gives the purpose as it is on a node of this role.

    Raises NotFound for an unknown one; Refused where only the publisher carries it (manual, Third-Party Certificate
    Authority Certificates: CAPF on the first node only).
    """
    purpose = surroundings.catalog.purpose(name, node.role)
    if purpose.publisher_only and not node.publisher:
        raise Refused(
            Fault(
                code="publisher-only",
                detail=f"{name} exists on the publisher only",
                found=node.name,
                expected=next((other.name for other in surroundings.nodes if other.publisher), "the publisher"),
                remedy="name the publisher",
            )
        )
    return purpose
