"""Joining: the token that an administrator hands over, and the messages that follow."""

import base64
import binascii

import msgspec

from certhouse.errors import Fault, Unreadable
from certhouse.vocabulary import Fingerprint, NodeName, Role


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """``gateway`` is HOST:PORT; ``ca`` pins the node CA's certificate; ``secret`` is good for one join."""

    gateway: str
    ca: Fingerprint
    secret: str

    def text(self) -> str:
        return "chj_" + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def read_token(text: str) -> JoinToken:
    """Reads a token's text. Raises Unreadable, whose text does not hold it."""
    try:
        body = text.strip().removeprefix("chj_")
        return msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=JoinToken)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise Unreadable(
            Fault(code="join-token", detail="this is not a join token", remedy="make one with `certhouse node invite`")
        ) from error


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``csr`` is DER, ``seal_key`` a raw X25519 public key."""

    secret: str
    name: NodeName
    domain: str
    csr: bytes
    seal_key: bytes


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True):
    csr: bytes


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """``certificate`` and ``ca`` are DER."""

    name: NodeName
    role: Role
    certificate: bytes
    ca: bytes


def decode_join(data: bytes, shape: type[JoinRequest] | type[RenewRequest] | type[Membership]) -> object:
    """Reads one of the messages. Raises Unreadable."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(Fault(code="message-unreadable", detail=f"not a message of this protocol: {error}")) from error
