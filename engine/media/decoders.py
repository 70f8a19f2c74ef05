"""From codes to samples: all rows of a codec at once, and G.722 row by row, for its decoder has a state."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import DECODE, INDEX
from engine.media.commands import Codec
from engine.media.g722 import G722Decoder
from engine.media.ring import WHOLE, heard

_G722: Final = INDEX[Codec.G722]


class Decoders:
    """The states that decoding needs, by row of the table."""

    def __init__(self) -> None:
        self._g722: dict[int, G722Decoder] = {}

    def begin(self, row: int, codec: int) -> None:
        """Another stream begins in this row."""
        if codec == _G722:
            self._g722[row] = G722Decoder()

    def end(self, row: int) -> None:
        """The row is given back."""
        self._g722.pop(row, None)

    def decode(
        self,
        codec: int,
        rows: NDArray[np.intp],
        codes: NDArray[np.uint8],
        cover: NDArray[np.uint16],
        out: NDArray[np.int16],
    ) -> None:
        """Decode one slot of each row, `codes` [rows, octets], into `out` [rows, samples]. Where `cover` [rows] says
        that nothing came, `out` is of any content: a decoder with a state is not told of it, and rests meanwhile."""
        if codec < len(DECODE):
            DECODE[codec].take(codes, out=out, mode="clip")
        elif codec != _G722:
            out[:] = codes.view(">i2")
        else:
            for at in np.flatnonzero(cover).tolist():
                decoder = self._g722[int(rows[at])]
                if cover[at] == WHOLE:
                    out[at] = decoder.decode(codes[at].tobytes())
                else:
                    part = heard(cover[at : at + 1], codes.shape[1])[0]
                    out[at].reshape(-1, 2)[part] = decoder.decode(codes[at][part].tobytes()).reshape(-1, 2)
