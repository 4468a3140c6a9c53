"""Changes over HTTP: previews, waiting, repeating, edits that meet."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from certhouse.worker import run as run_worker
from tests.api.edge import Answer, Caller, Edge

SETTING = {"value": "rsa-and-ec"}
CSR = {"purpose": "tomcat"}


@contextmanager
def worker(edge: Edge) -> Iterator[None]:
    stop = threading.Event()
    ports: dict[str, Any] = {
        "store": edge.server.store,
        "clock": edge.clock,
        "ids": edge.server.ids,
        "bell": edge.server.bell,
        "stop": stop,
    }
    thread = threading.Thread(target=run_worker, kwargs=ports)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        edge.server.bell.ring("worker")
        thread.join(20)


def changes(edge: Edge) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = edge.local.get("/changes").json()["items"]
    return found


def test_a_preview_has_the_shape_of_the_change_and_changes_nothing(edge: Edge) -> None:
    preview = edge.local.post("/csrs?dry_run=true", CSR)
    change = edge.local.post("/csrs?wait=0", CSR)
    assert preview.json().keys() == change.json().keys()
    assert (preview.status, preview.json()["id"], preview.json()["state"]) == (200, "", "planned")
    assert len(changes(edge)) == 1


def test_a_change_that_still_runs_is_accepted_and_says_where_to_look(edge: Edge) -> None:
    answer = edge.local.post("/csrs?wait=0", CSR)
    assert answer.status == 202
    assert answer.headers["location"] == f"/api/v1/changes/{answer.json()['id']}"
    found = edge.local.get(answer.headers["location"].removeprefix("/api/v1"))
    assert found.json()["id"] == answer.json()["id"]


def test_a_change_is_waited_for(edge: Edge) -> None:
    with worker(edge):
        answer = edge.local.ask("PUT", "/settings/https-ciphers?wait=20", SETTING)
    assert (answer.status, answer.json()["state"]) == (200, "done")


def test_waiting_ends_when_the_time_is_up(edge: Edge) -> None:
    assert edge.local.post("/csrs?wait=1", CSR).status == 202


def test_many_that_wait_do_not_keep_others_out(edge: Edge) -> None:
    with ThreadPoolExecutor(60) as many:
        waiting = [many.submit(edge.local.post, "/csrs?wait=8", CSR) for _ in range(60)]
        began = edge.clock.monotonic()
        assert edge.local.get("/me").status == 200
        took = edge.clock.monotonic() - began
        assert {future.result().status for future in waiting} == {202}
    assert took < 6


@pytest.mark.parametrize("wait", ["61", "-1", "x"])
def test_a_wait_out_of_range_is_refused(edge: Edge, wait: str) -> None:
    assert edge.local.post(f"/csrs?wait={wait}", CSR).status == 422


def test_a_refused_change_says_so_in_the_trail(edge: Edge) -> None:
    assert edge.local.ask("PUT", "/settings/https-ciphers", {"value": "none"}).status == 422
    assert edge.local.get("/audit").json()["items"][0]["action"] == "refused"


def sent_again(caller: Caller, key: str, body: dict[str, Any] = CSR) -> Answer:
    return caller.post("/csrs?wait=0", body, Idempotency_Key=key)


def test_the_same_request_under_the_same_key_is_done_once(edge: Edge) -> None:
    first, second = sent_again(edge.local, "k1"), sent_again(edge.local, "k1")
    assert first.json()["id"] == second.json()["id"]
    assert (second.status, second.headers["idempotent-replayed"]) == (202, "true")
    assert len(changes(edge)) == 1


def test_the_second_answer_shows_the_change_as_it_is_by_then(edge: Edge) -> None:
    first = sent_again(edge.local, "k1")
    edge.local.post(f"/changes/{first.json()['id']}/cancel")
    assert sent_again(edge.local, "k1").json()["state"] == "cancelled"


def test_another_request_under_the_same_key_is_refused(edge: Edge) -> None:
    sent_again(edge.local, "k1")
    answer = sent_again(edge.local, "k1", {"purpose": "CallManager"})
    assert (answer.status, answer.codes) == (422, ["idempotency-key"])
    assert len(changes(edge)) == 1


def test_a_key_is_its_senders_own(edge: Edge) -> None:
    browser = edge.set_up()
    assert sent_again(edge.local, "k1").json()["id"] != sent_again(browser, "k1").json()["id"]


def test_a_refused_request_may_be_sent_again_under_its_key(edge: Edge) -> None:
    assert [sent_again(edge.local, "k1", {"purpose": "nothing"}).status for _ in range(2)] == [404, 404]


def test_the_same_request_many_times_at_once_is_done_once(edge: Edge) -> None:
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda _: sent_again(edge.local, "k1"), range(8)))
    assert {answer.status for answer in answers} <= {202, 409}
    assert len(changes(edge)) == 1


def test_a_key_is_kept_as_a_hash_only(edge: Edge) -> None:
    sent_again(edge.local, "a-key-of-mine")
    with edge.server.store.read() as tx:
        actor = edge.local.get("/me").json()["name"]
        assert tx.idempotency.get(actor, "a-key-of-mine") is None


def test_a_token_is_never_kept_for_a_second_answer(edge: Edge) -> None:
    edge.set_up()
    answers = [edge.local.post("/tokens", {"user": "alice"}, Idempotency_Key="k1") for _ in range(2)]
    assert answers[0].json()["token"] != answers[1].json()["token"]


def test_an_edit_with_the_present_etag_is_done(edge: Edge) -> None:
    tag = edge.local.get("/settings/https-ciphers").headers["etag"]
    answer = edge.local.ask("PUT", "/settings/https-ciphers?wait=0", SETTING, If_Match=tag)
    assert answer.status == 202


def test_an_edit_of_something_that_has_changed_meanwhile_is_refused(edge: Edge) -> None:
    tag = edge.local.get("/settings/https-ciphers").headers["etag"]
    edge.local.ask("PUT", "/settings/https-ciphers?wait=0", SETTING)
    answer = edge.local.ask("PUT", "/settings/https-ciphers?wait=0", {"value": "rsa-only"}, If_Match=tag)
    assert (answer.status, answer.codes) == (409, ["changed-meanwhile"])


def test_of_edits_at_the_same_moment_one_is_done(edge: Edge) -> None:
    tag = edge.local.get("/settings/https-ciphers").headers["etag"]
    with ThreadPoolExecutor(6) as many:
        answers = list(
            many.map(lambda _: edge.local.ask("PUT", "/settings/https-ciphers?wait=0", SETTING, If_Match=tag), range(6))
        )
    assert sorted(answer.status for answer in answers) == [202] + [409] * 5


def test_a_service_that_nobody_bound_is_not_restarted_but_named(edge: Edge) -> None:
    answer = edge.local.post("/services/Cisco%20Tomcat/restart", {"node": "node1.example.com"})
    assert (answer.status, answer.codes) == (422, ["unbound"])


def test_an_unknown_verb_for_a_service_is_refused(edge: Edge) -> None:
    assert edge.local.post("/services/Cisco%20Tomcat/explode").status == 422
