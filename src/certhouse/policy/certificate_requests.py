"""What a key, its names and its extensions may be: the Generate CSR and Generate Self-Signed windows as rules.

Each function takes a list and adds every fault it finds, so that a refusal can name all at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from certhouse.catalog.rows import Purpose
from certhouse.errors import Fault, Refused
from certhouse.model.node import Node
from certhouse.policy.names import is_dns_name, parse_sans
from certhouse.x509.facts import San
from certhouse.x509.request import CsrTemplate

# Upper bounds of RFC 5280 appendix A.1.
_LONGEST = {"CN": 64, "O": 64, "OU": 64, "L": 128, "ST": 128, "C": 2}
_ORDER = ("C", "ST", "L", "O", "OU")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChoice:
    """``length`` is bits for RSA and the curve's size for EC."""

    length: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    common_name: str
    sans: tuple[San, ...]


def choose_key(purpose: Purpose, length: int | None, hash_name: str | None, faults: list[Fault]) -> KeyChoice:
    """Gives the key length and hash, the purpose's defaults where None is wished."""
    chosen_length = length if length is not None else purpose.default_key_length
    if chosen_length not in purpose.key_lengths:
        faults.append(
            Fault(
                code="key-length",
                detail=f"{purpose.name} takes no key of this length",
                found=str(chosen_length),
                expected=", ".join(map(str, purpose.key_lengths)),
                remedy="choose one of these",
            )
        )
        return KeyChoice(length=purpose.default_key_length, hash=purpose.default_hash)
    hashes = purpose.hashes_for(chosen_length)
    chosen_hash = (hash_name or "").lower().replace("-", "") or (
        purpose.default_hash if purpose.default_hash in hashes else hashes[0]
    )
    if chosen_hash not in hashes:
        faults.append(
            Fault(
                code="hash",
                detail=f"{purpose.name} takes no such hash with a key of {chosen_length} bits",
                found=str(hash_name),
                expected=", ".join(hashes),
                remedy="choose one of these",
            )
        )
        return KeyChoice(length=chosen_length, hash=hashes[0])
    return KeyChoice(length=chosen_length, hash=chosen_hash)


def choose_names(
    purpose: Purpose,
    node: Node,
    *,
    common_name: str | None,
    sans: Sequence[str],
    parent_domain: bool,
    faults: list[Fault],
) -> Names:
    """Gives the common name and the SANs: the auto-populated ones first, then the administrator's own, each once."""
    try:
        own = parse_sans(sans)
    except Refused as refusal:
        faults.extend(refusal.faults)
        own = ()
    automatic: list[San] = []
    if purpose.auto_sans.node_name and is_dns_name(node.name):
        automatic.append(San(kind="dns", value=node.name.lower()))
    if purpose.auto_sans.parent_domain and parent_domain and node.domain:
        automatic.append(San(kind="dns", value=node.domain.lower()))
    names = Names(common_name=common_name or node.name, sans=tuple(dict.fromkeys((*automatic, *own))))
    for wildcard in sorted(
        {name for name in (names.common_name, *(san.value for san in names.sans)) if name.startswith("*")}
    ):
        if not purpose.wildcard_allowed:
            faults.append(
                Fault(
                    code="wildcard",
                    detail=f"{purpose.name} takes no wildcard names",
                    found=wildcard,
                    expected="full host names",
                    remedy="name each host",
                )
            )
    return names


def request_template(
    purpose: Purpose,
    names: Names,
    key: KeyChoice,
    subject: Mapping[str, str],
    *,
    include_ou: bool,
    faults: list[Fault],
) -> CsrTemplate:
    """Gives what the CSR or self-signed certificate will say; the extensions are the catalog's."""
    attributes = {short: value for short, value in subject.items() if value and (short != "OU" or include_ou)}
    for short in attributes:
        if short not in _ORDER:
            faults.append(
                Fault(
                    code="subject-attribute",
                    detail=f"{short} is not a subject attribute that can be set",
                    found=short,
                    expected=", ".join(_ORDER),
                )
            )
    full = [(short, attributes[short]) for short in _ORDER if short in attributes] + [("CN", names.common_name)]
    for short, value in full:
        if len(value) > _LONGEST[short] or (short == "C" and (len(value) != 2 or not value.isalpha())):
            faults.append(
                Fault(
                    code="subject-length",
                    detail=f"the subject's {short} does not fit",
                    found=value,
                    expected="two letters" if short == "C" else f"at most {_LONGEST[short]} characters",
                    remedy="shorten it; longer host names belong among the SANs" if short == "CN" else "shorten it",
                )
            )
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
            faults.append(
                Fault(
                    code="subject-characters", detail=f"the subject's {short} has control characters", found=repr(value)
                )
            )
    return CsrTemplate(
        subject=tuple((short, value.upper() if short == "C" else value) for short, value in full),
        sans=names.sans,
        key_usage=purpose.key_usage,
        extended_key_usage=purpose.extended_key_usage,
        hash=key.hash,
    )


def multi_server_faults(purpose: Purpose, nodes: Sequence[Node]) -> list[Fault]:
    """Gives what speaks against one certificate for all nodes (manual, tables 1 and 2, column Multi server)."""
    if not purpose.multi_server:
        return [
            Fault(
                code="not-multi-server",
                detail=f"{purpose.name} takes no multi-server certificate",
                remedy="generate one CSR per node",
            )
        ]
    carriers = [node for node in nodes if node.role in purpose.roles]
    if len(carriers) < 2:
        return [
            Fault(
                code="one-node-only",
                detail="a multi-server certificate needs more than one node that carries the purpose",
                found=", ".join(node.name for node in carriers),
                expected="two or more nodes",
                remedy="generate the CSR for the node itself",
            )
        ]
    return []
