from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Drop, Put, Trunk
from engine.calls.events import (
    Answered,
    Ended,
    FromAgent,
    FromTrunk,
    LocalMedia,
    Offered,
    Party,
    Reachable,
    Ringing,
    TrunkDown,
    TrunkUp,
    Unreachable,
    UnreachableReason,
    Updated,
)
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.ids import AgentName, LegId, TrunkName
from engine.media.commands import Codec, Direction
from engine.sip.events import (
    AgentPeer,
    InviteAccepted,
    InviteCancelled,
    InviteFailed,
    InviteReceived,
    OfferAnswered,
    OfferReceived,
    OfferRefused,
    ProgressReceived,
    SessionEnded,
    SessionId,
)
from engine.sip.offer_answer import AudioCodec, Local, make_answer, read_answer
from engine.sip.offer_answer import Direction as SdpDirection
from tests.support.sip_pair import ENGINE, PHONE, SipPair, description, udp

MEDIA = LocalMedia(port=20000)
LEG = LegId("out")
HANGUP = EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=200)
CANCELLED = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.CANCELLED, sip_code=487)
PBX = TrunkNumber(trunk=TrunkName("pbx"), number="0305550")
CALLER = Party(number="0301234", display="Mrs Caller")


def answer_of(sdp: bytes | None, *codecs: AudioCodec) -> bytes:
    """How a far phone answers our offer."""
    assert sdp is not None
    local = Local(
        address="192.0.2.2", port=4000, session_id=9, version=0, codecs=codecs or (AudioCodec.PCMU, AudioCodec.PCMA)
    )
    return make_answer(sdp, local)[0]


def offered(pair: SipPair, sdp: bytes | None) -> tuple[LegId, SessionId]:
    session = pair.call_in(sdp)
    return pair.last(Offered).leg, session


def up_incoming(pair: SipPair, sdp: bytes | None = None) -> tuple[LegId, SessionId]:
    leg, session = offered(pair, sdp or description())
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    return leg, session


def placed(pair: SipPair, destination: TrunkNumber | AgentPhone = PBX, media: LocalMedia = MEDIA) -> SessionId:
    pair.legs.place(LEG, destination, CALLER, media, pair.now)
    pair.run()
    received = pair.all_far(InviteReceived)[-1]
    assert isinstance(received, InviteReceived)
    return received.session


def up_outgoing(pair: SipPair) -> SessionId:
    session = placed(pair)
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    return session


def invite_of(pair: SipPair) -> InviteReceived:
    received = pair.all_far(InviteReceived)[-1]
    assert isinstance(received, InviteReceived)
    return received


def nothing_left(pair: SipPair) -> bool:
    pair.wait(70)
    return pair.legs.live() == 0 and pair.engine.live().sessions == 0 and pair.engine.live().timers == 0


# --- incoming ---


def test_an_invite_is_offered_in_neutral_words() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    told = pair.last(Offered)
    assert told.origin == FromTrunk(trunk=TrunkName("pbx"))
    assert (told.called, told.caller) == ("4000", CALLER)
    assert told.protocol_id
    assert leg == told.leg


def test_answering_tells_the_media_when_the_peer_has_confirmed() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description((AudioCodec.PCMA, AudioCodec.PCMU)))
    pair.lose = lambda data: data.startswith(b"ACK")
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    assert not any(isinstance(e, Answered) for e in pair.told)
    pair.lose = lambda data: False
    pair.wait(1)
    media = pair.last(Answered).media
    assert (media.address, media.port, media.flow_address) == ("192.0.2.2", 4000, "192.0.2.2")
    assert (media.codec, media.payload_type, media.dtmf_payload_type) == (Codec.PCMA, 8, 101)
    assert media.direction is Direction.SENDRECV
    (accepted,) = pair.all_far(InviteAccepted)
    assert isinstance(accepted, InviteAccepted)
    assert accepted.sdp is not None
    agreed = read_answer(description(), accepted.sdp)
    assert (agreed.address, agreed.port) == ("203.0.113.9", 20000)


@pytest.mark.parametrize(
    ("wanted", "offer", "got"),
    [
        ((Codec.PCMA,), (AudioCodec.PCMU, AudioCodec.PCMA), Codec.PCMA),
        ((Codec.PCMA,), (AudioCodec.PCMU,), Codec.PCMU),
        ((Codec.PCMU, Codec.PCMA), (AudioCodec.PCMA, AudioCodec.PCMU), Codec.PCMA),
    ],
)
def test_the_far_sides_codec_is_taken_where_the_caller_has_it(
    wanted: tuple[Codec, ...], offer: tuple[AudioCodec, ...], got: Codec
) -> None:
    pair = SipPair()
    leg, _ = offered(pair, description(offer))
    pair.legs.answer(leg, LocalMedia(port=20000, codecs=wanted), pair.now)
    pair.run()
    assert pair.last(Answered).media.codec is got


def test_ringing_then_answering() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    pair.legs.ring(leg, pair.now)
    pair.legs.ring(leg, pair.now)
    pair.run()
    assert [e.status for e in pair.all_far(ProgressReceived) if isinstance(e, ProgressReceived)] == [180]
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    assert pair.last(Answered).leg == leg


def test_rejecting_says_status_and_when_to_come_again_and_tells_nothing() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    told = len(pair.told)
    pair.legs.reject(leg, 503, "", pair.now, retry_after_s=5)
    pair.run()
    (failed,) = pair.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert (failed.status, failed.retry_after) == (503, 5)
    assert len(pair.told) == told
    assert nothing_left(pair)


def test_an_offer_without_a_codec_of_ours_is_refused_when_it_is_answered() -> None:
    pair = SipPair()
    bad = description().replace(b" 0 8 101", b" 18").replace(b"a=rtpmap:0 PCMU/8000\r\n", b"")
    leg, _ = offered(pair, bad.replace(b"a=rtpmap:8 PCMA/8000\r\n", b""))
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    (failed,) = pair.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.status == 488
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.NOT_ACCEPTABLE, sip_code=488)
    assert nothing_left(pair)


def test_a_caller_who_gives_up() -> None:
    pair = SipPair()
    leg, session = offered(pair, description())
    pair.peer.cancel(session, now=pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(
        leg=leg, cause=EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487)
    )
    told = len(pair.told)
    pair.legs.ring(leg, pair.now)
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert len(pair.told) == told
    assert nothing_left(pair)


def test_a_caller_who_hangs_up() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.bye(session, now=pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(leg=leg, cause=HANGUP)
    assert nothing_left(pair)


def test_hanging_up_on_a_caller_says_why() -> None:
    pair = SipPair()
    leg, _ = up_incoming(pair)
    cause = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.QUEUE_TIMEOUT, sip_code=200)
    pair.legs.end(leg, cause, pair.now)
    pair.run()
    assert pair.last(Ended) == Ended(leg=leg, cause=cause)
    (ended,) = pair.all_far(SessionEnded)
    assert isinstance(ended, SessionEnded)
    assert ended.reason == 'Q.850;cause=19;text="nobody was free"'
    assert nothing_left(pair)


def test_ending_an_offered_leg_refuses_it_and_tells_the_end() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    cause = EndCause(outcome=Outcome.SERVER, reason=Reason.SHUTDOWN)
    pair.legs.end(leg, cause, pair.now)
    pair.run()
    (failed,) = pair.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.status == 503
    assert pair.last(Ended) == Ended(leg=leg, cause=cause)
    assert nothing_left(pair)


def test_hanging_up_before_the_confirmation_waits_for_it() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert not any(isinstance(e, Answered) for e in pair.told)
    assert pair.last(Ended) == Ended(leg=leg, cause=HANGUP)
    assert nothing_left(pair)


def test_a_confirmation_that_never_comes_ends_the_leg() -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())
    pair.lose = lambda data: data.startswith(b"ACK")
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    pair.wait(40)
    assert pair.last(Ended) == Ended(leg=leg, cause=EndCause(outcome=Outcome.CLIENT, reason=Reason.ACK_TIMEOUT))
    pair.lose = lambda data: False
    assert nothing_left(pair)


def test_an_invite_without_an_offer_gets_ours_and_the_ack_answers() -> None:
    pair = SipPair()
    leg, session = offered(pair, None)
    pair.legs.answer(leg, LocalMedia(port=20000, codecs=(Codec.PCMA,)), pair.now)
    pair.run()
    (accepted,) = pair.all_far(InviteAccepted)
    assert isinstance(accepted, InviteAccepted)
    pair.peer.answer_offer(session, answer_of(accepted.sdp, AudioCodec.PCMU), now=pair.now)
    pair.run()
    told = pair.last(Answered)
    assert (told.leg, told.media.codec, told.media.port) == (leg, Codec.PCMU, 4000)
    pair.peer.bye(session, now=pair.now)
    pair.run()
    assert nothing_left(pair)


def test_an_ack_without_the_answer_that_it_owes_ends_the_leg() -> None:
    pair = SipPair()
    leg, session = offered(pair, None)
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    pair.peer.answer_offer(session, b"", now=pair.now)
    pair.run()
    assert not any(isinstance(e, Answered) for e in pair.told)
    cause = pair.last(Ended).cause
    assert (cause.outcome, cause.reason) == (Outcome.CLIENT, Reason.NOT_ACCEPTABLE)
    assert nothing_left(pair)


# --- hold ---


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


def test_the_called_side_holds_too() -> None:
    pair = SipPair()
    session = up_outgoing(pair)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY, version=1), now=pair.now)
    pair.run()
    assert pair.last(Updated).leg == LEG
    assert pair.last(Updated).media.direction is Direction.RECVONLY


# --- outgoing ---


def test_placing_a_call_on_a_trunk() -> None:
    pair = SipPair()
    session = placed(pair, media=LocalMedia(port=20002, codecs=(Codec.PCMA, Codec.PCMU)))
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


# --- agents ---


def test_an_agents_phone_is_called_by_the_flow_of_its_registration() -> None:
    pair = SipPair()
    pair.register()
    reachable = pair.last(Reachable)
    assert (reachable.agent, reachable.source, reachable.user_agent) == ("anna", "192.0.2.3:40000", "Test phone")
    session = placed(pair, AgentPhone(agent=AgentName("anna")))
    invite = next(data for data in pair.to_phone if data.startswith(b"INVITE"))
    assert invite.startswith(b"INVITE sip:anna@10.0.0.3:5070")
    assert b"\r\nTo: <sip:anna@" in invite
    assert invite_of(pair).flow.local == PHONE
    pair.peer.accept(session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    assert pair.last(Answered).media.flow_address == PHONE.host
    pair.peer.bye(session, now=pair.now)
    pair.run()
    assert pair.last(Ended).cause.reason is Reason.AGENT_HANGUP


def test_an_agent_without_a_binding_is_unreachable() -> None:
    pair = SipPair()
    pair.legs.place(LEG, AgentPhone(agent=AgentName("anna")), CALLER, MEDIA, pair.now)
    pair.run()
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)
    assert nothing_left(pair)


def test_the_last_binding_that_goes_makes_the_agent_unreachable() -> None:
    pair = SipPair()
    pair.register(expires=60)
    pair.wait(59)
    assert not any(isinstance(e, Unreachable) for e in pair.told)
    pair.wait(2)
    assert pair.last(Unreachable) == Unreachable(agent=AgentName("anna"), reason=UnreachableReason.EXPIRED)
    pair.register(call_id="again")
    pair.register(call_id="bye", expires=0)
    assert pair.last(Unreachable).reason is UnreachableReason.UNREGISTERED


# --- lines ---


def test_a_trunk_is_asked_at_once_and_then_by_its_interval() -> None:
    pair = SipPair(ping_s=30)
    assert pair.legs.next_deadline() == 0
    pair.wait(1)
    assert [type(e) for e in pair.told] == [TrunkUp]
    assert pair.legs.next_deadline() == 30
    pair.wait(120)
    assert len(pair.told) == 1


def test_a_trunk_that_is_silent_is_down_and_not_tried_until_it_is_back() -> None:
    pair = SipPair(ping_s=30)
    pair.wait(1)
    pair.lose = lambda data: data.startswith(b"OPTIONS")
    pair.wait(70)
    assert pair.last(TrunkDown).trunk == "pbx"
    pair.legs.place(LEG, PBX, CALLER, MEDIA, pair.now)
    pair.run()
    assert pair.last(Ended).cause.reason is Reason.UNREACHABLE
    pair.lose = lambda data: False
    pair.wait(10)
    assert isinstance(pair.told[-1], TrunkUp)
    placed(pair)


def test_a_trunk_that_wants_no_question_is_taken_for_up() -> None:
    pair = SipPair(ping_s=0)
    assert pair.legs.next_deadline() is None
    assert [health.up for health in pair.legs.trunks()] == [True]
    placed(pair)


def test_a_trunk_that_is_changed_or_dropped() -> None:
    pair = SipPair(ping_s=0)
    changed = Trunk(name=TrunkName("pbx"), host="192.0.2.2", port=5060, ping_s=10)
    pair.directory.apply(Put(entity=changed))
    pair.legs.directory_changed(Put(entity=changed), pair.now)
    pair.wait(1)
    assert [type(e) for e in pair.told] == [TrunkUp]
    pair.directory.apply(Drop(entity=changed))
    pair.legs.directory_changed(Drop(entity=changed), pair.now)
    assert pair.legs.next_deadline() is None
    assert pair.legs.trunks() == ()


def test_a_trunk_without_a_way_is_down() -> None:
    pair = SipPair(ping_s=30)
    pair.no_way = True
    pair.wait(1)
    assert pair.last(TrunkDown).reason == "no way to send"
    pair.no_way = False
    pair.wait(6)
    assert isinstance(pair.told[-1], TrunkUp)


def test_an_agents_own_call_names_the_agent() -> None:
    pair = SipPair()
    event = InviteReceived(
        session=SessionId(1),
        peer=AgentPeer(user="anna"),
        flow=udp(ENGINE, PHONE),
        call_id="x",
        to_user="100",
        from_user="anna",
        from_display="",
        sdp=None,
    )
    pair.legs.handle(event, pair.now)
    (told,) = pair.legs.take_events()
    assert isinstance(told, Offered)
    assert told.origin == FromAgent(agent=AgentName("anna"))


def test_a_change_that_crosses_our_hang_up_is_left_alone() -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    pair.peer.offer(session, description(direction=SdpDirection.SENDONLY), now=pair.now)
    pair.legs.end(leg, HANGUP, pair.now)
    pair.run()
    assert not any(isinstance(e, Updated) for e in pair.told)
    assert not pair.all_far(OfferReceived)
    assert nothing_left(pair)
