"""Records of the event log as a test needs them: the life of a queue call, and anything else by hand."""

from __future__ import annotations

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.journal import Record
from engine.calls.log import (
    SCHEMA_VERSION,
    CallAnswered,
    CallConnected,
    CallDirection,
    CallEnded,
    CallerConnected,
    CallerQueued,
    CallRouted,
    CallStarted,
    LogBody,
    OfferEnded,
    OfferMade,
    OfferOutcome,
    OfferRinging,
)
from engine.calls.media_records import LegClosed
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName

WALL = 1_790_000_000.0
SALES = QueueName("sales")
ANNA = AgentName("anna")

SUCCESS = EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=200)


def record(seq: int, body: LogBody, *, call: str | None = None, at: float | None = None) -> Record:
    """Record `seq`, `at` seconds (default: as many as its number) into the test."""
    when = float(seq) if at is None else at
    return Record(seq, SCHEMA_VERSION, None if call is None else CallId(call), WALL + when, 100.0 + when, body)


def call_started(leg: str, *, caller: str = "+4930123", origin: str = "trunk:pbx") -> CallStarted:
    return CallStarted(
        direction=CallDirection.INBOUND,
        leg=LegId(leg),
        origin=origin,
        context="from-trunk",
        called="4000",
        caller=caller,
        caller_display="",
        protocol_id=f"{leg}@pbx",
    )


def leg_closed(leg: str, *, lost: int = 0, jitter_ms: float = 1.5) -> LegClosed:
    return LegClosed(
        leg=LegId(leg),
        packets_received=500,
        packets_sent=498,
        lost=lost,
        jitter_ms=jitter_ms,
        remote_lost=None,
        round_trip_ms=20.0,
    )


def call_ended(cause: EndCause = SUCCESS) -> CallEnded:
    return CallEnded(cause=cause, ended_by="caller", waited_s=3.0, talked_s=4.0, total_s=9.0, queue=SALES, agent=ANNA)


def queue_call(call: str, *, first: int = 1) -> list[Record]:
    """Twelve records: a caller waits in "sales", "anna" answers, the caller hangs up."""
    near, far, offer = f"{call}-a", f"{call}-b", OfferId(f"{call}-o")
    bodies: list[LogBody] = [
        call_started(near),
        CallRouted(destination="queue:sales"),
        CallAnswered(leg=LegId(near)),
        CallerQueued(queue=SALES, position=1, caller="+4930123"),
        OfferMade(offer=offer, queue=SALES, agent=ANNA),
        OfferRinging(offer=offer, queue=SALES, agent=ANNA),
        OfferEnded(offer=offer, queue=SALES, agent=ANNA, outcome=OfferOutcome.ANSWERED, rang_s=2.0),
        CallerConnected(queue=SALES, agent=ANNA, offer=offer, waited_s=3.0, rang_s=2.0, position=1),
        CallConnected(leg=LegId(far), peer="agent:anna"),
        call_ended(),
        leg_closed(near),
        leg_closed(far, lost=3),
    ]
    return [record(first + i, body, call=call) for i, body in enumerate(bodies)]


def cdrs_of(records: list[Record]) -> list[Cdr]:
    """The rows that these records complete."""
    fold = CdrFold()
    return [row for entry in records for row in fold.apply(entry)]
