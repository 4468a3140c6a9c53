"""What happens to the identity that another one replaces."""

from certhouse.catalog.rows import Purpose
from certhouse.model.change import Step
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
