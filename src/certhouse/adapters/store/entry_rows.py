"""An entry as a row of the list, and back."""

import json
from typing import Any

from sqlalchemy import RowMapping

from certhouse.adapters.store.statements import from_seconds, seconds
from certhouse.model.entry import Entry
from certhouse.vocabulary import (
    CertificateType,
    Distribution,
    EntryKey,
    Fingerprint,
    KeyId,
    KeyType,
    NodeName,
    PurposeName,
    Revocation,
    Served,
    StoreName,
    Usage,
)


def clean(text: str) -> str:
    """Gives text that both databases can keep: PostgreSQL's has no NUL and no lone surrogates, hostile names may."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def fold(text: str) -> str:
    """Gives the form that comparisons use."""
    return clean(text).lower()


def san_key(sans: tuple[str, ...]) -> str:
    """Gives all names in one text, each between line feeds, so that whole names, beginnings and ends can be found."""
    return fold("\n" + "\n".join(sans) + "\n") if sans else ""


def to_row(entry: Entry) -> dict[str, Any]:
    return {
        "entry": entry.entry,
        "fingerprint": entry.id or "",
        "common_name": clean(entry.common_name),
        "subject": clean(entry.subject),
        "issuer": clean(entry.issuer),
        "serial": entry.serial,
        "not_before": seconds(entry.not_before) if entry.not_before else None,
        "not_after": seconds(entry.not_after) if entry.not_after else None,
        "usage": entry.usage,
        "purpose": entry.purpose or "",
        "store": entry.store or "",
        "node": entry.node or "",
        "type": entry.type,
        "key_type": entry.key_type,
        "key_length": entry.key_length,
        "signature_algorithm": entry.signature_algorithm,
        "sans": clean(json.dumps(entry.sans, ensure_ascii=False, separators=(",", ":"))),
        "description": clean(entry.description),
        "served": entry.served,
        "revocation": entry.revocation,
        "distribution": entry.distribution,
        "csr_pending": int(entry.csr_pending),
        "key_id": entry.key_id or "",
        "common_name_key": fold(entry.common_name),
        "subject_key": fold(entry.subject),
        "issuer_key": fold(entry.issuer),
        "san_key": san_key(entry.sans),
        "purpose_key": fold(entry.purpose or ""),
        "store_key": fold(entry.store or ""),
        "node_key": fold(entry.node or ""),
        "signature_algorithm_key": fold(entry.signature_algorithm),
        "expires_key": seconds(entry.not_after) if entry.not_after else 0,
    }


def to_entry(row: RowMapping) -> Entry:
    return Entry(
        entry=EntryKey(row["entry"]),
        id=Fingerprint(row["fingerprint"]) if row["fingerprint"] else None,
        common_name=row["common_name"],
        subject=row["subject"],
        issuer=row["issuer"],
        serial=row["serial"],
        not_before=from_seconds(row["not_before"]),
        not_after=from_seconds(row["not_after"]),
        usage=Usage(row["usage"]),
        purpose=PurposeName(row["purpose"]) if row["purpose"] else None,
        store=StoreName(row["store"]) if row["store"] else None,
        node=NodeName(row["node"]) if row["node"] else None,
        type=CertificateType(row["type"]),
        key_type=KeyType(row["key_type"]),
        key_length=row["key_length"],
        signature_algorithm=row["signature_algorithm"],
        sans=tuple(json.loads(row["sans"])),
        description=row["description"],
        served=Served(row["served"]),
        revocation=Revocation(row["revocation"]),
        distribution=Distribution(row["distribution"]),
        csr_pending=bool(row["csr_pending"]),
        key_id=KeyId(row["key_id"]) if row["key_id"] else None,
    )
