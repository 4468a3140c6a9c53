"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

TEXT: TypeEngine[str] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID: TypeEngine[int] = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("token_hash", TEXT, server_default="", nullable=False),
        sa.Column("user", TEXT, server_default="", nullable=False),
        sa.Column("description", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_used", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "audit",
        sa.Column("number", ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("actor", TEXT, server_default="", nullable=False),
        sa.Column("action", TEXT, server_default="", nullable=False),
        sa.Column("target", TEXT, server_default="", nullable=False),
        sa.Column("outcome", TEXT, server_default="", nullable=False),
        sa.Column("detail", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "catalogs",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("text", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "certificate_ders",
        sa.Column("certificate_id", ID, autoincrement=False, nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("certificate_id"),
    )
    op.create_table(
        "certificates",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("subject_key", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_index(op.f("ix_certificates_subject_key"), "certificates", ["subject_key"], unique=False)
    op.create_table(
        "change_steps",
        sa.Column("change", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("change", "number"),
    )
    op.create_table(
        "changes",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("state", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_changes_state", "changes", ["state"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "entries",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("entry", TEXT, server_default="", nullable=False),
        sa.Column("fingerprint", TEXT, server_default="", nullable=False),
        sa.Column("common_name", TEXT, server_default="", nullable=False),
        sa.Column("subject", TEXT, server_default="", nullable=False),
        sa.Column("issuer", TEXT, server_default="", nullable=False),
        sa.Column("serial", TEXT, server_default="", nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("not_after", sa.BigInteger(), nullable=True),
        sa.Column("usage", TEXT, server_default="", nullable=False),
        sa.Column("purpose", TEXT, server_default="", nullable=False),
        sa.Column("store", TEXT, server_default="", nullable=False),
        sa.Column("node", TEXT, server_default="", nullable=False),
        sa.Column("type", TEXT, server_default="", nullable=False),
        sa.Column("key_type", TEXT, server_default="", nullable=False),
        sa.Column("key_length", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("signature_algorithm", TEXT, server_default="", nullable=False),
        sa.Column("sans", TEXT, server_default="", nullable=False),
        sa.Column("description", TEXT, server_default="", nullable=False),
        sa.Column("served", TEXT, server_default="", nullable=False),
        sa.Column("revocation", TEXT, server_default="", nullable=False),
        sa.Column("distribution", TEXT, server_default="", nullable=False),
        sa.Column("csr_pending", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("key_id", TEXT, server_default="", nullable=False),
        sa.Column("common_name_key", TEXT, server_default="", nullable=False),
        sa.Column("subject_key", TEXT, server_default="", nullable=False),
        sa.Column("issuer_key", TEXT, server_default="", nullable=False),
        sa.Column("san_key", TEXT, server_default="", nullable=False),
        sa.Column("purpose_key", TEXT, server_default="", nullable=False),
        sa.Column("store_key", TEXT, server_default="", nullable=False),
        sa.Column("node_key", TEXT, server_default="", nullable=False),
        sa.Column("signature_algorithm_key", TEXT, server_default="", nullable=False),
        sa.Column("expires_key", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entry"),
    )
    op.create_index("ix_entries_common_name_key", "entries", ["common_name_key", "id"], unique=False)
    op.create_index("ix_entries_expires_key", "entries", ["expires_key", "id"], unique=False)
    op.create_index("ix_entries_fingerprint", "entries", ["fingerprint", "id"], unique=False)
    op.create_index("ix_entries_issuer_key", "entries", ["issuer_key", "id"], unique=False)
    op.create_index("ix_entries_key_length", "entries", ["key_length", "id"], unique=False)
    op.create_index("ix_entries_key_type", "entries", ["key_type", "id"], unique=False)
    op.create_index("ix_entries_node_key", "entries", ["node_key", "id"], unique=False)
    op.create_index("ix_entries_purpose_key", "entries", ["purpose_key", "id"], unique=False)
    op.create_index("ix_entries_san_key", "entries", ["san_key", "id"], unique=False)
    op.create_index("ix_entries_serial", "entries", ["serial", "id"], unique=False)
    op.create_index("ix_entries_signature_algorithm_key", "entries", ["signature_algorithm_key", "id"], unique=False)
    op.create_index("ix_entries_store_key", "entries", ["store_key", "id"], unique=False)
    op.create_index("ix_entries_subject_key", "entries", ["subject_key", "id"], unique=False)
    op.create_index("ix_entries_type", "entries", ["type", "id"], unique=False)
    op.create_index("ix_entries_usage", "entries", ["usage", "id"], unique=False)
    op.create_table(
        "failures",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("key", TEXT, server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_failures_key", "failures", ["key", "at"], unique=False)
    op.create_table(
        "follow_ups",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("state", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "idempotency",
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("request_hash", TEXT, server_default="", nullable=False),
        sa.Column("status", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("actor", "key"),
    )
    op.create_table(
        "identity_versions",
        sa.Column("node", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", TEXT, server_default="", nullable=False),
        sa.Column("chain", TEXT, server_default="", nullable=False),
        sa.Column("key_id", TEXT, server_default="", nullable=False),
        sa.Column("type", TEXT, server_default="", nullable=False),
        sa.Column("description", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("change", TEXT, server_default="", nullable=False),
        sa.Column("current", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("node", "purpose", "number"),
    )
    op.create_table(
        "invitations",
        sa.Column("token_hash", TEXT, nullable=False),
        sa.Column("role", TEXT, server_default="", nullable=False),
        sa.Column("expires", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table("issuers", sa.Column("issuer_key", TEXT, nullable=False), sa.PrimaryKeyConstraint("issuer_key"))
    op.create_table(
        "leases",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("holder", TEXT, server_default="", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("until", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "login_sessions",
        sa.Column("token_hash", TEXT, nullable=False),
        sa.Column("user", TEXT, server_default="", nullable=False),
        sa.Column("csrf_token", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "nodes",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, server_default="", nullable=False),
        sa.Column("publisher", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", TEXT, server_default="", nullable=False),
        sa.Column("certificate", TEXT, server_default="", nullable=False),
        sa.Column("seal_key", sa.LargeBinary(), nullable=False),
        sa.Column("domain", TEXT, server_default="", nullable=False),
        sa.Column("joined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.Column("observed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "requests",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("purpose", TEXT, server_default="", nullable=False),
        sa.Column("node", TEXT, server_default="", nullable=False),
        sa.Column("distribution", TEXT, server_default="", nullable=False),
        sa.Column("key_id", TEXT, server_default="", nullable=False),
        sa.Column("csr", sa.LargeBinary(), nullable=False),
        sa.Column("common_name", TEXT, server_default="", nullable=False),
        sa.Column("subject", TEXT, server_default="", nullable=False),
        sa.Column("sans", TEXT, server_default="", nullable=False),
        sa.Column("key_type", TEXT, server_default="", nullable=False),
        sa.Column("key_length", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("hash", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("keep_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("change", TEXT, server_default="", nullable=False),
        sa.Column("replaced", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "secrets",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "settings",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "setup_tokens",
        sa.Column("token_hash", TEXT, nullable=False),
        sa.Column("expires", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("node", TEXT, server_default="", nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("work", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tasks_node", "tasks", ["node", "finished"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("store", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("description", TEXT, server_default="", nullable=False),
        sa.Column("deleted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("change", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("store", "node", "fingerprint"),
    )
    op.create_table(
        "trust",
        sa.Column("store", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("description", TEXT, server_default="", nullable=False),
        sa.Column("added", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("change", TEXT, server_default="", nullable=False),
        sa.Column("origin", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("store", "node", "fingerprint"),
    )
    op.create_index("ix_trust_fingerprint", "trust", ["fingerprint"], unique=False)
    op.create_table(
        "trust_digests",
        sa.Column("store", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("digest", TEXT, server_default="", nullable=False),
        sa.PrimaryKeyConstraint("store", "node"),
    )
    op.create_table(
        "users",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, server_default="", nullable=False),
        sa.Column("password_hash", TEXT, server_default="", nullable=False),
        sa.Column("created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("disabled", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )

    if op.get_bind().dialect.name == "sqlite":
        _search_on_sqlite()
    else:
        _search_on_postgresql()


def _search_on_sqlite() -> None:
    columns = "common_name_key, subject_key, san_key"
    op.execute(
        f"CREATE VIRTUAL TABLE entries_search USING fts5({columns}, content='entries', content_rowid='id', tokenize='trigram')"
    )
    new = "new.id, new.common_name_key, new.subject_key, new.san_key"
    old = "'delete', old.id, old.common_name_key, old.subject_key, old.san_key"
    insert = f"INSERT INTO entries_search(rowid, {columns}) VALUES ({new});"
    remove = f"INSERT INTO entries_search(entries_search, rowid, {columns}) VALUES ({old});"
    op.execute(f"CREATE TRIGGER entries_search_insert AFTER INSERT ON entries BEGIN {insert} END")
    op.execute(f"CREATE TRIGGER entries_search_delete AFTER DELETE ON entries BEGIN {remove} END")
    op.execute(f"CREATE TRIGGER entries_search_update AFTER UPDATE OF {columns} ON entries BEGIN {remove} {insert} END")


def _search_on_postgresql() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for column in ("common_name_key", "subject_key", "san_key"):
        op.execute(f"CREATE INDEX ix_entries_{column}_trigram ON entries USING gin ({column} gin_trgm_ops)")
