"""Statements that both databases understand, and the conversion of times."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.dml import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite.dml import Insert as SqliteInsert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
T = TypeVar("T")


def micros(at: datetime) -> int:
    """Gives whole microseconds since 1970. Raises ValueError for a naive time."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def seconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)


def from_seconds(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(seconds=value)


def insert_for(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    """Gives an INSERT that knows ON CONFLICT on this database."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def add_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows whose key is not there."""
    if rows:
        connection.execute(insert_for(connection, table).on_conflict_do_nothing(), list(rows))


def put(connection: Connection, table: Table, row: Mapping[str, Any], keys: Sequence[str] = ()) -> None:
    """Inserts a row, or takes the place of the one with its key (by default the primary key)."""
    index = list(keys) or [column.name for column in table.primary_key]
    statement = insert_for(connection, table).values(**row)
    others = {name: statement.excluded[name] for name in row if name not in index}
    if others:
        connection.execute(statement.on_conflict_do_update(index_elements=index, set_=others))
    else:
        connection.execute(statement.on_conflict_do_nothing())


def batches(items: Iterable[T], size: int = 500) -> Iterable[list[T]]:
    """Gives the items in lists of at most ``size``, so that no statement grows without limit."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
