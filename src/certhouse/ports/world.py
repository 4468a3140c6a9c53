"""Time, randomness, waking others, sealing."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Gives the time, aware and in UTC."""

    def monotonic(self) -> float:
        """Gives seconds that never run backwards."""

    def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def new(self, prefix: str) -> str:
        """Gives a short, unique, time-ordered name such as ``chg-01jd…``."""

    def secret(self) -> str:
        """Gives 256 random bits as URL-safe text."""

    def serial(self) -> int:
        """Gives a positive certificate serial of 127 random bits (RFC 5280 section 4.1.2.2)."""


class Bell(Protocol):
    """Wakes those who wait for news on a topic. A ring may be lost: whoever waits also looks again after a while.

    Topics: ``worker``, ``change:ID``, ``node:NAME``, ``task:ID``, ``listener``.
    """

    def ring(self, topic: str) -> None: ...

    def wait(self, topic: str, timeout: float) -> bool:
        """Blocks for at most ``timeout`` seconds; says whether the bell rang."""

    def listen(self, topic: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back at every ring, from any thread, until the returned function is called."""


class Seal(Protocol):
    def seal(self, public_key: bytes, info: bytes, plaintext: bytes) -> bytes:
        """Gives HPKE ciphertext (RFC 9180, base mode, X25519, HKDF-SHA256, AES-256-GCM or ChaCha20Poly1305)."""


class PasswordHasher(Protocol):
    def hash(self, password: str) -> str: ...

    def verify(self, password_hash: str, password: str) -> bool: ...
