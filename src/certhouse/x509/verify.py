"""Whether a chain is valid: RFC 5280 section 6.1 without policies and revocation, and names as RFC 9525 has them.

The library's own verifier is stricter than RFC 5280 in some places and knows fewer name constraints
(docs/conformance.md compares them); it has no way to trust an anchor as given. Signatures are the library's.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from certhouse.errors import Fault
from certhouse.vocabulary import Fingerprint
from certhouse.x509.facts import CertificateFacts
from certhouse.x509.name_constraints import NameConstraints, UnusableConstraintError
from certhouse.x509.signature import BROKEN_HASHES, hash_name, verify_signature

MOST_SIGNATURES = 100
"""Signatures one verification checks before it gives up."""

DEEPEST = 16
"""CAs between leaf and anchor."""

SHORTEST_RSA = 2048

_PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE

# Critical extensions that are processed, or whose meaning does not touch the path's validity here.
_KNOWN = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.INHIBIT_ANY_POLICY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``path`` is leaf first, anchor last, and empty unless valid. ``faults`` are those of the best path there was."""

    valid: bool
    faults: tuple[Fault, ...] = ()
    path: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    at: datetime
    eku: str
    allow_sha1: bool


class _Fault(Exception):  # carries a fault out of one candidate path; never leaves this module
    def __init__(self, code: str, detail: str, depth: int) -> None:
        self.fault = Fault(code=code, detail=detail)
        self.depth = depth
        super().__init__(detail)


def verify_chain(
    leaf: CertificateFacts,
    intermediates: Iterable[CertificateFacts],
    anchors: Iterable[CertificateFacts],
    *,
    at: datetime,
    dns_name: str | None = None,
    ip: str | None = None,
    eku: str = "server",
    allow_sha1: bool = False,
) -> Verdict:
    """Says whether the leaf chains to an anchor at a time (aware).

    An anchor is trusted as given: self-signed or not, a leaf too, its own signature unchecked (RFC 5280 section 6.1.1
    (d)); its validity and the constraints it carries are honoured. ``eku`` is server, client or any. SHA-1 signatures
    are refused unless allowed, MD5 always. Certificates have whole seconds, so a fraction in ``at`` does not count.
    """
    wanted = _Wanted(at=at.replace(microsecond=0), eku=eku, allow_sha1=allow_sha1)
    loaded = x509.load_der_x509_certificate(leaf.der)
    faults = [*_name_faults(leaf, dns_name, ip), *_leaf_faults(leaf, loaded, wanted)]
    trusted = {anchor.fingerprint: anchor for anchor in anchors}
    if leaf.fingerprint in trusted:
        return Verdict(valid=not faults, faults=tuple(faults), path=() if faults else (leaf.fingerprint,))
    search = _Search(wanted, trusted, intermediates)
    path = search.find(leaf, loaded)
    if path is None:
        faults.insert(0, search.best_fault())
    return Verdict(valid=not faults, faults=tuple(faults), path=() if faults or path is None else path)


class _Search:
    """Depth first from the leaf up: a path is judged from the anchor down once it is whole."""

    def __init__(
        self, wanted: _Wanted, trusted: dict[Fingerprint, CertificateFacts], intermediates: Iterable[CertificateFacts]
    ) -> None:
        self._wanted = wanted
        self._trusted = trusted
        self._signatures = MOST_SIGNATURES
        self._fault: _Fault | None = None
        self._loaded: dict[Fingerprint, x509.Certificate] = {}
        self._checked: dict[tuple[Fingerprint, Fingerprint], _Fault | None] = {}
        self._by_subject: dict[str, list[CertificateFacts]] = defaultdict(list)
        for facts in trusted.values():
            self._by_subject[facts.subject_key].append(facts)
        for facts in intermediates:
            if facts.fingerprint not in trusted:
                self._by_subject[facts.subject_key].append(facts)

    def find(self, leaf: CertificateFacts, loaded: x509.Certificate) -> tuple[Fingerprint, ...] | None:
        self._loaded[leaf.fingerprint] = loaded
        return self._up((leaf,))

    def best_fault(self) -> Fault:
        if self._signatures <= 0:
            return Fault(code="search-limit", detail="there are too many possible chains to try them all")
        return self._fault.fault if self._fault else Fault(code="no-path", detail="no path leads to an anchor")

    def _certificate(self, facts: CertificateFacts) -> x509.Certificate:
        known = self._loaded.get(facts.fingerprint)
        if known is None:
            known = self._loaded[facts.fingerprint] = x509.load_der_x509_certificate(facts.der)
        return known

    def _up(self, path: tuple[CertificateFacts, ...]) -> tuple[Fingerprint, ...] | None:
        last = path[-1]
        candidates = self._by_subject.get(last.issuer_key, ())
        if not candidates:
            self._remember(_Fault("issuer-missing", f"the certificate of the CA {last.issuer} is missing", len(path)))
        for issuer in candidates:
            anchored = issuer.fingerprint in self._trusted
            if not anchored and (issuer in path or len(path) > DEEPEST):
                continue
            if any(issuer.key_id == member.key_id and issuer.subject_key == member.subject_key for member in path[1:]):
                continue
            try:
                self._link(issuer, last, len(path), anchored)
                if anchored:
                    self._judge((*path, issuer))
            except _Fault as fault:
                self._remember(fault)
                continue
            if anchored:
                return tuple(member.fingerprint for member in (*path, issuer))
            found = self._up((*path, issuer))
            if found is not None:
                return found
        return None

    def _remember(self, fault: _Fault) -> None:
        if self._fault is None or fault.depth > self._fault.depth:
            self._fault = fault

    def _link(self, issuer: CertificateFacts, subject: CertificateFacts, depth: int, anchored: bool) -> None:
        """Checks what speaks of two neighbours alone; remembered, since paths share them."""
        key = (issuer.fingerprint, subject.fingerprint)
        if key not in self._checked:
            try:
                self._check_link(issuer, subject, depth, anchored)
                self._checked[key] = None
            except _Fault as fault:
                self._checked[key] = fault
        known = self._checked[key]
        if known is not None:
            raise known

    def _check_link(self, issuer: CertificateFacts, subject: CertificateFacts, depth: int, anchored: bool) -> None:
        if self._signatures <= 0:
            raise _Fault("search-limit", "too many signatures", depth)
        certificate = self._certificate(issuer)
        self._check_issuer(issuer, certificate, depth, anchored)
        self._signatures -= 1
        _check_signature(self._certificate(subject), subject, certificate, self._wanted, depth)

    def _check_issuer(
        self, issuer: CertificateFacts, certificate: x509.Certificate, depth: int, anchored: bool
    ) -> None:
        name = issuer.common_name or issuer.subject
        # An old root of version 1 has no extensions to say that it is a CA; being an anchor says it.
        exempt = anchored and certificate.version is x509.Version.v1
        if not certificate.subject.rdns:
            raise _Fault("issuer-name", "a CA of the chain has an empty name", depth)
        if not exempt and not issuer.is_ca:
            raise _Fault("issuer-not-a-ca", f"{name} issued a certificate and is not a CA", depth)
        if issuer.key_usage is not None and "keyCertSign" not in issuer.key_usage:
            raise _Fault("issuer-not-a-ca", f"{name} issued a certificate and may not sign any", depth)
        for fault in _own_faults(issuer, certificate, self._wanted):
            raise _Fault(fault.code, fault.detail, depth)
        if self._wanted.eku != "any" and not _serves(issuer.extended_key_usage, self._wanted.eku):
            raise _Fault("extended-key-usage", f"{name} is not a CA for this purpose", depth)

    def _judge(self, path: tuple[CertificateFacts, ...]) -> None:
        """Walks a whole path from the anchor down: path lengths and name constraints (RFC 5280 sections 6.1.4, 6.1.5)."""
        constraints = NameConstraints()
        left = DEEPEST
        for position in range(len(path) - 1, -1, -1):
            facts, certificate = path[position], self._certificate(path[position])
            is_anchor, is_leaf = position == len(path) - 1, position == 0
            if not is_anchor and (is_leaf or not facts.self_issued):
                try:
                    offending = constraints.offending(certificate)
                except UnusableConstraintError as error:
                    raise _Fault("name-constraints", str(error), len(path)) from error
                if offending is not None:
                    raise _Fault(
                        "name-constraints",
                        f"the name {offending} is outside what a CA of the chain may vouch for",
                        len(path),
                    )
            if is_leaf:
                return
            if not is_anchor and not facts.self_issued:
                if left <= 0:
                    raise _Fault("path-too-long", "the chain has more CAs than one of them allows below it", len(path))
                left -= 1
            if facts.path_length is not None and facts.is_ca:
                left = min(left, facts.path_length)
            for extension in certificate.extensions:
                if isinstance(extension.value, x509.NameConstraints):
                    constraints.add(extension.value)


def _check_signature(
    certificate: x509.Certificate, facts: CertificateFacts, issuer: x509.Certificate, wanted: _Wanted, depth: int
) -> None:
    name = facts.common_name or facts.subject
    algorithm = hash_name(certificate)
    if algorithm in BROKEN_HASHES or (algorithm == "sha1" and not wanted.allow_sha1):
        raise _Fault("weak-hash", f"the signature on {name} uses {algorithm}", depth)
    try:
        verify_signature(certificate, issuer.public_key())
    except InvalidSignature:
        raise _Fault("signature", f"the signature on {name} is not its issuer's", depth) from None
    except (UnsupportedAlgorithm, ValueError, TypeError):
        raise _Fault("signature", f"the signature on {name} cannot be checked", depth) from None


def _serves(extended: frozenset[str] | None, eku: str) -> bool:
    return extended is None or _PURPOSES[eku].dotted_string in extended or _ANY.dotted_string in extended


def _own_faults(facts: CertificateFacts, certificate: x509.Certificate, wanted: _Wanted) -> Iterator[Fault]:
    """Gives what a certificate is at fault with by itself, be it leaf or CA."""
    name = facts.common_name or facts.subject or facts.fingerprint
    if wanted.at > facts.not_after:
        yield Fault(
            code="expired", detail=f"{name} expired on {facts.not_after.isoformat()}", found=facts.not_after.isoformat()
        )
    if wanted.at < facts.not_before:
        yield Fault(code="not-yet-valid", detail=f"{name} is not valid before {facts.not_before.isoformat()}")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        yield Fault(
            code="key-too-short", detail=f"the RSA key of {name} has {key.key_size} bits, fewer than {SHORTEST_RSA}"
        )
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN:
            yield Fault(
                code="critical-extension",
                detail=f"{name} has the unknown critical extension {extension.oid.dotted_string}",
            )
    if certificate.version is x509.Version.v1 and len(certificate.extensions):
        yield Fault(code="version", detail=f"{name} is of version 1 and has extensions")


def _leaf_faults(facts: CertificateFacts, certificate: x509.Certificate, wanted: _Wanted) -> Iterator[Fault]:
    yield from _own_faults(facts, certificate, wanted)
    if wanted.eku != "any" and not _serves(facts.extended_key_usage, wanted.eku):
        yield Fault(
            code="extended-key-usage",
            detail=f"the certificate is not for TLS {wanted.eku}s",
            found=", ".join(sorted(facts.extended_key_usage or ())),
            expected=_PURPOSES[wanted.eku].dotted_string,
        )


def _name_faults(facts: CertificateFacts, dns_name: str | None, ip: str | None) -> Iterator[Fault]:
    names = [san.value for san in facts.sans if san.kind == "dns"]
    addresses = [san.value for san in facts.sans if san.kind == "ip"]
    if dns_name is not None and not any(matches(name, dns_name) for name in names):
        yield Fault(
            code="name", detail=f"the certificate is not for {dns_name}", found=", ".join(names), expected=dns_name
        )
    if ip is not None:
        try:
            wanted = str(ipaddress.ip_address(ip))
        except ValueError:
            wanted = ip
        if wanted not in addresses:
            yield Fault(code="name", detail=f"the certificate is not for {ip}", found=", ".join(addresses), expected=ip)


def matches(presented: str, wanted: str) -> bool:
    """Says whether a DNS name of a certificate is the wanted one; ``*`` stands for one whole leftmost label (RFC 9525
    section 6.3), and not for a name's last two."""
    presented, wanted = presented.lower().rstrip("."), wanted.lower().rstrip(".")
    if "*" not in presented:
        return presented == wanted
    label, _, rest = presented.partition(".")
    first, _, other = wanted.partition(".")
    return label == "*" and "." in rest and bool(first) and "*" not in rest and other == rest
