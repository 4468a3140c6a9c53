"""``bindings.toml``: which unit or command restarts a service, on which port it is checked, who reads its files.

The file is the node's own. The control plane can name a service, and never a command.
"""

import grp
import os
import pwd
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from certhouse.errors import Fault, Misconfigured, Refused
from certhouse.policy.durations import parse_duration
from certhouse.vocabulary import PurposeName, ServiceName

PROTOCOLS = ("tls", "postgresql", "xmpp-client", "xmpp-server", "smtp")
CONTROLLERS = ("self", "systemd", "command")


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Where a service shows a purpose's certificate. ``address`` is HOST:PORT."""

    purpose: PurposeName
    address: str
    protocol: str = "tls"
    server_name: str = ""

    @property
    def host_port(self) -> tuple[str, int]:
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


class Binding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How one service is controlled. Commands are lists of words; no shell ever sees them."""

    controller: str
    unit: str = ""
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    pid_file: str = ""
    timeout: str = "60s"
    user: str = ""
    group: str = ""
    checks: tuple[Check, ...] = ()

    @property
    def seconds(self) -> float:
        return parse_duration(self.timeout).total_seconds()


Bindings = Mapping[ServiceName, Binding]


def bindings_path(data: Path) -> Path:
    """Gives where the bindings are: ``/etc/certhouse/bindings.toml`` for root where that exists, else in the data directory."""
    system = Path("/etc/certhouse/bindings.toml")
    own = data / "bindings.toml"
    return system if os.geteuid() == 0 and system.exists() and not own.exists() else own


def read_bindings(path: Path, default: Bindings) -> Bindings:
    """Gives the default bindings under those of the file. Raises Misconfigured for a file that others can write,
    Refused with all faults, each with its line."""
    try:
        status = path.stat()
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return default
    if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
        raise Misconfigured(f"{path} must belong to root or to the user of the agent, and nobody else may write it")
    return {**default, **parse_bindings(text, path.name)}


def parse_bindings(text: str, name: str) -> Bindings:
    """Gives the bindings of a text. Raises Refused with all faults, each with its line."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(
            Fault(code="bindings-syntax", detail=f"{name}: not TOML: {error}", remedy="mend the line it names")
        ) from error
    faults: list[Fault] = []
    found: dict[ServiceName, Binding] = {}
    for table in tables:
        if table != "services":
            faults.append(_fault(text, name, table, f"there is no table [{table}]", '[services."NAME"]'))
    for service, row in dict(tables.get("services", {})).items():
        try:
            binding = msgspec.convert(row, type=Binding)
        except msgspec.ValidationError as error:
            faults.append(_fault(text, name, service, f"{service}: {error}", "docs/bindings.md"))
            continue
        faults.extend(
            _fault(text, name, service, f"{service}: {detail}", expected) for detail, expected in _objections(binding)
        )
        found[ServiceName(service)] = binding
    if faults:
        raise Refused(faults)
    return found


def _objections(binding: Binding) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    if binding.controller not in CONTROLLERS:
        wrong.append((f"there is no controller {binding.controller}", ", ".join(CONTROLLERS)))
    if binding.controller == "systemd" and not re.fullmatch(
        r"[A-Za-z0-9:_.@\\-]+\.(service|socket|target)", binding.unit
    ):
        wrong.append(("a systemd binding needs its unit", 'unit = "nginx.service"'))
    if binding.controller == "command" and not binding.restart:
        wrong.append(("a command binding needs its restart", 'restart = ["nginx", "-s", "reload"]'))
    try:
        parse_duration(binding.timeout)
    except Refused:
        wrong.append((f"{binding.timeout} is not a duration", "60s"))
    for check in binding.checks:
        if check.protocol not in PROTOCOLS:
            wrong.append((f"there is no protocol {check.protocol}", ", ".join(PROTOCOLS)))
        if not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}", check.address):
            wrong.append((f"{check.address} is not an address", "HOST:PORT"))
    for what, value, known in (("user", binding.user, _user), ("group", binding.group, _group)):
        if value and not known(value):
            wrong.append((f"there is no {what} {value} on this machine", f"an existing {what}"))
    return wrong


def _user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _fault(text: str, name: str, service: str, detail: str, expected: str) -> Fault:
    line = next((number for number, line in enumerate(text.splitlines(), 1) if service in line), 1)
    return Fault(
        code="binding", detail=f"{name}:{line}: {detail}", expected=expected, remedy=f"mend line {line} of {name}"
    )


def group_of(bindings: Bindings, purpose: PurposeName) -> int:
    """Gives the group that may read a purpose's keys, or -1: the first binding that shows it and names one."""
    for binding in bindings.values():
        if binding.group and any(check.purpose == purpose for check in binding.checks):
            return grp.getgrnam(binding.group).gr_gid
    return -1
