"""Durations as people write them: ``90s 15m 8h 30d`` (design section 6)."""

import re
from datetime import timedelta

from certhouse.errors import Fault, Refused

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_DAYS = 36_500


def parse_duration(text: str) -> timedelta:
    """Gives the duration. Raises Refused for another form, and for more than a hundred years."""
    match = re.fullmatch(r"(\d{1,12})([smhd])", text.strip().lower())
    seconds = int(match[1]) * _UNITS[match[2]] if match else None
    if seconds is None or seconds > _LONGEST_DAYS * _UNITS["d"]:
        raise Refused(
            Fault(
                code="duration",
                detail=f"{text!r} is not a duration",
                found=text,
                expected="a number with s, m, h or d, at most 36500d",
                remedy="write it as in 90s, 15m, 8h or 30d",
            )
        )
    return timedelta(seconds=seconds)
