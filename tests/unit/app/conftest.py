from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.app.config import Config, load_config
from engine.app.state import StateDir
from engine.store.database import open_database
from engine.store.schema import prepare
from tests.support.command_line import CommandLine


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory after the first command: configuration, secrets, empty store. Made once, for it takes a while. Nobody
    ever listens on port 9."""
    directory = tmp_path_factory.mktemp("first-start")
    (directory / "engine.toml").write_text('[service]\nstate_dir = "state"\n[api]\nport = 9\n')
    config = load_config(directory / "engine.toml")
    StateDir(config.state_dir).prepare()
    prepare(config.store_url)
    return directory


@pytest.fixture
def config_file(first_start: Path, tmp_path: Path) -> Path:
    """Such a directory for one test; the configuration in it."""
    shutil.copytree(first_start, tmp_path / "here")
    return tmp_path / "here" / "engine.toml"


@pytest.fixture
def config(config_file: Path) -> Config:
    return load_config(config_file)


@pytest.fixture
def database(config: Config) -> Iterator[Engine]:
    """The store of that directory."""
    engine = open_database(config.store_url)
    yield engine
    engine.dispose()


@pytest.fixture
def hearthline(config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, where no engine runs."""
    return CommandLine(config_file, monkeypatch, capsys)
