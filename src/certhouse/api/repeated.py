"""Requests that are sent again because nobody knows whether the first one arrived (Idempotency-Key)."""

import hashlib
import hmac

from certhouse.errors import Conflict, Fault, Refused
from certhouse.wiring.server import Server

LONGEST_KEY = 200
_SECONDS = 120


class Repeated:
    """One request under its key. What is kept of either is a hash: the body may hold a password."""

    def __init__(self, server: Server, actor: str, key: str, method: str, url: str, body: bytes) -> None:
        if not 1 <= len(key) <= LONGEST_KEY:
            raise Refused(
                Fault(code="idempotency-key", detail="the Idempotency-Key does not fit", expected="1 to 200 characters")
            )
        self._server = server
        self._actor = actor
        self._key = hashlib.sha256(key.encode()).hexdigest()
        self._mark = hmac.digest(key.encode(), b"\0".join((method.encode(), url.encode(), body)), "sha256").hex()
        self._lease = f"once:{hashlib.sha256(actor.encode()).hexdigest()[:16]}:{self._key}"
        self._holder = server.ids.new("req")

    def former(self) -> tuple[int, bytes] | None:
        """Gives status and body of the first answer, or None and the right to act.

        Raises Refused when the key was used for another request, Conflict while the first one is being done.
        """
        with self._server.store.begin() as tx:
            known = tx.idempotency.get(self._actor, self._key)
            if known is None and tx.leases.take(self._lease, self._holder, self._server.clock.now(), _SECONDS) is None:
                raise Conflict(
                    Fault(
                        code="still-running",
                        detail="a request with this Idempotency-Key is being done",
                        remedy="wait, then send it again",
                    )
                )
        if known is None:
            return None
        mark, status, body = known
        if not hmac.compare_digest(mark, self._mark):
            raise Refused(
                Fault(
                    code="idempotency-key",
                    detail="this Idempotency-Key was used for another request",
                    remedy="use a fresh one",
                )
            )
        return status, body

    def keep(self, status: int, body: bytes) -> None:
        with self._server.store.begin() as tx:
            tx.idempotency.put(self._actor, self._key, self._mark, status, body, self._server.clock.now())

    def end(self) -> None:
        with self._server.store.begin() as tx:
            tx.leases.release(self._lease, self._holder)
