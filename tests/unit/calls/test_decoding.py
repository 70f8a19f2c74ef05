"""Calls in a codec that only passes, and what happens where somebody needs to decode it."""

from __future__ import annotations

import pytest

from engine.calls.causes import Outcome, Reason
from engine.calls.decoding import CodecRefused
from engine.calls.events import LocalMedia
from engine.calls.log import CallTransferred, LegClosed, TransferFailed
from engine.calls.routing import ToAgent
from engine.calls.supervision import SupervisionMode
from engine.ids import AgentName, LegId, TransferId
from engine.media.commands import Codec, Direction, Play, StopPlay, Tone
from tests.support.call_rig import Rig
from tests.support.transfer_office import hang_up, office, said

OPUS = Codec.OPAQUE
HOLD, RESUME = Direction.RECVONLY, Direction.SENDRECV


def passing(rig: Rig | None = None) -> tuple[Rig, LegId, LegId]:
    """Anna talks to Bert; both have Opus."""
    rig = rig or Rig()
    rig.router.answer = ToAgent(agent=AgentName("bert"), ring_timeout_s=20)
    caller = rig.call_in("200", agent="anna")
    far = rig.legs.placed()[-1]
    rig.legs.far_answer(far, OPUS)
    rig.pump()
    rig.confirm(caller, OPUS)
    return rig, caller, far


def linked(rig: Rig, one: LegId, other: LegId) -> bool:
    return rig.media.edges == {(one, other), (other, one)}


def asked(rig: Rig) -> dict[LegId, LocalMedia]:
    """What each peer is asked for now."""
    rig.wait(0.0)
    return dict(rig.legs.moves)


def update(rig: Rig, leg: LegId, direction: Direction) -> None:
    rig.legs.far_update(leg, direction)
    rig.pump()


def take(rig: Rig, leg: LegId, codec: Codec = Codec.PCMU) -> None:
    rig.legs.far_take(leg, codec)
    rig.pump()


def stay(rig: Rig, leg: LegId) -> None:
    rig.legs.far_stay(leg)
    rig.pump()


def test_two_in_the_same_codec_talk_and_nobody_is_asked_for_anything() -> None:
    rig, caller, far = passing()
    assert linked(rig, caller, far)
    assert asked(rig) == {}
    (call,) = rig.manager.snapshot()
    assert (call.caller_codec, call.peer_codec, call.phase) == ("opus", "opus", "talking")
    rig.wait(1.0)
    hang_up(rig, caller)
    assert [body.codec for body in rig.bodies(LegClosed) if isinstance(body, LegClosed)] == ["opus", "opus"]
    rig.assert_clean()


def test_who_is_asked_to_go_to_another_media_process_keeps_the_codec_and_is_told_of_the_place() -> None:
    rig, caller, far = passing()
    rig.manager.move_media(far, 40000, rig.now)
    assert asked(rig) == {far: LocalMedia(port=40000, alike=caller, elsewhere=True)}


def test_music_on_hold_waits_for_a_codec_and_so_does_the_talk_after_it() -> None:
    rig, caller, far = passing()
    update(rig, caller, HOLD)
    assert rig.media.players == {}
    assert asked(rig) == {far: LocalMedia(port=rig.media.ports[far], decoded=True)}
    take(rig, far)
    assert rig.media.players[far].playlist[0].file == "/music/default.wav"
    update(rig, caller, RESUME)
    assert rig.media.players == {}
    assert rig.media.edges == set(), "one has Opus, the other has not"
    assert list(asked(rig)) == [caller]
    take(rig, caller, Codec.PCMA)
    assert linked(rig, caller, far)
    hang_up(rig, far)
    rig.assert_clean()


def test_who_resumes_before_the_answer_hears_no_music() -> None:
    rig, caller, far = passing()
    update(rig, caller, HOLD)
    asked(rig)
    update(rig, caller, RESUME)
    assert linked(rig, caller, far)
    assert not any(isinstance(command, StopPlay) for command in rig.media.sent), "nothing was played"
    take(rig, far)
    assert rig.media.players == {}
    assert rig.media.edges == set()
    assert list(asked(rig)) == [caller]
    take(rig, caller)
    assert linked(rig, caller, far)


def test_without_another_codec_there_is_silence_for_music_and_the_log_says_why() -> None:
    rig, caller, far = passing()
    update(rig, caller, HOLD)
    asked(rig)
    stay(rig, far)
    assert rig.bodies(CodecRefused) == [CodecRefused(leg=far, codec="opus", status=488, reason="Not Acceptable Here")]
    assert asked(rig) == {}, "once is enough"
    assert rig.media.players == {}
    update(rig, caller, RESUME)
    assert linked(rig, caller, far)
    hang_up(rig, caller)
    rig.assert_clean()


def test_who_left_the_codec_for_music_comes_back_where_the_other_cannot_leave_it() -> None:
    rig, caller, far = passing()
    for _ in range(2):
        update(rig, caller, HOLD)
        asked(rig)
        take(rig, far)
        assert far in rig.media.players
        update(rig, caller, RESUME)
        if caller in asked(rig):
            stay(rig, caller)
        assert asked(rig) == {far: LocalMedia(port=rig.media.ports[far], alike=caller)}
        update(rig, caller, RESUME)
        assert len(rig.manager.snapshot()) == 1, "the answer is still to come"
        take(rig, far, OPUS)
        assert linked(rig, caller, far)
        rig.legs.moves.clear()


@pytest.mark.parametrize("back", [True, False])
def test_the_call_ends_where_the_two_come_to_have_nothing_in_common(back: bool) -> None:
    rig, caller, far = passing()
    update(rig, caller, HOLD)
    asked(rig)
    take(rig, far)
    update(rig, caller, RESUME)
    asked(rig)
    stay(rig, caller)
    assert len(rig.manager.snapshot()) == 1
    asked(rig)
    if back:
        stay(rig, far)
    else:
        take(rig, far, Codec.PCMA)
    cause = rig.end().cause
    assert (cause.outcome, cause.reason) == (Outcome.UPSTREAM, Reason.NOT_ACCEPTABLE)
    rig.assert_clean()


def transferring() -> tuple[Rig, LegId, LegId, TransferId]:
    """Anna puts Bert through to the queue."""
    rig = office()
    rig.router.by_number.pop("200")
    rig, anna, bert = passing(rig)
    transfer = rig.legs.far_transfer(anna, "300")
    rig.pump()
    return rig, anna, bert, transfer


def test_a_transfer_is_tried_when_whoever_is_put_through_can_be_heard() -> None:
    rig, _, bert, transfer = transferring()
    assert rig.queues.waiting == {}
    assert rig.media.players == {}
    assert list(asked(rig)) == [bert]
    take(rig, bert)
    assert said(rig, transfer) == ["accepted", "done"]
    assert len(rig.queues.waiting) == 1
    assert rig.media.players[bert].playlist[0].file == "/music/default.wav"
    assert len(rig.bodies(CallTransferred)) == 1
    hang_up(rig, bert)
    rig.assert_clean()


def test_a_transfer_comes_to_nothing_where_he_cannot_and_the_two_talk_on() -> None:
    rig, anna, bert, transfer = transferring()
    asked(rig)
    stay(rig, bert)
    assert said(rig, transfer) == ["accepted", 488]
    (failed,) = rig.bodies(TransferFailed)
    assert isinstance(failed, TransferFailed)
    assert failed.cause.reason is Reason.NOT_ACCEPTABLE
    assert linked(rig, anna, bert)
    hang_up(rig, anna)
    rig.assert_clean()


def test_ringback_begins_when_it_can_be_heard_and_the_number_rings_then() -> None:
    rig, anna, bert, _ = transferring()
    asked(rig)
    assert len(rig.legs.placed()) == 1
    hang_up(rig, anna)
    take(rig, bert)
    assert Tone.RINGBACK in [play.playlist[0].tone for play in rig.media.sent if isinstance(play, Play)]
    assert len(rig.queues.waiting) == 1


def test_who_hangs_up_meanwhile_is_asked_for_nothing() -> None:
    rig, caller, _ = passing()
    update(rig, caller, HOLD)
    hang_up(rig, caller)
    assert rig.manager.next_deadline() is None
    assert asked(rig) == {}
    rig.assert_clean()


def supervised(rig: Rig) -> LegId:
    """Cleo listens to the only call."""
    (call,) = rig.manager.snapshot()
    rig.manager.supervisors.supervise(call.call, AgentName("cleo"), SupervisionMode.LISTEN, rig.now, "api")
    rig.pump()
    boss = rig.legs.placed()[-1]
    rig.legs.far_answer(boss, Codec.PCMA)
    rig.pump()
    return boss


def test_a_supervisor_hears_the_two_when_they_can_be_heard() -> None:
    rig, caller, far = passing()
    boss = supervised(rig)
    assert linked(rig, caller, far)
    assert set(asked(rig)) == {caller, far}
    take(rig, caller)
    assert rig.media.edges == set(), "one has left Opus, the other has not"
    take(rig, far)
    assert rig.media.edges == {(caller, far), (far, caller), (caller, boss), (far, boss)}
    hang_up(rig, caller)
    rig.assert_clean()


def left(rig: Rig, boss: LegId) -> bool:
    """The supervisor is told why, and gone; the call goes on."""
    over = rig.legs.legs[boss]
    assert over.cause is not None
    assert over.cause.reason is Reason.NOT_ACCEPTABLE
    assert over.text == "the call is spoken in opus, which nobody else can be mixed with"
    return len(rig.manager.snapshot()) == 1


def test_a_supervisor_is_sent_away_where_one_of_the_two_cannot_be_heard() -> None:
    rig, caller, far = passing()
    boss = supervised(rig)
    asked(rig)
    take(rig, caller)
    assert len(rig.manager.snapshot()) == 2
    stay(rig, far)
    assert left(rig, boss)
    assert list(asked(rig)) == [caller]
    take(rig, caller, OPUS)
    assert linked(rig, caller, far)
    assert asked(rig) == {}, "nor is it asked again"
    hang_up(rig, caller)
    rig.assert_clean()


def test_a_supervisor_whose_phone_rings_when_the_other_codec_is_refused_is_sent_away_when_it_answers() -> None:
    rig, caller, far = passing()
    (call,) = rig.manager.snapshot()
    rig.manager.supervisors.supervise(call.call, AgentName("cleo"), SupervisionMode.LISTEN, rig.now, "api")
    rig.pump()
    boss = rig.legs.placed()[-1]
    update(rig, caller, HOLD)
    asked(rig)
    stay(rig, far)
    assert len(rig.manager.snapshot()) == 2, "it still rings"
    rig.legs.far_answer(boss, Codec.PCMA)
    rig.pump()
    assert left(rig, boss)
    hang_up(rig, caller)
    rig.assert_clean()
