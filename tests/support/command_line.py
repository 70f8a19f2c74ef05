"""`hearthline` inside the test's own process, which is a second faster than a new one."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.app.cli import run_command_line


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands with one configuration."""

    def __init__(self, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setenv("HEARTHLINE_CONFIG", str(config))

    def __call__(self, *words: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.run(*words)
        assert (done.status, done.err) == (0, ""), done
        return done.out

    def json(self, *words: str) -> Any:
        """Run it with --json; what it printed, parsed."""
        return json.loads(self(*words, "--json"))

    def fails(self, *words: str) -> str:
        """Run a command that must end with one line on stderr and status 1; the line, without "hearthline: "."""
        done = self.run(*words)
        assert (done.status, done.out) == (1, ""), done
        (line,) = done.err.splitlines()
        assert line.startswith("hearthline: ")
        return line.removeprefix("hearthline: ")

    def run(self, *words: str) -> Done:
        self._monkeypatch.setattr(sys, "argv", ["hearthline", *words])
        self._capsys.readouterr()
        status = run_command_line()
        shown = self._capsys.readouterr()
        return Done(status, shown.out, shown.err)
