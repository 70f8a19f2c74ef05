"""Many packets in one system call: sending from any port by a raw socket, receiving what waits in one socket.

A far end that sent and read packet by packet would take more of the machine than what is measured. Root only, as is
Asterisk in its own root directory.
"""

from __future__ import annotations

import ctypes
import socket
from typing import Final

import numpy as np
from numpy.typing import NDArray

IP: Final = 20
UDP: Final = 8
_MAX: Final = 64
"""Packets taken from one socket by one call."""
_ROOM: Final = 256
_CONTROL: Final = 64
_SO_TIMESTAMPNS: Final = 35


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("len", ctypes.c_uint32))


_libc: Final = ctypes.CDLL(None, use_errno=True)
_SIZE: Final = ctypes.sizeof(_Message)


class Sender:
    """Sends row `i` of `packets` from its own port to its own peer."""

    def __init__(self, source: str, ports: list[int], peers: list[tuple[str, int]], sizes: list[int]) -> None:
        """`sizes`: octets of UDP payload of each row."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        rows = len(ports)
        self._whole = np.zeros((rows, IP + UDP + max(sizes)), np.uint8)
        self.payload = self._whole[:, IP + UDP :]
        """What each row says, to be written by the caller; rows shorter than others end before."""
        self._iovecs = (_Iovec * rows)()
        self._names = (ctypes.c_uint8 * (16 * rows))()
        made = (_Message * rows)()
        base, names = self._whole.ctypes.data, ctypes.addressof(self._names)
        for row, (port, (host, peer_port), size) in enumerate(zip(ports, peers, sizes, strict=True)):
            total = IP + UDP + size
            head = bytearray(IP + UDP)
            head[0], head[8], head[9] = 0x45, 64, socket.IPPROTO_UDP
            head[2:4] = total.to_bytes(2, "big")
            head[12:16], head[16:20] = socket.inet_aton(source), socket.inet_aton(host)
            head[20:28] = b"".join(n.to_bytes(2, "big") for n in (port, peer_port, UDP + size, 0))
            self._whole[row, : IP + UDP] = np.frombuffer(bytes(head), np.uint8)
            name = socket.AF_INET.to_bytes(2, "little") + bytes(2) + socket.inet_aton(host) + bytes(8)
            ctypes.memmove(names + 16 * row, name, 16)
            self._iovecs[row] = _Iovec(base + row * self._whole.shape[1], total)
            made[row].header = _Header(
                names + 16 * row, 16, ctypes.addressof(self._iovecs) + row * ctypes.sizeof(_Iovec), 1, None, 0, 0
            )
        self._messages = np.frombuffer(made, np.uint8).reshape(rows, _SIZE)

    def send(self, rows: NDArray[np.intp]) -> None:
        """Send these rows as they are now."""
        chosen = np.ascontiguousarray(self._messages[rows])
        done = 0
        while done < len(rows):
            sent = _libc.sendmmsg(
                self._socket.fileno(), ctypes.c_void_p(chosen.ctypes.data + done * _SIZE), len(rows) - done, 0
            )
            if sent < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            done += sent

    def close(self) -> None:
        self._socket.close()


class Receiver:
    """Takes in what waits in a socket, with the kernel's time of each arrival."""

    def __init__(self) -> None:
        self._room = np.zeros((_MAX, _ROOM), np.uint8)
        self._control = np.zeros((_MAX, _CONTROL), np.uint8)
        self._iovecs = (_Iovec * _MAX)()
        self._messages = (_Message * _MAX)()
        for at in range(_MAX):
            self._iovecs[at] = _Iovec(self._room.ctypes.data + at * _ROOM, _ROOM)
            self._messages[at].header = _Header(
                None,
                0,
                ctypes.addressof(self._iovecs) + at * ctypes.sizeof(_Iovec),
                1,
                self._control.ctypes.data + at * _CONTROL,
                _CONTROL,
                0,
            )
        self._lengths = np.frombuffer(self._messages, np.uint8).reshape(_MAX, _SIZE)[:, 56:60]
        self._control_lengths = np.frombuffer(self._messages, np.uint8).reshape(_MAX, _SIZE)[:, 40:48]

    def take(self, sock: socket.socket) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
        """Packets [n, 256], their sizes, and when each arrived in microseconds of the epoch."""
        self._control_lengths[:] = np.frombuffer(_CONTROL.to_bytes(8, "little"), np.uint8)
        count = _libc.recvmmsg(
            sock.fileno(), ctypes.byref(self._messages), _MAX, socket.MSG_DONTWAIT, ctypes.c_void_p(None)
        )
        count = max(0, count)
        sizes = self._lengths[:count].copy().view(np.uint32)[:, 0].astype(np.int64)
        times = self._control[:count, 16:32].copy().view(np.int64)
        return self._room[:count].copy(), sizes, times[:, 0] * 1e6 + times[:, 1] / 1e3


def far_socket(address: str, port: int, peer: tuple[str, int]) -> socket.socket:
    """A socket that keeps what comes from one peer until it is taken, for half a second and more."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    made.setblocking(False)
    made.bind((address, port))
    made.connect(peer)
    return made
