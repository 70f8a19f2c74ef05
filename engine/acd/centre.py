"""The ACD's one door: inputs and `now` go in, effects, records and one deadline come out.

Every method works off its input to the end (`Floor.settle`) before it returns; what the calls layer must do then waits
in `take_effects`. Inputs about what is not there any more (an offer withdrawn, a caller gone, an agent removed) are
races that are over, and do nothing.
"""

from __future__ import annotations

from engine.acd import desk, line, roster
from engine.acd.agent import LiveAgent
from engine.acd.floor import DeadlineKind, Floor
from engine.acd.queue import LiveQueue
from engine.acd.snapshot import LiveCounts, Snapshot, live, snapshot
from engine.calls.directory import AgentStatus, Change, Directory, Entity, Put
from engine.calls.events import Party, Reachable, Unreachable
from engine.calls.journal import Journal
from engine.calls.ports import AgentStatusView, LeaveReason, OfferResult, QueueEffect
from engine.errors import InvalidRequest, NotFound
from engine.ids import AgentName, CallId, IdSource, OfferId, QueueName


class Acd:
    """Implements `ports.QueuePort` and `ports.AgentStatusPort`, and what the core needs around them."""

    def __init__(self, directory: Directory, journal: Journal, ids: IdSource, now: float) -> None:
        """`directory` is read once; changes come by `directory_changed`. Agents start unreachable, with the status that
        the directory kept."""
        self._floor = Floor(journal, ids)
        entities: list[Entity] = [*directory.agents.values(), *directory.queues.values(), *directory.members.values()]
        for entity in entities:
            roster.change(self._floor, Put(entity=entity), now)
        self._floor.settle(now)

    # --- callers (QueuePort) ---

    def has_room(self, queue: QueueName) -> bool:
        """Whether the queue takes one more caller now. Raises NotFound for an unknown queue."""
        return not self._queue(queue).full

    def enter(self, call: CallId, queue: QueueName, caller: Party, now: float) -> None:
        """A caller begins to wait. Raises NotFound for an unknown queue, InvalidRequest for a call that a queue has."""
        wanted = self._queue(queue)
        if call in self._floor.callers or call in self._floor.talks:
            raise InvalidRequest(f"call {call} is in a queue already")
        line.enter(self._floor, wanted, call, caller, now)
        self._floor.settle(now)

    def _queue(self, name: QueueName) -> LiveQueue:
        wanted = self._floor.queues.get(name)
        if wanted is None:
            raise NotFound(f"no queue {name!r}; there are: {', '.join(self._floor.queues) or 'none'}")
        return wanted

    def leave(self, call: CallId, reason: LeaveReason, now: float) -> None:
        """The caller hung up, or was ended, while waiting or being offered."""
        if call in self._floor.callers:
            line.leave(self._floor, call, reason, now)
            self._floor.settle(now)

    # --- offers (QueuePort) ---

    def offer_ringing(self, offer: OfferId, now: float) -> None:
        """The agent's phone rings."""
        if offer in self._floor.offers:
            desk.ringing(self._floor, offer, now)

    def offer_answered(self, offer: OfferId, now: float) -> bool:
        """The agent's phone answered; False when that came too late and the leg must be hung up."""
        if offer not in self._floor.offers:
            return False
        desk.answered(self._floor, offer, now)
        self._floor.settle(now)
        return True

    def offer_failed(
        self, offer: OfferId, result: OfferResult, now: float, *, retry_after_s: int | None = None
    ) -> None:
        """The agent's leg ended without an answer; his phone may have said for how long it is not to be asked again."""
        if offer in self._floor.offers:
            desk.failed(self._floor, offer, result, now, retry_after_s or 0)
            self._floor.settle(now)

    # --- the agents' calls (QueuePort) ---

    def talk_ended(self, call: CallId, now: float) -> None:
        """The conversation that `offer_answered` began is over."""
        if call in self._floor.talks:
            desk.talk_ended(self._floor, call, now)
            self._floor.settle(now)

    def agent_engaged(self, agent: AgentName, call: CallId, now: float) -> None:
        """The agent's phone is in a call that no queue gave it."""
        known = self._floor.agents.get(agent)
        if known is not None:
            desk.engaged(self._floor, known, call, now)
            self._floor.settle(now)

    def agent_released(self, agent: AgentName, call: CallId, now: float) -> None:
        """That call is over."""
        known = self._floor.agents.get(agent)
        if known is not None:
            desk.released(self._floor, known, call, now)
            self._floor.settle(now)

    # --- agents ---

    def reachable(self, event: Reachable, now: float) -> None:
        """The agent's phone is registered."""
        known = self._floor.agents.get(event.agent)
        if known is not None:
            desk.reachable(self._floor, known, event, now)
            self._floor.settle(now)

    def unreachable(self, event: Unreachable, now: float) -> None:
        """The agent's last binding is gone."""
        known = self._floor.agents.get(event.agent)
        if known is not None:
            desk.unreachable(self._floor, known, event.reason, now)
            self._floor.settle(now)

    def set_status(
        self, agent: AgentName, available: bool, reason: str, by: str, now: float, *, call: CallId | None = None
    ) -> None:
        """The person is available, or on a break; `call` is the one in which they said so at the phone. Raises NotFound
        for an unknown agent."""
        status = AgentStatus.AVAILABLE if available else AgentStatus.BREAK
        desk.change_status(self._floor, self._agent(agent), status, reason, by, now, call)
        self._floor.settle(now)

    def log_out(self, agent: AgentName, reason: str, by: str, now: float) -> None:
        """The person goes home; `set_status` brings them back. Raises NotFound for an unknown agent."""
        desk.change_status(self._floor, self._agent(agent), AgentStatus.LOGGED_OUT, reason, by, now)
        self._floor.settle(now)

    def status(self, agent: AgentName) -> AgentStatusView:
        """What was chosen for the agent, and whether a person chose it; says nothing of the phone. An unknown agent is
        logged out."""
        known = self._floor.agents.get(agent)
        if known is None or known.removed:
            return AgentStatusView(status=AgentStatus.LOGGED_OUT)
        return AgentStatusView(status=known.status, reason=known.status_reason, by_engine=known.taken_out)

    def _agent(self, name: AgentName) -> LiveAgent:
        known = self._floor.agents.get(name)
        if known is None or known.removed:
            there = ", ".join(other for other, agent in self._floor.agents.items() if not agent.removed)
            raise NotFound(f"no agent {name!r}; there are: {there or 'none'}")
        return known

    def directory_changed(self, change: Change, now: float) -> None:
        """The directory was changed like this. The status in a Put of a known agent is not looked at: `set_status` is
        the way to change that. Raises NotFound for a membership of nobody."""
        roster.change(self._floor, change, now)
        self._floor.settle(now)

    # --- the driver's side ---

    def next_deadline(self) -> float | None:
        """When `handle_deadline` must be called (monotonic); None when nothing is due ever."""
        return self._floor.deadlines.first_key()

    def handle_deadline(self, now: float) -> None:
        """Work off all that is due. Calling it early does nothing."""
        floor = self._floor
        while (due := floor.deadlines.first_key()) is not None and due <= now:
            deadline = floor.deadlines.first()
            assert deadline is not None, "there is a first key"
            floor.deadlines.discard(deadline)
            self._fall_due(*deadline, now)
        floor.settle(now)

    def _fall_due(self, kind: DeadlineKind, name: str, queue: str, now: float) -> None:
        match kind:
            case DeadlineKind.RING:
                desk.ring_timeout(self._floor, OfferId(name), now)
            case DeadlineKind.WRAP_UP:
                desk.wrap_up_over(self._floor, AgentName(name), now)
            case DeadlineKind.REST:
                agent = self._floor.agents[AgentName(name)]
                self._floor.end_rest(agent, self._floor.queues[QueueName(queue)])
                self._floor.rank(agent)
            case DeadlineKind.MAX_WAIT:
                line.out_of_time(self._floor, CallId(name), now)

    def take_effects(self) -> list[QueueEffect]:
        """Drain what was decided since the last time, in order."""
        taken, self._floor.effects = self._floor.effects, []
        return taken

    # --- looking in ---

    def snapshot(self, now: float) -> Snapshot:
        """Queues and agents as they are now."""
        return snapshot(self._floor, now)

    def live(self) -> LiveCounts:
        """How much is alive; at rest all is 0."""
        return live(self._floor)
