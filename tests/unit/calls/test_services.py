"""Echo, announcement, feature codes, refusal: what the engine does by itself."""

from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import AgentStatus
from engine.calls.leg import LegState
from engine.calls.log import CallAnswered, CallRouted
from engine.calls.ports import AgentStatusView
from engine.calls.routing import Feature, NoRoute, Route, ToAnnouncement, ToEcho, ToFeature, ToReject
from engine.ids import AgentName
from engine.media.commands import Tone
from engine.media.events import LegFailed, PlayFinished
from tests.support.call_rig import Rig


def test_echo_lets_the_caller_hear_himself_until_he_hangs_up() -> None:
    rig = Rig(ToEcho())
    leg = rig.call_in("600", agent="anna")
    assert not rig.media.edges
    rig.confirm(leg)
    assert rig.media.edges == {(leg, leg)}
    assert rig.queues.ever_engaged == ["anna"]
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.end().cause == EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=200)
    assert (rig.end().waited_s, rig.end().talked_s) == (0, 0)
    rig.assert_clean()


def test_an_announcement_is_played_to_its_end_and_then_hung_up() -> None:
    rig = Rig(ToAnnouncement(file="/say/closed.wav"))
    leg = rig.call_in()
    rig.confirm(leg)
    play = rig.media.players[leg]
    assert (play.playlist[0].file, play.loop) == ("/say/closed.wav", False)
    rig.media.finish_playing(leg)
    rig.pump()
    assert rig.end().cause == EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
    assert rig.end().ended_by == "engine"
    rig.assert_clean()


def test_a_caller_who_does_not_hear_the_announcement_out() -> None:
    rig = Rig(ToAnnouncement(file="/say/closed.wav"))
    leg = rig.call_in()
    rig.confirm(leg)
    rig.legs.far_hang_up(leg)
    rig.media.finish_playing(leg)
    rig.pump()
    assert rig.end().cause.reason is Reason.CALLER_HANGUP
    rig.assert_clean()


def test_the_end_of_something_else_does_not_end_the_announcement() -> None:
    rig = Rig(ToAnnouncement(file="/say/closed.wav"))
    leg = rig.call_in()
    rig.confirm(leg)
    rig.manager.media_event(PlayFinished(leg=leg, player="music"), rig.now)
    assert rig.manager.live().calls == 1
    assert rig.media.players[leg].playlist[0].file == "/say/closed.wav"


def test_an_announcement_that_cannot_be_read_is_our_fault() -> None:
    rig = Rig(ToAnnouncement(file="/say/gone.wav"))
    rig.media.bad_files = {"/say/gone.wav"}
    leg = rig.call_in()
    rig.confirm(leg)
    assert rig.end().cause.outcome is Outcome.SERVER
    rig.assert_clean()


@pytest.mark.parametrize(
    ("feature", "change"),
    [(Feature.AVAILABLE, ("anna", True, "", "phone")), (Feature.BREAK, ("anna", False, "lunch", "phone"))],
)
def test_feature_codes(feature: Feature, change: tuple[str, bool, str, str]) -> None:
    rig = Rig(ToFeature(feature=feature, reason="lunch" if feature is Feature.BREAK else ""))
    leg = rig.call_in("*1", agent="anna")
    rig.confirm(leg)
    assert rig.queues.statuses == [change]
    assert rig.media.players[leg].playlist[0].tone is Tone.CONFIRM
    assert not rig.media.players[leg].loop
    assert rig.queues.engaged
    rig.media.finish_playing(leg)
    rig.pump()
    assert rig.end().cause.reason is Reason.COMPLETED
    assert rig.bodies(CallRouted) == [CallRouted(destination=f"feature:{feature}")]
    rig.assert_clean()


@pytest.mark.parametrize(
    ("standing", "tone", "text"),
    [
        (AgentStatusView(status=AgentStatus.AVAILABLE), Tone.CONFIRM, "available"),
        (AgentStatusView(status=AgentStatus.BREAK, reason="lunch"), Tone.DENY, "on a break: lunch"),
        (AgentStatusView(status=AgentStatus.BREAK), Tone.DENY, "on a break"),
        (AgentStatusView(status=AgentStatus.LOGGED_OUT), Tone.DENY, "logged out"),
        (
            AgentStatusView(status=AgentStatus.BREAK, reason="rona: no answer", by_engine=True),
            Tone.CONGESTION,
            "on a break: rona: no answer",
        ),
    ],
)
def test_the_own_status_is_heard_as_a_tone_and_told_as_text(standing: AgentStatusView, tone: Tone, text: str) -> None:
    rig = Rig(ToFeature(feature=Feature.STATUS))
    rig.queues.standing[AgentName("anna")] = standing
    leg = rig.call_in("*10", agent="anna")
    rig.confirm(leg)
    assert rig.queues.statuses == []
    assert rig.media.players[leg].playlist[0].tone is tone
    rig.media.finish_playing(leg)
    rig.pump()
    assert rig.legs.legs[leg].text == text
    assert rig.end().cause == EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
    rig.assert_clean()


def test_a_feature_code_from_a_trunk_is_forbidden_and_changes_nothing() -> None:
    rig = Rig(ToFeature(feature=Feature.BREAK))
    leg = rig.call_in("*12")
    assert rig.legs.legs[leg].refused_with == 403
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=403)
    assert rig.queues.statuses == []
    assert rig.media.sent == []
    rig.assert_clean()


@pytest.mark.parametrize(
    ("route", "status", "reason"),
    [
        (ToReject(status=603, reason="Decline"), 603, Reason.DIALPLAN_REJECT),
        (ToReject(status=486, reason="Busy"), 486, Reason.DIALPLAN_REJECT),
        (NoRoute(explanation="nothing"), 404, Reason.NO_ROUTE),
        (NoRoute(explanation="not you", forbidden=True), 403, Reason.FORBIDDEN),
    ],
)
def test_refusals_need_no_port_and_engage_nobody(route: Route, status: int, reason: Reason) -> None:
    rig = Rig(route)
    leg = rig.call_in(agent="anna")
    assert rig.legs.legs[leg].refused_with == status
    assert rig.legs.legs[leg].state is LegState.ENDED
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=reason, sip_code=status)
    assert rig.media.sent == []
    assert rig.queues.ever_engaged == []
    assert rig.bodies(CallAnswered) == []
    rig.assert_clean()


def test_a_confirmation_that_cannot_be_played_holds_nobody_up() -> None:
    rig = Rig(ToFeature(feature=Feature.STATUS))
    rig.queues.standing[AgentName("anna")] = AgentStatusView(status=AgentStatus.BREAK)
    leg = rig.call_in("*10", agent="anna")
    rig.confirm(leg)
    rig.media.events.append(LegFailed(leg=leg, command="Play", reason="no room"))
    rig.pump()
    assert rig.legs.legs[leg].text == "on a break"
    assert rig.end().cause.reason is Reason.COMPLETED
    rig.media.finish_playing(leg)
    rig.assert_clean()
