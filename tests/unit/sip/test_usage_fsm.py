"""The machines of an INVITE usage, pair by pair, against arrows written down apart from the code."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import Endpoint
from engine.sip.prack_in import ReliableProvisionals, _Provisional
from engine.sip.session_timer import SessionTimer, Terms
from engine.sip.usage_fsm import (
    RELIABLE,
    SESSION_TIMER,
    ReliableEffect,
    ReliableInput,
    ReliableState,
    TimerEffect,
    TimerInput,
    TimerState,
    to_markdown,
)
from tests.support.sip_phone import make_station

ARROWS = {
    "quiet": {"provisional": "ringing", "provisional with SDP": "describing", "2xx": "over", "300-699": "over"},
    "ringing": {
        "provisional": "ringing",
        "provisional with SDP": "ringing",
        "PRACK": "quiet",
        "T1 doubled": "ringing",
        "64*T1": "over",
        "2xx": "answered",
        "300-699": "answered",
    },
    "describing": {
        "provisional": "describing",
        "provisional with SDP": "describing",
        "PRACK": "quiet",
        "T1 doubled": "describing",
        "64*T1": "over",
        "2xx": "holding",
        "300-699": "answered",
    },
    "holding": {"PRACK": "over", "T1 doubled": "holding", "64*T1": "over", "300-699": "answered"},
    "answered": {"PRACK": "over"},
    "over": {},
}
_AGREED = {"2xx: we refresh": "ours", "2xx: they refresh": "theirs"}
_ENDED = {"2xx: no interval": "off", "session ends": "off"}
TIMER_ARROWS = {
    "off": _AGREED,
    "ours": _AGREED | _ENDED | {"half of the interval": "asking"},
    "asking": _AGREED | _ENDED | {"end of the interval": "expired"},
    "theirs": _AGREED | _ENDED | {"end of the interval": "expired"},
    "expired": {},
}


class Session:
    """Notes what the machines ask of it."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def send_provisional(self, *_: object) -> None:
        self.did.append("send")

    def repeat_provisional(self) -> None:
        self.did.append("repeat")

    def send_success(self, now: float) -> None:
        self.did.append("success")

    def prack_missing(self, now: float) -> None:
        self.did.append("missing")

    def refresh(self, now: float) -> None:
        self.did.append("refresh")

    def expired(self, now: float) -> None:
        self.did.append("expired")


def endpoint() -> Endpoint:
    return make_station("a", "192.0.2.1").endpoint


def test_the_tables_are_the_arrows() -> None:
    reliable = {state: {} for state in ARROWS}
    for (state, what), step in RELIABLE.items():
        reliable[state][str(what)] = str(step.to)
    assert reliable == ARROWS
    timer = {state: {} for state in TIMER_ARROWS}
    for (at, asked), move in SESSION_TIMER.items():
        timer[at][str(asked)] = str(move.to)
    assert timer == TIMER_ARROWS


@pytest.mark.parametrize("state", ReliableState)
@pytest.mark.parametrize("what", ReliableInput)
def test_reliable_provisionals_obey_their_table_for_every_pair(state: ReliableState, what: ReliableInput) -> None:
    stack, session = endpoint()._stack, Session()
    machine = ReliableProvisionals(stack, session, 1)  # type: ignore[arg-type]
    if state not in (ReliableState.QUIET, ReliableState.OVER):
        machine.send(180, "", None, 0.0)
        session.did.clear()
    machine.state = state
    expected = ARROWS[state].get(what)
    given = _Provisional(183, "", None) if what in (ReliableInput.PROVISIONAL, ReliableInput.DESCRIPTION) else None
    assert machine.handle(what, 1.0, given) is (expected is not None)
    assert machine.state == (expected or state)
    waits = {ReliableState.RINGING, ReliableState.DESCRIBING, ReliableState.HOLDING}
    if expected is not None and machine.state not in waits and what is not ReliableInput.TIMEOUT:
        assert len(stack.heap) == 0 or state in (ReliableState.QUIET, ReliableState.ANSWERED)
    if expected is not None:
        sends = {ReliableEffect.SEND_PROVISIONAL: "send", ReliableEffect.REPEAT_PROVISIONAL: "repeat"}
        sends |= {ReliableEffect.SEND_SUCCESS: "success", ReliableEffect.GIVE_UP: "missing"}
        effects = RELIABLE[state, what].effects
        assert session.did == [sends[effect] for effect in effects if effect in sends]
    else:
        assert session.did == []


@pytest.mark.parametrize("state", TimerState)
@pytest.mark.parametrize("what", TimerInput)
def test_session_timers_obey_their_table_for_every_pair(state: TimerState, what: TimerInput) -> None:
    stack, session = endpoint()._stack, Session()
    timer = SessionTimer(stack, session)  # type: ignore[arg-type]
    timer.terms = Terms(100, ours=True)
    if state not in (TimerState.OFF, TimerState.EXPIRED):
        timer.handle(TimerInput.AGREED_OURS, 0.0)
    timer.state = state
    expected = TIMER_ARROWS[state].get(what)
    timer.handle(what, 1.0)
    assert timer.state == (expected or state)
    armed = timer.state in (TimerState.OURS, TimerState.ASKING, TimerState.THEIRS)
    if what is not TimerInput.END:  # which is the deadline itself, rung
        assert len(stack.heap) == int(armed)
    asks = {TimerEffect.REFRESH: "refresh", TimerEffect.EXPIRE: "expired"}
    effects = SESSION_TIMER[state, what].effects if expected is not None else ()
    assert session.did == [asks[effect] for effect in effects if effect in asks]


@pytest.mark.parametrize(
    ("seconds", "ours", "deadlines"),
    [(1800, True, [900.0, 1768.0]), (1800, False, [1768.0]), (90, True, [45.0, 60.0]), (90, False, [60.0])],
)
def test_when_a_session_is_refreshed_and_when_it_ends(seconds: int, ours: bool, deadlines: list[float]) -> None:
    stack, session = endpoint()._stack, Session()
    SessionTimer(stack, session).agree(Terms(seconds, ours), 0.0)  # type: ignore[arg-type]
    found = []
    while (deadline := stack.heap.next_deadline()) is not None:
        found.append(deadline)
        stack.heap.ring(deadline)
    assert found == deadlines
    assert session.did == (["refresh", "expired"] if ours else ["expired"])


def test_every_state_that_waits_has_a_way_to_the_end_by_itself() -> None:
    for waiting in (ReliableState.RINGING, ReliableState.DESCRIBING, ReliableState.HOLDING):
        assert (waiting, ReliableInput.TIMEOUT) in RELIABLE
    for timed in (TimerState.ASKING, TimerState.THEIRS):
        assert (timed, TimerInput.END) in SESSION_TIMER


def test_markdown_has_both_machines_with_diagram() -> None:
    page = to_markdown()
    assert page.count("stateDiagram-v2") == 2
    assert "| holding | PRACK | over | stop_timer, send_success |" in page
