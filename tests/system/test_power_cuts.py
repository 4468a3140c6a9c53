"""Killed at any moment of a change, Certhouse comes back with a key that fits each certificate, and ends the change."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.system.openssl_ca import OpensslCa, bag, openssl
from tests.system.running import Certhouse
from tests.waiting import until

pytestmark = pytest.mark.needs("openssl")

STEPS = 5
"""A regeneration makes the key and the certificate, installs both, restarts the listener and looks what is served."""

MOST = 120
"""More transitions of steps than a change has."""

SOME = (1, 2, 3, 5, 8, 13, 21, 34)


class Mortal:
    """A Certhouse that dies when it is told to, and what has to be true after that."""

    def __init__(self, folder: Path) -> None:
        self.order = folder / "dies-at"
        self.certhouse = Certhouse(
            folder / "data",
            PYTHONPATH=str(Path(__file__).parent / "dying"),
            CERTHOUSE_DIES_AT=str(self.order),
        )
        self.certhouse.start()
        self.certhouse.wait_for_identity("tomcat")
        self.root = OpensslCa(folder / "root", "Test Root")
        self.folder = folder

    def signed(self) -> Path:
        """Gives a PKCS#7 for a new CSR, ready to be uploaded."""
        csr = self.folder / "tomcat.csr"
        csr.write_bytes(self.certhouse.ok("csr", "create", "tomcat"))
        leaf = self.root.sign(csr, self.folder / "leaf.pem")
        return bag(self.folder / "chain.p7b", leaf, self.root.certificate)

    def dies(self, process: str, moment: int, *change: str) -> bool:
        """Makes a change while death waits; says whether it came."""
        self.order.write_text(f"{process} {moment}")
        self.certhouse.run(*change)
        self.settle(start=False)
        self.order.unlink()
        process_is = self.certhouse.process
        assert process_is is not None
        if process_is.poll() is None:
            return False
        process_is.wait(10)
        return True

    def settle(self, *, start: bool = True) -> None:
        """Waits until no change runs, or until the process is gone."""
        if start:
            self.certhouse.start()
        process = self.certhouse.process

        def settled() -> bool:
            if process is not None and process.poll() is not None:
                return True
            listed = self.certhouse.run("change", "list", "-o", "json")
            return listed.returncode == 0 and b'"running"' not in listed.stdout

        until(settled, 60, "every change to end")

    def check(self) -> None:
        """Every purpose's live key fits its certificate, the certificate is the stored one, and it is served."""
        live = self.certhouse.data / "live" / "tomcat"
        of_key = openssl("pkey", "-in", live / "key.pem", "-pubout")
        assert openssl("x509", "-in", live / "cert.pem", "-noout", "-pubkey") == of_key
        for change in self.certhouse.json("change", "list")["items"]:
            if change["state"] == "waiting":
                assert self.certhouse.json("change", "apply", change["id"])["state"] == "done"
            else:
                assert change["state"] in ("done", "rolled-back"), change
        until(lambda: self.certhouse.entry("tomcat")["served"] == "same", 30, "the stored certificate to be served")
        shown = openssl("x509", "-in", live / "cert.pem", "-noout", "-fingerprint", "-sha256")
        stored = self.certhouse.entry("tomcat")["id"]
        assert shown.decode().strip().rpartition("=")[2].replace(":", "").lower() == stored

    def live_through(self, process: str, moments: Iterable[int], *change: str) -> int:
        """Dies at each of the moments; gives how many deaths there were until the change ended without one."""
        deaths = 0
        for moment in moments:
            if not self.dies(process, moment, *change):
                break
            deaths += 1
            self.settle()
            self.check()
        return deaths


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    made = Mortal(tmp_path)
    try:
        yield made
    finally:
        made.certhouse.stop()


@pytest.mark.timeout(600)
def test_a_regeneration_survives_a_power_cut_at_every_step(mortal: Mortal) -> None:
    deaths = mortal.live_through("journal", range(1, MOST), "cert", "regenerate", "tomcat", "--restart")
    assert STEPS <= deaths < MOST - 1


@pytest.mark.timeout(600)
def test_a_regeneration_survives_a_power_cut_while_the_agent_writes(mortal: Mortal) -> None:
    deaths = mortal.live_through("agent", SOME, "cert", "regenerate", "tomcat", "--restart")
    assert deaths >= STEPS


@pytest.mark.timeout(600)
def test_an_upload_survives_a_power_cut(mortal: Mortal) -> None:
    for moment in SOME[:5]:
        chain = str(mortal.signed())
        assert mortal.dies("journal", moment, "cert", "upload", "tomcat", chain, "--restart")
        mortal.settle()
        mortal.check()


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("change", [("cert", "regenerate", "tomcat", "--restart"), ("csr", "create", "tomcat")])
def test_a_change_survives_a_power_cut_at_every_moment(mortal: Mortal, change: tuple[str, ...]) -> None:
    assert mortal.live_through("agent", range(1, MOST), *change)
    assert mortal.live_through("journal", range(1, MOST), *change) < MOST - 1
