"""G.711 in the law that was not agreed.

An answer may name both laws, and then its author may send either, from one packet to the next (RFC 3264 7); some
gateways change over without a word when the call behind them does. Numbers 0 and 8 mean one law each (RFC 3551 6), so
such a packet is not lost: its codes are taken for those of the agreed law that are nearest.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.media.codecs import decode, encode
from engine.media.commands import Codec

_EVERY_CODE: Final = np.arange(256, dtype=np.uint8)


def _codes(of: Codec, by: Codec) -> bytes:
    """For each code of one law, that of the other."""
    return encode(decode(_EVERY_CODE, of), by).tobytes()


_OTHERS: Final = {
    (Codec.PCMU, 8): _codes(Codec.PCMA, Codec.PCMU),
    (Codec.PCMA, 0): _codes(Codec.PCMU, Codec.PCMA),
}


def is_other_law(codec: Codec, number: int) -> bool:
    """Whether packets with this payload number are G.711 by the law that is not `codec`."""
    return (codec, number) in _OTHERS


def to_agreed_law(codec: Codec, number: int, payload: memoryview) -> None:
    """Change, in place, what came with this number into `codec`; see `is_other_law`."""
    payload[:] = bytes(payload).translate(_OTHERS[codec, number])
