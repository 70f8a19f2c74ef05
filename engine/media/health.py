"""What is watched on one leg besides its packets: how it sounds, how loud it is, whether it is heard at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.media.loudness import Loudness
from engine.media.meter import Meter
from engine.media.one_way import OneWay

if TYPE_CHECKING:
    from engine.media.events import Quality


class Health:
    """See the module. `rounds` brings it up to date, `quality` reads it."""

    __slots__ = ("concealed_ms", "discarded", "looked_at", "loudness", "meter", "one_way", "sign", "told", "told_at")

    def __init__(self) -> None:
        self.meter = Meter()
        self.loudness = Loudness()
        self.one_way = OneWay()
        self.discarded = 0
        """Packets that came too late, in rows that the leg has no longer."""
        self.concealed_ms = 0
        """Sound likewise that was made up."""
        self.told: Quality | None = None
        """The last figures that were told."""
        self.told_at = 0.0
        self.sign: tuple[object, ...] = ()
        """Of them (`quality.sign`)."""
        self.looked_at = 0.0
        """When it was last measured."""
