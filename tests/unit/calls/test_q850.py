from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.final_status import cancel_text, failure_cause, hangup_text
from engine.calls.q850 import Q850_OF_STATUS, q850_of, reason_header


def cause(status: int | None, q850: int | None = None, reason: Reason = Reason.CALLED_HANGUP) -> EndCause:
    return EndCause(outcome=Outcome.UPSTREAM, reason=reason, sip_code=status, q850=q850)


@pytest.mark.parametrize(
    ("status", "q850"), [(486, 17), (404, 1), (480, 18), (503, 41), (603, 21), (200, 16), (487, 16), (499, 127)]
)
def test_what_a_status_is_to_the_telephone_network(status: int, q850: int) -> None:
    assert q850_of(cause(status)) == q850


def test_what_the_peer_said_goes_before_the_table_and_nothing_stands_for_nothing() -> None:
    assert q850_of(cause(480, 20)) == 20
    assert q850_of(cause(None)) is None


def test_the_table_holds_failures_and_causes_alone() -> None:
    assert all(400 <= status <= 699 and 1 <= q850 <= 127 for status, q850 in Q850_OF_STATUS.items())


@pytest.mark.parametrize(
    ("status", "q850", "reason"),
    [
        (480, 17, Reason.BUSY),
        (503, 17, Reason.BUSY),
        (500, 19, Reason.NO_ANSWER),
        (480, 21, Reason.REJECTED),
        (480, 41, Reason.UNREACHABLE),
        (486, 19, Reason.BUSY),
        (404, 17, Reason.UNREACHABLE),
        (503, None, Reason.UNREACHABLE),
    ],
)
def test_a_vague_status_means_what_the_network_says(status: int, q850: int | None, reason: Reason) -> None:
    assert failure_cause(status, q850=q850) == cause(status, q850, reason)


def test_a_cause_that_a_peer_told_goes_on() -> None:
    assert hangup_text(cause(200, 31)) == "Q.850;cause=31"
    assert hangup_text(cause(200)) == ""
    assert hangup_text(cause(200, 31), "lunch") == 'SIP;cause=200;text="lunch"'
    assert cancel_text(cause(487, 16, Reason.CANCELLED)) == "Q.850;cause=16"
    assert (
        cancel_text(cause(487, 26, Reason.CANCELLED))
        == reason_header(26)
        == cancel_text(cause(200, None, Reason.CANCELLED))
    )
