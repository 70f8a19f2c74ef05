from __future__ import annotations

import asyncio
import os
import signal

import pytest

from engine.media.commands import PROTOCOL_VERSION, Hello, Shutdown
from engine.media.events import PlayFinished, Refused
from tests.support.media_link_rig import OWN, PATH, WELCOME, Rig


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
