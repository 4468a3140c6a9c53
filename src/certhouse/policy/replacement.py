"""What happens to the identity that another one replaces."""

from collections.abc import Iterable

from certhouse.catalog.rows import Catalog, Purpose
from certhouse.errors import Fault
from certhouse.model.change import Change, Step
from certhouse.model.identity import IdentityVersion
from certhouse.model.node import Node
from certhouse.policy.plan import Surroundings, trust_steps
from certhouse.vocabulary import StepAction
from certhouse.x509.facts import CertificateFacts


def leaving_self_signed(
    surroundings: Surroundings, purpose: Purpose, node: Node, former: CertificateFacts | None
) -> tuple[Step, ...]:
    """Gives the last steps of a replacement: the former self-signed certificate leaves the trust stores (design section 4).

    Only what entered as this identity's own copy leaves; what a person put there stays.
    """
    if former is None or purpose.store is None or not former.self_signed:
        return ()
    facts = {"fingerprints": former.fingerprint, "origin": purpose.name}
    return tuple(
        step
        for store, local in surroundings.stores_for(purpose.store, node)
        for step in trust_steps(surroundings, StepAction.REMOVE_TRUST, store, local, facts)
    )


def one_at_a_time(catalog: Catalog, purpose: Purpose, unfinished: Iterable[Change]) -> tuple[Fault, ...]:
    """Gives a fault for each change that has to end before this purpose may change (the catalog's forbidden rows)."""
    return tuple(
        Fault(
            code="one-at-a-time",
            detail=f"{purpose.name} and {other} must not change at the same time: {row.reason}",
            found=f"{change.id} ({change.summary}) is not finished",
            expected="one of them at a time",
            remedy=f"end it (certhouse change show {change.id}), tick off its follow-ups (certhouse follow-up list)",
        )
        for row in catalog.forbidden
        if purpose.name in row.purposes
        for change in unfinished
        if (other := change.facts.get("purpose", "")) in row.purposes and other != purpose.name
    )


def overwrite_warnings(
    purpose: Purpose, node: Node, current: IdentityVersion | None, former: CertificateFacts | None
) -> tuple[str, ...]:
    """Gives what a preview says of the identity that will be replaced (manual, Regenerate a Certificate, caution)."""
    if current is None or former is None:
        return ()
    issued = "self-signed certificate" if former.self_signed else f"certificate signed by {former.issuer}"
    until = former.not_after.isoformat(timespec="minutes")
    return (
        f"replaces the {issued} of {purpose.name} on {node.name} (valid until {until}); it stays as version {current.number}",
    )
