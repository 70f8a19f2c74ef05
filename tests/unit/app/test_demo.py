"""What the demo sets up, and what it says. That it works is in tests/integration/test_demo.py."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.app import demo
from engine.app.config import Config
from engine.app.demo import Demo
from engine.app.demo_greeting import greeting
from engine.errors import ConfigError, Unavailable


class Commands:
    """Takes the place of the processes that the demo runs `hearthline` in."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.existing: set[str] = set()
        self.failing = ""

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[:3] == [sys.executable, "-m", "engine"]
        words = command[3:]
        self.ran.append(" ".join(words))
        what = " ".join(words[:2])
        if what == self.failing:
            return subprocess.CompletedProcess(command, 1, "", "hearthline: unavailable: no\n")
        if words[1] == "add" and words[0] in self.existing:
            return subprocess.CompletedProcess(command, 1, "", f"hearthline: already_exists: {words[0]}\n")
        self.existing.add(words[0])
        return subprocess.CompletedProcess(command, 0, json.dumps({"secret": f"secret{len(self.ran)}"}), "")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(demo.subprocess, "run", commands.run)
    monkeypatch.setattr(demo, "find_spec", lambda name: name)
    return commands


def configured(tmp_path: Path, **sip: object) -> Config:
    return Config.model_validate({"service": {"state_dir": str(tmp_path / "state")}, "sip": sip})


def secret(tmp_path: Path) -> str:
    return (tmp_path / "state" / "demo" / "agent-secret").read_text()


ADDED = [
    "queue add demo --wrap-up 2",
    "agent add demo-agent --queue demo --display Demo agent --json",
    "trunk add demo-caller --host 127.0.0.1 --port 5090 --match-port --ping 0",
]


def test_a_first_start_adds_queue_agent_and_trunk_as_an_operator_would(
    commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Demo(configured(tmp_path), None)
    assert commands.ran == ADDED
    assert capsys.readouterr().out.splitlines() == [
        f"$ hearthline {line.replace('Demo agent', shlex.quote('Demo agent'))}" for line in ADDED
    ]
    assert secret(tmp_path) == "secret2"
    assert (tmp_path / "state" / "demo" / "agent-secret").stat().st_mode & 0o777 == 0o600


def test_a_second_start_adds_nothing(commands: Commands, tmp_path: Path) -> None:
    Demo(configured(tmp_path), None)
    Demo(configured(tmp_path), None)
    assert len(commands.ran) == 3


def test_on_another_port_the_trunk_moves_and_the_agent_gets_a_new_secret(commands: Commands, tmp_path: Path) -> None:
    Demo(configured(tmp_path), None)
    Demo(configured(tmp_path, port=5100), None)
    place = "--host 127.0.0.1 --port 5110 --match-port --ping 0"
    assert commands.ran[3:] == [
        *ADDED[:2],
        "agent secret demo-agent --json",
        f"trunk add demo-caller {place}",
        f"trunk set demo-caller {place}",
    ]
    assert secret(tmp_path) == "secret6"


def test_a_lost_secret_is_made_anew(commands: Commands, tmp_path: Path) -> None:
    Demo(configured(tmp_path), None)
    (tmp_path / "state" / "demo" / "agent-secret").unlink()
    Demo(configured(tmp_path), None)
    assert secret(tmp_path) == "secret6"


def test_commands_get_the_same_configuration_and_an_address_that_is_listened_on(
    commands: Commands, tmp_path: Path
) -> None:
    Demo(configured(tmp_path, host="192.0.2.5"), Path("own.toml"))
    assert all(line.endswith(" --config own.toml") for line in commands.ran)
    assert "--host 192.0.2.5" in commands.ran[2]


def test_a_command_that_fails_prevents_the_start_and_is_tried_again_at_the_next(
    commands: Commands, tmp_path: Path
) -> None:
    commands.failing = "trunk add"
    with pytest.raises(Unavailable, match=r"`hearthline trunk add .*` failed: hearthline: unavailable: no$"):
        Demo(configured(tmp_path), None)
    commands.failing = ""
    Demo(configured(tmp_path), None)
    assert commands.ran[-1] == ADDED[2]


def test_without_the_softphone_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--demo needs the softphone: pip install 'hearthline\[softphone\]'"):
        Demo(configured(tmp_path), None)
    assert not (tmp_path / "state").exists()


def test_the_greeting_names_every_address_and_a_command_that_works_from_here(tmp_path: Path) -> None:
    config = configured(tmp_path, port=5070)
    text = greeting(config, None)
    for part in (
        "UDP 0.0.0.0:5070, TCP 0.0.0.0:5070",
        "http://127.0.0.1:8080/api/v1/status",
        f"token: {tmp_path}/state/secrets/api-token",
        "http://127.0.0.1:8080/metrics",
        f"{tmp_path}/state/log",
        "port 5070, and dial 600",
    ):
        assert part in text
    (line,) = [line.strip() for line in text.splitlines() if "agent add me" in line]
    program, _, rest = line.partition(" ")
    assert os.path.samefile(Path(program).parent, Path(sys.executable).parent)
    assert rest.startswith("agent add me --queue demo  ")
    assert "agent add me --queue demo --config own.toml  " in greeting(config, Path("own.toml"))
