"""Golden audio: tones in, levels out, through packets, jitter ring, mixer and packets again."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import PEAK_0DBM0, decode
from engine.media.commands import G711, Codec, Connect, Disconnect, Play, SendDtmf, Sound, StopPlay, Tone
from engine.media.events import DtmfDigit, PlayFinished
from engine.media.leg import Leg
from engine.media.matrix import Route
from engine.media.prompts import Clip
from tests.support.media_fakes import Bench, Sent, Speaker, sine_frames
from tests.support.tones import Audio, rms_dbfs, tone_dbfs


@pytest.fixture
def bench() -> Bench:
    return Bench()


PEAK = PEAK_0DBM0 * 10 ** (-10 / 20)
LEVEL = -3.14 - 10
"""dBFS of a sine that peaks at PEAK."""


def audio(packets: list[Sent], codec: Codec) -> Audio:
    codes = np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8)
    return Audio(rate=8000, samples=decode(codes, codec).astype(float) / 32768)


def converse(bench: Bench, tones: dict[Leg, float], *, frames: int = 100) -> None:
    """Every leg's peer speaks its tone for so many frames, a packet and a tick by turns."""
    speakers = {leg: Speaker(leg, payload_type=leg.payload_type, ssrc=leg.port) for leg in tones}
    voices = {leg: sine_frames(tone, frames=frames, peak=PEAK, codec=leg.codec) for leg, tone in tones.items()}
    for frame in range(frames):
        for leg, speaker in speakers.items():
            bench.speak(speaker, voices[leg][frame])
        bench.pass_tick()


@pytest.mark.parametrize(("one", "other"), [(Codec.PCMU, Codec.PCMA), (Codec.PCMA, Codec.PCMU)])
def test_transcodes_at_the_same_level_with_little_noise(bench: Bench, one: Codec, other: Codec) -> None:
    a, b = bench.leg("a", codec=one), bench.leg("b", codec=other)
    bench.bridge("a", "b")
    converse(bench, {a: 1004, b: 440})

    for leg, tone, foreign in ((a, 440, 1004), (b, 1004, 440)):
        sent = bench.heard(leg)
        assert len(sent) == 100
        assert {packet.payload_type for packet in sent} == {leg.payload_type}
        heard = audio(sent[5:], leg.codec)
        level = tone_dbfs(heard, tone)
        assert level == pytest.approx(LEVEL, abs=0.2)
        assert tone_dbfs(heard, foreign) < level - 50
        total = 10 ** (rms_dbfs(heard) / 10)
        assert 10 * np.log10(10 ** (level / 10) / (total - 10 ** (level / 10))) > 32


def test_mixed_packets_are_one_stream_every_tick(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b", codec=Codec.PCMA)
    bench.bridge("a", "b")
    converse(bench, {a: 1004}, frames=10)

    sent = bench.heard(b)
    assert [packet.seq - sent[0].seq & 0xFFFF for packet in sent] == list(range(10))
    assert [packet.stamp - sent[0].stamp & 0xFFFFFFFF for packet in sent] == list(range(0, 1600, 160))
    assert [packet.marker for packet in sent] == [True] + [False] * 9


def test_gain_changes_the_level_by_so_many_decibels(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=-12.0)
    converse(bench, {a: 1004})

    assert b.route is Route.MIX
    assert tone_dbfs(audio(bench.heard(b)[5:], Codec.PCMU), 1004) == pytest.approx(LEVEL - 12, abs=0.2)


def test_in_a_conference_everybody_hears_the_others_and_not_himself(bench: Bench) -> None:
    tones = {bench.leg("a"): 700.0, bench.leg("b", codec=Codec.PCMA): 1100.0, bench.leg("c"): 1700.0}
    for source in "abc":
        for sink in "abc":
            if source != sink:
                bench.do(Connect(source=source, sink=sink))
    converse(bench, tones)

    for leg, own in tones.items():
        heard = audio(bench.heard(leg)[5:], leg.codec)
        for tone in tones.values():
            if tone == own:
                assert tone_dbfs(heard, tone) < LEVEL - 45
            else:
                assert tone_dbfs(heard, tone) == pytest.approx(LEVEL, abs=0.3)


def test_a_listener_is_not_heard(bench: Bench) -> None:
    a, b, boss = bench.leg("a"), bench.leg("b"), bench.leg("boss")
    bench.bridge("a", "b")
    bench.do(Connect(source="a", sink="boss"), Connect(source="b", sink="boss"))
    converse(bench, {a: 700, b: 1100, boss: 1700})

    assert (a.route, b.route, boss.route) == (Route.RELAY, Route.RELAY, Route.MIX)
    heard = audio(bench.heard(boss)[5:], Codec.PCMU)
    assert tone_dbfs(heard, 700) == pytest.approx(LEVEL, abs=0.3)
    assert tone_dbfs(heard, 1100) == pytest.approx(LEVEL, abs=0.3)
    for leg in (a, b):
        assert tone_dbfs(audio(bench.heard(leg)[5:], Codec.PCMU), 1700) < LEVEL - 50


def test_a_player_is_added_to_what_a_leg_hears(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    bench.do(Play(leg="b", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True, gain_db=-20.0))
    converse(bench, {a: 440})

    heard = audio(bench.heard(b)[5:], Codec.PCMU)
    assert tone_dbfs(heard, 440) == pytest.approx(LEVEL, abs=0.2)
    assert tone_dbfs(heard, 1004) == pytest.approx(-23.14, abs=0.2)
    assert tone_dbfs(audio(bench.heard(a)[5:] or [], Codec.PCMU), 1004) == -160.0


@pytest.mark.parametrize("codec", G711)
def test_a_player_alone_is_sent_ready_made_every_tick(bench: Bench, codec: Codec) -> None:
    a = bench.leg("a", codec=codec)
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True))
    bench.pass_tick(150)

    assert a.route is Route.PLAYER
    sent = bench.heard(a)
    assert tone_dbfs(audio(sent, codec), 1004) == pytest.approx(-3.14, abs=0.1)
    assert [packet.stamp - sent[0].stamp & 0xFFFFFFFF for packet in sent] == list(range(0, 150 * 160, 160))
    assert bench.board.table.rows == 0


def test_a_player_that_ends_says_so_and_the_leg_hears_its_edges_again(bench: Bench) -> None:
    _, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    bench.files.clips["beep.wav"] = Clip(np.full(480, 1000, np.int16))
    bench.do(Play(leg="b", player="beep", playlist=(Sound(file="beep.wav"),)))
    bench.pass_tick(3)
    assert b.route is Route.MIX
    assert not [event for event in bench.told() if isinstance(event, PlayFinished)]
    bench.pass_tick()

    assert bench.told()[0] == PlayFinished(leg="b", player="beep", played_ms=60)
    bench.pass_tick(2)
    assert b.route is Route.RELAY
    assert bench.board.table.rows == 0


def test_a_player_alone_that_ends_stops_sending(bench: Bench) -> None:
    a = bench.leg("a")
    bench.files.clips["beep.wav"] = Clip(np.full(480, 1000, np.int16))
    bench.do(Play(leg="a", player="beep", playlist=(Sound(file="beep.wav"),)))
    bench.pass_tick(10)

    assert len(bench.heard(a)) == 3
    assert [event for event in bench.told() if isinstance(event, PlayFinished)] == [
        PlayFinished(leg="a", player="beep", played_ms=60)
    ]


def test_ticks_left_out_leave_their_time_out_too(bench: Bench) -> None:
    _, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=-1)
    bench.pass_tick(2)
    bench.tick += 7
    bench.pass_tick()

    sent = bench.heard(b)
    assert [packet.stamp - sent[0].stamp & 0xFFFFFFFF for packet in sent] == [0, 160, 160 * 9]
    assert [packet.seq - sent[0].seq & 0xFFFF for packet in sent] == [0, 1, 2]


def test_what_waited_in_a_tick_left_out_is_not_played_later(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=-1)
    bench.pass_tick()
    bench.speak(Speaker(a), b"\x80" * 160)
    bench.tick += 5
    bench.pass_tick(40)

    assert all(packet.payload == b"\xff" * 160 for packet in bench.heard(b))


def test_without_anybody_to_mix_for_no_rows_are_kept(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=-1)
    assert bench.board.table.rows == 2
    bench.bridge("a", "b")
    assert bench.board.table.rows == 0
    bench.bridge("a", "b", gain_db=-1)
    bench.do(Disconnect(source="a", sink="b"))
    assert (a.row >= 0, b.row >= 0) == (False, True)


def test_digits_go_out_as_seven_events_and_come_in_as_one(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.do(SendDtmf(leg="a", digits="4#"))
    bench.pass_tick(30)

    sent = bench.heard(a)
    assert [packet.payload_type for packet in sent] == [101] * 14
    assert [packet.seq - sent[0].seq & 0xFFFF for packet in sent] == list(range(14))
    assert [packet.marker for packet in sent] == [True, *[False] * 6] * 2
    assert len({packet.stamp for packet in sent[:7]}) == 1
    assert sent[7].stamp - sent[0].stamp & 0xFFFFFFFF == 8 * 160
    bench.told()
    for packet in sent:
        bench.forwarder.buffer[:12] = b"\x80\x65" + packet.seq.to_bytes(2) + packet.stamp.to_bytes(4) + b"\0\0\0\1"
        bench.arrive(b, bytes(bench.forwarder.buffer[:12]) + packet.payload)
    assert bench.told() == [
        DtmfDigit(leg="b", digit="4", duration_ms=100),
        DtmfDigit(leg="b", digit="#", duration_ms=100),
    ]


def test_music_waits_for_digits_and_goes_on(bench: Bench) -> None:
    a = bench.leg("a")
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True))
    bench.pass_tick(5)
    bench.do(SendDtmf(leg="a", digits="1"))
    bench.pass_tick(8)
    bench.pass_tick(2)

    sent = bench.heard(a)
    assert [packet.payload_type for packet in sent] == [0] * 5 + [101] * 7 + [0] * 2
    assert sent[5].stamp - sent[4].stamp & 0xFFFFFFFF == 160
    assert sent[12].stamp - sent[5].stamp & 0xFFFFFFFF == 8 * 160
    bench.do(StopPlay(leg="a"))
    bench.pass_tick(3)
    assert bench.heard(a) == []
