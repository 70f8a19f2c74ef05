"""How long sound waits in the jitter buffer, and how much of it comes too late: numbers, in virtual time."""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.media.codecs import FRAME
from engine.media.commands import Codec
from tests.support.jitter_rig import Packet, Rig, stream

LEAST = 1000
"""So that what is made up and fades is never constant."""


def numbered(count: int, **options: float) -> list[Packet]:
    """Packets whose sound is LEAST and their number: constant, so that every frame can be told."""
    sound = np.repeat(LEAST + np.arange(1, count + 1), FRAME).astype(np.int16)
    return stream(sound, **options)  # type: ignore[arg-type]


def played_at(rig: Rig, ticks: int) -> dict[int, int]:
    """Tick in which the middle of each numbered frame is played."""
    found: dict[int, int] = {}
    for tick in range(ticks):
        found.setdefault(int(rig.tick()[FRAME // 2]) - LEAST, tick)
    return found


def waits_ms(sent: list[Packet], found: dict[int, int]) -> NDArray[np.float64]:
    """From the time of sending of each packet that was played."""
    return np.array([(found[n + 1] * FRAME - packet.at) / 8 for n, packet in enumerate(sent) if n + 1 in found])


def test_steady_senders_wait_for_one_tick_and_no_longer() -> None:
    waits = []
    for phase in range(0, FRAME, 5):
        rig, sent = Rig(), numbered(150, first=phase)
        rig.send(*sent)
        waits.append(waits_ms(sent, played_at(rig, 155)))
        assert rig.table.late(rig.row) == 0
        assert rig.table.depth_ms(rig.row) == pytest.approx(np.mean(waits[-1]), abs=1)
    assert np.percentile(waits, 99) < 22.5
    assert np.min(waits) >= 2
    assert np.mean(waits) < 13


@pytest.mark.parametrize("jitter_ms", [3, 20, 40])
def test_with_jitter_nearly_nothing_is_late_and_it_waits_no_longer_than_needed(jitter_ms: int) -> None:
    chance = np.random.default_rng(jitter_ms)
    rig, sent = Rig(), numbered(6000)
    rig.send(*(replace(packet, at=packet.at + chance.uniform(0, jitter_ms * 8)) for packet in sent))
    found = played_at(rig, 6010)
    waits = waits_ms(sent, found)

    assert len(waits) / len(sent) > 0.995
    assert rig.table.late(rig.row) / len(sent) < 0.005
    # What jitters at most, one tick, what is kept in hand.
    assert np.percentile(waits, 99) <= min(jitter_ms + 20 + 24, 80)
    assert np.percentile(waits[3000:], 99) <= jitter_ms + 25


def test_heavy_tails_cost_a_few_packets_and_not_everybody_time() -> None:
    chance = np.random.default_rng(7)
    rig, sent = Rig(), numbered(6000)
    rig.send(*(replace(packet, at=packet.at + chance.exponential(40)) for packet in sent))
    waits = waits_ms(sent, played_at(rig, 6010))

    assert len(waits) / len(sent) > 0.995
    assert np.percentile(waits, 99) < 70


def test_depth_falls_slowly_when_the_jitter_is_over() -> None:
    chance = np.random.default_rng(3)
    rig, sent = Rig(), numbered(4000)
    rig.send(
        *(replace(packet, at=packet.at + chance.uniform(0, 480 if n < 1000 else 8)) for n, packet in enumerate(sent))
    )
    waits = waits_ms(sent, played_at(rig, 4010))

    assert np.median(waits[800:1000]) > 60
    assert np.median(waits[1100:1200]) > 60
    assert np.median(waits[-200:]) < 25
    assert rig.table.late(rig.row) < 20


@pytest.mark.parametrize(("codec", "frames"), [(Codec.L16, 0.5), (Codec.L16, 1.5), (Codec.L16_16K, 3), (Codec.PCMU, 2)])
def test_packets_of_other_lengths_are_in_time_too(codec: Codec, frames: float) -> None:
    sound = np.full(16000 * 6, 1000, np.int16)
    rig = Rig(codec)
    sent = stream(sound, codec, frames=frames, first=70)
    rig.send(*sent)
    heard = rig.play(290).astype(int)

    assert rig.table.concealed(rig.row) <= 20 * frames
    assert heard.min() > -10
    assert np.all(np.abs(heard[len(heard) // 4 : -len(heard) // 4] - 1000) < 20)
    assert rig.table.depth_ms(rig.row) < 20 * frames + 25


def test_the_ticks_of_a_machine_that_was_stopped_are_caught_up_without_a_loss() -> None:
    """Ticks that run late take with them what has come until then; the depth does not grow by it."""
    rig, sent = Rig(), numbered(900)
    rig.send(*sent)
    found = played_at(rig, 400)
    depth = rig.table.depth_ms(rig.row)
    for packet in [
        heapq.heappop(rig.waiting) for _ in range(5)
    ]:  # 100 ms of packets, read before the ticks are caught up
        rig.table.write(
            rig.row, packet.stamp, 1, memoryview(packet.payload), marker=False, arrival=rig.table.tick * FRAME + 700
        )
    found |= {number: tick + 400 for number, tick in played_at(rig, 495).items()}

    assert [n for n in range(2, 890) if n not in found] == []
    assert rig.table.depth_ms(rig.row) == pytest.approx(depth, abs=2)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from([1, 1, 1, 1, 0, 2]), st.integers(-2000, 2000)),
        min_size=50,
        max_size=150,
    ),
    st.integers(0, 0xFFFFFFFF),
)
def test_what_comes_in_time_is_played_once_and_in_order(fates: list[tuple[int, int, int]], stamp: int) -> None:
    """Loss, duplicates, delay up to 37 ms and reordering, wherever the timestamps begin."""
    sent = numbered(len(fates), stamp=stamp)
    rig = Rig()
    for packet, (delay, copies, later) in zip(sent, fates, strict=True):
        for copy in range(copies):
            rig.send(replace(packet, at=packet.at + delay + copy * abs(later)))
    frames = [rig.tick() for _ in range(len(fates) + 20)]

    said = [
        int(frame[FRAME // 2]) - LEAST for frame in frames if len(set(frame[FRAME // 2 :].tolist())) == 1 and frame[-1]
    ]
    numbers = [number for number in said if number in range(1, len(fates) + 1)]
    assert numbers == sorted(numbers)
    lost = sum(copies == 0 for _, copies, _ in fates)
    late, doubled = rig.table.late(rig.row), sum(copies == 2 for _, copies, _ in fates)
    assert rig.table.duplicates(rig.row) <= doubled
    assert len(set(numbers)) >= len(fates) - lost - late - 12


@pytest.mark.parametrize(("level", "sliding"), [(5000, range(190, 205)), (40, range(2))])
@pytest.mark.parametrize(("pace", "first"), [(1 + 200e-6, -14), (1 - 200e-6, -18)])
def test_where_it_is_quiet_the_depth_is_changed_at_once(level: int, sliding: range, pace: float, first: int) -> None:
    """Drift until the depth is another; where there is sound it takes four seconds."""
    rig = Rig()
    rig.send(*stream(np.full(FRAME * 1850, level, np.int16), first=first, pace=pace))
    busy = 0
    for _ in range(1840):
        rig.tick()
        busy += bool(rig.table._slides._place)

    assert rig.table._playouts[rig.row].shift == (1 if pace > 1 else -1)
    assert busy in sliding
    assert rig.table.concealed(rig.row) == 0
