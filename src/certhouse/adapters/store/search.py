"""From a list query to SQL: conditions that use an index, pages that follow one, cursors."""

import base64
import binascii
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, literal_column, select, text, true, tuple_

from certhouse.adapters.store.entry_rows import fold
from certhouse.adapters.store.statements import seconds
from certhouse.adapters.store.tables import entries, issuers
from certhouse.errors import Fault, Refused, Unreadable
from certhouse.model.entry import Condition, ListQuery
from certhouse.vocabulary import Field, Operator

SORT_COLUMNS = {
    Field.COMMON_NAME: "common_name_key",
    Field.SUBJECT: "subject_key",
    Field.ISSUER: "issuer_key",
    Field.SAN: "san_key",
    Field.PURPOSE: "purpose_key",
    Field.STORE: "store_key",
    Field.NODE: "node_key",
    Field.USAGE: "usage",
    Field.TYPE: "type",
    Field.KEY_TYPE: "key_type",
    Field.KEY_LENGTH: "key_length",
    Field.SIGNATURE_ALGORITHM: "signature_algorithm_key",
    Field.SERIAL: "serial",
    Field.FINGERPRINT: "fingerprint",
    Field.EXPIRES: "expires_key",
}
_TRIGRAM_COLUMNS = {"common_name_key", "subject_key", "san_key"}
_LAST = "\U0010ffff"


def escape_like(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def where(condition: Condition, now: datetime | None, *, sqlite: bool) -> ColumnElement[bool]:
    """Gives a condition as SQL. Raises Refused for a value that its field cannot have."""
    column: ColumnElement[Any] = entries.c[SORT_COLUMNS[condition.field]]
    if condition.field is Field.EXPIRES:
        return _expires(condition, now)
    if condition.field is Field.KEY_LENGTH:
        return _key_length(condition, column)
    if condition.operator is Operator.IS_EMPTY:
        return column == ""
    term = fold(condition.value)
    if condition.field in (Field.SERIAL, Field.FINGERPRINT):
        term = term.replace(":", "").removeprefix("0x")
    if condition.field is Field.SAN:
        return _san(condition.operator, term, sqlite)
    match condition.operator:
        case Operator.IS:
            return column == term
        case Operator.BEGINS_WITH:
            return _begins(column, term)
        case Operator.CONTAINS if len(term) < 3 and column.name in _TRIGRAM_COLUMNS:
            return _begins(column, term)
        case Operator.CONTAINS:
            return _like(column, f"%{escape_like(term)}%", term, sqlite)
        case Operator.ENDS_WITH:
            return _like(column, f"%{escape_like(term)}", term, sqlite)
        case _:
            raise Refused(
                Fault(code="filter-operator", detail=f"{condition.field} has no operator {condition.operator}")
            )


def _begins(column: ColumnElement[Any], term: str) -> ColumnElement[bool]:
    return and_(column >= term, column < term + _LAST) if term else true()


def _like(column: ColumnElement[Any], pattern: str, term: str, sqlite: bool) -> ColumnElement[bool]:
    if column.name == "issuer_key":
        names = select(issuers.c.issuer_key).where(issuers.c.issuer_key.like(pattern, escape="\\"))
        return column.in_(names)
    found = column.like(pattern, escape="\\")
    if sqlite and column.name in _TRIGRAM_COLUMNS and len(term) >= 3:
        quoted = term.replace('"', '""')
        matching = text("SELECT rowid FROM entries_search WHERE entries_search MATCH :match").bindparams(
            match=f'{column.name} : "{quoted}"'
        )
        return and_(entries.c.id.in_(matching.columns(literal_column("rowid"))), found)
    return found


def _san(operator: Operator, term: str, sqlite: bool) -> ColumnElement[bool]:
    column = entries.c.san_key
    marked = {
        Operator.IS: f"\n{term}\n",
        Operator.BEGINS_WITH: f"\n{term}",
        Operator.ENDS_WITH: f"{term}\n",
        Operator.CONTAINS: term if len(term) > 2 else f"\n{term}",
    }[operator]
    return _like(column, f"%{escape_like(marked)}%", marked, sqlite)


def _key_length(condition: Condition, column: ColumnElement[Any]) -> ColumnElement[bool]:
    if condition.operator is Operator.IS_EMPTY:
        return column == 0
    if not (condition.value.isascii() and condition.value.isdigit() and len(condition.value) < 7):
        raise Refused(
            Fault(
                code="filter-value",
                detail="key-length is compared with a number",
                found=condition.value,
                expected="a number of bits",
            )
        )
    if condition.operator is Operator.IS:
        return column == int(condition.value)
    lengths = [
        length
        for length in (160, 192, 224, 256, 384, 456, 512, 521, *range(1024, 16385, 256))
        if _fits(condition, str(length))
    ]
    return column.in_(lengths)


def _fits(condition: Condition, length: str) -> bool:
    match condition.operator:
        case Operator.BEGINS_WITH:
            return length.startswith(condition.value)
        case Operator.ENDS_WITH:
            return length.endswith(condition.value)
        case _:
            return condition.value in length


def _expires(condition: Condition, now: datetime | None) -> ColumnElement[bool]:
    column = entries.c.expires_key
    match condition.operator:
        case Operator.IS_EMPTY:
            return column == 0
        case Operator.BEFORE:
            return and_(column > 0, column < seconds(datetime.fromisoformat(condition.value)))
        case Operator.AFTER:
            return column > seconds(datetime.fromisoformat(condition.value))
        case Operator.WITHIN if now is not None:
            last = now + timedelta(seconds=int(condition.value))
            return and_(column >= seconds(now), column <= seconds(last))
        case _:
            raise Refused(Fault(code="filter-operator", detail=f"expires has no operator {condition.operator}"))


def _query_mark(query: ListQuery) -> str:
    asked = repr((query.conditions, query.sort, query.descending))
    return hashlib.sha256(asked.encode()).hexdigest()[:12]


def cursor_after(query: ListQuery, value: object, row_id: int) -> str:
    """Gives the cursor that continues after a row. It says of which query it is."""
    body = json.dumps([_query_mark(query), value, row_id], ensure_ascii=True)
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def after_cursor(query: ListQuery) -> ColumnElement[bool]:
    """Gives the condition that a cursor stands for. Raises Unreadable for one that is damaged or of another query."""
    if query.cursor is None:
        return true()
    column = entries.c[SORT_COLUMNS[query.sort]]
    try:
        padded = query.cursor + "=" * (-len(query.cursor) % 4)
        mark, value, row_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        number = query.sort in (Field.KEY_LENGTH, Field.EXPIRES)
        if mark != _query_mark(query) or not isinstance(row_id, int) or not isinstance(value, int if number else str):
            raise ValueError("another query's cursor")
    except (ValueError, TypeError, binascii.Error, UnicodeError) as error:
        raise Unreadable(
            Fault(code="cursor", detail="the cursor is not one of this list", remedy="start again without a cursor")
        ) from error
    place = tuple_(column, entries.c.id)
    return place < (value, row_id) if query.descending else place > (value, row_id)
