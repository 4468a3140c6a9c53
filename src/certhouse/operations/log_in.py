"""Log-ins: passwords are checked, sessions opened and recognised."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from certhouse.errors import TooManyRequests, Unauthenticated
from certhouse.model.account import AuditRecord, LoginSession, User
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Clock, Ids, PasswordHasher
from certhouse.vocabulary import UserName

SESSION_LIFE = timedelta(hours=12)
FAILURE_WINDOW = timedelta(minutes=15)
MOST_FAILURES = 5
MOST_FAILURES_OF_ADDRESS = 20
MOST_FAILURES_OF_NAME = 100
"""Far above what one address may: nobody is to lock an administrator out from elsewhere."""

USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")

# The hash of no password: checking it costs what checking a real one does.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMTI"


def hash_token(token: str) -> str:
    """Gives what is kept of a random token: it needs no slow hash, because nobody can guess it."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """``cookie`` is the only copy of the session's token."""

    user: User
    cookie: str
    session: LoginSession


def _csrf_token(cookie: str, user: User) -> str:
    """Gives a session's CSRF token. It hangs on the password's hash, so that a new password ends every session."""
    return hashlib.sha256(f"csrf\0{cookie}\0{user.password_hash}".encode()).hexdigest()


def open_session(tx: Transaction, user: User, *, ids: Ids, now: datetime) -> LoggedIn:
    """Lets a user in whose password, or set-up link, was right."""
    cookie = ids.secret()
    session = LoginSession(
        token_hash=hash_token(cookie),
        user=user.name,
        csrf_token=_csrf_token(cookie, user),
        created=now,
        expires=now + SESSION_LIFE,
    )
    tx.accounts.add_session(session)
    return LoggedIn(user=user, cookie=cookie, session=session)


def _failure_keys(name: str, address: str) -> dict[str, int]:
    who = hash_token(name.lower())[:32]
    return {
        f"user-address:{who}:{address}": MOST_FAILURES,
        f"address:{address}": MOST_FAILURES_OF_ADDRESS,
        f"user:{who}": MOST_FAILURES_OF_NAME,
    }


def check_password(
    name: str, password: str, *, address: str, store: Store, clock: Clock, passwords: PasswordHasher
) -> User:
    """Gives the user whose password it is. Raises Unauthenticated, TooManyRequests."""
    now, keys = clock.now(), _failure_keys(name, address)
    nearest = next(iter(keys))
    with store.begin() as tx:
        if any(tx.accounts.failures(key, now - FAILURE_WINDOW) >= most for key, most in keys.items()):
            raise TooManyRequests(
                "too many failed log-ins; wait a quarter of an hour", retry_after=int(FAILURE_WINDOW.total_seconds())
            )
        # Counted beforehand and taken back afterwards, so that guesses at the same moment do not slip through.
        tx.accounts.add_failure(nearest, now)
        user = tx.accounts.user(UserName(name)) if USER_NAME.fullmatch(name) else None
    # An unknown name costs as much time as a wrong password, so that names cannot be told apart.
    fits = passwords.verify(user.password_hash if user else _NOBODY, password)
    if user is not None and fits and not user.disabled:
        with store.begin() as tx:
            tx.accounts.clear_failures(nearest)
        return user
    with store.begin() as tx:
        for key in keys:
            if key != nearest:
                tx.accounts.add_failure(key, now)
        # Names that do not exist stay out of the trail: a password typed into the wrong field would end up there.
        tx.audit.add(
            AuditRecord(
                at=now, actor=user.name if user else "", action="log-in", target="", outcome="refused", detail=address
            )
        )
    raise Unauthenticated("name or password is wrong")


def log_in(
    name: str, password: str, *, address: str, store: Store, clock: Clock, ids: Ids, passwords: PasswordHasher
) -> LoggedIn:
    """Logs in. Five failures for a name from an address, or twenty from an address, within a quarter of an hour close
    the door. Raises Unauthenticated, TooManyRequests.
    """
    user = check_password(name, password, address=address, store=store, clock=clock, passwords=passwords)
    now = clock.now()
    with store.begin() as tx:
        present = tx.accounts.user(user.name)
        if present is None or present != user:
            raise Unauthenticated("name or password is wrong")
        tx.audit.add(AuditRecord(at=now, actor=user.name, action="log-in", target="", outcome="done", detail=address))
        return open_session(tx, user, ids=ids, now=now)


def log_out(cookie: str, *, store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.remove_session(hash_token(cookie))


def user_of_session(cookie: str, *, store: Store, clock: Clock) -> tuple[User, LoginSession]:
    """Gives whose cookie it is. Raises Unauthenticated."""
    with store.read() as tx:
        session = tx.accounts.session(hash_token(cookie))
        user = tx.accounts.user(session.user) if session is not None and session.expires > clock.now() else None
    if session is None or user is None or user.disabled or session.csrf_token != _csrf_token(cookie, user):
        raise Unauthenticated("the log-in has ended; log in again")
    return user, session
