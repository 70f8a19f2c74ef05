"""What happens at an agent's desk: the phone comes and goes, rings, answers and hangs up, the person takes a break."""

from __future__ import annotations

from engine.acd.agent import RONA, AgentInput, AgentState, LiveAgent
from engine.acd.caller import CallerInput
from engine.acd.floor import DeadlineKind, Floor
from engine.acd.offer import FAILED
from engine.calls.directory import AgentStatus
from engine.calls.events import Reachable, UnreachableReason
from engine.calls.log import (
    AgentReachable,
    AgentStatusChanged,
    AgentUnreachable,
    CallerConnected,
    OfferOutcome,
    OfferRinging,
)
from engine.calls.ports import OfferResult, WithdrawReason
from engine.ids import AgentName, CallId, OfferId

ENGINE = "engine"
"""Who set the status, when no person did (`AgentStatusChanged.by`)."""


# --- the phone ---


def reachable(floor: Floor, agent: LiveAgent, event: Reachable, now: float) -> None:
    """A binding is there. Logged when it is news: a phone refreshes its registration every few minutes."""
    known = (agent.reachable, agent.contact, agent.source, agent.user_agent)
    agent.reachable = True
    agent.contact, agent.source, agent.user_agent = event.contact, event.source, event.user_agent
    if known != (True, event.contact, event.source, event.user_agent):
        news = AgentReachable(
            agent=event.agent, contact=event.contact, source=event.source, user_agent=event.user_agent
        )
        floor.journal.append(news, now=now)
    floor.advance_agent(agent, AgentInput.REACHABLE, now)


def unreachable(floor: Floor, agent: LiveAgent, reason: UnreachableReason, now: float) -> None:
    """The last binding is gone: an offer that rings goes back to its caller at once."""
    if not agent.reachable:
        return
    agent.reachable = False
    agent.contact = agent.source = agent.user_agent = ""
    floor.journal.append(AgentUnreachable(agent=agent.config.name, reason=reason.value), now=now)
    floor.advance_agent(agent, AgentInput.UNREACHABLE, now)


# --- the person ---


def change_status(
    floor: Floor,
    agent: LiveAgent,
    status: AgentStatus,
    reason: str,
    by: str,
    now: float,
    call: CallId | None = None,
) -> None:
    """The person, or the engine for them, chooses a status. Ends wrap-up; being available again ends every rest."""
    same_reason = status is AgentStatus.AVAILABLE or reason == agent.status_reason
    if status is not agent.status or not same_reason:
        if status is AgentStatus.AVAILABLE and agent.status is not AgentStatus.AVAILABLE:
            agent.idle_since = now
        agent.status, agent.status_reason = status, reason
        changed = AgentStatusChanged(agent=agent.config.name, status=status, reason=reason, by=by)
        agent.status_since = floor.journal.append(changed, now=now, call=call).wall
    if status is AgentStatus.AVAILABLE:
        for queue in agent.queues:
            floor.end_rest(agent, floor.queues[queue])
        floor.advance_agent(agent, AgentInput.AVAILABLE, now)
    else:
        floor.advance_agent(agent, AgentInput.UNAVAILABLE, now)
    floor.rank(agent)


def wrap_up_over(floor: Floor, name: AgentName, now: float) -> None:
    """The wrap-up time has run out; in another call it just ends."""
    agent = floor.agents[name]
    agent.wrap_up_until = None
    if agent.state is AgentState.WRAP_UP:
        floor.advance_agent(agent, AgentInput.WRAP_UP_OVER, now)


# --- offers ---


def ringing(floor: Floor, offer_id: OfferId, now: float) -> None:
    """The phone rings."""
    offer = floor.offers[offer_id]
    if not offer.ringing:
        offer.ringing = True
        told = OfferRinging(offer=offer.id, queue=offer.queue, agent=offer.agent)
        floor.journal.append(told, now=now, call=offer.call)
    floor.advance_agent(floor.agents[offer.agent], AgentInput.RINGING, now)


def answered(floor: Floor, offer_id: OfferId, now: float) -> None:
    """The agent has the caller; whoever else rings for the same one is let go."""
    offer = floor.offers[offer_id]
    agent, caller, queue = floor.agents[offer.agent], floor.callers[offer.call], floor.queues[offer.queue]
    floor.close(offer, OfferOutcome.ANSWERED, now)
    waited_s = now - caller.entered_at
    queue.counters.connect(waited_s)
    connected = CallerConnected(
        queue=offer.queue,
        agent=offer.agent,
        offer=offer.id,
        waited_s=waited_s,
        rang_s=now - offer.made_at,
        position=caller.entry_position,
    )
    floor.journal.append(connected, now=now, call=offer.call)
    agent.talk = offer.call
    floor.talks[offer.call] = (offer.agent, offer.queue)
    floor.advance_agent(agent, AgentInput.ANSWER, now)
    floor.advance_caller(caller, CallerInput.ANSWER, now)


def failed(floor: Floor, offer_id: OfferId, result: OfferResult, now: float, retry_after_s: float = 0) -> None:
    """The phone refused, or could not be rung: others are tried at once, this one rests, at least for as long as it
    wished."""
    offer = floor.offers[offer_id]
    floor.close(offer, FAILED[result], now)
    floor.rest(floor.agents[offer.agent], floor.queues[offer.queue], now, retry_after_s)
    floor.untaken(offer, now)


def ring_timeout(floor: Floor, offer_id: OfferId, now: float) -> None:
    """Nobody picked up (RONA): break, where the queue wants it, with the reason in words; a rest otherwise."""
    offer = floor.offers[offer_id]
    agent, queue = floor.agents[offer.agent], floor.queues[offer.queue]
    floor.withdraw(offer, WithdrawReason.RING_TIMEOUT, now)
    if not queue.config.rona_break:
        floor.rest(agent, queue, now)
    floor.untaken(offer, now)
    if queue.config.rona_break:
        reason = f"{RONA}no answer for {now - offer.made_at:.3g} s (queue {offer.queue})"
        change_status(floor, agent, AgentStatus.BREAK, reason, ENGINE, now)


# --- calls ---


def talk_ended(floor: Floor, call: CallId, now: float) -> None:
    """The queue's call is over: wrap-up, unless the queue has none or is gone."""
    agent_name, queue_name = floor.talks.pop(call)
    agent, queue = floor.agents[agent_name], floor.queues.get(queue_name)
    agent.talk = None
    wrap_up_s = queue.config.wrap_up_s if queue is not None and not agent.removed else 0.0
    if wrap_up_s > 0:
        agent.wrap_up_until = now + wrap_up_s
        floor.deadlines.put((DeadlineKind.WRAP_UP, agent_name, ""), agent.wrap_up_until)
    _call_over(floor, agent, now)


def engaged(floor: Floor, agent: LiveAgent, call: CallId, now: float) -> None:
    """The phone is in a call that no queue gave it: an offer that rings goes to somebody else."""
    agent.own_calls[call] = None
    floor.advance_agent(agent, AgentInput.ENGAGED, now)


def released(floor: Floor, agent: LiveAgent, call: CallId, now: float) -> None:
    """That call is over."""
    if call in agent.own_calls:
        del agent.own_calls[call]
        _call_over(floor, agent, now)


def _call_over(floor: Floor, agent: LiveAgent, now: float) -> None:
    """One of the agent's calls is over; when it was the last, say how it goes on (rule 2 of the theory in agent.py)."""
    if agent.call is None:
        due = agent.wrap_up_until is not None and agent.wrap_up_until > now
        floor.advance_agent(agent, AgentInput.WRAP_UP_DUE if due else AgentInput.CALLS_OVER, now)
        if agent.removed:
            del floor.agents[agent.config.name]
