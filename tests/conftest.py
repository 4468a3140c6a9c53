"""Real parts for tests: PostgreSQL, Certhouse itself, an OpenSSL CA; and the rule for parts that are missing."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import Certhouse
from tests.waiting import free_port, until

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def suites() -> Path | None:
    """Gives where the public suites lie: CERTHOUSE_SUITES, or shared/suites beside the checkout."""
    for folder in (os.environ.get("CERTHOUSE_SUITES"), Path(__file__).parents[2] / "shared" / "suites"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    return None


def postgresql_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _is_there(thing: str) -> bool:
    if thing == "suites":
        return suites() is not None
    if thing == "postgresql":
        return postgresql_bin() is not None
    return shutil.which(thing, path=PATH) is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        missing = [thing for thing in marker.args if not _is_there(thing)]
        if not missing:
            continue
        text = f"not on this machine: {', '.join(missing)} (`make debian` installs what it may)"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Gives the address of a real PostgreSQL that was started for this run."""
    programs = postgresql_bin()
    if programs is None:
        pytest.fail("mark the test with needs('postgresql')")
    folder = tmp_path_factory.mktemp("postgresql")
    data, port = folder / "data", free_port()
    as_user: dict[str, object] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        for path in (folder, *folder.parents):
            if path == Path("/tmp"):
                break
            path.chmod(path.stat().st_mode | 0o011)
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N"],
        check=True,
        capture_output=True,
        timeout=60,
        cwd=folder,
        **as_user,  # type: ignore[call-overload]  # the keywords of subprocess
    )
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-k", str(folder), "-c", "fsync=off", "-h", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **as_user,  # type: ignore[call-overload]  # as above
    )
    try:
        ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        until(lambda: subprocess.run(ready, check=False, timeout=5).returncode == 0, 30, "PostgreSQL")
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def certhouse(tmp_path: Path) -> Iterator[Certhouse]:
    """Gives a running Certhouse of one node."""

    running = Certhouse(tmp_path / "data")
    running.start()
    try:
        running.wait_for_identity("tomcat")
        yield running
    finally:
        running.stop()
