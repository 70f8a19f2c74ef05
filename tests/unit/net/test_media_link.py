from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from engine.media.commands import (
    PROTOCOL_VERSION,
    CloseLeg,
    Command,
    Hello,
    ListLegs,
    MediaEvent,
    PlayFinished,
    Refused,
    Shutdown,
    StopPlay,
    Welcome,
)
from engine.media.framing import Framer, encode
from engine.net.media_link import GATHER_S, MediaLink

PATH = Path("/run/media.sock")
OWN = Path(f"/run/media.v{PROTOCOL_VERSION}.sock")
WELCOME = Welcome(version=PROTOCOL_VERSION, pid=42, port_min=20002, port_max=20010, legs=0)


class Child:
    """A media process that does as it is told, or does not."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.returncode: int | None = None
        self.told: list[str] = []
        self._deaf = deaf

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")
        self._deaf = False

    def wait(self, timeout: float | None = None) -> int:
        if self._deaf:
            raise subprocess.TimeoutExpired("media", timeout or 0)
        self.told.append("reaped")
        return 0


class Sink:
    def __init__(self) -> None:
        self.events: list[MediaEvent] = []
        self.losses: list[str] = []

    def media_events(self, events: Sequence[MediaEvent]) -> None:
        self.events += events

    def media_lost(self, detail: str) -> None:
        self.losses.append(detail)


class Kernel:
    """A socket's buffer: takes as many octets as it has room for."""

    def __init__(self) -> None:
        self.room = 1 << 20
        self.fault: OSError | None = None
        self.taken = b""

    def send(self, data: bytes) -> int:
        if self.fault is not None:
            raise self.fault
        if not self.room:
            raise BlockingIOError
        part = data[: self.room]
        self.room -= len(part)
        self.taken += part
        return len(part)


class Transport(StringTransport):
    """Keeps what is written to Twisted; what goes past it, to the socket, is the kernel's."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()

    def getHandle(self) -> Kernel:
        return self.kernel


class Line:
    """The media process's end of one connection."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._framer = Framer()
        self.transport = Transport()
        protocol.makeConnection(self.transport)

    def heard(self) -> list[Command | MediaEvent]:
        """What the link has written since."""
        kernel = self.transport.kernel
        data = kernel.taken + self.transport.value()
        kernel.taken = b""
        self.transport.clear()
        return list(self._framer.feed(data))

    def say(self, *events: MediaEvent) -> None:
        self.raw(b"".join(encode(event) for event in events))

    def raw(self, data: bytes) -> None:
        self._protocol.dataReceived(data)

    def hang_up(self) -> None:
        self._protocol.connectionLost(Failure(ConnectionDone()))


class Rig:
    def __init__(self, *, spawns: bool = True, deaf: bool = False) -> None:
        self.reactor = MemoryReactorClock()
        self.sink = Sink()
        self.notes: list[str] = []
        self.children: list[Child] = []
        self.spawned_at: list[Path] = []
        self.fault: OSError | None = None
        self._deaf = deaf
        self.link = MediaLink(
            cast(Any, self.reactor),
            path=PATH,
            secret="s3cret",
            spawn=self._spawn if spawns else None,
            note=self.notes.append,
        )
        self.link.start(self.sink)

    def _spawn(self, path: Path) -> subprocess.Popen[bytes]:
        if self.fault is not None:
            raise self.fault
        self.spawned_at.append(path)
        self.children.append(Child(deaf=self._deaf))
        return cast("subprocess.Popen[bytes]", self.children[-1])

    @property
    def tried(self) -> list[str]:
        """Paths of all attempts to connect so far."""
        return [client[0] for client in self.reactor.unixClients]

    def nobody_listens(self) -> None:
        """The last attempt fails."""
        self.reactor.unixClients[-1][1].clientConnectionFailed(None, Failure(ConnectError()))

    def answered(self) -> Line:
        """The last attempt finds somebody."""
        return Line(self.reactor.unixClients[-1][1].buildProtocol(None))

    def welcomed(self) -> Line:
        line = self.answered()
        line.say(WELCOME)
        line.heard()
        return line


def test_a_process_that_listens_already_is_taken_as_it_is() -> None:
    rig = Rig()
    line = rig.answered()
    assert line.heard() == [Hello(version=PROTOCOL_VERSION, secret="s3cret")]
    assert rig.link.pid is None
    line.say(WELCOME)
    assert rig.link.pid == 42
    assert rig.sink.events == [WELCOME]
    assert (rig.tried, rig.children) == ([str(PATH)], [])


def test_where_nobody_listens_one_is_started_and_tried_again_soon() -> None:
    rig = Rig()
    rig.nobody_listens()
    assert rig.spawned_at == [PATH]
    rig.reactor.advance(0.04)
    assert len(rig.tried) == 1
    rig.reactor.advance(0.02)
    assert len(rig.tried) == 2
    rig.nobody_listens()
    assert len(rig.children) == 1, "it is still on its way"


def test_a_process_that_ends_while_it_starts_is_told_and_started_again() -> None:
    rig = Rig()
    rig.nobody_listens()
    rig.children[0].returncode = 3
    rig.reactor.advance(0.06)
    rig.nobody_listens()
    assert len(rig.children) == 2
    assert rig.notes == ["the media process ended with status 3; starting it again"]


@pytest.mark.parametrize("ours", [True, False])
def test_a_process_that_hangs_is_ended(ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    rig = Rig(spawns=ours)
    line = rig.welcomed()
    for _ in range(3):
        rig.reactor.advance(4)
        line.say(PlayFinished(leg="l", player="p"))
    assert not line.transport.disconnecting
    rig.reactor.pump([1] * 10)
    assert killed == ([(42, signal.SIGKILL)] if ours else []), "another service's process is that service's to end"
    assert line.transport.disconnecting
    assert rig.notes == ["the media process said nothing for 5 s; ending it"]
    line.hang_up()
    assert rig.sink.losses == ["Connection was closed cleanly."]


def test_a_process_that_cannot_be_started_is_told_once_and_tried_until_it_can() -> None:
    rig = Rig()
    rig.fault = OSError(12, "Cannot allocate memory")
    for _ in range(3):
        rig.nobody_listens()
        rig.reactor.advance(0.06)
    assert rig.notes == ["the media process cannot be started: [Errno 12] Cannot allocate memory"]
    rig.fault = None
    rig.nobody_listens()
    rig.reactor.advance(0.06)
    rig.welcomed()
    assert rig.link.pid == 42


def test_after_five_seconds_in_vain_it_tries_once_a_second_and_says_so_once() -> None:
    rig = Rig(spawns=False)
    for _ in range(99):
        rig.nobody_listens()
        rig.reactor.advance(0.06)
    assert rig.notes == []
    for _ in range(3):
        attempts = len(rig.tried)
        rig.nobody_listens()
        rig.reactor.advance(0.9)
        assert len(rig.tried) == attempts
        rig.reactor.advance(0.11)
        assert len(rig.tried) == attempts + 1
    assert rig.notes == [f"still no media process at {PATH}; see its log"]


def test_a_welcome_after_a_long_wait_brings_the_quick_pace_back() -> None:
    rig = Rig(spawns=False)
    for _ in range(105):
        rig.nobody_listens()
        rig.reactor.advance(1.01)
    rig.welcomed().hang_up()
    attempts = len(rig.tried)
    rig.reactor.advance(0.06)
    assert len(rig.tried) == attempts + 1


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


def test_a_lost_process_is_told_once_and_another_is_found() -> None:
    rig = Rig()
    rig.nobody_listens()
    rig.reactor.advance(0.06)
    rig.welcomed().hang_up()
    assert rig.sink.losses == ["Connection was closed cleanly."]
    assert rig.link.pid is None
    rig.children[0].returncode = -9
    rig.reactor.advance(0.06)
    rig.nobody_listens()
    assert rig.notes == ["the media process ended with status -9; starting it again"]
    rig.reactor.advance(0.06)
    rig.welcomed()
    assert rig.link.pid == 42
    assert len(rig.children) == 2


def test_a_connection_that_was_never_welcomed_is_no_loss() -> None:
    rig = Rig()
    rig.answered().hang_up()
    assert rig.sink.losses == []
    rig.reactor.advance(0.06)
    assert len(rig.tried) == 2


def test_another_version_is_left_alone_and_ours_started_beside_it() -> None:
    rig = Rig()
    line = rig.answered()
    line.say(Refused(version=99, reason="version"))
    line.hang_up()
    assert rig.notes == ["a media process of version 99 refused us (version); starting our own"]
    assert (rig.sink.events, rig.sink.losses) == ([], [])
    rig.reactor.advance(0.06)
    rig.nobody_listens()
    assert rig.spawned_at == [OWN]
    rig.reactor.advance(0.06)
    rig.welcomed().hang_up()
    rig.reactor.advance(0.06)
    assert rig.tried == [str(PATH), str(OWN), str(OWN), str(OWN)]


@pytest.mark.parametrize("spawns", [True, False])
def test_whoever_refuses_again_or_is_not_ours_to_replace_is_asked_again_and_told_once(spawns: bool) -> None:
    rig = Rig(spawns=spawns)
    for _ in range(5):
        line = rig.answered()
        line.say(Refused(version=PROTOCOL_VERSION, reason="secret"))
        line.hang_up()
        rig.reactor.advance(0.06)
    told = f"a media process of version {PROTOCOL_VERSION} refused us (secret)"
    assert rig.notes == ([f"{told}; starting our own", told] if spawns else [told])
    assert set(rig.tried[1:]) == {str(OWN if spawns else PATH)}


def test_something_else_on_the_socket_is_left_and_told_once() -> None:
    rig = Rig()
    for _ in range(100):
        line = rig.answered()
        line.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert line.transport.disconnecting
        line.hang_up()
        rig.reactor.advance(0.06)
    assert len(rig.notes) == 1
    assert rig.notes[0].startswith("what listens on the media socket is no media process: ")
    assert len(rig.tried) == 100, "from now on it is asked slowly"
    rig.reactor.advance(1.0)
    assert len(rig.tried) == 101
    assert rig.sink.losses == []


def test_what_stood_in_the_way_is_told_anew_after_it_had_worked() -> None:
    rig = Rig()
    for round_ in range(2):
        line = rig.answered()
        line.raw(b"garbage!" * 4)
        line.hang_up()
        rig.reactor.advance(0.06)
        assert len(rig.notes) == round_ + 1
        rig.welcomed().hang_up()
        rig.reactor.advance(0.06)


def test_stop_shuts_the_process_down_and_reaps_it() -> None:
    rig = Rig()
    rig.nobody_listens()
    rig.reactor.advance(0.06)
    line = rig.welcomed()

    async def scene() -> None:
        stopping = asyncio.create_task(rig.link.stop())
        await asyncio.sleep(0)
        assert line.heard() == [Shutdown()]
        assert not stopping.done()
        line.hang_up()
        await stopping

    asyncio.run(scene())
    assert rig.children[0].told == ["reaped"]
    assert rig.sink.losses == [], "we wanted it to end"
    assert rig.reactor.getDelayedCalls() == []


def test_stop_leaves_a_process_that_another_service_runs() -> None:
    rig = Rig(spawns=False)
    line = rig.welcomed()

    async def scene() -> None:
        stopping = asyncio.create_task(rig.link.stop())
        await asyncio.sleep(0)
        assert line.heard() == []
        assert line.transport.disconnecting
        line.hang_up()
        await stopping

    asyncio.run(scene())


def test_stop_while_nobody_listens_yet_ends_the_child_and_tries_no_more() -> None:
    rig = Rig(deaf=True)
    rig.nobody_listens()
    asyncio.run(rig.link.stop())
    assert rig.children[0].told == ["terminate", "kill", "reaped"]
    assert rig.reactor.getDelayedCalls() == []


def test_a_connection_that_comes_up_while_we_stop_is_closed() -> None:
    rig = Rig()
    asyncio.run(rig.link.stop())
    line = rig.answered()
    assert line.transport.disconnecting
    line.hang_up()
    rig.link.not_connected()
    assert rig.reactor.getDelayedCalls() == []
    assert rig.children == []


def test_a_process_that_does_not_end_when_asked_is_left_after_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.net.media_link._STOP_S", 0.01)
    rig = Rig()
    line = rig.welcomed()
    asyncio.run(rig.link.stop())
    assert rig.notes == ["the media process did not end when asked"]
    assert line.transport.disconnecting


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
