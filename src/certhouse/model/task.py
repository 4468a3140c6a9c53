"""Work that a node is asked to do once. The shapes of ``work`` and ``result`` are in ``certhouse.wire``."""

from dataclasses import dataclass
from datetime import datetime

from certhouse.vocabulary import NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """``work`` and ``result`` are encoded wire messages. A task that is handed over twice is done once: its id says so.

    A node refuses a ``fence`` lower than the highest it has seen.
    """

    id: str
    node: NodeName
    fence: int
    work: bytes
    created: datetime
    result: bytes | None = None
    finished: datetime | None = None
