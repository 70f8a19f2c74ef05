from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.media.codecs import DECODE, FRAME, SILENCE
from engine.media.jitter import DEPTH, SLOTS
from engine.media.table import Table

LOUD = 0x80
LOUD_SAMPLE = int(DECODE[0, LOUD])


def play(table: Table, *rows: int, codec: int = 0) -> np.ndarray:
    out = np.zeros((len(rows), FRAME), np.int16)
    table.read([(codec, np.array(rows, np.intp))], out)
    table.tick += 1
    return out


def test_a_packet_is_played_once_after_the_depth() -> None:
    table = Table()
    row = table.add(0)
    table.write(row, 5000, 1, memoryview(bytes([LOUD]) * FRAME), marker=False)

    played = [bool(play(table, row).any()) for _ in range(SLOTS + DEPTH + 2)]

    assert played == [tick == DEPTH for tick in range(SLOTS + DEPTH + 2)]


def test_rows_do_not_hear_each_other() -> None:
    table = Table()
    one, other = table.add(0), table.add(0)
    table.write(one, 0, 1, memoryview(bytes([LOUD]) * FRAME), marker=False)
    table.tick += DEPTH

    heard = play(table, other, one)

    assert not heard[0].any()
    assert np.all(heard[1] == LOUD_SAMPLE)


@given(st.lists(st.sampled_from([80, 160, 240, 320, 480]), min_size=1, max_size=30))
def test_packets_of_any_length_come_out_in_one_piece(sizes: list[int]) -> None:
    table = Table()
    row = table.add(0)
    total, stamp, heard, owed = sum(sizes), 1000, [], 0
    for size in sizes:
        table.write(row, stamp, 1, memoryview(bytes([LOUD]) * size), marker=False)
        stamp += size
        owed += size
        while owed >= FRAME:
            owed -= FRAME
            heard.append(play(table, row)[0])
    heard += [play(table, row)[0] for _ in range(DEPTH + 2)]

    loud = np.flatnonzero(np.concatenate(heard))
    assert len(loud) == total
    assert loud[-1] - loud[0] == total - 1


def test_a_row_that_is_given_back_is_silent_for_its_next_owner() -> None:
    table = Table()
    row = table.add(0)
    table.write(row, 0, 1, memoryview(bytes([LOUD]) * FRAME), marker=False)
    table.remove(row)
    again = table.add(1)

    assert again == row
    assert np.all(table.ring[again] == SILENCE[1])
    assert table.codec(again) == 1


def test_grows_and_keeps_what_is_waiting() -> None:
    table = Table()
    rows = [table.add(0) for _ in range(16)]
    table.write(rows[3], 0, 1, memoryview(bytes([LOUD]) * FRAME), marker=False)
    rows.append(table.add(0))
    table.write(rows[16], 0, 1, memoryview(bytes([LOUD]) * FRAME), marker=False)
    table.tick += DEPTH

    heard = play(table, *rows)

    assert [int(row) for row in np.flatnonzero(heard.any(axis=1))] == [3, 16]
    assert table.rows == 17


def test_hush_makes_slots_silent_that_were_never_played() -> None:
    table = Table()
    row = table.add(0)
    table.write(row, 0, 1, memoryview(bytes([LOUD]) * FRAME), marker=False)
    table.hush(range(DEPTH + 1))
    table.tick = SLOTS + DEPTH

    assert not play(table, row).any()


def test_a_packet_too_long_for_the_ring_is_dropped() -> None:
    table = Table()
    row = table.add(0)
    table.write(row, 0, 1, memoryview(bytes([LOUD]) * 1280), marker=False)

    assert not any(play(table, row).any() for _ in range(SLOTS))


def test_a_talkspurt_after_silence_lays_the_clock_anew() -> None:
    table = Table()
    row = table.add(0)
    voice = memoryview(bytes([LOUD]) * FRAME)
    table.write(row, 0, 1, voice, marker=False)
    for _ in range(10):
        play(table, row)
    # The sender's clock has run slow: its stamps say 9 frames later, ours 10.
    table.write(row, 9 * 160, 1, voice, marker=True)

    assert [bool(play(table, row).any()) for _ in range(4)] == [False, False, True, False]
