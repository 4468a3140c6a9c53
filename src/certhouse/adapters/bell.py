"""Wakes threads and event loops of this process."""

import threading
from collections import defaultdict
from collections.abc import Callable


class ThreadBell:
    """``ports.world.Bell`` within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[str, list[Callable[[], None]]] = defaultdict(list)

    def ring(self, topic: str) -> None:
        with self._lock:
            callbacks = list(self._callbacks.get(topic, ()))
        for callback in callbacks:
            callback()

    def wait(self, topic: str, timeout: float) -> bool:
        rung = threading.Event()
        leave = self.listen(topic, rung.set)
        try:
            return rung.wait(timeout)
        finally:
            leave()

    def listen(self, topic: str, callback: Callable[[], None]) -> Callable[[], None]:
        with self._lock:
            self._callbacks[topic].append(callback)

        def leave() -> None:
            with self._lock:
                self._callbacks[topic].remove(callback)
                if not self._callbacks[topic]:
                    del self._callbacks[topic]

        return leave
