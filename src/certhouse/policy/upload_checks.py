"""Why a certificate may not become a purpose's identity: every reason at once.

Sources: manual, Third-Party Certificate Authority Certificates and Certificate Signing Request Key Usage Extensions;
RFC 5280 sections 4.2.1.3, 4.2.1.6, 4.2.1.9 and 4.2.1.12.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from certhouse.catalog.rows import Purpose
from certhouse.errors import Fault
from certhouse.vocabulary import KeyType
from certhouse.x509.facts import CertificateFacts
from certhouse.x509.path import missing_issuer

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
_WEAK_HASHES = ("sha1", "md5", "md2", "md4")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFor:
    """What the CSR, or the adopted key, fixes. ``sans`` is None where no CSR says which names there must be."""

    sans: frozenset[str] | None


def check_identity(
    leaf: CertificateFacts,
    chain: tuple[CertificateFacts, ...],
    *,
    purpose: Purpose,
    asked: AskedFor | None,
    waiting: str,
    current: str | None,
    now: datetime,
) -> tuple[Fault, ...]:
    """Gives everything that speaks against ``leaf``.

    ``chain`` starts with the leaf and goes as far as issuers are known. ``asked`` is None when no key on the node and
    none in the upload fits; then ``waiting`` says what CSR is waiting, or is empty. ``current`` is the fingerprint of
    the identity in use.
    """
    return (
        *_key_faults(leaf, purpose, asked, waiting),
        *_san_faults(leaf, purpose, asked),
        *_usage_faults(leaf, purpose),
        *_signature_faults(chain, purpose),
        *_validity_faults(chain, now),
        *_issuer_faults(chain),
        *_duplicate_faults(leaf, current),
    )


def _key_faults(leaf: CertificateFacts, purpose: Purpose, asked: AskedFor | None, waiting: str) -> Iterator[Fault]:
    if asked is None and waiting:
        yield Fault(
            code="key-mismatch",
            detail=f"the certificate's public key is not that of any CSR of {purpose.name}",
            found=leaf.key_id,
            expected=waiting,
            remedy="upload the certificate that was issued for this CSR, or add the private key it belongs to",
        )
    elif asked is None:
        yield Fault(
            code="no-csr",
            detail=f"there is no CSR for {purpose.name}, and no key for this certificate",
            found=leaf.key_id,
            expected="a waiting CSR, or the private key in the upload",
            remedy=f"generate a CSR for {purpose.name} and have it signed, or upload the certificate together with its key",
        )
    if leaf.key_type is not purpose.key_type:
        yield Fault(
            code="key-type",
            detail=f"{purpose.name} needs another type of key",
            found=leaf.key_type,
            expected=purpose.key_type,
            remedy="choose the purpose that fits the key",
        )
    elif leaf.key_length < min(purpose.key_lengths):
        yield Fault(
            code="key-too-short",
            detail="the key is too short",
            found=f"{leaf.key_length} bits",
            expected=f"{min(purpose.key_lengths)} bits or more",
            remedy="generate a CSR with a longer key",
        )


def _san_faults(leaf: CertificateFacts, purpose: Purpose, asked: AskedFor | None) -> Iterator[Fault]:
    have = frozenset(san.value.lower() for san in leaf.sans)
    if asked is not None and asked.sans is not None:
        want = frozenset(name.lower() for name in asked.sans)
        for name in sorted(want - have):
            yield Fault(
                code="san-dropped",
                detail=f"the CA dropped the name {name}",
                found=", ".join(sorted(have)),
                expected=", ".join(sorted(want)),
                remedy="ask the CA to keep the names of the CSR, or generate a CSR without this name",
            )
        for name in sorted(have - want):
            yield Fault(
                code="san-added",
                detail=f"the CA added the name {name}",
                found=", ".join(sorted(have)),
                expected=", ".join(sorted(want)),
                remedy="ask the CA to keep the names of the CSR, or generate a CSR with this name",
            )
    wildcards = sorted({name for name in (*have, leaf.common_name) if name.startswith("*")})
    if wildcards and not purpose.wildcard_allowed:
        yield Fault(
            code="wildcard",
            detail=f"{purpose.name} takes no wildcard names",
            found=", ".join(wildcards),
            expected="full host names",
            remedy="have a certificate issued for the host names themselves",
        )


def _usage_faults(leaf: CertificateFacts, purpose: Purpose) -> Iterator[Fault]:
    usages = leaf.key_usage or frozenset()
    found = ", ".join(sorted(usages)) or "no key usage extension"
    for usage in purpose.key_usage:
        if usage in usages:
            continue
        if usage in purpose.preserved_key_usage:
            yield Fault(
                code="key-usage-removed",
                detail=f"the CA removed the key usage {usage}, which must stay",
                found=found,
                expected=", ".join(purpose.key_usage),
                remedy="have the CA sign with the key usages of the CSR",
            )
        else:
            yield Fault(
                code="key-usage-missing",
                detail=f"the key usage {usage} is missing",
                found=found,
                expected=", ".join(purpose.key_usage),
                remedy="have the CA sign with the key usages of the CSR",
            )
    extended = leaf.extended_key_usage or frozenset()
    found = ", ".join(sorted(extended)) or "no extended key usage extension"
    for oid in purpose.extended_key_usage:
        if oid in extended:
            continue
        if oid == CLIENT_AUTH and SERVER_AUTH in extended:
            yield Fault(
                code="client-auth-missing",
                detail=f"{purpose.name} also logs in as a TLS client, and the certificate is for servers only",
                found=found,
                expected=", ".join(purpose.extended_key_usage),
                remedy="public CAs have stopped issuing client authentication: use a private CA for this purpose",
            )
        else:
            yield Fault(
                code="extended-key-usage-missing",
                detail=f"the extended key usage {oid} is missing",
                found=found,
                expected=", ".join(purpose.extended_key_usage),
                remedy="have the CA sign with the extended key usages of the CSR",
            )


def _signature_faults(chain: tuple[CertificateFacts, ...], purpose: Purpose) -> Iterator[Fault]:
    for certificate in chain:
        # A root is trusted as given: its signature over itself says nothing (RFC 5280 section 6.1).
        if certificate.self_signed and certificate is not chain[0]:
            continue
        algorithm = certificate.signature_algorithm
        if any(weak in algorithm.lower().replace("-", "") for weak in _WEAK_HASHES):
            yield Fault(
                code="weak-hash",
                detail=f"the signature on {certificate.common_name or certificate.subject} uses a broken hash",
                found=algorithm,
                expected="SHA-256 or better",
                remedy="have it issued with SHA-256",
            )
    leaf = chain[0]
    kind = signature_key_type(leaf.signature_algorithm)
    if kind not in purpose.signature_key_types:
        yield Fault(
            code="signature-algorithm",
            detail=f"{purpose.name} takes no certificate that was signed this way",
            found=leaf.signature_algorithm,
            expected=" or ".join(purpose.signature_key_types),
            remedy="have it signed by a CA with a key of the expected type",
        )


def signature_key_type(algorithm: str) -> KeyType:
    """Gives the type of key that makes signatures of this name."""
    lowered = algorithm.lower()
    if "ecdsa" in lowered:
        return KeyType.EC
    return KeyType.RSA if "rsa" in lowered else KeyType.OTHER


def _validity_faults(chain: tuple[CertificateFacts, ...], now: datetime) -> Iterator[Fault]:
    for certificate in chain:
        name = certificate.common_name or certificate.subject
        if now > certificate.not_after:
            yield Fault(
                code="expired",
                detail=f"{name} has expired",
                found=certificate.not_after.isoformat(),
                expected=f"after {now.isoformat(timespec='seconds')}",
                remedy="have a new one issued",
            )
        elif now < certificate.not_before:
            yield Fault(
                code="not-yet-valid",
                detail=f"{name} is not valid yet",
                found=certificate.not_before.isoformat(),
                expected=f"before {now.isoformat(timespec='seconds')}",
                remedy="wait until then, and check that this machine's clock is right",
            )


def _issuer_faults(chain: tuple[CertificateFacts, ...]) -> Iterator[Fault]:
    missing = missing_issuer(chain)
    if missing is not None:
        yield Fault(
            code="issuer-missing",
            detail=f"the certificate of the CA {missing} is neither in the upload nor in the trust store",
            found="no such certificate",
            expected=missing,
            remedy="upload it too, in the same file or to the trust store before",
        )
    for depth, issuer in enumerate(chain[1:]):
        name = issuer.common_name or issuer.subject
        if not issuer.is_ca or (issuer.key_usage is not None and "keyCertSign" not in issuer.key_usage):
            yield Fault(
                code="issuer-not-a-ca",
                detail=f"{name} issued a certificate of this chain and is not a CA",
                found="CA:FALSE or no keyCertSign",
                expected="CA:TRUE with keyCertSign",
                remedy="get the chain from the CA again",
            )
        elif issuer.path_length is not None and issuer.path_length < depth:
            yield Fault(
                code="path-too-long",
                detail=f"{name} allows fewer CAs below it than there are",
                found=str(depth),
                expected=f"at most {issuer.path_length}",
                remedy="get the chain from the CA again",
            )


def _duplicate_faults(leaf: CertificateFacts, current: str | None) -> Iterator[Fault]:
    if leaf.fingerprint == current:
        yield Fault(
            code="duplicate",
            detail="this certificate is in use already",
            found=leaf.fingerprint,
            expected="another certificate",
            remedy="nothing is to be done",
        )
