from __future__ import annotations

import pytest

from engine.media.client import MediaConnection, State
from engine.media.commands import PROTOCOL_VERSION, Hello, ListLegs, OpenLeg
from engine.media.events import LegOpened, Refused, Welcome
from engine.media.framing import Framer, WireError, encode

WELCOME = Welcome(version=PROTOCOL_VERSION, pid=7, port_min=20002, port_max=29998, legs=0)


def said(connection: MediaConnection) -> list[object]:
    return list(Framer().feed(connection.data_to_send()))


def test_hello_comes_first_and_commands_wait_for_the_welcome() -> None:
    connection = MediaConnection("secret")
    connection.send(OpenLeg(leg="a", tag=""))
    assert said(connection) == [Hello(version=PROTOCOL_VERSION, secret="secret")]
    assert said(connection) == []

    assert connection.feed(encode(WELCOME)) == [WELCOME]
    assert connection.state is State.READY
    assert connection.welcome == WELCOME
    connection.send(ListLegs())
    assert said(connection) == [OpenLeg(leg="a", tag=""), ListLegs()]


def test_a_refusal_is_told_and_nothing_is_sent_any_more() -> None:
    connection = MediaConnection("secret")
    said(connection)
    connection.send(ListLegs())
    refused = Refused(reason="wrong secret", version=PROTOCOL_VERSION)

    assert connection.feed(encode(refused)) == [refused]
    assert connection.state is State.REFUSED
    connection.send(ListLegs())
    assert said(connection) == []


def test_events_come_whole_however_they_are_cut() -> None:
    connection = MediaConnection("secret")
    opened = LegOpened(leg="a", port=20002)
    data = encode(WELCOME) + encode(opened) * 2
    events = [event for at in range(len(data)) for event in connection.feed(data[at : at + 1])]

    assert events == [WELCOME, opened, opened]


@pytest.mark.parametrize(
    "data",
    [
        encode(LegOpened(leg="a", port=1)),
        encode(ListLegs()),
        encode(WELCOME) + encode(ListLegs()),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02{}",
        b"SSH-2.0-OpenSSH_9.2",
        b"\x00\x01\x86\xa0" + b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:32]),
)
def test_who_is_not_a_media_process_is_found_out(data: bytes) -> None:
    with pytest.raises(WireError):
        MediaConnection("secret").feed(data)
