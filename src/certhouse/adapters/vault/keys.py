"""Private keys of a node, in ``DATA/keys/PURPOSE/KEYID.pem`` (PKCS#8, 0600). They never leave from here."""

import json
import os
import threading
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from certhouse.adapters.vault.atomic import replace_file, sync_folder
from certhouse.errors import Fault, NotFound, Refused
from certhouse.vocabulary import KeyId, KeyType, NodeName, PurposeName
from certhouse.wire.sealing import seal_info
from certhouse.x509.keys import KeySpec, PrivateKey, checked, key_id, make_key, private_key_pem
from certhouse.x509.request import CsrTemplate, build_request
from certhouse.x509.self_signed import self_sign

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@lru_cache(maxsize=64)
def _load_own(pem: bytes) -> PrivateKey:
    # The full check of an RSA key costs as much as making one; these were checked when they came.
    return load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)  # type: ignore[return-value]  # only such are kept


class FileKeys:
    """``ports.node.Keys``. One key is made at a time: an RSA key takes a core for a second."""

    def __init__(self, data: Path, node: NodeName) -> None:
        self._data = data
        self._node = node
        self._one_at_a_time = threading.Lock()

    def path(self, purpose: PurposeName, key: KeyId) -> Path:
        return self._data / "keys" / purpose / f"{key}.pem"

    def load(self, purpose: PurposeName, key: KeyId) -> PrivateKey:
        try:
            return _load_own(self.path(purpose, key).read_bytes())
        except FileNotFoundError:
            raise NotFound(f"this node has no key {key[:16]}… for {purpose}") from None

    def has(self, purpose: PurposeName, key_id: KeyId) -> bool:
        return self.path(purpose, key_id).is_file()

    def make(self, purpose: PurposeName, key_type: KeyType, key_length: int, *, task: str) -> KeyId:
        note = self._data / "node" / "made" / f"{task}.json"
        with self._one_at_a_time:
            try:
                made = KeyId(json.loads(note.read_text())["key_id"])
                if self.has(purpose, made):
                    return made
            except (FileNotFoundError, ValueError, KeyError):
                pass
            made = self._keep(purpose, make_key(KeySpec(type=key_type, length=key_length)))
            replace_file(note, json.dumps({"key_id": made}).encode())
            return made

    def _keep(self, purpose: PurposeName, key: PrivateKey) -> KeyId:
        name = key_id(key.public_key())
        replace_file(self.path(purpose, name), private_key_pem(key))
        return name

    def request(self, purpose: PurposeName, key_id: KeyId, template: CsrTemplate) -> bytes:
        return build_request(self.load(purpose, key_id), template)

    def self_sign(
        self,
        purpose: PurposeName,
        key_id: KeyId,
        template: CsrTemplate,
        *,
        serial: int,
        not_before: datetime,
        days: int,
        ca: bool,
    ) -> bytes:
        key = self.load(purpose, key_id)
        return self_sign(key, template, serial=serial, not_before=not_before, days=days, ca=ca)

    def seal_key(self) -> bytes:
        """Gives the raw public key that others seal to; made at the first call."""
        return self._seal_private().public_key().public_bytes_raw()

    def _seal_private(self) -> X25519PrivateKey:
        path = self._data / "node" / "seal.key"
        if not path.is_file():
            fresh = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            replace_file(path, fresh)
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, X25519PrivateKey):
            raise Refused(
                Fault(code="seal-key", detail="the node's seal key is not of its kind", remedy="join the node again")
            )
        return key

    def open_sealed(self, purpose: PurposeName, key_id: KeyId, sealed: bytes) -> None:
        info = seal_info(self._node, purpose, key_id)
        try:
            plain = SUITE.decrypt(sealed, self._seal_private(), info)
            key = checked(load_der_private_key(plain, None))
        except (InvalidTag, ValueError, TypeError) as error:
            raise Refused(
                Fault(
                    code="sealed-key",
                    detail="the key was not sealed for this node, purpose and certificate",
                    remedy="upload it again",
                )
            ) from error
        if self._id(key) != key_id:
            raise Refused(
                Fault(
                    code="sealed-key",
                    detail="the sealed key is not the one that was announced",
                    remedy="upload it again",
                )
            )
        self._keep(purpose, key)

    @staticmethod
    def _id(key: PrivateKey) -> KeyId:
        return key_id(key.public_key())

    def forget(self, purpose: PurposeName, key_ids: Iterable[KeyId]) -> None:
        in_use = self._in_use(purpose)
        for name in key_ids:
            path = self.path(purpose, name)
            if name in in_use or not path.is_file():
                continue
            with path.open("r+b") as file:
                size = os.fstat(file.fileno()).st_size
                file.write(b"\0" * size)
                os.fsync(file.fileno())
            path.unlink()
            sync_folder(path.parent)

    def _in_use(self, purpose: PurposeName) -> set[KeyId]:
        try:
            pem = (self._data / "live" / purpose / "key.pem").read_bytes()
        except FileNotFoundError:
            return set()
        return {self._id(_load_own(pem))}


class HpkeSeal:
    """``ports.world.Seal``: RFC 9180, base mode, X25519, HKDF-SHA256, AES-256-GCM."""

    def seal(self, public_key: bytes, info: bytes, plaintext: bytes) -> bytes:
        return SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info)
