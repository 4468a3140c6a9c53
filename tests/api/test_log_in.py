"""Who gets in, and for how long."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.api.edge import PASSWORD, Caller, Edge

NEW = "another long password"


def test_the_set_up_link_makes_the_first_administrator_and_logs_in(edge: Edge) -> None:
    browser = edge.set_up()
    assert browser.get("/me").json()["role"] == "administrator"


def test_the_set_up_link_works_once(edge: Edge) -> None:
    token = edge.setup_token()
    assert edge.anybody.post("/setup", {"token": token, "user": "alice", "password": PASSWORD}).status == 200
    assert edge.anybody.post("/setup", {"token": token, "user": "mallory", "password": PASSWORD}).status == 401


def test_a_set_up_link_is_dead_once_there_is_a_user(edge: Edge) -> None:
    token = edge.setup_token()
    assert edge.local.post("/users", {"name": "bob", "password": PASSWORD}).status == 201
    assert edge.anybody.post("/setup", {"token": token, "user": "mallory", "password": PASSWORD}).status == 401


def test_a_set_up_link_lives_an_hour(edge: Edge) -> None:
    token = edge.setup_token()
    edge.clock.ahead = timedelta(hours=1, seconds=1)
    assert edge.anybody.post("/setup", {"token": token, "user": "alice", "password": PASSWORD}).status == 401


def test_a_wrong_set_up_token_learns_nothing_of_the_password_rules(edge: Edge) -> None:
    assert edge.anybody.post("/setup", {"token": "x", "user": "alice", "password": "short"}).status == 401


@pytest.mark.parametrize("password", ["short", "alice-alice-alice", "x" * 201])
def test_a_password_that_does_not_fit_is_refused(edge: Edge, password: str) -> None:
    answer = edge.anybody.post("/setup", {"token": edge.setup_token(), "user": "alice", "password": password})
    assert answer.codes == ["password"]
    assert password.encode() not in answer.body


def test_all_faults_of_a_user_come_at_once(edge: Edge) -> None:
    answer = edge.local.post("/users", {"name": "no name!", "password": "short", "role": "king"})
    assert answer.codes == ["user-name", "password", "role"]


def test_the_cookie_is_for_this_host_and_https_only_and_out_of_scripts_sight(edge: Edge) -> None:
    edge.set_up()
    cookie = edge.log_in().cookies[0]
    name, *flags = [part.strip().lower() for part in cookie.split(";")]
    assert name.startswith("__host-certhouse=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= set(flags)
    assert not any(flag.startswith("domain") for flag in flags)


def test_a_change_from_a_browser_needs_its_csrf_token(edge: Edge) -> None:
    browser = edge.set_up()
    without = Caller(edge, {"Cookie": browser.headers["Cookie"]})
    assert without.get("/me").status == 200
    assert without.post("/tokens", {}).status == 403
    assert without.post("/tokens", {}, X_CSRF_Token="0" * 64).status == 403
    assert browser.post("/tokens", {}).status == 201


def test_another_sessions_csrf_token_does_not_do(edge: Edge) -> None:
    first = edge.set_up()
    second = edge.browser(edge.log_in())
    mixed = Caller(edge, {"Cookie": first.headers["Cookie"], "X-CSRF-Token": second.headers["X-CSRF-Token"]})
    assert mixed.post("/tokens", {}).status == 403


def test_a_script_needs_no_csrf_token(edge: Edge) -> None:
    edge.set_up()
    assert edge.script().post("/users", {"name": "bob", "password": PASSWORD}).status == 201


def test_logging_out_ends_the_session(edge: Edge) -> None:
    browser = edge.set_up()
    assert browser.post("/logout").status == 204
    assert browser.get("/me").status == 401


def test_a_session_ends_after_twelve_hours(edge: Edge) -> None:
    browser = edge.set_up()
    edge.clock.ahead = timedelta(hours=12, seconds=1)
    assert browser.get("/me").status == 401


def test_wrong_password_and_unknown_name_look_the_same(edge: Edge) -> None:
    edge.set_up()
    assert edge.log_in("alice", "wrong wrong wrong").json() == edge.log_in("nobody", "wrong wrong wrong").json()


def test_five_failures_close_the_door_for_a_quarter_of_an_hour(edge: Edge) -> None:
    edge.set_up()
    for _ in range(5):
        assert edge.log_in("alice", "wrong wrong wrong").status == 401
    closed = edge.log_in()
    assert closed.status == 429
    assert closed.headers["retry-after"] == "900"
    edge.clock.ahead = timedelta(minutes=15, seconds=1)
    assert edge.log_in().status == 200


def test_guesses_at_the_same_moment_are_counted_too(edge: Edge) -> None:
    edge.set_up()
    with ThreadPoolExecutor(12) as many:
        statuses = list(many.map(lambda _: edge.log_in("alice", "wrong wrong wrong").status, range(12)))
    assert statuses.count(401) == 5
    assert statuses.count(429) == 7


def test_failures_survive_a_restart_of_the_process(edge: Edge) -> None:
    edge.set_up()
    for _ in range(5):
        edge.log_in("alice", "wrong wrong wrong")
    with edge.server.store.read() as tx:
        since = edge.clock.now() - timedelta(minutes=15)
        assert tx.accounts.failures("address:127.0.0.1", since) == 5


def test_names_tried_one_after_another_close_the_door_for_the_address(edge: Edge) -> None:
    edge.set_up()
    for number in range(20):
        assert edge.log_in(f"user{number}", "wrong wrong wrong").status == 401
    assert edge.log_in("alice").status == 429


def test_a_new_password_ends_every_session_but_the_one_that_set_it(edge: Edge) -> None:
    browser, other = edge.set_up(), edge.browser(edge.log_in())
    answer = browser.ask("PUT", "/users/alice/password", {"present": PASSWORD, "password": NEW})
    assert edge.browser(answer).get("/me").status == 200
    assert browser.get("/me").status == 401
    assert other.get("/me").status == 401
    assert edge.log_in("alice", NEW).status == 200


def test_ones_own_password_needs_the_present_one_and_guesses_are_limited(edge: Edge) -> None:
    browser = edge.set_up()
    body = {"present": "wrong wrong wrong", "password": NEW}
    statuses = [browser.ask("PUT", "/users/alice/password", body).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_an_auditor_cannot_set_anothers_password(edge: Edge) -> None:
    edge.set_up()
    answer = edge.auditor().ask("PUT", "/users/alice/password", {"password": NEW})
    assert answer.status == 403


def test_a_disabled_user_is_out_at_once_with_every_token(edge: Edge) -> None:
    edge.set_up()
    auditor, script = edge.auditor(), edge.script("otto")
    assert edge.local.ask("PATCH", "/users/otto", {"disabled": True}).status == 200
    assert [auditor.get("/me").status, script.get("/me").status] == [401, 401]
    assert edge.log_in("otto").status == 401


def test_a_removed_user_is_out_at_once(edge: Edge) -> None:
    edge.set_up()
    auditor, script = edge.auditor(), edge.script("otto")
    assert edge.local.ask("DELETE", "/users/otto").status == 204
    assert [auditor.get("/me").status, script.get("/me").status] == [401, 401]


@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("PATCH", {"disabled": True})])
def test_the_last_administrator_stays(edge: Edge, method: str, body: object) -> None:
    edge.set_up()
    edge.auditor()
    assert edge.local.ask(method, "/users/alice", body).codes == ["last-administrator"]


def test_a_token_expires(edge: Edge) -> None:
    edge.set_up()
    script = edge.script(expires_in="1h")
    assert script.get("/me").status == 200
    edge.clock.ahead = timedelta(hours=1, seconds=1)
    assert script.get("/me").status == 401


@pytest.mark.parametrize("life", ["0s", "367d", "soon", "99999999999d"])
def test_a_token_without_an_end_is_refused(edge: Edge, life: str) -> None:
    edge.set_up()
    assert edge.local.post("/tokens", {"user": "alice", "expires_in": life}).status == 422


def test_a_revoked_token_is_out_at_once(edge: Edge) -> None:
    edge.set_up()
    script = edge.script()
    token = edge.local.get("/tokens").json()["items"][0]["id"]
    assert edge.local.ask("DELETE", f"/tokens/{token}").status == 204
    assert script.get("/me").status == 401


def test_an_auditor_sees_and_revokes_only_tokens_of_its_own(edge: Edge) -> None:
    edge.set_up()
    edge.script()
    auditor = edge.auditor()
    others = edge.local.get("/tokens").json()["items"][0]["id"]
    assert auditor.get("/tokens").json()["total"] == 0
    assert auditor.ask("DELETE", f"/tokens/{others}").status == 403


def test_a_token_of_another_user_is_an_administrators_to_make(edge: Edge) -> None:
    edge.set_up()
    assert edge.auditor().post("/tokens", {"user": "alice"}).status == 403


def test_an_auditors_token_changes_nothing(edge: Edge) -> None:
    edge.set_up()
    edge.auditor()
    assert edge.script("otto").post("/users", {"name": "eve", "password": PASSWORD}).status == 403


def test_the_trail_names_who_did_it_and_by_which_way(edge: Edge) -> None:
    browser = edge.set_up()
    browser.post("/users", {"name": "bob", "password": PASSWORD})
    edge.script().post("/users", {"name": "carol", "password": PASSWORD})
    edge.local.post("/users", {"name": "dave", "password": PASSWORD})
    actors = [item["actor"] for item in edge.local.get("/audit").json()["items"] if item["action"] == "add-user"]
    assert actors[0].startswith("local:")
    assert actors[1].startswith("alice/tok-")
    assert actors[2] == "alice"


def test_a_password_typed_as_a_name_stays_out_of_the_trail(edge: Edge) -> None:
    edge.set_up()
    edge.log_in(PASSWORD, "whatever it was")
    assert PASSWORD.encode() not in edge.local.get("/audit").body
