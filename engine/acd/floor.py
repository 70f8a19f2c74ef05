"""The call-centre floor: every agent, queue, caller and offer there is, and the few steps that change them.

What happens (`desk.py`, `line.py`, `roster.py`) is said in inputs to the two machines; this file carries out what their
tables answer, keeps the idle members and the line in order, and writes the log. A step never matches by itself: it
marks the queues where something changed, and `settle`, run once at the end of every input, makes the offers. So the
order of steps within one input does not matter to who rings for whom.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from engine.acd import agent as agent_machine
from engine.acd import caller as caller_machine
from engine.acd.agent import AgentInput, AgentState, LiveAgent
from engine.acd.caller import Caller, CallerInput, CallerState
from engine.acd.matcher import Match, next_match
from engine.acd.offer import WITHDRAWN, Offer
from engine.acd.queue import LiveQueue
from engine.acd.ranking import Ranking
from engine.calls.journal import Journal
from engine.calls.log import AgentStateChanged, CallerLeft, OfferEnded, OfferMade, OfferOutcome
from engine.calls.ports import MakeOffer, QueueEffect, ReleaseCaller, WithdrawOffer, WithdrawReason
from engine.ids import AgentName, CallId, IdSource, OfferId, QueueName


class DeadlineKind(StrEnum):
    """What may fall due."""

    RING = "ring"
    """An offer has rung long enough: (RING, offer, "")."""
    WRAP_UP = "wrap_up"
    """(WRAP_UP, agent, "")."""
    REST = "rest"
    """A member may be asked again: (REST, agent, queue)."""
    MAX_WAIT = "max_wait"
    """(MAX_WAIT, call, "")."""


Deadline = tuple[DeadlineKind, str, str]

MIN_REST_S: Final = 0.5
"""The least time that a member rests after an offer that came to nothing, whatever `retry_s` says: a phone that refuses
at once would otherwise be called again as fast as the machine can."""
MAX_WISHED_REST_S: Final = 300.0
"""The longest Retry-After of a phone that is heeded: longer, and its user is to take a break."""


class Floor:
    """The state. One instance per engine; nothing else holds any of it."""

    def __init__(self, journal: Journal, ids: IdSource) -> None:
        self.journal = journal
        self.ids = ids
        self.agents: dict[AgentName, LiveAgent] = {}
        self.queues: dict[QueueName, LiveQueue] = {}
        self.callers: dict[CallId, Caller] = {}
        """Everybody in a line."""
        self.offers: dict[OfferId, Offer] = {}
        self.talks: dict[CallId, tuple[AgentName, QueueName]] = {}
        """Calls that a queue connected and that are not over."""
        self.deadlines: Ranking[Deadline, float] = Ranking()
        self.effects: list[QueueEffect] = []
        self.arrivals = 0
        self.joined = 0
        self._changed: dict[QueueName, None] = {}

    # --- agents ---

    def advance_agent(self, agent: LiveAgent, given: AgentInput, now: float) -> None:
        """Feed the agent's machine and do what its table says."""
        found = agent_machine.transition(agent.state, given)
        if found.wrap_up_ends:
            agent.wrap_up_until = None
            self.deadlines.discard((DeadlineKind.WRAP_UP, agent.config.name, ""))
        if found.withdraw is not None and agent.offer is not None:
            offer = self.offers[agent.offer]
            self.withdraw(offer, found.withdraw, now)
            self._offer_lost(offer, now)
        following = found.next
        if following is AgentState.IDLE and not agent.reachable:
            following = AgentState.UNREACHABLE  # rule 1 of the theory in agent.py
        if following is not agent.state:
            self._enter_state(agent, following, now)

    def _enter_state(self, agent: LiveAgent, state: AgentState, now: float) -> None:
        previous, agent.state, agent.state_since = agent.state, state, now
        if state is AgentState.IDLE and previous not in (AgentState.OFFERED, AgentState.RINGING):
            agent.idle_since = now
        self.journal.append(
            AgentStateChanged(agent=agent.config.name, state=state.value, previous=previous.value), now=now
        )
        self.rank(agent)

    def rank(self, agent: LiveAgent) -> None:
        """Put the agent among the idle members of all own queues, or take the agent out, as is right now."""
        name = agent.config.name
        for queue_name in agent.queues:
            queue = self.queues[queue_name]
            if agent.routable and not queue.members[name].resting:
                queue.rank(name, agent.idle_since)
                self._changed[queue_name] = None
            else:
                queue.idle.discard(name)

    def rest(self, agent: LiveAgent, queue: LiveQueue, now: float, wished_s: float = 0) -> None:
        """Do not ask this member again for a while, in this queue: for as long as he `wished`, within reason."""
        member = queue.members[agent.config.name]
        member.resting = True
        queue.idle.discard(agent.config.name)
        rest_s = max(queue.config.retry_s, MIN_REST_S, min(wished_s, MAX_WISHED_REST_S))
        self.deadlines.put((DeadlineKind.REST, agent.config.name, queue.config.name), now + rest_s)

    def end_rest(self, agent: LiveAgent, queue: LiveQueue) -> None:
        """The member may be asked again. The caller ranks the agent."""
        queue.members[agent.config.name].resting = False
        self.deadlines.discard((DeadlineKind.REST, agent.config.name, queue.config.name))

    # --- callers ---

    def advance_caller(self, caller: Caller, given: CallerInput, now: float) -> None:
        """Feed the caller's machine and do what its table says."""
        found = caller_machine.transition(caller.state, given)
        caller.state = found.next
        queue = self.queues[caller.queue]
        if found.next is CallerState.WAITING:
            queue.waiting.put(caller.call, caller.arrival)
            self._changed[caller.queue] = None
        else:
            queue.waiting.discard(caller.call)
        if found.withdraw is not None:
            self._withdraw_all(caller, found.withdraw, now)
        if found.exit is not None:
            queue.counters.leave(found.exit)
            left = CallerLeft(
                queue=caller.queue,
                why=found.exit,
                waited_s=now - caller.entered_at,
                position=queue.position(caller),
                entry_position=caller.entry_position,
            )
            self.journal.append(left, now=now, call=caller.call)
        if found.release is not None:
            self.effects.append(ReleaseCaller(call=caller.call, reason=found.release))
        if found.next in (CallerState.CONNECTED, CallerState.LEFT) and caller.call in queue.callers:
            queue.remove(caller)
            del self.callers[caller.call]
            self.deadlines.discard((DeadlineKind.MAX_WAIT, caller.call, ""))

    def _withdraw_all(self, caller: Caller, reason: WithdrawReason, now: float) -> None:
        for offer_id in tuple(caller.offers):
            offer = self.offers[offer_id]
            self.withdraw(offer, reason, now)
            self.advance_agent(self.agents[offer.agent], AgentInput.OFFER_OVER, now)

    # --- offers ---

    def make(self, match: Match, now: float) -> None:
        """Ring these agents for this caller."""
        caller, queue = match.caller, match.queue
        for name in match.agents:
            offer = Offer(
                id=OfferId(self.ids.token()), call=caller.call, queue=queue.config.name, agent=name, made_at=now
            )
            agent = self.agents[name]
            self.offers[offer.id] = offer
            agent.offer = offer.id
            caller.offers[offer.id] = None
            queue.counters.offers += 1
            self.deadlines.put((DeadlineKind.RING, offer.id, ""), now + queue.config.ring_timeout_s)
            made = OfferMade(offer=offer.id, queue=offer.queue, agent=name)
            self.journal.append(made, now=now, call=caller.call)
            self.advance_agent(agent, AgentInput.OFFER, now)
            self.advance_caller(caller, CallerInput.OFFER, now)
            self.effects.append(MakeOffer(offer=offer.id, call=caller.call, queue=offer.queue, agent=name))

    def close(self, offer: Offer, outcome: OfferOutcome, now: float) -> None:
        """The offer is over. Feeding the two machines is for who asks, because one of them may be the cause."""
        del self.offers[offer.id]
        self.agents[offer.agent].offer = None
        del self.callers[offer.call].offers[offer.id]
        self.deadlines.discard((DeadlineKind.RING, offer.id, ""))
        if outcome is not OfferOutcome.ANSWERED:
            self.queues[offer.queue].counters.offers_untaken += 1
        ended = OfferEnded(
            offer=offer.id, queue=offer.queue, agent=offer.agent, outcome=outcome, rang_s=now - offer.made_at
        )
        self.journal.append(ended, now=now, call=offer.call)

    def withdraw(self, offer: Offer, reason: WithdrawReason, now: float) -> None:
        """Close the offer and have the phone stop ringing."""
        self.close(offer, WITHDRAWN[reason], now)
        self.effects.append(WithdrawOffer(offer=offer.id, reason=reason))

    def untaken(self, offer: Offer, now: float) -> None:
        """Tell both sides of an offer that was closed without an answer."""
        self.advance_agent(self.agents[offer.agent], AgentInput.OFFER_OVER, now)
        self._offer_lost(offer, now)

    def _offer_lost(self, offer: Offer, now: float) -> None:
        caller = self.callers[offer.call]
        if not caller.offers:
            self.advance_caller(caller, CallerInput.NOT_TAKEN, now)

    # --- matching ---

    def changed(self, queue: QueueName) -> None:
        """Have `settle` look at this queue."""
        self._changed[queue] = None

    def settle(self, now: float) -> None:
        """Make every offer that can be made in the queues where something changed."""
        while self._changed:
            match = next_match((self.queues[name] for name in self._changed if name in self.queues), self.offers)
            if match is None:
                self._changed.clear()
            else:
                self.make(match, now)
