"""What may enter a trust store.

CA certificates, and end entities that are trusted for themselves alone (a peer's self-signed identity: manual,
Troubleshoot Certificate Errors, step 5). Names do not identify, fingerprints do: another certificate of the same name
is kept beside the first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from certhouse.errors import Fault
from certhouse.vocabulary import KeyId, KeyType, PurposeName, StoreName
from certhouse.x509.facts import CertificateFacts


def check_trust(
    certificates: Sequence[CertificateFacts],
    *,
    store: StoreName,
    known: Sequence[CertificateFacts],
    waiting: Mapping[KeyId, PurposeName],
    now: datetime,
) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    """Gives all faults, and the warnings for what is unusual and allowed. ``waiting`` are the keys of waiting CSRs."""
    faults: list[Fault] = []
    warnings: list[str] = []
    there = {member.fingerprint for member in known}
    names = {member.subject_key for member in known}
    for facts in certificates:
        name = facts.common_name or facts.subject
        if facts.key_id in waiting:
            faults.append(
                Fault(
                    code="identity-in-trust-store",
                    detail=f"{name} was issued for the CSR of {waiting[facts.key_id]}",
                    found=store,
                    expected=waiting[facts.key_id],
                    remedy=f"upload it to {waiting[facts.key_id]}; CA certificates may be in the same file",
                )
            )
        if now > facts.not_after:
            faults.append(
                Fault(
                    code="expired",
                    detail=f"{name} has expired",
                    found=facts.not_after.isoformat(),
                    expected=f"after {now.isoformat(timespec='seconds')}",
                    remedy="get the CA's present certificate",
                )
            )
        if facts.key_type is KeyType.RSA and facts.key_length < 2048:
            faults.append(
                Fault(
                    code="key-too-short",
                    detail=f"the key of {name} is too short",
                    found=f"{facts.key_length} bits",
                    expected="2048 bits or more",
                    remedy="get a certificate with a longer key",
                )
            )
        if now < facts.not_before:
            warnings.append(f"{name} is not valid before {facts.not_before.isoformat(timespec='minutes')}")
        if not facts.is_ca and not facts.self_signed:
            warnings.append(f"{name} is not a CA: {store} will trust this one certificate and nothing it signs")
        if facts.fingerprint not in there and facts.subject_key in names:
            warnings.append(f"another certificate named {name} is in {store} already; both are kept")
    return tuple(faults), tuple(warnings)
