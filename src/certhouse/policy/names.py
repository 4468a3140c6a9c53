"""Which names a certificate is asked for, and which an administrator may add."""

import ipaddress
import re
from collections.abc import Iterable

from certhouse.errors import Fault, Refused
from certhouse.x509.facts import San

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_PREFIXES = {"dns": "dns", "ip": "ip", "uri": "uri", "email": "email"}


def is_dns_name(text: str) -> bool:
    """Says whether ``text`` is a host name, a leading wildcard label allowed (RFC 5280 section 4.2.1.6, RFC 6125)."""
    labels = text.removeprefix("*.").split(".")
    return 0 < len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def parse_san(text: str) -> San:
    """Gives the SAN that ``text`` means: ``dns:``, ``ip:``, ``uri:`` or ``email:`` before it, or found by its form.

    Raises Refused for what is none of them.
    """
    prefix, _, rest = text.partition(":")
    kind = _PREFIXES.get(prefix.lower(), "") if rest else ""
    value = rest.strip() if kind else text.strip()
    if not kind:
        kind = _kind_by_form(value)
    if kind == "ip":
        try:
            return San(kind="ip", value=str(ipaddress.ip_address(value)))
        except ValueError:
            raise _unusable(text, "an IPv4 or IPv6 address") from None
    if kind == "dns" and not is_dns_name(value):
        raise _unusable(text, "a DNS name, an IP address, a URI or an e-mail address")
    if kind == "email" and not re.fullmatch(r"[\x21-\x7e]+@[a-z0-9.-]+", value, re.IGNORECASE):
        raise _unusable(text, "an e-mail address in ASCII")
    if kind == "uri" and not re.fullmatch(r"[a-z][a-z0-9+.-]*:[\x21-\x7e]+", value, re.IGNORECASE):
        raise _unusable(text, "an absolute URI in ASCII")
    return San(kind=kind, value=value.lower() if kind == "dns" else value)


def _kind_by_form(value: str) -> str:
    try:
        ipaddress.ip_address(value)
        return "ip"
    except ValueError:
        pass
    if "://" in value or value.lower().startswith("urn:"):
        return "uri"
    return "email" if "@" in value else "dns"


def _unusable(text: str, expected: str) -> Refused:
    return Refused(
        Fault(
            code="san-unusable", detail=f"{text!r} cannot be a subject alternative name", found=text, expected=expected
        )
    )


def parse_sans(texts: Iterable[str]) -> tuple[San, ...]:
    """Gives the SANs in order, each once; raises Refused with a fault for every one that is unusable."""
    sans: dict[San, None] = {}
    faults: list[Fault] = []
    for text in texts:
        try:
            sans[parse_san(text)] = None
        except Refused as refusal:
            faults.extend(refusal.faults)
    if faults:
        raise Refused(faults)
    return tuple(sans)
