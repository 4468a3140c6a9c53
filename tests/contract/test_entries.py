"""The certificate list: every filter, every order, every page."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from certhouse.adapters.store import SqlStore
from certhouse.errors import Unreadable
from certhouse.model.entry import Condition, Entry, ListQuery, trust_key
from certhouse.model.identity import TrustEntry
from certhouse.vocabulary import Field, Operator, StoreName
from tests.certificates import START, self_signed

STORE = StoreName("tomcat-trust")


@pytest.fixture
def names(store: SqlStore) -> list[str]:
    """Puts ten certificates into a trust store and gives their names in order."""
    facts = [
        self_signed(
            f"host{number}.Example.com",
            sans=(f"host{number}.example.com", "www.example.org"),
            serial=number + 100,
            days=number + 1,
        )
        for number in range(9)
    ]
    facts.append(self_signed("ÜBER quer%_", serial=7, days=400))
    with store.begin() as tx:
        tx.certificates.add(facts)
        tx.trust.add(
            TrustEntry(store=STORE, fingerprint=item.fingerprint, node=None, description="", added=START, change=None)
            for item in facts
        )
    return [item.common_name for item in facts]


def found(store: SqlStore, field: Field, operator: Operator, value: str = "") -> list[str]:
    query = ListQuery(conditions=(Condition(field=field, operator=operator, value=value),), now=START)
    with store.read() as tx:
        return [entry.common_name for entry in tx.entries.find(query).items]


@pytest.mark.parametrize(
    ("field", "operator", "value", "count"),
    [
        (Field.COMMON_NAME, Operator.IS, "HOST3.example.COM", 1),
        (Field.COMMON_NAME, Operator.BEGINS_WITH, "host", 9),
        (Field.COMMON_NAME, Operator.ENDS_WITH, ".example.com", 9),
        (Field.COMMON_NAME, Operator.CONTAINS, "ost3.ex", 1),
        (Field.COMMON_NAME, Operator.CONTAINS, "quer%_", 1),
        (Field.COMMON_NAME, Operator.CONTAINS, "%", 0),
        (Field.COMMON_NAME, Operator.CONTAINS, "über", 1),
        (Field.COMMON_NAME, Operator.CONTAINS, "ho", 9),
        (Field.COMMON_NAME, Operator.IS_EMPTY, "", 0),
        (Field.SUBJECT, Operator.CONTAINS, "cn=host4", 1),
        (Field.ISSUER, Operator.ENDS_WITH, "example.com", 9),
        (Field.ISSUER, Operator.CONTAINS, "host5", 1),
        (Field.SAN, Operator.IS, "host6.example.com", 1),
        (Field.SAN, Operator.IS, "example.com", 0),
        (Field.SAN, Operator.BEGINS_WITH, "www.", 9),
        (Field.SAN, Operator.ENDS_WITH, ".org", 9),
        (Field.SAN, Operator.CONTAINS, "host7", 1),
        (Field.SAN, Operator.IS_EMPTY, "", 1),
        (Field.STORE, Operator.IS, "TOMCAT-trust", 10),
        (Field.PURPOSE, Operator.IS_EMPTY, "", 10),
        (Field.NODE, Operator.IS_EMPTY, "", 10),
        (Field.USAGE, Operator.IS, "trust", 10),
        (Field.TYPE, Operator.IS, "self-signed", 10),
        (Field.KEY_TYPE, Operator.IS, "EC", 10),
        (Field.KEY_LENGTH, Operator.IS, "256", 10),
        (Field.KEY_LENGTH, Operator.BEGINS_WITH, "2", 10),
        (Field.SIGNATURE_ALGORITHM, Operator.CONTAINS, "sha256", 10),
        (Field.SERIAL, Operator.IS, "64", 1),
        (Field.EXPIRES, Operator.WITHIN, str(86_400 * 3), 3),
        (Field.EXPIRES, Operator.BEFORE, (START + timedelta(days=5)).isoformat(), 5),
        (Field.EXPIRES, Operator.AFTER, (START + timedelta(days=100)).isoformat(), 1),
        (Field.EXPIRES, Operator.IS_EMPTY, "", 0),
    ],
)
def test_each_field_is_found_by_each_of_its_operators(
    store: SqlStore, names: list[str], field: Field, operator: Operator, value: str, count: int
) -> None:
    assert len(found(store, field, operator, value)) == count


def test_conditions_hold_together(store: SqlStore, names: list[str]) -> None:
    both = (
        Condition(field=Field.COMMON_NAME, operator=Operator.BEGINS_WITH, value="host"),
        Condition(field=Field.EXPIRES, operator=Operator.WITHIN, value=str(86_400 * 2)),
    )
    with store.read() as tx:
        assert [entry.common_name for entry in tx.entries.find(ListQuery(conditions=both, now=START)).items] == names[
            :2
        ]


@pytest.mark.parametrize("field", list(Field))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_show_every_entry_once_in_every_order(
    store: SqlStore, names: list[str], field: Field, descending: bool
) -> None:
    query = ListQuery(sort=field, descending=descending, limit=3)
    seen: list[Entry] = []
    with store.read() as tx:
        for _ in range(10):
            page = tx.entries.find(query)
            seen.extend(page.items)
            if page.next is None:
                break
            query = replace(query, cursor=page.next)
    assert len({entry.entry for entry in seen}) == len(seen) == len(names)


def test_a_page_goes_on_after_its_last_row_when_rows_come_in_between(store: SqlStore, names: list[str]) -> None:
    with store.read() as tx:
        first = tx.entries.find(ListQuery(limit=4))
    early = self_signed("aaa.example.com", serial=999)
    with store.begin() as tx:
        tx.certificates.add([early])
        tx.trust.add(
            [
                TrustEntry(
                    store=STORE, fingerprint=early.fingerprint, node=None, description="", added=START, change=None
                )
            ]
        )
    with store.read() as tx:
        rest = tx.entries.find(ListQuery(limit=20, cursor=first.next))
    assert not {entry.entry for entry in first.items} & {entry.entry for entry in rest.items}
    assert len(first.items) + len(rest.items) == len(names)


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "WyJhIiwxLDJd", "ÿ"])
def test_a_cursor_that_is_not_of_this_list_is_unreadable(store: SqlStore, names: list[str], cursor: str) -> None:
    with store.read() as tx, pytest.raises(Unreadable):
        tx.entries.find(ListQuery(cursor=cursor))


def test_the_stream_says_what_the_list_says(store: SqlStore, names: list[str]) -> None:
    with store.read() as tx:
        lines = b"".join(tx.entries.stream_json(ListQuery())).splitlines()
        listed = msgspec.json.decode(msgspec.json.encode(tx.entries.find(ListQuery(limit=100)).items))
    streamed = [msgspec.json.decode(line) for line in lines]
    assert streamed == [{name: entry[name] for name in streamed[0]} for entry in listed]


def test_a_name_that_a_database_cannot_keep_is_shown_escaped(store: SqlStore) -> None:
    strange = self_signed("a\x00b<script>\u202e", serial=5)
    with store.begin() as tx:
        tx.certificates.add([strange])
        tx.trust.add(
            [
                TrustEntry(
                    store=STORE, fingerprint=strange.fingerprint, node=None, description="", added=START, change=None
                )
            ]
        )
    with store.read() as tx:
        entry = tx.entries.get(trust_key(STORE, strange.fingerprint, None))
    assert entry is not None
    assert entry.common_name == "a\\x00b<script>\u202e"
