"""A phone whose sound comes from elsewhere in the middle of a call is heard again, and nobody else ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_centre import STRANGER_HOST, LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration

ELSEWHERE = "127.0.0.41"


@pytest.fixture
def centre(session_ports: PortPool, tmp_path: Path) -> Iterator[LiveCentre]:
    with running_centre(session_ports, tmp_path) as centre:
        yield centre


def talking(centre: LiveCentre) -> tuple[PlainPhone, PlainPhone, Talk]:
    agent = centre.agent("anna", "demo", host="127.0.0.40", instance="urn:uuid:00000000-0000-0000-0000-000000000001")
    caller = centre.caller()
    talk, _ = centre.connect(caller, agent)
    return caller, agent, talk


def spray(port: int, *, packets: int) -> int:
    """A stranger sends a good stream to a port of a call; how much he gets for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER_HOST, 0))
        for seq in range(packets):
            header = b"\x80\x00" + seq.to_bytes(2) + (seq * 160).to_bytes(4) + b"evil"
            stranger.sendto(header + b"\x99" * 160, ("127.0.0.1", port))
            time.sleep(0.02)
        stranger.setblocking(False)
        got = 0
        while True:
            try:
                stranger.recv(2048)
            except BlockingIOError:
                return got
            except ConnectionRefusedError:
                continue
            got += 1


def port_of(phone: PlainPhone) -> int:
    """Of ours that the phone sends to."""
    assert phone.voice.peer is not None
    return phone.voice.peer[1]


def test_sound_that_comes_from_another_port_is_heard_again_within_seconds(centre: LiveCentre) -> None:
    caller, agent, talk = talking(centre)
    before = port_of(agent)
    agent.rebind()
    began = time.monotonic()
    assert spray(before, packets=50) == 0, "while the real one is silent"
    centre.hear_each_other(caller, agent, timeout=6)
    assert time.monotonic() - began < 6
    assert port_of(agent) != before
    assert caller.voice.heard[0x99] == []
    assert [each.method for each in agent.heard].count("INVITE") == 2
    # The pair of before is closed, and a second time works as well.
    agent.rebind()
    centre.hear_each_other(caller, agent, timeout=9)
    assert talk.hang_up().status == 200
    centre.at_rest()


def test_a_phone_on_another_network_is_heard_there_as_soon_as_it_has_registered(centre: LiveCentre) -> None:
    caller, agent, talk = talking(centre)
    before = port_of(agent)
    agent.wander(ELSEWHERE)
    assert agent.register().status == 200
    began = time.monotonic()
    centre.hear_each_other(caller, agent, timeout=3)
    assert time.monotonic() - began < 2.5, "nobody waits for three seconds of silence"
    assert port_of(agent) != before
    assert talk.hang_up().status == 200
    centre.at_rest()
