"""Distinguished names: their text (RFC 4514) and the form in which two of them are compared (RFC 5280 section 7.1)."""

import hashlib
import unicodedata

from cryptography import x509


def compare_form(name: x509.Name) -> tuple[tuple[tuple[str, object], ...], ...]:
    """Gives a name so that equal names are equal values: case and runs of white space do not count (RFC 4518, in short)."""
    return tuple(
        tuple(sorted((attribute.oid.dotted_string, fold(attribute.value)) for attribute in rdn)) for rdn in name.rdns
    )


def fold(value: str | bytes) -> str | bytes:
    """Gives an attribute's value for comparison; what is not text compares byte by byte."""
    if isinstance(value, bytes):
        return value
    if value.isascii():
        return " ".join(value.split()).lower()
    return " ".join(unicodedata.normalize("NFKC", value).split()).casefold()


def name_key(name: x509.Name) -> str:
    """Gives SHA-256, hexadecimal, of the compare form: equal for names that RFC 5280 calls equal."""
    return hashlib.sha256(repr(compare_form(name)).encode()).hexdigest()


def common_name(name: x509.Name) -> str:
    """Gives the last common name, or an empty text."""
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[-1].value) if found else ""
