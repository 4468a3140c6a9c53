"""Certificate signing requests (PKCS#10, RFC 2986): what they ask for, how they are made and read."""

import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certhouse.vocabulary import KeyId, KeyType
from certhouse.x509.facts import San, algorithm_name, key_facts, sans_of, unreadable, usages_of
from certhouse.x509.keys import PrivateKey, key_id
from certhouse.x509.names import common_name

ATTRIBUTES = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
HASHES: dict[str, type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CsrTemplate:
    """What a CSR, or a self-signed certificate, is to say.

    ``subject`` has short names (C, ST, L, O, OU, CN) in the order of the DER; ``key_usage`` RFC 5280 names;
    ``extended_key_usage`` OIDs; ``hash`` one of sha256, sha384, sha512.
    """

    subject: tuple[tuple[str, str], ...]
    sans: tuple[San, ...]
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    hash: str = "sha256"

    def name(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(ATTRIBUTES[short], value) for short, value in self.subject])

    def extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """Gives key usage (critical, RFC 5280 section 4.2.1.3), extended key usage and SANs, as far as there are any."""
        found: list[tuple[x509.ExtensionType, bool]] = []
        if self.key_usage:
            found.append((key_usage(self.key_usage), True))
        if self.extended_key_usage:
            oids = [x509.ObjectIdentifier(oid) for oid in self.extended_key_usage]
            found.append((x509.ExtendedKeyUsage(oids), False))
        if self.sans:
            found.append((x509.SubjectAlternativeName([_general_name(san) for san in self.sans]), False))
        return found


def key_usage(names: tuple[str, ...]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digitalSignature" in names,
        content_commitment="contentCommitment" in names,
        key_encipherment="keyEncipherment" in names,
        data_encipherment="dataEncipherment" in names,
        key_agreement="keyAgreement" in names,
        key_cert_sign="keyCertSign" in names,
        crl_sign="cRLSign" in names,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(san: San) -> x509.GeneralName:
    match san.kind:
        case "ip":
            return x509.IPAddress(ipaddress.ip_address(san.value))
        case "uri":
            return x509.UniformResourceIdentifier(san.value)
        case "email":
            return x509.RFC822Name(san.value)
        case _:
            return x509.DNSName(san.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What a CSR says. ``signature_valid``: its maker had the private key."""

    der: bytes
    key_id: KeyId
    common_name: str
    subject: str
    sans: tuple[San, ...]
    key_type: KeyType
    key_length: int
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str] | None
    signature_algorithm: str
    signature_valid: bool


def build_request(key: PrivateKey, template: CsrTemplate) -> bytes:
    """Gives a CSR (DER) for the key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(template.name())
    for extension, critical in template.extensions():
        builder = builder.add_extension(extension, critical)
    request = builder.sign(key, HASHES[template.hash]())
    return request.public_bytes(Encoding.DER)


def read_request(der: bytes) -> RequestFacts:
    """Reads a CSR (DER) whole. Raises Unreadable."""
    try:
        request = x509.load_der_x509_csr(der)
        public_key = request.public_key()
        key_type, key_length = key_facts(public_key)
        sans: tuple[San, ...] = ()
        usage: frozenset[str] | None = None
        extended: frozenset[str] | None = None
        for extension in request.extensions:
            match extension.value:
                case x509.SubjectAlternativeName() as value:
                    sans = sans_of(value)
                case x509.KeyUsage() as value:
                    usage = usages_of(value)
                case x509.ExtendedKeyUsage() as value:
                    extended = frozenset(oid.dotted_string for oid in value)
        return RequestFacts(
            der=der,
            key_id=key_id(public_key),  # type: ignore[arg-type]  # any public key has these bytes
            common_name=common_name(request.subject),
            subject=request.subject.rfc4514_string(),
            sans=sans,
            key_type=key_type,
            key_length=key_length,
            key_usage=usage,
            extended_key_usage=extended,
            signature_algorithm=algorithm_name(request.signature_algorithm_oid),
            signature_valid=request.is_signature_valid,
        )
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise unreadable("certificate-request", " ".join(str(error).split())[:200]) from error
