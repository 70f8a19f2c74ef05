"""Moves that we ask for by a re-INVITE of our own: another port, other codecs, fresh keys; refusal, glare, one at a
time."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace

import pytest

from engine.calls.directory import Put
from engine.calls.events import Answered, Ended, LocalMedia, Moved, MoveRefused, Strayed, Updated
from engine.calls.ports import AgentPhone
from engine.ids import AgentName, LegId, TrunkName
from engine.media.commands import Codec, Direction
from engine.sip.events import OfferAnswered, OfferReceived, SessionId
from engine.sip.flow import Address, Transport
from engine.sip.offer_answer import AudioCodec, Local, make_answer, make_offer
from engine.sip.offer_answer import Direction as SdpDirection
from engine.sip.sdes import Crypto, CryptoSuite, Srtp, read_crypto
from engine.sip.sdp import SessionDescription, parse_sdp
from tests.support.sip_legs import (
    HANGUP,
    LEG,
    MEDIA,
    answer_of,
    invite_of,
    nothing_left,
    offered,
    placed,
    up_incoming,
    up_outgoing,
)
from tests.support.sip_pair import PBX, SipPair, description

ELSEWHERE = LocalMedia(port=20002)
FARTHER = LocalMedia(port=20004)
FARTHEST = LocalMedia(port=20006)


def asked(pair: SipPair) -> OfferReceived:
    """The last re-INVITE of ours that the far side got."""
    offer = pair.all_far(OfferReceived)[-1]
    assert isinstance(offer, OfferReceived)
    return offer


def description_of(sdp: bytes | None) -> SessionDescription:
    assert sdp is not None
    return parse_sdp(sdp)


def version_of(sdp: bytes | None) -> int:
    assert sdp is not None
    return int(sdp.split(b"o=- ")[1].split()[1])


def say_yes(pair: SipPair, session: SessionId, *codecs: AudioCodec) -> None:
    pair.peer.answer_offer(session, answer_of(asked(pair).sdp, *codecs), now=pair.now)
    pair.run()


def test_the_peer_is_asked_for_the_new_port_and_what_he_agrees_to_is_told() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    offer = description_of(asked(pair).sdp)
    assert offer.media[0].port == 20002
    assert offer.connection_of(offer.media[0]).address == "203.0.113.9"  # type: ignore[union-attr]
    assert version_of(asked(pair).sdp) == 1
    assert not any(isinstance(event, Moved) for event in pair.told)
    say_yes(pair, session)
    moved = pair.last(Moved)
    assert (moved.leg, moved.local, moved.remote.port) == (leg, ELSEWHERE, 4000)
    assert (moved.remote.direction, moved.remote.flow_address) == (Direction.SENDRECV, PBX.host)
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)


def test_from_then_on_the_new_port_is_what_the_peer_hears_of() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, LocalMedia(port=20002, address="203.0.113.77"), pair.now)
    pair.run()
    say_yes(pair, session)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY, version=1), now=pair.now)
    pair.run()
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    answer = description_of(answered.sdp)
    assert answer.media[0].port == 20002
    assert answer.connection_of(answer.media[0]).address == "203.0.113.77"  # type: ignore[union-attr]
    assert version_of(answered.sdp) == 2
    assert pair.last(Updated).media.direction is Direction.RECVONLY
    assert leg == pair.last(Updated).leg


def test_other_codecs_are_asked_for_at_the_same_port() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, LocalMedia(port=MEDIA.port, decoded=True), pair.now)
    pair.run()
    stream = description_of(asked(pair).sdp).media[0]
    assert (stream.port, stream.formats) == (MEDIA.port, ("0", "8", "101"))
    say_yes(pair, session)
    assert pair.last(Moved).remote.codec is Codec.PCMU


def test_a_refusal_is_told_and_all_stays() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    pair.peer.refuse_offer(session, 488, "Not here", now=pair.now)
    pair.run()
    refused = pair.last(MoveRefused)
    assert (refused.leg, refused.local, refused.status, refused.reason) == (leg, ELSEWHERE, 488, "Not here")
    pair.peer.offer(session, b"", now=pair.now)
    pair.run()
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert description_of(answered.sdp).media[0].port == MEDIA.port
    assert version_of(answered.sdp) == 2
    pair.legs.move(leg, FARTHER, pair.now)
    pair.wait(1)
    say_yes(pair, session)
    assert pair.last(Moved).local == FARTHER, "and the next is asked"


def test_after_a_refusal_the_same_words_have_another_version() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    pair.peer.refuse_offer(session, 488, "", now=pair.now)
    pair.run()
    pair.peer.offer(session, description(), now=pair.now)
    pair.run()
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert version_of(answered.sdp) == 2


def test_who_wanted_no_other_port_wants_the_one_that_it_is_by_then() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.legs.move(leg, LocalMedia(port=MEDIA.port, decoded=True), pair.now)
    pair.run()
    say_yes(pair, session)
    assert description_of(asked(pair).sdp).media[0].port == ELSEWHERE.port
    say_yes(pair, session)
    assert pair.last(Moved).local == LocalMedia(port=ELSEWHERE.port, decoded=True)


@pytest.mark.parametrize("answer", [b"", description((AudioCodec.PCMU,)).replace(b"m=audio 4000", b"m=audio 0")])
def test_an_answer_that_cannot_be_used_is_a_refusal(answer: bytes) -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    pair.peer.answer_offer(session, answer, now=pair.now)
    pair.run()
    assert pair.last(MoveRefused).status == 488
    assert not any(isinstance(event, Moved | Ended) for event in pair.told)
    pair.legs.move(leg, FARTHER, pair.now)
    pair.run()
    say_yes(pair, session)
    assert pair.last(Moved).local == FARTHER


def test_a_leg_that_is_not_up_is_not_moved() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    refused = pair.last(MoveRefused)
    assert (refused.status, refused.reason) == (491, "the leg is offered, not up")
    pair.told.clear()
    pair.legs.move(LegId("nobody"), ELSEWHERE, pair.now)
    pair.run()
    assert pair.told == []


def test_of_moves_that_wait_the_last_is_done() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    for media in (ELSEWHERE, FARTHER, FARTHEST):
        pair.legs.move(leg, media, pair.now)
    pair.run()
    refused = pair.last(MoveRefused)
    assert (refused.local, refused.status) == (FARTHER, 491)
    say_yes(pair, session)
    assert pair.last(Moved).local == ELSEWHERE
    assert description_of(asked(pair).sdp).media[0].port == FARTHEST.port
    say_yes(pair, session)
    assert pair.last(Moved).local == FARTHEST
    assert len(pair.all_far(OfferReceived)) == 2


@pytest.mark.parametrize("we_called", [False, True])
def test_after_a_glare_both_changes_happen_the_callees_first(we_called: bool) -> None:
    pair = SipPair()
    leg, session = (LEG, up_outgoing(pair)) if we_called else up_incoming(pair)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY, version=1), now=pair.now)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    assert not any(isinstance(event, Moved | MoveRefused | Updated) for event in pair.told)
    while not pair.all_far(OfferReceived):
        pair.wait(0.5)
    answers = pair.all_far(OfferAnswered)
    assert len(answers) == we_called
    assert version_of(asked(pair).sdp) == 1 + 2 * we_called
    say_yes(pair, session)
    pair.wait(10)
    assert pair.last(Moved).local == ELSEWHERE
    assert pair.last(Updated).media.direction is Direction.RECVONLY
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert version_of(answered.sdp) == 2
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)


def test_what_waits_is_asked_anew_behind_the_peers_own_change() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY, version=1), now=pair.now)
    for flow, data in pair.peer.datagrams_to_send():
        pair.engine.receive_datagram(data, flow._replace(local=flow.remote, remote=flow.local), pair.now)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    answered = pair.all_far(OfferAnswered)[0]
    assert isinstance(answered, OfferAnswered)
    answer, offer = answered.sdp, asked(pair).sdp
    assert description_of(answer).media[0].port == MEDIA.port
    assert description_of(offer).media[0].port == ELSEWHERE.port
    assert version_of(offer) > version_of(answer)
    say_yes(pair, session)
    assert pair.last(Moved).local == ELSEWHERE


def test_a_peer_that_does_not_answer_is_gone() -> None:
    pair = SipPair()
    leg, _ = up_incoming(pair)
    pair.lose = lambda data: b"CSeq: 1 INVITE" in data and data.startswith(b"INVITE")
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.legs.move(leg, FARTHER, pair.now)
    pair.run()
    pair.wait(33)
    assert pair.last(Ended).leg == leg
    assert not any(isinstance(event, MoveRefused) for event in pair.told)
    assert nothing_left(pair)


SECRET = Local(
    address="192.0.2.2",
    port=4000,
    session_id=9,
    version=0,
    srtp=Srtp.REQUIRED,
    crypto=(Crypto(1, CryptoSuite.AES_CM_128_HMAC_SHA1_80, b"t" * 30),),
)


def keys_in(sdp: bytes | None) -> list[bytes]:
    found = [read_crypto(each) for each in description_of(sdp).media[0].crypto]
    return [crypto.key for crypto in found if crypto is not None]


def encrypted(pair: SipPair) -> tuple[LegId, SessionId, bytes]:
    """A leg with a key, and ours."""
    pair.directory.apply(Put(entity=replace(pair.directory.trunks[TrunkName("pbx")], srtp="required")))
    leg, session = up_incoming(pair, make_offer(SECRET))
    keys = pair.last(Answered).media.srtp
    assert keys is not None
    return leg, session, b64decode(keys.ours)


@pytest.mark.parametrize(
    ("media", "fresh"), [(ELSEWHERE, True), (MEDIA, False), (replace(MEDIA, elsewhere=True), True)]
)
def test_an_encrypted_leg_has_fresh_keys_at_another_port_or_in_another_process_only(
    media: LocalMedia, fresh: bool
) -> None:
    pair = SipPair()
    leg, session, ours = encrypted(pair)
    pair.legs.move(leg, media, pair.now)
    pair.run()
    offer = asked(pair).sdp
    assert description_of(offer).media[0].proto == "RTP/SAVP"
    assert (ours not in keys_in(offer)) is fresh
    pair.peer.answer_offer(session, make_answer(offer or b"", SECRET)[0], now=pair.now)
    pair.run()
    keys = pair.last(Moved).remote.srtp
    assert keys is not None
    assert b64decode(keys.ours) in keys_in(offer)
    assert b64decode(keys.theirs) == b"t" * 30
    pair.peer.offer(session, make_offer(SECRET._replace(version=2)), now=pair.now)
    pair.run()
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert keys_in(answered.sdp) == [b64decode(keys.ours)], "the new key stays"


def test_a_refused_move_leaves_the_keys_alone() -> None:
    pair = SipPair()
    leg, session, ours = encrypted(pair)
    pair.legs.move(leg, ELSEWHERE, pair.now)
    pair.run()
    pair.peer.refuse_offer(session, 488, "", now=pair.now)
    pair.run()
    pair.peer.offer(session, make_offer(SECRET._replace(version=1)), now=pair.now)
    pair.run()
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert keys_in(answered.sdp) == [ours]


HOME, AWAY = Address("192.0.2.3", 40000), Address("198.51.100.7", 1024)


def phone_up(pair: SipPair) -> SessionId:
    """A call to Anna's phone, which is answered."""
    pair.register(at=HOME)
    session = placed(pair, AgentPhone(agent=AgentName("anna")))
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    return session


def test_a_phone_that_registers_from_another_address_has_strayed_and_is_moved_there() -> None:
    pair = SipPair()
    session = phone_up(pair)
    pair.register(at=HOME, call_id="again")
    pair.register(at=HOME._replace(port=40001), call_id="third")
    assert not any(isinstance(event, Strayed) for event in pair.told), "another port is no other network"
    pair.register(at=AWAY, call_id="away", contact=HOME)
    assert pair.last(Strayed).leg == LEG
    pair.legs.move(LEG, ELSEWHERE, pair.now)
    pair.run()
    say_yes(pair, session)
    assert pair.last(Moved).remote.flow_address == AWAY.host


def test_a_move_under_way_is_asked_again_where_the_phone_is_now() -> None:
    pair = SipPair()
    session = phone_up(pair)
    pair.lose = lambda data: True
    pair.legs.move(LEG, ELSEWHERE, pair.now)
    pair.wait(3)
    pair.lose = lambda data: False
    began = pair.now
    pair.register(at=AWAY, call_id="away", contact=HOME)
    say_yes(pair, session)
    assert pair.now == began, "and not when its next repetition is due"
    assert pair.last(Moved).remote.flow_address == AWAY.host
    assert len(pair.all_far(OfferReceived)) == 1


def test_a_move_that_the_phone_has_got_is_not_said_again_elsewhere() -> None:
    pair = SipPair()
    session = phone_up(pair)
    pair.legs.move(LEG, ELSEWHERE, pair.now)
    pair.run()
    pair.wait(0.3)  # the phone says 100 by itself
    repeated = pair.engine.retransmissions["out", "INVITE", Transport.UDP]
    pair.register(at=AWAY, call_id="away", contact=HOME)
    assert pair.engine.retransmissions["out", "INVITE", Transport.UDP] == repeated
    say_yes(pair, session)
    assert pair.last(Moved).local == ELSEWHERE
