"""Tries each binding of a node: is the unit there, does the port answer, can the service's user read its files."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from certhouse.adapters.control.bindings import Binding, bindings_path, read_bindings
from certhouse.adapters.control.probe import probe
from certhouse.vocabulary import ServiceName

_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """``result`` is ok, failed or unknown (it could not be tried)."""

    service: ServiceName
    what: str
    result: str
    detail: str


def check_bindings(data: Path) -> tuple[CheckResult, ...]:
    """Gives a result for everything that can be tried. Raises Misconfigured, Refused for a file that does not read."""
    bindings = read_bindings(bindings_path(data), {})
    return tuple(
        CheckResult(service=service, what=what, result=result, detail=detail)
        for service, binding in bindings.items()
        for what, result, detail in _try(service, binding, data)
    )


def _try(service: ServiceName, binding: Binding, data: Path) -> Iterator[tuple[str, str, str]]:
    if binding.controller == "systemd":
        yield _try_unit(binding.unit)
    for name in ("start", "stop", "restart", "status"):
        argv: tuple[str, ...] = getattr(binding, name)
        if argv:
            found = shutil.which(argv[0])
            yield f"command {name}", "ok" if found else "failed", found or f"there is no {argv[0]}"
    for check in binding.checks:
        seen = probe(service, check, None)
        what = f"port {check.address} ({check.purpose})"
        yield what, "ok" if seen.fingerprint else "failed", seen.fingerprint or seen.error
        if binding.user:
            yield _try_files(binding.user, data / "live" / check.purpose)


def _try_unit(unit: str) -> tuple[str, str, str]:
    if shutil.which("systemctl") is None:
        return f"unit {unit}", "unknown", "there is no systemctl on this machine"
    try:
        done = subprocess.run(
            ["systemctl", "cat", "--", unit],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"unit {unit}", "unknown", "systemd does not answer"
    return (
        f"unit {unit}",
        "ok" if done.returncode == 0 else "failed",
        done.stderr.decode("utf-8", "replace").strip()[:200],
    )


def _try_files(user: str, folder: Path) -> tuple[str, str, str]:
    account = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, account.pw_gid))
    target = (folder / "key.pem").resolve()
    for path in [*reversed(target.parents), target]:
        if not path.exists():
            return f"files for {user}", "unknown", f"{path} is not there yet"
        if not _may(path, account.pw_uid, groups):
            return f"files for {user}", "failed", f"{user} cannot read {path}; name a group in the binding"
    return f"files for {user}", "ok", str(folder)


def _may(path: Path, uid: int, groups: set[int]) -> bool:
    """Says whether a user may pass a folder, or read a file, by its mode."""
    status = path.stat()
    mode = status.st_mode
    needed = 1 if stat.S_ISDIR(mode) else 4
    if uid == 0:
        return True
    if status.st_uid == uid:
        return bool((mode >> 6) & needed)
    return bool((mode >> 3) & needed) if status.st_gid in groups else bool(mode & needed)
