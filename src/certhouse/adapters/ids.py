"""Names and random numbers."""

import secrets

from certhouse.ports.world import Clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class TimeOrderedIds:
    """``ports.world.Ids``: ten characters of time (milliseconds) and ten random ones, so that newer names sort later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self, prefix: str) -> str:
        milliseconds = int(self._clock.now().timestamp() * 1000)
        time_part = "".join(_ALPHABET[(milliseconds >> shift) & 31] for shift in range(45, -1, -5))
        return f"{prefix}-{time_part}{''.join(secrets.choice(_ALPHABET) for _ in range(10))}"

    def secret(self) -> str:
        return secrets.token_urlsafe(32)

    def serial(self) -> int:
        return secrets.randbits(127) or 1
