"""What there is to know of a certificate, read once and whole."""

import hashlib
import warnings
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from certhouse.errors import Fault, Unreadable
from certhouse.vocabulary import Fingerprint, KeyId, KeyType
from certhouse.x509.names import common_name, name_key

LARGEST = 65_536
"""Bytes of one certificate. Real ones have one to four thousand."""

# Public roots with odd serials exist and have to be shown; the library warns at each of them.
warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")

_USAGES = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "contentCommitment"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)
# OpenSSL refuses larger exponents with large moduli; a verifier could be kept busy with them.
_LONGEST_EXPONENT = 64


@dataclass(frozen=True, slots=True)
class San:
    """A subject alternative name. ``kind`` is dns, ip, uri, email or other; ``value`` has no prefix."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """A certificate's facts. ``key_usage`` (RFC 5280 names) and ``extended_key_usage`` (OIDs) are None where absent.

    ``subject_key`` and ``issuer_key`` are equal for names that RFC 5280 section 7.1 calls equal. ``key_length`` is
    bits. ``serial`` is hexadecimal, with a minus sign where the encoding is negative. Times are aware, UTC.
    """

    der: bytes
    fingerprint: Fingerprint
    common_name: str
    subject: str
    issuer: str
    subject_key: str
    issuer_key: str
    serial: str
    not_before: datetime
    not_after: datetime
    key_type: KeyType
    key_length: int
    key_id: KeyId
    signature_algorithm: str
    sans: tuple[San, ...]
    is_ca: bool
    path_length: int | None
    self_issued: bool
    self_signed: bool
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str] | None
    subject_key_identifier: str
    authority_key_identifier: str

    def fingerprints(self) -> dict[str, str]:
        """Gives SHA-256, SHA-1 and SHA-512 over the DER, hexadecimal."""
        return {
            "sha256": self.fingerprint,
            "sha1": hashlib.sha1(self.der, usedforsecurity=False).hexdigest(),
            "sha512": hashlib.sha512(self.der).hexdigest(),
        }


def fingerprint_of(der: bytes) -> Fingerprint:
    return Fingerprint(hashlib.sha256(der).hexdigest())


def unreadable(what: str, detail: str, remedy: str = "") -> Unreadable:
    return Unreadable(
        Fault(code=f"{what}-unreadable", detail=f"the {what.replace('-', ' ')} cannot be read: {detail}", remedy=remedy)
    )


def sans_of(value: x509.SubjectAlternativeName) -> tuple[San, ...]:
    """Gives the names of a SAN extension in their order, each once."""
    sans: dict[San, None] = {}
    for name in value:
        match name:
            case x509.DNSName():
                sans[San("dns", name.value)] = None
            case x509.IPAddress():
                sans[San("ip", str(name.value))] = None
            case x509.UniformResourceIdentifier():
                sans[San("uri", name.value)] = None
            case x509.RFC822Name():
                sans[San("email", name.value)] = None
            case x509.DirectoryName():
                sans[San("other", name.value.rfc4514_string())] = None
            case x509.RegisteredID():
                sans[San("other", name.value.dotted_string)] = None
            case x509.OtherName():
                sans[San("other", f"{name.type_id.dotted_string}#{name.value.hex()}")] = None
    return tuple(sans)


def key_facts(key: object) -> tuple[KeyType, int]:
    """Gives a public key's type and length in bits. Raises ValueError for an RSA exponent that is out of bounds."""
    match key:
        case rsa.RSAPublicKey():
            exponent = key.public_numbers().e
            if exponent.bit_length() > _LONGEST_EXPONENT or exponent < 3 or exponent % 2 == 0:
                raise ValueError(f"the RSA exponent of {exponent.bit_length()} bits is out of bounds")
            return KeyType.RSA, key.key_size
        case ec.EllipticCurvePublicKey():
            return KeyType.EC, key.key_size
        case ed25519.Ed25519PublicKey():
            return KeyType.OTHER, 256
        case ed448.Ed448PublicKey():
            return KeyType.OTHER, 456
        case dsa.DSAPublicKey():
            return KeyType.OTHER, key.key_size
        case _:
            return KeyType.OTHER, 0


def usages_of(usage: x509.KeyUsage) -> frozenset[str]:
    names = {name for attribute, name in _USAGES if getattr(usage, attribute)}
    if usage.key_agreement:
        names |= {
            name
            for attribute, name in (("encipher_only", "encipherOnly"), ("decipher_only", "decipherOnly"))
            if getattr(usage, attribute)
        }
    return frozenset(names)


@dataclass(slots=True)
class _Extensions:
    """What one pass over the extensions finds."""

    sans: tuple[San, ...] = ()
    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[str] | None = None
    extended_key_usage: frozenset[str] | None = None
    subject_key_identifier: str = ""
    authority_key_identifier: str = ""

    def take(self, oid: x509.ObjectIdentifier, value: object) -> None:
        match value:
            case x509.SubjectAlternativeName():
                self.sans = sans_of(value)
            case x509.BasicConstraints():
                self.is_ca, self.path_length = value.ca, value.path_length
            case x509.KeyUsage():
                self.key_usage = usages_of(value)
            case x509.ExtendedKeyUsage():
                self.extended_key_usage = frozenset(usage.dotted_string for usage in value)
            case x509.SubjectKeyIdentifier():
                self.subject_key_identifier = value.digest.hex()
            case x509.AuthorityKeyIdentifier() if oid == ExtensionOID.AUTHORITY_KEY_IDENTIFIER:
                self.authority_key_identifier = (value.key_identifier or b"").hex()


def read_certificate(der: bytes) -> CertificateFacts:
    """Reads a certificate (DER) whole. Raises Unreadable for anything that is not one, or only in part."""
    if len(der) > LARGEST:
        raise unreadable("certificate", f"it has {len(der)} bytes, more than {LARGEST}")
    try:
        return _read(der)
    except (
        ValueError,
        TypeError,
        OverflowError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise unreadable(
            "certificate", _one_line(error), "check that the file is whole and holds a certificate"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _read(der: bytes) -> CertificateFacts:
    certificate = x509.load_der_x509_certificate(der)
    public_key = certificate.public_key()
    key_type, key_length = key_facts(public_key)
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    subject, issuer = certificate.subject, certificate.issuer
    subject_der, issuer_der = subject.public_bytes(), issuer.public_bytes()
    issuer_text, issuer_key = _name_facts(issuer_der, issuer)
    self_issued = subject_der == issuer_der
    subject_text, subject_key = (
        (issuer_text, issuer_key) if self_issued else (subject.rfc4514_string(), name_key(subject))
    )
    self_issued = subject_key == issuer_key
    found = _Extensions()
    for extension in certificate.extensions:
        found.take(extension.oid, extension.value)
    return CertificateFacts(
        der=der,
        fingerprint=fingerprint_of(der),
        common_name=common_name(subject),
        subject=subject_text,
        issuer=issuer_text,
        subject_key=subject_key,
        issuer_key=issuer_key,
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_type=key_type,
        key_length=key_length,
        key_id=KeyId(hashlib.sha256(spki).hexdigest()),
        signature_algorithm=algorithm_name(certificate.signature_algorithm_oid),
        sans=found.sans,
        is_ca=found.is_ca,
        path_length=found.path_length,
        self_issued=self_issued,
        self_signed=self_issued and _signed_itself(certificate),
        key_usage=found.key_usage,
        extended_key_usage=found.extended_key_usage,
        subject_key_identifier=found.subject_key_identifier,
        authority_key_identifier=found.authority_key_identifier,
    )


_names: dict[bytes, tuple[str, str]] = {}


def _name_facts(der: bytes, name: x509.Name) -> tuple[str, str]:
    """Gives a name's text and key; issuers recur, so their work is done once."""
    known = _names.get(der)
    if known is None:
        if len(_names) >= 4096:
            _names.clear()
        known = _names[der] = (name.rfc4514_string(), name_key(name))
    return known


def algorithm_name(oid: x509.ObjectIdentifier) -> str:
    """Gives an algorithm's name where it has one, else its dotted number."""
    name = oid._name
    return name if name != "Unknown OID" else oid.dotted_string


def _signed_itself(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
