"""What trust stores hold, and how certificates get in: shared by upload, import and restore."""

from collections.abc import Sequence
from datetime import datetime

from certhouse.errors import Fault, Refused
from certhouse.model.change import Plan, Step
from certhouse.model.node import Node
from certhouse.operations.recording import Decision
from certhouse.operations.surroundings import node_named
from certhouse.policy.plan import Surroundings, aftermath, trust_steps
from certhouse.policy.trust_checks import check_trust
from certhouse.ports.store import Transaction
from certhouse.vocabulary import ChangeKind, Fingerprint, NodeName, StepAction, StoreName
from certhouse.x509.facts import CertificateFacts


def members(
    tx: Transaction, surroundings: Surroundings, store: StoreName, node: Node | None
) -> tuple[CertificateFacts, ...]:
    """Gives the certificates of a store; ``node`` says whose where the store is node-local."""
    local = None if surroundings.catalog.stores[store].replicates_on_import or node is None else node.name
    return tuple(tx.certificates.many(tx.trust.fingerprints(store, local)).values())


def home_of(surroundings: Surroundings, store: StoreName, node: NodeName | None) -> Node | None:
    """Gives the node whose copy is meant: None for a replicated store, by default the publisher for a node-local one."""
    if surroundings.catalog.stores[store].replicates_on_import:
        return None
    if node is None and surroundings.nodes:
        return surroundings.nodes[0]
    return node_named(surroundings.nodes, node)


def decide_trust_import(
    tx: Transaction,
    surroundings: Surroundings,
    store: StoreName,
    certificates: Sequence[CertificateFacts],
    *,
    node: NodeName | None,
    description: str,
    now: datetime,
    kind: ChangeKind = ChangeKind.UPLOAD,
) -> Decision:
    """Decides on certificates for a trust store and the stores they are copied to.

    What is there already is no error and no second entry. Raises Refused with all faults at once.
    """
    home = home_of(surroundings, store, node)
    where = home or surroundings.nodes[0]
    waiting = {request.key_id: request.purpose for request in tx.requests.all(replaced=True)}
    faults, warnings = check_trust(
        certificates, store=store, known=members(tx, surroundings, store, home), waiting=waiting, now=now
    )
    if faults:
        raise Refused(faults)
    steps: list[Step] = []
    new: set[Fingerprint] = set()
    for name, local in surroundings.stores_for(store, where):
        absent = [facts.fingerprint for facts in certificates if tx.trust.get(name, facts.fingerprint, local) is None]
        if absent:
            new.update(absent)
            facts = {"fingerprints": ",".join(absent), "description": description, "origin": ""}
            steps.extend(trust_steps(surroundings, StepAction.INSTALL_TRUST, name, local, facts))
    if not certificates:
        raise Refused(
            Fault(
                code="no-certificate",
                detail="the upload holds no certificate",
                remedy="choose a file with certificates",
            )
        )
    after = aftermath(surroundings, store, "import", surroundings.nodes_with_store(store)) if new else None
    there = len(certificates) - len(new)
    if there > 0:
        warnings = (
            *warnings,
            f"{there} of {len(certificates)} certificate(s) are in {store} already and stay as they are",
        )
    plan = Plan(
        kind=kind,
        summary=f"{len(new)} certificate(s) to {store}",
        steps=(*steps, *(after.steps if after else ())),
        warnings=(*surroundings.catalog.warnings_for(store, "import", surroundings.settings), *warnings),
        follow_ups=after.follow_ups if after else (),
        facts={"store": store, "fingerprints": ",".join(sorted(new))[:20_000]},
    )
    return Decision(plan=plan, certificates=tuple(certificates))
