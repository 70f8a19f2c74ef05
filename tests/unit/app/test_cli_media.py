"""`hearthline media drain`; that `hearthline media` runs one is in `test_cli`."""

from __future__ import annotations

from typing import Any

import pytest

from engine.app import cli_media
from tests.support.command_line import CommandLine


def test_it_asks_the_engine_and_says_what_is_left(hearthline: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, object]] = []

    class Client:
        def post(self, path: str, body: object) -> Any:
            said.append((path, body))
            return {"legs": 2}

    monkeypatch.setattr(cli_media, "api_client", lambda _: Client())
    assert hearthline("media", "drain", "0", "--move") == (
        "media process 0 takes no new legs and ends when the 2 that it has are gone.\n"
    )
    hearthline("media", "drain", "1")
    assert said == [("/api/v1/media/0/drain", {"move": True}), ("/api/v1/media/1/drain", {"move": False})]
