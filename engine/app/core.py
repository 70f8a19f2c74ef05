"""The pure core, whole: SIP, legs, calls, queues and dialplan as one synchronous machine.

Inputs and `now` go in; transmissions, media commands, records and one deadline come out (`engine.net.driver.Core`). In
between, `_pump` carries events from each machine to the next until all are still. Nobody calls back into his caller: a
method only queues effects, so that one input is worked off in one known order.

    endpoint -> SipLegs -> CallManager <-> Acd
                   |            |
               presence      media commands
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.acd.centre import Acd
from engine.app.call_traces import CallTraces
from engine.app.lookups import Lookup, LookupKey, Lookups
from engine.app.media_planes import MediaPlanes
from engine.app.orphans import Orders, Orphans
from engine.app.peers import TrunkAccounts, TrunkPeers
from engine.calls.directory import Agent, Change, Directory, Drop, Member, Put, Queue, Trunk, TrunkGroup
from engine.calls.events import (
    LegEvent,
    Moved,
    MoveRefused,
    PresenceEvent,
    Reachable,
    TextRelayed,
    TrunkDown,
    TrunkRegistration,
    TrunkUp,
    Unreachable,
)
from engine.calls.journal import Journal, Record
from engine.calls.log import BanLifted, DirectoryChanged, MediaBusy, SourceBanned
from engine.calls.manager import CallManager
from engine.calls.sip_leg import SipLegs
from engine.errors import NotFound
from engine.ids import AgentName, CallId, LegId
from engine.media.commands import Command, ListLegs
from engine.media.events import Legs, MediaEvent, Welcome
from engine.sip.endpoint import Endpoint
from engine.sip.events import AbandonedEnded, LocateWanted, SipEvent
from engine.sip.flow import Flow, Transmission
from engine.sip.guard import Guard, Standing
from engine.sip.locating import Located

_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class Core:
    """Built by `wiring.build_core`; driven by `net.driver`, or in virtual time by a test."""

    directory: Directory
    journal: Journal
    endpoint: Endpoint
    legs: SipLegs
    acd: Acd
    calls: CallManager
    media: MediaPlanes
    orphans: Orphans
    peers: TrunkPeers
    accounts: TrunkAccounts
    lookups: Lookups
    traces: CallTraces | None = None
    """The SIP messages of the last calls; None where they are not kept."""

    # --- inputs from the network ---

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> Standing:
        """What it was let in as: DROPPED, which is false, where nothing came of it."""
        standing = self.endpoint.receive_datagram(data, flow, now)
        if standing:
            self._pump(now)
        return standing

    def stranger_took(self, seconds: float) -> None:
        """So much time went into a datagram that was let in as UNKNOWN."""
        if self.endpoint.guard is not None:
            self.endpoint.guard.spent(seconds)

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> None:
        self.endpoint.receive_stream(data, flow, now)
        self._pump(now)

    def connection_opened(self, flow: Flow, now: float) -> None:
        self.endpoint.connection_opened(flow, now)

    def connection_lost(self, flow: Flow, now: float) -> None:
        self.endpoint.connection_lost(flow, now)
        self._pump(now)

    def keeps(self, flow: Flow) -> bool:
        """Whether a stream connection is a trunk's, or that of a phone that has proved whose it is."""
        return self.endpoint.serves(flow) or self.peers.trunk_at(flow) is not None

    def alias_of(self, flow: Flow) -> Flow | None:
        """A connection that its peer offered for requests to where the flow leads (RFC 5923)."""
        return self.endpoint.alias_of(flow)

    def send_failed(self, flow: Flow, now: float) -> None:
        self.endpoint.send_failed(flow, now)
        self._pump(now)

    def located(self, key: LookupKey, found: Located, now: float) -> None:
        """What came of a look-up that `take_lookups` gave."""
        self.lookups.located(key, found, now)
        self._pump(now)

    # --- inputs from media ---

    def media_event(self, event: MediaEvent, now: float, plane: int = 0) -> None:
        """The media process of this number says something."""
        told = self.media.told(plane, event, now)
        if isinstance(told, Welcome):
            self.media.opened(plane, told)
            self.calls.media_ready(told.pid, told.port_min, told.port_max, now, plane)
            if self.calls.recordings.rules.directory:
                self.media.send_to(plane, self.calls.recordings.rules.tidy())
            if told.legs:
                self.media.send_to(plane, ListLegs())
            else:
                self._order(self.orphans.none_at(plane, now))
                self.media.moves.look_for_homes()
        elif told is not None:
            self._order(self.orphans.media_event(told, now, plane))
            if isinstance(told, Legs):
                self.media.moves.look_for_homes()
                for info in told.recordings:
                    self.calls.recordings.found(info, now)
            self.calls.media_event(told, now)
        self._pump(now)

        for number, why in self.media.load_changed:
            self.journal.append(MediaBusy(plane=number, busy=bool(why), detail=why), now=now)
        self.media.load_changed.clear()

    def media_lost(self, detail: str, now: float, plane: int = 0) -> None:
        """The media process of this number is gone, and what lived there."""
        legs = self.media.lost(plane, now)
        self._order(self.orphans.connection_lost(plane))
        self.calls.media_lost(now, detail, legs, plane)
        self._pump(now)

    def _order(self, orders: Orders) -> None:
        """What is to be done about legs of the process before us."""
        for plane, command in orders:
            self.media.send_to(plane, command)

    def hang_up(self, call: CallId, by: str, now: float) -> None:
        """End a call, ours or one of the process before us. Raises NotFound."""
        orders = self.orphans.end(call)
        if orders is None:
            self.calls.hang_up(call, now, by)
        else:
            self._order(orders)
        self._pump(now)

    # --- inputs from people ---

    def change_directory(self, change: Change, by: str, now: float) -> None:
        """Carry out a change that the store has written already. Raises NotFound for a membership of nobody."""
        void = self._void_registration(change)
        self.directory.apply(change)
        kind, name = _named(change)
        action = "put" if isinstance(change, Put) else "drop"
        self.journal.append(DirectoryChanged(action=action, kind=kind, name=name, by=by), now=now)
        if void is not None:
            self.endpoint.remove_bindings(void, now)
        self.peers.directory_changed()
        self._look_up(change, now)
        self.legs.directory_changed(change, now)
        self.calls.directory_changed(change, now)
        self.acd.directory_changed(change, now)
        self._pump(now)

    def unban(self, address: str, user: str, by: str, now: float) -> None:
        """Take a ban back. Raises NotFound where there is none."""
        guard = self.endpoint.guard
        if guard is None or not guard.unban(address, user or None):
            raise NotFound(f"no ban of {address}{f' for user {user}' if user else ''}")
        self.journal.append(BanLifted(address=address, user=user, by=by), now=now)

    def _look_up(self, change: Change, now: float) -> None:
        match change:
            case Put(entity=Trunk() as trunk):
                self.lookups.trunk_put(trunk, now)
                self.accounts.left(trunk.name)
            case Drop(entity=Trunk() as trunk):
                self.lookups.trunk_dropped(trunk.name)
                self.accounts.dropped(trunk)

    def _void_registration(self, change: Change) -> AgentName | None:
        """Whose phones must prove themselves anew: the agent is removed, or has another secret than before, and a phone
        that knows the old one only is nobody's."""
        if not isinstance(change.entity, Agent):
            return None
        name = change.entity.name
        before = self.directory.agents.get(name)
        if isinstance(change, Put) and before is not None and _secrets(before) == _secrets(change.entity):
            return None
        return name

    def command(self, carry_out: Callable[[float], _T], now: float) -> _T:
        """Run a command against a part of the core, and work off what comes of it."""
        try:
            return carry_out(now)
        finally:
            self._pump(now)

    # --- time ---

    def handle_deadline(self, now: float) -> None:
        self.endpoint.handle_deadline(now)
        self.legs.handle_deadline(now)
        self.lookups.handle_deadline(now)
        self._pump(now)
        self.acd.handle_deadline(now)
        self.calls.handle_deadline(now)
        self.media.handle_deadline(now)
        self._order(self.orphans.handle_deadline(now))
        self._pump(now)

    def next_deadline(self) -> float | None:
        earliest: float | None = None
        for part in (self.endpoint, self.legs, self.acd, self.calls, self.lookups, self.media, self.orphans):
            deadline = part.next_deadline()
            if deadline is not None and (earliest is None or deadline < earliest):
                earliest = deadline
        return earliest

    # --- outputs ---

    def take_transmissions(self) -> Sequence[Transmission]:
        return self.endpoint.datagrams_to_send()

    def take_closes(self) -> Sequence[Flow]:
        return self.endpoint.connections_to_close()

    def take_lookups(self) -> Sequence[Lookup]:
        """What is to be looked up in DNS; `located` takes what came of each."""
        return self.lookups.take()

    def take_media_commands(self, plane: int = 0) -> Sequence[Command]:
        """What the media process of this number is to do."""
        return self.media.take(plane)

    def take_records(self) -> Sequence[Record]:
        return self.journal.take()

    def take_defects(self) -> Sequence[Exception]:
        """Errors of ours that the endpoint met and survived."""
        defects = tuple(self.endpoint.defects)
        if defects:
            self.endpoint.defects.clear()
        return defects

    # --- between the machines ---

    def _sip_event(self, event: SipEvent, now: float) -> None:
        if isinstance(event, LocateWanted):
            self.lookups.want(event)
        elif isinstance(event, AbandonedEnded):
            self._order(self.orphans.hung_up(event.dialog))
        else:
            self.legs.handle(event, now)

    def _leg_told(self, told: LegEvent | PresenceEvent, now: float) -> None:
        match told:
            case Reachable():
                self.acd.reachable(told, now)
            case Unreachable():
                self.acd.unreachable(told, now)
            case TextRelayed():
                self.calls.text_relayed(told, now)
            case TrunkUp() | TrunkDown() | TrunkRegistration():
                self.calls.trunk_event(told, now)
                if isinstance(told, TrunkRegistration) and told.left:
                    self.accounts.left(told.trunk)
            case MoveRefused() if self.media.moves.refused(told.leg, told.local.port, told.status, now):
                pass
            case Moved():
                self.media.moves.answered(told.leg, told.local.port, now)
                self.calls.leg_event(told, now)
            case _:
                self.calls.leg_event(told, now)

    def _pump(self, now: float) -> None:
        """Carry events and effects on until every machine is still."""
        for agent, call, engaged in self.orphans.take_engaged():
            (self.acd.agent_engaged if engaged else self.acd.agent_released)(agent, call, now)
        busy = True
        while busy:
            busy = False
            while (heard := self.endpoint.next_event()) is not None:
                self._sip_event(heard, now)
            for told in self.legs.take_events():
                busy = True
                self._leg_told(told, now)
            for effect in self.acd.take_effects():
                busy = True
                self.calls.queue_effect(effect, now)
            for event in self.media.take_events(now):
                busy = True
                self.calls.media_event(event, now)
            for leg, port in self.media.take_asked():
                busy = True
                self.calls.move_media(LegId(leg), port, now)
        self.legs.watch.tell(now)
        guard = self.endpoint.guard
        if guard is not None and guard.imposed:
            self._tell_bans(guard, now)

    def _tell_bans(self, guard: Guard, now: float) -> None:
        while guard.imposed:
            ban = guard.imposed.popleft()
            self.journal.append(
                SourceBanned(
                    address=ban.source,
                    user=ban.user or "",
                    reason=ban.reason,
                    seconds=round(ban.until - now),
                    times=ban.times,
                ),
                now=now,
            )


def _secrets(agent: Agent) -> tuple[str, str]:
    return agent.ha1_md5, agent.ha1_sha256


def _named(change: Change) -> tuple[str, str]:
    match change.entity:
        case Agent(name=name):
            return "agent", name
        case Queue(name=queue):
            return "queue", queue
        case Trunk(name=trunk):
            return "trunk", trunk
        case TrunkGroup(name=group):
            return "group", group
        case Member(queue=queue, agent=agent):
            return "member", f"{queue}/{agent}"
