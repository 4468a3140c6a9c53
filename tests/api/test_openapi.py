"""The OpenAPI document, tried out: whatever it allows and whatever it forbids, the server keeps to it."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from certhouse.api.app import create_app
from certhouse.wiring.server import Server
from tests.api.edge import Caller, Edge


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    edge = Edge(tmp_path_factory.mktemp("edge"))
    edge.start()
    edge.set_up()
    try:
        yield edge
    finally:
        edge.stop()


@pytest.fixture(scope="module")
def script(running: Edge) -> Caller:
    return running.script()


@pytest.fixture(scope="module")
def authority(running: Edge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's self-signed certificate, for the client to trust."""
    file = tmp_path_factory.mktemp("authority") / "server.pem"
    file.write_text(ssl.get_server_certificate(("127.0.0.1", running.port)))
    return file


# The document comes from the routes alone, which no process stands behind yet.
schema = schemathesis.openapi.from_dict(create_app(cast(Server, None)).openapi())


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_the_server_keeps_to_its_document(case: Case, running: Edge, script: Caller, authority: Path) -> None:
    # Long waits are tested elsewhere; here they would only cost time.
    case.query = {**case.query, "wait": 0}
    try:
        response = case.call(
            base_url=f"https://localhost:{running.port}", headers=script.headers, verify=str(authority), timeout=30
        )
    except requests.exceptions.InvalidHeader:
        return
    case.validate_response(response, checks=[not_a_server_error, status_code_conformance, content_type_conformance])
