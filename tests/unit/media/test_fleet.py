"""Bundles of streams: what each of them sends must be what it would send by itself."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.media import fleet as fleet_module
from engine.media.bundle import Fire
from engine.media.codecs import FRAME
from engine.media.fleet import PIECE, Fleet
from engine.media.transmission import Transmission
from tests.support.media_fakes import Sent, unpack


class Kernel:
    """Takes packets, by descriptor."""

    def __init__(self) -> None:
        self.sent: dict[int, list[Sent]] = {}
        self.refuses: dict[int, int] = {}
        """Descriptor and errno."""
        self.volleys: list[int] = []
        """Size of each bundle that was sent."""

    def send(self, descriptor: int) -> Callable[[memoryview], int]:
        def one(packet: memoryview) -> int:
            if descriptor in self.refuses:
                raise OSError(self.refuses[descriptor], "refused")
            self.sent.setdefault(descriptor, []).append(unpack(packet))
            return len(packet)

        return one

    def volley(self, descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
        def fire() -> list[tuple[int, int]]:
            self.volleys.append(len(descriptors))
            failed = []
            for row, descriptor in enumerate(descriptors):
                if descriptor in self.refuses:
                    failed.append((row, self.refuses[descriptor]))
                else:
                    self.sent.setdefault(descriptor, []).append(unpack(packets[row].tobytes()))
            return failed

        return fire


def stream(kernel: Kernel, number: int, *, able: bool = True) -> Transmission:
    tx = Transmission(ssrc=0xFFFF0000 + number, seq=65530 + number % 6, stamp=0xFFFFFF00 + number)
    tx.payload_type = number % 2 * 8
    tx.send = kernel.send(number)
    tx.descriptor = number if able else -1
    return tx


def payload(value: int) -> bytes:
    return bytes([value & 0xFF]) * FRAME


def told(tx: Transmission) -> tuple[float, ...]:
    """What others ask of a stream."""
    tx.settle()
    return tx.seq, tx.stamp, tx.stamp_at, tx.packets, tx.octets, tx.refused, tx.dropped, tx.restart


def test_a_fleet_sends_in_bundles_and_leaves_who_cannot_be_bundled_alone() -> None:
    count = 2 * PIECE + 6
    kernel = Kernel()
    streams = [stream(kernel, number, able=number != 3) for number in range(count)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(number) for number in range(count)], 10.0)
    assert kernel.volleys == [PIECE, PIECE, 5]
    assert [kernel.sent[number][0].payload for number in range(count)] == [payload(number) for number in range(count)]
    assert (streams[3].bundle, streams[3].packets) == (None, 1)


def test_one_stream_needs_no_bundle_until_a_second_can_join_it() -> None:
    kernel = Kernel()
    streams = [stream(kernel, 1), stream(kernel, 2, able=False)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(1), payload(2)], 10.0)
    assert kernel.volleys == []
    streams[1].descriptor = 2
    fleet.send(streams, [payload(3), payload(4)], 10.02)
    assert kernel.volleys == [2]
    assert [sent.seq for sent in kernel.sent[2]] == [65533, 65534]


def test_who_leaves_is_sent_nothing_more_and_the_others_go_on() -> None:
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(3)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(0)] * 3, 10.0)
    streams[1].leave()
    assert (streams[1].bundle, streams[1].packets, streams[1].octets) == (None, 1, FRAME)
    fleet.send([streams[0], streams[2]], [payload(1)] * 2, 10.02)
    assert {number: len(sent) for number, sent in kernel.sent.items()} == {0: 2, 1: 1, 2: 2}
    assert [sent.stamp for sent in kernel.sent[2]] == [0xFFFFFF02 + FRAME, (0xFFFFFF02 + 2 * FRAME) & 0xFFFFFFFF]


def test_a_broken_bundle_is_never_sent() -> None:
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(3)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(0)] * 3, 10.0)
    bundle = streams[0].bundle
    streams[0].leave()
    assert bundle is not None
    with pytest.raises(AssertionError):
        bundle.send(10.02)
    fleet.send(streams, [payload(0)] * 3, 10.02)
    assert [len(kernel.sent[number]) for number in range(3)] == [2, 2, 2]
    assert streams[0].bundle is not bundle


def test_a_stream_goes_from_one_fleet_to_another() -> None:
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(4)]
    one, other = Fleet(kernel.volley), Fleet(kernel.volley)
    one.send(streams, [payload(0)] * 4, 10.0)
    other.send(streams[:2], [payload(1)] * 2, 10.02)
    one.send(streams[2:], [payload(2)] * 2, 10.02)
    assert [[sent.payload[0] for sent in kernel.sent[number]] for number in range(4)] == [
        [0, 1],
        [0, 1],
        [0, 2],
        [0, 2],
    ]


def test_a_fleet_that_is_disbanded_leaves_nobody_in_a_bundle() -> None:
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(3)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(0)] * 3, 10.0)
    fleet.disband()
    assert [tx.bundle for tx in streams] == [None] * 3
    assert [tx.packets for tx in streams] == [1] * 3


def test_a_talkspurt_begins_with_a_marker_and_a_stamp_that_tells_how_long_it_was_silent() -> None:
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(2)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(0)] * 2, 10.0)
    for tx in streams:
        tx.leave()
    streams[1].restart = True
    fleet.send(streams, [payload(0)] * 2, 13.0, 2 * FRAME)
    fleet.send(streams, [payload(0)] * 2, 13.02)
    assert [sent.marker for sent in kernel.sent[0]] == [True, False, False]
    assert [sent.marker for sent in kernel.sent[1]] == [True, True, False]
    first, second, third = (sent.stamp for sent in kernel.sent[0])
    assert ((second - first) & 0xFFFFFFFF, third - second) == (2 * FRAME, FRAME)
    first, second, third = (sent.stamp for sent in kernel.sent[1])
    assert ((second - first) & 0xFFFFFFFF, third - second) == (24000, FRAME)
    assert [sent.payload_type for sent in kernel.sent[1]] == [8] * 3


def test_what_the_kernel_refuses_is_counted_as_that_and_not_as_sent() -> None:
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(3)]
    fleet = Fleet(kernel.volley)
    kernel.refuses = {0: errno.ECONNREFUSED, 1: errno.EAGAIN}
    for turn in range(3):
        fleet.send(streams, [payload(0)] * 3, 10.0 + 0.02 * turn)
    kernel.refuses = {}
    fleet.send(streams, [payload(0)] * 3, 10.06)
    for tx in streams:
        tx.settle()
    assert [(tx.packets, tx.octets, tx.refused, tx.dropped) for tx in streams] == [
        (1, 160, 3, 0),
        (1, 160, 0, 3),
        (4, 640, 0, 0),
    ]
    assert kernel.sent[0][0].seq == (streams[0].seq)


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 9), min_size=1),
            st.sampled_from(["", "leave", "restart", "refuse"]),
            st.integers(0, 9),
        ),
        max_size=30,
    )
)
def test_bundled_or_not_the_far_ends_see_the_same(turns: list[tuple[set[int], str, int]]) -> None:
    """Whoever comes and goes, and whatever the kernel refuses."""
    seen = []
    for able in (True, False):
        kernel = Kernel()
        streams = [stream(kernel, number, able=able) for number in range(10)]
        fleet = Fleet(kernel.volley)
        before: set[int] = set()
        chosen: list[Transmission] = []
        for turn, (wanted, what, which) in enumerate(turns):
            if what == "leave":
                streams[which].leave()
            elif what == "restart":
                streams[which].leave()
                streams[which].restart = True
            kernel.refuses = {which: errno.ECONNREFUSED} if what == "refuse" else {}
            if wanted != before:
                before, chosen = wanted, [streams[number] for number in sorted(wanted)]
            for number in set(range(10)) - wanted:
                streams[number].leave()
            fleet.send(chosen, [payload(turn + number) for number in sorted(wanted)], 10 + 0.02 * turn)
        seen.append((kernel.sent, [told(tx) for tx in streams]))
    assert seen[0] == seen[1]


def test_of_many_bundles_only_that_which_somebody_left_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "PIECE", 4)
    kernel = Kernel()
    streams = [stream(kernel, number) for number in range(12)]
    fleet = Fleet(kernel.volley)
    fleet.send(streams, [payload(0)] * 12, 10.0)
    bundles = [tx.bundle for tx in streams]
    streams[5].leave()
    rest = [tx for tx in streams if tx is not streams[5]]
    fleet.send(rest, [payload(1)] * 11, 10.02)
    assert [tx.bundle is was for tx, was in zip(streams, bundles, strict=True)] == [True] * 4 + [False] * 4 + [True] * 4
    assert kernel.volleys == [4, 4, 4, 4, 4, 3]
