"""What the jitter buffer does at odd times: duplicates, halves of packets, machines that stop, noise that is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.media.codecs import FRAME, decode
from engine.media.commands import Codec
from engine.media.conceal import BLEND, SILENT
from engine.media.ring import SLOTS
from tests.support.jitter_rig import Rig, sine, stream
from tests.support.media_fakes import HEADER, Bench, Speaker


def test_duplicates_that_wait_are_counted_and_change_nothing() -> None:
    rig, plain = Rig(), Rig()
    sent = stream(sine(440, 1))
    plain.send(*sent)
    rig.send(*sent, *(replace(packet, at=packet.at + 8) for packet in sent))

    assert np.array_equal(rig.play(50), plain.play(50))
    assert rig.table.duplicates(rig.row) == 49
    assert rig.table.depth_ms(rig.row) == plain.table.depth_ms(plain.row)
    assert rig.table.late(rig.row) == rig.table.discarded(rig.row) == 0


def test_of_a_long_packet_that_is_late_the_rest_is_played() -> None:
    rig = Rig()
    said = np.full(FRAME * 1003, 3000, np.int16)
    rig.send(*stream(said[: FRAME * 1000], first=0))
    rig.play(1001)
    (late,) = stream(np.full(FRAME * 3, 5000, np.int16), frames=3)
    rig.send(replace(late, stamp=1000 * FRAME, at=1001.5 * FRAME))
    heard = rig.play(4 + SLOTS)

    assert rig.table.late(rig.row) == 1
    assert np.all(heard[FRAME + BLEND : 3 * FRAME] == 5000)
    assert not heard[3 * FRAME + SILENT :].any()


def test_a_table_that_was_not_looked_at_for_long_takes_in_what_comes_before_its_next_tick() -> None:
    rig = Rig()
    first, *others = stream(sine(440, 0.1), first=1000 * FRAME - 40)
    rig.table.write(rig.row, first.stamp, 1, memoryview(first.payload), False, int(first.at))
    rig.send(*others)
    rig.table.hush(range(1000 - SLOTS + 1, 1000))
    rig.table.tick = 1000

    assert np.array_equal(rig.play(5), sine(440, 0.1))
    assert rig.table.late(rig.row) == 0


def test_a_stream_that_begins_before_a_tick_that_runs_late_is_in_time_for_it() -> None:
    rig = Rig()
    (packet,) = stream(np.full(FRAME, 3000, np.int16))
    rig.table.write(rig.row, 0, 1, memoryview(packet.payload), False, 3 * FRAME)

    assert not rig.tick().any()
    assert rig.tick().any()


def test_after_ticks_that_were_left_out_nothing_goes_on_from_before() -> None:
    rig = Rig()
    rig.send(*stream(sine(440, 1)))
    rig.play(20)
    rig.table._slides.review([rig.row], [])
    rig.waiting.clear()
    rig.table.hush(range(20, 60))
    rig.table.tick = 60

    assert not rig.play(3).any()
    assert not rig.table._slides


def test_a_row_that_is_waited_for_need_not_slide_there_too() -> None:
    rig = Rig()
    sent = stream(sine(440, 1), first=0)
    rig.send(*sent[:10])
    rig.play(11)
    rig.table._slides.review([rig.row], [])
    rig.send(*(replace(packet, at=packet.at + 250) for packet in sent[10:]))
    rig.play(10)

    assert rig.table._playouts[rig.row].shift < 0
    assert rig.table._slides._direction.get(rig.row) in (-1, None)


# --- comfort noise on the wire ---


def comfort(speaker: Speaker, level: int) -> bytes:
    packet = HEADER.pack(0x80, 13, speaker.seq & 0xFFFF, speaker.stamp & 0xFFFFFFFF, speaker.ssrc) + bytes([level])
    speaker.seq += 1
    return packet


@pytest.mark.parametrize("reserved", [0, 0x80], ids=["as-written", "reserved-bit"])
def test_comfort_noise_is_mixed(reserved: int) -> None:
    """The first bit of the level has no meaning yet (RFC 3389 3.1)."""
    bench = Bench()
    a, b = bench.leg("a", cn_payload_type=13), bench.leg("b")
    bench.bridge("a", "b", gain_db=-1.0)
    speaker = Speaker(a)
    for _ in range(10):
        bench.speak(speaker, b"\x80" * 160)
        bench.pass_tick()
    bench.arrive(a, comfort(speaker, 45 | reserved))
    bench.heard(b)
    bench.pass_tick(40)

    codes = np.frombuffer(b"".join(packet.payload for packet in bench.heard(b)[10:]), np.uint8)
    noise = decode(codes, Codec.PCMU).astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32768) == pytest.approx(-46, abs=0.7)
    assert bench.board.table.concealed(a.row) == 0
    assert a.rx.strangers == 0


def test_comfort_noise_passes_through_to_whom_knows_it() -> None:
    bench = Bench()
    a, b, c = bench.leg("a", cn_payload_type=13), bench.leg("b", cn_payload_type=97), bench.leg("c")
    bench.bridge("a", "b")
    bench.bridge("a", "c")
    speaker = Speaker(a)
    for _ in range(3):
        bench.speak(speaker)
    bench.arrive(a, comfort(speaker, 45))
    speaker.stamp += 1600
    bench.speak(speaker, marker=True)

    knows, knows_not = bench.heard(b), bench.heard(c)
    assert [packet.payload_type for packet in knows] == [0, 0, 0, 97, 0]
    assert knows[3].payload == bytes([45])
    assert [packet.payload_type for packet in knows_not] == [0, 0, 0, 0]
    for sent in (knows, knows_not):
        assert [packet.seq - sent[0].seq for packet in sent] == list(range(len(sent)))
        assert [packet.marker for packet in sent] == [n in (0, len(sent) - 1) for n in range(len(sent))]


def test_who_did_not_agree_on_comfort_noise_sends_us_something_strange() -> None:
    bench = Bench()
    a = bench.leg("a")
    bench.arrive(a, comfort(Speaker(a), 45))

    assert a.rx.strangers == 1
