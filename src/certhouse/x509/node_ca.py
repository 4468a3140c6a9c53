"""The cluster's own CA for its nodes: gateway and agents know each other by it, and by nothing an administrator replaces."""

import ipaddress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certhouse.x509.facts import unreadable
from certhouse.x509.request import key_usage

CA_LIFE = timedelta(days=3650)
NODE_LIFE = timedelta(days=30)
GATEWAY_LIFE = timedelta(days=398)
_BACKDATE = timedelta(minutes=5)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def make_node_ca(*, serial: int, now: datetime) -> tuple[bytes, bytes]:
    """Gives a new CA's key (PKCS#8 PEM) and certificate (DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Certhouse node CA {serial:x}"[:40])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(("keyCertSign", "cRLSign")), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(key), certificate.public_bytes(Encoding.DER)


def make_node_request(name: str) -> tuple[bytes, bytes]:
    """Gives a node's new key (PKCS#8 PEM) and the request for its certificate (DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(_name(name)).sign(key, hashes.SHA256())
    return _pem(key), request.public_bytes(Encoding.DER)


def issue_node_certificate(ca_key: bytes, ca: bytes, csr: bytes, *, name: str, serial: int, now: datetime) -> bytes:
    """Gives a client certificate (DER) for the key of a request; nothing else of the request counts. Raises Unreadable."""
    try:
        request = x509.load_der_x509_csr(csr)
        public_key = request.public_key()
        valid = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise unreadable("node-request", "it is not a certificate request") from error
    if not valid or not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise unreadable("node-request", "it is not signed with an EC key of its own")
    return _issue(ca_key, ca, public_key, name, [], ExtendedKeyUsageOID.CLIENT_AUTH, serial, now, NODE_LIFE)


def issue_gateway_certificate(
    ca_key: bytes, ca: bytes, *, hosts: list[str], serial: int, now: datetime
) -> tuple[bytes, bytes]:
    """Gives a new key (PKCS#8 PEM) and server certificate (DER) for the gateway."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [_host_name(host) for host in hosts]
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    return _pem(key), _issue(ca_key, ca, key.public_key(), "Certhouse gateway", names, usage, serial, now, GATEWAY_LIFE)


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _issue(
    ca_key: bytes,
    ca: bytes,
    public_key: ec.EllipticCurvePublicKey,
    name: str,
    names: list[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    serial: int,
    now: datetime,
    life: timedelta,
) -> bytes:
    key = load_pem_private_key(ca_key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise unreadable("node-ca", "its key is not EC")
    issuer = x509.load_der_x509_certificate(ca)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer.subject)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(("digitalSignature",)), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
