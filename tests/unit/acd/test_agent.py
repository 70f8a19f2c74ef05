from __future__ import annotations

import pytest

from engine.acd.agent import TABLE, AgentInput, AgentState, transition
from engine.acd.errors import InvalidTransition
from engine.calls.ports import WithdrawReason

# One row per input, one column per state: the next state; "-" cannot happen; * withdraws the offer, ! ends wrap-up.
EXPECTED = """
              unreachable  idle         offered       ringing       in_call   wrap_up
reachable     idle         idle         offered       ringing       in_call   wrap_up
unreachable   unreachable  unreachable  unreachable*  unreachable*  in_call   wrap_up
available     unreachable  idle         offered       ringing       in_call!  idle!
unavailable   unreachable  idle         idle*         idle*         in_call!  idle!
engaged       in_call      in_call      in_call*      in_call*      in_call   in_call
offer         -            offered      -             -             -         -
ringing       -            -            ringing       ringing       -         -
answer        -            -            in_call       in_call       -         -
offer_over    -            -            idle          idle          -         -
calls_over    -            -            -             -             idle      -
wrap_up_due   -            -            -             -             wrap_up   -
wrap_up_over  -            -            -             -             -         idle
"""

_ROWS = [line.split() for line in EXPECTED.strip().splitlines()]
CELLS = [
    (AgentState(state), AgentInput(row[0]), cell)
    for row in _ROWS[1:]
    for state, cell in zip(_ROWS[0], row[1:], strict=True)
]


def test_every_pair_of_state_and_input_is_expected_here() -> None:
    assert {(state, given) for state, given, _ in CELLS} == {(s, i) for s in AgentState for i in AgentInput}
    assert len(TABLE) == sum(cell != "-" for _, _, cell in CELLS)


@pytest.mark.parametrize(("state", "given", "cell"), CELLS)
def test_transition(state: AgentState, given: AgentInput, cell: str) -> None:
    if cell == "-":
        with pytest.raises(InvalidTransition, match=f"state {state} cannot take the input {given}"):
            transition(state, given)
        return
    found = transition(state, given)
    assert found.next == cell.rstrip("*!")
    assert (found.withdraw is not None) == cell.endswith("*")
    assert found.wrap_up_ends == cell.endswith("!")


@pytest.mark.parametrize("state", [AgentState.OFFERED, AgentState.RINGING])
def test_a_lost_binding_is_told_apart_from_a_break(state: AgentState) -> None:
    assert transition(state, AgentInput.UNREACHABLE).withdraw is WithdrawReason.AGENT_UNREACHABLE
    assert transition(state, AgentInput.UNAVAILABLE).withdraw is WithdrawReason.AGENT_UNAVAILABLE
    assert transition(state, AgentInput.ENGAGED).withdraw is WithdrawReason.AGENT_UNAVAILABLE
