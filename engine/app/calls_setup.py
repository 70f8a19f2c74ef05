"""The machine's configuration in the words of the calls layer."""

from __future__ import annotations

from collections.abc import Callable

from engine.app.config import Config
from engine.app.recording_setup import recording_rules
from engine.app.sounds import hold_music, sound_rules
from engine.calls.config import CallsConfig


def calls_config(config: Config, wall: Callable[[], float] | None) -> CallsConfig:
    """`wall`: seconds since the epoch; None: the machine's. Raises ConfigError for a key of recordings that cannot be
    had."""
    return CallsConfig(
        hold_music=hold_music(config),
        sounds=sound_rules(config),
        auto_answer=config.sip.auto_answer,
        recording=recording_rules(config, wall),
    )
