"""The door for those who have not logged in yet: password checks are costly on purpose, so few run at a time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from certhouse.errors import TooManyRequests

T = TypeVar("T")

AT_ONCE = 2
MOST_WAITING = 64


class Gate:
    """Runs password checks, at most ``AT_ONCE`` together: each takes 64 MiB and a tenth of a second."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def run(self, check: Callable[[], T]) -> T:
        """Gives what ``check`` gives, run in a thread. Raises TooManyRequests when too many wait."""
        if self._waiting >= MOST_WAITING:
            raise TooManyRequests("too many log-ins at once; try again", retry_after=2)
        self._waiting += 1
        try:
            async with self._places:
                return await run_in_threadpool(check)
        finally:
            self._waiting -= 1
