"""The same program on PostgreSQL: nothing that its users see is different."""

from pathlib import Path

import pytest

from tests.system.openssl_ca import OpensslCa, bag, served_by
from tests.system.running import NODE, Certhouse

pytestmark = pytest.mark.needs("openssl", "postgresql")


def test_a_ca_signed_chain_is_installed_found_and_served(postgresql_url: str, tmp_path: Path) -> None:
    certhouse = Certhouse(tmp_path / "data", CERTHOUSE_DATABASE_URL=postgresql_url)
    certhouse.start()
    try:
        certhouse.wait_for_identity("tomcat")
        csr = tmp_path / "tomcat.csr"
        csr.write_bytes(certhouse.ok("csr", "create", "tomcat"))
        root = OpensslCa(tmp_path / "root", "Test Root")
        chain = bag(tmp_path / "chain.p7b", root.certificate, root.sign(csr, tmp_path / "leaf.pem"))
        assert certhouse.json("cert", "upload", "tomcat", str(chain), "--restart")["state"] == "done"

        found = certhouse.json("cert", "list", "--where", "issuer contains test r", "--where", "usage is identity")
        assert [item["id"] for item in found["items"]] == [served_by(certhouse.port, root.certificate, NODE)]
        assert found["items"][0]["served"] == "same"
        assert not (certhouse.data / "certhouse.db").exists()
    finally:
        certhouse.stop()
