"""docs/walkthrough.md as an administrator does it: two real servers, a CA that OpenSSL runs, and back again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.servers import Haproxy, Nginx, Server
from tests.system.openssl_ca import OpensslCa, bag, served_by
from tests.system.running import NODE, Certhouse
from tests.waiting import until

pytestmark = pytest.mark.needs("openssl", "nginx", "haproxy")

BINDING = """
[services."{service}"]
controller = "command"
restart = {restart}
pid-file = "{pid_file}"
timeout = "20s"

[[services."{service}".checks]]
purpose = "tomcat"
address = "127.0.0.1:{port}"
"""


@pytest.fixture
def servers(certhouse: Certhouse, tmp_path: Path) -> Iterator[tuple[Nginx, Haproxy]]:
    live = certhouse.data / "live" / "tomcat"
    nginx, haproxy = Nginx(tmp_path / "nginx", live), Haproxy(tmp_path / "haproxy", live)
    nginx.start()
    haproxy.start()
    yield nginx, haproxy
    nginx.stop()
    haproxy.stop()


def bind(certhouse: Certhouse, bindings: dict[str, Server]) -> None:
    """Writes the node's bindings and waits until the node has reported what the services show."""
    texts = [
        BINDING.format(service=service, restart=json.dumps(server.reload()), pid_file=server.pid_file, port=server.port)  # type: ignore[attr-defined]  # both servers reload
        for service, server in bindings.items()
    ]
    (certhouse.data / "bindings.toml").write_text("".join(texts))
    certhouse.ok("service", "restart", "Cisco Tomcat")

    def seen() -> bool:
        services = {item["name"]: item for item in certhouse.json("service", "list")["items"]}
        return all(services[name]["shows"] for name in bindings)

    until(seen, 60, "the node to report the bound services")


def test_two_real_services_serve_the_ca_signed_chain_and_after_a_rollback_the_former_one(
    certhouse: Certhouse, servers: tuple[Nginx, Haproxy], tmp_path: Path
) -> None:
    nginx, haproxy = servers
    bind(certhouse, {"Cisco UDS Tomcat": nginx, "Cisco AXL Tomcat": haproxy})
    before = certhouse.entry("tomcat")
    assert before["served"] == "same"
    assert json.loads(certhouse.ok("node", "bindings", "check", "-o", "json"))["total"] >= 4

    csr = tmp_path / "tomcat.csr"
    csr.write_bytes(certhouse.ok("csr", "create", "tomcat"))
    root = OpensslCa(tmp_path / "root", "Walkthrough Root")
    issuing = OpensslCa(tmp_path / "issuing", "Walkthrough Issuing CA", root)
    leaf = issuing.sign(csr, tmp_path / "leaf.pem")
    chain = bag(tmp_path / "chain.p7b", leaf, root.certificate, issuing.certificate)

    change = certhouse.json("cert", "upload", "tomcat", str(chain))
    restarts = [step["target"] for step in change["steps"] if step["action"] == "restart"]
    assert restarts == ["Cisco UDS Tomcat", "Cisco AXL Tomcat", "Cisco Tomcat"]
    assert change["state"] == "waiting"
    assert certhouse.json("change", "apply", change["id"])["state"] == "done"
    after = certhouse.entry("tomcat")
    for port in (nginx.port, haproxy.port, certhouse.port):
        assert served_by(port, root.certificate, NODE) == after["id"]
    assert after["served"] == "same"

    undo = certhouse.json("change", "rollback", change["id"], "--yes")
    assert certhouse.json("change", "apply", undo["id"])["state"] == "done"
    former = tmp_path / "former.pem"
    former.write_bytes(certhouse.ok("cert", "download", "tomcat"))
    for port in (nginx.port, haproxy.port, certhouse.port):
        assert served_by(port, former, NODE) == before["id"]


def test_a_service_that_goes_on_serving_the_former_certificate_fails_the_gate_and_is_rolled_back(
    certhouse: Certhouse, servers: tuple[Nginx, Haproxy], tmp_path: Path
) -> None:
    nginx, _ = servers
    bind(certhouse, {"Cisco UDS Tomcat": nginx})
    before = certhouse.entry("tomcat")
    bindings = certhouse.data / "bindings.toml"
    bindings.write_text(bindings.read_text().replace(json.dumps(nginx.reload()), '["true"]'))
    change = certhouse.json_of_failure("cert", "regenerate", "tomcat", "--restart")
    assert change["state"] == "rolled-back"
    assert [fault["code"] for fault in change["faults"]] == ["served-differs"]
    assert certhouse.entry("tomcat")["id"] == before["id"]
    until(lambda: certhouse.entry("tomcat")["served"] == "same", 60, "the former certificate to be served everywhere")
