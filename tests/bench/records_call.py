"""The records of one queued call, as the engine makes them in the signalling benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.log import (
    AgentStateChanged,
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
from engine.ids import AgentName, IdSource, LegId, OfferId, QueueName

Q: Final = QueueName("bench")
AGENTS: Final = [AgentName(f"agent{number}") for number in range(50)]
TALK_S: Final = 2.0

Bodies = Sequence[tuple[LogBody, bool]]
"""What is told at once, and whether the record names the call."""
Step = tuple[float, Bodies]
"""Seconds into the call, and what is told then."""


def life(number: int, ids: IdSource) -> list[Step]:
    """One call as the core tells it: 16 records in five moments."""
    near, far, offer = LegId(ids.token()), LegId(ids.token()), OfferId(ids.token())
    agent = AGENTS[number % len(AGENTS)]
    rang = 0.0041616970011091325
    started = CallStarted(
        direction=CallDirection.INBOUND,
        leg=near,
        origin="trunk:callers",
        context="from-trunk",
        called="600",
        caller=f"{number}",
        caller_display="",
        protocol_id=f"{number}-8818@127.0.0.2",
    )
    ended = CallEnded(
        cause=EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=200),
        ended_by="caller",
        waited_s=rang,
        talked_s=2.034230643999763,
        total_s=2.0411704300004203,
        queue=Q,
        agent=agent,
    )

    def moves(state: str, previous: str) -> LogBody:
        return AgentStateChanged(agent=agent, state=state, previous=previous)

    def closed(leg: LegId) -> LogBody:
        return LegClosed(
            leg=leg,
            packets_received=101,
            packets_sent=102,
            lost=0,
            jitter_ms=0.75,
            remote_lost=None,
            round_trip_ms=None,
        )

    connected = CallerConnected(queue=Q, agent=agent, offer=offer, waited_s=rang, rang_s=rang, position=1)
    answered = OfferEnded(offer=offer, queue=Q, agent=agent, outcome=OfferOutcome.ANSWERED, rang_s=rang)
    return [
        (0.0, [(started, True), (CallRouted(destination=f"queue:{Q}"), True)]),
        (
            0.002,
            [
                (CallAnswered(leg=near), True),
                (CallerQueued(queue=Q, position=1, caller=f"{number}"), True),
                (OfferMade(offer=offer, queue=Q, agent=agent), True),
                (moves("ringing", "idle"), False),
            ],
        ),
        (
            0.006,
            [
                (OfferRinging(offer=offer, queue=Q, agent=agent), True),
                (answered, True),
                (connected, True),
                (moves("in_call", "ringing"), False),
                (CallConnected(leg=far, peer=f"agent:{agent}"), True),
            ],
        ),
        (TALK_S, [(ended, True), (moves("wrap_up", "in_call"), False), (closed(far), True), (closed(near), True)]),
        (TALK_S + 0.005, [(moves("idle", "wrap_up"), False)]),
    ]
