"""Input made to break something: refused, never a 500, and nothing of it in logs where it does not belong."""

import base64
import io
import json
import logging
from contextlib import redirect_stderr, redirect_stdout

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.edge import PASSWORD, Answer, Edge

PEM = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"

FILES = {
    "nothing": b"",
    "zeros": bytes(4096),
    "text": b"hello\n" * 100,
    "pem of rubbish": PEM % base64.encodebytes(b"rubbish" * 50),
    "pem that never ends": b"-----BEGIN CERTIFICATE-----\n" + b"A" * 100_000,
    "many empty pem blocks": PEM % b"" * 5000,
    "der that announces 4 GiB": bytes.fromhex("3084ffffffff"),
    "der nested deep": b"\x30\x80" * 20_000,
    "pkcs7 of nothing": bytes.fromhex("300f06092a864886f70d010702a0020500"),
    "pkcs12 cut short": bytes.fromhex("30820a3e0201033082"),
    "html": b"<script>alert(1)</script>",
    "markers": b"-----BEGIN " * 20_000,
}


def upload(edge: Edge, content: bytes, **more: object) -> Answer:
    body = {"target": "tomcat-trust", "files": [{"name": "x", "content": base64.b64encode(content).decode()}], **more}
    return edge.local.post("/certificates?dry_run=true", body)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_with_a_reason(edge: Edge, name: str) -> None:
    for answer in (
        upload(edge, FILES[name]),
        upload(edge, FILES[name], target="tomcat", password="x"),
        edge.local.post("/trust/tomcat-trust/import?dry_run=true", {"content": base64.b64encode(FILES[name]).decode()}),
    ):
        assert answer.status in (400, 422), answer.body[:500]
        assert answer.json()["faults"]
        assert b"Traceback" not in answer.body


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_inspected_without_harm(edge: Edge, name: str) -> None:
    answer = edge.local.post("/certificates/inspect", {"content": base64.b64encode(FILES[name]).decode()})
    assert answer.status in (200, 400, 422)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(edge: Edge, content: bytes) -> None:
    assert upload(edge, content).status in (400, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"target":' * 10_000,
        b'{"target": 1e999}',
        b'{"target": "tomcat", "files": "x"}',
        b'{"target": "tomcat", "files": [{"content": "%%%"}]}',
        b'{"target": "tomcat", "files": [], "key": "%%%"}',
    ],
)
def test_a_body_that_is_no_upload_is_refused(edge: Edge, body: bytes) -> None:
    answer = edge.local.ask("POST", "/certificates?dry_run=true", body, Content_Type="application/json")
    assert answer.status in (400, 422), answer.body[:300]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../etc/passwd"\r\n\r\nrubbish\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="target"\r\n\r\ntomcat\r\n' * 40 + b"--x--\r\n",
    ],
)
def test_a_form_that_is_no_upload_is_refused(edge: Edge, body: bytes) -> None:
    kind = "multipart/form-data; boundary=x"
    answer = edge.local.ask("POST", "/certificates?dry_run=true", body, Content_Type=kind)
    assert answer.status in (400, 422), answer.body[:300]


def test_a_form_uploads_like_json_does(edge: Edge) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="target"\r\n\r\ntomcat-trust\r\n'
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.pem"\r\n\r\nrubbish\r\n--x--\r\n'
    )
    kind = "multipart/form-data; boundary=x"
    form = edge.local.ask("POST", "/certificates?dry_run=true", body, Content_Type=kind)
    assert form.json()["faults"] == upload(edge, b"rubbish").json()["faults"]


@pytest.mark.parametrize(
    "path",
    [
        "/certificates/" + "a" * 401,
        "/certificates/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/certificates/%F0%9F%94%91",
        "/certificates/%ff%fe",
        "/trust/%2e%2e/export",
        "/csrs/tomcat?node=%ff",
        "/changes/..%2f..",
        "/audit?cursor=99999999999999999999",
        "/changes?cursor=%27%20OR%201%3D1--",
        "/certificates?where=san+contains+%25%22%2A",
        "/certificates?where=subject+contains+%22%29%20OR%20%28",
        "/certificates?where=expires+within+36500d",
        "/certificates?where=expires+before+9999-12-31T23%3A59%3A59%2B00%3A00",
        "/certificates?where=expires+after+0001-01-01T00%3A00%3A00%2B14%3A00",
    ],
)
def test_a_hostile_address_is_answered_in_order(edge: Edge, path: str) -> None:
    answer = edge.local.get(path)
    assert answer.status < 500, answer.body[:300]


@pytest.mark.parametrize(
    "catalog",
    [
        "",
        "[",
        "a = 1",
        "[[purpose]]",
        "[[purpose]]\nname = 1",
        "x = " + "[" * 5000,
        "\x01",
        '[[service]]\nname = "x"\n' * 999,
    ],
)
def test_a_catalog_that_does_not_fit_is_refused(edge: Edge, catalog: str) -> None:
    answer = edge.local.post("/catalog/apply?dry_run=true", {"name": "own", "text": catalog})
    assert answer.status < 500, answer.body[:300]


def test_secrets_reach_neither_answers_nor_logs(edge: Edge) -> None:
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger().addHandler(handler)
    secret = "s3cret-pass-phrase-42"
    key = (
        "-----BEGIN PRIVATE KEY-----\n"
        + base64.b64encode(b"key-material-" * 8).decode()
        + "\n-----END PRIVATE KEY-----"
    )
    try:
        with redirect_stderr(heard), redirect_stdout(heard):
            browser = edge.set_up()
            token = edge.script().headers["Authorization"].removeprefix("Bearer ")
            answers = [
                upload(edge, b"x", key=key, password=secret),
                edge.local.post("/certificates", {"target": "tomcat", "files": [], "key": key, "password": secret}),
                edge.local.post("/trust/tomcat-trust/export", {"password": secret, "format": "p12"}),
                edge.log_in("alice", secret),
                edge.local.post("/users", {"name": "bob", "password": secret, "role": "?"}),
                *(
                    edge.local.get(path)
                    for path in ("/audit", "/changes", "/users", "/tokens", "/settings", "/metrics")
                ),
            ]
    finally:
        logging.getLogger().removeHandler(handler)
    written = heard.getvalue() + "".join(answer.body.decode() for answer in answers)
    cookie = browser.headers["Cookie"].partition("=")[2]
    for hidden in (secret, PASSWORD, token, cookie, key.splitlines()[1], "password_hash", "token_hash"):
        assert hidden not in written


def test_the_database_holds_tokens_and_passwords_as_hashes_only(edge: Edge) -> None:
    browser = edge.set_up()
    token = edge.script().headers["Authorization"].removeprefix("Bearer ")
    cookie = browser.headers["Cookie"].partition("=")[2]
    kept = b"".join(path.read_bytes() for path in edge.configuration.data.glob("certhouse.db*"))
    for hidden in (PASSWORD, token, cookie):
        assert hidden.encode() not in kept


def test_an_error_that_nobody_foresaw_shows_nothing_of_itself(edge: Edge) -> None:
    def broken() -> None:
        raise RuntimeError("inner-detail-of-the-server")

    edge.app.add_api_route("/nowhere/broken", broken)
    heard = io.StringIO()
    with redirect_stderr(heard), redirect_stdout(heard):
        answer = edge.local.get("/nowhere/broken")
    assert answer.status == 500
    assert b"inner-detail" not in answer.body
    assert json.loads(answer.body)["title"] == "Error"
