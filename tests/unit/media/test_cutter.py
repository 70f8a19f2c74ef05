"""Packets of other lengths than 20 ms, seen from outside: what a leg that agreed on them is sent."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.media.codecs import FORMS
from engine.media.commands import Codec, Play, SendDtmf, Sound, StopPlay, Tone
from engine.media.cutter import Cutter
from engine.media.prompts import Clip
from engine.media.transmission import Transmission
from tests.support.media_fakes import Bench, Sent, remote, unpack

PTIMES = [10, 20, 30, 40, 50, 60]


def deltas(packets: list[Sent]) -> list[tuple[int, int]]:
    return [(two.seq - one.seq & 0xFFFF, two.stamp - one.stamp & 0xFFFFFFFF) for one, two in pairwise(packets)]


@pytest.mark.parametrize("ptime", PTIMES)
def test_a_player_is_sent_in_packets_of_the_length_that_was_agreed(ptime: int) -> None:
    bench = Bench()
    a = bench.leg("a", ptime_ms=ptime)
    sound = np.tile(np.arange(-4000, 4000, dtype=np.int16), 4)
    bench.files.clips["f.wav"] = Clip(sound)
    bench.do(Play(leg="a", player="p", playlist=(Sound(file="f.wav"),)))
    bench.pass_tick(60)

    sent = bench.heard(a)
    assert len(sent) == 1200 // ptime
    assert {len(packet.payload) for packet in sent} == {8 * ptime}
    assert set(deltas(sent)) == {(1, 8 * ptime)}
    assert [packet.marker for packet in sent] == [True] + [False] * (len(sent) - 1)
    whole = b"".join(bench.files.clips["f.wav"].payloads(Codec.PCMU, 0.0))
    assert b"".join(packet.payload for packet in sent) == whole[: 8 * 1200]


@pytest.mark.parametrize("ptime", PTIMES)
def test_a_mix_is_sent_in_packets_of_the_length_that_was_agreed(ptime: int) -> None:
    bench = Bench()
    bench.leg("a")
    b = bench.leg("b", ptime_ms=ptime)
    bench.bridge("a", "b", gain_db=-1)
    bench.pass_tick(60)

    sent = bench.heard(b)
    assert [len(packet.payload) for packet in sent] == [8 * ptime] * (1200 // ptime)
    assert set(deltas(sent)) == {(1, 8 * ptime)}
    b.settle()
    assert b.tx.octets == 9600


class Rig:
    """A transmission of 30 ms packets and what it sent."""

    def __init__(self, codec: Codec = Codec.PCMU, ptime_ms: int = 30) -> None:
        self.sent: list[Sent] = []
        self.tx = Transmission(ssrc=1, seq=0, stamp=0xFFFFFF00)
        self.tx.send = self._send
        form = FORMS[codec]
        self.tx.carry(form, form.units * 50, ptime_ms)

    def _send(self, packet: memoryview) -> int:
        self.sent.append(unpack(packet))
        return len(packet)


def test_ticks_left_out_are_left_out_of_the_stamps_and_what_waited_is_sent_short() -> None:
    rig = Rig()
    for frame, (at, advance) in enumerate([(0, 160), (20, 160), (40, 160), (60, 160), (100, 320), (120, 160)]):
        rig.tx.frame(bytes([frame]) * 160, 5 + at / 1000, advance)

    first = rig.sent[0].stamp
    found = [(packet.stamp - first & 0xFFFFFFFF, packet.payload) for packet in rig.sent]
    frames = b"".join(bytes([frame]) * 160 for frame in range(6))
    assert found == [(0, frames[:240]), (240, frames[240:480]), (480, frames[480:640]), (800, frames[640:880])]


def test_what_waited_when_the_source_changed_comes_before_the_marked_packet() -> None:
    rig = Rig()
    rig.tx.frame(b"\1" * 160, 5.0)
    rig.tx.restart = True
    rig.tx.frame(b"\2" * 160, 5.02)
    rig.tx.frame(b"\2" * 160, 5.04)

    assert [(packet.marker, packet.payload) for packet in rig.sent] == [
        (True, b"\1" * 160),
        (True, b"\2" * 240),
    ]
    assert rig.sent[1].stamp - rig.sent[0].stamp & 0xFFFFFFFF == 240


def test_what_waited_long_ago_is_not_sent() -> None:
    rig = Rig()
    rig.tx.frame(b"\1" * 160, 5.0)
    rig.tx.frame(b"\1" * 160, 5.02)
    rig.tx.restart = True
    rig.tx.frame(b"\2" * 160, 6.0)
    rig.tx.frame(b"\2" * 160, 6.02)

    assert [packet.payload for packet in rig.sent] == [b"\1" * 240, b"\2" * 240]
    assert rig.sent[1].stamp - rig.sent[0].stamp & 0xFFFFFFFF == 8000
    assert [packet.marker for packet in rig.sent] == [True, True]


def test_a_stamp_belongs_to_the_time_of_the_packets_first_sample() -> None:
    rig = Rig(ptime_ms=10)
    rig.tx.frame(bytes(160), 5.0)
    assert len(rig.sent) == 2
    assert rig.tx.stamp_at == pytest.approx(5.01)
    rig = Rig(ptime_ms=40)
    rig.tx.frame(bytes(160), 5.0)
    rig.tx.frame(bytes(160), 5.02)
    assert rig.tx.stamp_at == pytest.approx(5.0)


@pytest.mark.parametrize(("codec", "octets", "units"), [(Codec.L16, 320, 160), (Codec.L16_16K, 640, 320)])
def test_linear_sound_is_sent_whole_with_its_own_clock(codec: Codec, octets: int, units: int) -> None:
    rig = Rig(codec, 20)
    for frame in range(5):
        rig.tx.frame(bytes([frame]) * octets, 5 + frame * 0.02)
    rig.tx.frame(bytes([5]) * octets, 5.14, advance=3 * 160)

    assert [packet.payload for packet in rig.sent] == [bytes([frame]) * octets for frame in range(6)]
    assert deltas(rig.sent) == [(1, units)] * 4 + [(1, 3 * units)]


def test_the_same_agreement_again_breaks_nothing() -> None:
    rig = Rig()
    rig.tx.frame(b"\1" * 160, 5.0)
    rig.tx.carry(FORMS[Codec.PCMA], 8000, 30)
    rig.tx.frame(b"\2" * 160, 5.02)

    assert [packet.payload for packet in rig.sent] == [b"\1" * 160 + b"\2" * 80]
    rig.tx.carry(FORMS[Codec.PCMA], 8000, 20)
    rig.tx.frame(b"\3" * 160, 5.04)
    assert (rig.sent[1].payload, rig.sent[1].marker) == (b"\3" * 160, True)


def test_music_after_a_digit_goes_on_in_whole_packets() -> None:
    bench = Bench()
    a = bench.leg("a", ptime_ms=40)
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True))
    bench.pass_tick(3)
    bench.do(SendDtmf(leg="a", digits="1"))
    bench.pass_tick(12)

    sent = bench.heard(a)
    assert [(packet.payload_type, len(packet.payload)) for packet in sent] == [(0, 320)] + [(101, 4)] * 7 + [
        (0, 320)
    ] * 2
    assert sent[8].marker
    assert sent[8].stamp - sent[1].stamp & 0xFFFFFFFF == 8 * 160
    bench.do(StopPlay(leg="a"))


def test_nothing_waits_of_a_cutter_that_was_emptied() -> None:
    cutter = Cutter(FORMS[Codec.PCMU], 30)
    list(cutter.add(bytes(160), 1.0))
    assert cutter.rest(1.0) is not None
    assert cutter.rest(1.0) is None


def test_a_leg_that_is_sent_music_with_others_may_ask_for_longer_packets() -> None:
    bench = Bench()
    legs = [bench.leg(name) for name in "abc"]
    for leg in legs:
        bench.do(Play(leg=leg.name, player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True))
    bench.pass_tick(4)
    bench.do(remote("b", ptime_ms=40))
    for leg in legs:
        bench.heard(leg)
    bench.pass_tick(8)

    assert [[len(packet.payload) for packet in bench.heard(leg)] for leg in legs] == [[160] * 8, [320] * 4, [160] * 8]
