"""The catalog in force, and the administrators' own rows."""

from datetime import datetime

from certhouse.catalog.rows import Catalog
from certhouse.model.change import Change, Plan
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import current_catalog
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeKind


def show_catalog(*, store: Store) -> Catalog:
    with store.read() as tx:
        return current_catalog(tx)


def check_catalog(text: str, *, store: Store, name: str = "catalog") -> Catalog:
    """Gives what the catalog would be with these rows. Raises Refused, each fault with its line."""
    with store.read() as tx:
        return current_catalog(tx).with_text(name, text)


def apply_catalog(
    name: str, text: str, *, store: Store, clock: Clock, ids: Ids, bell: Bell, actor: str, dry_run: bool = False
) -> Change:
    """Puts the administrators' own rows in force, in place of what ``name`` held before."""

    def decide(tx: Transaction, now: datetime) -> Decision:
        before = current_catalog(tx)
        after = before.with_text(name, text)
        added = [
            f"{kind} {row}"
            for kind, old, new in (
                ("purpose", before.purposes, after.purposes),
                ("store", before.stores, after.stores),
                ("service", before.services, after.services),
                ("setting", before.settings, after.settings),
            )
            for row in new
            if row not in old
        ]

        def effect(tx: Transaction) -> None:
            tx.settings.set_own_catalog(name, text)
            tx.nodes.raise_revision()

        plan = Plan(
            kind=ChangeKind.CATALOG,
            summary=f"catalog {name}: " + (", ".join(added) if added else "rows changed, none added"),
            steps=(),
            facts={"catalog": name, "text": text, "former": tx.settings.own_catalogs().get(name, "")},
        )
        return Decision(plan=plan, effect=effect)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)
