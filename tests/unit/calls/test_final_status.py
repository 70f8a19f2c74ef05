from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.final_status import cancel_text, failure_cause, hangup_text, refusal_status


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, Reason.BUSY),
        (600, Reason.BUSY),
        (603, Reason.REJECTED),
        (403, Reason.REJECTED),
        (302, Reason.REJECTED),
        (404, Reason.UNREACHABLE),
        (480, Reason.UNREACHABLE),
        (503, Reason.UNREACHABLE),
        (408, Reason.NO_ANSWER),
        (488, Reason.NOT_ACCEPTABLE),
        (401, Reason.FORBIDDEN),
        (420, Reason.PROTOCOL),
        (430, Reason.UNREACHABLE),
        (407, Reason.FORBIDDEN),
        *((status, Reason.UNREACHABLE) for status in (410, 484, 485, 604)),
        (415, Reason.NOT_ACCEPTABLE),
        (487, Reason.CANCELLED),
        (606, Reason.NOT_ACCEPTABLE),
        (699, Reason.REJECTED),
    ],
)
def test_what_a_refusal_means(status: int, reason: Reason) -> None:
    assert failure_cause(status) == EndCause(outcome=Outcome.UPSTREAM, reason=reason, sip_code=status)


def test_a_time_out_of_our_own_has_no_code() -> None:
    assert failure_cause(408, timed_out=True) == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)


def test_every_failure_can_be_said_to_a_caller_with_a_status_of_the_same_class_or_480() -> None:
    for status in range(300, 700):
        told = refusal_status(failure_cause(status))
        assert 400 <= told <= 699
        if status >= 500:
            assert told == (500 if status == 503 else status), "503 says of us that we are down"
    assert refusal_status(failure_cause(486)) == 486
    assert refusal_status(failure_cause(401)) == 403
    assert refusal_status(failure_cause(407)) == 403
    assert refusal_status(failure_cause(302)) == 603
    assert {refusal_status(failure_cause(status)) for status in (420, 421, 422, 430, 439, 440, 494)} == {480}
    assert refusal_status(failure_cause(408, timed_out=True)) == 480


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_status_to_refuse_with(reason: Reason) -> None:
    told = refusal_status(EndCause(outcome=Outcome.SERVER, reason=reason))
    assert 400 <= told <= 699
    assert refusal_status(EndCause(outcome=Outcome.SERVER, reason=reason, sip_code=200)) == told


def test_what_the_person_is_told_when_we_end_a_leg() -> None:
    done = EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
    missed = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NO_ANSWER, sip_code=480)
    assert hangup_text(done) == cancel_text(missed) == ""
    assert hangup_text(done, 'on a "break\\"\n') == 'SIP;cause=200;text="on a \\"break\\\\\\" "'
    assert cancel_text(missed, "no answer in time") == 'SIP;cause=480;text="no answer in time"'
