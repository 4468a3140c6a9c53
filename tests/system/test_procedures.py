"""The manual's procedures, end to end, with OpenSSL as the CA."""

from pathlib import Path

import pytest

from tests.system.openssl_ca import OpensslCa, bag, openssl, served_by
from tests.system.running import NODE, Certhouse

pytestmark = pytest.mark.needs("openssl")


@pytest.fixture
def cas(tmp_path: Path) -> tuple[OpensslCa, OpensslCa]:
    root = OpensslCa(tmp_path / "root", "Test Root")
    return root, OpensslCa(tmp_path / "sub", "Test Issuing CA", root)


def test_a_ca_signed_chain_is_installed_served_and_rolled_back(
    certhouse: Certhouse, cas: tuple[OpensslCa, OpensslCa], tmp_path: Path
) -> None:
    root, issuing = cas
    before = certhouse.entry("tomcat")
    csr = tmp_path / "tomcat.csr"
    csr.write_bytes(certhouse.ok("csr", "create", "tomcat"))
    leaf = issuing.sign(csr, tmp_path / "leaf.pem")
    chain = bag(tmp_path / "chain.p7b", root.certificate, leaf, issuing.certificate)

    preview = certhouse.json("cert", "upload", "tomcat", str(chain), "--dry-run")
    assert (preview["id"], preview["state"]) == ("", "planned")
    assert certhouse.entry("tomcat")["id"] == before["id"]

    change = certhouse.json("cert", "upload", "tomcat", str(chain))
    assert change["state"] == "waiting"
    assert certhouse.entry("tomcat")["served"] in ("differs", "unknown")
    assert certhouse.run("csr", "show", "tomcat").returncode == 1

    assert certhouse.json("change", "apply", change["id"])["state"] == "done"
    after = certhouse.entry("tomcat")
    assert after["served"] == "same"
    assert after["type"] == "ca-signed"
    assert served_by(certhouse.port, root.certificate, NODE) == after["id"]

    undo = certhouse.json("change", "rollback", change["id"], "--yes")
    assert undo["state"] == "waiting"
    assert certhouse.json("change", "apply", undo["id"])["state"] == "done"
    assert certhouse.entry("tomcat")["id"] == before["id"]
    assert certhouse.entry("tomcat")["served"] == "same"
    assert certhouse.json("change", "show", change["id"])["state"] == "rolled-back"
    assert certhouse.json("csr", "show", "tomcat")["common_name"] == NODE
    stores = certhouse.json("trust", "list", "tomcat-trust")["items"]
    assert {item["common_name"] for item in stores} == {NODE}


def test_a_refused_upload_names_all_faults_at_once(
    certhouse: Certhouse, cas: tuple[OpensslCa, OpensslCa], tmp_path: Path
) -> None:
    root = OpensslCa(
        tmp_path / "other", "Careless CA", leaf="subjectAltName = DNS:www.example.net\nkeyUsage = digitalSignature"
    )
    root.configuration.write_text(
        root.configuration.read_text().replace("copy_extensions = copy", "copy_extensions = none")
    )
    csr = tmp_path / "tomcat.csr"
    csr.write_bytes(certhouse.ok("csr", "create", "tomcat", "--san", "www.example.org"))
    leaf = root.sign(csr, tmp_path / "leaf.pem")
    before = certhouse.entry("tomcat")
    codes = {fault["code"] for fault in certhouse.refused("cert", "upload", "tomcat", str(leaf))["faults"]}
    assert codes == {"san-dropped", "san-added", "key-usage-removed", "extended-key-usage-missing", "issuer-missing"}
    assert certhouse.entry("tomcat") == before


def test_a_late_certificate_for_a_replaced_csr_still_finds_its_key(
    certhouse: Certhouse, cas: tuple[OpensslCa, OpensslCa], tmp_path: Path
) -> None:
    root, issuing = cas
    first = tmp_path / "first.csr"
    first.write_bytes(certhouse.ok("csr", "create", "tomcat"))
    again = certhouse.json("csr", "create", "tomcat")
    assert any("replaced" in warning for warning in again["change"]["warnings"])
    leaf = issuing.sign(first, tmp_path / "late.pem")
    files = [str(path) for path in (issuing.certificate, leaf, root.certificate)]
    assert certhouse.json("cert", "upload", "tomcat", *files)["state"] == "waiting"
    assert certhouse.json("csr", "show", "tomcat")["csr"] == again["csr"]


def test_deleting_a_trust_certificate_says_what_breaks_and_restore_brings_it_back_byte_for_byte(
    certhouse: Certhouse, cas: tuple[OpensslCa, OpensslCa], tmp_path: Path
) -> None:
    root, issuing = cas
    certhouse.ok("cert", "upload", "tomcat-trust", str(root.certificate))
    certhouse.ok("cert", "upload", "tomcat-trust", str(issuing.certificate))
    held = {item["common_name"]: item["id"] for item in certhouse.json("trust", "list", "tomcat-trust")["items"]}
    bundle = certhouse.ok("trust", "export", "tomcat-trust")

    assert certhouse.run("trust", "delete", "tomcat-trust", held["Test Root"]).returncode == 2
    preview = certhouse.json("trust", "delete", "tomcat-trust", held["Test Root"], "--dry-run")
    assert {item["fingerprint"] for item in preview["breaks"]} == {held["Test Issuing CA"]}
    certhouse.ok("trust", "delete", "tomcat-trust", held["Test Root"], "--yes")
    assert held["Test Root"] not in {item["id"] for item in certhouse.json("trust", "list", "tomcat-trust")["items"]}

    certhouse.ok("trust", "restore", "tomcat-trust", held["Test Root"])
    assert certhouse.ok("trust", "export", "tomcat-trust") == bundle
    on_disk = (certhouse.data / "trust" / "tomcat-trust" / "ca-bundle.pem").read_bytes()
    assert sorted(on_disk.split(b"-----END")) == sorted(bundle.split(b"-----END"))


def test_the_same_ca_certificate_again_is_no_error_and_no_second_entry(
    certhouse: Certhouse, cas: tuple[OpensslCa, OpensslCa]
) -> None:
    root, _ = cas
    certhouse.ok("cert", "upload", "tomcat-trust", str(root.certificate))
    held = certhouse.json("trust", "list", "tomcat-trust")["total"]
    certhouse.ok("cert", "upload", "tomcat-trust", str(root.certificate))
    assert certhouse.json("trust", "list", "tomcat-trust")["total"] == held


def test_a_capf_root_goes_to_callmanager_trust_too(certhouse: Certhouse, cas: tuple[OpensslCa, OpensslCa]) -> None:
    root, _ = cas
    certhouse.ok("cert", "upload", "CAPF-trust", str(root.certificate))
    for store, node in (("CAPF-trust", NODE), ("CallManager-trust", None)):
        items = certhouse.json("trust", "list", store)["items"]
        assert [(item["common_name"], item["node"]) for item in items] == [("Test Root", node)]


def test_an_existing_certificate_is_adopted_with_its_key_from_pkcs12(certhouse: Certhouse, tmp_path: Path) -> None:
    key, csr, leaf, p12 = (tmp_path / name for name in ("old.key", "old.csr", "old.pem", "old.p12"))
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", f"/CN={NODE}", "-out", csr)
    adopting = OpensslCa(
        tmp_path / "adopting",
        "Adopting CA",
        leaf="keyUsage = digitalSignature, dataEncipherment\nextendedKeyUsage = serverAuth, clientAuth\n"
        f"subjectAltName = DNS:{NODE}",
    )
    adopting.sign(csr, leaf)
    openssl(
        *("pkcs12", "-export", "-inkey", key, "-in", leaf, "-certfile", adopting.certificate),
        *("-passout", "pass:open sesame", "-out", p12),
    )
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    change = certhouse.json("cert", "upload", "tomcat", str(p12), "--password-file", str(password), "--restart")
    assert change["state"] == "done"
    assert served_by(certhouse.port, adopting.certificate, NODE) == certhouse.entry("tomcat")["id"]
    assert key.read_text().splitlines()[1] not in certhouse.log.read_text()


def test_a_regenerated_identity_keeps_its_key_length_and_its_former_copy_leaves_the_trust_store(
    certhouse: Certhouse,
) -> None:
    before = certhouse.entry("tomcat")
    change = certhouse.json("cert", "regenerate", "tomcat", "--restart")
    assert change["state"] == "done"
    after = certhouse.entry("tomcat")
    assert (after["key_length"], after["type"], after["served"]) == (before["key_length"], "self-signed", "same")
    assert after["id"] != before["id"]
    assert [item["id"] for item in certhouse.json("trust", "list", "tomcat-trust")["items"]] == [after["id"]]


def test_https_ciphers_lets_the_listener_serve_rsa_and_ec_side_by_side(certhouse: Certhouse) -> None:
    certhouse.ok("cert", "self-sign", "tomcat-ECDSA", "--restart")
    change = certhouse.json("setting", "set", "https-ciphers", "rsa-and-ec")
    assert [step["target"] for step in change["steps"] if step["action"] == "restart"] == ["Cisco Tomcat"]
    assert certhouse.json("change", "apply", change["id"])["state"] == "done"
    for purpose, cipher in (
        ("tomcat", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("tomcat-ECDSA", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ):
        shown = openssl("s_client", "-connect", f"127.0.0.1:{certhouse.port}", "-tls1_2", "-cipher", cipher)
        printed = openssl("x509", "-noout", "-fingerprint", "-sha256", stdin=shown).decode()
        assert printed.strip().rpartition("=")[2].replace(":", "").lower() == certhouse.entry(purpose)["id"]


def test_a_description_is_right_at_once_after_a_regeneration(certhouse: Certhouse) -> None:
    certhouse.ok("cert", "describe", "tomcat", "the console")
    certhouse.ok("cert", "regenerate", "tomcat", "--restart")
    assert certhouse.entry("tomcat")["description"] == "the console"


def test_an_identity_cannot_be_deleted(certhouse: Certhouse) -> None:
    identity = certhouse.entry("tomcat")["id"]
    faults = certhouse.refused("trust", "delete", "tomcat", identity, "--yes")["faults"]
    assert [fault["code"] for fault in faults] == ["identity"]


def test_a_key_leaves_only_as_pkcs12_under_a_password_on_its_own_node(certhouse: Certhouse, tmp_path: Path) -> None:
    password, out = tmp_path / "password", tmp_path / "tomcat.p12"
    password.write_text("long enough\n")
    arguments = ("--format", "p12", "--password-file", str(password), "--out", str(out))
    certhouse.ok("cert", "download", "tomcat", *arguments)
    opened = openssl("pkcs12", "-in", out, "-passin", "pass:long enough", "-nodes")
    assert b"PRIVATE KEY" in opened
    assert out.stat().st_mode & 0o777 == 0o600


def test_trust_anchors_of_the_phones_change_one_at_a_time(certhouse: Certhouse) -> None:
    for purpose in ("CallManager", "TVS"):
        certhouse.ok("cert", "regenerate", purpose)
    change = certhouse.json("cert", "regenerate", "CallManager")
    assert change["state"] == "done"
    refusal = certhouse.refused("cert", "regenerate", "TVS", "--dry-run")
    assert [fault["code"] for fault in refusal["faults"]] == ["one-at-a-time"]
    for follow_up in certhouse.json("follow-up", "list")["items"]:
        certhouse.ok("follow-up", "done", follow_up["id"])
    assert certhouse.json("cert", "regenerate", "TVS")["state"] == "done"
