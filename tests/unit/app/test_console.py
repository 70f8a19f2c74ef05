from __future__ import annotations

import io

from engine.app.console import CallConsole
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import AgentStatus
from engine.calls.journal import Record
from engine.calls.log import (
    AgentReachable,
    AgentStatusChanged,
    AgentUnreachable,
    CallAnswered,
    CallConnected,
    CallDirection,
    CallEnded,
    CallerConnected,
    CallerQueued,
    CallHeld,
    CallResumed,
    CallRouted,
    CallStarted,
    LogBody,
    OfferEnded,
    OfferMade,
    OfferOutcome,
)
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName

DEMO = QueueName("demo")
ALICE = AgentName("alice")
ONE = OfferId("o1")


def record(call: str | None, body: LogBody) -> Record:
    return Record(1, 1, None if call is None else CallId(call), 0.0, 0.0, body)


def started(caller: str) -> CallStarted:
    return CallStarted(
        direction=CallDirection.INBOUND,
        leg=LegId("l"),
        origin="trunk:t",
        context="c",
        called="600",
        caller=caller,
        caller_display="",
        protocol_id="p",
    )


def ended() -> CallEnded:
    return CallEnded(
        cause=EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP),
        ended_by="caller",
        waited_s=1,
        talked_s=6.04,
        total_s=7,
        queue=DEMO,
        agent=ALICE,
    )


def shown(*records: Record) -> list[str]:
    out = io.StringIO()
    console = CallConsole(out)
    for one in records:
        console.observe([one])
    return [line[10:] for line in out.getvalue().splitlines()]


def test_the_life_of_a_call_is_one_line_that_grows() -> None:
    queued = CallerQueued(queue=DEMO, position=1, caller="100")
    offered = OfferMade(offer=ONE, queue=DEMO, agent=ALICE)
    answered = OfferEnded(offer=ONE, queue=DEMO, agent=ALICE, outcome=OfferOutcome.ANSWERED, rang_s=1)
    talks = CallerConnected(queue=DEMO, agent=ALICE, offer=ONE, waited_s=1.26, rang_s=1, position=1)
    lines = shown(*(record("a", body) for body in (started("100"), queued, offered, answered, talks, ended())))
    assert lines == [
        (
            "100 calls 600 · waits in demo as number 1 · rings alice · talks to alice after 1.3 s · "
            "caller hangup after 6.0 s of talk"
        )
    ]


def test_a_line_that_another_interrupts_is_begun_again_whole() -> None:
    lines = shown(
        record("a", started("100")),
        record("b", started("200")),
        record("a", ended()),
        record(None, AgentReachable(agent=ALICE, contact="c", source="192.0.2.1:5", user_agent="")),
        record("b", ended()),
    )
    assert lines == [
        "100 calls 600",
        "200 calls 600",
        "100 calls 600 · caller hangup after 6.0 s of talk",
        "alice is registered from 192.0.2.1:5",
        "200 calls 600 · caller hangup after 6.0 s of talk",
    ]


def test_a_call_that_ended_is_forgotten() -> None:
    lines = shown(record("a", started("100")), record("a", ended()), record("a", started("100")))
    assert lines[1] == "100 calls 600"


def test_an_offer_that_failed_says_how() -> None:
    body = OfferEnded(offer=ONE, queue=DEMO, agent=ALICE, outcome=OfferOutcome.RING_TIMEOUT, rang_s=15)
    assert shown(record("a", started("100")), record("a", body)) == ["100 calls 600 · alice: ring timeout"]


def test_a_status_that_was_dialled_is_a_line_of_its_own() -> None:
    changed = AgentStatusChanged(agent=ALICE, status=AgentStatus.BREAK, reason="lunch", by="phone")
    assert any("alice is now break: lunch" in line for line in shown(record("a", changed)))


def test_other_destinations_are_named_and_what_happens_there() -> None:
    bodies: list[LogBody] = [
        started(""),
        CallRouted(destination="trunk:pbx/0123"),
        CallConnected(leg=LegId("l2"), peer="trunk:pbx"),
        CallHeld(leg=LegId("l2")),
        CallResumed(leg=LegId("l2")),
    ]
    assert shown(*(record("a", body) for body in bodies)) == [
        "anonymous calls 600 · trunk:pbx/0123 · talks to trunk:pbx · held · resumed"
    ]


def test_what_another_phrase_says_already_is_left_out() -> None:
    bodies: list[LogBody] = [
        started("100"),
        CallRouted(destination="queue:demo"),
        OfferEnded(offer=ONE, queue=DEMO, agent=ALICE, outcome=OfferOutcome.ANSWERED, rang_s=1),
        CallConnected(leg=LegId("l2"), peer="agent:alice"),
        CallAnswered(leg=LegId("l")),
    ]
    assert shown(*(record("a", body) for body in bodies)) == ["100 calls 600"]


def test_an_agent_who_cannot_be_reached_is_a_line_of_its_own() -> None:
    gone = record(None, AgentUnreachable(agent=ALICE, reason="expired"))
    assert shown(record("a", started("100")), gone) == ["100 calls 600", "alice cannot be reached (expired)"]


def test_what_is_shown_is_seen_at_once() -> None:
    class Buffered(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed = len(self.getvalue())

    out = Buffered()
    console = CallConsole(out)
    console.observe([record("a", started("100"))])
    assert out.flushed == len(out.getvalue()) > 0
    console.say("The demo is over")
    assert out.flushed == len(out.getvalue())
    assert out.getvalue().splitlines()[-1] == "The demo is over"


def test_a_terminal_that_is_gone_is_nobodys_trouble() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

    console = CallConsole(Closed())
    console.observe([record("a", started("100"))])
    console.say("The demo is over")
