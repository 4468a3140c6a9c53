"""Who may use Certhouse: the first user by a set-up link, then users by administrators."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from certhouse.errors import Fault, NotFound, Refused, Unauthenticated
from certhouse.model.account import AuditRecord, User
from certhouse.operations.log_in import USER_NAME, LoggedIn, check_password, hash_token, open_session
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Clock, Ids, PasswordHasher
from certhouse.vocabulary import UserName

ADMINISTRATOR, AUDITOR = "administrator", "auditor"
ROLES = (ADMINISTRATOR, AUDITOR)
SETUP_LIFE = timedelta(hours=1)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200


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
    if USER_NAME.fullmatch(name):
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
        return open_session(tx, user, ids=ids, now=now)


def _check_setup(tx: Transaction, token: str, now: datetime) -> None:
    expires = tx.accounts.setup_token_expires(hash_token(token))
    if expires is None or expires < now or tx.accounts.users():
        raise Unauthenticated("the set-up link is used up, has expired or never was; restart Certhouse for a new one")


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


def _must_not_be_last(tx: Transaction, user: User) -> None:
    """Raises Refused for the only administrator who can log in."""
    others = [
        other
        for other in tx.accounts.users()
        if other.role == ADMINISTRATOR and other.name != user.name and not other.disabled
    ]
    if user.role == ADMINISTRATOR and not user.disabled and not others:
        raise Refused(
            Fault(
                code="last-administrator",
                detail=f"{user.name} is the last administrator",
                remedy="add another one first",
            )
        )


def _known(tx: Transaction, name: str) -> User:
    user = tx.accounts.user(UserName(name))
    if user is None:
        raise NotFound(f"there is no user {name[:64]}")
    return user


def remove_user(name: str, *, store: Store, clock: Clock, actor: str) -> None:
    """Removes a user with all log-ins and tokens; the last administrator stays. Raises NotFound, Refused."""
    with store.begin() as tx:
        user = _known(tx, name)
        _must_not_be_last(tx, user)
        tx.accounts.remove_user(user.name)
        tx.audit.add(AuditRecord(at=clock.now(), actor=actor, action="remove-user", target=name, outcome="done"))


def disable_user(name: str, *, disabled: bool, store: Store, clock: Clock, actor: str) -> User:
    """Shuts a user out, log-ins and tokens too, or lets the user in again. Raises NotFound, Refused."""
    with store.begin() as tx:
        user = _known(tx, name)
        if disabled:
            _must_not_be_last(tx, user)
        changed = replace(user, disabled=disabled)
        tx.accounts.save_user(changed)
        action = "disable-user" if disabled else "enable-user"
        tx.audit.add(AuditRecord(at=clock.now(), actor=actor, action=action, target=name, outcome="done"))
        return changed


def change_password(
    name: str, password: str, *, store: Store, clock: Clock, passwords: PasswordHasher, actor: str
) -> User:
    """Sets a new password, which ends all the user's log-ins. Raises NotFound, Refused."""
    if faults := _password_faults(name, password):
        raise Refused(faults)
    new = passwords.hash(password)
    with store.begin() as tx:
        user = replace(_known(tx, name), password_hash=new)
        tx.accounts.save_user(user)
        tx.audit.add(AuditRecord(at=clock.now(), actor=actor, action="change-password", target=name, outcome="done"))
    return user


def change_own_password(
    name: str,
    present: str,
    password: str,
    *,
    address: str,
    store: Store,
    clock: Clock,
    ids: Ids,
    passwords: PasswordHasher,
) -> LoggedIn:
    """Sets one's own password and logs in anew. Raises Unauthenticated, TooManyRequests, Refused."""
    check_password(name, present, address=address, store=store, clock=clock, passwords=passwords)
    user = change_password(name, password, store=store, clock=clock, passwords=passwords, actor=name)
    with store.begin() as tx:
        return open_session(tx, user, ids=ids, now=clock.now())
