from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.store.database import open_database
from engine.store.schema import prepare


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as the migrations make it, made once."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    prepare(f"sqlite:///{file}")
    return file


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a store may be; nothing is there yet."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def database(empty_store: Path, tmp_path: Path, url: str) -> Iterator[Engine]:
    """An empty store."""
    shutil.copy(empty_store, tmp_path / "store.db")
    engine = open_database(url)
    yield engine
    engine.dispose()
