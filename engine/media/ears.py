"""The legs in whose sound keys are looked for: those whose peers have no telephone-event and were said to be `inband`.

Each has a row in the table, whether the mixer listens to it or not; all rows of one rate are heard at once, right after
they were read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FORMS, FRAME, RATE, WIDE_RATE
from engine.media.inband import InbandDetector, Toned
from engine.media.leg import Leg
from engine.media.table import Reading


class _Heard(NamedTuple):
    """Rows of one reading that are listened to."""

    detector: InbandDetector
    sound: NDArray[np.int16]
    places: NDArray[np.intp]
    """In `sound`."""
    slots: NDArray[np.intp]
    """Of the detector, in the same order."""


class Ears:
    """See the module. Falsy while nobody is listened to."""

    def __init__(self) -> None:
        self._detectors = {RATE: InbandDetector(RATE), WIDE_RATE: InbandDetector(WIDE_RATE)}
        self._slots: dict[Leg, tuple[InbandDetector, int]] = {}
        self._legs: dict[tuple[InbandDetector, int], Leg] = {}
        self._heard: list[_Heard] = []

    def __bool__(self) -> bool:
        return bool(self._slots)

    def listen(self, leg: Leg) -> bool:
        """Look for keys in the leg's sound from now on; it has a row. Whether that is new."""
        known = leg in self._slots
        if not known:
            detector = self._detectors[RATE if FORMS[leg.codec].samples == FRAME else WIDE_RATE]
            place = self._slots[leg] = detector, detector.add()
            self._legs[place] = leg
        return not known

    def forget(self, leg: Leg) -> bool:
        """No longer; whether it was listened to."""
        place = self._slots.pop(leg, None)
        if place is None:
            return False
        del self._legs[place]
        place[0].remove(place[1])
        self._heard = [each for each in self._heard if each.detector is not place[0]] if self._slots else []
        return True

    @property
    def legs(self) -> Iterable[Leg]:
        """Whose sound must be read, whoever else hears it."""
        return self._slots

    def lay_out(self, readings: Iterable[Reading]) -> None:
        """Where the rows' sound is from now on."""
        places = {leg.row: place for leg, place in self._slots.items()}
        self._heard = []
        for reading in readings:
            found = [(at, places[row]) for at, row in enumerate(reading.rows.tolist()) if row in places]
            if found:
                detector = found[0][1][0]
                at = np.array([at for at, _ in found], np.intp)
                slots = np.array([slot for _, (_, slot) in found], np.intp)
                self._heard.append(_Heard(detector, reading.out, at, slots))

    def hear(self) -> list[tuple[Leg, Toned]]:
        """What began and ended in the 20 ms that were just read."""
        return [
            (leg, toned)
            for each in self._heard
            for toned in each.detector.hear(each.slots, each.sound[each.places])
            if (leg := self._legs.get((each.detector, toned.slot))) is not None
        ]
