"""The certificate list."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, literal_column, select, update

from certhouse.adapters.store.entry_rows import clean, to_entry, to_row
from certhouse.adapters.store.search import SORT_COLUMNS, after_cursor, cursor_after, where
from certhouse.adapters.store.statements import add_missing, batches, insert_for
from certhouse.adapters.store.tables import entries, identity_versions, issuers, trust
from certhouse.model.entry import Entry, ListQuery, Page
from certhouse.vocabulary import EntryKey, Fingerprint, Revocation, Served, Usage

COUNTED = 10_000
"""Matches are counted exactly up to this many (design section 6)."""

_STREAM_ROWS = 1000

_JSON_FIELDS = [
    "entry",
    "id",
    "common_name",
    "subject",
    "issuer",
    "serial",
    "not_before",
    "not_after",
    "usage",
    "purpose",
    "store",
    "node",
    "type",
    "key_type",
    "key_length",
    "signature_algorithm",
    "sans",
    "description",
    "served",
    "revocation",
]


class SqlEntries:
    """``ports.store.Entries``, and what the tables beside it need to keep the list true."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    def put(self, rows: Sequence[Entry]) -> None:
        """Writes entries, each in the place of one with its key."""
        for batch in batches(rows, 200):
            add_missing(
                self._connection,
                issuers,
                [{"issuer_key": name} for name in {to_row(entry)["issuer_key"] for entry in batch}],
            )
            statement = insert_for(self._connection, entries)
            others = {
                column.name: statement.excluded[column.name]
                for column in entries.c
                if column.name not in ("id", "entry")
            }
            upsert = statement.on_conflict_do_update(index_elements=["entry"], set_=others)
            self._connection.execute(upsert, [to_row(entry) for entry in batch])

    def remove(self, key: EntryKey) -> None:
        self._connection.execute(delete(entries).where(entries.c.entry == key))

    def _matching(self, query: ListQuery) -> list[Any]:
        return [where(condition, query.now, sqlite=self._sqlite) for condition in query.conditions]

    def find(self, query: ListQuery) -> Page[Entry]:
        limit = max(1, min(query.limit, 1000))
        conditions = self._matching(query)
        rows = self._connection.execute(self._ordered(query, conditions).limit(limit + 1)).mappings().all()
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursor_after(query, last[SORT_COLUMNS[query.sort]], last["id"])
        inner = select(literal_column("1")).select_from(entries).where(*conditions).limit(COUNTED + 1).subquery()
        count = int(self._connection.execute(select(func.count()).select_from(inner)).scalar_one())
        return Page(
            items=tuple(to_entry(row) for row in rows[:limit]),
            next=following,
            total=count if count <= COUNTED else None,
            total_at_least=None if count <= COUNTED else COUNTED,
        )

    def _ordered(self, query: ListQuery, conditions: list[Any]) -> Select[Any]:
        column = entries.c[SORT_COLUMNS[query.sort]]
        order = (column.desc(), entries.c.id.desc()) if query.descending else (column, entries.c.id)
        return select(entries).where(*conditions, after_cursor(query)).order_by(*order)

    def stream(self, query: ListQuery) -> Iterator[Entry]:
        result = self._connection.execute(self._everything(query), execution_options={"yield_per": _STREAM_ROWS})
        for row in result.mappings():
            yield to_entry(row)

    def _everything(self, query: ListQuery) -> Select[Any]:
        return self._ordered(_without_cursor(query), self._matching(query))

    def stream_json(self, query: ListQuery) -> Iterator[bytes]:
        line: ColumnElement[str] = literal_column(_SQLITE_LINE if self._sqlite else _POSTGRESQL_LINE)
        statement = self._everything(query).with_only_columns(line.label("line")).select_from(entries)
        result = self._connection.execute(statement, execution_options={"yield_per": _STREAM_ROWS})
        for block in result.partitions(_STREAM_ROWS):
            yield ("\n".join(row[0] for row in block) + "\n").encode()

    def get(self, key: EntryKey) -> Entry | None:
        row = self._connection.execute(select(entries).where(entries.c.entry == key)).mappings().first()
        return to_entry(row) if row is not None else None

    def with_certificate(self, fingerprint: Fingerprint) -> Sequence[Entry]:
        query = select(entries).where(entries.c.fingerprint == fingerprint).order_by(entries.c.usage, entries.c.entry)
        return [to_entry(row) for row in self._connection.execute(query).mappings()] if fingerprint else []

    def set_description(self, key: EntryKey, description: str) -> bool:
        entry = self.get(key)
        if entry is None:
            return False
        value = {"description": clean(description)}
        self._connection.execute(update(entries).where(entries.c.entry == key).values(**value))
        if entry.usage is Usage.IDENTITY:
            self._connection.execute(
                update(identity_versions)
                .where(
                    identity_versions.c.node == entry.node,
                    identity_versions.c.purpose == entry.purpose,
                    identity_versions.c.current == 1,
                )
                .values(**value)
            )
        else:
            self._connection.execute(
                update(trust)
                .where(
                    trust.c.store == entry.store, trust.c.node == (entry.node or ""), trust.c.fingerprint == entry.id
                )
                .values(**value)
            )
        return True

    def set_served(self, key: EntryKey, served: Served) -> None:
        self._connection.execute(
            update(entries).where(entries.c.entry == key, entries.c.served != served).values(served=served)
        )

    def set_revocation(self, fingerprint: Fingerprint, revocation: Revocation) -> None:
        self._connection.execute(
            update(entries).where(entries.c.fingerprint == fingerprint).values(revocation=revocation)
        )


def _without_cursor(query: ListQuery) -> ListQuery:
    return ListQuery(conditions=query.conditions, sort=query.sort, descending=query.descending, now=query.now)


def _null_if_empty(column: str) -> str:
    return f"nullif({column}, '')"


_VALUES = {
    "id": _null_if_empty("fingerprint"),
    "purpose": _null_if_empty("purpose"),
    "store": _null_if_empty("store"),
    "node": _null_if_empty("node"),
}
_SQLITE_VALUES = {
    **_VALUES,
    "not_before": "strftime('%Y-%m-%dT%H:%M:%SZ', not_before, 'unixepoch')",
    "not_after": "strftime('%Y-%m-%dT%H:%M:%SZ', not_after, 'unixepoch')",
    "sans": "json(sans)",
}
_POSTGRESQL_TIME = "to_char(to_timestamp({0}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
_POSTGRESQL_VALUES = {
    **_VALUES,
    "not_before": _POSTGRESQL_TIME.format("not_before"),
    "not_after": _POSTGRESQL_TIME.format("not_after"),
    "sans": "sans::json",
}
_SQLITE_LINE = "json_object(" + ", ".join(f"'{name}', {_SQLITE_VALUES.get(name, name)}" for name in _JSON_FIELDS) + ")"
_POSTGRESQL_LINE = (
    "json_build_object("
    + ", ".join(f"'{name}', {_POSTGRESQL_VALUES.get(name, name)}" for name in _JSON_FIELDS)
    + ")::text"
)
