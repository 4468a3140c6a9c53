"""A certificate in words: the manual's display tags, and extensions by OID with their names beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from certhouse.x509.facts import CertificateFacts, algorithm_name, sans_of, usages_of

_EXTENDED = {
    ExtendedKeyUsageOID.SERVER_AUTH.dotted_string: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string: "clientAuth",
    ExtendedKeyUsageOID.CODE_SIGNING.dotted_string: "codeSigning",
    ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string: "emailProtection",
    ExtendedKeyUsageOID.TIME_STAMPING.dotted_string: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string: "OCSPSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string: "anyExtendedKeyUsage",
    "1.3.6.1.5.5.7.3.5": "ipsecEndSystem",
    "1.3.6.1.5.5.7.3.17": "ipsecIKE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """``oid`` is what the manual's display shows; ``name`` is beside it for people."""

    oid: str
    name: str
    critical: bool
    value: str


def printable(text: str) -> str:
    """Gives text in which control and direction characters are written out, so that a name cannot paint the screen."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def extended_usage_name(oid: str) -> str:
    return _EXTENDED.get(oid, oid)


def describe_extensions(facts: CertificateFacts) -> tuple[Extension, ...]:
    """Gives the extensions in the certificate's own order."""
    certificate = x509.load_der_x509_certificate(facts.der)
    return tuple(
        Extension(
            oid=extension.oid.dotted_string,
            name=algorithm_name(extension.oid),
            critical=extension.critical,
            value=printable(_value(extension.value)),
        )
        for extension in certificate.extensions
    )


def _value(value: x509.ExtensionType) -> str:
    match value:
        case x509.SubjectAlternativeName():
            return ", ".join(map(str, sans_of(value)))
        case x509.BasicConstraints():
            length = f", path length {value.path_length}" if value.path_length is not None else ""
            return f"CA:{'TRUE' if value.ca else 'FALSE'}{length}"
        case x509.KeyUsage():
            return ", ".join(sorted(usages_of(value)))
        case x509.ExtendedKeyUsage():
            return ", ".join(f"{usage.dotted_string} ({extended_usage_name(usage.dotted_string)})" for usage in value)
        case x509.SubjectKeyIdentifier():
            return value.digest.hex(":")
        case x509.AuthorityKeyIdentifier():
            return (value.key_identifier or b"").hex(":")
        case x509.AuthorityInformationAccess():
            return ", ".join(
                f"{algorithm_name(access.access_method)} {_name(access.access_location)}" for access in value
            )
        case x509.CRLDistributionPoints():
            return ", ".join(_name(name) for point in value for name in point.full_name or ())
        case x509.CertificatePolicies():
            return ", ".join(policy.policy_identifier.dotted_string for policy in value)
        case x509.UnrecognizedExtension():
            return value.value.hex()
        case _:
            return str(value)


def _name(name: x509.GeneralName) -> str:
    return str(name.value)


def _public_key(facts: CertificateFacts) -> tuple[str, str]:
    """Gives a public key's line and its value: the modulus, the point, or the bare bits."""
    key = x509.load_der_x509_certificate(facts.der).public_key()
    match key:
        case rsa.RSAPublicKey():
            numbers = key.public_numbers()
            return f"RSA {key.key_size} bits, exponent {numbers.e}", f"{numbers.n:x}"
        case ec.EllipticCurvePublicKey():
            point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return f"EC {key.curve.name}", point.hex()
        case _:
            return f"{facts.key_type} {facts.key_length} bits", key.public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            ).hex()


_TAGS: Mapping[str, Callable[[CertificateFacts], str]] = {
    "version": lambda facts: x509.load_der_x509_certificate(facts.der).version.name,
    "serial": lambda facts: facts.serial,
    "signature-algorithm": lambda facts: facts.signature_algorithm,
    "issuer": lambda facts: facts.issuer,
    "not-before": lambda facts: facts.not_before.isoformat(),
    "not-after": lambda facts: facts.not_after.isoformat(),
    "subject": lambda facts: facts.subject,
    "public-key": lambda facts: _public_key(facts)[0],
    "key-value": lambda facts: _public_key(facts)[1],
}
TAGGED = tuple(_TAGS)
"""What a display tag can name."""


def describe_tags(facts: CertificateFacts, tags: Mapping[str, str]) -> dict[str, str]:
    """Gives the display lines: ``tags`` says for each of ``TAGGED`` under which name it is shown (manual, Show Certificates)."""
    return {name: printable(_TAGS[what](facts)) for what, name in tags.items()}
