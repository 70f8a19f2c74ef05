from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.media.codecs import DECODE, FORMS, FRAME, INDEX, WIDE_FRAME, encode
from engine.media.commands import Codec
from engine.media.conceal import BLEND, SILENT
from engine.media.g722 import DELAY, G722Decoder, G722Encoder
from engine.media.ring import SLOTS
from engine.media.table import Reading, Table

DEPTH = 1
"""Ticks after which a packet is played that comes when one is due: the next one but that."""

LOUD = 0x80
LOUD_SAMPLE = int(DECODE[0, LOUD])


def play(table: Table, *rows: int, codec: Codec = Codec.PCMU) -> np.ndarray:
    out = np.ones((len(rows), FORMS[codec].samples), np.int16)
    table.read([Reading(codec=INDEX[codec], rows=np.array(rows, np.intp), out=out)])
    return out


def put(table: Table, row: int, stamp: int, payload: memoryview, *, ssrc: int = 1, marker: bool = False) -> None:
    """A packet comes just before the next tick is due."""
    table.write(row, stamp, ssrc, payload, marker, table.tick * FRAME)


def test_a_packet_is_played_once_and_then_fades() -> None:
    table = Table()
    row = table.add(0)
    put(table, row, 5000, memoryview(bytes([LOUD]) * FRAME))

    heard = np.concatenate([play(table, row)[0] for _ in range(SLOTS + DEPTH + 2)])

    assert not heard[: DEPTH * FRAME].any()
    assert np.all(heard[DEPTH * FRAME + BLEND : (DEPTH + 1) * FRAME] == LOUD_SAMPLE)
    assert not heard[(DEPTH + 1) * FRAME + SILENT :].any()


def test_rows_do_not_hear_each_other() -> None:
    table = Table()
    one, other = table.add(0), table.add(0)
    put(table, one, 0, memoryview(bytes([LOUD]) * FRAME))
    table.tick += DEPTH

    heard = play(table, other, one)

    assert not heard[0].any()
    assert np.all(heard[1, BLEND:] == LOUD_SAMPLE)


@given(st.lists(st.sampled_from([80, 160, 240, 320, 480]), min_size=1, max_size=30))
def test_packets_of_any_length_come_out_in_one_piece(sizes: list[int]) -> None:
    table = Table()
    row = table.add(0)
    total, stamp, heard, owed = sum(sizes), 1000, [], 0
    for size in sizes:
        put(table, row, stamp, memoryview(bytes([LOUD]) * size))
        stamp += size
        owed += size
        while owed >= FRAME:
            owed -= FRAME
            heard.append(play(table, row)[0])
    heard += [play(table, row)[0] for _ in range(DEPTH + 2)]

    sound = np.concatenate(heard)
    assert not sound[: DEPTH * FRAME].any()
    assert np.all(sound[DEPTH * FRAME + BLEND : DEPTH * FRAME + total] == LOUD_SAMPLE)
    assert table.concealed(row) * 8 == len(sound) - DEPTH * FRAME - total


def test_a_row_that_is_given_back_is_silent_for_its_next_owner() -> None:
    table = Table()
    row = table.add(0)
    put(table, row, 0, memoryview(bytes([LOUD]) * FRAME))
    table.remove(row)
    again = table.add(1)

    assert again == row
    assert not any(play(table, again, codec=Codec.PCMA).any() for _ in range(SLOTS))
    assert table.codec(again) == 1


def test_grows_and_keeps_what_is_waiting() -> None:
    table = Table()
    rows = [table.add(0) for _ in range(16)]
    put(table, rows[3], 0, memoryview(bytes([LOUD]) * FRAME))
    rows.append(table.add(0))
    put(table, rows[16], 0, memoryview(bytes([LOUD]) * FRAME))
    table.tick += DEPTH

    heard = play(table, *rows)

    assert [int(row) for row in np.flatnonzero(heard.any(axis=1))] == [3, 16]
    assert table.rows == 17


def test_hush_makes_slots_silent_that_were_never_played() -> None:
    table = Table()
    row = table.add(0)
    put(table, row, 0, memoryview(bytes([LOUD]) * FRAME))
    table.hush(range(DEPTH + 1))
    table.tick = SLOTS + DEPTH

    assert not play(table, row).any()


def test_a_packet_too_long_for_the_ring_is_dropped() -> None:
    table = Table()
    row = table.add(0)
    put(table, row, 0, memoryview(bytes([LOUD]) * 1280))

    assert not any(play(table, row).any() for _ in range(SLOTS))


def test_a_talkspurt_after_silence_lays_the_clock_anew() -> None:
    table = Table()
    row = table.add(0)
    voice = memoryview(bytes([LOUD]) * FRAME)
    put(table, row, 0, voice)
    for _ in range(10):
        play(table, row)
    # The sender's clock has run slow: its stamps say 9 frames later, ours 10.
    put(table, row, 9 * 160, voice, marker=True)

    assert np.all(play(table, row)[0, BLEND:] == LOUD_SAMPLE)


@given(
    st.lists(st.sampled_from([80, 160, 240, 320, 480]), min_size=3, max_size=30), st.sampled_from(["L16", "L16/16000"])
)
def test_linear_samples_come_out_as_they_went_in(sizes: list[int], name: str) -> None:
    codec = Codec(name)
    form = FORMS[codec]
    table = Table()
    row = table.add(INDEX[codec])
    said = np.random.default_rng(1).integers(1, 32768, sum(sizes) * form.samples // 160).astype(np.int16)
    octets = encode(said, codec).tobytes()
    stamp, at, owed, heard = 0xFFFFFFFF - 500, 0, 0, []
    for size in sizes:
        length = size * form.octets // 160
        put(table, row, stamp & 0xFFFFFFFF, memoryview(octets[at : at + length]))
        stamp += size * form.units // 160
        at += length
        owed += size
        while owed >= FRAME:
            owed -= FRAME
            heard.append(play(table, row, codec=codec)[0])
    heard += [play(table, row, codec=codec)[0] for _ in range(DEPTH + 2)]

    loud = np.concatenate(heard)
    begin = DEPTH * form.samples
    ramp = BLEND * form.samples // FRAME
    assert np.array_equal(loud[begin + ramp :][: len(said) - ramp], said[ramp:])
    assert not loud[: DEPTH * form.samples].any()


def g722(samples: np.ndarray) -> bytes:
    return G722Encoder().encode(np.rint(samples).astype(np.int16))


def test_g722_is_decoded_row_by_row_with_a_state_of_its_own() -> None:
    table = Table()
    times = np.arange(20 * WIDE_FRAME) / 16000
    sines = [8000 * np.sin(2 * np.pi * tone * times) for tone in (1000, 5000)]
    rows = [table.add(INDEX[Codec.G722]) for _ in sines]
    heard = []
    for frame in range(20):
        for row, sine in zip(rows, sines, strict=True):
            codes = g722(sine)[frame * 160 : (frame + 1) * 160]
            put(table, row, 160 * frame, memoryview(codes))
        heard.append(play(table, *rows, codec=Codec.G722))
    pcm = np.concatenate(heard, axis=1)[:, DEPTH * WIDE_FRAME + DELAY :].astype(float)

    # The upper band has two bits a sample.
    for got, sine, least in zip(pcm, sines, (40, 20), strict=True):
        noise = (got - sine[: len(got)])[2000:]
        assert 10 * np.log10(np.mean(sine**2) / np.mean(noise**2)) > least


def test_a_decoder_with_a_state_is_not_told_of_what_never_came() -> None:
    table = Table()
    row = table.add(INDEX[Codec.G722])
    codes = g722(8000 * np.sin(2 * np.pi * 1000 * np.arange(10 * WIDE_FRAME) / 16000))
    for at in (0, 320):  # packets of 10 ms; in between, and from 400 on, there are none
        put(table, row, at, memoryview(codes[at : at + 80]))
    heard = np.concatenate([play(table, row, codec=Codec.G722)[0] for _ in range(DEPTH + 4)])[DEPTH * WIDE_FRAME :]

    decoder = G722Decoder()
    decoder.decode(codes[:80])
    assert np.array_equal(heard[640 + 2 * BLEND : 800], decoder.decode(codes[320:400])[2 * BLEND :])


def test_another_stream_is_decoded_with_a_fresh_state() -> None:
    codes = g722(8000 * np.sin(2 * np.pi * 1000 * np.arange(2 * WIDE_FRAME) / 16000))
    table = Table()
    row, other = table.add(INDEX[Codec.G722]), table.add(INDEX[Codec.G722])
    put(table, row, 0, memoryview(codes[160:]))
    for _ in range(DEPTH + 1):
        play(table, row, codec=Codec.G722)
    for each in (row, other):
        put(table, each, 0, memoryview(codes[:160]), ssrc=2)
    one, two = [play(table, row, other, codec=Codec.G722) for _ in range(DEPTH + 1)][-1]

    assert np.abs(two[2 * BLEND :]).max() > 1000
    assert np.array_equal(one[2 * BLEND :], two[2 * BLEND :])


def test_rows_of_more_octets_make_room_and_move_nobody() -> None:
    table = Table()
    narrow = table.add(0)
    put(table, narrow, 0, memoryview(bytes([LOUD]) * FRAME))
    wide = table.add(INDEX[Codec.L16_16K])
    put(table, wide, 0, memoryview(b"\x12\x34" * WIDE_FRAME))
    table.hush(range(DEPTH))
    table.tick += DEPTH

    assert np.all(play(table, wide, codec=Codec.L16_16K)[0, 2 * BLEND :] == 0x1234)
    table.tick -= 1
    assert np.all(play(table, narrow)[0, BLEND:] == LOUD_SAMPLE)


def test_packets_of_many_rows_lie_as_those_of_one_do() -> None:
    """Also one that belongs before what waits already."""
    one_by_one, at_once = Table(), Table()
    for table in (one_by_one, at_once):
        for row in (table.add(0), table.add(0)):
            put(table, row, 5000, memoryview(bytes([LOUD]) * FRAME))
    rows = np.arange(2)
    for frames in (3, 2):
        stamps = np.full(2, 5000 + frames * FRAME)
        payloads = np.full((2, FRAME), LOUD + frames, np.uint8)
        assert at_once.write_many(rows, stamps, np.ones(2, np.int64), payloads, np.zeros(2, np.int64)).all()
        for row in (0, 1):
            put(one_by_one, row, int(stamps[row]), payloads[row].data)
    ours, theirs = at_once._ring, one_by_one._ring
    assert np.array_equal(ours.clocks._columns, theirs.clocks._columns)
    assert np.array_equal(ours.cover, theirs.cover)
    assert np.array_equal(ours.codes, theirs.codes)
    assert np.array_equal(at_once._waits.counts, one_by_one._waits.counts)
