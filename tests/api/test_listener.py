"""The TLS listener and the local socket."""

import datetime
import hashlib
import http.client
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certhouse.adapters.clock import SystemClock
from certhouse.vocabulary import SettingName
from tests.api.edge import Edge


def install(edge: Edge, purpose: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Puts a self-signed identity where the node agent would; gives its fingerprint."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, purpose)])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    folder = edge.configuration.data / "live" / purpose
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "new.pem").write_bytes(pem)
    (folder / "new.pem").replace(folder / "combined.pem")
    return certificate.fingerprint(hashes.SHA256()).hex()


def an_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def served(edge: Edge, *, ciphers: str = "", version: ssl.TLSVersion | None = None) -> str:
    """Gives the fingerprint of the certificate that a new connection is shown."""
    context = edge.trusting_all()
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    with (
        socket.create_connection(("127.0.0.1", edge.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()


def test_without_an_identity_it_listens_with_a_certificate_of_its_own(edge: Edge) -> None:
    assert edge.anybody.get("/healthz").status == 200


def test_the_old_certificate_is_served_until_the_restart(edge: Edge) -> None:
    before = served(edge)
    new = install(edge, "tomcat", an_rsa_key())
    assert served(edge) == before
    edge.tls.swap()
    assert served(edge) == new


def test_an_open_connection_lives_through_a_restart(edge: Edge) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", edge.port, timeout=10, context=edge.trusting_all())
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    before = connection.sock
    install(edge, "tomcat", an_rsa_key())
    edge.tls.swap()
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b'{"status":"ok"}'
    assert connection.sock is before
    connection.close()


def test_restarts_under_load_refuse_nobody(edge: Edge) -> None:
    keys = [an_rsa_key(), an_rsa_key()]
    install(edge, "tomcat", keys[0])
    edge.tls.swap()
    failures: list[str] = []
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            try:
                served(edge)
            except OSError as error:
                failures.append(str(error))

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for number in range(20):
        install(edge, "tomcat", keys[number % 2])
        edge.tls.swap()
    done.set()
    for caller in callers:
        caller.join(20)
    assert failures == []


def test_a_set_that_does_not_fit_leaves_the_old_one_in_service(edge: Edge) -> None:
    good = install(edge, "tomcat", an_rsa_key())
    edge.tls.swap()
    (edge.configuration.data / "live" / "tomcat" / "combined.pem").write_text("broken")
    with pytest.raises(ssl.SSLError):
        edge.tls.swap()
    assert served(edge) == good


def test_rsa_alone_is_the_default(edge: Edge) -> None:
    rsa_certificate = install(edge, "tomcat", an_rsa_key())
    install(edge, "tomcat-ECDSA", ec.generate_private_key(ec.SECP256R1()))
    edge.tls.swap()
    assert served(edge) == rsa_certificate
    with pytest.raises(ssl.SSLError):
        served(edge, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384", version=ssl.TLSVersion.TLSv1_2)


def test_with_both_kinds_of_ciphers_both_certificates_are_served(edge: Edge) -> None:
    rsa_certificate = install(edge, "tomcat", an_rsa_key())
    ec_certificate = install(edge, "tomcat-ECDSA", ec.generate_private_key(ec.SECP256R1()))
    with edge.server.store.begin() as tx:
        tx.settings.set(SettingName("https-ciphers"), "rsa-and-ec")
    edge.tls.swap()
    two = ssl.TLSVersion.TLSv1_2
    assert served(edge, ciphers="ECDHE-RSA-AES256-GCM-SHA384", version=two) == rsa_certificate
    assert served(edge, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384", version=two) == ec_certificate
    assert served(edge, version=ssl.TLSVersion.TLSv1_3) in (rsa_certificate, ec_certificate)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_before_1_2_is_refused(edge: Edge) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        served(edge, ciphers="DEFAULT@SECLEVEL=0", version=ssl.TLSVersion.TLSv1_1)


def test_no_session_goes_on_with_the_certificate_of_its_first_handshake(edge: Edge) -> None:
    context = edge.trusting_all()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", edge.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as first,
    ):
        session = first.session
    assert session is None or not session.has_ticket


def test_the_local_socket_is_its_owners_only(edge: Edge) -> None:
    path = edge.configuration.api_socket
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_on_the_local_socket_the_kernel_says_who_asks(edge: Edge) -> None:
    import pwd

    answer = edge.local.get("/me").json()
    assert answer["name"] == f"local:{pwd.getpwuid(os.geteuid()).pw_name}"


def test_a_header_does_not_make_a_caller_local(edge: Edge) -> None:
    claims = {"X_Forwarded_For": "127.0.0.1", "X_Certhouse_Local_User": "root", "Forwarded": "for=unix:"}
    assert edge.anybody.get("/me", **claims).status == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_turned_away_by_the_local_socket(edge: Edge) -> None:
    path: Path = edge.configuration.api_socket
    for folder in (path.parent, *path.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    path.chmod(0o666)
    program = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.settimeout(10)\n"
        "s.connect(sys.argv[1])\n"
        "try:\n s.sendall(b'GET /api/v1/me HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n'); print(s.recv(100))\n"
        "except OSError: print(b'')"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, timeout=20, check=True)
    assert done.stdout.strip() == b"b''"


def test_a_socket_that_a_dead_process_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "run" / "api.sock"))
    running = Edge(tmp_path)
    running.start()
    try:
        assert running.local.get("/me").status == 200
    finally:
        running.stop()
    assert not running.configuration.api_socket.exists()
