"""The media process on real sockets: latching, strangers, both paths, music, digits, RTCP, silence, the end."""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from engine.media.commands import CloseLeg, Codec, Connect, Direction, Play, SendDtmf, Sound, StopPlay, Tone
from engine.media.events import (
    DtmfDigit,
    Latched,
    LegClosed,
    LegFailed,
    PlaneStats,
    PlayFinished,
    Quality,
    RtpResumed,
    RtpTimeout,
)
from engine.media.rtcp import Bye, ReportBlock, SenderReport, parse
from tests.support.media_fakes import sine_frames
from tests.support.media_listening import audio, latch
from tests.support.media_plane import Control, FarEnd, Packet, Plane, open_leg, talk
from tests.support.ports import PortPool
from tests.support.stalls import StallWitness
from tests.support.tones import away_s, held_dbfs

pytestmark = pytest.mark.integration
SOUNDS = Path(__file__).parents[2] / "dialplans" / "sounds"


def test_two_people_hear_each_other_and_every_packet_arrives(control: Control, ends: list[FarEnd]) -> None:
    a, b = ends[:2]
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"))
    latch(control, a, "a")
    latch(control, b, "b")
    b.hear(), a.hear()
    heard = talk([a, b], seconds=1.0)

    for end in (a, b):
        assert len(heard[end]) == 50
        assert [packet.seq - heard[end][0].seq & 0xFFFF for packet in heard[end]] == list(range(50))
        assert [packet.stamp - heard[end][0].stamp & 0xFFFFFFFF for packet in heard[end]] == list(range(0, 8000, 160))
    stats = control.wait(PlaneStats, where=lambda event: event.relayed_edges == 2, timeout=3)
    assert stats.mixed_legs == 0


def test_a_stranger_is_never_heard_and_does_not_latch(control: Control, ends: list[FarEnd]) -> None:
    a, b, _, stranger = ends
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"))
    stranger.leg_port = a.leg_port
    for _ in range(5):
        stranger.speak(b"\x11" * 160)
    latch(control, a, "a")
    for _ in range(5):
        stranger.speak(b"\x11" * 160)
        a.speak(b"\x22" * 160)
        time.sleep(0.02)
    heard = b.hear_until(lambda packets: sum(packet.payload == b"\x22" * 160 for packet in packets) == 5)

    assert {packet.payload for packet in heard} - {b"\xff" * 160} == {b"\x80" * 160, b"\x22" * 160}
    control.send(CloseLeg(leg="a"))
    assert control.wait(LegClosed).quality.strangers == 5


def test_what_strangers_had_queued_before_the_latch_is_thrown_away(
    plane: Plane, control: Control, ends: list[FarEnd]
) -> None:
    """The process is stopped while packets of both arrive, so that they wait in one socket together."""
    a, b, _, stranger = ends
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"))
    stranger.leg_port = a.leg_port
    control.settle()
    os.kill(plane.process.pid, signal.SIGSTOP)
    try:
        for _ in range(10):
            a.speak(b"\x22" * 160)
            stranger.speak(b"\x11" * 160)
    finally:
        os.kill(plane.process.pid, signal.SIGCONT)
    control.wait(Latched)
    heard = b.hear_until(lambda packets: sum(packet.payload != b"\xff" * 160 for packet in packets) >= 10)

    assert [packet.payload for packet in heard if packet.payload != b"\xff" * 160] == [b"\x22" * 160] * 10
    control.send(CloseLeg(leg="a"))
    assert control.wait(LegClosed).quality.strangers == 10


def test_packets_that_arrive_while_the_process_is_kept_from_running_all_leave(
    plane: Plane, control: Control, ends: list[FarEnd]
) -> None:
    a, b = ends[:2]
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"))
    latch(control, a, "a")
    latch(control, b, "b")
    talk([a], seconds=0.1)
    b.hear()
    os.kill(plane.process.pid, signal.SIGSTOP)
    try:
        for number in range(8):
            a.speak(bytes([number]) * 160)
            time.sleep(0.02)
    finally:
        os.kill(plane.process.pid, signal.SIGCONT)
    assert [packet.payload[0] for packet in b.hear_until(lambda packets: len(packets) >= 8)] == list(range(8))


def test_behind_nat_the_flows_address_may_speak_from_any_port(control: Control, ends: list[FarEnd]) -> None:
    natted = ends[3]
    open_leg(control, "a", natted, address="10.255.255.1", port=4000)
    control.send(Connect(source="a", sink="a"))
    natted.speak(b"\x33" * 160)
    latched = control.wait(Latched)

    assert (latched.address, latched.port) == ("127.0.0.9", natted.port)
    heard = talk([natted], seconds=0.3)[natted]
    assert len(heard) >= 15


def test_rubbish_does_not_latch(control: Control, ends: list[FarEnd]) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    for rubbish in (b"", b"x", b"\x80" * 12, b"\x00" * 172, b"\x80\x12" + bytes(170), b"\x80\x00" + bytes(1600)):
        a.rtp.sendto(rubbish, ("127.0.0.1", a.leg_port))
    time.sleep(0.2)
    assert not [event for event in control.collect(0.2) if isinstance(event, Latched)]

    a.speak()
    control.wait(Latched)


def test_a_new_address_is_followed_and_the_old_one_is_a_stranger_then(control: Control, ends: list[FarEnd]) -> None:
    a, b, moved, _ = ends
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"))
    latch(control, a, "a")
    latch(control, b, "b")
    # The flow's address is another's, so that only the port in the SDP counts.
    control.send(moved.remote("a", flow_address="127.0.0.77"))
    control.settle()
    b.hear()
    moved.leg_port = a.leg_port
    for _ in range(3):
        a.speak(b"\x11" * 160)
    moved.speak(b"\x44" * 160)
    assert control.wait(Latched).port == moved.port
    b.speak(b"\x55" * 160)
    at_moved = moved.hear_until(lambda packets: b"\x55" * 160 in [packet.payload for packet in packets])

    assert [packet.payload for packet in b.hear_until(bool)] == [b"\x44" * 160]
    assert b"\x55" * 160 in [packet.payload for packet in at_moved]
    assert b"\x55" * 160 not in [packet.payload for packet in a.hear()]


@pytest.mark.timing
@pytest.mark.parametrize("mixed", [False, True])
def test_an_echo_keeps_level_and_has_no_gap(
    control: Control, ends: list[FarEnd], mixed: bool, machine: StallWitness
) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    control.send(Connect(source="a", sink="a", gain_db=-6.0 if mixed else 0.0))
    latch(control, a, "a")
    frames = sine_frames(1004, frames=100, peak=8000, codec=Codec.PCMU)
    heard: list[Packet] = []
    start = time.monotonic()
    for index, frame in enumerate(frames):
        time.sleep(max(0.0, start + 0.02 * index - time.monotonic()))
        a.speak(frame)
        heard += a.hear()
    time.sleep(0.1)
    heard += a.hear()

    sound = audio(heard).between(0.3, 1.7)
    expected = 20 * np.log10(8000 / 32768) - (6 if mixed else 0)
    assert held_dbfs(sound, 1004) == pytest.approx(expected, abs=0.3)
    assert away_s(sound, 1004) <= machine.stalled_s()


@pytest.mark.timing
def test_music_from_a_file_is_heard_before_and_after_the_peer_speaks(control: Control, ends: list[FarEnd]) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    control.send(Play(leg="a", player="moh", playlist=(Sound(file=str(SOUNDS / "hold-music.wav")),), loop=True))
    time.sleep(0.5)
    before = [packet for packet in a.hear() if packet.payload != b"\xff" * 160]
    assert 15 <= len(before) <= 27
    latch(control, a, "a")
    heard = talk([a], seconds=1.0)[a]

    assert 47 <= len(heard) <= 56
    assert np.sqrt(np.mean(audio(heard).samples ** 2)) > 0.01
    control.send(StopPlay(leg="a"))
    control.settle()
    a.hear()
    time.sleep(0.2)
    assert a.hear() == []


def test_a_missing_file_fails_with_its_reason_and_others_play_on(
    control: Control, ends: list[FarEnd], tmp_path: Path
) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    (tmp_path / "bad.wav").write_bytes(b"RIFF and nothing more")
    control.send(
        Play(leg="a", player="1", playlist=(Sound(file=str(tmp_path / "none.wav")),)),
        Play(leg="a", player="2", playlist=(Sound(file=str(tmp_path / "bad.wav")),)),
        Play(leg="a", player="3", playlist=(Sound(file=str(tmp_path)),)),
    )
    reasons = [control.wait(LegFailed).reason]
    # The first two are replaced by the last one before they fail.
    assert "Is a directory" in reasons[0]
    control.send(Play(leg="a", player="1", playlist=(Sound(file=str(tmp_path / "none.wav")),)))
    assert "none.wav: No such file" in control.wait(LegFailed).reason
    control.send(Play(leg="a", player="2", playlist=(Sound(file=str(tmp_path / "bad.wav")),)))
    assert "not a sound file that can be read" in control.wait(LegFailed).reason
    control.send(Play(leg="a", player="4", playlist=(Sound(file=str(SOUNDS / "announcement.wav")),)))
    assert control.wait(PlayFinished, timeout=6).player == "4"


def test_digits_both_ways(control: Control, ends: list[FarEnd]) -> None:
    a, b = ends[:2]
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    latch(control, a, "a")
    latch(control, b, "b")
    control.send(SendDtmf(leg="a", digits="1#"))
    digits = a.hear_until(lambda packets: sum(packet.payload_type == 101 for packet in packets) >= 14)
    sent = [packet for packet in digits if packet.payload_type == 101]
    assert len(sent) == 14
    assert [packet.payload[0] for packet in sent[::7]] == [1, 11]

    header = struct.Struct("!BBHII")
    for packet in sent:
        second = 101 | (0x80 if packet.marker else 0)
        b.rtp.sendto(
            header.pack(0x80, second, packet.seq, packet.stamp, 77) + packet.payload, ("127.0.0.1", b.leg_port)
        )
    found = [control.wait(DtmfDigit) for _ in range(2)]
    assert [(digit.leg, digit.digit, digit.duration_ms) for digit in found] == [("b", "1", 100), ("b", "#", 100)]
    assert not [event for event in control.collect(0.3) if isinstance(event, DtmfDigit)]


def test_rtcp_reports_go_both_ways_and_end_with_bye(control: Control, ends: list[FarEnd]) -> None:
    a, _, _, stranger = ends
    open_leg(control, "a", a)
    control.send(Connect(source="a", sink="a"))
    latch(control, a, "a")
    reports = []
    forged = struct.pack("!BBHIIIIIII", 0x81, 201, 7, a.ssrc, 0, 0, 0, 0, 0, 0)
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline and not any(isinstance(report, ReportBlock) for report in reports):
        talk([a], seconds=0.2)
        stranger.rtcp.sendto(forged, ("127.0.0.1", a.leg_port + 1))
        try:
            reports += parse(a.rtcp.recv(2048)) or []
        except BlockingIOError:
            continue
    ours = next(report for report in reports if isinstance(report, SenderReport))
    block = next(report for report in reports if isinstance(report, ReportBlock))
    assert (block.ssrc, block.lost) == (a.ssrc, 0)

    time.sleep(0.05)
    answer = struct.pack(
        "!BBHIIIIIII", 0x81, 201, 7, a.ssrc, ours.ssrc, 0x10000007, 99, 80, ours.ntp_middle, int(0.05 * 65536)
    )
    a.rtcp.sendto(answer, ("127.0.0.1", a.leg_port + 1))
    quality = control.wait(Quality, where=lambda event: event.remote_lost is not None)
    assert quality.remote_lost == 7
    assert quality.remote_jitter_ms == 10.0
    assert quality.round_trip_ms is not None
    assert quality.round_trip_ms < 500
    assert quality.strangers > 0

    control.send(CloseLeg(leg="a"))
    closed = control.wait(LegClosed)
    assert closed.quality.round_trip_ms is not None
    time.sleep(0.1)
    last = []
    while True:
        try:
            last = parse(a.rtcp.recv(2048)) or []
        except BlockingIOError:
            break
    assert Bye(ssrc=ours.ssrc) in last


def test_silence_and_its_end_are_told(control: Control, ends: list[FarEnd]) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    talk([a], seconds=0.4)
    assert control.wait(RtpTimeout, timeout=3).silent_s >= 1.0
    a.speak()
    assert control.wait(RtpResumed, timeout=3).silent_s >= 1.0


def test_a_port_that_refuses_is_counted_and_the_other_side_goes_on(
    control: Control, ends: list[FarEnd], ports: PortPool
) -> None:
    a = ends[0]
    gone = FarEnd(ports.block(2, even=True).start)
    open_leg(control, "a", a)
    open_leg(control, "b", gone)
    control.send(Connect(source="a", sink="b"), Connect(source="a", sink="a"))
    latch(control, a, "a")
    latch(control, gone, "b")
    gone.close()
    heard = talk([a], seconds=1.0)[a]

    assert len(heard) == 50
    control.send(CloseLeg(leg="b"))
    assert control.wait(LegClosed).quality.refused >= 10


@pytest.mark.parametrize("direction", [Direction.RECVONLY, Direction.INACTIVE])
def test_nothing_is_sent_on_hold(control: Control, ends: list[FarEnd], direction: Direction) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    control.send(Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True))
    latch(control, a, "a")
    control.send(a.remote("a", direction=direction))
    control.settle()
    a.hear()
    time.sleep(0.3)
    assert a.hear() == []

    control.send(a.remote("a"))
    assert len(a.hear_until(lambda packets: len(packets) >= 10)) >= 10
