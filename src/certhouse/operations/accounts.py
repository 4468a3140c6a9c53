"""Who may use Certhouse: the first user by a set-up link, log-ins, users and API tokens."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certhouse.errors import Fault, Forbidden, NotFound, Refused, TooManyRequests, Unauthenticated
from certhouse.model.account import ApiToken, AuditRecord, LoginSession, User
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Clock, Ids, PasswordHasher
from certhouse.vocabulary import UserName

ADMINISTRATOR, AUDITOR = "administrator", "auditor"
ROLES = (ADMINISTRATOR, AUDITOR)
SETUP_LIFE = timedelta(hours=1)
SESSION_LIFE = timedelta(hours=12)
LONGEST_TOKEN_LIFE = timedelta(days=366)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
MOST_FAILURES = 5
FAILURE_WINDOW = timedelta(minutes=15)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def hash_token(token: str) -> str:
    """Gives what is kept of a random token: it needs no slow hash, because nobody can guess it."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """``cookie`` is the only copy of the session's token."""

    user: User
    cookie: str
    session: LoginSession


def issue_setup_link(*, store: Store, clock: Clock, ids: Ids) -> str | None:
    """Gives a fresh set-up token, valid for an hour, or None once there is a user."""
    with store.begin() as tx:
        if tx.accounts.users():
            return None
        token = ids.secret()
        tx.accounts.set_setup_token(hash_token(token), clock.now() + SETUP_LIFE)
        return token


def _password_faults(name: str, password: str) -> list[Fault]:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or name.lower() in password.lower():
        return [
            Fault(
                code="password",
                detail="the password does not fit",
                expected=f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters, without the user's name",
                remedy="choose another one",
            )
        ]
    return []


def _name_faults(name: str) -> list[Fault]:
    if _NAME.fullmatch(name):
        return []
    return [
        Fault(
            code="user-name",
            detail="the user's name does not fit",
            found=name[:64],
            expected="letters, digits and . _ @ -, at most 64",
        )
    ]


def set_up(
    token: str, name: str, password: str, *, store: Store, clock: Clock, ids: Ids, passwords: PasswordHasher
) -> LoggedIn:
    """Makes the first administrator and logs in. The link is dead afterwards. Raises Unauthenticated, Refused."""
    now = clock.now()
    faults = [*_name_faults(name), *_password_faults(name, password)]
    with store.read() as tx:
        _check_setup(tx, token, now)
    if faults:
        raise Refused(faults)
    user = User(name=UserName(name), role=ADMINISTRATOR, password_hash=passwords.hash(password), created=now)
    with store.begin() as tx:
        _check_setup(tx, token, now)
        tx.accounts.clear_setup_tokens()
        tx.accounts.add_user(user)
        tx.audit.add(AuditRecord(at=now, actor=name, action="set-up", target=name, outcome="done"))
        return _open_session(tx, user, ids=ids, now=now)


def _check_setup(tx: Transaction, token: str, now: datetime) -> None:
    expires = tx.accounts.setup_token_expires(hash_token(token))
    if expires is None or expires < now or tx.accounts.users():
        raise Unauthenticated("the set-up link is used up, has expired or never was; restart Certhouse for a new one")


def _open_session(tx: Transaction, user: User, *, ids: Ids, now: datetime) -> LoggedIn:
    cookie = ids.secret()
    session = LoginSession(
        token_hash=hash_token(cookie), user=user.name, csrf_token=ids.secret(), created=now, expires=now + SESSION_LIFE
    )
    tx.accounts.add_session(session)
    return LoggedIn(user=user, cookie=cookie, session=session)


def log_in(
    name: str, password: str, *, address: str, store: Store, clock: Clock, ids: Ids, passwords: PasswordHasher
) -> LoggedIn:
    """Logs in. Five failures for a name, or twenty from an address, within a quarter of an hour close the door.

    Raises Unauthenticated, TooManyRequests.
    """
    now = clock.now()
    since = now - FAILURE_WINDOW
    keys = {f"user:{name.lower()}": MOST_FAILURES, f"address:{address}": MOST_FAILURES * 4}
    with store.read() as tx:
        if any(tx.accounts.failures(key, since) >= most for key, most in keys.items()):
            raise TooManyRequests(
                "too many failed log-ins; wait a quarter of an hour", retry_after=int(FAILURE_WINDOW.total_seconds())
            )
        user = tx.accounts.user(UserName(name))
    # An unknown name costs as much time as a wrong password, so that names cannot be told apart.
    fits = passwords.verify(user.password_hash if user else _NOBODY, password)
    with store.begin() as tx:
        if user is None or not fits or user.disabled:
            for key in keys:
                tx.accounts.add_failure(key, now)
            tx.audit.add(
                AuditRecord(at=now, actor=name[:64], action="log-in", target="", outcome="refused", detail=address)
            )
            logged_in = None
        else:
            tx.accounts.clear_failures(f"user:{name.lower()}")
            tx.audit.add(
                AuditRecord(at=now, actor=user.name, action="log-in", target="", outcome="done", detail=address)
            )
            logged_in = _open_session(tx, user, ids=ids, now=now)
    if logged_in is None:
        raise Unauthenticated("name or password is wrong")
    return logged_in


_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMTI"


def log_out(cookie: str, *, store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.remove_session(hash_token(cookie))


def user_of_session(cookie: str, *, store: Store, clock: Clock) -> tuple[User, LoginSession]:
    """Gives whose cookie it is. Raises Unauthenticated."""
    with store.read() as tx:
        session = tx.accounts.session(hash_token(cookie))
        user = tx.accounts.user(session.user) if session is not None and session.expires > clock.now() else None
    if session is None or user is None or user.disabled:
        raise Unauthenticated("the log-in has ended; log in again")
    return user, session


def user_of_token(token: str, *, store: Store, clock: Clock) -> User:
    """Gives whose API token it is. Raises Unauthenticated."""
    now = clock.now()
    with store.read() as tx:
        known = tx.accounts.token(hash_token(token))
        user = tx.accounts.user(known.user) if known is not None and known.expires > now else None
    if known is None or user is None or user.disabled:
        raise Unauthenticated("the API token is unknown, has expired or was revoked")
    if known.last_used is None or now - known.last_used > timedelta(minutes=1):
        with store.begin() as tx:
            tx.accounts.touch_token(known.id, now)
    return user


def list_users(*, store: Store) -> Sequence[User]:
    with store.read() as tx:
        return tx.accounts.users()


def add_user(
    name: str, password: str, role: str, *, store: Store, clock: Clock, passwords: PasswordHasher, actor: str
) -> User:
    """Adds a user. Raises Refused with all faults."""
    faults = [*_name_faults(name), *_password_faults(name, password)]
    if role not in ROLES:
        faults.append(
            Fault(code="role", detail=f"there is no role {role[:64]}", found=role[:64], expected=", ".join(ROLES))
        )
    if faults:
        raise Refused(faults)
    now = clock.now()
    user = User(name=UserName(name), role=role, password_hash=passwords.hash(password), created=now)
    with store.begin() as tx:
        if tx.accounts.user(user.name) is not None:
            raise Refused(
                Fault(code="user-exists", detail=f"there is a user {name} already", remedy="choose another name")
            )
        tx.accounts.clear_setup_tokens()
        tx.accounts.add_user(user)
        tx.audit.add(AuditRecord(at=now, actor=actor, action="add-user", target=name, outcome="done", detail=role))
    return user


def remove_user(name: str, *, store: Store, clock: Clock, actor: str) -> None:
    """Removes a user with all log-ins and tokens; the last administrator stays. Raises NotFound, Refused."""
    with store.begin() as tx:
        user = tx.accounts.user(UserName(name))
        if user is None:
            raise NotFound(f"there is no user {name}")
        others = [
            other
            for other in tx.accounts.users()
            if other.role == ADMINISTRATOR and other.name != name and not other.disabled
        ]
        if user.role == ADMINISTRATOR and not others:
            raise Refused(
                Fault(
                    code="last-administrator",
                    detail=f"{name} is the last administrator",
                    remedy="add another one first",
                )
            )
        tx.accounts.remove_user(user.name)
        tx.audit.add(AuditRecord(at=clock.now(), actor=actor, action="remove-user", target=name, outcome="done"))


def change_password(
    name: str, password: str, *, store: Store, clock: Clock, passwords: PasswordHasher, actor: str
) -> None:
    """Sets a new password. Raises NotFound, Refused."""
    if faults := _password_faults(name, password):
        raise Refused(faults)
    new = passwords.hash(password)
    with store.begin() as tx:
        user = tx.accounts.user(UserName(name))
        if user is None:
            raise NotFound(f"there is no user {name}")
        tx.accounts.save_user(replace(user, password_hash=new))
        tx.accounts.clear_failures(f"user:{name.lower()}")
        tx.audit.add(AuditRecord(at=clock.now(), actor=actor, action="change-password", target=name, outcome="done"))


def create_token(
    user: str, description: str, life: timedelta, *, store: Store, clock: Clock, ids: Ids, actor: str
) -> tuple[ApiToken, str]:
    """Gives a new token's record and, this once, the token itself. Raises NotFound, Refused."""
    now = clock.now()
    if not timedelta(0) < life <= LONGEST_TOKEN_LIFE:
        raise Refused(
            Fault(code="token-life", detail="a token lives at least a second and at most 366 days", found=str(life))
        )
    secret = "cht_" + ids.secret()
    with store.begin() as tx:
        if tx.accounts.user(UserName(user)) is None:
            raise NotFound(f"there is no user {user}")
        token = ApiToken(
            id=ids.new("tok"),
            token_hash=hash_token(secret),
            user=UserName(user),
            description=description[:200],
            created=now,
            expires=now + life,
        )
        tx.accounts.add_token(token)
        tx.audit.add(
            AuditRecord(at=now, actor=actor, action="create-token", target=user, outcome="done", detail=token.id)
        )
    return token, secret


def list_tokens(*, store: Store, user: str | None = None) -> Sequence[ApiToken]:
    with store.read() as tx:
        return tx.accounts.tokens(UserName(user) if user else None)


def revoke_token(token_id: str, *, store: Store, clock: Clock, actor: str, owner: str | None = None) -> None:
    """Revokes a token; with ``owner`` only one of that user's. Raises NotFound, Forbidden."""
    with store.begin() as tx:
        token = next((item for item in tx.accounts.tokens() if item.id == token_id), None)
        if token is None:
            raise NotFound(f"there is no token {token_id}")
        if owner is not None and token.user != owner:
            raise Forbidden("this token is another user's")
        tx.accounts.remove_token(token_id)
        tx.audit.add(
            AuditRecord(
                at=clock.now(), actor=actor, action="revoke-token", target=token.user, outcome="done", detail=token_id
            )
        )


def list_audit(*, store: Store, limit: int = 100, before: int | None = None) -> Sequence[AuditRecord]:
    with store.read() as tx:
        return tx.audit.newest(limit, before)
