"""A third party: a root and an intermediate CA that are run with ``openssl ca``. Nothing of ours signs anything here."""

import subprocess
from pathlib import Path

_CONFIGURATION = """
[ca]
default_ca = this
[this]
dir = {folder}
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir/issued
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 90
policy = anything
copy_extensions = copy
unique_subject = no
email_in_dn = no
[anything]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
CN = {name}
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{leaf}
"""


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], capture_output=True, input=stdin, timeout=60, check=False)
    assert done.returncode == 0, (arguments, done.stderr.decode())
    return done.stdout


class OpensslCa:
    """One CA with its folder; ``leaf`` are more lines for the extensions of what it signs."""

    def __init__(self, folder: Path, name: str, issuer: "OpensslCa | None" = None, leaf: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "issued").mkdir()
        (folder / "index").touch()
        (folder / "serial").write_text("1000\n")
        self.configuration = folder / "ca.cnf"
        self.configuration.write_text(_CONFIGURATION.format(folder=folder, name=name, leaf=leaf))
        self.certificate = folder / "ca.pem"
        openssl("genrsa", "-out", folder / "ca.key", "2048")
        common = ("-config", self.configuration, "-key", folder / "ca.key")
        if issuer is None:
            openssl("req", "-x509", "-new", *common, "-extensions", "root", "-days", "3650", "-out", self.certificate)
        else:
            openssl("req", "-new", *common, "-out", folder / "ca.csr")
            issuer.sign(folder / "ca.csr", self.certificate, "intermediate")

    def sign(self, csr: Path, out: Path, extensions: str = "leaf") -> Path:
        openssl(
            *("ca", "-batch", "-notext", "-config", self.configuration, "-extensions", extensions),
            *("-in", csr, "-out", out),
        )
        return out


def bag(out: Path, *certificates: Path) -> Path:
    """Puts certificates into a PKCS#7 (DER), in the order given."""
    names = [part for path in certificates for part in ("-certfile", str(path))]
    openssl("crl2pkcs7", "-nocrl", "-outform", "DER", *names, "-out", out)
    return out


def served_by(port: int, anchor: Path, name: str) -> str:
    """Gives the fingerprint that a port serves, after ``openssl s_client`` has verified its chain to the anchor."""
    shown = openssl(
        *("s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-CAfile", anchor, "-no-CApath"),
        *("-verify_return_error", "-verify_hostname", name),
    )
    printed = openssl("x509", "-noout", "-fingerprint", "-sha256", stdin=shown)
    return printed.decode().strip().rpartition("=")[2].replace(":", "").lower()
