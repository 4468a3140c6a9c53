"""Lets Certhouse die as in a power cut, at a moment of the test's choice. Python imports this by itself when the folder
is on PYTHONPATH; the control plane and its node agent both do.

The file CERTHOUSE_DIES_AT holds ``agent N`` or ``journal N``: die right before the agent's Nth change of the disk, or
the Nth transition of a step in the journal, counted from when the file was written. Both processes go at once.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

CHANGES = frozenset(("os.rename", "os.remove", "os.symlink", "os.link", "os.mkdir", "os.rmdir"))

where = os.environ.get("CERTHOUSE_DIES_AT", "")
passed = 0


def pass_by(process: str) -> None:
    global passed
    try:
        wanted, _, number = Path(where).read_text().partition(" ")
    except OSError:
        return
    if wanted == process:
        passed += 1
        if passed == int(number):
            os.killpg(0, signal.SIGKILL)


def on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in CHANGES:
        pass_by("agent")


if where and "node" in sys.orig_argv:
    sys.addaudithook(on_audit)
elif where and "up" in sys.orig_argv:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def on_statement(*arguments: Any) -> None:
        if "change_steps" in arguments[2] and not arguments[2].startswith("SELECT"):
            pass_by("journal")

    event.listen(Engine, "before_cursor_execute", on_statement)
