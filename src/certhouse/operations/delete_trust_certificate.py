"""Delete a Trust Certificate, and bring it back (manual, the section of this name; undo is Certhouse's own)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.change import Break, Change, Plan, Step
from certhouse.model.entry import identity_key, trust_key
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import look_around
from certhouse.operations.trust_stores import home_of, members
from certhouse.policy.breaks import Subject, breaks
from certhouse.policy.plan import Surroundings, aftermath, trust_steps
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeKind, Fingerprint, NodeName, PurposeName, StepAction, StoreName
from certhouse.x509.facts import CertificateFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTrustCertificate:
    """``node`` matters for a node-local store whose catalog row does not delete everywhere; by default the publisher's."""

    store: StoreName
    fingerprint: Fingerprint
    node: NodeName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTrustCertificate:
    store: StoreName
    fingerprint: Fingerprint
    node: NodeName | None = None


def delete_trust_certificate(
    command: DeleteTrustCertificate,
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    bell: Bell,
    actor: str,
    dry_run: bool = False,
) -> Change:
    """Takes a certificate out of a trust store, everywhere the catalog says. The preview's ``breaks`` say what it costs.

    Raises NotFound for what is not there, Refused for an identity.
    """

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx)
        places = _places(tx, surroundings, command)
        facts = tx.certificates.get(command.fingerprint)
        if facts is None or not places:
            raise NotFound(f"{command.store} has no certificate {command.fingerprint}")
        steps: list[Step] = []
        lost: dict[tuple[str, str], Break] = {}
        for local in places:
            step_facts = {"fingerprints": command.fingerprint}
            steps.extend(trust_steps(surroundings, StepAction.REMOVE_TRUST, command.store, local, step_facts))
            for item in what_breaks(tx, surroundings, command.store, local, command.fingerprint):
                lost[item.name, item.fingerprint] = item
        after = aftermath(surroundings, command.store, "delete", surroundings.nodes_with_store(command.store))
        name = facts.common_name or facts.subject
        plan = Plan(
            kind=ChangeKind.DELETE_TRUST,
            summary=f"delete {name} from {command.store}",
            steps=(*steps, *after.steps),
            warnings=(
                *surroundings.catalog.warnings_for(command.store, "delete", surroundings.settings),
                f"`certhouse trust restore {command.store} {command.fingerprint}` brings it back byte for byte",
            ),
            breaks=tuple(lost.values()),
            follow_ups=after.follow_ups,
            facts={"store": command.store, "fingerprint": command.fingerprint},
        )
        return Decision(plan=plan)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def restore_trust_certificate(
    command: RestoreTrustCertificate,
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    bell: Bell,
    actor: str,
    dry_run: bool = False,
) -> Change:
    """Brings a deleted certificate back, byte for byte, with its description, wherever it was deleted."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx)
        if command.store not in surroundings.catalog.stores:
            raise NotFound(f"there is no trust store {command.store}")
        wanted = None if command.node is None else home_of(surroundings, command.store, command.node)
        graves = [
            grave
            for grave in tx.trust.tombstones(command.store)
            if grave.fingerprint == command.fingerprint and (wanted is None or grave.node in (None, wanted.name))
        ]
        if not graves:
            raise NotFound(f"{command.store} has no deleted certificate {command.fingerprint}")
        steps: list[Step] = []
        for grave in graves:
            facts = {"fingerprints": grave.fingerprint, "description": grave.description, "origin": ""}
            steps.extend(trust_steps(surroundings, StepAction.INSTALL_TRUST, command.store, grave.node, facts))
        after = aftermath(surroundings, command.store, "import", surroundings.nodes_with_store(command.store))
        certificate = tx.certificates.get(command.fingerprint)
        name = certificate.common_name or certificate.subject if certificate else command.fingerprint
        plan = Plan(
            kind=ChangeKind.RESTORE_TRUST,
            summary=f"restore {name} to {command.store}",
            steps=(*steps, *after.steps),
            follow_ups=after.follow_ups,
            facts={"store": command.store, "fingerprint": command.fingerprint},
        )
        return Decision(plan=plan)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


def _places(tx: Transaction, surroundings: Surroundings, command: DeleteTrustCertificate) -> Sequence[NodeName | None]:
    """Gives where the certificate is deleted: None for the replicated copy, else nodes' names."""
    if PurposeName(command.store) in surroundings.catalog.purposes:
        raise Refused(
            Fault(
                code="identity",
                detail=f"{command.store} is an identity, and identity certificates cannot be deleted",
                remedy="replace it: upload another certificate or regenerate it",
            )
        )
    row = surroundings.catalog.stores.get(command.store)
    if row is None:
        stores = ", ".join(surroundings.catalog.stores)
        raise NotFound(f"there is no trust store {command.store}; there are: {stores}")
    entries = [entry for entry in tx.trust.stores_with(command.fingerprint) if entry.store == command.store]
    if row.replicates_on_import or row.deletes_everywhere:
        return [entry.node for entry in entries]
    home = home_of(surroundings, command.store, command.node)
    return [entry.node for entry in entries if home is not None and entry.node == home.name]


def what_breaks(
    tx: Transaction,
    surroundings: Surroundings,
    store: StoreName,
    local: NodeName | None,
    fingerprint: Fingerprint,
) -> tuple[Break, ...]:
    """Gives what validates through this store now and would not without the certificate: identities, peers, CAs."""
    node = next((node for node in surroundings.nodes if node.name == local), None)
    present = members(tx, surroundings, store, node)
    subjects = [*_identities(tx, surroundings, store, local), *_entries(present, store, local)]
    return breaks(subjects, before=present, removed={fingerprint})


def _identities(tx: Transaction, surroundings: Surroundings, store: StoreName, local: NodeName | None) -> list[Subject]:
    found = []
    for version in tx.identities.all_current():
        purpose = surroundings.catalog.purposes.get(version.purpose)
        vouching = (
            {purpose.store, *surroundings.catalog.stores[purpose.store].also_copied_to}
            if purpose and purpose.store
            else set()
        )
        if store not in vouching or (local is not None and version.node != local):
            continue
        certificates = tx.certificates.many((version.fingerprint, *version.chain))
        if version.fingerprint in certificates:
            sent: tuple[CertificateFacts, ...] = tuple(
                certificates[item] for item in version.chain if item in certificates
            )
            found.append(
                Subject(
                    kind="identity",
                    entry=identity_key(version.purpose, version.node),
                    node=version.node,
                    certificate=certificates[version.fingerprint],
                    sent=sent,
                )
            )
    return found


def _entries(present: Sequence[CertificateFacts], store: StoreName, local: NodeName | None) -> list[Subject]:
    return [
        Subject(
            kind="store-entry" if facts.is_ca else "pinned-peer",
            entry=trust_key(store, facts.fingerprint, local),
            node=local,
            certificate=facts,
        )
        for facts in present
    ]
