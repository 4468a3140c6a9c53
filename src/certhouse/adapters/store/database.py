"""Opens the database, brings its schema up to date, and hands out transactions."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from certhouse.adapters.store.transaction import SqlTransaction
from certhouse.errors import Misconfigured, Unavailable

# One writer at a time, as SQLite has it: read-modify-write cannot lose an update on either database.
_WRITERS = 0x63657274
_BUSY_MILLISECONDS = 30_000


class SqlStore:
    """``ports.store.Store`` on a database. Safe to use from many threads."""

    def __init__(self, engine: Engine, key_encryption_key: bytes) -> None:
        self._engine = engine
        self._key = key_encryption_key
        self._sqlite = engine.dialect.name == "sqlite"
        # SQLite's own queue of writers is unfair under load; in one process a lock is.
        self._writer = threading.Lock()

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        if self._sqlite:
            with self._writer, self._transaction("BEGIN IMMEDIATE") as tx:
                yield tx
        else:
            with self._transaction("BEGIN", f"SELECT pg_advisory_xact_lock({_WRITERS})") as tx:
                yield tx

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        begin = "BEGIN" if self._sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with self._transaction(begin) as tx:
            yield tx

    @contextmanager
    def _transaction(self, *opening: str) -> Iterator[SqlTransaction]:
        try:
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            raise Unavailable(f"the database does not answer: {type(error).__name__}") from error
        with connection:
            for statement in opening:
                connection.exec_driver_sql(statement)
            try:
                yield SqlTransaction(connection, self._key)
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        self._engine.dispose()


def engine_for(url: str) -> Engine:
    """Gives an engine whose transactions are begun by statement. Raises Misconfigured for a URL of another kind."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise Misconfigured(f"the database is {parsed.get_backend_name()}; Certhouse runs on sqlite and postgresql")
    try:
        engine = create_engine(parsed, isolation_level="AUTOCOMMIT", pool_size=20, max_overflow=20)
    except ModuleNotFoundError as error:
        raise Misconfigured("PostgreSQL needs the extra: install certhouse[postgresql]") from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a driver's connection
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def open_store(url: str, key_encryption_key: bytes) -> SqlStore:
    """Opens a database and migrates it. ``key_encryption_key`` has 32 bytes and is kept outside the database.

    Raises Misconfigured for one that is newer than this program, or that cannot be opened.
    """
    engine = engine_for(url)
    if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        # It holds password hashes and the audit trail: nobody else reads it. SQLite's other files follow its mode.
        os.close(os.open(str(engine.url.database), os.O_CREAT | os.O_RDWR, 0o600))
    try:
        with engine.connect() as connection:
            migrate(connection)
    except SQLAlchemyError as error:
        engine.dispose()
        raise Misconfigured(f"the database cannot be opened: {' '.join(str(error).split())[:300]}") from error
    except Misconfigured:
        engine.dispose()
        raise
    return SqlStore(engine, key_encryption_key)


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


def migrate(connection: Connection) -> None:
    """Runs the migrations that are missing, all in one transaction."""
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")
    try:
        if not sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
        script = scripts()
        context = MigrationContext.configure(connection, opts={"transactional_ddl": False})
        current, head = context.get_current_revision(), script.get_current_head()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise Misconfigured(
                f"the database has schema {current}, which is newer than this program's {head}; "
                "run the newer program, or restore a backup that this one made"
            )
        # Each step's upgrade() runs here rather than in an alembic environment: there is nothing to configure.
        with Operations.context(context):
            for revision in reversed(list(script.iterate_revisions(head, current or "base"))):
                revision.module.upgrade()
        if current != head:
            context._ensure_version_table()
            connection.exec_driver_sql("DELETE FROM alembic_version")
            connection.exec_driver_sql(f"INSERT INTO alembic_version (version_num) VALUES ('{head}')")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
