"""Moves audio frames in and out of the SIP stack's byte vectors fast enough for a 20 ms clock.

The binding shows a C++ `std::vector<unsigned char>` only element by element: 0.6 ms a frame under the interpreter
lock. Its memory begins with the pointers {begin, end, end of capacity} in the C++ libraries of GCC, Clang and (release)
MSVC, so a frame can be copied whole in 2 us. `fast_path_works` looks before anyone trusts that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from softphone.audio.ring import Samples

BYTES_PER_SAMPLE: Final = 2
_POINTERS: Final = ctypes.c_void_p * 3


def fast_path_works(make_vector: Callable[[bytes], Any]) -> bool:
    """Say whether a vector's memory is laid out as expected, without following a pointer that is not plausible."""
    pattern = bytes(range(1, 201))
    vector = make_vector(pattern)
    begin, end, capacity = _POINTERS.from_address(int(vector.this))
    if not begin or not end or not capacity or end - begin != len(pattern) or capacity < end:
        return False
    return ctypes.string_at(begin, len(pattern)) == pattern


class FrameBuffer:
    """Fills outgoing frames and reads incoming ones; one per audio port, used by the audio thread only."""

    def __init__(self, make_vector: Callable[[bytes], Any], *, samples: int, fast: bool) -> None:
        """`make_vector` makes the binding's ByteVector; `fast` is the verdict of `fast_path_works`."""
        self._make_vector = make_vector
        self._fast = fast
        self._bytes = samples * BYTES_PER_SAMPLE
        self._vector = make_vector(bytes(self._bytes))

    def fill(self, frame: Any, samples: Samples) -> None:
        """Put one frame of samples into `frame`."""
        data = np.ascontiguousarray(samples, dtype="<i2")
        if self._fast:
            ctypes.memmove(_begin(self._vector), data.ctypes.data, self._bytes)
            frame.buf = self._vector
        else:
            frame.buf = self._make_vector(data.tobytes())
        frame.size = self._bytes

    def read(self, frame: Any) -> Samples | None:
        """Return the samples of `frame`, or None if it carries none."""
        vector = frame.buf
        size = min(int(frame.size), vector.size())
        if size != self._bytes:
            return None
        data = ctypes.string_at(_begin(vector), size) if self._fast else bytes(vector)[:size]
        return np.frombuffer(data, dtype="<i2")


def _begin(vector: Any) -> int:
    return int(ctypes.c_void_p.from_address(int(vector.this)).value or 0)
