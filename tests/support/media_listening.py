"""What the far ends of a media process heard."""

from __future__ import annotations

import numpy as np

from engine.media.codecs import decode
from engine.media.commands import Codec
from engine.media.events import Latched
from tests.support.media_plane import Control, FarEnd, Packet
from tests.support.tones import Audio


def audio(packets: list[Packet], codec: Codec = Codec.PCMU) -> Audio:
    codes = np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8)
    return Audio(rate=8000, samples=decode(codes, codec).astype(float) / 32768)


def latch(control: Control, end: FarEnd, leg: str) -> None:
    """Speak once, and let that packet go by."""
    end.speak()
    control.wait(Latched, where=lambda event: event.leg == leg)
    control.settle()
    end.hear()
