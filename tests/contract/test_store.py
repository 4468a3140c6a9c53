"""What every store promises beyond the list."""

import hashlib
import threading
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from certhouse.adapters.store import SqlStore, open_store
from certhouse.adapters.store.database import engine_for
from certhouse.adapters.store.tables import metadata
from certhouse.errors import Misconfigured
from certhouse.model.change import Change, PlannedFollowUp, Step
from certhouse.model.identity import IdentityVersion, PendingRequest, Tombstone, TrustEntry
from certhouse.model.task import Task
from certhouse.vocabulary import (
    CertificateType,
    ChangeId,
    ChangeKind,
    ChangeState,
    Distribution,
    KeyId,
    KeyType,
    NodeName,
    PurposeName,
    SettingName,
    StepAction,
    StepState,
    StoreName,
)
from tests.certificates import START, self_signed
from tests.contract.conftest import KEY

NODE, PURPOSE, STORE = NodeName("node1"), PurposeName("tomcat"), StoreName("tomcat-trust")


def test_the_schema_is_what_all_migrations_make(database_url: str) -> None:
    open_store(database_url, KEY).close()
    engine = engine_for(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [item for item in compare_metadata(context, metadata) if not _is_search(item)]
    engine.dispose()
    assert differences == []


def _is_search(difference: object) -> bool:
    """Says whether a difference is the text search's own, which the two databases have in forms of their own."""
    return "entries_search" in str(difference) or "_trigram" in str(difference)


def test_a_database_that_is_newer_than_the_program_is_refused(database_url: str) -> None:
    open_store(database_url, KEY).close()
    engine = engine_for(database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(Misconfigured, match="newer"):
        open_store(database_url, KEY)


def test_opening_again_migrates_nothing_and_keeps_everything(database_url: str) -> None:
    first = open_store(database_url, KEY)
    with first.begin() as tx:
        tx.settings.set(SettingName("release"), "14")
    first.close()
    again = open_store(database_url, KEY)
    with again.read() as tx:
        assert tx.settings.all() == {"release": "14"}
    again.close()


def test_an_exception_rolls_everything_back(store: SqlStore) -> None:
    def fail() -> None:
        with store.begin() as tx:
            tx.settings.set(SettingName("release"), "14")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as tx:
        assert tx.settings.all() == {}


def test_no_update_is_lost_when_threads_read_and_write(store: SqlStore) -> None:
    def raise_it() -> None:
        for _ in range(10):
            with store.begin() as tx:
                tx.nodes.raise_revision()

    threads = [threading.Thread(target=raise_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with store.read() as tx:
        assert tx.nodes.revision() == 40


def test_a_deleted_trust_certificate_leaves_a_tombstone_that_adding_it_again_lifts(store: SqlStore) -> None:
    facts = self_signed(ca=True)
    entry = TrustEntry(store=STORE, fingerprint=facts.fingerprint, node=None, description="d", added=START, change=None)
    with store.begin() as tx:
        tx.certificates.add([facts])
        assert tx.trust.add([entry]) == 1
        assert tx.trust.add([entry]) == 0
        grave = Tombstone(
            store=STORE, fingerprint=facts.fingerprint, node=None, description="d", deleted=START, change=ChangeId("c")
        )
        tx.trust.remove(grave)
        assert tx.trust.get(STORE, facts.fingerprint, None) is None
        assert tx.trust.tombstone(STORE, facts.fingerprint, None) == grave
        tx.trust.add([entry])
        assert tx.trust.tombstone(STORE, facts.fingerprint, None) is None


def test_the_digest_is_over_the_sorted_fingerprints(store: SqlStore) -> None:
    facts = [self_signed(serial=number) for number in (1, 2, 3)]
    with store.begin() as tx:
        empty = tx.trust.digest(STORE, None)
        tx.certificates.add(facts)
        tx.trust.add(
            TrustEntry(store=STORE, fingerprint=item.fingerprint, node=None, description="", added=START, change=None)
            for item in facts
        )
    expected = hashlib.sha256("\n".join(sorted(item.fingerprint for item in facts)).encode()).hexdigest()
    with store.read() as tx:
        assert tx.trust.digest(STORE, None) == expected
        assert tx.trust.digest(STORE, NODE) == empty == hashlib.sha256(b"").hexdigest()


def _request(number: int) -> PendingRequest:
    return PendingRequest(
        id=f"chg-{number}",
        purpose=PURPOSE,
        node=NODE,
        distribution=Distribution.NODE,
        key_id=KeyId(str(number) * 64),
        csr=b"der",
        common_name="node1",
        subject="CN=node1",
        sans=("node1",),
        key_type=KeyType.RSA,
        key_length=2048,
        hash="sha256",
        created=START + timedelta(hours=number),
        keep_until=START + timedelta(days=398),
        change=ChangeId(f"chg-{number}"),
    )


def test_a_new_request_replaces_the_former_one_which_is_still_found_by_its_key(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.requests.add(_request(1))
        tx.requests.add(_request(2))
    with store.read() as tx:
        current = tx.requests.current(NODE, PURPOSE)
        late = tx.requests.by_key(NODE, PURPOSE, _request(1).key_id)
        assert current is not None
        assert late is not None
        assert (current.id, late.id, late.replaced) == ("chg-2", "chg-1", _request(2).created)
        assert [item.id for item in tx.requests.all()] == ["chg-2"]


def test_a_purpose_with_a_request_alone_is_listed_as_csr_only(store: SqlStore) -> None:
    with store.begin() as tx:
        tx.requests.add(_request(1))
        entry = tx.entries.get(f"{PURPOSE}@{NODE}")  # type: ignore[arg-type]  # the key as people write it
        assert entry is not None
        assert (entry.id, entry.type, entry.csr_pending) == (None, CertificateType.CSR_ONLY, True)
        tx.requests.remove("chg-1")
        assert tx.entries.get(entry.entry) is None


def test_an_identity_switches_between_its_versions(store: SqlStore) -> None:
    facts = [self_signed(serial=number) for number in (1, 2)]
    with store.begin() as tx:
        tx.certificates.add(facts)
        for number, item in enumerate(facts, 1):
            tx.identities.add(
                IdentityVersion(
                    node=NODE,
                    purpose=PURPOSE,
                    number=number,
                    fingerprint=item.fingerprint,
                    chain=(),
                    key_id=item.key_id,
                    type=CertificateType.SELF_SIGNED,
                    description="",
                    created=START,
                    change=ChangeId("c"),
                )
            )
            tx.identities.make_current(NODE, PURPOSE, number)
        tx.identities.make_current(NODE, PURPOSE, 1)
        current = tx.identities.current(NODE, PURPOSE)
        entry = tx.entries.get(f"{PURPOSE}@{NODE}")  # type: ignore[arg-type]  # the key as people write it
        assert current is not None
        assert entry is not None
        assert (current.number, entry.id) == (1, facts[0].fingerprint)
        assert [version.number for version in tx.identities.versions(NODE, PURPOSE)] == [2, 1]
        tx.identities.clear_current(NODE, PURPOSE)
        assert tx.entries.get(entry.entry) is None


def test_a_change_is_kept_with_its_steps(store: SqlStore) -> None:
    step = Step(number=1, node=NODE, action=StepAction.RESTART, target="Cisco Tomcat", state=StepState.WAITING)
    change = Change(
        id=ChangeId("chg-1"),
        kind=ChangeKind.UPLOAD,
        state=ChangeState.WAITING,
        summary="s",
        steps=(step,),
        warnings=("w",),
        breaks=(),
        follow_ups=(PlannedFollowUp(kind="backup", text="t"),),
        actor="a",
        created=START,
        updated=START,
        facts={"a": "b"},
    )
    with store.begin() as tx:
        tx.changes.add(change)
    with store.read() as tx:
        assert tx.changes.get(change.id) == change
        assert tx.changes.in_state(ChangeState.WAITING) == [change]
        assert tx.changes.in_state(ChangeState.DONE) == []


def test_a_task_is_answered_once_and_only_by_its_own_node(store: SqlStore) -> None:
    task = Task(id="t", node=NODE, fence=1, work=b"sealed", created=START)
    with store.begin() as tx:
        tx.tasks.add(task)
        tx.tasks.add(task)
        assert not tx.tasks.finish("t", NodeName("thief"), b"forged", START)
        assert tx.tasks.finish("t", NODE, b"first", START)
        assert not tx.tasks.finish("t", NODE, b"second", START)
        answered = tx.tasks.get("t")
        assert answered is not None
        assert (answered.result, answered.work, tx.tasks.open_for(NODE)) == (b"first", b"", [])


def test_a_lease_is_one_holders_until_it_runs_out_and_then_has_a_higher_fence(store: SqlStore) -> None:
    with store.begin() as tx:
        first = tx.leases.take("worker", "a", START, 15)
        assert tx.leases.take("worker", "a", START, 15) == first
        assert tx.leases.take("worker", "b", START + timedelta(seconds=10), 15) is None
        second = tx.leases.take("worker", "b", START + timedelta(seconds=16), 15)
    assert first is not None
    assert second is not None
    assert second > first


def test_an_invitation_is_good_for_one_node_and_one_hour(store: SqlStore) -> None:
    with store.begin() as tx:
        for token in ("used", "late"):
            tx.nodes.add_invitation(token, "call-manager", START + timedelta(hours=1))
        assert tx.nodes.take_invitation("used", START) == "call-manager"
        assert tx.nodes.take_invitation("used", START) is None
        assert tx.nodes.take_invitation("late", START + timedelta(hours=2)) is None


def test_a_secret_is_not_in_the_database_and_needs_the_right_key(store: SqlStore, database_url: str) -> None:
    with store.begin() as tx:
        tx.secrets.set("node-ca-key", b"very secret")
        assert tx.secrets.get("node-ca-key") == b"very secret"
    other = open_store(database_url, bytes(32))
    with other.read() as tx, pytest.raises(Misconfigured, match="key-encryption key"):
        tx.secrets.get("node-ca-key")
    other.close()
