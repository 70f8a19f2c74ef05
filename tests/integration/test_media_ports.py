"""Ports of the media process: opened, closed, spare, held by others; and what it counts."""

from __future__ import annotations

import socket
import time

import psutil
import pytest

from engine.media.commands import CloseLeg, Connect, OpenLeg, Play, SendDtmf, Sound, Tone
from engine.media.events import Latched, LegClosed, LegFailed, LegOpened, PlaneStats, Spares
from tests.support.media_listening import latch
from tests.support.media_plane import Control, FarEnd, Plane, open_leg, talk
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration


def test_not_one_packet_after_the_leg_is_closed(control: Control, ends: list[FarEnd]) -> None:
    a, b = ends[:2]
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(
        Connect(source="a", sink="b"),
        Connect(source="b", sink="a"),
        Play(leg="b", player="p", playlist=(Sound(tone=Tone.BUSY),)),
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


def test_sound_and_reports_are_marked_as_sound(control: Control, ends: list[FarEnd]) -> None:
    end = ends[0]
    for each in (end.rtp, end.rtcp):
        each.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    open_leg(control, "a", end)
    control.send(Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),)))
    latch(control, end, "a")
    for each in (end.rtp, end.rtcp):
        each.settimeout(10)
        _, extra, _, _ = each.recvmsg(2048, 64)
        assert extra == [(socket.IPPROTO_IP, socket.IP_TOS, bytes([46 << 2]))]


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
    control.send(Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),), loop=True))
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
