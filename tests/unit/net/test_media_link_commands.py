"""Commands on their way to the media process, and its events back."""

from __future__ import annotations

import pytest

from engine.media.commands import CloseLeg, ListLegs, Shutdown, StopPlay
from engine.media.events import PlayFinished
from engine.media.framing import encode
from engine.net.media_link import GATHER_S
from tests.support.media_link_rig import WELCOME, Rig


def test_commands_go_out_in_order_and_wait_for_the_welcome() -> None:
    rig = Rig()
    line = rig.answered()
    line.heard()
    rig.link.send([ListLegs()])
    assert line.heard() == []
    line.say(WELCOME)
    assert line.heard() == [ListLegs()]
    rig.reactor.advance(GATHER_S)
    rig.link.send([ListLegs(), Shutdown()])
    assert line.heard() == [ListLegs(), Shutdown()]


def test_commands_that_follow_soon_after_others_travel_together() -> None:
    rig = Rig()
    line = rig.welcomed()
    line.heard()
    rig.reactor.advance(GATHER_S)
    rig.link.send([StopPlay(leg="1")])
    assert line.heard() == [StopPlay(leg="1")]
    rig.reactor.advance(0.4 * GATHER_S)
    rig.link.send([StopPlay(leg="2")])
    rig.reactor.advance(0.4 * GATHER_S)
    rig.link.send([StopPlay(leg="3")])
    assert line.heard() == []
    rig.reactor.advance(0.2 * GATHER_S)
    assert line.heard() == [StopPlay(leg="2"), StopPlay(leg="3")]
    rig.reactor.advance(GATHER_S)
    rig.link.send([StopPlay(leg="4")])
    assert line.heard() == [StopPlay(leg="4")]


def test_to_close_legs_waits_a_moment_for_company() -> None:
    rig = Rig()
    line = rig.welcomed()
    rig.reactor.advance(GATHER_S)
    rig.link.send([CloseLeg(leg="1")])
    rig.link.send([CloseLeg(leg="2")])
    rig.reactor.advance(1.0)
    assert line.heard() == []
    rig.link.flush()
    assert line.heard() == [CloseLeg(leg="1"), CloseLeg(leg="2")]
    rig.reactor.advance(1.0)
    rig.link.send([CloseLeg(leg="3")])
    rig.link.send([StopPlay(leg="4")])
    assert line.heard() == [CloseLeg(leg="3"), StopPlay(leg="4")]
    rig.reactor.advance(1.0)
    rig.link.send([CloseLeg(leg="5"), StopPlay(leg="6")])
    assert line.heard() == [CloseLeg(leg="5"), StopPlay(leg="6")]


def test_what_was_gathered_is_dropped_with_the_connection() -> None:
    rig = Rig()
    line = rig.welcomed()
    rig.link.send([StopPlay(leg="1")])
    rig.link.send([StopPlay(leg="2")])
    line.heard()
    line.hang_up()
    rig.reactor.advance(2 * GATHER_S)
    assert line.heard() == []


def test_commands_without_a_media_process_are_dropped() -> None:
    rig = Rig()
    rig.link.send([ListLegs()])
    line = rig.welcomed()
    assert line.heard() == []


def test_events_reach_the_sink_as_they_come() -> None:
    rig = Rig()
    line = rig.welcomed()
    finished = PlayFinished(leg="l", player="p")
    data = encode(finished)
    line.raw(data[:5])
    assert rig.sink.events == [WELCOME]
    line.raw(data[5:])
    assert rig.sink.events == [WELCOME, finished]


def test_commands_go_straight_to_the_socket() -> None:
    rig = Rig()
    line = rig.welcomed()
    line.heard()
    rig.reactor.advance(GATHER_S)
    rig.link.send([ListLegs()])
    assert line.transport.value() == b""
    assert line.heard() == [ListLegs()]


@pytest.mark.parametrize("room", [0, 3])
def test_what_the_socket_has_no_room_for_follows_in_order(room: int) -> None:
    rig = Rig()
    line = rig.welcomed()
    line.heard()
    rig.reactor.advance(GATHER_S)
    line.transport.kernel.room = room
    rig.link.send([ListLegs()])
    line.transport.kernel.room = 1 << 20
    rig.reactor.advance(GATHER_S)
    rig.link.send([Shutdown()])
    assert len(line.transport.kernel.taken) == room
    assert line.heard() == [ListLegs(), Shutdown()]


def test_a_socket_that_broke_is_told_of_by_its_end() -> None:
    rig = Rig()
    line = rig.welcomed()
    rig.reactor.advance(GATHER_S)
    line.transport.kernel.fault = BrokenPipeError()
    rig.link.send([ListLegs()])
    assert rig.sink.losses == []
    line.hang_up()
    assert len(rig.sink.losses) == 1
