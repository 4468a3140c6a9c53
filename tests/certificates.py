"""Certificates with valid defaults: a test overrides exactly what it is about."""

from datetime import UTC, datetime
from functools import lru_cache

from certhouse.vocabulary import KeyType
from certhouse.x509.facts import CertificateFacts, San, read_certificate
from certhouse.x509.keys import KeySpec, PrivateKey, make_key
from certhouse.x509.request import CsrTemplate
from certhouse.x509.self_signed import self_sign

START = datetime(2026, 11, 1, tzinfo=UTC)


@lru_cache(maxsize=8)
def ec_key(number: int = 0) -> PrivateKey:
    """Gives one of a few keys; making them is not what tests are about."""
    return make_key(KeySpec(type=KeyType.EC, length=256))


def self_signed(
    common_name: str = "node1.example.com",
    *,
    sans: tuple[str, ...] = (),
    serial: int = 1,
    not_before: datetime = START,
    days: int = 100,
    ca: bool = False,
    organization: str | None = None,
    key: int = 0,
) -> CertificateFacts:
    """Gives the facts of a self-signed certificate."""
    subject = ((("O", organization),) if organization else ()) + (("CN", common_name),)
    template = CsrTemplate(
        subject=subject,
        sans=tuple(San("dns", name) for name in sans),
        key_usage=("digitalSignature", "keyCertSign") if ca else ("digitalSignature",),
        extended_key_usage=() if ca else ("1.3.6.1.5.5.7.3.1",),
    )
    return read_certificate(self_sign(ec_key(key), template, serial=serial, not_before=not_before, days=days, ca=ca))
