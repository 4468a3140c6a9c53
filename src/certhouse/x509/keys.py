"""Private keys: made, read with suspicion, named by their public half."""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from certhouse.errors import Fault, Refused, Unreadable
from certhouse.vocabulary import KeyId, KeyType
from certhouse.x509.facts import key_facts

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

LARGEST = 16_384
"""Bytes of a key file. An RSA key of 8,192 bits has less than 7,000."""

_CURVES: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """``length`` is bits for RSA and the curve's size (256, 384, 521) for EC."""

    type: KeyType
    length: int


def make_key(spec: KeySpec) -> PrivateKey:
    """Makes a key. RSA takes up to seconds: call it in a thread."""
    if spec.type is KeyType.EC and spec.length in _CURVES:
        return ec.generate_private_key(_CURVES[spec.length])
    if spec.type is KeyType.RSA and 2048 <= spec.length <= 8192:
        return rsa.generate_private_key(public_exponent=65537, key_size=spec.length)
    raise Refused(Fault(code="key-length", detail=f"no {spec.type} key of length {spec.length} is made here"))


def key_id(key: PublicKey) -> KeyId:
    return KeyId(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest())


def private_key_der(key: PrivateKey) -> bytes:
    """Gives PKCS#8, unencrypted: for sealing to a node, and for nothing else."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def private_key_pem(key: PrivateKey) -> bytes:
    """Gives PKCS#8 PEM, unencrypted: for the vault, and for nothing else."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_private_key(data: bytes, password: bytes | None = None) -> PrivateKey:
    """Reads a key, PEM or DER. Raises Unreadable or Refused, whose texts say nothing of the key itself."""
    if len(data) > LARGEST:
        raise _unreadable(f"it has more than {LARGEST} bytes")
    pem = b"-----BEGIN" in data
    try:
        key = (load_pem_private_key if pem else load_der_private_key)(data, password)
    except TypeError as error:
        wanted = (
            "it is encrypted and no password was given"
            if password is None
            else "a password was given and it is not encrypted"
        )
        raise _unreadable(wanted) from error
    except (ValueError, UnsupportedAlgorithm, OverflowError) as error:
        # The library's text may quote parts of the input: nothing of it goes on.
        raise _unreadable("it is not a private key of a known form, or the password is wrong") from error
    return checked(key)


def checked(key: object) -> PrivateKey:
    """Gives the key if it is of a type and length that services may use. Raises Refused."""
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Refused(Fault(code="key-type", detail="the private key is neither RSA nor EC", expected="rsa, ec"))
    try:
        kind, length = key_facts(key.public_key())
    except ValueError as error:
        raise Refused(Fault(code="key-weak", detail=str(error), remedy="make another key")) from error
    allowed = (length >= 2048 and length <= 8192) if kind is KeyType.RSA else length in _CURVES
    if not allowed:
        raise Refused(
            Fault(
                code="key-length",
                detail="the private key's length is not allowed",
                found=f"{kind} {length}",
                expected="rsa 2048 to 8192, ec 256, 384 or 521",
                remedy="make another key",
            )
        )
    return key


def _unreadable(detail: str) -> Unreadable:
    return Unreadable(
        Fault(
            code="key-unreadable",
            detail=f"the private key cannot be read: {detail}",
            remedy="check the file and its password",
        )
    )
