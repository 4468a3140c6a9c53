"""Drives changes in the background: one loop per control-plane process, one of them holding the lease."""

from certhouse.worker.loop import run

__all__ = ["run"]
