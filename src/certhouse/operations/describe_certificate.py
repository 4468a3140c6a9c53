"""The description of an entry: edited at any time, and right at once."""

from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.account import AuditRecord
from certhouse.model.entry import Entry
from certhouse.ports.store import Store
from certhouse.ports.world import Clock
from certhouse.vocabulary import EntryKey

LONGEST = 1000
"""Characters."""


def describe_certificate(key: EntryKey, text: str, *, store: Store, clock: Clock, actor: str) -> Entry:
    """Writes the description and gives the entry as it is now. Raises NotFound, Refused."""
    if len(text) > LONGEST or any(ord(character) < 0x20 and character not in "\n\t" for character in text):
        raise Refused(
            Fault(
                code="description",
                detail="the description does not fit",
                found=f"{len(text)} characters",
                expected=f"at most {LONGEST} characters, no control characters",
                remedy="shorten it",
            )
        )
    with store.begin() as tx:
        found = tx.entries.set_description(key, text) and tx.entries.get(key)
        if not found:
            raise NotFound(f"there is no entry {key}")
        tx.audit.add(AuditRecord(at=clock.now(), actor=actor, action="describe", target=key, outcome="done"))
        return found
