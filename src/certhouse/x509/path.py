"""From a certificate up to its root, as far as the known issuers go."""

from collections import defaultdict
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from certhouse.x509.facts import CertificateFacts
from certhouse.x509.signature import verify_signature

MOST_SIGNATURES = 200
"""Signatures that one search checks: many CAs of one name and key must not keep it busy."""

DEEPEST = 16


def issued(issuer: CertificateFacts, subject: CertificateFacts) -> bool:
    """Says whether the issuer's key made the subject's signature, and the names agree (RFC 5280 section 6.1.3)."""
    if subject.issuer_key != issuer.subject_key:
        return False
    try:
        key = x509.load_der_x509_certificate(issuer.der).public_key()
        certificate = x509.load_der_x509_certificate(subject.der)
        verify_signature(certificate, key)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def build_chain(leaf: CertificateFacts, candidates: Iterable[CertificateFacts]) -> tuple[CertificateFacts, ...]:
    """Gives the chain, leaf first. Of several it is one that ends in a self-signed root, else the longest.

    Signatures are checked; validity and constraints are not (a preview shows expired chains too). Each certificate
    appears once, cross-signed CAs are tried in turn, and the work is bounded.
    """
    by_subject: dict[str, list[CertificateFacts]] = defaultdict(list)
    seen = {leaf.fingerprint}
    for candidate in candidates:
        if candidate.fingerprint not in seen:
            seen.add(candidate.fingerprint)
            by_subject[candidate.subject_key].append(candidate)
    for issuers in by_subject.values():
        # Roots first, then what is valid longest: the usual answer is found without a detour.
        issuers.sort(key=lambda facts: (not facts.self_signed, -facts.not_after.timestamp()))
    budget = [MOST_SIGNATURES]
    return max(_chains(leaf, (leaf,), by_subject, budget), key=lambda chain: (chain[-1].self_signed, len(chain)))


def _chains(
    last: CertificateFacts,
    chain: tuple[CertificateFacts, ...],
    by_subject: dict[str, list[CertificateFacts]],
    budget: list[int],
) -> Iterable[tuple[CertificateFacts, ...]]:
    found = [chain]
    if last.self_signed or len(chain) >= DEEPEST:
        return found
    for issuer in by_subject.get(last.issuer_key, ()):
        if issuer in chain or budget[0] <= 0:
            continue
        if last.authority_key_identifier and issuer.subject_key_identifier not in ("", last.authority_key_identifier):
            continue
        budget[0] -= 1
        if not issued(issuer, last):
            continue
        longer = list(_chains(issuer, (*chain, issuer), by_subject, budget))
        found.extend(longer)
        if any(candidate[-1].self_signed for candidate in longer):
            return found
    return found


def missing_issuer(chain: tuple[CertificateFacts, ...]) -> str | None:
    """Gives the name of the CA whose certificate is missing, or None if the chain ends in a self-signed root."""
    return None if chain[-1].self_signed else chain[-1].issuer
