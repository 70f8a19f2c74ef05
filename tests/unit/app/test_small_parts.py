"""Parts of a few lines: where files, identifiers, versions and times come from."""

from __future__ import annotations

import re
import time
import wave
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import engine
from engine.app import version
from engine.app.config import Config
from engine.app.dialplan_file import configured_dialplan
from engine.app.entropy import SystemIds
from engine.app.instance import instances
from engine.app.share import shared_file
from engine.app.state import StateDir
from engine.errors import ConfigError
from engine.ids import TrunkName
from engine.net.clock import SystemClock


def test_the_demo_comes_with_the_checkout() -> None:
    with wave.open(str(shared_file("dialplans/sounds/announcement.wav"))) as sound:
        assert sound.getnframes() > 0


def test_each_trunk_has_an_instance_that_stays(tmp_path: Path) -> None:
    state, other = StateDir(tmp_path / "one"), StateDir(tmp_path / "other")
    state.prepare()
    other.prepare()
    pbx, line = TrunkName("pbx"), TrunkName("line")
    found = instances(state)(pbx)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found)
    assert instances(StateDir(tmp_path / "one"))(pbx) == found
    assert len({found, instances(state)(line), instances(other)(pbx)}) == 3


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "engine" / "share" / "dialplans" / "demo.toml"
    inside.parent.mkdir(parents=True)
    inside.touch()
    monkeypatch.setattr(engine, "__file__", str(tmp_path / "engine" / "__init__.py"))
    assert shared_file("dialplans/demo.toml") == inside
    with pytest.raises(FileNotFoundError, match=r"dialplans/none\.toml did not come with this installation"):
        shared_file("dialplans/none.toml")


def test_the_configured_dialplan_goes_before_the_demos(tmp_path: Path) -> None:
    assert "agents" in configured_dialplan(Config()).contexts
    own = tmp_path / "own.toml"
    own.write_text('[context.office]\n[[context.office.extension]]\nnumber = "1"\nqueue = "q"\n')
    assert list(configured_dialplan(Config.model_validate({"dialplan": {"file": str(own)}})).contexts) == ["office"]
    with pytest.raises(ConfigError, match=r"none\.toml"):
        configured_dialplan(Config.model_validate({"dialplan": {"file": str(tmp_path / "none.toml")}}))


def test_identifiers_cannot_be_guessed_and_are_tokens() -> None:
    ids = SystemIds()
    made = {ids.token() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{18}", token) for token in made)


def test_the_clock_tells_both_times() -> None:
    clock = SystemClock()
    assert abs(clock.wall() - time.time()) < 5
    assert abs(clock.monotonic() - time.monotonic()) < 5


def test_a_checkout_that_is_not_installed_has_a_version_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.match(r"\d+\.\d+", version._installed_version())

    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", nothing)
    assert version._installed_version() == "0+unknown"
