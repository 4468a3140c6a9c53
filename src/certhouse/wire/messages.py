"""The messages and their JSON form.

Bytes travel as base64, times as RFC 3339. ``decode_*`` raises ``Unreadable`` for anything that is not of the shape.
"""

from datetime import datetime
from typing import TypeVar

import msgspec

from certhouse.errors import Fault, Unreadable
from certhouse.model.node import DesiredState, ObservedService, ObservedState, Probe
from certhouse.vocabulary import KeyId, KeyType, PurposeName, ServiceAction, ServiceName
from certhouse.x509.request import CsrTemplate


class MakeRequest(msgspec.Struct, tag="make-request", frozen=True, kw_only=True):
    """Make a key and a CSR with it. The key stays on the node. ``key_length`` is bits, or the curve's size for EC."""

    purpose: PurposeName
    key_type: KeyType
    key_length: int
    template: CsrTemplate


class MakeSelfSigned(msgspec.Struct, tag="make-self-signed", frozen=True, kw_only=True):
    """Make a key and a self-signed certificate with it, ready and not yet in use."""

    purpose: PurposeName
    key_type: KeyType
    key_length: int
    template: CsrTemplate
    serial: str
    not_before: datetime
    days: int
    ca: bool = False


class ImportKey(msgspec.Struct, tag="import-key", frozen=True, kw_only=True):
    """Open a key that was sealed to this node (RFC 9180, base mode) and keep it. ``info`` is bound into the seal."""

    purpose: PurposeName
    key_id: KeyId
    sealed: bytes


class ControlService(msgspec.Struct, tag="control-service", frozen=True, kw_only=True):
    service: ServiceName
    action: ServiceAction


class ProbePurpose(msgspec.Struct, tag="probe-purpose", frozen=True, kw_only=True):
    """Ask every bound service of a purpose for the certificate it shows; with ``service``, only that one."""

    purpose: PurposeName
    service: ServiceName | None = None


class ForgetKeys(msgspec.Struct, tag="forget-keys", frozen=True, kw_only=True):
    """Destroy keys that no version, CSR or late certificate can need any more."""

    purpose: PurposeName
    key_ids: tuple[KeyId, ...]


Work = MakeRequest | MakeSelfSigned | ImportKey | ControlService | ProbePurpose | ForgetKeys


class RequestMade(msgspec.Struct, tag="request-made", frozen=True, kw_only=True):
    """``csr`` is DER."""

    key_id: KeyId
    csr: bytes


class SelfSignedMade(msgspec.Struct, tag="self-signed-made", frozen=True, kw_only=True):
    """``certificate`` is DER."""

    key_id: KeyId
    certificate: bytes


class KeyImported(msgspec.Struct, tag="key-imported", frozen=True, kw_only=True):
    key_id: KeyId


class ServiceControlled(msgspec.Struct, tag="service-controlled", frozen=True, kw_only=True):
    service: ObservedService


class Probed(msgspec.Struct, tag="probed", frozen=True, kw_only=True):
    """Empty where no service is bound to the purpose."""

    probes: tuple[Probe, ...]


class KeysForgotten(msgspec.Struct, tag="keys-forgotten", frozen=True, kw_only=True):
    key_ids: tuple[KeyId, ...]


class TaskRefused(msgspec.Struct, tag="task-refused", frozen=True, kw_only=True):
    """The node could not or would not; nothing was half-done."""

    faults: tuple[Fault, ...]


Result = RequestMade | SelfSignedMade | KeyImported | ServiceControlled | Probed | KeysForgotten | TaskRefused


class TaskOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A task as the gateway hands it over."""

    id: str
    fence: int
    work: Work


M = TypeVar("M")


def encode(message: object) -> bytes:
    """Gives a message's JSON."""
    return msgspec.json.encode(message)


def _decode(data: bytes, shape: type[M]) -> M:
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(Fault(code="message-unreadable", detail=f"not a message of this protocol: {error}")) from error


def decode_work(data: bytes) -> Work:
    return _decode(data, Work)  # type: ignore[arg-type]  # a union is a type form, not a type


def decode_result(data: bytes) -> Result:
    return _decode(data, Result)  # type: ignore[arg-type]  # as above


def decode_order(data: bytes) -> TaskOrder:
    return _decode(data, TaskOrder)


def decode_desired(data: bytes) -> DesiredState:
    return _decode(data, DesiredState)


def decode_observed(data: bytes) -> ObservedState:
    return _decode(data, ObservedState)
