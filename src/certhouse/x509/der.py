"""A look at DER without trusting it: just enough to bound work before a library does it."""

from collections.abc import Iterator

_MOST_ELEMENTS = 20_000


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Gives tag, start and end of each element's content; ends at the first that does not fit (RFC 5652 needs no more)."""
    while start + 2 <= end:
        tag, length = data[start], data[start + 1]
        start += 2
        if length & 0x80:
            count = length & 0x7F
            if count == 0 or count > 4 or start + count > end:
                return
            length = int.from_bytes(data[start : start + count])
            start += count
        if start + length > end:
            return
        yield tag, start, start + length
        start += length


def most_iterations(pfx: bytes) -> int:
    """Gives the largest integer that follows a salt (an OCTET STRING) anywhere in a PKCS#12: its iteration counts.

    PBKDF2-params, pkcs-12PbeParams and MacData all have salt and count side by side (RFC 8018 appendix A.2, RFC 7292
    section 4, appendix C). What lies inside encrypted parts is not seen.
    """
    largest = 0
    stack = [(0, len(pfx), 0)]
    seen = 0
    while stack:
        start, end, depth = stack.pop()
        former = 0
        for tag, inner, outer in _elements(pfx, start, end):
            seen += 1
            if seen > _MOST_ELEMENTS:
                return largest
            if tag == 0x02 and former == 0x04 and outer - inner <= 8:
                largest = max(largest, int.from_bytes(pfx[inner:outer]))
            if depth < 24 and (tag & 0x20 or (tag == 0x04 and outer - inner > 32)):
                stack.append((inner, outer, depth + 1))
            former = tag
    return largest
