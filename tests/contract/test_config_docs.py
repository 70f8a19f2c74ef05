from __future__ import annotations

from pathlib import Path

from engine.app.config import load_config, reference

ROOT = Path(__file__).parents[2]


def test_the_config_reference_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "config.md").read_text() == reference(), "run: python -m engine.app.config > docs/config.md"


def test_the_example_config_is_valid_and_holds_the_defaults() -> None:
    example = load_config(ROOT / "config" / "engine.example.toml")
    default = load_config(None)
    assert example.sip == default.sip
    assert example.media == default.media
    assert example.api == default.api
    assert example.log == default.log
