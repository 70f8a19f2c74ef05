from __future__ import annotations

import pytest

from engine.acd.caller import TABLE, CallerInput, CallerState, transition
from engine.acd.errors import InvalidTransition
from engine.calls.log import QueueExit
from engine.calls.ports import ReleaseReason, WithdrawReason

ARRIVING, WAITING, OFFERED = CallerState.ARRIVING, CallerState.WAITING, CallerState.OFFERED
LEFT = CallerState.LEFT

# (next, withdraw, exit, release); every pair that is not here cannot happen
ABANDONED = (LEFT, WithdrawReason.CALLER_LEFT, QueueExit.ABANDONED, None)
ENDED = (LEFT, WithdrawReason.CALLER_LEFT, QueueExit.FAILED, None)
TIMED_OUT = (LEFT, WithdrawReason.QUEUE_TIMEOUT, QueueExit.TIMEOUT, ReleaseReason.TIMEOUT)
QUEUE_GONE = (LEFT, WithdrawReason.CALLER_LEFT, QueueExit.QUEUE_REMOVED, ReleaseReason.QUEUE_REMOVED)
EXPECTED = {
    (ARRIVING, CallerInput.ADMIT): (WAITING, None, None, None),
    (ARRIVING, CallerInput.REFUSE): (LEFT, None, QueueExit.FULL, ReleaseReason.FULL),
    (WAITING, CallerInput.OFFER): (OFFERED, None, None, None),
    (WAITING, CallerInput.LEAVE): ABANDONED,
    (WAITING, CallerInput.END): ENDED,
    (WAITING, CallerInput.TIMEOUT): TIMED_OUT,
    (WAITING, CallerInput.QUEUE_REMOVED): QUEUE_GONE,
    (OFFERED, CallerInput.OFFER): (OFFERED, None, None, None),
    (OFFERED, CallerInput.NOT_TAKEN): (WAITING, None, None, None),
    (OFFERED, CallerInput.ANSWER): (CallerState.CONNECTED, WithdrawReason.ANSWERED_ELSEWHERE, None, None),
    (OFFERED, CallerInput.LEAVE): ABANDONED,
    (OFFERED, CallerInput.END): ENDED,
    (OFFERED, CallerInput.TIMEOUT): TIMED_OUT,
    (OFFERED, CallerInput.QUEUE_REMOVED): QUEUE_GONE,
}


@pytest.mark.parametrize("state", list(CallerState))
@pytest.mark.parametrize("given", list(CallerInput))
def test_transition(state: CallerState, given: CallerInput) -> None:
    expected = EXPECTED.get((state, given))
    if expected is None:
        with pytest.raises(InvalidTransition, match=f"state {state} cannot take the input {given}"):
            transition(state, given)
        return
    found = transition(state, given)
    assert (found.next, found.withdraw, found.exit, found.release) == expected


def test_no_cell_is_left_untested() -> None:
    assert set(TABLE) == set(EXPECTED)
