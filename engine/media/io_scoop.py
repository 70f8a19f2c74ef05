"""A packet from each of many sockets, with the time that the kernel had it, in one system call (io_uring).

Each place of a tray has a socket. `RECVMSG` reads a datagram of each straight into the tray's row of that place, and
its SO_TIMESTAMPNS beside it, which costs less than to be told of packets as they come (docs/decisions/0035): what is
read right before a tick is known to the microsecond all the same.
"""

from __future__ import annotations

import platform
import socket
import struct
import sys
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.io_uring import DONTWAIT, SQE, Uring

_OP_RECVMSG: Final = 10
_TIMESTAMPNS: Final = 35
"""SO_TIMESTAMPNS and SCM_TIMESTAMPNS, on all machines that have 64 bits but Alpha, MIPS, PA-RISC and SPARC."""
_MACHINES: Final = ("x86_64", "aarch64", "riscv64", "ppc64le", "s390x")

_IOVEC: Final = np.dtype([("base", "u8"), ("len", "u8")])
_MSGHDR: Final = np.dtype(
    [(field, "u8") for field in ("name", "name_len", "iov", "iov_len", "control", "control_len", "flags")]
)
_CONTROL: Final = np.dtype([("len", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanos", "i8")])
_OLDEST_S: Final = 1.0
"""A packet of which the kernel says that it is older, or younger than now, has come just now: the clock was set."""


class Scoop:
    """`sweep.Scoop` on real sockets: one for each tray."""

    def __init__(self, ring: Uring, packets: NDArray[np.uint8]) -> None:
        """Datagrams are read into the rows of `packets` [places, octets]."""
        places = len(packets)
        self._ring = ring
        self._packets = packets  # the kernel knows it by its address alone
        self._control = np.zeros(places, _CONTROL)
        self._iovecs = np.zeros(places, _IOVEC)
        self._iovecs["base"] = _addresses(packets)
        self._iovecs["len"] = packets.shape[1]
        self._headers = np.zeros(places, _MSGHDR)
        self._headers["iov"], self._headers["iov_len"] = _addresses(self._iovecs), 1
        self._headers["control"] = _addresses(self._control)
        self._calls = np.zeros(places, SQE)
        self._calls["opcode"], self._calls["msg_flags"] = _OP_RECVMSG, DONTWAIT
        self._calls["addr"], self._calls["len"] = _addresses(self._headers), 1
        self._calls["user_data"] = np.arange(places)
        self._sizes = np.zeros(places, np.int64)

    def seat(self, place: int, descriptor: int) -> None:
        """The place is this socket's from now on, which is `stamped`."""
        self._calls["fd"][place] = descriptor

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """A packet of each place, if one is there, into its row: octets, or a negative errno (-EAGAIN where there is
        none), and when it came, monotonic seconds."""
        self._headers["control_len"][places] = _CONTROL.itemsize
        told = self._ring.submit(self._calls[places])
        self._sizes[told["user_data"]] = told["res"]
        stamps, now = self._control[places], time.monotonic()
        ages = time.time() - (stamps["seconds"] + stamps["nanos"] * 1e-9)
        ages[(ages < 0) | (ages > _OLDEST_S)] = 0.0
        return self._sizes[places], now - ages


def stamped(sock: socket.socket) -> None:
    """Have the kernel say of each datagram when it came."""
    sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)


def _addresses(rows: NDArray[np.generic]) -> NDArray[np.uint64]:
    return rows.ctypes.data + np.arange(len(rows), dtype=np.uint64) * np.uint64(rows.strides[0])


def can_scoop() -> bool:
    """Whether structures and numbers of this machine are as above."""
    return sys.platform == "linux" and struct.calcsize("P") == 8 and platform.machine() in _MACHINES
