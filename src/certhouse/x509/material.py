"""What uploaded files hold, sorted: PEM, DER, PKCS#7 and PKCS#12, one or many, in any order."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12

from certhouse.errors import Fault, Refused, Unreadable
from certhouse.vocabulary import Fingerprint
from certhouse.x509.der import most_iterations
from certhouse.x509.facts import CertificateFacts, fingerprint_of, read_certificate
from certhouse.x509.keys import PrivateKey, checked, load_private_key
from certhouse.x509.request import RequestFacts, read_request

MOST_ITERATIONS = 2_000_000
"""Key-derivation rounds in a PKCS#12: an attacker's number would keep a process busy for hours."""

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,40})-----(.*?)-----END \1-----", re.DOTALL)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 #]{1,40})-----")
_CERTIFICATES = {b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"}
_REQUESTS = {b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"}
_BAGS = {b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything found, each certificate once, in the order of the files; and what could not be read."""

    certificates: tuple[CertificateFacts, ...] = ()
    requests: tuple[RequestFacts, ...] = ()
    private_keys: tuple[PrivateKey, ...] = field(default=(), repr=False)
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True)
class _Found:
    """The sorting in progress."""

    password: bytes | None
    most: int
    certificates: dict[Fingerprint, CertificateFacts] = field(default_factory=dict)
    requests: list[RequestFacts] = field(default_factory=list)
    private_keys: list[PrivateKey] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add_certificate(self, der: bytes, where: str) -> None:
        fingerprint = fingerprint_of(der)
        if fingerprint in self.certificates:
            return
        if len(self.certificates) >= self.most:
            raise Unreadable(
                Fault(
                    code="too-many-certificates",
                    detail="there are too many certificates in one upload",
                    found=f"more than {self.most}",
                    expected=f"at most {self.most}",
                    remedy="upload them in parts; `certhouse trust import` takes any number",
                )
            )
        try:
            self.certificates[fingerprint] = read_certificate(der)
        except Unreadable as error:
            self.faults.extend(_at(where, fault) for fault in error.faults)


def _at(where: str, fault: Fault) -> Fault:
    return Fault(
        code=fault.code,
        detail=f"{where}: {fault.detail}",
        found=fault.found,
        expected=fault.expected,
        remedy=fault.remedy,
    )


def read_material(
    contents: Sequence[bytes], *, password: bytes | None = None, max_bytes: int = 1 << 20, max_certificates: int = 500
) -> Material:
    """Sorts what the files hold. ``password`` opens PKCS#12 and encrypted keys.

    A certificate that cannot be read becomes a fault that names it, and the others are read all the same. Raises
    Unreadable where the upload as a whole is too large or holds nothing that is known.
    """
    size = sum(map(len, contents))
    if size > max_bytes:
        raise Unreadable(
            Fault(
                code="too-large",
                detail="the upload is too large",
                found=f"{size} bytes",
                expected=f"at most {max_bytes} bytes",
                remedy="upload the certificates alone; `certhouse trust import` takes bundles of any size",
            )
        )
    found = _Found(password=password, most=max_certificates)
    for number, content in enumerate(contents, 1):
        where = f"file {number}" if len(contents) > 1 else "the file"
        try:
            _sort(content, where, found)
        except Refused as error:
            if any(fault.code == "too-many-certificates" for fault in error.faults):
                raise
            found.faults.extend(_at(where, fault) for fault in error.faults)
    return Material(
        certificates=tuple(found.certificates.values()),
        requests=tuple(found.requests),
        private_keys=tuple(found.private_keys),
        faults=tuple(found.faults),
    )


def _sort(content: bytes, where: str, found: _Found) -> None:
    if _BEGIN.search(content):
        _sort_pem(content, where, found)
        return
    stripped = content.strip()
    if not stripped:
        raise _nothing("it is empty")
    if stripped[:4] == b"PK\x03\x04":
        raise _nothing("it is a ZIP archive; unpack it first")
    if content[:1] == b"\x30":
        _sort_der(content, where, found)
        return
    try:
        decoded = base64.b64decode(b"".join(stripped.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _nothing("it is neither PEM nor DER nor base64") from None
    if decoded[:1] != b"\x30":
        raise _nothing("its base64 holds no DER")
    _sort_der(decoded, where, found)


def _nothing(detail: str) -> Unreadable:
    return Unreadable(
        Fault(
            code="not-a-certificate",
            detail=f"no certificate can be found: {detail}",
            expected="PEM, DER, PKCS#7 or PKCS#12",
            remedy="choose the file that the CA sent",
        )
    )


def _sort_pem(content: bytes, where: str, found: _Found) -> None:
    blocks = list(_BLOCK.finditer(content))
    if len(blocks) < len(_BEGIN.findall(content)):
        found.faults.append(
            Fault(
                code="pem-truncated",
                detail=f"{where}: a PEM block has no end, or another one begins inside it",
                remedy="check that the file is whole",
            )
        )
    for number, block in enumerate(blocks, 1):
        label, place = block[1], f"{where}, block {number}"
        try:
            if label.endswith(b"PRIVATE KEY"):
                found.private_keys.append(load_private_key(block[0] + b"\n", found.password))
                continue
            der = _decoded(block[2])
            if label in _CERTIFICATES:
                found.add_certificate(der, place)
            elif label in _REQUESTS:
                found.requests.append(read_request(der))
            elif label in _BAGS:
                _sort_bag(der, place, found)
            elif label not in (b"EC PARAMETERS", b"DH PARAMETERS"):
                found.faults.append(
                    Fault(
                        code="unexpected-block",
                        detail=f"{place}: {label.decode()} has no place here",
                        found=label.decode(),
                        expected="certificates, PKCS#7, or a private key",
                        remedy="take it out of the file",
                    )
                )
        except Refused as error:
            if any(fault.code == "too-many-certificates" for fault in error.faults):
                raise
            found.faults.extend(_at(place, fault) for fault in error.faults)


def _decoded(body: bytes) -> bytes:
    # A legacy header ("Proc-Type: …") ends with an empty line; certificates have none.
    text = body.split(b"\n\n", 1)[-1] if b":" in body else body
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable(
            Fault(code="pem-unreadable", detail="its base64 is damaged", remedy="check that the file is whole")
        ) from None


def _sort_der(der: bytes, where: str, found: _Found) -> None:
    """Tries the four kinds of DER in turn. What reads as none is reported as a certificate that cannot be read."""
    for attempt in (_as_certificate, _as_bag, _as_request, _as_pkcs12, _as_key):
        if attempt(der, where, found):
            return
    read_certificate(der)
    raise _nothing("its DER is of no kind that is known")


def _as_certificate(der: bytes, where: str, found: _Found) -> bool:
    try:
        x509.load_der_x509_certificate(der)
    except (ValueError, UnsupportedAlgorithm, TypeError):
        return False
    found.add_certificate(der, where)
    return True


def _as_request(der: bytes, where: str, found: _Found) -> bool:
    try:
        found.requests.append(read_request(der))
    except Unreadable:
        return False
    return True


def _as_key(der: bytes, where: str, found: _Found) -> bool:
    try:
        found.private_keys.append(load_private_key(der, found.password))
    except Unreadable:
        return False
    return True


def _bag_members(der: bytes) -> Iterator[bytes]:
    for certificate in pkcs7.load_der_pkcs7_certificates(der):
        yield certificate.public_bytes(Encoding.DER)


def _as_bag(der: bytes, where: str, found: _Found) -> bool:
    # pkcs7-signedData, 1.2.840.113549.1.7.2, right after the outer SEQUENCE's header.
    if b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" not in der[:24]:
        return False
    _sort_bag(der, where, found)
    return True


def _sort_bag(der: bytes, where: str, found: _Found) -> None:
    try:
        members = list(_bag_members(der))
    except (ValueError, UnsupportedAlgorithm, TypeError) as error:
        raise Unreadable(
            Fault(
                code="pkcs7-unreadable",
                detail="the PKCS#7 cannot be read, or holds no certificates",
                remedy="check that the file is whole",
            )
        ) from error
    for number, member in enumerate(members, 1):
        found.add_certificate(member, f"{where}, certificate {number}")


def _as_pkcs12(der: bytes, where: str, found: _Found) -> bool:
    # PFX begins with version 3 (RFC 7292 section 4).
    if b"\x02\x01\x03\x30" not in der[:16]:
        return False
    if most_iterations(der) > MOST_ITERATIONS:
        raise Unreadable(
            Fault(
                code="pkcs12-iterations",
                detail="the PKCS#12 asks for too many key-derivation rounds",
                expected=f"at most {MOST_ITERATIONS}",
                remedy="export it again with usual settings",
            )
        )
    try:
        bag = pkcs12.load_pkcs12(der, found.password)
    except (ValueError, UnsupportedAlgorithm, TypeError) as error:
        detail = (
            "the PKCS#12 needs a password"
            if found.password is None
            else "the password is wrong, or the PKCS#12 is damaged"
        )
        raise Unreadable(
            Fault(code="pkcs12-unreadable", detail=detail, remedy="give the password it was exported with")
        ) from error
    if bag.key is not None:
        found.private_keys.append(checked(bag.key))
    for member in ([bag.cert] if bag.cert else []) + list(bag.additional_certs):
        found.add_certificate(member.certificate.public_bytes(Encoding.DER), where)
    return True
