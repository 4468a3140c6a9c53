"""Self-signed certificates. An identity is an end entity (CA:FALSE), unless its catalog row says otherwise (CAPF)."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certhouse.x509.keys import PrivateKey
from certhouse.x509.request import HASHES, CsrTemplate


def self_sign(
    key: PrivateKey, template: CsrTemplate, *, serial: int, not_before: datetime, days: int, ca: bool = False
) -> bytes:
    """Gives a certificate (DER) that ends one second before ``days`` have passed; a CA gets path length 0."""
    name = template.name()
    start = not_before.replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days, seconds=-1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in template.extensions():
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, HASHES[template.hash]()).public_bytes(Encoding.DER)
