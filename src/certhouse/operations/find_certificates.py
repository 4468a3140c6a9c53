"""Show Certificates: the list with its filters (manual, the section of this name), as a page or as a stream."""

from collections.abc import Iterator
from datetime import UTC, datetime

from certhouse.errors import Fault, Refused
from certhouse.model.entry import Condition, Entry, ListQuery, Page
from certhouse.policy.durations import parse_duration
from certhouse.ports.store import Store
from certhouse.vocabulary import Field, Operator

_TIME_OPERATORS = (Operator.BEFORE, Operator.AFTER, Operator.WITHIN)


def parse_condition(text: str) -> Condition:
    """Reads ``FIELD OP VALUE``, as in ``expires within 30d``. Raises Refused that names what there is to choose from."""
    words = text.strip().split(None, 2)
    field = next((item for item in Field if words and item.value == words[0].lower()), None)
    if field is None:
        raise _unusable("filter-field", text, words[0] if words else "", ", ".join(Field), "name a field to filter on")
    operator = next((item for item in Operator if len(words) > 1 and item.value == words[1].lower()), None)
    allowed = (
        (*_TIME_OPERATORS, Operator.IS_EMPTY) if field is Field.EXPIRES else tuple(set(Operator) - set(_TIME_OPERATORS))
    )
    if operator is None or operator not in allowed:
        names = ", ".join(sorted(allowed))
        raise _unusable("filter-operator", text, words[1] if len(words) > 1 else "", names, f"{field} takes: {names}")
    value = words[2].strip() if len(words) > 2 else ""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    if operator is Operator.IS_EMPTY:
        return Condition(field=field, operator=operator)
    if not value:
        raise _unusable("filter-value", text, "", "a value", "add what to compare with")
    if operator is Operator.WITHIN:
        return Condition(field=field, operator=operator, value=str(int(parse_duration(value).total_seconds())))
    if operator in _TIME_OPERATORS:
        return Condition(field=field, operator=operator, value=_time(text, value).isoformat())
    return Condition(field=field, operator=operator, value=value)


def _time(text: str, value: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the years end at 9999, in UTC
        raise _unusable(
            "filter-value", text, value, "a time as in 2027-03-15T00:00:00Z, or a date", "write the time so"
        ) from None


def _unusable(code: str, text: str, found: str, expected: str, remedy: str) -> Refused:
    return Refused(
        Fault(code=code, detail=f"the filter {text!r} cannot be used", found=found, expected=expected, remedy=remedy)
    )


def find_certificates(query: ListQuery, *, store: Store) -> Page[Entry]:
    """Gives one page. Raises Unreadable for a cursor that is not of this query."""
    with store.read() as tx:
        return tx.entries.find(query)


def export_certificates(query: ListQuery, *, store: Store) -> Iterator[bytes]:
    """Gives every match as lines of JSON, without holding them; the transaction stays open until the last block."""
    with store.read() as tx:
        yield from tx.entries.stream_json(query)
