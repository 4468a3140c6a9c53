"""Certificates to take away: PEM, PKCS#7 and PKCS#12."""

import base64
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs7, pkcs12

from certhouse.x509.keys import PrivateKey


def pem_block(label: str, der: bytes) -> bytes:
    """Gives RFC 7468 text, 64 characters a line."""
    text = base64.b64encode(der)
    lines = b"\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), lines, label.encode())


def to_pem(*ders: bytes) -> bytes:
    """Gives the certificates (DER) as PEM, one after the other."""
    return b"".join(pem_block("CERTIFICATE", der) for der in ders)


def to_pkcs7(ders: Iterable[bytes], encoding: str = "der") -> bytes:
    """Gives a PKCS#7 bag of certificates (RFC 2315), ``der`` or ``pem``."""
    certificates = [x509.load_der_x509_certificate(der) for der in ders]
    return pkcs7.serialize_certificates(certificates, Encoding.PEM if encoding == "pem" else Encoding.DER)


def to_pkcs12(key: PrivateKey, certificate: bytes, chain: Sequence[bytes], password: bytes, name: str) -> bytes:
    """Gives key and certificates as PKCS#12 under a password (RFC 7292)."""
    return pkcs12.serialize_key_and_certificates(
        name.encode(),
        key,
        x509.load_der_x509_certificate(certificate),
        [x509.load_der_x509_certificate(der) for der in chain],
        BestAvailableEncryption(password),
    )


def trust_pkcs12(ders: Sequence[bytes], password: bytes) -> bytes:
    """Gives a PKCS#12 trust store that Java reads as one (each certificate marked as trusted)."""
    members = [
        pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(der), f"certificate-{number}".encode())
        for number, der in enumerate(ders, 1)
    ]
    return pkcs12.serialize_java_truststore(members, BestAvailableEncryption(password))
