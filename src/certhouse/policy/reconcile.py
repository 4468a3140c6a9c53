"""From what a node should have and what it has to what it does: pure, and the same on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass

from certhouse.model.node import DesiredIdentity, DesiredState, ObservedState
from certhouse.vocabulary import PurposeName, StoreName


@dataclass(frozen=True, slots=True)
class InstallStore:
    store: StoreName
    digest: str


@dataclass(frozen=True, slots=True)
class InstallIdentity:
    identity: DesiredIdentity
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RemoveIdentity:
    purpose: PurposeName


Action = InstallStore | InstallIdentity | RemoveIdentity


def is_older(desired: DesiredState, observed: ObservedState) -> bool:
    """Says whether a state is older than the one the node has: then it is reported and not obeyed (design section 2)."""
    return (desired.epoch, desired.revision) < (observed.epoch, observed.revision)


def reconcile(
    desired: DesiredState, observed: ObservedState, fingerprints: Mapping[PurposeName, str]
) -> tuple[Action, ...]:
    """Gives the ordered difference: trust before identities, removals last.

    ``fingerprints`` are those of the desired certificates. A store that is desired no
    longer is left as it is: nobody may lose trust because a row of a catalog went.
    """
    actions: list[Action] = [
        InstallStore(store.store, store.digest)
        for store in desired.stores
        if observed.stores.get(store.store) != store.digest
    ]
    seen = {identity.purpose: identity for identity in observed.identities}
    for identity in desired.identities:
        wanted, have = fingerprints[identity.purpose], seen.get(identity.purpose)
        if have is None or have.fingerprint != wanted or have.key_id != identity.key_id or not have.key_fits:
            actions.append(InstallIdentity(identity, wanted))
    kept = {identity.purpose for identity in desired.identities}
    actions.extend(RemoveIdentity(purpose) for purpose in seen if purpose not in kept)
    return tuple(actions)
