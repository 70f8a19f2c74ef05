"""Which dialplan this configuration means."""

from __future__ import annotations

from pathlib import Path

from engine.app.config import Config
from engine.app.share import shared_file
from engine.dialplan.load import load_dialplan
from engine.dialplan.model import Dialplan


def configured_dialplan(config: Config) -> Dialplan:
    """The configured dialplan, or the one of the demo. Raises ConfigError."""
    return load_dialplan(Path(config.dialplan.file) if config.dialplan.file else shared_file("dialplans/demo.toml"))
