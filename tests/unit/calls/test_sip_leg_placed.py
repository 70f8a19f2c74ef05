from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Put
from engine.calls.events import (
    Answered,
    Ended,
    LocalMedia,
    Party,
    Ringing,
)
from engine.calls.ports import TrunkNumber
from engine.ids import LegId, TrunkName
from engine.media.commands import Codec
from engine.sip.events import (
    EndedBy,
    InviteCancelled,
    SessionEnded,
)
from engine.sip.offer_answer import AudioCodec
from tests.support.sip_legs import (
    CALLER,
    CANCELLED,
    HANGUP,
    LEG,
    MEDIA,
    PBX,
    answer_of,
    invite_of,
    nothing_left,
    placed,
    up_outgoing,
)
from tests.support.sip_pair import SipPair


def test_placing_a_call_on_a_trunk() -> None:
    pair = SipPair()
    pair.directory.apply(Put(entity=replace(pair.directory.trunks[PBX.trunk], codecs=("PCMA", "PCMU"))))
    session = placed(pair, media=LocalMedia(port=20002))
    received = invite_of(pair)
    assert (received.to_user, received.from_user, received.from_display) == ("0305550", "0301234", "Mrs Caller")
    assert received.sdp is not None
    assert b"m=audio 20002 RTP/AVP 8 0 101" in received.sdp
    assert b"c=IN IP4 203.0.113.9" in received.sdp
    pair.peer.progress(session, 180, now=pair.now)
    pair.peer.progress(session, 183, now=pair.now)
    pair.run()
    assert [e for e in pair.told if isinstance(e, Ringing)] == [Ringing(leg=LEG)]
    pair.peer.accept(session, answer_of(received.sdp, AudioCodec.PCMU), now=pair.now)
    pair.run()
    told = pair.last(Answered)
    assert (told.leg, told.media.codec, told.media.port) == (LEG, Codec.PCMU, 4000)
    pair.peer.bye(session, now=pair.now)
    pair.run()
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLED_HANGUP, sip_code=200)
    assert nothing_left(pair)


def test_a_caller_without_a_number_is_anonymous() -> None:
    pair = SipPair()
    pair.legs.place(LEG, PBX, Party(number=""), MEDIA, pair.now)
    pair.run()
    assert invite_of(pair).from_user == "anonymous"


def test_a_queued_notice_is_not_ringing() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.progress(session, 182, now=pair.now)
    pair.run()
    assert not any(isinstance(e, Ringing) for e in pair.told)


@pytest.mark.parametrize(("status", "reason"), [(486, Reason.BUSY), (603, Reason.REJECTED), (404, Reason.UNREACHABLE)])
def test_a_refusal(status: int, reason: Reason) -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.reject(session, status, now=pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(leg=LEG, cause=EndCause(outcome=Outcome.UPSTREAM, reason=reason, sip_code=status))
    assert nothing_left(pair)


def test_a_line_that_never_replies() -> None:
    pair = SipPair()
    pair.lose = lambda data: data.startswith(b"INVITE")
    pair.legs.place(LEG, PBX, CALLER, MEDIA, pair.now)
    pair.run()
    pair.wait(40)
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)
    assert nothing_left(pair)


def test_taking_a_call_back() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.progress(session, 180, now=pair.now)
    pair.run()
    pair.legs.end(LEG, CANCELLED, pair.now)
    pair.legs.end(LEG, HANGUP, pair.now)
    pair.run()
    (cancelled,) = pair.all_far(InviteCancelled)
    assert isinstance(cancelled, InviteCancelled)
    assert cancelled.reason == ""
    assert pair.last(Ended) == Ended(leg=LEG, cause=CANCELLED)
    assert nothing_left(pair)


def test_taking_a_call_back_because_another_answered_says_so() -> None:
    pair = SipPair()
    placed(pair)
    pair.legs.end(LEG, EndCause(outcome=Outcome.UPSTREAM, reason=Reason.CANCELLED, sip_code=200), pair.now)
    pair.run()
    (cancelled,) = pair.all_far(InviteCancelled)
    assert isinstance(cancelled, InviteCancelled)
    assert cancelled.reason == 'SIP;cause=200;text="Call completed elsewhere"'


def test_an_answer_that_crosses_our_cancel_is_undone() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.legs.end(LEG, CANCELLED, pair.now)
    pair.run()
    assert not any(isinstance(e, Answered) for e in pair.told)
    assert pair.last(Ended) == Ended(leg=LEG, cause=CANCELLED)
    assert len(pair.all_far(SessionEnded)) == 1
    assert nothing_left(pair)


def test_an_end_that_meets_an_answer_already_inside_the_stack_hangs_up() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    for flow, data in pair.peer.datagrams_to_send():
        pair.engine.receive_datagram(data, flow._replace(local=flow.remote, remote=flow.local), pair.now)
    pair.legs.end(LEG, CANCELLED, pair.now)  # InviteAccepted waits in the endpoint
    pair.run()
    assert pair.last(Ended) == Ended(leg=LEG, cause=CANCELLED)
    assert nothing_left(pair)


def test_the_cause_of_an_end_stays_ours_when_the_answer_that_it_meets_is_of_no_use() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.accept(session, b"", now=pair.now)
    for flow, data in pair.peer.datagrams_to_send():
        pair.engine.receive_datagram(data, flow._replace(local=flow.remote, remote=flow.local), pair.now)
    pair.legs.end(LEG, CANCELLED, pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(leg=LEG, cause=CANCELLED)
    assert nothing_left(pair)


def test_an_answer_without_a_description_is_hung_up_on() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.accept(session, b"", now=pair.now)
    pair.run()
    assert not any(isinstance(e, Answered) for e in pair.told)
    cause = pair.last(Ended).cause
    assert (cause.outcome, cause.reason) == (Outcome.UPSTREAM, Reason.NOT_ACCEPTABLE)
    assert nothing_left(pair)


def test_a_description_that_came_early_counts_where_the_answer_has_none() -> None:
    pair = SipPair()
    session = placed(pair)
    pair.peer.progress(session, 183, sdp=answer_of(invite_of(pair).sdp), now=pair.now)
    pair.peer.progress(session, 180, now=pair.now)
    pair.peer.accept(session, b"", now=pair.now)
    pair.run()
    assert pair.last(Answered).media.port == 4000


def test_hanging_up_a_call_of_ours() -> None:
    pair = SipPair()
    up_outgoing(pair)
    pair.legs.end(LEG, HANGUP, pair.now)
    pair.run()
    assert len(pair.all_far(SessionEnded)) == 1
    assert pair.last(Ended) == Ended(leg=LEG, cause=HANGUP)
    assert nothing_left(pair)


def test_a_bye_that_nobody_answers_ends_the_leg_in_the_end() -> None:
    pair = SipPair()
    up_outgoing(pair)
    pair.lose = lambda data: data.startswith(b"BYE")
    pair.legs.end(LEG, HANGUP, pair.now)
    pair.run()
    assert pair.legs.live() == 1
    pair.wait(40)
    assert pair.last(Ended) == Ended(leg=LEG, cause=HANGUP)


def test_both_hang_up_at_once() -> None:
    pair = SipPair()
    session = up_outgoing(pair)
    pair.peer.bye(session, now=pair.now)
    pair.legs.end(LEG, HANGUP, pair.now)
    pair.run()
    assert [e for e in pair.told if isinstance(e, Ended)] == [Ended(leg=LEG, cause=HANGUP)]
    assert nothing_left(pair)


def test_an_unknown_trunk_and_one_without_a_way_are_unreachable() -> None:
    pair = SipPair()
    unreachable = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)
    pair.legs.place(LEG, TrunkNumber(trunk=TrunkName("ghost"), number="1"), CALLER, MEDIA, pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(leg=LEG, cause=unreachable)
    pair.no_way = True
    other = LegId("other")
    pair.legs.place(other, PBX, CALLER, MEDIA, pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(leg=other, cause=unreachable)
    assert pair.far == []
    assert nothing_left(pair)


def test_the_person_is_told_why_a_call_is_taken_back() -> None:
    pair = SipPair()
    session = placed(pair)
    cause = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NO_ANSWER, sip_code=480)
    pair.legs.end(LEG, cause, pair.now, text="no answer in time")
    pair.run()
    assert pair.all_far(InviteCancelled) == [
        InviteCancelled(session=session, reason='SIP;cause=480;text="no answer in time"')
    ]


def test_the_person_is_told_why_a_call_is_hung_up() -> None:
    pair = SipPair()
    session = up_outgoing(pair)
    pair.legs.end(LEG, HANGUP, pair.now, text="on a break: lunch")
    pair.run()
    assert pair.all_far(SessionEnded) == [
        SessionEnded(session=session, by=EndedBy.REMOTE, reason='SIP;cause=200;text="on a break: lunch"')
    ]


@pytest.mark.parametrize(("said", "told"), [("30", 30), ("30 (at lunch);duration=60", 30), ("0", None), ("soon", None)])
def test_a_refusal_tells_when_to_ask_again(said: str, told: int | None) -> None:
    it = SipPair()
    session = placed(it)
    it.peer.reject(session, 486, "", [("Retry-After", said)], now=it.now)
    it.run()
    assert it.last(Ended).cause.retry_after_s == told
