"""docs/walkthrough.md, line by line in a shell: what it says is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.servers import PATH
from tests.system.running import Certhouse
from tests.waiting import free_port

pytestmark = pytest.mark.needs("openssl", "nginx", "haproxy", "bash")

DOCUMENT = Path(__file__).parents[2] / "docs" / "walkthrough.md"


def test_every_line_of_the_walkthrough_works(certhouse: Certhouse, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), flags=re.MULTILINE | re.DOTALL))
    for port in ("9443", "9444"):
        lines = lines.replace(port, str(free_port()))
    programs = Path(sys.executable).parent
    try:
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", lines],
            cwd=here,
            env={**certhouse.environment, "PATH": f"{programs}:{PATH}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, (done.stdout[-3000:].decode(), done.stderr[-3000:].decode())
        assert done.stdout.count(b"Verification: OK") == 4
    finally:
        for file in here.glob("*.pid"):
            os.kill(int(file.read_text()), 15)
