from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softphone.model import acts
from softphone.model.state import CallPhase, Direction, Event, PhoneState, RegistrationStatus, reduce
from softphone.sip import events
from softphone.sip.events import CallNumber, MediaState
from tests.support.softphone_fakes import ended, incoming, media

ONE, TWO = CallNumber(1), CallNumber(2)


def after(*happened: Event, state: PhoneState | None = None) -> PhoneState:
    state = state or PhoneState()
    for event in happened:
        state = reduce(state, event)
    return state


def phase_after(*happened: Event) -> CallPhase | None:
    call = after(*happened).call
    return None if call is None else call.phase


DIALLED = acts.Dialled(call=ONE, uri="sip:100@pbx")
RINGS = events.Progress(call=ONE, code=180, reason="Ringing")
UP = events.Confirmed(call=ONE)


@pytest.mark.parametrize(
    ("happened", "phase"),
    [
        ([incoming(1)], CallPhase.INCOMING),
        ([incoming(1), acts.AnswerSent()], CallPhase.ANSWERING),
        ([incoming(1), acts.AnswerSent(), UP], CallPhase.TALKING),
        ([DIALLED], CallPhase.DIALLING),
        ([DIALLED, RINGS], CallPhase.RINGING),
        ([DIALLED, RINGS, RINGS, UP], CallPhase.TALKING),
        ([DIALLED, UP], CallPhase.TALKING),
        ([DIALLED, UP, RINGS], CallPhase.TALKING),
        ([DIALLED, acts.EndSent()], CallPhase.ENDING),
        ([DIALLED, acts.EndSent(), UP], CallPhase.ENDING),
        ([DIALLED, acts.EndSent(), RINGS], CallPhase.ENDING),
        ([DIALLED, acts.EndSent(), ended(1)], None),
        ([incoming(1), ended(1)], None),
        ([DIALLED, UP, ended(1)], None),
    ],
)
def test_phases(happened: list[Event], phase: CallPhase | None) -> None:
    assert phase_after(*happened) is phase


def test_a_call_knows_who_and_which_way() -> None:
    call = after(incoming(1, uri="sip:ann@pbx", display="Ann")).call
    assert call is not None
    assert (call.remote, call.display, call.direction) == ("sip:ann@pbx", "Ann", Direction.INCOMING)
    call = after(DIALLED).call
    assert call is not None
    assert (call.remote, call.direction) == ("sip:100@pbx", Direction.OUTGOING)


def test_a_second_caller_does_not_replace_the_first() -> None:
    state = after(incoming(1), incoming(2))
    assert state.call is not None
    assert state.call.call == 1


@pytest.mark.parametrize(
    "late",
    [
        ended(1),
        UP,
        RINGS,
        media(1, MediaState.LOCAL_HOLD),
        events.UpdateRefused(call=ONE, code=491, reason="Request Pending"),
    ],
)
def test_late_news_of_another_call_changes_nothing(late: Event) -> None:
    state = after(incoming(2))
    assert reduce(state, late) is state


def test_media_and_codec_follow_offer_and_answer() -> None:
    call = after(DIALLED, UP, media(1, MediaState.REMOTE_HOLD, "PCMA/8000")).call
    assert call is not None
    assert (call.media, call.codec) == (MediaState.REMOTE_HOLD, "PCMA/8000")


def test_mute_and_hold_are_kept_with_the_call() -> None:
    state = after(DIALLED, UP, acts.MuteSet(muted=True), acts.HoldAsked(hold=True))
    assert state.call is not None
    assert (state.call.muted, state.call.hold_wanted) == (True, True)
    call = after(ended(1), incoming(2), state=state).call
    assert call is not None
    assert (call.muted, call.hold_wanted) == (False, False)


@pytest.mark.parametrize(("now", "wanted"), [(MediaState.ACTIVE, False), (MediaState.LOCAL_HOLD, True)])
def test_a_refused_hold_or_resume_leaves_what_was(now: MediaState, wanted: bool) -> None:
    refused = events.UpdateRefused(call=ONE, code=488, reason="Not Acceptable Here")
    call = after(DIALLED, UP, media(1, now), acts.HoldAsked(hold=not wanted), refused).call
    assert call is not None
    assert call.hold_wanted is wanted


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (acts.RegistrationAsked(), RegistrationStatus.PENDING),
        (acts.UnregistrationAsked(), RegistrationStatus.LEAVING),
        (events.Registered(expires=60), RegistrationStatus.REGISTERED),
        (events.Unregistered(), RegistrationStatus.OFF),
        (acts.RegistrationGivenUp(code=403, reason="Forbidden"), RegistrationStatus.FAILED),
    ],
)
def test_registration_status(event: Event, status: RegistrationStatus) -> None:
    assert after(event).registration.status is status


def test_a_registration_shows_its_expiry_and_a_failure_its_reason_only() -> None:
    assert after(events.Registered(expires=60)).registration.expires == 60
    failed = after(events.Registered(expires=60), acts.RegistrationGivenUp(code=408, reason="Timeout"))
    assert (failed.registration.expires, failed.registration.code) == (0, 408)
    again = after(events.Registered(expires=50), state=failed)
    assert (again.registration.code, again.registration.reason) == (0, "")


def test_what_is_only_told_changes_nothing() -> None:
    state = after(incoming(1))
    assert reduce(state, events.Fault(message="x")) is state
    assert reduce(state, events.DigitReceived(call=ONE, digit="5")) is state


every_event = st.sampled_from(
    [
        incoming(1),
        incoming(2),
        DIALLED,
        RINGS,
        UP,
        ended(1),
        ended(2),
        media(1, MediaState.ACTIVE),
        media(2, MediaState.NONE),
        acts.AnswerSent(),
        acts.EndSent(),
        acts.MuteSet(muted=True),
        acts.HoldAsked(hold=True),
        acts.RegistrationAsked(),
        events.Registered(expires=60),
    ]
)


@given(st.lists(every_event))
def test_the_end_of_a_call_always_frees_the_phone(happened: list[Event]) -> None:
    state = after(*happened)
    if state.call is not None:
        number = state.call.call
        assert reduce(state, events.CallEnded(call=number, code=200, reason="OK")).call is None
