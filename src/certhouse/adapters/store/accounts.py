"""Users, log-ins and tokens; the audit trail; answers that were given before."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from certhouse.adapters.store.entry_rows import clean
from certhouse.adapters.store.statements import add_missing, from_micros, micros, put
from certhouse.adapters.store.tables import (
    api_tokens,
    audit,
    failures,
    idempotency,
    login_sessions,
    setup_tokens,
    users,
)
from certhouse.model.account import ApiToken, AuditRecord, LoginSession, User
from certhouse.vocabulary import UserName


def _user(row: RowMapping) -> User:
    return User(
        name=UserName(row["name"]),
        role=row["role"],
        password_hash=row["password_hash"],
        created=from_micros(row["created"]),
        disabled=bool(row["disabled"]),
    )


def _token(row: RowMapping) -> ApiToken:
    return ApiToken(
        id=row["id"],
        token_hash=row["token_hash"],
        user=UserName(row["user"]),
        description=row["description"],
        created=from_micros(row["created"]),
        expires=from_micros(row["expires"]),
        last_used=None if row["last_used"] is None else from_micros(row["last_used"]),
    )


class SqlAccounts:
    """``ports.store.Accounts``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_user(self, user: User) -> None:
        self.save_user(user)

    def save_user(self, user: User) -> None:
        row = {
            "name": user.name,
            "role": user.role,
            "password_hash": user.password_hash,
            "created": micros(user.created),
            "disabled": int(user.disabled),
        }
        put(self._connection, users, row)

    def user(self, name: UserName) -> User | None:
        row = self._connection.execute(select(users).where(users.c.name == name)).mappings().first()
        return _user(row) if row is not None else None

    def users(self) -> Sequence[User]:
        return [_user(row) for row in self._connection.execute(select(users).order_by(users.c.name)).mappings()]

    def remove_user(self, name: UserName) -> None:
        self._connection.execute(delete(login_sessions).where(login_sessions.c.user == name))
        self._connection.execute(delete(api_tokens).where(api_tokens.c.user == name))
        self._connection.execute(delete(users).where(users.c.name == name))

    def add_session(self, session: LoginSession) -> None:
        row = {
            "token_hash": session.token_hash,
            "user": session.user,
            "csrf_token": session.csrf_token,
            "created": micros(session.created),
            "expires": micros(session.expires),
        }
        self._connection.execute(delete(login_sessions).where(login_sessions.c.expires < micros(session.created)))
        put(self._connection, login_sessions, row)

    def session(self, token_hash: str) -> LoginSession | None:
        query = select(login_sessions).where(login_sessions.c.token_hash == token_hash)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            return None
        return LoginSession(
            token_hash=row["token_hash"],
            user=UserName(row["user"]),
            csrf_token=row["csrf_token"],
            created=from_micros(row["created"]),
            expires=from_micros(row["expires"]),
        )

    def remove_session(self, token_hash: str) -> None:
        self._connection.execute(delete(login_sessions).where(login_sessions.c.token_hash == token_hash))

    def add_token(self, token: ApiToken) -> None:
        row = {
            "id": token.id,
            "token_hash": token.token_hash,
            "user": token.user,
            "description": clean(token.description),
            "created": micros(token.created),
            "expires": micros(token.expires),
        }
        put(self._connection, api_tokens, row)

    def token(self, token_hash: str) -> ApiToken | None:
        row = (
            self._connection.execute(select(api_tokens).where(api_tokens.c.token_hash == token_hash)).mappings().first()
        )
        return _token(row) if row is not None else None

    def tokens(self, user: UserName | None = None) -> Sequence[ApiToken]:
        query = select(api_tokens).order_by(api_tokens.c.created)
        if user is not None:
            query = query.where(api_tokens.c.user == user)
        return [_token(row) for row in self._connection.execute(query).mappings()]

    def remove_token(self, token_id: str) -> bool:
        return self._connection.execute(delete(api_tokens).where(api_tokens.c.id == token_id)).rowcount == 1

    def touch_token(self, token_id: str, at: datetime) -> None:
        self._connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(last_used=micros(at)))

    def set_setup_token(self, token_hash: str, expires: datetime) -> None:
        self.clear_setup_tokens()
        put(self._connection, setup_tokens, {"token_hash": token_hash, "expires": micros(expires)})

    def setup_token_expires(self, token_hash: str) -> datetime | None:
        query = select(setup_tokens.c.expires).where(setup_tokens.c.token_hash == token_hash)
        value = self._connection.execute(query).scalar()
        return from_micros(value) if value is not None else None

    def clear_setup_tokens(self) -> None:
        self._connection.execute(delete(setup_tokens))

    def add_failure(self, key: str, at: datetime) -> None:
        self._connection.execute(insert(failures).values(key=clean(key)[:200], at=micros(at)))

    def failures(self, key: str, since: datetime) -> int:
        query = (
            select(func.count())
            .select_from(failures)
            .where(failures.c.key == clean(key)[:200], failures.c.at >= micros(since))
        )
        return int(self._connection.execute(query).scalar_one())

    def clear_failures(self, key: str) -> None:
        self._connection.execute(delete(failures).where(failures.c.key == clean(key)[:200]))


class SqlAudit:
    """``ports.store.Audit``: written once, never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: AuditRecord) -> None:
        row = {
            "at": micros(record.at),
            "actor": clean(record.actor),
            "action": record.action,
            "target": clean(record.target)[:1000],
            "outcome": record.outcome,
            "detail": clean(record.detail)[:2000],
        }
        self._connection.execute(insert(audit).values(**row))

    def newest(self, limit: int, before: int | None = None) -> Sequence[AuditRecord]:
        query = select(audit).order_by(audit.c.number.desc()).limit(max(1, min(limit, 1000)))
        if before is not None:
            query = query.where(audit.c.number < before)
        return [
            AuditRecord(
                number=row["number"],
                at=from_micros(row["at"]),
                actor=row["actor"],
                action=row["action"],
                target=row["target"],
                outcome=row["outcome"],
                detail=row["detail"],
            )
            for row in self._connection.execute(query).mappings()
        ]


class SqlIdempotency:
    """``ports.store.Idempotency``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, actor: str, key: str) -> tuple[str, int, bytes] | None:
        query = select(idempotency).where(idempotency.c.actor == actor, idempotency.c.key == key)
        row = self._connection.execute(query).mappings().first()
        return (row["request_hash"], row["status"], bytes(row["body"])) if row is not None else None

    def put(self, actor: str, key: str, request_hash: str, status: int, body: bytes, at: datetime) -> None:
        row = {
            "actor": actor,
            "key": key,
            "request_hash": request_hash,
            "status": status,
            "body": body,
            "at": micros(at),
        }
        add_missing(self._connection, idempotency, [row])
