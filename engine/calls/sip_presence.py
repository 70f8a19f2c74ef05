"""Who can be reached: phones by their bindings, trunks by their answers to OPTIONS."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from engine.calls.directory import Change, Directory, Drop, Put, Trunk
from engine.calls.events import PresenceEvent, Reachable, Unreachable, UnreachableReason
from engine.calls.final_status import unwell
from engine.calls.sip_targets import ListenerFlow, SipTargets
from engine.calls.trunk_watch import TrunkHealth, TrunkWatch
from engine.ids import AgentName
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError
from engine.sip.events import BindingAdded, BindingEnd, BindingRemoved, PingAnswered, PingId


class SipPresence:
    """Tells what changes."""

    def __init__(
        self,
        endpoint: Endpoint,
        directory: Directory,
        tell: Callable[[PresenceEvent], None],
        *,
        listener_flow: ListenerFlow,
    ) -> None:
        self._endpoint = endpoint
        self._tell = tell
        self._watch = TrunkWatch(directory.trunks.values(), self._ask)
        self.targets = SipTargets(endpoint, directory, listener_flow=listener_flow, is_down=self._watch.is_down)
        """Where calls go: not to a trunk that is down."""
        self.handlers: dict[type[Any], Callable[[Any, float], None]] = {
            BindingAdded: self._binding_added,
            BindingRemoved: self._binding_removed,
            PingAnswered: self._ping_answered,
        }
        """What the stack tells of it."""

    def next_deadline(self) -> float | None:
        """When a trunk must be asked next."""
        return self._watch.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Ask the trunks whose time has come."""
        for event in self._watch.handle_deadline(now):
            self._tell(event)

    def directory_changed(self, change: Change, now: float) -> None:
        """A trunk was put or dropped."""
        match change:
            case Put(entity=Trunk() as trunk):
                self._watch.put(trunk, now)
            case Drop(entity=Trunk(name=name)):
                self._watch.drop(name)

    def trunks(self) -> tuple[TrunkHealth, ...]:
        """Every trunk and what is known of it."""
        return self._watch.all()

    def _ask(self, trunk: Trunk, now: float) -> PingId | None:
        target = self.targets.trunk(trunk, None)
        with suppress(LocalSipError):
            return None if target is None else self._endpoint.ping(target, now=now)
        return None

    def _binding_added(self, event: BindingAdded, now: float) -> None:
        agent, device = AgentName(event.user), event.user_agent
        self._tell(Reachable(agent=agent, contact=event.contact, source=event.source, user_agent=device))

    def _binding_removed(self, event: BindingRemoved, now: float) -> None:
        if event.left == 0 and event.why is not BindingEnd.REPLACED:
            self._tell(Unreachable(agent=AgentName(event.user), reason=UnreachableReason(event.why.value)))

    def _ping_answered(self, event: PingAnswered, now: float) -> None:
        round_trip_s = None if event.status is None else event.round_trip_s
        for told in self._watch.answered(event.ping, round_trip_s, now, fault=unwell(event.status)):
            self._tell(told)
