from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.calls.leg import TABLE, LegAction, LegInput, LegState

TELLS_END = {LegAction.TELL_ENDED, LegAction.SEND_REFUSAL_AND_TELL_ENDED}


def test_every_state_is_reached_and_left() -> None:
    reached = {LegState.IDLE}
    for _ in LegState:
        reached |= {t.state for (state, _), t in TABLE.items() if state in reached}
    assert reached == set(LegState)
    assert {state for state, _ in TABLE} == set(LegState) - {LegState.ENDED}


def test_the_protocols_end_is_heard_in_every_state_of_a_live_leg() -> None:
    live = set(LegState) - {LegState.IDLE, LegState.ENDED}
    assert {state for state, happened in TABLE if happened is LegInput.GONE} == live


def test_a_leg_can_be_ended_in_every_state_but_once() -> None:
    endable = {state for state, happened in TABLE if happened is LegInput.END}
    assert endable == set(LegState) - {LegState.IDLE, LegState.ENDING, LegState.ENDED}


def test_an_action_that_needs_a_dialog_is_not_taken_before_one_exists() -> None:
    for (state, happened), transition in TABLE.items():
        if transition.action is LegAction.SEND_HANGUP:
            answered = happened in (LegInput.FAR_ANSWERED, LegInput.UNUSABLE)
            assert answered or state in (LegState.ANSWERING, LegState.UP)
        if transition.action is LegAction.SEND_CANCEL:
            assert state in (LegState.PLACING, LegState.RINGING)


@given(st.lists(st.sampled_from(list(LegInput)), max_size=30))
def test_any_history_tells_at_most_one_end_and_nothing_after_it(inputs: list[LegInput]) -> None:
    state, actions = LegState.IDLE, []
    for happened in inputs:
        transition = TABLE.get((state, happened))
        if transition is not None:
            state = transition.state
            actions.append(transition.action)
    ends = [i for i, action in enumerate(actions) if action in TELLS_END]
    assert len(ends) <= 1
    if ends:
        assert ends[0] == len(actions) - 1
        assert state is LegState.ENDED
    if state is LegState.ENDED and LegAction.SEND_REFUSAL not in actions:
        assert ends


def test_up_is_told_exactly_where_the_state_becomes_up() -> None:
    for (state, _), transition in TABLE.items():
        entered = transition.state is LegState.UP and state is not LegState.UP
        assert (transition.action is LegAction.TELL_ANSWERED) == entered


def test_no_answer_is_told_once_the_end_was_asked_for() -> None:
    for happened in LegInput:
        transition = TABLE.get((LegState.ENDING, happened))
        if transition is not None:
            assert transition.action in (LegAction.REFUSE_CHANGE, LegAction.SEND_HANGUP, LegAction.TELL_ENDED)
