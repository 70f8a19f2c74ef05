"""Keys of SRTP over a leg's life: which leg has any, when they stay, and when they are new."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import fields, replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Agent, Directory, Put, Trunk
from engine.calls.events import Answered, Ended, Updated
from engine.calls.ports import AgentPhone
from engine.calls.sip_srtp import srtp_from
from engine.ids import AgentName, TrunkName
from engine.media.commands import Codec, Direction, SrtpKeys, SrtpSuite
from engine.sip.events import (
    AgentPeer,
    InviteAccepted,
    InviteFailed,
    InviteReceived,
    OfferAnswered,
    OfferRefused,
    SessionEnded,
    TrunkPeer,
)
from engine.sip.offer_answer import Direction as SdpDirection
from engine.sip.offer_answer import Local, make_answer, make_offer
from engine.sip.sdes import Crypto, CryptoSuite, Srtp, read_crypto
from engine.sip.sdp import parse_sdp
from tests.support.call_fakes import remote
from tests.support.call_rig import Rig
from tests.support.sip_legs import HANGUP, LEG, MEDIA, PBX, invite_of, nothing_left, offered, placed, up_incoming
from tests.support.sip_pair import SipPair

THEIRS = Local(
    address="192.0.2.2",
    port=4000,
    session_id=9,
    version=0,
    srtp=Srtp.REQUIRED,
    crypto=(Crypto(1, CryptoSuite.AES_CM_128_HMAC_SHA1_80, b"t" * 30),),
)
OTHER = THEIRS._replace(version=1, crypto=(Crypto(1, CryptoSuite.AES_CM_128_HMAC_SHA1_80, b"o" * 30),))
PLAIN = THEIRS._replace(srtp=Srtp.OFF, crypto=())


def pair_with(srtp: str) -> SipPair:
    """The trunk and the agent are encrypted so."""
    pair = SipPair()
    pair.directory.apply(Put(entity=replace(pair.directory.trunks[TrunkName("pbx")], srtp=srtp)))
    pair.directory.apply(Put(entity=replace(pair.directory.agents[AgentName("anna")], srtp=srtp)))
    return pair


def keys_in(description: bytes | None) -> list[bytes]:
    assert description is not None
    found = [read_crypto(each) for each in parse_sdp(description).media[0].crypto]
    return [crypto.key for crypto in found if crypto is not None]


def told(pair: SipPair) -> SrtpKeys:
    """The keys that media was told last."""
    event = [event for event in pair.told if isinstance(event, Answered | Updated)][-1]
    assert event.media.srtp is not None
    return event.media.srtp


def answer_to_change(pair: SipPair) -> bytes:
    answered = pair.all_far(OfferAnswered)[-1]
    assert isinstance(answered, OfferAnswered)
    assert answered.sdp is not None
    return answered.sdp


def test_a_call_from_a_trunk_that_must_be_encrypted() -> None:
    pair = pair_with("required")
    leg, _ = up_incoming(pair, make_offer(THEIRS))
    keys = told(pair)
    accepted = pair.all_far(InviteAccepted)[-1]
    assert isinstance(accepted, InviteAccepted)
    assert keys.suite is SrtpSuite.AES_CM_128_HMAC_SHA1_80
    assert b64decode(keys.theirs) == b"t" * 30
    assert [b64decode(keys.ours)] == keys_in(accepted.sdp)
    assert keys.mki_octets == 0
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert nothing_left(pair)


@pytest.mark.parametrize("peer", [AgentPeer(user="anna"), TrunkPeer(name="pbx")])
def test_who_calls_is_encrypted_as_is_set_for_him(peer: AgentPeer | TrunkPeer) -> None:
    assert srtp_from(pair_with("required").directory, peer) is Srtp.REQUIRED
    assert srtp_from(pair_with("off").directory, peer) is Srtp.OFF
    assert srtp_from(Directory(), peer) is Srtp.OFF


def test_the_length_of_their_keys_name_is_told() -> None:
    pair = pair_with("required")
    offer = make_offer(THEIRS)
    line = offer.split(b"a=crypto:")[1].strip()
    up_incoming(pair, offer.replace(line, line + b"|2^31|1:4"))
    assert told(pair).mki_octets == 4


def test_a_call_without_keys_where_there_must_be_some_is_refused_with_why() -> None:
    pair = pair_with("required")
    leg, _ = offered(pair, make_offer(PLAIN))
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    (failed,) = pair.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.status == 488
    assert pair.last(Ended).cause.reason is Reason.NOT_ACCEPTABLE
    assert nothing_left(pair)


@pytest.mark.parametrize("to_phone", [True, False])
@pytest.mark.parametrize(
    ("srtp", "proto", "keys"), [("off", "RTP/AVP", 0), ("optional", "RTP/AVP", 4), ("required", "RTP/SAVP", 4)]
)
def test_what_a_trunk_and_a_phone_are_offered(to_phone: bool, srtp: str, proto: str, keys: int) -> None:
    pair = pair_with(srtp)
    pair.register()
    placed(pair, AgentPhone(agent=AgentName("anna")) if to_phone else PBX)
    sdp = invite_of(pair).sdp
    assert sdp is not None
    assert parse_sdp(sdp).media[0].proto == proto
    assert len(set(keys_in(sdp))) == keys


def test_an_answer_with_a_key_is_told_to_media_and_one_of_another_tag_ends_the_call() -> None:
    pair = pair_with("required")
    session = placed(pair)
    sdp = invite_of(pair).sdp
    assert sdp is not None
    theirs = THEIRS._replace(crypto=(Crypto(1, CryptoSuite.AES_CM_128_HMAC_SHA1_80, b"t" * 30),))
    answer, agreed = make_answer(sdp, theirs)
    pair.peer.accept(session, answer, now=pair.now)
    pair.run()
    assert agreed.secured is not None
    assert b64decode(told(pair).ours) == agreed.secured.theirs == keys_in(sdp)[2]
    assert b64decode(told(pair).theirs) == b"t" * 30

    pair = pair_with("required")
    session = placed(pair)
    pair.peer.accept(session, answer.replace(b"a=crypto:3 ", b"a=crypto:9 "), now=pair.now)
    pair.run()
    assert pair.last(Ended).cause.reason is Reason.NOT_ACCEPTABLE
    assert not any(isinstance(event, Answered) for event in pair.told)


@pytest.mark.parametrize(
    ("srtp", "changes", "why"),
    [
        ("required", {"srtp": Srtp.OFF, "crypto": ()}, "the answer changed the transport protocol"),
        ("optional", {}, "the answer changed the transport protocol"),
        ("required", {"crypto": ()}, "the answer has no crypto attribute"),
    ],
)
def test_a_phone_that_answers_otherwise_than_it_must_hears_why(srtp: str, changes: dict[str, object], why: str) -> None:
    """It was called, it rang, somebody answered: what it is told is all that its owner can go by."""
    pair = pair_with(srtp)
    session = placed(pair)
    answer = make_offer(THEIRS._replace(**changes))  # type: ignore[arg-type]
    pair.peer.accept(session, answer, now=pair.now)
    pair.run()
    (ended,) = pair.all_far(SessionEnded)
    assert isinstance(ended, SessionEnded)
    assert ended.reason == f'SIP;cause=488;text="{why}"'
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NOT_ACCEPTABLE, sip_code=200)


def test_a_key_that_is_offered_again_keeps_ours_through_refresh_hold_and_resume() -> None:
    pair = pair_with("required")
    _, session = up_incoming(pair, make_offer(THEIRS))
    first = told(pair)
    pair.peer.offer(session, make_offer(THEIRS), now=pair.now)
    pair.run()
    assert not any(isinstance(event, Updated) for event in pair.told), "a refresh is no change"
    for direction in (SdpDirection.SENDONLY, SdpDirection.SENDRECV):
        pair.peer.offer(session, make_offer(THEIRS._replace(version=1), direction), now=pair.now)
        pair.run()
        assert told(pair) == first
    assert pair.last(Updated).media.direction is Direction.SENDRECV
    assert keys_in(answer_to_change(pair)) == [b64decode(first.ours)]


def test_a_new_key_of_theirs_brings_a_new_one_of_ours() -> None:
    pair = pair_with("required")
    _, session = up_incoming(pair, make_offer(THEIRS))
    first = told(pair)
    pair.peer.offer(session, make_offer(OTHER), now=pair.now)
    pair.run()
    second = told(pair)
    assert b64decode(second.theirs) == b"o" * 30
    assert second.ours != first.ours
    answer = answer_to_change(pair)
    assert keys_in(answer) == [b64decode(second.ours)]
    assert b"o=- 1 1 " in answer, "it is another description"


def test_who_goes_back_from_plain_sound_gets_a_key_that_was_never_used() -> None:
    pair = pair_with("optional")
    _, session = up_incoming(pair, make_offer(THEIRS))
    first = told(pair)
    pair.peer.offer(session, make_offer(PLAIN._replace(version=1)), now=pair.now)
    pair.run()
    assert pair.last(Updated).media.srtp is None
    pair.peer.offer(session, make_offer(THEIRS._replace(version=2)), now=pair.now)
    pair.run()
    assert told(pair).theirs == first.theirs
    assert told(pair).ours != first.ours


def test_a_change_to_plain_sound_is_refused_where_there_must_be_keys_and_the_call_goes_on() -> None:
    pair = pair_with("required")
    _, session = up_incoming(pair, make_offer(THEIRS))
    first = told(pair)
    pair.peer.offer(session, make_offer(PLAIN._replace(version=1)), now=pair.now)
    pair.run()
    (refused,) = pair.all_far(OfferRefused)
    assert isinstance(refused, OfferRefused)
    assert refused.status == 488
    assert told(pair) == first


@pytest.mark.parametrize("savp", [True, False])
def test_our_offer_within_a_call_has_the_same_keys_and_the_protocol_that_it_began_with(savp: bool) -> None:
    pair = pair_with("optional")
    theirs = THEIRS if savp else THEIRS._replace(srtp=Srtp.OPTIONAL)
    _, session = up_incoming(pair, make_offer(theirs))
    first = told(pair)
    pair.peer.offer(session, b"", now=pair.now)
    pair.run()
    sdp = answer_to_change(pair)
    assert parse_sdp(sdp).media[0].proto == ("RTP/SAVP" if savp else "RTP/AVP")
    assert b64decode(first.ours) in keys_in(sdp)


@pytest.mark.parametrize("status", [406, 488, 606])
@pytest.mark.parametrize("to_phone", [True, False])
def test_who_insists_on_encryption_is_called_again_where_it_is_optional(to_phone: bool, status: int) -> None:
    pair = pair_with("optional")
    pair.register()
    session = placed(pair, AgentPhone(agent=AgentName("anna")) if to_phone else PBX)
    plain = keys_in(invite_of(pair).sdp)
    pair.peer.reject(session, status, now=pair.now)
    pair.run()
    assert len(pair.all_far(InviteReceived)) == 2
    again = invite_of(pair)
    assert again.sdp is not None
    assert parse_sdp(again.sdp).media[0].proto == "RTP/SAVP"
    assert not set(plain) & set(keys_in(again.sdp)), "keys that were offered once are not offered again"
    theirs = THEIRS._replace(crypto=(Crypto(1, CryptoSuite.AES_CM_128_HMAC_SHA1_80, b"t" * 30),))
    answer, _ = make_answer(again.sdp, theirs)
    pair.peer.accept(again.session, answer, now=pair.now)
    pair.run()
    assert told(pair).theirs
    assert not [event for event in pair.told if isinstance(event, Ended)]


@pytest.mark.parametrize(
    ("srtp", "status", "rings", "invites"),
    [
        ("optional", 488, False, 2),
        ("optional", 488, True, 1),
        ("optional", 486, False, 1),
        ("off", 488, False, 1),
        ("required", 488, False, 1),
    ],
)
def test_who_refuses_for_good_is_not_called_for_ever(srtp: str, status: int, rings: bool, invites: int) -> None:
    pair = pair_with(srtp)
    session = placed(pair)
    if rings:
        pair.peer.progress(session, 180, "Ringing", now=pair.now)
        pair.run()
    for _ in range(invites):
        pair.peer.reject(invite_of(pair).session, status, now=pair.now)
        pair.run()
    assert len(pair.all_far(InviteReceived)) == invites
    assert pair.last(Ended).cause.sip_code == status
    assert nothing_left(pair)


def test_a_second_phone_is_offered_other_keys() -> None:
    pair = pair_with("required")
    session = placed(pair)
    first = keys_in(invite_of(pair).sdp)
    leg = pair.legs._book.find(LEG)
    assert leg is not None
    again = leg.media.first_offer(invite_of(pair).flow)
    assert not set(first) & set(keys_in(again))
    assert session


def test_a_caller_who_is_nobody_any_more_is_not_encrypted() -> None:
    pair = SipPair()
    pair.directory.trunks.clear()
    up_incoming(pair, make_offer(PLAIN))
    assert pair.last(Answered).media.srtp is None
    assert Agent(name=AgentName("b")).srtp == Trunk(name=TrunkName("t"), host="192.0.2.1").srtp == "off"


def test_the_media_process_is_told_the_keys_and_all_else_that_was_agreed() -> None:
    rig = Rig()
    caller, _, _ = rig.talking()
    agreed = replace(
        remote(Codec.OPAQUE, Direction.SENDRECV, 4444),
        srtp=SrtpKeys(suite=SrtpSuite.AEAD_AES_256_GCM, ours="a", theirs="b"),
        flow_address="198.51.100.7",
        payload_type=96,
        heard_as=97,
        dtmf_payload_type=98,
        dtmf_heard_as=99,
        dtmf_clock_rate=16000,
        clock_rate=48000,
        ptime_ms=40,
        rtcp_port=4999,
        cn_payload_type=13,
        inband=True,
        dialog="its name",
    )
    rig.legs.events.append(Updated(leg=caller, media=agreed))
    rig.pump()
    told = rig.media.remotes[caller]
    assert {each.name: getattr(told, each.name) for each in fields(agreed)} == {
        each.name: getattr(agreed, each.name) for each in fields(agreed)
    }
    rig.legs.far_hang_up(caller)
    rig.assert_clean()
