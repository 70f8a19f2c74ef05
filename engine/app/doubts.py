"""What prevents no start and is hardly meant: told in the log when the engine starts."""

from __future__ import annotations

import logging
from typing import Final

from engine.app.config import Config
from engine.app.logs import note
from engine.app.sounds import music_warnings, sound_rules
from engine.app.storage import Storage
from engine.app.trunk_warnings import all_trunk_warnings
from engine.dialplan.check import name_warnings
from engine.dialplan.model import Dialplan
from engine.dialplan.playing import sound_warnings

_NAMED: Final = 10
"""Names in one log line; more are only counted."""


def tell_doubts(config: Config, dialplan: Dialplan, storage: Storage) -> None:
    """Log what prevents no start and is hardly meant."""
    rules = sound_rules(config)
    doubts = [
        *name_warnings(dialplan, storage.directory),
        *sound_warnings(dialplan, rules.library, rules.language),
        *music_warnings(storage.directory, rules),
    ]
    for warning in doubts:
        note("dialplan_warning", level=logging.WARNING, warning=warning)
    for warning in all_trunk_warnings(storage.directory, config.sip.listeners):
        note("trunk_warning", level=logging.WARNING, warning=warning)
    shut_out = storage.directory_store.agents_without_secret(config.sip.realm)
    if shut_out:
        shown = " ".join([*shut_out[:_NAMED], *(["..."] if len(shut_out) > _NAMED else [])])
        note("agents_without_secret", level=logging.WARNING, realm=config.sip.realm, agents=len(shut_out), names=shown)
