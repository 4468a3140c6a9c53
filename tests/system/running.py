"""Certhouse as its users have it: the real program, driven by its own command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.waiting import free_port, until

NODE = "node1.example.com"


class Certhouse:
    """One ``certhouse up`` on a data directory of its own."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.gateway_port = free_port()
        self.log = data.parent / f"{data.name}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CERTHOUSE_")}
        self.environment = {
            **kept,
            "CERTHOUSE_DATA": str(data),
            "CERTHOUSE_LISTEN": f"127.0.0.1:{self.port}",
            "CERTHOUSE_GATEWAY_LISTEN": f"127.0.0.1:{self.gateway_port}",
            "CERTHOUSE_NODE_NAME": NODE,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "certhouse", "up", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self.answers, 60, f"Certhouse to answer; its log: {self.log.read_text()[-2000:]}")

    def answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"Certhouse ended: {self.log.read_text()[-3000:]}")
        return (self.data / "run" / "api.sock").exists() and self.run("setting", "list").returncode == 0

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def kill(self) -> None:
        """Kills control plane and agent at once, as a power cut would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "certhouse", *arguments],
            env=self.environment,
            capture_output=True,
            timeout=150,
            check=False,
            stdin=subprocess.DEVNULL,
            **more,
        )

    def ok(self, *arguments: str) -> bytes:
        """Runs a command that has to succeed; gives its standard output."""
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "-o", "json"))

    def json_of_failure(self, *arguments: str) -> Any:
        """Runs a command that has to end with code 1; gives the JSON it printed."""
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 1, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return json.loads(done.stdout)

    def refused(self, *arguments: str) -> dict[str, Any]:
        """Runs a command that has to be refused; gives its problem document."""
        document: dict[str, Any] = self.json_of_failure(*arguments)
        return document

    def wait_for_identity(self, purpose: str) -> None:
        """Waits until a purpose has a certificate that its service is seen to serve, and nothing runs any more."""

        def there() -> bool:
            items = self.json("cert", "list", "--where", f"purpose is {purpose}")["items"]
            running = [item for item in self.json("change", "list")["items"] if item["state"] == "running"]
            return bool(items) and items[0]["served"] in ("same", "unbound") and not running

        until(there, 60, f"an identity for {purpose}; the log: {self.log.read_text()[-3000:]}")

    def entry(self, purpose: str) -> dict[str, Any]:
        items = self.json("cert", "list", "--where", f"purpose is {purpose}")["items"]
        assert len(items) == 1
        found: dict[str, Any] = items[0]
        return found
