from __future__ import annotations

from softphone.model.intents import Dial, SendDigits, Verb
from softphone.sip import events
from softphone.sip.events import CallNumber, MediaState
from tests.support.softphone_fakes import PhoneRig, ended, media

ONE = CallNumber(1)


def test_mute_silences_and_says_so() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.MUTE)
    rig.do(Verb.UNMUTE)
    assert rig.sound.told == ["began", "mute", "unmute"]
    assert [report.event for report in rig.said("muted", "unmuted")] == ["muted", "unmuted"]


def test_hold_and_resume_are_told_when_they_are_agreed() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.HOLD)
    assert rig.said("held") == []
    rig.happens(media(1, MediaState.LOCAL_HOLD))
    assert rig.said("held")[0].fields == {"call": 1, "by": "local"}
    rig.do(Verb.RESUME)
    rig.happens(media(1, MediaState.ACTIVE, "PCMA/8000"))
    assert rig.said("resumed")[0].fields == {"call": 1, "codec": "PCMA/8000"}
    assert [call[0] for call in rig.backend.asked[-2:]] == ["hold", "resume"]


def test_a_hold_by_the_other_side_is_told_once() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.happens(media(1, MediaState.REMOTE_HOLD), media(1, MediaState.REMOTE_HOLD))
    assert [report.fields["by"] for report in rig.said("held")] == ["remote"]
    assert rig.sound.told == ["began"]


def test_glare_tries_the_hold_again_within_the_time_of_rfc_3261() -> None:
    rig = PhoneRig(random=0.5)
    rig.talk()
    rig.do(Verb.HOLD)
    rig.happens(events.UpdateRefused(call=ONE, code=491, reason="Request Pending"))
    rig.passes(0.9)
    assert rig.asked("hold") == 1
    rig.passes(0.2)
    assert rig.asked("hold") == 2
    assert rig.said("error") == []


def test_the_side_that_called_waits_longer_after_glare() -> None:
    rig = PhoneRig(random=0.0)
    rig.do(Dial(uri="sip:100@pbx"))
    call = CallNumber(101)
    rig.happens(media(101, MediaState.ACTIVE), events.Confirmed(call=call))
    rig.do(Verb.HOLD)
    rig.happens(events.UpdateRefused(call=call, code=491, reason="Request Pending"))
    rig.passes(2.0)
    assert rig.asked("hold") == 1
    rig.passes(0.2)
    assert rig.asked("hold") == 2


def test_glare_without_end_becomes_an_error() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.HOLD)
    for _ in range(5):
        rig.happens(events.UpdateRefused(call=ONE, code=491, reason="Request Pending"))
        rig.passes(3)
    assert rig.asked("hold") == 3
    assert "hold: the other side refused (491" in str(rig.said("error")[0].fields["message"])


def test_a_refused_hold_is_an_error_and_the_call_goes_on() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.HOLD)
    rig.happens(events.UpdateRefused(call=ONE, code=488, reason="Not Acceptable Here"))
    assert "hold: the other side refused (488 Not Acceptable Here)" in str(rig.said("error")[0].fields["message"])
    rig.passes(10)
    assert rig.asked("hold") == 1
    assert rig.core.state.call is not None


def test_a_hold_waiting_to_be_retried_ends_with_the_call() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.HOLD)
    rig.happens(events.UpdateRefused(call=ONE, code=491, reason="Request Pending"), ended(1))
    rig.talk(number=2)
    rig.passes(10)
    assert rig.asked("hold") == 1


def test_digits_go_out_and_come_in() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(SendDigits(digits="12#"))
    assert rig.backend.asked[-1] == ("send_digits", 1, "12#")
    rig.happens(events.DigitReceived(call=ONE, digit="5"))
    assert rig.said("dtmf")[0].fields == {"call": 1, "digit": "5"}


def test_no_digits_into_a_held_call() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.happens(media(1, MediaState.LOCAL_HOLD))
    rig.do(SendDigits(digits="1"))
    assert rig.asked("send_digits") == 0
    assert rig.said("error")[0].fields["message"] == "dtmf: the call is on hold"
