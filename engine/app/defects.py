"""Errors of our own, met while the engine runs: survived, counted, told to the operator without filling the disk."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Final

from engine.clock import Clock

_SILENCE_S: Final = 60.0
_PLACES_BOUND: Final = 256


class Defects:
    """Logs each defect with its traceback, one at the same place at most once a minute: a stranger who has found a way
    to cause it could do so without end."""

    def __init__(self, clock: Clock, counted: Callable[[], None]) -> None:
        """`counted` is called for every one."""
        self._clock = clock
        self._counted = counted
        self._told: dict[str, float] = {}

    def met(self, defect: Exception) -> None:
        """This was raised where nothing should be."""
        self._counted()
        now = self._clock.monotonic()
        place = _place(defect)
        if now - self._told.get(place, -_SILENCE_S) < _SILENCE_S:
            return
        if len(self._told) >= _PLACES_BOUND:
            self._told.clear()
        self._told[place] = now
        logging.getLogger("hearthline").error("defect", exc_info=defect, extra={"pairs": {"place": place}})


def _place(defect: Exception) -> str:
    frames = traceback.extract_tb(defect.__traceback__, limit=-1)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "nowhere"
    return f"{type(defect).__name__}@{where}"
