from __future__ import annotations

import pytest

from engine.media.commands import (
    CloseLeg,
    Codec,
    Connect,
    Direction,
    ListLegs,
    OpenLeg,
    Play,
    SetRemote,
    Sound,
    SrtpKeys,
    SrtpSuite,
    Tone,
)
from engine.media.events import LegClosed, LegInfo, LegOpened, Legs, Quality, Spares
from engine.media.framing import Framer, Message, WireError, decode, encode

QUALITY = Quality(
    leg="l1",
    packets_received=1,
    packets_sent=2,
    octets_received=320,
    lost=-1,
    jitter_ms=1.5,
    remote_lost=None,
    remote_jitter_ms=0.1,
    round_trip_ms=None,
    strangers=0,
    refused=0,
)
MESSAGES: list[Message] = [
    ListLegs(),
    CloseLeg(leg="l1"),
    Connect(source="a", sink="b", gain_db=-6.5),
    LegOpened(leg='quoted " back\\slash \n \x00 \u00fc \U0001f4de', port=20002),
    SetRemote(
        leg="l1",
        address="192.0.2.1",
        port=4000,
        flow_address="198.51.100.7",
        codec=Codec.PCMA,
        payload_type=8,
        dtmf_payload_type=None,
        direction=Direction.SENDONLY,
    ),
    SetRemote(
        leg="l1",
        address="192.0.2.1",
        port=4000,
        flow_address="198.51.100.7",
        codec=Codec.PCMA,
        payload_type=8,
        dtmf_payload_type=None,
        direction=Direction.SENDONLY,
        srtp=SrtpKeys(suite=SrtpSuite.AEAD_AES_256_GCM, ours="a", theirs="b", mki_octets=4),
    ),
    Play(leg="l1", player="p", playlist=(Sound(tone=Tone.BUSY),), loop=True, gain_db=0.0),
    Play(leg="l1", player="p", playlist=(Sound(file="/a b.wav"),), loop=False, gain_db=0.0),
    LegClosed(leg="l1", quality=QUALITY),
    Legs(legs=(LegInfo(leg="l1", tag="call x", port=20002), LegInfo(leg="l2", tag="", port=20004))),
    Legs(legs=()),
    Spares(ports=(20002, 20006)),
    Spares(ports=()),
    OpenLeg(leg="a", tag="t"),
    OpenLeg(leg="a", tag="t", port=20002),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    (read,) = Framer().feed(encode(message))
    assert read == message
    assert [type(getattr(read, name)) for name in type(message).__slots__] == [
        type(getattr(message, name)) for name in type(message).__slots__
    ]


def test_frames_may_come_in_any_pieces() -> None:
    stream = b"".join(encode(message) for message in MESSAGES)
    framer = Framer()
    assert [message for at in range(len(stream)) for message in framer.feed(stream[at : at + 1])] == MESSAGES
    assert list(Framer().feed(stream)) == MESSAGES


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"[]",
        b'["CloseLeg"]',
        b'["Unknown",{}]',
        b'["CloseLeg",{}]',
        b'["CloseLeg",{"leg":"l1"}] ',
        b'["CloseLeg",{"leg":"l1"}]{}',
        b'["Play",{"leg":"l1"}]',
        b"[" * 100_000,
        b'["CloseLeg",' + b'{"leg":' * 100_000,
    ],
    ids=lambda body: repr(body[:32]),
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode(body)
