"""Name constraints (RFC 5280 sections 4.2.1.10 and 6.1.4): which names a CA may vouch for."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from certhouse.x509.names import compare_form

Form = tuple[tuple[tuple[str, object], ...], ...]


class UnusableConstraintError(ValueError):
    """A constraint, or a name under one, whose form cannot be judged: the path cannot be accepted."""


@dataclass(slots=True)
class NameConstraints:
    """Permitted and excluded subtrees as they accumulate down a path. Each permitted list holds on its own."""

    permitted: list[list[x509.GeneralName]] = field(default_factory=list)
    excluded: list[x509.GeneralName] = field(default_factory=list)

    def add(self, constraints: x509.NameConstraints) -> None:
        """Takes on another CA's constraints."""
        if constraints.permitted_subtrees is not None:
            self.permitted.append(list(constraints.permitted_subtrees))
        if constraints.excluded_subtrees is not None:
            self.excluded.extend(constraints.excluded_subtrees)

    def offending(self, certificate: x509.Certificate) -> str | None:
        """Gives the first name of the certificate that it may not have, or None."""
        if not self.permitted and not self.excluded:
            return None
        for name in _names(certificate):
            if any(_within(name, tree) or _reaches(name, tree) for tree in self.excluded):
                return str(name.value)
            for trees in self.permitted:
                same = [tree for tree in trees if _kind(tree) is _kind(name)]
                if same and not any(_within(name, tree) for tree in same):
                    return str(name.value)
        return None


def _kind(name: x509.GeneralName) -> type[x509.GeneralName]:
    return type(name)


def _names(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    """Gives all names that constraints speak of: the subject, the SANs, and an e-mail address in the subject."""
    if certificate.subject.rdns:
        yield x509.DirectoryName(certificate.subject)
    sans: Iterable[x509.GeneralName] = ()
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            sans = extension.value
    yield from sans
    if not any(isinstance(name, x509.RFC822Name) for name in sans):
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            if isinstance(attribute.value, str) and attribute.value.isascii():
                yield x509.RFC822Name(attribute.value)


def _within(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    match name, tree:
        case x509.DNSName(), x509.DNSName():
            return _dns_within(name.value, tree.value)
        case x509.DirectoryName(), x509.DirectoryName():
            return _directory_within(compare_form(name.value), compare_form(tree.value))
        case x509.RFC822Name(), x509.RFC822Name():
            return _mail_within(name.value, tree.value)
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            return _uri_within(name.value, tree.value)
        case x509.IPAddress(), x509.IPAddress():
            return _address_within(name.value, tree.value)
        case _ if _kind(name) is _kind(tree):
            raise UnusableConstraintError(f"a constraint on {_kind(tree).__name__} cannot be judged")
        case _:
            return False


def _dns_within(name: str, tree: str) -> bool:
    """Labels may be added on the left. Of a wildcard every name it stands for has to lie within."""
    name, tree = name.lower(), tree.lower()
    if tree.startswith("."):
        raise UnusableConstraintError("a DNS constraint begins with a dot")
    if not name or "" in name.split("."):
        raise UnusableConstraintError("a DNS name under a constraint has an empty label")
    bare = name.removeprefix("*.")
    return not tree or bare == tree or bare.endswith(f".{tree}")


def _reaches(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    """Says whether a wildcard could stand for a name in an excluded subtree: ``*.example.com`` for ``a.example.com``."""
    if not isinstance(name, x509.DNSName) or not isinstance(tree, x509.DNSName) or not name.value.startswith("*."):
        return False
    bare, below = name.value[2:].lower(), tree.value.lower()
    return below.endswith(f".{bare}") and below.count(".") == bare.count(".") + 1


def _directory_within(name: Form, tree: Form) -> bool:
    return name[: len(tree)] == tree


def _mail_within(name: str, tree: str) -> bool:
    local, _, host = name.rpartition("@")
    if not local:
        raise UnusableConstraintError("an e-mail address without @ is under a constraint")
    if "@" in tree:
        tree_local, _, tree_host = tree.rpartition("@")
        return local == tree_local and host.lower() == tree_host.lower()
    return _host_within(host, tree)


def _host_within(host: str, tree: str) -> bool:
    """A leading dot means hosts below, no dot means this very host (RFC 5280 section 4.2.1.10)."""
    host, tree = host.lower(), tree.lower()
    return host.endswith(tree) and len(host) > len(tree) if tree.startswith(".") else host == tree


def _uri_within(name: str, tree: str) -> bool:
    try:
        host = urlsplit(name).hostname
    except ValueError:
        host = None
    if host is None:
        raise UnusableConstraintError("a URI without a host is under a constraint")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _host_within(host, tree)
    raise UnusableConstraintError("a URI with an address is under a constraint")


def _address_within(name: object, tree: object) -> bool:
    if not isinstance(tree, ipaddress.IPv4Network | ipaddress.IPv6Network):
        raise UnusableConstraintError("an address constraint is not a network")
    if not isinstance(name, ipaddress.IPv4Address | ipaddress.IPv6Address):
        raise UnusableConstraintError("an address under a constraint is not an address")
    return name.version == tree.version and name in tree
