"""The schema. Times are whole microseconds since 1970 (certificates' times: seconds); absent text is empty, not NULL.

The list (``entries``) is one wide table, because every field of it can be filtered and sorted on; DER lies beside it.
Columns that end in ``_key`` hold the lower-case form that comparisons use.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData()

# Ranges and pages need one order on both databases: that of code points.
_Text: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
_Id: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str, *, key: bool = False, unique: bool = False) -> Column[str]:
    return Column(
        name, _Text, nullable=False, primary_key=key, unique=unique or None, server_default=None if key else ""
    )


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=False, primary_key=key, server_default=None if key else "0")


certificates = Table(
    "certificates",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("subject_key", String(64), nullable=False, index=True),
)

certificate_ders = Table(
    "certificate_ders",
    metadata,
    Column("certificate_id", _Id, primary_key=True, autoincrement=False),
    Column("der", LargeBinary, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    _text("entry", unique=True),
    _text("fingerprint"),
    _text("common_name"),
    _text("subject"),
    _text("issuer"),
    _text("serial"),
    Column("not_before", BigInteger),
    Column("not_after", BigInteger),
    _text("usage"),
    _text("purpose"),
    _text("store"),
    _text("node"),
    _text("type"),
    _text("key_type"),
    _number("key_length"),
    _text("signature_algorithm"),
    _text("sans"),
    _text("description"),
    _text("served"),
    _text("revocation"),
    _text("distribution"),
    _number("csr_pending"),
    _text("key_id"),
    _text("common_name_key"),
    _text("subject_key"),
    _text("issuer_key"),
    _text("san_key"),
    _text("purpose_key"),
    _text("store_key"),
    _text("node_key"),
    _text("signature_algorithm_key"),
    _number("expires_key"),
)

KEYED = (
    "common_name_key",
    "subject_key",
    "issuer_key",
    "san_key",
    "purpose_key",
    "store_key",
    "node_key",
    "usage",
    "type",
    "key_type",
    "key_length",
    "signature_algorithm_key",
    "serial",
    "fingerprint",
    "expires_key",
)
"""Every column that the list can be sorted on: each has an index that ends in the row's id, so that pages follow it."""

for _column in KEYED:
    Index(f"ix_entries_{_column}", entries.c[_column], entries.c.id)

issuers = Table("issuers", metadata, _text("issuer_key", key=True))
"""Every issuer's name once: a search in issuers looks here, and not at a million entries."""

identity_versions = Table(
    "identity_versions",
    metadata,
    _text("node", key=True),
    _text("purpose", key=True),
    _number("number", key=True),
    _text("fingerprint"),
    _text("chain"),
    _text("key_id"),
    _text("type"),
    _text("description"),
    _number("created"),
    _text("change"),
    _number("current"),
)

requests = Table(
    "requests",
    metadata,
    _text("id", key=True),
    _text("purpose"),
    _text("node"),
    _text("distribution"),
    _text("key_id"),
    Column("csr", LargeBinary, nullable=False),
    _text("common_name"),
    _text("subject"),
    _text("sans"),
    _text("key_type"),
    _number("key_length"),
    _text("hash"),
    _number("created"),
    _number("keep_until"),
    _text("change"),
    Column("replaced", BigInteger),
)

trust = Table(
    "trust",
    metadata,
    _text("store", key=True),
    _text("node", key=True),
    _text("fingerprint", key=True),
    _text("description"),
    _number("added"),
    _text("change"),
    _text("origin"),
    Index("ix_trust_fingerprint", "fingerprint"),
)

tombstones = Table(
    "tombstones",
    metadata,
    _text("store", key=True),
    _text("node", key=True),
    _text("fingerprint", key=True),
    _text("description"),
    _number("deleted"),
    _text("change"),
)

trust_digests = Table("trust_digests", metadata, _text("store", key=True), _text("node", key=True), _text("digest"))

changes = Table(
    "changes",
    metadata,
    _text("id", key=True),
    _text("state"),
    _number("created"),
    Column("document", LargeBinary, nullable=False),
    Index("ix_changes_state", "state"),
)

change_steps = Table(
    "change_steps",
    metadata,
    _text("change", key=True),
    _number("number", key=True),
    Column("document", LargeBinary, nullable=False),
)

follow_ups = Table(
    "follow_ups",
    metadata,
    _text("id", key=True),
    _text("state"),
    _number("created"),
    Column("document", LargeBinary, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    _text("id", key=True),
    _text("node"),
    _number("fence"),
    _number("created"),
    Column("work", LargeBinary, nullable=False),
    Column("result", LargeBinary),
    Column("finished", BigInteger),
    Index("ix_tasks_node", "node", "finished"),
)

nodes = Table(
    "nodes",
    metadata,
    _text("name", key=True),
    _text("role"),
    _number("publisher"),
    _text("state"),
    _text("certificate"),
    Column("seal_key", LargeBinary, nullable=False),
    _text("domain"),
    _number("joined"),
    Column("last_seen", BigInteger),
    Column("observed", LargeBinary),
)

invitations = Table("invitations", metadata, _text("token_hash", key=True), _text("role"), _number("expires"))

counters = Table("counters", metadata, _text("name", key=True), _number("value"))

settings = Table("settings", metadata, _text("name", key=True), _text("value"))

catalogs = Table("catalogs", metadata, _text("name", key=True), _number("position"), _text("text"))

users = Table(
    "users",
    metadata,
    _text("name", key=True),
    _text("role"),
    _text("password_hash"),
    _number("created"),
    _number("disabled"),
)

login_sessions = Table(
    "login_sessions",
    metadata,
    _text("token_hash", key=True),
    _text("user"),
    _text("csrf_token"),
    _number("created"),
    _number("expires"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    _text("id", key=True),
    _text("token_hash", unique=True),
    _text("user"),
    _text("description"),
    _number("created"),
    _number("expires"),
    Column("last_used", BigInteger),
)

setup_tokens = Table("setup_tokens", metadata, _text("token_hash", key=True), _number("expires"))

failures = Table(
    "failures",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    _text("key"),
    _number("at"),
    Index("ix_failures_key", "key", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", _Id, primary_key=True, autoincrement=True),
    _number("at"),
    _text("actor"),
    _text("action"),
    _text("target"),
    _text("outcome"),
    _text("detail"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _text("actor", key=True),
    _text("key", key=True),
    _text("request_hash"),
    _number("status"),
    Column("body", LargeBinary, nullable=False),
    _number("at"),
)

secrets = Table("secrets", metadata, _text("name", key=True), Column("sealed", LargeBinary, nullable=False))

leases = Table("leases", metadata, _text("name", key=True), _text("holder"), _number("fence"), _number("until"))
