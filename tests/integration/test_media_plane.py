"""The media process on real sockets: latching, strangers, both paths, music, digits, RTCP, silence, the end."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine.media.codecs import decode
from engine.media.commands import (
    CloseLeg,
    Codec,
    Connect,
    Direction,
    DtmfDigit,
    Latched,
    LegClosed,
    LegFailed,
    LegOpened,
    OpenLeg,
    PlaneStats,
    Play,
    PlayFinished,
    Quality,
    RtpResumed,
    RtpTimeout,
    SendDtmf,
    Spares,
    StopPlay,
    Tone,
)
from engine.media.rtcp import Bye, ReportBlock, SenderReport, parse
from tests.support.media_fakes import sine_frames
from tests.support.media_plane import Control, FarEnd, Packet, Plane, open_leg, start_plane, talk
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.tones import Audio, gaps, tone_dbfs

pytestmark = pytest.mark.integration
SOUNDS = Path(__file__).parents[2] / "dialplans" / "sounds"


@pytest.fixture
def plane(procs: Processes, ports: PortPool, tmp_path: Path) -> Iterator[Plane]:
    block = ports.block(20, even=True)
    plane = start_plane(procs, tmp_path, port_min=block[0], port_max=block[-2], rtp_timeout_s=1.0)
    yield plane
    plane.close()


@pytest.fixture
def control(plane: Plane) -> Iterator[Control]:
    connection = plane.control()
    yield connection
    connection.close()


@pytest.fixture
def ends(ports: PortPool) -> Iterator[list[FarEnd]]:
    """Four far ends; the fourth lives at another address."""
    made = [FarEnd(ports.block(2, even=True).start) for _ in range(3)]
    made.append(FarEnd(ports.block(2, even=True).start, "127.0.0.9"))
    yield made
    for end in made:
        end.close()


def audio(packets: list[Packet], codec: Codec = Codec.PCMU) -> Audio:
    codes = np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8)
    return Audio(rate=8000, samples=decode(codes, codec).astype(float) / 32768)


def latch(control: Control, end: FarEnd, leg: str) -> None:
    """Speak once, and let that packet go by."""
    end.speak()
    control.wait(Latched, where=lambda event: event.leg == leg)
    control.settle()
    end.hear()


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
def test_an_echo_keeps_level_and_has_no_gap(control: Control, ends: list[FarEnd], mixed: bool) -> None:
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
    assert tone_dbfs(sound, 1004) == pytest.approx(expected, abs=0.3)
    assert gaps(sound, 1004, longer_than_ms=40) == []


@pytest.mark.timing
def test_music_from_a_file_is_heard_before_and_after_the_peer_speaks(control: Control, ends: list[FarEnd]) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    control.send(Play(leg="a", player="moh", file=str(SOUNDS / "hold-music.wav"), loop=True))
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
        Play(leg="a", player="1", file=str(tmp_path / "none.wav")),
        Play(leg="a", player="2", file=str(tmp_path / "bad.wav")),
        Play(leg="a", player="3", file=str(tmp_path)),
    )
    reasons = [control.wait(LegFailed).reason]
    # The first two are replaced by the last one before they fail.
    assert "Is a directory" in reasons[0]
    control.send(Play(leg="a", player="1", file=str(tmp_path / "none.wav")))
    assert "none.wav: No such file" in control.wait(LegFailed).reason
    control.send(Play(leg="a", player="2", file=str(tmp_path / "bad.wav")))
    assert "not a PCM WAV" in control.wait(LegFailed).reason
    control.send(Play(leg="a", player="4", file=str(SOUNDS / "announcement.wav")))
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
    control.send(Play(leg="a", player="p", tone=Tone.MILLIWATT, loop=True))
    latch(control, a, "a")
    control.send(a.remote("a", direction=direction))
    control.settle()
    a.hear()
    time.sleep(0.3)
    assert a.hear() == []

    control.send(a.remote("a"))
    assert len(a.hear_until(lambda packets: len(packets) >= 10)) >= 10


def test_not_one_packet_after_the_leg_is_closed(control: Control, ends: list[FarEnd]) -> None:
    a, b = ends[:2]
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(
        Connect(source="a", sink="b"), Connect(source="b", sink="a"), Play(leg="b", player="p", tone=Tone.BUSY)
    )
    latch(control, a, "a")
    latch(control, b, "b")
    talk([a, b], seconds=0.2)
    control.send(SendDtmf(leg="b", digits="123"), CloseLeg(leg="b"))
    control.wait(LegClosed)
    b.hear()
    heard = talk([a, b], seconds=0.5)

    assert heard[b] == []
    assert heard[a] == []


def test_ports_are_returned_and_rest(plane: Plane, control: Control) -> None:
    """Ten pairs, of which two are spare: each is given once before any comes again."""
    given = []
    for number in range(25):
        control.send(OpenLeg(leg=str(number), tag=""))
        given.append(control.wait(LegOpened).port)
        control.send(CloseLeg(leg=str(number)))
        control.wait(LegClosed)
    pairs = list(range(plane.options.port_min, plane.options.port_max + 1, 2))

    assert given == (pairs[2:] * 4)[:25]


def test_a_leg_is_open_on_a_spare_pair_as_soon_as_it_is_asked_for_and_hears_nothing_of_what_came_before(
    plane: Plane, ends: list[FarEnd]
) -> None:
    control = plane.control()
    (port, other) = control.wait(Spares).ports
    ends[0].leg_port = port
    ends[0].speak()
    time.sleep(0.05)
    control.send(OpenLeg(leg="a", tag="", port=port), ends[0].remote("a"))
    assert not [event for event in control.collect(0.3) if isinstance(event, Latched)]
    ends[0].speak()
    assert control.wait(Latched).leg == "a"
    # The stock is filled up when more than half of it is gone, and no port is spare twice.
    control.send(OpenLeg(leg="b", tag="", port=other), OpenLeg(leg="c", tag="", port=port))
    fresh = control.wait(Spares).ports
    assert control.wait(LegFailed).leg == "c"
    assert not {port, other} & set(fresh)
    # Who commands next is told of all that is spare.
    control.close()
    successor = plane.control()
    assert successor.wait(Spares).ports == fresh
    successor.close()


def test_pairs_that_become_free_after_all_were_used_are_spare_again(plane: Plane, control: Control) -> None:
    legs = [str(port) for port in range(plane.options.port_min, plane.options.port_max + 1, 2)]
    control.send(*[OpenLeg(leg=leg, tag="") for leg in legs])
    for _ in legs:
        control.wait(LegOpened)
    control.collect(0.1)  # the spare pairs of the beginning, which are used up too
    control.send(*[CloseLeg(leg=leg) for leg in legs])
    assert len(control.wait(Spares, timeout=3).ports) == len(legs) // 4


def test_a_port_that_another_program_holds_is_skipped_counted_and_logged_once(plane: Plane, control: Control) -> None:
    taken = plane.options.port_min + 6  # the first ones are spare
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", taken + 1))
        for turn in range(3):
            legs = [f"{turn}-{number}" for number in range(9)]
            for leg in legs:
                assert open_leg(control, leg) != taken
            control.send(OpenLeg(leg="one too many", tag=""))
            assert "no free pair" in control.wait(LegFailed).reason
            control.wait(PlaneStats, where=lambda event: event.ports_taken == 1, timeout=3)
            control.send(*[CloseLeg(leg=leg) for leg in legs])
            for _ in legs:
                control.wait(LegClosed)
    assert plane.process.text().count(f"port={taken} ") == 1
    assert taken in [open_leg(control, f"again {number}") for number in range(10)]


def test_ticks_are_counted_while_somebody_is_served_by_them(control: Control, ends: list[FarEnd]) -> None:
    open_leg(control, "a", ends[0])
    still = control.wait(PlaneStats, where=lambda event: event.legs == 1, timeout=3)
    assert still.ticks == 0, "packets are passed on without"
    control.send(Play(leg="a", player="p", tone=Tone.BUSY, loop=True))
    first = control.wait(PlaneStats, where=lambda event: event.legs == 1, timeout=3)
    second = control.wait(PlaneStats, where=lambda event: event.ticks > first.ticks + 20, timeout=3)

    assert second.lateness_max_ms >= second.lateness_p50_ms >= 0
    assert second.cpu_s > 0


def test_legs_without_number_open_and_close(plane: Plane, control: Control, ends: list[FarEnd]) -> None:
    """Nothing of a closed leg stays: neither descriptor nor memory that grows."""
    process = psutil.Process(plane.process.pid)
    open_leg(control, "a", ends[0])
    before = process.num_fds()
    for number in range(200):
        control.send(OpenLeg(leg=f"x{number}", tag=""), Connect(source="a", sink=f"x{number}"))
        control.send(CloseLeg(leg=f"x{number}"))
    for _ in range(200):
        control.wait(LegClosed)
    wait_until(lambda: process.num_fds() == before, timeout=3, what="descriptors are closed")
