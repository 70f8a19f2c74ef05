"""Conferences, across media processes: in which of them each is, and who sits there by proxy.

A conference is mixed in one process, its hub: that of its first member, and once nobody lives there any more that of
another. Whoever lives elsewhere sits there at once by a chair:
two legs of our own, pointed at each other over the loopback interface. The chair sits in the conference, the door is
joined with the member at home, so that each of the two hears what the other is sent. A moment later the member is asked
to send to the conference's process (`media_moves`); when he arrives he sits down himself and the chair is taken away.
Where he refuses he keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from engine.app.leg_tag import own_tag
from engine.app.media_plane import MediaPlane, PlacedLeg
from engine.app.media_spans import over_loopback
from engine.media.commands import CloseLeg, Codec, Connect, Direction, JoinConference, LeaveConference, OpenLeg
from engine.media.events import LegClosed, LegFailed, LegOpened, MediaEvent


@dataclass(slots=True, eq=False)
class Room:
    """One conference."""

    hub: MediaPlane
    members: dict[str, PlacedLeg] = field(default_factory=dict)

    def settle(self) -> bool:
        """Whether there is another hub now."""
        homes = [member.home for member in self.members.values() if not member.homeless]
        if not homes or self.hub in homes:
            return False
        self.hub = homes[0]
        return True


@dataclass(slots=True, eq=False)
class Chair:
    """One member's place in a conference of another process."""

    member: PlacedLeg
    home: MediaPlane
    hub: MediaPlane
    door: str
    seat: str
    ports: dict[str, int] = field(default_factory=dict)
    """Of door and seat, as far as they are known."""
    pointed: bool = False
    """They talk to each other."""
    closed: bool = False

    def ends(self) -> tuple[tuple[MediaPlane, str], ...]:
        return (self.home, self.door), (self.hub, self.seat)


class Rooms:
    """See the module. `address` is where a socket of ours reaches another."""

    def __init__(
        self,
        address: str,
        *,
        apart: Callable[[PlacedLeg], None],
        failed: Callable[[str, str], None],
    ) -> None:
        """`apart` is told who sits by a chair, `failed` who cannot, and why."""
        self._address = address
        self._apart = apart
        self._failed = failed
        self._numbers = 0
        self._rooms: dict[str, Room] = {}
        self._chairs: dict[str, Chair] = {}
        """By the member's name."""
        self._seated: dict[str, MediaPlane] = {}
        """Where members sit themselves."""
        self._ends: dict[str, Chair] = {}
        """By the names of door and seat, until both are closed."""

    # --- members ---

    def sit(self, leg: PlacedLeg, command: JoinConference) -> None:
        """Let him sit in this conference, or be heard there in another way."""
        if leg.seat is not None and leg.seat.conference != command.conference:
            self.leave(leg)
        leg.seat = command
        room = self._rooms.setdefault(command.conference, Room(leg.home))
        room.members[leg.name] = leg
        self._place(leg, room)

    def leave(self, leg: PlacedLeg) -> None:
        """He sits in none any more; his process knows it, or is told by others."""
        if leg.seat is None:
            return
        room = self._rooms[leg.seat.conference]
        del room.members[leg.name]
        self._take_away(leg.name)
        self._seated.pop(leg.name, None)
        if not room.members:
            del self._rooms[leg.seat.conference]
        leg.seat = None
        self._settle(room)

    def members(self, leg: PlacedLeg) -> Iterable[str]:
        """Who sits where he sits, he among them."""
        return () if leg.seat is None else self._rooms[leg.seat.conference].members

    def hub(self, leg: PlacedLeg) -> MediaPlane | None:
        """The process in which his conference is; None for who sits in none."""
        return None if leg.seat is None else self._rooms[leg.seat.conference].hub

    def arrived(self, leg: PlacedLeg) -> None:
        """He lives in another process now, and that has been told with whom he speaks."""
        if leg.seat is None:
            return
        room = self._rooms[leg.seat.conference]
        if not self._settle(room):
            self._place(leg, room)

    def agreed(self, leg: PlacedLeg) -> None:
        """What was agreed with his peer is known, or changed: his chair speaks as he does."""
        if (chair := self._chairs.get(leg.name)) is not None:
            self._point(chair)

    def chaired(self, leg: PlacedLeg) -> bool:
        """Whether he sits by a chair."""
        return leg.name in self._chairs

    # --- processes ---

    def told(self, plane: MediaPlane, event: MediaEvent) -> bool:
        """Take what a process says of a door or a chair; whether it was about one."""
        name = getattr(event, "leg", "")
        chair = self._ends.get(name)
        if chair is None:
            return False
        match event:
            case LegOpened(port=port):
                plane.outbox.port_given(port)
                chair.ports[name] = port
                self._point(chair)
            case LegClosed():
                self._gone(name, plane)
            case LegFailed(command=command, reason=reason):
                if command in ("OpenLeg", "CloseLeg"):
                    self._gone(name, plane)
                if not chair.closed:
                    self._take_away(chair.member.name)
                    self._failed(chair.member.name, reason)
            case _:
                pass
        return True

    def lost(self, plane: MediaPlane) -> None:
        """A process is gone, and with it the chairs there, and those of who lived there."""
        for chair in [chair for chair in self._chairs.values() if plane in (chair.home, chair.hub)]:
            self._take_away(chair.member.name)
        for name, chair in [*self._ends.items()]:
            if (plane, name) in chair.ends():
                del self._ends[name]
        self._seated = {name: place for name, place in self._seated.items() if place is not plane}
        for room in self._rooms.values():
            self._settle(room)

    # --- inside ---

    def _settle(self, room: Room) -> bool:
        """Whether the conference is in another process now, where nobody lived any more where it was."""
        if not room.settle():
            return False
        for member in room.members.values():
            self._place(member, room)
        return True

    def _place(self, leg: PlacedLeg, room: Room) -> None:
        """Have him sit where his conference is; who is on his way does when he arrives."""
        if leg.seat is None or leg.homeless or leg.arrives:
            return
        hub, chair = room.hub, self._chairs.get(leg.name)
        if chair is not None and (chair.hub is not hub or chair.home is not leg.home):
            self._take_away(leg.name)
            chair = None
        before = self._seated.get(leg.name)
        if before is not None and (before is not hub or hub is not leg.home):
            del self._seated[leg.name]
            before.send(LeaveConference(leg=leg.name))
        if hub is leg.home:
            self._seated[leg.name] = hub
            hub.send(leg.seat)
        elif chair is not None:
            if chair.pointed:
                hub.send(replace(leg.seat, leg=chair.seat))
        else:
            self._open(leg, hub)
            self._apart(leg)

    def _open(self, leg: PlacedLeg, hub: MediaPlane) -> None:
        self._numbers += 1
        door, seat = (f"{leg.name}~{self._numbers}{end}" for end in ("door", "chair"))
        chair = self._chairs[leg.name] = Chair(leg, leg.home, hub, door, seat)
        for plane, name in chair.ends():
            self._ends[name] = chair
            plane.load.legs += 1
            if (port := plane.outbox.open(OpenLeg(leg=name, tag=own_tag(leg.tag, leg.name)))) is not None:
                chair.ports[name] = port
        self._point(chair)

    def _point(self, chair: Chair) -> None:
        """Let door and chair talk to each other, as soon as both have their ports and it is known how."""
        member = chair.member
        door, seat, remote = chair.ports.get(chair.door), chair.ports.get(chair.seat), member.remote
        if door is None or seat is None or remote is None or remote.codec is Codec.OPAQUE or member.seat is None:
            return
        chair.pointed = True
        for (plane, name), port in zip(chair.ends(), (seat, door), strict=True):
            plane.send(over_loopback(remote, name, self._address, port, Direction.SENDRECV))
        chair.home.send(Connect(source=member.name, sink=chair.door))
        chair.home.send(Connect(source=chair.door, sink=member.name))
        chair.hub.send(replace(member.seat, leg=chair.seat))

    def _take_away(self, member: str) -> None:
        chair = self._chairs.pop(member, None)
        if chair is None:
            return
        chair.closed = True
        for plane, name in chair.ends():
            if name in self._ends:
                plane.send(CloseLeg(leg=name))

    def _gone(self, name: str, plane: MediaPlane) -> None:
        del self._ends[name]
        plane.load.legs -= 1
