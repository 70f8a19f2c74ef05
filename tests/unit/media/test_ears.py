"""Keys as tones in the sound of a leg whose peer has no telephone-event, both ways."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.media.codecs import decode, encode
from engine.media.commands import CloseLeg, Codec, Connect, Direction, Disconnect, SendDtmf
from engine.media.dtmf_out import DigitSender
from engine.media.events import DtmfDigit, LegFailed
from engine.media.inband import InbandDetector
from engine.media.leg import Leg
from engine.media.matrix import Route
from tests.support.media_fakes import Bench, Sent, Speaker, remote

TONES = {"dtmf_payload_type": None, "inband": True}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def say(bench: Bench, speaker: Speaker, digits: str, *, duration_ms: int = 100) -> list[bytes]:
    """The peer presses keys: their tones are in its sound, and silence after them. What it sent."""
    sender = DigitSender()
    sender.add(digits, duration_ms)
    frames = []
    while sender:
        frames.append(sender.sound())
    said = [encode(frame, speaker.leg.codec).tobytes() for frame in (*frames, *[np.zeros(160, np.int16)] * 8)]
    for payload in said:
        bench.speak(speaker, payload)
        bench.pass_tick()
    return said


def told(bench: Bench) -> list[tuple[str, str]]:
    return [(event.leg, event.digit) for event in bench.told() if isinstance(event, DtmfDigit)]


def heard_keys(packets: list[Sent], codec: Codec) -> str:
    detector = InbandDetector()
    slots = np.array([detector.add()])
    sound = np.concatenate([decode(np.frombuffer(packet.payload, np.uint8), codec) for packet in packets])
    sound = np.concatenate((sound, np.zeros(1600, np.int16)))
    found = [
        toned for at in range(0, len(sound) - 159, 160) for toned in detector.hear(slots, sound[None, at : at + 160])
    ]
    return "".join(toned.key for toned in found if toned.duration_ms is not None)


def events(packets: list[Sent]) -> list[Sent]:
    return [packet for packet in packets if packet.payload_type == 101]


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_tones_are_told_and_become_events_for_who_has_them(bench: Bench, codec: Codec) -> None:
    """Relayed, where the codecs are the same, or mixed."""
    a, b = bench.leg("a", **TONES), bench.leg("b", codec=codec)
    bench.bridge("a", "b")
    say(bench, Speaker(a), "19*")
    bench.pass_tick(5)
    assert told(bench) == [("a", "1"), ("a", "9"), ("a", "*")]
    sent = events(bench.heard(b))
    assert [packet.payload[0] for packet in sent if packet.marker] == [1, 9, 10]
    assert len([packet for packet in sent if packet.payload[1] & 0x80]) == 9
    assert b.route is (Route.RELAY if codec is Codec.PCMU else Route.MIX)


def test_a_tone_that_is_held_is_held_as_an_event(bench: Bench) -> None:
    a, b = bench.leg("a", **TONES), bench.leg("b")
    bench.bridge("a", "b")
    say(bench, Speaker(a), "5", duration_ms=1000)
    bench.pass_tick(5)
    ends = [packet for packet in events(bench.heard(b)) if packet.payload[1] & 0x80]
    assert int.from_bytes(ends[0].payload[2:]) == pytest.approx(8000, abs=800)


def test_who_hears_the_tone_is_sent_no_other(bench: Bench) -> None:
    a, b = bench.leg("a", **TONES), bench.leg("b", **TONES)
    bench.bridge("a", "b")
    said = say(bench, Speaker(a), "5")
    assert told(bench) == [("a", "5")]
    assert [packet.payload for packet in bench.heard(b)] == said


def test_nobody_listens_to_legs_that_did_not_ask(bench: Bench) -> None:
    a = bench.leg("a", dtmf_payload_type=None)
    bench.leg("b")
    bench.bridge("a", "b")
    say(bench, Speaker(a), "5")
    assert told(bench) == []
    assert a.row == -1
    assert not bench.board.step.due


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_events_become_tones_for_who_has_none(bench: Bench, codec: Codec) -> None:
    a, b = bench.leg("a"), bench.leg("b", codec=codec, **TONES)
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    for key in (5, 11):
        stamp = speaker.stamp
        for number in range(1, 14):
            speaker.payload_type, speaker.stamp = 101, stamp
            end = 0x80 if number > 6 else 0
            if number < 10:
                bench.speak(speaker, bytes((key, end | 10)) + (160 * min(number, 7)).to_bytes(2), marker=number == 1)
            bench.pass_tick()
        speaker.payload_type, speaker.stamp = 0, stamp + 160 * 13
    bench.pass_tick(10)
    sent = bench.heard(b)
    assert {packet.payload_type for packet in sent} == {b.tx.payload_type}
    assert heard_keys(sent, codec) == "5#"
    assert [after.seq - before.seq for before, after in pairwise(sent)] == [1] * (len(sent) - 1)


def test_digits_of_ours_are_tones_where_the_peer_has_no_events(bench: Bench) -> None:
    a = bench.leg("a", **TONES)
    bench.do(SendDtmf(leg="a", digits="0D", duration_ms=60))
    bench.pass_tick(20)
    assert heard_keys(bench.heard(a), Codec.PCMU) == "0D"
    assert a.route is Route.SILENT
    bench.do(SendDtmf(leg="a", digits="x"))
    assert any(isinstance(event, LegFailed) for event in bench.told())


def held(bench: Bench) -> tuple[Leg, Leg]:
    a, b = bench.leg("a", **TONES), bench.leg("b")
    bench.bridge("a", "b")
    sender, speaker = DigitSender(), Speaker(a)
    sender.hold("7")
    for _ in range(20):
        bench.speak(speaker, encode(sender.sound(), Codec.PCMU).tobytes())
        bench.pass_tick()
    assert b.route is Route.DIGITS
    return a, b


def test_a_key_is_let_go_when_its_leg_is_held_or_closed_or_needs_no_ears(bench: Bench) -> None:
    for end in (
        remote("a", direction=Direction.SENDONLY, **TONES),
        remote("a"),
        CloseLeg(leg="a"),
    ):
        rig = Bench()
        _, b = held(rig)
        rig.do(end)
        rig.pass_tick(10)
        assert b.route is not Route.DIGITS
        assert len([packet for packet in events(rig.heard(b)) if packet.payload[1] & 0x80]) == 3
        assert not rig.board.step.ears


def test_a_leg_is_listened_to_whoever_hears_it_otherwise(bench: Bench) -> None:
    a = bench.leg("a", **TONES)
    z = bench.leg("z", codec=Codec.PCMA)
    speaker = Speaker(a)
    say(bench, speaker, "1")
    bench.do(Connect(source="a", sink="z"))
    say(bench, speaker, "2")
    bench.do(Disconnect(source="a", sink="z"))
    say(bench, speaker, "3")
    assert told(bench) == [("a", "1"), ("a", "2"), ("a", "3")]
    bench.do(CloseLeg(leg="a"))
    bench.pass_tick()
    assert not bench.board.step.due
    assert bench.board.table.rows == 0
    assert z.row == -1


@pytest.mark.parametrize("changes", [{"dtmf_payload_type": 101}, {"codec": Codec.OPAQUE, "opaque": "opus/48000/2"}])
def test_tones_are_not_looked_for_where_that_makes_no_sense(bench: Bench, changes: dict[str, object]) -> None:
    bench.leg("a")
    bench.do(remote("a", **(TONES | {"payload_type": 96, "clock_rate": 8000} | changes)))  # type: ignore[arg-type]
    assert [event.command for event in bench.told() if isinstance(event, LegFailed)] == ["SetRemote"]
