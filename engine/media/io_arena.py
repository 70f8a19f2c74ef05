"""One heap for all threads of a process.

The C library gives each thread that allocates while another does an arena of its own, up to eight a core, and none of
them is ever given back (mallopt(3), M_ARENA_MAX). Threads that write recordings would so let a media process grow for
hours, by what each happened to hold at its worst. Python's threads wait for each other anyway.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8


def share_one_heap() -> bool:
    """Have the threads that begin from now on share one heap; false where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, 1))
