from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softphone.audio.ring import MAX_SQUEEZE, Ring, Samples

RATE = 16000
FRAME = 320


def numbered(start: int, count: int) -> Samples:
    """Samples that say which they are (1, 2, 3 ...), so that a lost or invented one shows."""
    return ((np.arange(start, start + count) % 30000) + 1).astype(np.int16)


def primed() -> Ring:
    ring = Ring(rate=RATE)
    ring.write(numbered(0, 2 * FRAME))
    return ring


def test_reads_zeros_until_the_target_is_reached() -> None:
    ring = Ring(rate=RATE)
    ring.write(numbered(0, FRAME))
    assert not ring.read(FRAME).any()
    assert ring.stats().underruns == 0
    ring.write(numbered(FRAME, FRAME))
    assert ring.read(FRAME).tolist() == numbered(0, FRAME).tolist()


def test_starting_trims_what_is_older_than_the_target() -> None:
    ring = Ring(rate=RATE)
    for block in range(5):
        ring.write(numbered(block * FRAME, FRAME))
    assert ring.read(FRAME).tolist() == numbered(3 * FRAME, FRAME).tolist()
    assert ring.stats().dropped == 3 * FRAME
    assert ring.stats().overruns == 0


def test_a_read_of_too_much_is_filled_with_zeros_and_counted_once() -> None:
    ring = primed()
    ring.read(FRAME)
    ring.read(FRAME)
    ring.write(numbered(2 * FRAME, 100))
    block = ring.read(FRAME)
    assert block[:100].tolist() == numbered(2 * FRAME, 100).tolist()
    assert not block[100:].any()
    stats = ring.stats()
    assert (stats.underruns, stats.zeroed) == (1, FRAME - 100)


def test_an_underrun_adds_the_margin_that_was_missing() -> None:
    ring = primed()
    for _ in range(3):
        ring.read(FRAME)  # the third finds nothing: the writer is 20 ms late
    for block in range(3):
        ring.write(numbered(block * FRAME, FRAME))
    assert ring.stats().fill == 3 * FRAME


def test_past_the_limit_the_oldest_go_half_way_to_the_target() -> None:
    ring = primed()
    ring.read(FRAME)
    for block in range(2, 7):
        ring.write(numbered(block * FRAME, FRAME))
    assert (ring.stats().fill_ms, ring.stats().overruns) == (120.0, 0)
    ring.write(numbered(7 * FRAME, FRAME))
    stats = ring.stats()
    assert (stats.fill_ms, stats.overruns, stats.dropped) == (80.0, 1, 3 * FRAME)
    assert ring.read(4 * FRAME).tolist() == numbered(4 * FRAME, 4 * FRAME).tolist()


def test_a_write_larger_than_the_ring_keeps_its_end() -> None:
    ring = Ring(rate=RATE)
    ring.write(numbered(0, 5000))
    stats = ring.stats()
    assert (stats.fill, stats.dropped) == (1280, 3720)
    assert ring.read(640).tolist() == numbered(5000 - 640, 640).tolist()


def test_clear_forgets_and_waits_for_the_target_again() -> None:
    ring = primed()
    ring.clear()
    ring.write(numbered(0, FRAME))
    assert not ring.read(FRAME).any()
    assert ring.stats().dropped == 2 * FRAME


def test_a_target_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="target"):
        Ring(rate=RATE, target_ms=200, limit_ms=120)


steps = st.lists(st.tuples(st.booleans(), st.integers(0, 900)), max_size=120)


@given(steps)
def test_no_sample_is_lost_or_invented(moves: list[tuple[bool, int]]) -> None:
    ring = Ring(rate=RATE)
    written = 0
    for is_write, count in moves:
        if is_write:
            ring.write(numbered(written, count))
            written += count
        else:
            assert len(ring.read(count)) == count
        stats = ring.stats()
        assert stats.written == written == stats.taken + stats.dropped + stats.fill
        assert stats.given == stats.taken - stats.squeezed + stats.zeroed
        assert 0 <= stats.fill <= RATE * 120 // 1000


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 99)), max_size=300))
def test_what_is_given_is_what_was_written_in_order(moves: list[tuple[bool, int]]) -> None:
    # Reads of fewer than 100 samples are never resampled, so each sample can be recognised.
    ring = Ring(rate=RATE)
    written = 0
    heard: list[int] = []
    for is_write, count in moves:
        if is_write:
            ring.write(numbered(written, count))
            written += count
        else:
            heard += [int(sample) for sample in ring.read(count) if sample]
    assert heard == sorted(set(heard))
    assert len(heard) == ring.stats().taken
    assert not heard or heard[-1] <= written


def two_clocks(ppm: float, seconds: float) -> tuple[Ring, list[Samples]]:
    """A writer whose clock is `ppm` fast, a reader whose clock is right, 20 ms blocks of a 440 Hz sine each."""
    ring = Ring(rate=RATE)
    heard: list[Samples] = []
    written = 0
    period = 0.02 / (1 + ppm / 1e6)
    next_write, next_read = 0.005, 0.0
    while next_read < seconds:
        if next_write <= next_read:
            phase = 2 * np.pi * 440 / RATE * np.arange(written, written + FRAME)
            ring.write(np.rint(10000 * np.sin(phase)).astype(np.int16))
            written += FRAME
            next_write += period
        else:
            heard.append(ring.read(FRAME))
            next_read += 0.02
    return ring, heard


@pytest.mark.parametrize("ppm", [100, -100, 3000, -3000, 5000, -5000])
def test_drifting_clocks_are_followed_without_a_glitch(ppm: float) -> None:
    ring, heard = two_clocks(ppm, 120.0)
    stats = ring.stats()
    assert (stats.underruns, stats.overruns) == (0, 0)
    assert 0 <= stats.fill_ms <= 80
    sound = np.concatenate(heard[10:]).astype(np.float64)
    # A dropped block or a hole jumps by far more than the steepest place of the sine.
    steepest = 10000 * 2 * np.pi * 440 / RATE
    assert np.abs(np.diff(sound)).max() < 1.05 * steepest


def test_without_drift_nothing_is_resampled() -> None:
    ring, _ = two_clocks(0, 60.0)
    assert ring.stats().squeezed == 0


def test_a_card_that_delivers_three_blocks_at_a_time_is_not_bent_into_underruns() -> None:
    ring = Ring(rate=RATE)
    for tick in range(3000):
        if tick % 3 == 0:
            for block in range(3):
                ring.write(numbered((tick + block) * FRAME, FRAME))
        ring.read(FRAME)
        if tick == 1000:
            settled = ring.stats()
    stats = ring.stats()
    assert (stats.underruns, stats.overruns) == (settled.underruns, settled.overruns)
    assert stats.squeezed == settled.squeezed


def test_delay_that_nobody_needs_is_taken_back_after_a_while() -> None:
    ring = primed()
    ring.write(numbered(0, 3 * FRAME))
    fills = []
    for _ in range(1500):
        ring.write(numbered(0, FRAME))
        ring.read(FRAME)
        fills.append(ring.stats().fill_ms)
    assert fills[200] == fills[0]  # not for every passing jitter
    assert 12 <= fills[-1] <= 28
    assert (ring.stats().underruns, ring.stats().overruns) == (0, 0)


@pytest.mark.parametrize("size", [FRAME - 6, FRAME + 6])
def test_bending_does_not_change_a_steady_level(size: int) -> None:
    ring = Ring(rate=RATE)
    for _ in range(3):
        ring.write(np.full(FRAME, 20000, dtype=np.int16))
    heard = []
    while ring.stats().squeezed == 0:
        ring.write(np.full(size, 20000, dtype=np.int16))
        heard.append(ring.read(FRAME))
    assert ring.stats().zeroed == 0
    assert set(np.concatenate(heard).tolist()) == {20000}


def test_a_read_is_bent_by_two_samples_at_most() -> None:
    ring = primed()
    for block in range(400):
        before = ring.stats()
        ring.write(numbered(0, FRAME + 6 if block < 200 else FRAME - 6))
        ring.read(FRAME)
        after = ring.stats()
        if after.underruns == before.underruns and after.overruns == before.overruns:
            assert abs((after.taken - before.taken) - FRAME) <= MAX_SQUEEZE
    assert ring.stats().squeezed != 0
