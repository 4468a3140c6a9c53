"""Long answers: as CSV, and only a few at a time, because each holds a connection to the database until it is read."""

import csv
import io
import threading
from collections.abc import Iterable, Iterator

import msgspec

from certhouse.errors import TooManyRequests

MOST_EXPORTS = 4

_COLUMNS = (
    "entry",
    "id",
    "common_name",
    "subject",
    "issuer",
    "serial",
    "not_before",
    "not_after",
    "usage",
    "purpose",
    "store",
    "node",
    "type",
    "key_type",
    "key_length",
    "signature_algorithm",
    "sans",
    "description",
    "served",
    "revocation",
)


def limited(blocks: Iterable[bytes], places: threading.Semaphore) -> Iterator[bytes]:
    """Gives the blocks while one of the places is taken. Raises TooManyRequests at the first block."""
    if not places.acquire(blocking=False):
        raise TooManyRequests("too many exports at once; try again", retry_after=5)
    try:
        yield from blocks
    finally:
        places.release()


def as_csv(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Gives lines of JSON as CSV (RFC 4180) with a line of names. A cell never begins as a spreadsheet's formula does."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for block in blocks:
        for line in block.splitlines():
            entry = msgspec.json.decode(line)
            writer.writerow([_cell(entry.get(name)) for name in _COLUMNS])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = " ".join(str(part) for part in value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
