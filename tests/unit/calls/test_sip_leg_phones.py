"""An agent with two phones, of which the one that registered last may be dead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Put
from engine.calls.events import Answered, Ended, Ringing
from engine.calls.ports import AgentPhone
from engine.calls.sip_placing import PATIENCE_S
from engine.ids import AgentName
from engine.sip.events import InviteCancelled, InviteReceived, SessionEnded, SessionId
from engine.sip.flow import Address
from engine.sip.sdp import parse_sdp
from tests.support.sip_legs import CALLER, CANCELLED, HANGUP, LEG, MEDIA, answer_of, nothing_left
from tests.support.sip_pair import ENGINE, PHONE, SPARE, SipPair, udp

ANNA = AgentPhone(agent=AgentName("anna"))
TO_SPARE = b"INVITE sip:anna@10.0.0.4:5070"


def two_phones() -> SipPair:
    """PHONE registered first, SPARE last."""
    pair = SipPair()
    pair.register(call_id="first")
    pair.register(call_id="last", at=SPARE)
    return pair


def call(pair: SipPair) -> None:
    pair.legs.place(LEG, ANNA, CALLER, MEDIA, pair.now)
    pair.run()


def rung(pair: SipPair) -> list[tuple[Address, SessionId]]:
    """Which phones were called, in order."""
    return [(e.flow.local, e.session) for e in pair.all_far(InviteReceived) if isinstance(e, InviteReceived)]


def accept(pair: SipPair, session: SessionId) -> None:
    (offer,) = (e.sdp for e in pair.all_far(InviteReceived) if isinstance(e, InviteReceived) and e.session == session)
    pair.peer.accept(session, answer_of(offer), now=pair.now)
    pair.run()


def lives(pair: SipPair) -> bool:
    """Whether the leg is there and was told of once."""
    return sum(isinstance(e, Answered) for e in pair.told) == 1 and not any(isinstance(e, Ended) for e in pair.told)


def test_the_phone_that_registered_last_rings_alone() -> None:
    pair = two_phones()
    call(pair)
    ((at, session),) = rung(pair)
    assert at == SPARE
    pair.peer.progress(session, 180, now=pair.now)
    pair.wait(20)
    assert len(rung(pair)) == 1
    pair.legs.end(LEG, CANCELLED, pair.now)
    pair.run()
    assert [e.cause for e in pair.told if isinstance(e, Ended)] == [CANCELLED]


def test_a_refresh_counts_as_registering_last() -> None:
    pair = two_phones()
    pair.register(call_id="again")
    call(pair)
    assert [at for at, _ in rung(pair)] == [PHONE]


def test_where_the_last_phone_is_dead_the_next_is_called() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    call(pair)
    pair.wait(PATIENCE_S - 0.1)
    assert rung(pair) == []
    pair.wait(0.2)
    ((at, session),) = rung(pair)
    assert at == PHONE
    pair.peer.progress(session, 180, now=pair.now)
    pair.run()
    assert sum(isinstance(e, Ringing) for e in pair.told) == 1
    accept(pair, session)
    assert pair.last(Answered).media.flow_address == PHONE.host
    pair.wait(60)
    assert lives(pair)
    pair.legs.end(LEG, HANGUP, pair.now)
    pair.run()
    assert [e.cause for e in pair.told if isinstance(e, Ended)] == [HANGUP]


def test_a_phone_that_wakes_up_too_late_falls_silent() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    call(pair)
    pair.wait(PATIENCE_S)
    pair.lose = lambda data: False
    pair.wait(2)
    (_, first), (at, second) = rung(pair)
    assert at == SPARE
    assert [e.session for e in pair.all_far(InviteCancelled) if isinstance(e, InviteCancelled)] == [second]
    accept(pair, first)
    pair.wait(60)
    assert lives(pair)


def test_a_phone_that_answers_too_late_is_acknowledged_and_hung_up_on() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    call(pair)
    pair.wait(PATIENCE_S)
    pair.lose = lambda data: data.startswith(b"SIP/2.0 100")
    pair.wait(2)
    (_, first), (_, late) = rung(pair)
    accept(pair, first)
    accept(pair, late)
    assert [e.session for e in pair.all_far(SessionEnded) if isinstance(e, SessionEnded)] == [late]
    pair.wait(60)
    assert lives(pair)


def test_a_phone_that_says_it_is_trying_is_waited_for() -> None:
    pair = two_phones()
    call(pair)
    pair.wait(10)
    assert [at for at, _ in rung(pair)] == [SPARE]


@pytest.mark.parametrize("status", [408, 430, 503])
def test_a_phone_that_cannot_be_reached_gives_way_at_once(status: int) -> None:
    pair = two_phones()
    call(pair)
    pair.peer.reject(rung(pair)[0][1], status, now=pair.now)
    pair.run()
    assert [at for at, _ in rung(pair)] == [SPARE, PHONE]
    pair.peer.reject(rung(pair)[1][1], status, now=pair.now)
    pair.run()
    assert [e.cause.sip_code for e in pair.told if isinstance(e, Ended)] == [status]


def test_a_phone_that_the_network_cannot_reach_gives_way_at_once() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    call(pair)
    pair.engine.send_failed(udp(ENGINE, SPARE), pair.now)
    pair.run()
    assert [at for at, _ in rung(pair)] == [PHONE]


@pytest.mark.parametrize("status", [486, 603, 480])
def test_what_the_person_says_holds_for_every_phone(status: int) -> None:
    pair = two_phones()
    call(pair)
    pair.peer.reject(rung(pair)[0][1], status, now=pair.now)
    pair.wait(10)
    assert len(rung(pair)) == 1
    assert [e.cause.sip_code for e in pair.told if isinstance(e, Ended)] == [status]


def test_a_phone_that_rang_has_been_seen_by_the_person() -> None:
    pair = two_phones()
    call(pair)
    session = rung(pair)[0][1]
    pair.peer.progress(session, 180, now=pair.now)
    pair.run()
    pair.peer.reject(session, 408, now=pair.now)
    pair.wait(10)
    assert len(rung(pair)) == 1
    assert pair.last(Ended).cause.reason is Reason.NO_ANSWER


def test_where_all_are_dead_the_leg_ends_once() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(b"INVITE")
    call(pair)
    pair.wait(100)
    ends = [e.cause for e in pair.told if isinstance(e, Ended)]
    assert ends == [EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)]
    pair.wait(300)
    assert nothing_left(pair)


def test_an_end_from_above_ends_both_calls() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(b"INVITE")
    call(pair)
    pair.wait(PATIENCE_S + 0.1)
    pair.legs.end(LEG, CANCELLED, pair.now)
    pair.lose = lambda data: False
    pair.wait(10)
    assert len(rung(pair)) == len(pair.all_far(InviteCancelled)) == 2
    assert [e.cause for e in pair.told if isinstance(e, Ended)] == [CANCELLED]


def test_an_end_before_patience_is_over_calls_nobody_else() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    call(pair)
    pair.legs.end(LEG, CANCELLED, pair.now)
    pair.wait(60)
    assert rung(pair) == []
    assert [e.cause for e in pair.told if isinstance(e, Ended)] == [CANCELLED]


def test_a_phone_that_is_gone_meanwhile_is_not_called() -> None:
    pair = two_phones()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    call(pair)
    pair.register(call_id="bye", expires=0)
    pair.wait(PATIENCE_S + 0.1)
    assert rung(pair) == []
    pair.lose = lambda data: False
    pair.wait(2)
    ((at, session),) = rung(pair)
    assert at == SPARE
    accept(pair, session)
    assert lives(pair)


def test_a_phone_whose_flow_a_proxy_has_lost_is_passed_over_and_forgotten() -> None:
    pair = two_phones()
    call(pair)
    ((_, session),) = rung(pair)
    pair.peer.reject(session, 430, now=pair.now)
    pair.run()
    assert [at for at, _ in rung(pair)] == [SPARE, PHONE]
    assert [each.flow.remote for each in pair.engine.bindings("anna")] == [PHONE]


def insisting() -> SipPair:
    """Two phones of an agent whose sound is encrypted where it can be; the last one refuses to do without."""
    pair = two_phones()
    pair.directory.apply(Put(entity=replace(pair.directory.agents[AgentName("anna")], srtp="optional")))
    call(pair)
    ((at, session),) = rung(pair)
    assert at == SPARE
    pair.wait(1.0)
    pair.peer.reject(session, 488, now=pair.now)
    return pair


def protos(pair: SipPair) -> list[tuple[Address, str]]:
    invites = [event for event in pair.all_far(InviteReceived) if isinstance(event, InviteReceived)]
    return [(each.flow.local, parse_sdp(each.sdp or b"").media[0].proto) for each in invites]


def test_the_next_phone_is_offered_plain_sound_again() -> None:
    pair = insisting()
    pair.run()
    _, (at, session) = rung(pair)
    assert at == SPARE
    pair.peer.reject(session, 503, now=pair.now)
    pair.run()
    assert protos(pair) == [(SPARE, "RTP/AVP"), (SPARE, "RTP/SAVP"), (PHONE, "RTP/AVP")]


def test_who_falls_silent_when_he_is_called_again_is_passed_over_for_the_next() -> None:
    pair = insisting()
    pair.lose = lambda data: data.startswith(TO_SPARE)
    pair.run()
    pair.wait(PATIENCE_S - 0.1)
    assert len(rung(pair)) == 1
    pair.wait(0.2)
    assert protos(pair) == [(SPARE, "RTP/AVP"), (PHONE, "RTP/AVP")]
