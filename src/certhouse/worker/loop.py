"""The loop: take the lease, drive what runs, notice what others restarted, tidy up."""

import threading
from datetime import datetime, timedelta

import structlog

from certhouse.errors import CerthouseError
from certhouse.operations.drive_change import drive, notice_restarts
from certhouse.operations.forget_keys import forget_overdue_keys
from certhouse.ports.store import Store
from certhouse.ports.world import Bell, Clock, Ids
from certhouse.vocabulary import ChangeState

LEASE = "worker"
LEASE_SECONDS = 15
LOOK_AGAIN = 1.0
"""Seconds between looks when no bell rings: a lost ring delays work by no more."""

TIDY_EVERY = timedelta(hours=1)

log = structlog.get_logger("certhouse.worker")


def run(*, store: Store, clock: Clock, ids: Ids, bell: Bell, stop: threading.Event) -> None:
    """Works until ``stop`` is set. A fault of one change is logged and does not hold up the others."""
    holder = ids.new("wrk")
    tidied: datetime | None = None
    while not stop.is_set():
        fence = _lease(store, clock, holder)
        if fence is not None:
            _turn(store, clock, ids, bell, fence)
            if tidied is None or clock.now() - tidied > TIDY_EVERY:
                tidied = clock.now()
                forget_overdue_keys(store=store, clock=clock, bell=bell)
        bell.wait("worker", LOOK_AGAIN)
    with store.begin() as tx:
        tx.leases.release(LEASE, holder)


def _lease(store: Store, clock: Clock, holder: str) -> int | None:
    with store.begin() as tx:
        return tx.leases.take(LEASE, holder, clock.now(), LEASE_SECONDS)


def _turn(store: Store, clock: Clock, ids: Ids, bell: Bell, fence: int) -> None:
    notice_restarts(store=store, clock=clock, bell=bell)
    with store.read() as tx:
        running = [change.id for change in tx.changes.in_state(ChangeState.RUNNING)]
    for change in running:
        try:
            drive(change, store=store, clock=clock, ids=ids, bell=bell, fence=fence)
        except CerthouseError as error:
            log.error("change held up", change=change, error=str(error))
