"""OpenSSL's hash of a subject, under which it looks for a CA in a folder (``hashed/``).

SHA-1 over the name's canonical form: values as UTF-8, folded to lower case, white space trimmed and collapsed; the
attribute sets stand one after the other without the outer SEQUENCE. The first four bytes count, little-endian.
"""

import hashlib

from cryptography import x509
from cryptography.x509.name import _ASN1Type

_FOLDED = {
    _ASN1Type.UTF8String,
    _ASN1Type.PrintableString,
    _ASN1Type.T61String,
    _ASN1Type.IA5String,
    _ASN1Type.BMPString,
    _ASN1Type.UniversalString,
    _ASN1Type.VisibleString,
}


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _oid(dotted: str) -> bytes:
    numbers = [int(part) for part in dotted.split(".")]
    content = bytearray()
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | (number & 0x7F))
        content.extend(reversed(groups))
    return _tlv(0x06, bytes(content))


def _value(attribute: x509.NameAttribute[str | bytes]) -> bytes:
    if isinstance(attribute.value, bytes):
        return _tlv(attribute._type.value, attribute.value)
    if attribute._type not in _FOLDED:
        return _tlv(attribute._type.value, attribute.value.encode("utf-8"))
    folded = " ".join(attribute.value.split())
    # Only ASCII letters are folded; the rest stays as it is.
    lowered = "".join(character.lower() if character.isascii() else character for character in folded)
    return _tlv(0x0C, lowered.encode("utf-8"))


def subject_hash(certificate: x509.Certificate) -> str:
    """Gives eight hexadecimal digits, as ``openssl x509 -hash`` does."""
    canonical = b"".join(
        _tlv(
            0x31,
            b"".join(sorted(_tlv(0x30, _oid(attribute.oid.dotted_string) + _value(attribute)) for attribute in rdn)),
        )
        for rdn in certificate.subject.rdns
    )
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"
