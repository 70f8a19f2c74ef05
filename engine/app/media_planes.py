"""The media processes as one `engine.calls.ports.MediaPort`: which leg lives in which, and where the next one goes.

A new call goes to the process that is loaded least; the other legs of a call go where its first one lives, so that
their packets are passed on within one process. Commands are routed by their leg. Where two who live in different
processes are to hear each other, spans carry it (`media_spans`) until one of them is moved (`media_moves`). Whoever
loses a process loses only the legs that lived there, or has them put up in another.

With one process, and nothing to do about its loss, none of this is kept: a command goes straight through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.app.media_edges import Edges
from engine.app.media_load import AdmissionRules
from engine.app.media_moves import Moves
from engine.app.media_plane import MediaPlane, PlacedLeg
from engine.app.media_recordings import RecordingCommand, Recordings
from engine.app.media_rooms import Rooms
from engine.app.media_spans import Spans
from engine.media.commands import (
    CloseLeg,
    Command,
    Connect,
    Disconnect,
    Drain,
    JoinConference,
    LeaveConference,
    OpenLeg,
    Play,
    SetRemote,
    StopPlay,
)
from engine.media.events import (
    Latched,
    LegClosed,
    LegFailed,
    LegOpened,
    Legs,
    MediaEvent,
    PlaneStats,
    PlayFinished,
    Quality,
    Rebound,
    Spares,
    Welcome,
)

_STANDARD: Final = AdmissionRules()
_COUNTED: Final = (
    *("packets_received", "packets_sent", "octets_received", "lost", "strangers", "refused"),
    *("unauthentic", "discarded", "concealed_ms"),
)
"""Of a leg's quality, what adds up over the places where it lived."""


class MediaPlanes:
    """See the module. `planes` are numbered from 0, one for each media process that was configured."""

    def __init__(
        self,
        count: int = 1,
        rules: AdmissionRules = _STANDARD,
        *,
        address: str = "127.0.0.1",
        reestablish: bool = False,
    ) -> None:
        """`address` is where one process reaches the sockets of another; with `reestablish` the legs of a process that
        is lost are put up in another."""
        self.planes: Final = tuple(MediaPlane(index, rules) for index in range(count))
        self._reestablish = reestablish
        self._tracks = count > 1 or reestablish
        self._legs: dict[str, PlacedLeg] = {}
        self._spans = Spans(address, self._cannot_hear)
        self._edges = Edges(self._legs, self._spans)
        self.moves: Final = Moves(
            self._legs, self._edges, self._spans, choose=self._home_for, left=self._left, failed=self._cannot_live
        )
        self._recordings = Recordings(self._legs, self._spans)
        self.moves.recorded_at = self._recordings.places
        self._rooms = Rooms(address, apart=self._sits_apart, failed=self._cannot_hear)
        self.moves.seated_at = self._rooms.hub
        self._old: set[tuple[int, str]] = set()
        """Legs that are being closed where they do not live any more."""
        self._events: list[MediaEvent] = []
        self.load_changed: list[tuple[int, str]] = []
        """Processes that have become busy, and why, or are so no longer; drained by the core."""

    # --- MediaPort ---

    def ready(self) -> bool:
        return any(plane.takes_legs for plane in self.planes)

    def busy(self) -> str:
        for plane in self.planes:
            if plane.takes_legs and not plane.load.busy:
                return ""
        return "; ".join(f"media {plane.index}: {plane.load.busy}" for plane in self.planes if plane.load.busy)

    def open(self, command: OpenLeg, beside: str | None = None) -> None:
        plane = self._place(beside)
        if plane is None:
            return
        self._legs[command.leg] = PlacedLeg(command.leg, command.tag, plane, plane)
        plane.load.legs += 1
        plane.send(command)

    def send(self, command: Command) -> None:
        if isinstance(command, RecordingCommand):
            if (answer := self._recordings.obey(command)) is not None:
                self._events.append(answer)
            return
        leg = self._legs.get(getattr(command, "leg", "") or getattr(command, "sink", ""))
        if leg is None:
            return
        if self._tracks and self._noted(leg, command):
            return
        if not leg.homeless:
            leg.home.send(command)

    def _noted(self, leg: PlacedLeg, command: Command) -> bool:
        """Keep what is needed to put the leg up elsewhere; whether the command has been carried out by that."""
        match command:
            case Connect() if command.source in self._legs:
                self._edges.connect(command)
                return True
            case Disconnect():
                self._edges.disconnect(command)
                return True
            case SetRemote():
                self._agreed(leg, command)
                return True
            case Play():
                leg.playing = command
            case StopPlay(digit=""):
                leg.playing = None
            case JoinConference():
                self._rooms.sit(leg, command)
                return True
            case LeaveConference():
                chaired = self._rooms.chaired(leg)
                self._rooms.leave(leg)
                return chaired
            case CloseLeg():
                self._closing(leg)
            case _:
                pass
        return False

    def _agreed(self, leg: PlacedLeg, command: SetRemote) -> None:
        before, leg.remote = leg.remote, command
        if leg.arrives and before is not None:
            command = _resumed(before, command)
        if not leg.homeless:
            leg.home.send(command)
        self._spans.pointed(leg)
        self._rooms.agreed(leg)
        if leg.arrives and not leg.homeless:
            leg.arrives = False
            if leg.playing is not None:
                leg.home.send(leg.playing)
            self._rooms.arrived(leg)

    def _closing(self, leg: PlacedLeg) -> None:
        leg.closing = True
        self.moves.closing(leg)
        self._edges.remove(leg)
        self._rooms.leave(leg)
        if leg.homeless:
            self._forget(leg)
            self._events.append(LegFailed(leg=leg.name, command="CloseLeg", reason="its process was lost"))

    def _sits_apart(self, leg: PlacedLeg) -> None:
        self._edges.crossing[leg] = None

    def _place(self, beside: str | None) -> MediaPlane | None:
        """Where a leg is opened: where the other lives, else where least is done; None where nowhere."""
        if beside is not None and (other := self._legs.get(beside)) is not None and other.home.takes_legs:
            return other.home
        planes = [plane for plane in self.planes if plane.takes_legs]
        if len(planes) > 1:
            return min(planes, key=lambda plane: (bool(plane.load.busy), plane.load.score, plane.load.legs))
        return planes[0] if planes else None

    def _home_for(self, leg: PlacedLeg) -> MediaPlane | None:
        """Where a leg that must leave its process is put up: with those whom it talks with, or sits in a conference
        with."""
        for name in (*leg.sources, *leg.sinks, *self._rooms.members(leg)):
            partner = self._legs.get(name)
            if partner is not None and partner is not leg:
                place = self.moves.bound_for(partner) or (None if partner.homeless else partner.home)
                if place is not None and place.takes_legs:
                    return place
        return self._place(None)

    # --- what processes say ---

    def opened(self, index: int, welcome: Welcome) -> None:
        """A media process takes commands."""
        self.planes[index].outbox.opened(welcome)
        self.planes[index].draining = False

    def lost(self, index: int, now: float) -> list[str]:
        """It is gone; the legs that lived there, but for those that are put up elsewhere."""
        plane = self.planes[index]
        plane.outbox.closed()
        self._old = {(place, leg) for place, leg in self._old if place != index}
        lived_here = [leg for leg in self._legs.values() if leg.home is plane]
        broken = []
        if self._tracks:
            self.moves.plane_lost(plane)
            broken = self._spans.lost(plane)
            for leg in lived_here:
                self._edges.undrawn(leg)
        gone = []
        for leg in lived_here:
            if self._reestablish and leg.remote is not None and not leg.closing:
                self.moves.lost(leg, now)
            else:
                gone.append(leg.name)
                self._forget(leg)
        plane.load.gone()
        if self._tracks:
            self._rooms.lost(plane)
        self._events += self._recordings.lost(plane)
        self._edges.mend(broken)
        self._recordings.look_again()
        return gone

    def told(self, index: int, event: MediaEvent, now: float) -> MediaEvent | None:
        """Take note of what a process says; what of it is for others."""
        plane = self.planes[index]
        if isinstance(event, PlaneStats):
            if plane.load.told(event, now):
                self.load_changed.append((plane.index, plane.load.busy))
            self._let_go(plane)
            return None
        if isinstance(event, Spares):
            plane.outbox.spares(event)
            return None
        name = getattr(event, "leg", "")
        if not name:
            for info in event.recordings if isinstance(event, Legs) else ():
                self._recordings.found(plane, info)
            self._recordings.told(event)
            return event
        if self._spans.told(plane, event) or self._rooms.told(plane, event):
            self._let_go(plane)
            return None
        return self._about(plane, self._legs.get(name), name, event, now)

    def _about(
        self, plane: MediaPlane, leg: PlacedLeg | None, name: str, event: MediaEvent, now: float
    ) -> MediaEvent | None:
        """What a process says of a leg."""
        match event:
            case LegOpened(port=port):
                plane.outbox.port_given(port)
                return None if self.moves.opened(plane, name, port) else event
            case LegFailed(command="OpenLeg") if self.moves.not_opened(plane, name):
                return None
            case LegClosed() | LegFailed(command="CloseLeg") if (plane.index, name) in self._old:
                self._old.discard((plane.index, name))
                plane.load.legs -= 1
                if leg is not None and isinstance(event, LegClosed):
                    leg.earlier.append(event.quality)
                return None
            case LegClosed() if leg is not None and leg.home is plane:
                self._forget(leg)
                return replace(event, quality=_together(event.quality, leg.earlier)) if leg.earlier else event
            case LegFailed(command="OpenLeg" | "CloseLeg") if leg is not None and leg.home is plane:
                self._forget(leg)
            case Latched():
                self.moves.heard(plane, name)
            case PlayFinished() if leg is not None:
                if plane is not leg.home:
                    return None  # it goes on where the leg has moved to
                leg.playing = None
            case Rebound(port=port):
                plane.outbox.port_given(port)
            case _:
                pass
        return None if leg is not None and plane is not leg.home and plane is not leg.ears else event

    def _forget(self, leg: PlacedLeg) -> None:
        self._edges.remove(leg)
        self.moves.closing(leg)
        self._rooms.leave(leg)
        del self._legs[leg.name]
        if not leg.homeless:
            leg.home.load.legs -= 1
            self._let_go(leg.home)

    def _left(self, leg: PlacedLeg, plane: MediaPlane) -> None:
        self._old.add((plane.index, leg.name))

    def _cannot_hear(self, sink: str, reason: str) -> None:
        self._events.append(LegFailed(leg=sink, command="Connect", reason=f"between two media processes: {reason}"))

    def _cannot_live(self, leg: str, reason: str) -> None:
        self._events.append(LegFailed(leg=leg, command="SetRemote", reason=reason))

    # --- draining ---

    def drain(self, index: int, *, move: bool = False) -> None:
        """Give this process no more legs, and let it end when it has none; another comes in its place. With `move`,
        phones are asked to send to another process, those of a call to the same."""
        plane = self.planes[index]
        plane.draining = True
        if move:
            for leg in [leg for leg in self._legs.values() if leg.home is plane]:
                self.moves.evacuate(leg)
        self._let_go(plane)

    def _let_go(self, plane: MediaPlane) -> None:
        if plane.draining and plane.load.legs <= 0 and plane.outbox.ready():
            plane.send(Drain())

    # --- time ---

    def next_deadline(self) -> float | None:
        return self.moves.next_deadline() if self._tracks else None

    def handle_deadline(self, now: float) -> None:
        if self._tracks:
            self.moves.handle_deadline(now)

    # --- to the processes, and to calls ---

    def send_to(self, index: int, command: Command) -> None:
        """Command a process something that is about none of our legs."""
        self.planes[index].send(command)

    def take(self, index: int) -> Sequence[Command]:
        """Drain what one process is commanded."""
        return self.planes[index].outbox.take()

    def take_events(self, now: float) -> Sequence[MediaEvent]:
        """Drain what is known here, before or without a process saying it: ports of legs that were opened on spare
        pairs, and what cannot be done."""
        if not self._tracks and not self._events:
            return self.planes[0].outbox.take_opened()
        if self._edges.moved:
            self._edges.moved = False
            self._recordings.look_again()
        if self._edges.crossing:
            self.moves.note_crossings(now)
        events, self._events = self._events, []
        for plane in self.planes:
            events += plane.outbox.take_opened()
        return events

    def take_asked(self) -> Sequence[tuple[str, int]]:
        """Drain the legs whose peers are to be asked to send to another port."""
        asked = self.moves.asked
        if asked:
            self.moves.asked = []
        return asked


def _resumed(before: SetRemote, command: SetRemote) -> SetRemote:
    """What a leg's new place is told: whether the peer's key is that of the old one."""
    old, new = before.srtp, command.srtp
    if old is None or new is None or (old.suite, old.theirs) != (new.suite, new.theirs):
        return command
    return replace(command, srtp=replace(new, resumed=True))


def _together(last: Quality, earlier: Sequence[Quality]) -> Quality:
    """What was measured of a leg in all places where it lived."""
    everywhere = (last, *earlier)
    counted = {name: sum(getattr(each, name) for each in everywhere) for name in _COUNTED}
    worst = min((each.mos_worst for each in everywhere if each.mos_worst is not None), default=None)
    rated = [(each.mos_mean, each.packets_received) for each in everywhere if each.mos_mean is not None]
    packets = sum(weight for _, weight in rated)
    mean = round(sum(mos * weight for mos, weight in rated) / packets, 2) if packets else None
    ways = {way for each in everywhere for way in each.one_way.split()}
    return replace(last, mos_worst=worst, mos_mean=mean, one_way=" ".join(sorted(ways)), **counted)
