"""Configuration: one TOML file, over it the environment (``CERTHOUSE_…``), over both the command line."""

import os
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from certhouse.adapters.vault.atomic import replace_file
from certhouse.errors import Misconfigured

_KEYS = (
    "data",
    "listen",
    "gateway_listen",
    "database_url",
    "node_name",
    "domain",
    "key_encryption_key",
    "allowed_hosts",
)
_SECRETS = ("database_url", "key_encryption_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """``listen`` and ``gateway_listen`` are HOST:PORT. The key-encryption key has 32 bytes and is never shown."""

    data: Path
    listen: str
    gateway_listen: str
    database_url: str = field(repr=False)
    node_name: str
    domain: str
    allowed_hosts: tuple[str, ...]
    key_encryption_key: bytes | None = field(default=None, repr=False)

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def api_socket(self) -> Path:
        return self.run / "api.sock"

    @property
    def self_socket(self) -> Path:
        return self.run / "self.sock"


def default_data() -> Path:
    return Path("/var/lib/certhouse") if os.geteuid() == 0 else Path.home() / ".local" / "share" / "certhouse"


def split_address(address: str, what: str) -> tuple[str, int]:
    """Gives host and port of HOST:PORT. Raises Misconfigured."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise Misconfigured(f"{what} is {address!r}; it takes HOST:PORT, as in 127.0.0.1:8443")
    return host.strip("[]") or "0.0.0.0", int(port)


def load_configuration(
    flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None = None
) -> Configuration:
    """Gives the configuration. Raises Misconfigured that names the key, and never its secret value."""
    values: dict[str, str] = {}
    if file is not None:
        try:
            table = tomllib.loads(file.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise Misconfigured(f"the configuration {file} cannot be read: {error}") from error
        for key, value in table.items():
            name = key.replace("-", "_")
            if name not in _KEYS:
                raise Misconfigured(f"{file}: there is no key {key}; there are: {', '.join(_KEYS)}")
            values[name] = str(value)
    for key in _KEYS:
        variable = f"CERTHOUSE_{key.upper()}"
        if variable in environment:
            values[key] = environment[variable]
        elif key in _SECRETS and f"{variable}_FILE" in environment:
            try:
                values[key] = Path(environment[f"{variable}_FILE"]).read_text().strip()
            except OSError as error:
                raise Misconfigured(f"{variable}_FILE cannot be read: {error.strerror}") from error
    values.update({key: value for key, value in flags.items() if value is not None})
    data = Path(values.get("data") or default_data()).expanduser().absolute()
    name = (values.get("node_name") or socket.gethostname() or "localhost").lower()
    configuration = Configuration(
        data=data,
        listen=values.get("listen", "127.0.0.1:8443"),
        gateway_listen=values.get("gateway_listen", "127.0.0.1:8444"),
        database_url=values.get("database_url") or f"sqlite:///{data / 'certhouse.db'}",
        node_name=name,
        domain=values.get("domain", name.partition(".")[2]),
        allowed_hosts=tuple(item.strip() for item in values.get("allowed_hosts", "").split(",") if item.strip()),
        key_encryption_key=_key(values.get("key_encryption_key")),
    )
    split_address(configuration.listen, "CERTHOUSE_LISTEN")
    split_address(configuration.gateway_listen, "CERTHOUSE_GATEWAY_LISTEN")
    return configuration


def _key(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Misconfigured("the key-encryption key takes 64 hexadecimal digits")
    return key


def key_encryption_key(configuration: Configuration, environment: Mapping[str, str]) -> bytes:
    """Gives the key from the configuration, a systemd credential, or ``DATA/key-encryption-key``, made at the first start."""
    if configuration.key_encryption_key is not None:
        return configuration.key_encryption_key
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if credentials and (found := Path(credentials) / "certhouse-key-encryption-key").is_file():
        return _key(found.read_text().strip()) or b""
    path = configuration.data / "key-encryption-key"
    if not path.is_file():
        replace_file(path, os.urandom(32).hex().encode())
    return _key(path.read_text().strip()) or b""
