"""Codecs that nobody decodes: passed through to who has the same, refused where that does not do."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from engine.media.commands import Codec, Connect, Disconnect, JoinConference, Play, Sound, Tone
from engine.media.events import LegFailed
from engine.media.leg import Leg
from engine.media.matrix import Route
from engine.media.prompts import Clip
from engine.media.quality import quality
from engine.media.rtcp import SR, ReportBlock
from tests.support.media_fakes import Bench, Speaker, remote

OPUS = "opus/48000/2"
MONO = "opus/48000/1"
G729 = "G729/8000"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def opaque(bench: Bench, name: str, coding: str = OPUS, *, number: int = 111, **changes: object) -> Leg:
    clock = 8000 if coding == G729 else 48000
    return bench.leg(name, codec=Codec.OPAQUE, opaque=coding, clock_rate=clock, payload_type=number, **changes)


@pytest.mark.parametrize(("coding", "size"), [(OPUS, 77), (G729, 20)])
def test_passes_through_with_the_numbers_mapped(bench: Bench, coding: str, size: int) -> None:
    a = opaque(bench, "a", coding, number=96, heard_as=120)
    b = opaque(bench, "b", coding, number=111)
    bench.bridge("a", "b")
    speaker = Speaker(a, payload_type=120)
    for frame in range(5):
        bench.speak(speaker, bytes([frame]) * size)
    bench.speak(Speaker(b, payload_type=111), b"back")

    assert (a.route, b.route) == (Route.RELAY, Route.RELAY)
    sent = bench.heard(b)
    assert [packet.payload for packet in sent] == [bytes([frame]) * size for frame in range(5)]
    assert {packet.payload_type for packet in sent} == {111}
    assert [(packet.payload_type, packet.payload) for packet in bench.heard(a)] == [(96, b"back")]
    assert a.row == b.row == -1
    assert quality(a, bench.board.table, bench.now).strangers == 0


def test_the_number_of_the_other_direction_is_a_stranger(bench: Bench) -> None:
    a, b = opaque(bench, "a", number=96, heard_as=120), opaque(bench, "b")
    bench.bridge("a", "b")
    bench.speak(Speaker(a, payload_type=96))

    assert bench.heard(b) == []
    assert quality(a, bench.board.table, bench.now).strangers == 1


def test_digits_are_mapped_too(bench: Bench) -> None:
    a, b = opaque(bench, "a", dtmf_payload_type=97, dtmf_heard_as=98), opaque(bench, "b", dtmf_payload_type=102)
    bench.bridge("a", "b")
    bench.speak(Speaker(a, payload_type=98), bytes([5, 0x80, 3, 0x20]))
    bench.speak(Speaker(b, payload_type=102), bytes([6, 0x80, 3, 0x20]))

    assert [packet.payload_type for packet in bench.heard(b)] == [102]
    assert [packet.payload_type for packet in bench.heard(a)] == [97]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda bench: bench.leg("b"), "opus/48000/2 can only be passed through, and leg 'b' has PCMU"),
        (
            lambda bench: opaque(bench, "b", MONO),
            "opus/48000/2 can only be passed through, and leg 'b' has opus/48000/1",
        ),
        (lambda bench: opaque(bench, "b", G729), "opus/48000/2 can only be passed through, and leg 'b' has G729/8000"),
    ],
)
def test_what_would_need_a_decoder_is_refused_and_silent(bench: Bench, make, reason: str) -> None:  # type: ignore[no-untyped-def]
    a, b = opaque(bench, "a"), make(bench)
    bench.bridge("a", "b")

    told = [event for event in bench.told() if isinstance(event, LegFailed)]
    assert [(event.leg, event.command) for event in told] == [("b", "Connect"), ("a", "Connect")]
    assert reason in told[0].reason
    bench.speak(Speaker(a, payload_type=111))
    bench.pass_tick(3)
    assert bench.heard(b) == []
    assert bench.board.table.rows == 0
    assert list(bench.board.matrix.edges(b)) == []


def test_a_refusal_leaves_the_conversation_as_it_was(bench: Bench) -> None:
    a, b, c = opaque(bench, "a"), opaque(bench, "b"), opaque(bench, "c")
    bench.bridge("a", "b")
    bench.told()
    bench.do(
        Connect(source="c", sink="b"),
        Connect(source="a", sink="b", gain_db=-3.0),
        Play(leg="b", player="p", playlist=(Sound(tone=Tone.BUSY),)),
        Play(leg="b", player="p", playlist=(Sound(file="x.wav"),)),
    )

    assert [event.reason for event in bench.told() if isinstance(event, LegFailed)] == [
        "opus/48000/2 can only be passed through, not mixed with what leg 'b' hears already",
        "opus/48000/2 can only be passed through, not made louder or softer",
        "opus/48000/2 can only be passed through: nothing can be played in it",
        "opus/48000/2 can only be passed through: nothing can be played in it",
    ]
    assert b.route is Route.RELAY
    bench.speak(Speaker(a, payload_type=111))
    assert len(bench.heard(b)) == 1
    bench.do(Connect(source="a", sink="c"))  # a second hearer of one source needs no decoder
    assert c.route is Route.RELAY
    bench.do(Disconnect(source="a", sink="b"), Connect(source="c", sink="b"))
    assert b.relayed_from is c


def test_an_echo_of_an_unknown_codec_needs_no_decoder(bench: Bench) -> None:
    a = opaque(bench, "a")
    bench.do(Connect(source="a", sink="a"))

    assert a.route is Route.RELAY


def test_a_leg_that_changes_to_an_unknown_codec_is_silent_until_both_have_it(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=0)
    news = remote("a", codec=Codec.OPAQUE, opaque=OPUS, clock_rate=48000, payload_type=111)
    bench.do(news)
    bench.speak(Speaker(a, payload_type=111))

    assert (a.route, b.route) == (Route.SILENT, Route.SILENT)
    assert bench.heard(b) == []
    bench.do(replace(news, leg="b"))
    assert (a.route, b.route) == (Route.RELAY, Route.RELAY)


def test_a_conference_goes_on_without_the_one_who_cannot_be_understood_any_more(bench: Bench) -> None:
    legs = {name: bench.leg(name) for name in "abc"}
    for source in legs:
        for sink in legs:
            if source != sink:
                bench.do(Connect(source=source, sink=sink, gain_db=-1))
    bench.do(remote("a", codec=Codec.OPAQUE, opaque=OPUS, clock_rate=48000, payload_type=111))

    assert [legs[name].route for name in "abc"] == [Route.SILENT, Route.MIX, Route.MIX]
    assert (legs["a"].row, bench.board.table.rows) == (-1, 2)
    bench.pass_tick(3)
    assert len(bench.heard(legs["b"])) == 3


def test_no_seat_in_a_conference_for_an_unknown_codec(bench: Bench) -> None:
    a, b, c = opaque(bench, "a"), bench.leg("b"), bench.leg("c")
    bench.told()
    bench.do(*(JoinConference(leg=name, conference="r") for name in "abc"))

    (refused,) = [event for event in bench.told() if isinstance(event, LegFailed)]
    assert (refused.leg, refused.reason) == ("a", "opus/48000/2 can only be passed through, not mixed with others")
    assert [leg.route for leg in (a, b, c)] == [Route.SILENT, Route.RELAY, Route.RELAY]
    bench.do(remote("c", codec=Codec.OPAQUE, opaque=OPUS, clock_rate=48000, payload_type=111))
    assert [leg.route for leg in (a, b, c)] == [Route.SILENT, Route.SILENT, Route.SILENT]


@pytest.mark.parametrize("loading", [False, True])
def test_what_plays_ends_when_it_cannot_be_encoded_any_more(bench: Bench, loading: bool) -> None:
    a = bench.leg("a")
    bench.files.later = loading
    bench.files.clips["f.wav"] = Clip(np.zeros(8000, np.int16))
    bench.do(Play(leg="a", player="p", playlist=(Sound(file="f.wav"),), loop=True))
    bench.do(remote("a", codec=Codec.OPAQUE, opaque=OPUS, clock_rate=48000, payload_type=111))
    bench.files.deliver()
    bench.pass_tick(2)

    reasons = [event.reason for event in bench.told() if isinstance(event, LegFailed) and event.command == "Play"]
    assert reasons == ["opus/48000/2 can only be passed through: nothing can be played in it"]
    assert (a.route, a.player, a.pending) == (Route.SILENT, None, None)
    assert bench.heard(a) == []


def test_jitter_and_reports_count_in_the_codecs_own_clock(bench: Bench) -> None:
    a, b = opaque(bench, "a"), opaque(bench, "b")
    bench.bridge("a", "b")
    speaker = Speaker(a, payload_type=111)
    for frame in range(400):
        speaker.stamp = 7000 + 960 * frame
        late = 0.010 if frame % 2 else 0.0
        bench.now += late
        bench.speak(speaker, b"x" * 50)
        bench.now += 0.02 - late
    # Every second packet comes 10 ms late: the transit moves by that much each time.
    assert quality(a, bench.board.table, bench.now).jitter_ms == pytest.approx(10.0, abs=0.2)

    sent = bench.heard(b)
    assert {two.stamp - one.stamp & 0xFFFFFFFF for one, two in pairwise(sent)} == {960}
    bench.now += 1.0
    report = b.rtcp.compound(b.tx, b.rx, bench.now, bench.now + 1e9)
    assert report[1] == SR
    stamp = int.from_bytes(report[16:20])
    assert stamp - sent[-1].stamp & 0xFFFFFFFF == pytest.approx(48000 * (bench.now - b.tx.stamp_at), abs=2)
    said = ReportBlock(ssrc=b.tx.ssrc, lost=0, highest=1, jitter=480, last_sr=0, delay=0)
    b.rtcp.heard([said], b.tx.ssrc, bench.now, bench.now + 1e9)
    assert quality(b, bench.board.table, bench.now).remote_jitter_ms == 10.0


def test_another_source_follows_on_in_the_same_clock(bench: Bench) -> None:
    a, b, c = opaque(bench, "a"), opaque(bench, "b"), opaque(bench, "c")
    bench.bridge("a", "b")
    bench.speak(Speaker(a, payload_type=111))
    bench.do(Disconnect(source="a", sink="b"), Connect(source="c", sink="b"))
    bench.now += 0.5
    bench.speak(Speaker(c, payload_type=111, ssrc=9))

    one, two = bench.heard(b)
    assert two.marker
    assert two.stamp - one.stamp & 0xFFFFFFFF == 24000
    assert bench.heard(a) == []


def test_an_unknown_codec_is_not_greeted_with_garbage(bench: Bench) -> None:
    a = opaque(bench, "a")
    a.latched = None
    bench.heard(a)
    bench.board.greet(a, bench.now)

    assert bench.heard(a) == []
