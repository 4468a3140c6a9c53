"""The store on both databases: SQLite in a file, PostgreSQL for real, each test on a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certhouse.adapters.store import SqlStore, open_store

KEY = bytes(range(32))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'certhouse.db'}"
        return
    import psycopg

    server: str = request.getfixturevalue("postgresql_url")
    name = f"t{abs(hash(str(tmp_path))):x}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    opened = open_store(database_url, KEY)
    yield opened
    opened.close()
