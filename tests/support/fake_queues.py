"""The queues of a calls test, which do what the test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.calls.directory import AgentStatus
from engine.calls.events import (
    Party,
)
from engine.calls.ports import (
    AgentStatusView,
    LeaveReason,
    MakeOffer,
    OfferResult,
    QueueEffect,
    ReleaseCaller,
    ReleaseReason,
    WithdrawOffer,
    WithdrawReason,
)
from engine.errors import NotFound
from engine.ids import AgentName, CallId, OfferId, QueueName


@dataclass
class FakeQueues:
    """QueuePort and AgentStatusPort; the test decides who is offered."""

    known: set[QueueName]
    capacity: int = 1000
    waiting: dict[CallId, QueueName] = field(default_factory=dict)
    talking: dict[CallId, AgentName] = field(default_factory=dict)
    offers: dict[OfferId, MakeOffer] = field(default_factory=dict)
    left_because: list[LeaveReason] = field(default_factory=list)
    rang: list[OfferId] = field(default_factory=list)
    failed: list[tuple[AgentName, OfferResult]] = field(default_factory=list)
    wished: int | None = None
    """Retry-After of the last offer that failed."""
    engaged: list[tuple[AgentName, CallId]] = field(default_factory=list)
    ever_engaged: list[AgentName] = field(default_factory=list)
    effects: list[QueueEffect] = field(default_factory=list)
    standing: dict[AgentName, AgentStatusView] = field(default_factory=dict)
    statuses: list[tuple[AgentName, bool, str, str]] = field(default_factory=list)
    counter: int = 0

    def has_room(self, queue: QueueName) -> bool:
        if queue not in self.known:
            raise NotFound(f"no queue {queue}")
        return len(self.waiting) < self.capacity

    def enter(self, call: CallId, queue: QueueName, caller: Party, now: float) -> None:
        assert call not in self.waiting
        assert call not in self.talking, "the ACD takes a call once"
        if queue not in self.known:
            raise NotFound(f"no queue {queue}")
        if len(self.waiting) >= self.capacity:
            self.effects.append(ReleaseCaller(call=call, reason=ReleaseReason.FULL))
            return
        self.waiting[call] = queue

    def leave(self, call: CallId, reason: LeaveReason, now: float) -> None:
        self.waiting.pop(call, None)
        self.left_because.append(reason)
        self._withdraw_all(call, WithdrawReason.CALLER_LEFT)

    def _withdraw_all(self, call: CallId, reason: WithdrawReason) -> None:
        for offer, made in tuple(self.offers.items()):
            if made.call == call:
                self.withdraw(offer, reason)

    def offer_ringing(self, offer: OfferId, now: float) -> None:
        self.rang.append(offer)

    def offer_answered(self, offer: OfferId, now: float) -> bool:
        made = self.offers.pop(offer, None)
        if made is None or made.call not in self.waiting:
            return False
        del self.waiting[made.call]
        self.talking[made.call] = made.agent
        self._withdraw_all(made.call, WithdrawReason.ANSWERED_ELSEWHERE)
        return True

    def offer_failed(
        self, offer: OfferId, result: OfferResult, now: float, *, retry_after_s: int | None = None
    ) -> None:
        made = self.offers.pop(offer, None)
        if made is not None:
            self.failed.append((made.agent, result))
            self.wished = retry_after_s

    def talk_ended(self, call: CallId, now: float) -> None:
        del self.talking[call]

    def agent_engaged(self, agent: AgentName, call: CallId, now: float) -> None:
        assert (agent, call) not in self.engaged
        self.engaged.append((agent, call))
        self.ever_engaged.append(agent)

    def agent_released(self, agent: AgentName, call: CallId, now: float) -> None:
        self.engaged.remove((agent, call))

    def take_effects(self) -> list[QueueEffect]:
        taken, self.effects = self.effects, []
        return taken

    # AgentStatusPort

    def set_status(
        self, agent: AgentName, available: bool, reason: str, by: str, now: float, *, call: CallId | None = None
    ) -> None:
        self.statuses.append((agent, available, reason, by))

    def status(self, agent: AgentName) -> AgentStatusView:
        return self.standing.get(agent, AgentStatusView(status=AgentStatus.AVAILABLE))

    # the matcher's part, played by the test

    def make_offer(self, call: CallId, agent: str) -> OfferId:
        self.counter += 1
        offer = OfferId(f"offer{self.counter}")
        made = MakeOffer(offer=offer, call=call, queue=self.waiting[call], agent=AgentName(agent))
        self.offers[offer] = made
        self.effects.append(made)
        return offer

    def withdraw(self, offer: OfferId, reason: WithdrawReason) -> None:
        if self.offers.pop(offer, None) is not None:
            self.effects.append(WithdrawOffer(offer=offer, reason=reason))

    def let_go(self, call: CallId, reason: ReleaseReason) -> None:
        if self.waiting.pop(call, None) is not None:
            self._withdraw_all(call, WithdrawReason.QUEUE_TIMEOUT)
            self.effects.append(ReleaseCaller(call=call, reason=reason))
