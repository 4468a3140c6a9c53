"""The files that services read: ``DATA/live/PURPOSE`` and ``DATA/trust/STORE`` (design section 6, Files on a node).

Each is a symbolic link to a version that was written whole before; one rename switches it. The two newest former
versions stay.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certhouse.adapters.vault.atomic import remove_tree, switch_link, sync_folder, write_new
from certhouse.adapters.vault.keys import FileKeys
from certhouse.adapters.vault.subject_hash import subject_hash
from certhouse.errors import Fault, Refused, Unreadable
from certhouse.model.node import DesiredIdentity, ObservedIdentity
from certhouse.vocabulary import Fingerprint, KeyId, KeyType, PurposeName, StoreName
from certhouse.x509.export import to_pem, to_pkcs12, trust_pkcs12
from certhouse.x509.facts import fingerprint_of, read_certificate
from certhouse.x509.keys import key_id, load_private_key, private_key_pem

KEPT = 3
"""Versions of a set on disk, the present one included."""

TRUST_PASSWORD = b"changeit"
"""Of ``truststore.p12``: Java wants one, and the store holds nothing secret."""


class FileVault:
    """``ports.node.Vault``. ``group_of`` gives the group that may read a purpose's keys, or -1."""

    def __init__(self, data: Path, keys: FileKeys, group_of: Callable[[PurposeName], int] = lambda _: -1) -> None:
        self._data = data
        self._keys = keys
        self._group_of = group_of

    def install_identity(self, identity: DesiredIdentity) -> None:
        purpose = identity.purpose
        if not self._keys.has(purpose, identity.key_id):
            raise Refused(
                Fault(
                    code="key-missing",
                    detail=f"this node has no key for the certificate of {purpose}",
                    found="no such key",
                    expected=identity.key_id,
                    remedy="upload the certificate together with its key, or generate a new CSR",
                )
            )
        key = self._keys.load(purpose, identity.key_id)
        if key_id(key.public_key()) != read_certificate(identity.certificate).key_id:
            raise Refused(Fault(code="key-mismatch", detail=f"the key does not fit the certificate of {purpose}"))
        key_pem, certificate = private_key_pem(key), to_pem(identity.certificate)
        chain = to_pem(*identity.chain)
        password = secrets.token_urlsafe(18).encode()
        bundle = to_pkcs12(key, identity.certificate, identity.chain, password, purpose)
        group = self._group_of(purpose)
        secret = 0o640 if group >= 0 else 0o600
        files = {
            "cert.pem": (certificate, 0o644),
            "chain.pem": (chain, 0o644),
            "fullchain.pem": (certificate + chain, 0o644),
            "key.pem": (key_pem, secret),
            "combined.pem": (key_pem + certificate + chain, secret),
            "bundle.p12": (bundle, secret),
            "password": (password, secret),
        }
        self._switch("live", purpose, files, group)

    def _switch(self, kind: str, name: str, files: dict[str, tuple[bytes, int]], group: int = -1) -> None:
        versions = self._data / "versions" / kind / name
        versions.mkdir(parents=True, exist_ok=True)
        number = max((int(path.name) for path in versions.iterdir() if path.name.isdigit()), default=0) + 1
        # A folder whose name is no number was being written when the power went: nothing points to it.
        for torn in versions.iterdir():
            if not torn.name.isdigit():
                remove_tree(torn)
        folder = versions / f"{number}.new"
        folder.mkdir(mode=0o755)
        for path, (content, mode) in files.items():
            target = folder / path
            if target.parent != folder and not target.parent.exists():
                target.parent.mkdir(mode=0o755)
            write_new(target, content, mode=mode, group=group if mode & 0o040 and not mode & 0o004 else -1)
        sync_folder(folder)
        ready = versions / str(number)
        folder.rename(ready)
        sync_folder(versions)
        (self._data / kind).mkdir(mode=0o755, exist_ok=True)
        switch_link(self._data / kind / name, Path("..") / "versions" / kind / name / str(number))
        self._prune(versions, number)

    def _prune(self, versions: Path, number: int) -> None:
        for path in versions.iterdir():
            if path.name.isdigit() and int(path.name) <= number - KEPT:
                remove_tree(path)

    def remove_identity(self, purpose: PurposeName) -> None:
        (self._data / "live" / purpose).unlink(missing_ok=True)

    def identity(self, purpose: PurposeName) -> ObservedIdentity | None:
        folder = self._data / "live" / purpose
        try:
            certificates = x509.load_pem_x509_certificates((folder / "cert.pem").read_bytes())
            facts = read_certificate(_der(certificates[0]))
            found = key_id(load_private_key((folder / "key.pem").read_bytes()).public_key())
            whole = self._whole(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, OSError, Refused, Unreadable):
            return ObservedIdentity(purpose=purpose, fingerprint=Fingerprint(""), key_id=KeyId(""), key_fits=False)
        return ObservedIdentity(
            purpose=purpose, fingerprint=facts.fingerprint, key_id=found, key_fits=whole and found == facts.key_id
        )

    def key_type(self, purpose: PurposeName) -> KeyType | None:
        """Gives the type of the key that the purpose's certificate on disk is for, or None if there is none."""
        try:
            certificates = x509.load_pem_x509_certificates((self._data / "live" / purpose / "cert.pem").read_bytes())
            return read_certificate(_der(certificates[0])).key_type
        except (OSError, ValueError, Unreadable):
            return None

    @staticmethod
    def _whole(folder: Path) -> bool:
        """Says whether the files of a set agree: somebody may have edited one of them."""
        key, certificate, chain = ((folder / f"{name}.pem").read_bytes() for name in ("key", "cert", "chain"))
        return (folder / "combined.pem").read_bytes() == key + certificate + chain and (
            folder / "fullchain.pem"
        ).read_bytes() == certificate + chain

    def identities(self) -> Sequence[ObservedIdentity]:
        live = self._data / "live"
        names = sorted(path.name for path in live.iterdir() if not path.name.startswith(".")) if live.is_dir() else []
        return [seen for name in names if (seen := self.identity(PurposeName(name))) is not None]

    def install_store(self, store: StoreName, certificates: Sequence[bytes]) -> None:
        ordered = sorted(certificates, key=fingerprint_of)
        files: dict[str, tuple[bytes, int]] = {"ca-bundle.pem": (to_pem(*ordered), 0o644)}
        if ordered:
            files["truststore.p12"] = (trust_pkcs12(ordered, TRUST_PASSWORD), 0o644)
        used: dict[str, int] = {}
        for der in ordered:
            name = subject_hash(x509.load_der_x509_certificate(der))
            files[f"hashed/{name}.{used.get(name, 0)}"] = (to_pem(der), 0o644)
            used[name] = used.get(name, 0) + 1
        self._switch("trust", store, files)

    def store_digest(self, store: StoreName) -> str | None:
        folder = self._data / "trust" / store
        try:
            bundle = (folder / "ca-bundle.pem").read_bytes()
            ders = (
                [_der(certificate) for certificate in x509.load_pem_x509_certificates(bundle)] if bundle.strip() else []
            )
            hashed = sum(1 for _ in (folder / "hashed").iterdir()) if ders else 0
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, OSError):
            return "unreadable"
        if hashed != len(ders):
            return "incomplete"
        return digest_of(fingerprint_of(der) for der in ders)

    def stores(self) -> Sequence[StoreName]:
        folder = self._data / "trust"
        return (
            [StoreName(path.name) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
            if folder.is_dir()
            else []
        )


def digest_of(fingerprints: Iterable[str]) -> str:
    """Gives SHA-256 over the sorted fingerprints joined by line feeds (``model.node.DesiredStore``)."""
    return hashlib.sha256("\n".join(sorted(fingerprints)).encode()).hexdigest()


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
