"""A running edge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.edge import Edge


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    running = Edge(tmp_path)
    running.start()
    try:
        yield running
    finally:
        running.stop()
