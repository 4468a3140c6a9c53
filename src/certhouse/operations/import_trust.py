"""Bulk import into a trust store: many certificates in batches, each batch all or nothing."""

from dataclasses import dataclass
from datetime import datetime

from certhouse.errors import NotFound, Refused
from certhouse.model.change import Change
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import look_around
from certhouse.operations.trust_stores import decide_trust_import
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeKind, NodeName, StoreName
from certhouse.x509.material import read_material

LARGEST_BATCH = 1000
"""Certificates; larger imports come in several batches, so that no transaction holds the database for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTrust:
    store: StoreName
    files: tuple[bytes, ...]
    node: NodeName | None = None
    description: str = ""


def import_trust(
    command: ImportTrust, *, store: Store, clock: Clock, ids: Ids, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Imports one batch. Raises Refused with the faults of every certificate of the batch that cannot enter."""
    material = read_material(command.files, max_bytes=LARGEST_BATCH * 16_384, max_certificates=LARGEST_BATCH)
    if material.faults:
        raise Refused(material.faults)

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx)
        if command.store not in surroundings.catalog.stores:
            raise NotFound(
                f"there is no trust store {command.store}; there are: {', '.join(surroundings.catalog.stores)}"
            )
        return decide_trust_import(
            tx,
            surroundings,
            command.store,
            material.certificates,
            node=command.node,
            description=command.description,
            now=now,
            kind=ChangeKind.IMPORT_TRUST,
        )

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)
