"""What can go wrong, by what the caller can do about it.

    CerthouseError
    ├── NotFound          the named thing is not there
    ├── Refused           understood, and not done: carries every fault at once
    │   ├── Unreadable    the input is not what it should be
    │   └── Conflict      the state has moved on; look again
    ├── Unauthenticated   log in first
    ├── Forbidden         logged in, and not allowed
    ├── TooManyRequests   come back later
    ├── Unavailable       another part did not answer; the same request may work later
    └── Misconfigured     the program cannot start as configured

Edges translate these into exit codes and RFC 9457 documents; nothing below an edge knows of either. A message is lower
case, without a full stop, names the thing and, where there is one, the way out. It never holds a secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One reason for a refusal.

    ``code`` is stable and made for programs; ``detail`` says what is wrong; ``found`` and ``expected`` are the two
    sides of the comparison, empty where there is none; ``remedy`` is the way out.
    """

    code: str
    detail: str
    found: str = ""
    expected: str = ""
    remedy: str = ""


class CerthouseError(Exception):
    """The root of everything Certhouse raises on purpose."""

    code = "error"


class NotFound(CerthouseError):
    code = "not-found"


class Refused(CerthouseError):
    """Understood, and not done. ``faults`` holds all reasons, at least one."""

    code = "refused"

    def __init__(self, faults: Iterable[Fault] | Fault) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("; ".join(fault.detail for fault in self.faults))


class Unreadable(Refused):
    """The input cannot be read as what it was given for."""

    code = "unreadable"


class Conflict(Refused):
    """What the request builds on has changed since it was looked at."""

    code = "conflict"


class Unauthenticated(CerthouseError):
    code = "unauthenticated"


class Forbidden(CerthouseError):
    code = "forbidden"


class TooManyRequests(CerthouseError):
    code = "too-many-requests"

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        """Seconds."""
        super().__init__(message)


class Unavailable(CerthouseError):
    code = "unavailable"


class Misconfigured(CerthouseError):
    code = "misconfigured"
