"""Who may use Certhouse, and the trail of what they did. Secrets appear here only as hashes."""

from dataclasses import dataclass
from datetime import datetime

from certhouse.vocabulary import UserName


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """``password_hash`` is an argon2id string. ``role`` is ``administrator`` or ``auditor`` (reads only)."""

    name: UserName
    role: str
    password_hash: str
    created: datetime
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """A browser's log-in. ``token_hash`` is SHA-256, hexadecimal, of the cookie's value."""

    token_hash: str
    user: UserName
    csrf_token: str
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A script's access. ``token_hash`` is SHA-256, hexadecimal; the token itself is shown once."""

    id: str
    token_hash: str
    user: UserName
    description: str
    created: datetime
    expires: datetime
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the trail. ``actor`` is a user's name, ``local:USER`` or ``node:NAME``. ``number`` is set when stored."""

    at: datetime
    actor: str
    action: str
    target: str
    outcome: str
    detail: str = ""
    number: int = 0
