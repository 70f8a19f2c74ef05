"""Many datagrams in one system call: a packet from each of many connected sockets, by io_uring where the kernel has it.

At every tick each leg that is played to or mixed for is sent a packet. By `send` that is a call of Python's and a call
of the kernel's for each; here the kernel is called once. It takes packets in as `send` would: the datagram has left, or
failed, when the call returns.

Where io_uring is not to be had (an older kernel, a container that forbids it, another system) every packet is written
by itself; nothing else differs.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.bundle import Fire, Volley
from engine.media.io_uring import DONTWAIT, ENTRIES, SKIP_SUCCESS, SQE, Uring

Failure = tuple[int, int]
"""Row of the packet that was not taken, and its errno."""

_OP_SEND: Final = 26


def best_volley(ring: Uring | None) -> Volley:
    """A ring's where there is one."""
    return one_by_one if ring is None else by_ring(ring)


def by_ring(ring: Uring) -> Volley:
    """What sends row `i` of `packets` [rows, octets], as it is then, from the connected socket `descriptors[i]`. Keeps
    the array, not the sockets: it must not be called once one of them is closed."""

    def volley(descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
        calls = np.zeros(len(descriptors), SQE)
        calls["opcode"], calls["flags"], calls["msg_flags"] = _OP_SEND, SKIP_SUCCESS, DONTWAIT
        calls["fd"] = descriptors
        calls["addr"] = packets.ctypes.data + np.arange(len(descriptors), dtype=np.uint64) * packets.strides[0]
        calls["len"] = packets.shape[1]
        calls["user_data"] = np.arange(len(descriptors))
        shares = [calls[at : at + ENTRIES] for at in range(0, len(calls), ENTRIES)]

        def fire(kept: NDArray[np.uint8] = packets) -> list[Failure]:
            failed: list[Failure] = []
            for share in shares:
                told = ring.submit(share)
                if len(told):
                    failed += [(int(row), -int(res)) for row, res in zip(told["user_data"], told["res"], strict=True)]
            return failed

        return fire

    return volley


def one_by_one(descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
    """As `by_ring`, by a system call for each."""
    rows = [(at, descriptor, packets[at].data) for at, descriptor in enumerate(descriptors)]

    def fire() -> list[Failure]:
        failed = []
        for at, descriptor, row in rows:
            try:
                os.write(descriptor, row)
            except OSError as error:
                failed.append((at, error.errno or errno.EIO))
        return failed

    return fire
