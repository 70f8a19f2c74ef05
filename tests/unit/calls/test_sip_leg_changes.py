from __future__ import annotations

import pytest

from engine.calls.events import (
    Answered,
    Ended,
    Updated,
)
from engine.media.commands import Codec, Direction
from engine.sip.events import (
    OfferAnswered,
    OfferReceived,
    OfferRefused,
)
from engine.sip.flow import Address
from engine.sip.offer_answer import AudioCodec
from engine.sip.offer_answer import Direction as SdpDirection
from tests.support.sip_legs import (
    HANGUP,
    LEG,
    nothing_left,
    up_incoming,
    up_outgoing,
)
from tests.support.sip_pair import PBX, SipPair, description


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(SdpDirection.SENDONLY, Direction.RECVONLY), (SdpDirection.INACTIVE, Direction.INACTIVE)],
)
def test_hold_and_resume(theirs: SdpDirection, ours: Direction) -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.offer(session, description(direction=theirs, version=1), now=pair.now)
    pair.run()
    assert pair.last(Updated).leg == leg
    assert pair.last(Updated).media.direction is ours
    assert len(pair.all_far(OfferAnswered)) == 1
    pair.peer.offer(session, description(version=2), now=pair.now)
    pair.run()
    assert pair.last(Updated).media.direction is Direction.SENDRECV
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert answered.sdp is not None
    assert b"o=- 1 2 " in answered.sdp
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)


def test_a_refresh_of_the_session_changes_nothing() -> None:
    pair = SipPair()
    _, session = up_incoming(pair)
    pair.peer.offer(session, description(), now=pair.now)
    pair.run()
    assert len(pair.all_far(OfferAnswered)) == 1
    assert not any(isinstance(e, Updated) for e in pair.told)


def test_a_change_keeps_the_codec_where_it_can() -> None:
    pair = SipPair()
    _, session = up_incoming(pair, description((AudioCodec.PCMA, AudioCodec.PCMU)))
    pair.peer.offer(session, description((AudioCodec.PCMU, AudioCodec.PCMA), port=5000), now=pair.now)
    pair.run()
    media = pair.last(Updated).media
    assert (media.codec, media.port) == (Codec.PCMA, 5000)
    pair.peer.offer(session, description((AudioCodec.PCMU,), port=5000), now=pair.now)
    pair.run()
    assert pair.last(Updated).media.codec is Codec.PCMU


def test_a_change_that_cannot_be_done_is_refused_and_the_call_goes_on() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.offer(session, description().replace(b"m=audio 4000", b"m=audio 0"), now=pair.now)
    pair.run()
    (refused,) = pair.all_far(OfferRefused)
    assert isinstance(refused, OfferRefused)
    assert refused.status == 488
    assert not any(isinstance(e, Updated | Ended) for e in pair.told)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY), now=pair.now)
    pair.run()
    assert pair.last(Updated).leg == leg


def test_a_change_without_an_offer_gets_ours() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.offer(session, b"", now=pair.now)
    pair.run()
    (answered,) = pair.all_far(OfferAnswered)
    assert isinstance(answered, OfferAnswered)
    assert answered.sdp is not None
    assert b"m=audio 20000" in answered.sdp
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)


MOVED = Address("198.51.100.7", 1024)


@pytest.mark.parametrize("sdp", [description(), description(port=5000, version=1)])
def test_media_may_come_from_where_the_change_came_from(sdp: bytes) -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    assert pair.last(Answered).media.flow_address == PBX.host
    pair.far_at = MOVED
    pair.peer.offer(session, sdp, now=pair.now)
    pair.run()
    assert pair.last(Updated).leg == leg
    assert pair.last(Updated).media.flow_address == MOVED.host
    assert sum(isinstance(e, Updated) for e in pair.told) == 1


def test_media_may_come_from_where_the_ack_came_from() -> None:
    pair = SipPair()
    pair.lose = lambda data: data.startswith(b"ACK")
    up_incoming(pair)
    pair.far_at = MOVED
    pair.lose = lambda data: False
    pair.wait(1)
    assert pair.last(Answered).media.flow_address == MOVED.host


def test_a_change_that_is_refused_moves_nothing() -> None:
    pair = SipPair()
    _, session = up_incoming(pair)
    pair.far_at = MOVED
    pair.peer.offer(session, description().replace(b"m=audio 4000", b"m=audio 0"), now=pair.now)
    pair.run()
    pair.far_at = None
    pair.peer.offer(session, description(), now=pair.now)
    pair.run()
    assert not any(isinstance(e, Updated) for e in pair.told)


def test_the_called_side_holds_too() -> None:
    pair = SipPair()
    session = up_outgoing(pair)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY, version=1), now=pair.now)
    pair.run()
    assert pair.last(Updated).leg == LEG
    assert pair.last(Updated).media.direction is Direction.RECVONLY


def test_a_change_that_crosses_our_hang_up_is_left_alone() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY), now=pair.now)
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert not any(isinstance(e, Updated) for e in pair.told)
    assert not pair.all_far(OfferReceived)
    assert nothing_left(pair)
