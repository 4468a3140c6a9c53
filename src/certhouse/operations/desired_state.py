"""What one node should have, and what follows from what it says it has."""

from collections.abc import Iterable, Iterator

from certhouse.model.entry import identity_key
from certhouse.model.node import DesiredIdentity, DesiredState, DesiredStore, Node, ObservedState, Probe
from certhouse.operations.surroundings import current_catalog
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock
from certhouse.vocabulary import NodeName, Served, StoreName


def _local(replicates: bool, node: Node) -> NodeName | None:
    return None if replicates else node.name


def desired_state(tx: Transaction, node: Node) -> DesiredState:
    """Gives the node's identities whole, and its stores as digests: their content is fetched where it differs."""
    catalog = current_catalog(tx)
    identities = []
    for version in tx.identities.of_node(node.name):
        certificates = tx.certificates.many((version.fingerprint, *version.chain))
        if version.fingerprint in certificates:
            identities.append(
                DesiredIdentity(
                    purpose=version.purpose,
                    key_id=version.key_id,
                    certificate=certificates[version.fingerprint].der,
                    chain=tuple(
                        certificates[item].der
                        for item in version.chain
                        if item in certificates and not certificates[item].self_signed
                    ),
                )
            )
    return DesiredState(
        node=node.name,
        epoch=tx.nodes.epoch(),
        revision=tx.nodes.revision(),
        identities=tuple(identities),
        stores=tuple(
            DesiredStore(store=name, digest=tx.trust.digest(name, _local(row.replicates_on_import, node)))
            for name, row in catalog.stores.items()
            if node.role in row.roles
        ),
    )


def store_content(tx: Transaction, node: Node, store: StoreName) -> Iterator[bytes] | None:
    """Gives a store's certificates (DER) as this node should have them; None for a store that is not its own."""
    row = current_catalog(tx).stores.get(store)
    if row is None or node.role not in row.roles:
        return None
    fingerprints = list(tx.trust.fingerprints(store, _local(row.replicates_on_import, node)))
    return (facts.der for facts in tx.certificates.many(fingerprints).values())


def observe(observed: ObservedState, *, store: Store, clock: Clock, bell: Bell) -> None:
    """Keeps a node's report and brings the list's ``served`` up to date."""
    with store.begin() as tx:
        tx.nodes.observe(observed, clock.now())
        for version in tx.identities.of_node(observed.node):
            probes = [probe for probe in observed.probes if probe.purpose == version.purpose]
            tx.entries.set_served(identity_key(version.purpose, version.node), served_of(probes, version.fingerprint))
    bell.ring("worker")
    bell.ring(f"observed:{observed.node}")


def served_of(probes: Iterable[Probe], stored: str) -> Served:
    """Says whether what was shown is what is stored: one that differs outweighs one that could not be asked."""
    shown = [probe.fingerprint for probe in probes]
    if not shown:
        return Served.UNBOUND
    if any(fingerprint is not None and fingerprint != stored for fingerprint in shown):
        return Served.DIFFERS
    return Served.UNKNOWN if None in shown else Served.SAME
