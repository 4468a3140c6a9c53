"""What holds for every route."""

import socket

import pytest
from fastapi import FastAPI

from tests.api.edge import Caller, Edge

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/v1/setup"),
    ("POST", "/api/v1/login"),
}
FOR_READERS_TOO = {
    ("POST", "/api/v1/logout"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/{identifier}"),
    ("PUT", "/api/v1/users/{name}/password"),
    ("POST", "/api/v1/certificates/inspect"),
    ("POST", "/api/v1/catalog/check"),
    ("POST", "/api/v1/trust/{name}/export"),
}


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Gives method and path of every route that the application has, documented or not."""
    documented = [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]
    return [*documented, ("GET", "/api/v1/openapi.json")]


def filled(path: str) -> str:
    for name in ("{identifier}", "{purpose}", "{name}", "{entry}"):
        path = path.replace(name, "tomcat")
    return path.replace("{action}", "restart").removeprefix("/api/v1")


def test_every_route_but_health_set_up_and_log_in_asks_for_a_log_in_from_this_machine_too(edge: Edge) -> None:
    edge.set_up()
    answers = {
        (method, path): edge.anybody.ask(method, filled(path), {} if method in ("POST", "PUT", "PATCH") else None)
        for method, path in routes(edge.app)
        if (method, path) not in OPEN
    }
    assert len(answers) > 45
    assert {route for route, answer in answers.items() if answer.status != 401} == set()


def test_a_log_in_is_asked_for_before_the_body_is_read(edge: Edge) -> None:
    answer = edge.anybody.ask("POST", "/csrs", b"{not json", Content_Type="application/json")
    assert answer.status == 401


def test_every_route_that_changes_something_is_an_administrators(edge: Edge) -> None:
    edge.set_up()
    auditor = edge.auditor()
    allowed = {
        (method, path)
        for method, path in routes(edge.app)
        if method != "GET" and (method, path) not in OPEN | FOR_READERS_TOO
        if auditor.ask(method, filled(path), {}).status != 403
    }
    assert allowed == set()


def test_metrics_ask_for_a_log_in(edge: Edge) -> None:
    edge.set_up()
    assert edge.anybody.get("/metrics").status == 401
    answer = edge.script().get("/metrics")
    assert (answer.status, b"x509_cert_not_after" in answer.body) == (200, True)


@pytest.mark.parametrize("path", ["/healthz", "/me", "/nowhere"])
def test_every_answer_carries_the_headers_that_protect(edge: Edge, path: str) -> None:
    headers = edge.anybody.get(path).headers
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"])
def test_a_foreign_host_name_is_refused(edge: Edge, host: str) -> None:
    assert edge.anybody.get("/healthz", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8443", "127.0.0.1:1", "[::1]:8443", "[::1]"])
def test_the_own_name_and_addresses_are_taken(edge: Edge, host: str) -> None:
    assert edge.anybody.get("/healthz", Host=host).status == 200


def test_a_body_that_says_it_is_too_large_is_refused_unread(edge: Edge) -> None:
    edge.set_up()
    answer = edge.anybody.ask("POST", "/login", b"", Content_Length=str(64 << 20))
    assert answer.status == 413


def test_a_body_that_grows_too_large_is_refused(edge: Edge) -> None:
    edge.set_up()
    chunks = (b"x" * (1 << 20) for _ in range(8))
    connection_ended = (BrokenPipeError, ConnectionResetError)
    try:
        answer = Caller(edge).ask("POST", "/login", b"".join(_chunked(chunks)), Transfer_Encoding="chunked")
    except connection_ended:
        return
    assert answer.status == 413


def _chunked(blocks: object) -> list[bytes]:
    framed = [b"%x\r\n%s\r\n" % (len(block), block) for block in blocks]  # type: ignore[attr-defined]  # an iterable
    return [*framed, b"0\r\n\r\n"]


def test_an_error_is_a_problem_document(edge: Edge) -> None:
    for answer, status in ((edge.anybody.get("/me"), 401), (edge.local.get("/nowhere"), 404)):
        document = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status, document["status"]) == (status, status)
        assert {"type", "title", "detail", "faults"} <= set(document)


def test_a_wrong_method_is_named(edge: Edge) -> None:
    answer = edge.local.ask("DELETE", "/me")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("address", ["/certificates/a%00b", "/certificates?node=a%00b"])
def test_nul_in_an_address_is_refused(edge: Edge, address: str) -> None:
    assert edge.local.get(address).status == 400


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_text_that_no_database_keeps_is_refused(edge: Edge, text: str) -> None:
    answer = edge.local.post("/csrs", {"purpose": text})
    assert answer.status == 422


def test_a_misspelt_key_is_refused_rather_than_ignored(edge: Edge) -> None:
    answer = edge.local.post("/csrs?dry_run=true", {"purpose": "tomcat", "common-name": "x"})
    assert answer.status == 422
    assert "common-name" in answer.json()["faults"][0]["detail"]


def test_what_was_sent_is_not_repeated_where_it_does_not_fit(edge: Edge) -> None:
    answer = edge.anybody.post("/login", {"user": "alice", "password": {"secret": "hunter2hunter2"}})
    assert answer.status == 422
    assert b"hunter2" not in answer.body


def test_plain_http_gets_no_answer(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), 10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.settimeout(10)
        try:
            heard = plain.recv(100)
        except ConnectionResetError:
            heard = b""
    assert not heard.startswith(b"HTTP/1.1 200")


def test_no_page_of_documentation_is_loaded_from_elsewhere(edge: Edge) -> None:
    statuses = [edge.local.get(path).status for path in ("/docs", "/redoc", "/nowhere/docs")]
    assert statuses == [404, 404, 404]


def test_the_openapi_document_is_3_1_and_needs_a_log_in(edge: Edge) -> None:
    assert edge.anybody.get("/openapi.json").status == 401
    assert edge.local.get("/openapi.json").json()["openapi"].startswith("3.1")
