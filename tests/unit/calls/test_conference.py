"""Conferences: who is in, who is heard, what one alone hears, and what operators do about it."""

from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.conference import MAX_MEMBERS
from engine.calls.destination import Phase
from engine.calls.log import CallRouted
from engine.calls.mixing_records import ConferenceJoined, ConferenceLeft, ConferenceMuted
from engine.calls.routing import ToConference
from engine.errors import NotFound
from engine.ids import CallId, LegId
from engine.media.commands import Direction, JoinConference
from engine.media.events import LegFailed
from tests.support.call_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig(ToConference(conference="team"))


def enter(rig: Rig, agent: str | None = None) -> LegId:
    leg = rig.call_in("604", agent=agent)
    rig.confirm(leg)
    return leg


def call_of(rig: Rig, leg: LegId) -> CallId:
    found = rig.manager.call_of(leg)
    assert found is not None
    return found


def test_callers_and_agents_meet_and_who_is_alone_hears_music(rig: Rig) -> None:
    anna = enter(rig, "anna")
    assert rig.media.conferences == {"team": {anna: True}}
    assert rig.media.players[anna].playlist[0].file == "/music/default.wav"
    outside = enter(rig)
    assert rig.media.conferences == {"team": {anna: True, outside: True}}
    assert not rig.media.players
    bert = enter(rig, "bert")
    assert not rig.media.players

    assert {body.destination for body in rig.bodies(CallRouted)} == {"conference:team"}
    assert rig.bodies(ConferenceJoined) == [
        ConferenceJoined(conference="team", leg=leg, members=members)
        for members, leg in enumerate((anna, outside, bert), 1)
    ]
    assert {call.phase for call in rig.manager.snapshot()} == {Phase.TALKING}
    for leg, left in ((outside, 2), (bert, 1)):
        rig.legs.far_hang_up(leg)
        rig.pump()
        assert rig.bodies(ConferenceLeft)[-1] == ConferenceLeft(conference="team", leg=leg, members=left)
    assert rig.media.players.keys() == {anna}
    rig.legs.far_hang_up(anna)
    rig.pump()
    assert rig.manager.conferences.names() == ()
    assert rig.media.conferences == {"team": {}}
    assert not rig.queues.engaged
    rig.assert_clean()


def test_nobody_is_in_before_he_has_confirmed(rig: Rig) -> None:
    leg = rig.call_in("604", agent="anna")
    assert not rig.media.conferences
    assert rig.manager.snapshot()[0].phase is Phase.SETUP
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert not rig.bodies(ConferenceLeft)
    rig.assert_clean()


def test_who_holds_is_not_heard_and_hears_no_music(rig: Rig) -> None:
    anna, bert = enter(rig, "anna"), enter(rig, "bert")
    rig.legs.far_update(anna, Direction.RECVONLY)
    rig.pump()
    assert rig.media.conferences == {"team": {anna: False, bert: True}}
    assert rig.manager.snapshot()[0].phase is Phase.HELD
    rig.legs.far_hang_up(bert)
    rig.pump()
    assert not rig.media.players
    rig.legs.far_update(anna, Direction.SENDRECV)
    rig.pump()
    assert rig.media.conferences == {"team": {anna: True}}
    assert rig.media.players.keys() == {anna}


def test_an_operator_mutes_and_lets_speak(rig: Rig) -> None:
    anna, bert = enter(rig, "anna"), enter(rig, "bert")
    call = call_of(rig, anna)
    rig.manager.conferences.mute("team", call, True, rig.now, "cli")
    rig.manager.conferences.mute("team", call, True, rig.now, "cli")
    rig.pump()
    assert rig.media.conferences == {"team": {anna: False, bert: True}}
    assert [member.muted for member in rig.manager.conferences.members("team")] == [True, False]
    rig.legs.far_update(anna, Direction.RECVONLY)
    rig.legs.far_update(anna, Direction.SENDRECV)
    rig.pump()
    assert rig.media.conferences["team"][anna] is False, "to hold and resume is no way out"
    rig.manager.conferences.mute("team", call, False, rig.now, "api")
    rig.pump()
    assert rig.media.conferences["team"][anna] is True
    assert rig.bodies(ConferenceMuted) == [
        ConferenceMuted(conference="team", leg=anna, muted=True, by="cli"),
        ConferenceMuted(conference="team", leg=anna, muted=False, by="api"),
    ]


def test_an_operator_puts_a_member_out(rig: Rig) -> None:
    anna = enter(rig, "anna")
    rig.manager.conferences.kick("team", call_of(rig, anna), rig.now)
    rig.pump()

    assert rig.end().cause == EndCause(outcome=Outcome.SUCCESS, reason=Reason.OPERATOR, sip_code=200)
    assert rig.end().ended_by == "engine"
    rig.assert_clean()


def test_members_are_told_of_as_they_are(rig: Rig) -> None:
    anna = enter(rig, "anna")
    rig.clock.now += 5
    enter(rig)

    first, second = rig.manager.conferences.members("team")
    assert (first.call, first.who, first.caller, first.joined_at) == (call_of(rig, anna), "agent:anna", "anna", 1000.0)
    assert (second.who, second.caller, second.joined_at) == ("trunk:pbx", "0301234", 1005.0)


def test_conferences_and_members_that_are_not_there(rig: Rig) -> None:
    anna = enter(rig, "anna")
    with pytest.raises(NotFound, match="nobody is in a conference 'other'"):
        rig.manager.conferences.members("other")
    with pytest.raises(NotFound, match="nobody is in a conference 'other'"):
        rig.manager.conferences.kick("other", call_of(rig, anna), rig.now)
    with pytest.raises(NotFound, match="call 'c9' is not in conference 'team'"):
        rig.manager.conferences.mute("team", CallId("c9"), True, rig.now, "api")


def test_the_sixty_fifth_is_refused_as_busy(rig: Rig) -> None:
    object.__setattr__(rig.config, "max_calls", 100)
    waiting = rig.call_in("604")
    for _ in range(MAX_MEMBERS - 1):
        enter(rig)
    late = rig.call_in("604")
    assert rig.legs.legs[late].refused_with == 486
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.BUSY, sip_code=486)
    rig.confirm(waiting)
    assert len(rig.manager.conferences.members("team")) == MAX_MEMBERS
    assert len(rig.media.conferences["team"]) == MAX_MEMBERS


def test_a_member_whom_media_cannot_seat_is_let_go(rig: Rig) -> None:
    anna = enter(rig, "anna")
    rig.manager.media_event(LegFailed(leg=anna, command=JoinConference.__name__, reason="opaque"), rig.now)
    rig.pump()

    assert rig.end().cause.outcome is Outcome.SERVER
    rig.assert_clean()


def test_music_that_cannot_be_played_gives_way_to_a_tone(rig: Rig) -> None:
    rig.media.bad_files.add("/music/default.wav")
    anna = enter(rig, "anna")

    assert rig.media.players[anna].playlist[0].tone is not None


def test_who_comes_is_opened_beside_those_who_are_coming(rig: Rig) -> None:
    """Their legs must be in one media process, also of two who come at once."""
    first = rig.call_in("604")
    second = rig.call_in("604", agent="anna")

    assert (rig.media.beside[first], rig.media.beside[second]) == (None, first)


def test_the_record_of_a_member_has_his_time_there(rig: Rig) -> None:
    anna = enter(rig, "anna")
    (call,) = rig.manager.snapshot()
    assert call.connected_at == rig.now
    rig.wait(30.0)
    rig.legs.far_hang_up(anna)
    rig.pump()
    (row,) = rig.rows()
    assert row.talked_s == pytest.approx(30.0)
    assert row.connected is not None
    assert row.ended - row.connected == pytest.approx(30.0)
