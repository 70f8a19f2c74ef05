"""One attempt to connect a caller with an agent, and the words for how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.calls.log import OfferOutcome
from engine.calls.ports import OfferResult, WithdrawReason
from engine.ids import AgentName, CallId, OfferId, QueueName


@dataclass(slots=True, eq=False, kw_only=True)
class Offer:
    id: OfferId
    call: CallId
    queue: QueueName
    agent: AgentName
    made_at: float
    """Monotonic seconds."""
    ringing: bool = False
    """The phone has said that it rings."""


WITHDRAWN: Final[dict[WithdrawReason, OfferOutcome]] = {
    WithdrawReason.RING_TIMEOUT: OfferOutcome.RING_TIMEOUT,
    WithdrawReason.CALLER_LEFT: OfferOutcome.CALLER_LEFT,
    WithdrawReason.ANSWERED_ELSEWHERE: OfferOutcome.ANSWERED_ELSEWHERE,
    WithdrawReason.AGENT_UNREACHABLE: OfferOutcome.UNREACHABLE,
    WithdrawReason.AGENT_UNAVAILABLE: OfferOutcome.AGENT_UNAVAILABLE,
    WithdrawReason.QUEUE_TIMEOUT: OfferOutcome.QUEUE_TIMEOUT,
}
"""The outcome of an offer that the ACD took back."""

FAILED: Final[dict[OfferResult, OfferOutcome]] = {
    OfferResult.BUSY: OfferOutcome.BUSY,
    OfferResult.REJECTED: OfferOutcome.REJECTED,
    OfferResult.UNREACHABLE: OfferOutcome.UNREACHABLE,
    OfferResult.FAILED: OfferOutcome.FAILED,
}
"""The outcome of an offer that the agent's phone ended."""
