"""io_uring where the kernel has it: many system calls as one, each of which is done when the call returns.

The submission queue is filled by one copy of an array, and the kernel is called once. Every entry here is one that
never waits (MSG_DONTWAIT), so that all are done, or have failed, at the end of the call.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import mmap
import os
import platform
import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.log_format import pairs

log = logging.getLogger(__name__)

_SETUP: Final = 425
_ENTER: Final = 426
"""The same numbers on every machine but Alpha."""
SKIP_SUCCESS: Final = 1 << 6
"""Only what failed is told of (IOSQE_CQE_SKIP_SUCCESS, Linux 5.17)."""
_FEATURES: Final = (1 << 0) | (1 << 11)
"""Both rings in one mapping, and SKIP_SUCCESS."""
_SQES_AT: Final = 0x10000000
DONTWAIT: Final = 0x40
ENTRIES: Final = 256

SQE: Final = np.dtype(
    [
        ("opcode", "u1"),
        ("flags", "u1"),
        ("ioprio", "u2"),
        ("fd", "i4"),
        ("off", "u8"),
        ("addr", "u8"),
        ("len", "u4"),
        ("msg_flags", "u4"),
        ("user_data", "u8"),
        ("rest", "u8", 3),
    ]
)
CQE: Final = np.dtype([("user_data", "u8"), ("res", "i4"), ("flags", "u4")])


class _Params(ctypes.Structure):
    """`struct io_uring_params`."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("sq_entries", "cq_entries", "flags", "thread_cpu", "thread_idle")),
        *((name, ctypes.c_uint32) for name in ("features", "wq_fd")),
        ("rest", ctypes.c_uint32 * 3),
        ("sq_off", ctypes.c_uint32 * 10),
        ("cq_off", ctypes.c_uint32 * 10),
    )


class Uring:
    """A submission queue. Used by one thread only."""

    def __init__(self) -> None:
        """Raises OSError where the kernel has none for us."""
        if sys.platform != "linux" or platform.machine() == "alpha":
            raise OSError(errno.ENOSYS, "no io_uring here")
        self._libc = ctypes.CDLL(None, use_errno=True)
        params = _Params()
        self._fd = self._syscall(_SETUP, ENTRIES, ctypes.byref(params))
        if params.features & _FEATURES != _FEATURES:
            os.close(self._fd)
            raise OSError(errno.ENOSYS, "io_uring is too old here")
        self._entries = int(params.sq_entries)
        self._mask = self._entries - 1
        sq, cq = params.sq_off, params.cq_off
        size = max(sq[6] + 4 * self._entries, cq[5] + CQE.itemsize * params.cq_entries)
        self._rings = mmap.mmap(self._fd, size)
        self._queue = mmap.mmap(self._fd, SQE.itemsize * self._entries, offset=_SQES_AT)
        words = np.frombuffer(self._rings, np.uint32, size // 4)
        words[sq[6] // 4 : sq[6] // 4 + self._entries] = np.arange(self._entries)
        self._sq_head, self._sq_tail = words[sq[0] // 4 :][:1], words[sq[1] // 4 :][:1]
        self._cq_head, self._cq_tail = words[cq[0] // 4 :][:1], words[cq[1] // 4 :][:1]
        self._cq_mask = int(params.cq_entries) - 1
        self._told = np.frombuffer(self._rings, CQE, params.cq_entries, cq[5])
        self._sqes = np.frombuffer(self._queue, SQE, self._entries)
        self._tail = int(self._sq_tail[0])

    def _syscall(self, number: int, *arguments: object) -> int:
        self._libc.syscall.restype = ctypes.c_long
        result = int(self._libc.syscall(ctypes.c_long(number), *arguments))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def submit(self, calls: NDArray[np.void]) -> NDArray[np.void]:
        """Have at most ENTRIES calls (of SQE) done; what is told of them (of CQE), in any order. A call that was not
        taken in, for want of memory, fails with ENOBUFS."""
        at = self._tail & self._mask
        first = min(len(calls), self._entries - at)
        self._sqes[at : at + first] = calls[:first]
        self._sqes[: len(calls) - first] = calls[first:]
        # No fence: the kernel reads the queue within the call, on this very thread.
        self._tail = self._tail + len(calls) & 0xFFFFFFFF
        self._sq_tail[0] = self._tail
        left = self._enter(len(calls))
        head, tail = int(self._cq_head[0]), int(self._cq_tail[0])
        if head == tail and not left:
            return _NONE
        told: NDArray[np.void] = self._told[(head + np.arange(tail - head & 0xFFFFFFFF)) & self._cq_mask]
        self._cq_head[0] = tail
        return np.concatenate((told, _withdrawn(calls[len(calls) - left :]))) if left else told

    def _enter(self, count: int) -> int:
        """Have so many taken in; how many were not, for want of memory, and are withdrawn."""
        while count:
            try:
                count -= self._syscall(_ENTER, self._fd, count, 0, 0, None, 0)
            except InterruptedError:
                continue
            except OSError:
                self._tail = int(self._sq_head[0])
                self._sq_tail[0] = self._tail
                return count
        return 0

    def close(self) -> None:
        """Give the queue back to the kernel; nothing may be submitted any more."""
        os.close(self._fd)


_NONE: Final = np.zeros(0, CQE)


def _withdrawn(calls: NDArray[np.void]) -> NDArray[np.void]:
    told = np.zeros(len(calls), CQE)
    told["user_data"], told["res"] = calls["user_data"], -errno.ENOBUFS
    return told


def uring() -> Uring | None:
    """One where the kernel has it for us; the log says where it has not."""
    try:
        return Uring()
    except OSError as error:
        log.info("no_io_uring", extra=pairs(reason=error.strerror, detail="packets are sent and read one by one"))
        return None
