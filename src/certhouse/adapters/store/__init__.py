"""Storage on SQLite and PostgreSQL, with one schema and one set of statements (SQLAlchemy Core)."""

from certhouse.adapters.store.database import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
