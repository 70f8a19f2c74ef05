"""The media process and who commands it: hello, replacement, crash of control, bad input, the end."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.media.client import MediaConnection, attach, spawn
from engine.media.commands import (
    PROTOCOL_VERSION,
    CloseLeg,
    Connect,
    Drain,
    Hello,
    ListLegs,
    OpenLeg,
    Play,
    Shutdown,
    Sound,
    Tone,
)
from engine.media.events import LegClosed, LegFailed, Legs, PlaneStats, Refused, RtpTimeout, Welcome
from engine.media.framing import encode
from engine.media.io_control import PATIENCE_S
from engine.media.options import PlaneOptions
from tests.support.media_plane import SECRET, Control, FarEnd, Plane, open_leg, start_plane, talk
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def plane(procs: Processes, ports: PortPool, tmp_path: Path) -> Iterator[Plane]:
    block = ports.block(12, even=True)
    plane = start_plane(
        procs, tmp_path, port_min=block[0], port_max=block[-2], dead_s=1.0, idle_exit_s=1.5, orphan_s=60.0
    )
    yield plane
    plane.close()


@pytest.fixture
def ends(ports: PortPool) -> Iterator[list[FarEnd]]:
    made = [FarEnd(ports.block(2, even=True).start) for _ in range(2)]
    yield made
    for end in made:
        end.close()


def bridge(control: Control, ends: list[FarEnd]) -> None:
    for name, end in zip("ab", ends, strict=True):
        open_leg(control, name, end)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"))
    talk(ends, seconds=0.1)


def test_people_go_on_talking_when_control_is_killed_and_a_new_one_finds_them(
    plane: Plane, ends: list[FarEnd], procs: Processes
) -> None:
    control = plane.control()
    bridge(control, ends)
    control.send(Play(leg="a", player="p", playlist=(Sound(tone=Tone.CONFIRM),)))
    control.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))
    control.close()
    heard = talk(ends, seconds=2.0)  # longer than the process waits when it is idle

    assert all(len(heard[end]) >= 99 for end in ends)
    again = plane.control()
    assert again.connection.welcome is not None
    assert again.connection.welcome.legs == 2
    again.send(ListLegs())
    legs = again.wait(Legs).legs
    assert {(leg.leg, leg.tag) for leg in legs} == {("a", "tag of a"), ("b", "tag of b")}
    assert {leg.port for leg in legs} == {end.leg_port for end in ends}
    again.send(CloseLeg(leg="a"), CloseLeg(leg="b"))
    assert again.wait(LegClosed).quality.packets_received >= 99
    again.close()


def test_a_silent_leg_is_told_to_the_control_process_that_comes_next(plane: Plane, ends: list[FarEnd]) -> None:
    control = plane.control()
    bridge(control, ends)
    control.wait(RtpTimeout, timeout=4)
    control.wait(RtpTimeout, timeout=4)
    control.close()
    again = plane.control()
    again.send(ListLegs())
    again.wait(Legs)

    assert {again.wait(RtpTimeout, timeout=3).leg for _ in range(2)} == {"a", "b"}
    again.close()


def test_news_of_a_closed_leg_waits_for_company_and_for_no_more(plane: Plane) -> None:
    control = plane.control()
    for leg in "axyzbc":
        open_leg(control, leg)
    control.settle()
    waited = []
    for leg in "axyz":  # one of them may find company in the figures that are told once a second
        began = time.monotonic()
        control.send(CloseLeg(leg=leg))
        assert control.wait(LegClosed).leg == leg
        waited.append(time.monotonic() - began)
    assert max(waited) > 0.8 * PATIENCE_S
    began = time.monotonic()
    control.send(CloseLeg(leg="b"), ListLegs())
    assert control.wait(LegClosed).leg == "b"
    assert [info.leg for info in control.wait(Legs).legs] == ["c"]
    assert time.monotonic() - began < PATIENCE_S + 0.5
    control.send(CloseLeg(leg="c"))
    assert control.wait(LegClosed).leg == "c"
    control.close()


def test_a_new_connection_replaces_the_old_one(plane: Plane) -> None:
    old = plane.control()
    open_leg(old, "a")
    new = plane.control()

    assert old.closed()
    new.send(CloseLeg(leg="a"))
    new.wait(LegClosed)
    old.close(), new.close()


BAD_GREETINGS = [
    (encode(Hello(version=PROTOCOL_VERSION, secret="wrong")), "wrong secret"),
    (encode(Hello(version=PROTOCOL_VERSION, secret="")), "wrong secret"),
    (encode(Hello(version=99, secret=SECRET)), f"version 99 is not {PROTOCOL_VERSION}"),
    (encode(OpenLeg(leg="a", tag="")), "first frame must be a Hello"),
    (encode(Shutdown()), "first frame must be a Hello"),
    (struct.pack("!I", 15) + b'["Hello",{"a":1', ""),
    (b"GET / HTTP/1.1\r\n\r\n", ""),
    (b"\xff" * 100, ""),
    (struct.pack("!I", 8) + b'["Nope",', ""),
]


def test_who_does_not_say_hello_rightly_is_shown_out(plane: Plane) -> None:
    control = plane.control()
    open_leg(control, "a")
    for first, reason in BAD_GREETINGS:
        guest = attach(plane.options.socket)
        assert guest is not None
        with guest:
            guest.setblocking(True)
            guest.settimeout(3)
            guest.sendall(first)
            answer = b""
            while data := guest.recv(65536):
                answer += data
        if reason:
            (refused,) = MediaConnection("x").feed(answer)
            assert isinstance(refused, Refused)
            assert reason in refused.reason
        else:
            assert answer == b""
    control.send(ListLegs())
    assert len(control.wait(Legs).legs) == 1
    control.close()


BAD_FRAMES = [
    b'["OpenLeg",{"leg":5,"tag":""}]',
    b'["OpenLeg",{"leg":"a"}]',
    b'["OpenLeg",{"leg":"a","tag":"","more":1}]',
    b'["SetRemote",{"leg":"a","address":"127.0.0.1","port":"5"}]',
    b'["Connect",{"source":"a","sink":"a","gain_db":NaN}]',
    b'["Connect",{"source":["a"],"sink":{"b":1}}]',
    b'["Welcome",{"version":2,"pid":1,"port_min":1,"port_max":1,"legs":0}]',
    b'["Hello",{"version":2,"secret":"x"}]',
    b'["Play",{"leg":"a","player":"p","tone":"waltz"}]',
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 5000,
]


def test_a_bad_frame_costs_the_connection_and_no_leg(plane: Plane, ends: list[FarEnd]) -> None:
    control = plane.control()
    bridge(control, ends)
    for frame in BAD_FRAMES:
        control.socket.sendall(struct.pack("!I", len(frame)) + frame)
        assert control.closed(), frame
        control.close()
        heard = talk(ends, seconds=0.06)
        assert all(len(heard[end]) == 3 for end in ends), frame
        control = plane.control()
    control.send(ListLegs())
    assert {leg.leg for leg in control.wait(Legs).legs} == {"a", "b"}
    assert "Traceback" not in plane.process.text()
    control.close()


def test_ten_thousand_mutated_packets_harm_nothing(plane: Plane, ends: list[FarEnd]) -> None:
    """Both before and after the latch, on RTP and RTCP; the next packet is passed on as ever."""
    chance = random.Random(3550)
    control = plane.control()
    bridge(control, ends)
    control.send(Connect(source="a", sink="b", gain_db=-3.0))
    open_leg(control, "c")
    a, b = ends
    rtp = struct.pack("!BBHII", 0x80, 0, 7, 160, a.ssrc) + b"\x80" * 160
    event = struct.pack("!BBHIIBBH", 0x80, 101, 8, 320, a.ssrc, 5, 0x8A, 800)
    report = struct.pack("!BBHIIIIIIIIIIII", 0x81, 200, 12, *([a.ssrc] * 12))
    for number in range(10_000):
        packet = bytearray(chance.choice([rtp, event, report]))
        for _ in range(chance.randint(1, 8)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        packet = packet[: chance.randint(0, len(packet))] if chance.random() < 0.3 else packet
        target = chance.choice([a.leg_port, a.leg_port + 1, b.leg_port, b.leg_port + 1])
        chance.choice([a.rtp, a.rtcp, b.rtp, b.rtcp]).sendto(packet, ("127.0.0.1", target))
        if number % 200 == 0:
            time.sleep(0.01)
    time.sleep(0.3)
    control.send(Connect(source="a", sink="b"))
    time.sleep(2)  # some mutants were keys, which are sent on one after the other before there is sound again
    for end in ends:
        end.ssrc += 1
        end.hear()
    heard = talk(ends, seconds=0.4)

    assert all(len(heard[end]) == 20 for end in ends)
    assert plane.process.running
    assert "Traceback" not in plane.process.text()
    control.send(Shutdown())
    plane.process.wait(timeout=5)
    control.close()


def test_without_control_and_legs_it_ends_itself(plane: Plane) -> None:
    control = plane.control()
    control.collect(2.2)
    assert plane.process.running
    control.close()

    assert plane.process.wait(timeout=5) == 0
    assert not plane.options.socket.exists()


def test_legs_that_nobody_commands_and_nobody_speaks_on_are_closed_in_the_end(
    procs: Processes, ports: PortPool, ends: list[FarEnd], tmp_path: Path
) -> None:
    block = ports.block(12, even=True)
    plane = start_plane(procs, tmp_path, port_min=block[0], port_max=block[-2], idle_exit_s=1.0, orphan_s=1.5)
    control = plane.control()
    bridge(control, ends)
    control.close()
    talk(ends, seconds=2.5)
    assert plane.process.running

    assert plane.process.wait(timeout=8) == 0


def test_drain_ends_with_the_last_leg(plane: Plane) -> None:
    control = plane.control()
    open_leg(control, "a")
    control.send(Drain(), OpenLeg(leg="b", tag=""))
    assert "draining" in control.wait(LegFailed).reason
    control.collect(1.2)
    assert plane.process.running
    control.send(CloseLeg(leg="a"))
    control.wait(LegClosed)

    assert plane.process.wait(timeout=5) == 0
    control.close()


def test_shutdown_tells_of_every_leg_before_the_end(plane: Plane, ends: list[FarEnd]) -> None:
    control = plane.control()
    bridge(control, ends)
    control.send(Shutdown())

    assert {control.wait(LegClosed).leg for _ in range(2)} == {"a", "b"}
    assert plane.process.wait(timeout=5) == 0
    control.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.usefixtures("hang_ups_count")
def test_a_signal_ends_it_as_shutdown_does(plane: Plane, ends: list[FarEnd], number: signal.Signals) -> None:
    control = plane.control()
    bridge(control, ends)
    plane.process.send_signal(number)

    assert {control.wait(LegClosed).leg for _ in range(2)} == {"a", "b"}
    assert plane.process.wait(timeout=5) == 0
    control.close()


def test_a_second_process_on_the_same_socket_says_so(plane: Plane, procs: Processes) -> None:
    control = plane.control()
    second = procs.start("second", [sys.executable, "-m", "engine.media.plane", *plane.options.arguments()])

    assert second.wait(timeout=10) == 1
    assert "another media process answers" in second.text()
    control.send(ListLegs())
    control.wait(Legs)
    control.close()


def test_the_socket_of_a_process_that_was_killed_is_taken_over(plane: Plane, procs: Processes) -> None:
    plane.control().close()
    plane.process.kill()
    assert plane.options.socket.exists()
    again = procs.start("again", [sys.executable, "-m", "engine.media.plane", *plane.options.arguments()])
    control = Plane(process=again, options=plane.options).control()
    control.send(Shutdown())

    assert again.wait(timeout=5) == 0
    control.close()


@pytest.mark.parametrize(
    ("argument", "status", "says"),
    [
        (("--port-min", "99"), 2, "port range 99"),
        (("--secret-file", "/nonexistent/secret"), 1, "/nonexistent/secret"),
        (("--socket", "/nonexistent/media.sock"), 1, "/nonexistent/media.sock"),
        (("--port-min", "many"), 2, "invalid int"),
    ],
)
def test_a_start_that_cannot_work_says_why(
    plane: Plane, procs: Processes, argument: tuple[str, str], status: int, says: str
) -> None:
    process = procs.start("bad", [sys.executable, "-m", "engine.media.plane", *plane.options.arguments(), *argument])

    assert process.wait(timeout=10) == status
    assert says in process.text()
    assert "Traceback" not in process.text()


def test_only_we_may_connect(plane: Plane) -> None:
    plane.control().close()

    assert plane.options.socket.stat().st_mode & 0o777 == 0o600


def test_spawned_it_lives_in_a_session_of_its_own(ports: PortPool, tmp_path: Path) -> None:
    block = ports.block(4, even=True)
    (tmp_path / "secret").write_text("s")
    options = PlaneOptions(
        socket=tmp_path / "m.sock",
        secret_file=tmp_path / "secret",
        port_min=block[0],
        port_max=block[2],
        idle_exit_s=0.5,
    )
    process = spawn(options, log=subprocess.DEVNULL, module=("-m", "engine.media.plane"))
    assert os.getsid(process.pid) == process.pid
    wait_until(
        lambda: (sock := attach(options.socket)) is not None and (sock.close() or True), timeout=10, what="it listens"
    )

    assert process.wait(timeout=10) == 0


@pytest.mark.timing(stall_ms=100)
def test_stats_come_every_second(plane: Plane) -> None:
    control = plane.control()
    events = control.collect(3.3)

    assert 3 <= len([event for event in events if isinstance(event, PlaneStats)]) <= 4
    assert not [event for event in events if isinstance(event, Welcome)]
    control.close()
