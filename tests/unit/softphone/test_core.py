from __future__ import annotations

from dataclasses import replace

import pytest

from softphone.model.intents import Dial, Intent, SendDigits, Verb
from softphone.sip import events
from softphone.sip.events import CallNumber, MediaState, Quality
from tests.support.softphone_fakes import PhoneRig, ended, incoming, media

ONE = CallNumber(1)


def test_a_call_rings_and_waits_to_be_answered_by_hand() -> None:
    rig = PhoneRig()
    rig.happens(incoming(1, uri="sip:ann@pbx", display="Ann"))
    assert rig.backend.asked == [("ring", 1)]
    assert [report.fields for report in rig.said("incoming")] == [{"call": 1, "from": "sip:ann@pbx", "display": "Ann"}]
    rig.passes(60)
    assert rig.asked("answer") == 0
    rig.do(Verb.ANSWER)
    assert rig.backend.asked[-1] == ("answer", 1)


@pytest.mark.parametrize("delay", [0.0, 2.5])
def test_auto_answer_after_its_delay(delay: float) -> None:
    rig = PhoneRig(auto_answer_s=delay)
    rig.happens(incoming(1))
    if delay:
        rig.passes(delay - 0.1)
        assert rig.asked("answer") == 0
    rig.passes(0.12)
    assert rig.asked("answer") == 1
    rig.passes(10)
    assert rig.asked("answer") == 1


@pytest.mark.parametrize("way", ["hand", "reject", "gone"])
def test_auto_answer_does_nothing_to_a_call_that_is_settled(way: str) -> None:
    rig = PhoneRig(auto_answer_s=1.0)
    rig.happens(incoming(1))
    if way == "gone":
        rig.happens(ended(1, 487, "Request Terminated"))
    else:
        rig.do(Verb.ANSWER if way == "hand" else Verb.REJECT)
    answers = rig.asked("answer")
    rig.passes(5)
    assert rig.asked("answer") == answers
    assert rig.said("error") == []


def test_answered_names_the_codec() -> None:
    rig = PhoneRig()
    rig.talk()
    assert [report.fields for report in rig.said("answered")] == [{"call": 1, "codec": "PCMU/8000"}]


def test_a_second_caller_is_busy_and_the_first_call_goes_on() -> None:
    rig = PhoneRig(auto_answer_s=0.0)
    rig.talk()
    rig.happens(incoming(2, uri="sip:bob@pbx"))
    assert rig.backend.asked[-1] == ("hangup", 2, 486)
    assert rig.said("refused")[0].fields == {"call": 2, "from": "sip:bob@pbx", "code": 486}
    rig.happens(ended(2, 486, "Busy Here"))
    assert rig.said("ended") == []
    rig.passes(1)
    assert rig.core.state.call is not None
    assert rig.core.state.call.call == 1
    assert rig.sound.told == ["began"]


def test_a_registered_phone_takes_no_call_from_a_stranger() -> None:
    rig = PhoneRig(register=True, auto_answer_s=0.0)
    rig.happens(events.Registered(expires=60))
    stranger = replace(incoming(1, uri="sip:100@192.0.2.66"), trusted=False)
    rig.happens(stranger)
    rig.passes(1)
    assert rig.backend.asked[-1] == ("hangup", 1, 403)
    assert rig.said("refused")[0].fields["code"] == 403
    assert rig.said("incoming") == []
    assert rig.core.state.call is None


def test_a_phone_without_a_server_takes_calls_from_anybody() -> None:
    rig = PhoneRig()
    rig.happens(replace(incoming(1), trusted=False))
    assert rig.backend.asked == [("ring", 1)]


@pytest.mark.parametrize(
    ("verb", "phase", "code"),
    [
        (Verb.REJECT, "incoming", 603),
        (Verb.HANGUP, "incoming", 603),
        (Verb.HANGUP, "talking", 0),
        (Verb.QUIT, "incoming", 480),
        (Verb.QUIT, "talking", 0),
    ],
)
def test_how_a_call_is_ended(verb: Verb, phase: str, code: int) -> None:
    rig = PhoneRig()
    if phase == "talking":
        rig.talk()
    else:
        rig.happens(incoming(1))
    rig.do(verb)
    assert rig.backend.asked[-1] == ("hangup", 1, code)


def test_a_call_is_hung_up_once() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.do(Verb.HANGUP)
    rig.do(Verb.HANGUP)
    rig.do(Verb.QUIT)
    assert rig.asked("hangup") == 1
    assert "hangup: the call is ending" in str(rig.said("error")[0].fields["message"])


def test_dialling_and_its_progress() -> None:
    rig = PhoneRig()
    rig.do(Dial(uri="sip:100@pbx"))
    assert rig.backend.asked == [("dial", "sip:100@pbx")]
    assert rig.said("dialling")[0].fields == {"call": 101, "uri": "sip:100@pbx"}
    call = CallNumber(101)
    rig.happens(events.Progress(call=call, code=180, reason="Ringing"))
    assert rig.said("ringing")[0].fields == {"call": 101, "code": 180, "reason": "Ringing"}
    rig.happens(media(101, MediaState.ACTIVE, "PCMA/8000"), events.Confirmed(call=call))
    assert rig.said("answered")[0].fields == {"call": 101, "codec": "PCMA/8000"}


def test_a_dial_that_the_stack_refuses_leaves_the_phone_free() -> None:
    rig = PhoneRig()
    rig.backend.refuses.add("dial")
    rig.do(Dial(uri="sip:@@"))
    assert rig.said("error")[0].fields["code"] == "sip_backend"
    rig.backend.refuses.clear()
    rig.do(Dial(uri="sip:100@pbx"))
    assert len(rig.said("dialling")) == 1


IDLE = {Verb.ANSWER, Verb.REJECT, Verb.HANGUP, Verb.MUTE, Verb.UNMUTE, Verb.HOLD, Verb.RESUME}


@pytest.mark.parametrize("intent", [*sorted(IDLE), SendDigits(digits="1")])
def test_without_a_call_an_error_says_what_is_possible(intent: Intent) -> None:
    rig = PhoneRig()
    rig.do(intent)
    (error,) = rig.said("error")
    assert error.fields["code"] == "command"
    assert "the call is not there; possible now: dial, status, quit" in str(error.fields["message"])
    assert rig.backend.asked == []


@pytest.mark.parametrize("intent", [Verb.ANSWER, Verb.REJECT, Dial(uri="sip:x@y")])
def test_during_a_call_an_error_says_what_is_possible(intent: Intent) -> None:
    rig = PhoneRig()
    rig.talk()
    asked = len(rig.backend.asked)
    rig.do(intent)
    assert "the call is talking; possible now: hangup, mute" in str(rig.said("error")[0].fields["message"])
    assert len(rig.backend.asked) == asked


def test_the_end_is_told_with_its_cause_and_length() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.passes(12.5)
    rig.happens(ended(1, 200, "Normal call clearing"))
    assert rig.said("ended")[0].fields == {
        "call": 1,
        "code": 200,
        "reason": "Normal call clearing",
        "seconds": 12.5,
    }
    assert rig.sound.told == ["began", "ended"]


def test_a_call_that_was_never_up_lasted_no_time() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.happens(ended(1), incoming(2))
    rig.passes(5)
    rig.happens(ended(2, 487, "Request Terminated"))
    assert rig.said("ended")[-1].fields["seconds"] == 0.0


def test_levels_every_interval_and_quality_every_five_seconds_during_a_call_only() -> None:
    rig = PhoneRig(report_s=0.5)
    rig.backend.statistics = Quality(received=98, lost=2, remote_lost=1, jitter_ms=1.26, rtt_ms=None)
    rig.passes(10)
    assert rig.said("level", "quality") == []
    rig.talk()
    rig.passes(10.3)
    assert len(rig.said("level")) in (19, 20)
    assert len(rig.said("quality")) == 2
    assert rig.said("quality")[0].fields == {
        "call": 1,
        "loss_percent": 2.0,
        "jitter_ms": 1.3,
        "rtt_ms": None,
        "received": 98,
        "lost": 2,
        "remote_lost": 1,
    }
    level = rig.said("level")[0].fields
    assert (level["rx_dbfs"], level["tx_dbfs"], level["ring_fill_ms"], level["mic_fill_ms"]) == (-20, -30, 40, 38.5)
    rig.happens(ended(1))
    told = len(rig.reports)
    rig.passes(10)
    assert len(rig.reports) == told


def test_a_held_call_is_reported_as_sending_nothing() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.happens(media(1, MediaState.LOCAL_HOLD))
    rig.passes(1.1)
    assert rig.said("level")[0].fields["tx_dbfs"] == -100.0


def test_no_stream_no_quality() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.passes(11)
    assert rig.said("quality", "error") == []


def test_a_call_without_audio_is_an_error() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.happens(media(1, MediaState.NONE, ""))
    assert rig.said("error")[0].fields == {"code": "no_media", "message": "call 1 has no audio"}


def test_status_shows_everything() -> None:
    rig = PhoneRig()
    rig.do(Verb.STATUS)
    assert rig.said("status")[0].fields["call"] is None
    rig.talk()
    rig.do(Verb.STATUS)
    fields = rig.said("status")[1].fields
    assert fields["registration"] == {"status": "off", "expires": 0, "code": 0, "reason": ""}
    call = fields["call"]
    assert isinstance(call, dict)
    assert (call["call"], call["phase"], call["media"], call["muted"]) == (1, "talking", "active", False)


def test_faults_are_told_and_repeated_ones_only_now_and_then() -> None:
    rig = PhoneRig()
    for _ in range(500):
        rig.happens(events.Fault(message="onFrameRequested: boom"))
        rig.passes(0.02)
    assert len(rig.said("error")) == 1
    rig.passes(1)
    rig.happens(events.Fault(message="onFrameRequested: boom"), events.Fault(message="another"))
    assert len(rig.said("error")) == 3


def test_audio_problems_are_told() -> None:
    rig = PhoneRig()
    rig.sound.problems = ["the sound card has stopped; trying to open it again"]
    rig.passes(0.1)
    assert [report.fields["message"] for report in rig.said("error")] == [
        "the sound card has stopped; trying to open it again"
    ]


def test_early_media_begins_the_sound_once() -> None:
    rig = PhoneRig()
    rig.do(Dial(uri="sip:100@pbx"))
    rig.happens(media(101, MediaState.ACTIVE), media(101, MediaState.ACTIVE))
    rig.happens(events.Confirmed(call=CallNumber(101)))
    assert rig.sound.told == ["began"]


def test_late_news_of_a_call_that_is_over_is_not_told() -> None:
    rig = PhoneRig()
    rig.talk()
    rig.happens(ended(1))
    told = len(rig.reports)
    rig.happens(
        ended(1),
        media(1, MediaState.ACTIVE),
        events.Confirmed(call=ONE),
        events.Progress(call=ONE, code=180, reason="Ringing"),
        events.DigitReceived(call=ONE, digit="1"),
        events.UpdateRefused(call=ONE, code=488, reason=""),
    )
    assert len(rig.reports) == told
