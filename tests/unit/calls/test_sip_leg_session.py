"""Of a SIP leg: hops, lines that send calls elsewhere, offers before the answer, refreshes, sessions that expire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Agent, Put, Trunk
from engine.calls.events import Answered, Carried, Ended, KeyPressed, Offered, Updated
from engine.ids import AgentName, TrunkName
from engine.sip.endpoint import Target
from engine.sip.events import DtmfReceived, InviteAccepted, InviteReceived, OfferAnswered, SessionId
from engine.sip.offer_answer import AudioCodec
from engine.sip.sdp import parse_sdp
from engine.sip.uri import SipUri
from tests.support.sip_legs import (
    CALLER,
    HANGUP,
    LEG,
    MEDIA,
    PBX,
    answer_of,
    invite_of,
    nothing_left,
    offered,
    placed,
    up_incoming,
)
from tests.support.sip_pair import ENGINE, SipPair, description, udp
from tests.support.sip_pair import PBX as PBX_ADDRESS


@pytest.mark.parametrize("hops", [70, 12, 2])
def test_hops_are_told_and_the_next_leg_has_one_less(hops: int) -> None:
    pair = SipPair()
    target = Target(uri=SipUri(user="4000", host=ENGINE.host, port=ENGINE.port), flow=udp(PBX_ADDRESS, ENGINE))
    pair.peer.invite(target, from_user="x", sdp=description(), max_forwards=hops, now=pair.now)
    pair.run()
    carried = pair.last(Offered).carried
    assert carried.hops == hops
    pair.legs.place(LEG, PBX, CALLER, MEDIA, pair.now, carried=carried)
    pair.run()
    assert invite_of(pair).hops == hops - 1


def test_the_last_hop_goes_no_further() -> None:
    pair = SipPair()
    pair.legs.place(LEG, PBX, CALLER, MEDIA, pair.now, carried=Carried(hops=1))
    pair.run()
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.PROTOCOL, sip_code=483)


def test_a_call_that_nothing_came_with_has_all_hops_but_one() -> None:
    pair = SipPair()
    placed(pair)
    assert invite_of(pair).hops == 69
    assert Carried().hops == 70


@pytest.mark.parametrize("may", [True, False])
def test_a_line_sends_a_call_elsewhere_where_it_may(may: bool) -> None:
    pair = SipPair()
    trunk = Trunk(name=TrunkName("pbx"), host=PBX_ADDRESS.host, port=PBX_ADDRESS.port, ping_s=0.0, redirects=may)
    pair.directory.apply(Put(entity=trunk))
    session = placed(pair)
    pair.peer.reject(
        session, 302, "", [("Contact", f"<sip:other@{PBX_ADDRESS.host}:{PBX_ADDRESS.port}>")], now=pair.now
    )
    pair.run()
    users = [each.to_user for each in pair.all_far(InviteReceived) if isinstance(each, InviteReceived)]
    assert users == (["0305550", "other"] if may else ["0305550"])
    if not may:
        cause = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.REJECTED, sip_code=302)
        assert pair.last(Ended).cause == cause


def test_a_line_sends_a_call_to_no_number_that_may_not_be_called_and_to_no_other_line() -> None:
    pair = SipPair()
    host, port = PBX_ADDRESS
    for name, at in (("pbx", host), ("twin", host), ("dear", "Dear.Example")):
        pair.directory.apply(Put(entity=Trunk(name=TrunkName(name), host=at, port=port, ping_s=0, redirects=True)))
    asked: list[str] = []

    def may(number: str, now: float) -> bool:
        assert now == pair.now
        asked.append(number)
        return number == "good"

    session = placed(pair, replace(PBX, may_redirect=may))
    contacts = (
        f"<sip:{user}@{where}:{port}>" for user, where in (("good", "dear.example"), ("bad", host), ("good", host))
    )
    pair.peer.reject(session, 302, "", [("Contact", ", ".join(contacts))], now=pair.now)
    pair.run()
    users = [each.to_user for each in pair.all_far(InviteReceived) if isinstance(each, InviteReceived)]
    assert users == ["0305550", "good"]
    assert asked == ["bad", "good"]


def test_a_phone_sends_calls_nowhere() -> None:
    pair = SipPair()
    pair.directory.apply(Put(entity=Agent(name=AgentName("anna"))))
    assert pair.legs._presence.targets.redirects(PBX) == 0


def version_of(sdp: bytes | None) -> int:
    assert sdp is not None
    return int(parse_sdp(sdp).origin.version)


def test_who_offers_the_same_again_is_answered_the_same_again() -> None:
    pair = SipPair()
    _, session = up_incoming(pair)
    answers = []
    for port in (4000, 4000, 4010, 4010):
        pair.peer.offer(session, description(port=port), now=pair.now)
        pair.run()
        answered = [each for each in pair.far if isinstance(each, OfferAnswered)][-1]
        answers.append(answered.sdp)
    assert len(set(answers)) == 1
    accepted = next(each for each in pair.far if isinstance(each, InviteAccepted))
    assert answers[0] == accepted.sdp
    assert [each.media.port for each in pair.told if isinstance(each, Updated)] == [4010]


def test_another_answer_has_another_version() -> None:
    pair = SipPair()
    _, session = up_incoming(pair)
    accepted = next(each for each in pair.far if isinstance(each, InviteAccepted))
    versions = [version_of(accepted.sdp)]
    for codec in (AudioCodec.PCMA, AudioCodec.PCMU):
        pair.peer.offer(session, description((codec,)), now=pair.now)
        pair.run()
        versions.append(version_of([each for each in pair.far if isinstance(each, OfferAnswered)][-1].sdp))
    assert versions == [0, 1, 2]


def reliably_described(pair: SipPair, port: int) -> SessionId:
    """A call of ours whose offer the line has answered in a reliable provisional response: its session there."""
    session = placed(pair)
    far = pair.peer._stack.sessions[session]
    far._transaction.request.headers.set("Require", "100rel")  # type: ignore[attr-defined]
    invited = invite_of(pair)
    answer = answer_of(invited.sdp).replace(b"m=audio 4000", f"m=audio {port}".encode())
    pair.peer.progress(session, 183, sdp=answer, now=pair.now)
    pair.run()
    return session


def test_the_answer_of_a_reliable_response_counts() -> None:
    pair = SipPair()
    session = reliably_described(pair, 4100)
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    assert pair.last(Answered).media.port == 4100


def test_an_offer_before_the_answer_is_answered_and_counts() -> None:
    pair = SipPair()
    session = reliably_described(pair, 4100)
    pair.peer.update(session, description(port=4200), now=pair.now)
    pair.run()
    (answered,) = pair.all_far(OfferAnswered)
    assert isinstance(answered, OfferAnswered)
    assert version_of(answered.sdp) == 1
    assert not any(isinstance(each, Updated) for each in pair.told)
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    assert pair.last(Answered).media.port == 4200
    assert [each for each in pair.told if isinstance(each, Updated)] == []


def test_an_offer_before_the_answer_that_cannot_be_met_is_refused() -> None:
    pair = SipPair()
    session = reliably_described(pair, 4100)
    pair.peer.update(session, description().replace(b"RTP/AVP", b"RTP/SAVP"), now=pair.now)
    pair.run()
    assert pair.all_far(OfferAnswered) == []
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    assert pair.last(Answered).media.port == 4100


def test_a_session_that_nobody_refreshes_ends_with_its_own_cause() -> None:
    pair = SipPair()
    leg, _ = up_incoming(pair)
    pair.lose = lambda data: True
    pair.wait(1766)
    assert pair.legs.live() == 1
    pair.wait(4)
    cause = EndCause(outcome=Outcome.CLIENT, reason=Reason.SESSION_EXPIRED)
    assert pair.last(Ended) == Ended(leg=leg, cause=cause)
    assert nothing_left(pair)


def test_keys_go_both_ways_while_the_leg_is_up() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.legs.key(leg, "5", 240, pair.now)
    pair.peer.send_key(session, "#", 120, now=pair.now)
    pair.run()
    assert [(each.digit, each.duration_ms) for each in pair.far if isinstance(each, DtmfReceived)] == [("5", 240)]
    assert pair.last(KeyPressed) == KeyPressed(leg=leg, digit="#", duration_ms=120)
    pair.legs.key(leg, "no key", 240, pair.now)
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    pair.legs.key(leg, "6", 240, pair.now)
    pair.run()
    assert len(pair.all_far(DtmfReceived)) == 1


def test_a_key_before_the_answer_or_while_the_leg_is_going_is_no_key() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    found = pair.legs._book.find(leg)
    assert found is not None
    here = pair.legs._book.session(found)
    pair.legs.key(leg, "5", 240, pair.now)
    pair.run()
    assert pair.all_far(DtmfReceived) == []
    pair.legs.transfers.key_received(DtmfReceived(session=here, digit="1", duration_ms=1), pair.now)
    pair.legs.transfers.key_received(DtmfReceived(session=SessionId(99), digit="1", duration_ms=1), pair.now)
    assert not [each for each in pair.legs.take_events() if isinstance(each, KeyPressed)]
