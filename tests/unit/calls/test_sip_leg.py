from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import (
    Answered,
    Ended,
    FromTrunk,
    Offered,
)
from engine.ids import TrunkName
from engine.media.commands import Codec, Direction
from engine.sip.errors import RemoteSipError
from engine.sip.events import (
    InviteAccepted,
    InviteFailed,
    ProgressReceived,
    SessionEnded,
)
from engine.sip.offer_answer import AudioCodec, read_answer
from tests.support.sip_legs import (
    CALLER,
    HANGUP,
    MEDIA,
    answer_of,
    nothing_left,
    offered,
    up_incoming,
)
from tests.support.sip_pair import SipPair, description


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


def test_what_turns_out_unreadable_only_at_the_answer_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = SipPair()
    leg, _ = offered(pair, description())

    def unreadable(*_: object, **__: object) -> None:
        raise RemoteSipError("Supported cannot be read", status_hint=400, reason="Bad Request")

    monkeypatch.setattr(pair.engine, "accept", unreadable)
    pair.legs.answer(leg, MEDIA, pair.now)
    pair.run()
    (failed,) = pair.all_far(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.status == 400
    assert pair.last(Ended).cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.PROTOCOL, sip_code=400)
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
    pair.legs.answer(leg, MEDIA, pair.now)
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
