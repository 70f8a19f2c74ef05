"""The commands about conferences and supervisors: what they ask of the engine, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from engine.app import cli_conference, cli_supervise
from engine.app.cli import app

MEMBER = {
    "call": "c1",
    "who": "agent:anna",
    "caller": "anna",
    "caller_display": "",
    "muted": False,
    "holding": False,
    "joined_for_s": 2.5,
}


class Asked:
    """An `ApiClient` that notes what it is asked."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.up = True

    def get(self, path: str) -> Any:
        self.said.append(("GET", path))
        return {"items": [{"name": "team", "members": [MEMBER]}]}

    def patch(self, path: str, body: object) -> Any:
        self.said.append(("PATCH", path, body))
        return {}

    def put(self, path: str, body: object) -> Any:
        self.said.append(("PUT", path, body))
        return {"up": self.up}

    def delete(self, path: str) -> None:
        self.said.append(("DELETE", path))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    for module in (cli_conference, cli_supervise):
        monkeypatch.setattr(module, "api_client", lambda _: found)
        monkeypatch.setattr(module, "load_config", lambda _: None)
    return found


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.output


def test_conferences_are_listed_by_member(asked: Asked) -> None:
    shown = run("conference", "list").split("\n")[1].split()
    assert shown == ["team", "c1", "agent:anna", "anna", "no", "no", "2.5"]
    assert '"conference": "team"' in run("conference", "list", "--json")
    assert asked.said[0] == ("GET", "/api/v1/conferences")


def test_members_are_muted_and_put_out(asked: Asked) -> None:
    path = "/api/v1/conferences/team/members/c1"
    assert run("conference", "mute", "team", "c1") == "c1 is muted\n"
    assert run("conference", "unmute", "team", "c1") == "c1 is heard again\n"
    assert run("conference", "kick", "team", "c1") == "c1 is out\n"
    assert asked.said == [("PATCH", path, {"muted": True}), ("PATCH", path, {"muted": False}), ("DELETE", path)]


@pytest.mark.parametrize("mode", ["listen", "whisper", "barge"])
def test_supervisors_are_sent_to_a_call(asked: Asked, mode: str) -> None:
    assert run(mode, "c1", "--agent", "cleo") == f"cleo: {mode} on c1\n"
    asked.up = False
    assert run(mode, "c1", "--agent", "cleo") == f"cleo's phone is called: {mode} on c1\n"
    assert asked.said == [("PUT", "/api/v1/calls/c1/supervisors/cleo", {"mode": mode})] * 2


def test_and_away(asked: Asked) -> None:
    assert run("leave-call", "c1", "--agent", "cleo") == "cleo is off c1\n"
    assert asked.said == [("DELETE", "/api/v1/calls/c1/supervisors/cleo")]
