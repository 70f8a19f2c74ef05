"""Edges between two media processes: what a leg says in one is carried to where it is heard in the other.

A span is two legs of our own, one in each process, pointed at each other's ports over the loopback interface: the
mouth hears the leg whose voice is carried and sends it, the ear receives it and is heard in the other process in its
place. Both speak the codec of that leg, so that packets are passed on untouched, telephone-events too, also those that
we could not decode. One span serves all who hear the leg in that process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from engine.app.leg_tag import own_tag
from engine.app.media_plane import MediaPlane, PlacedLeg
from engine.media.commands import CloseLeg, Connect, Direction, OpenLeg, SetRemote
from engine.media.events import LegClosed, LegFailed, LegOpened, MediaEvent


@dataclass(slots=True, eq=False)
class Span:
    """One leg's voice in one other process."""

    source: PlacedLeg
    near: MediaPlane
    far: MediaPlane
    mouth: str
    ear: str
    ports: dict[str, int] = field(default_factory=dict)
    """Of mouth and ear, as far as they are known."""
    users: dict[str, None] = field(default_factory=dict)
    """Who hears it."""
    closed: bool = False


class Spans:
    """All of them. `address` is where a socket of ours reaches another."""

    def __init__(self, address: str, failed: Callable[[str, str], None]) -> None:
        """`failed` is told which sink cannot hear, and why."""
        self._address = address
        self._failed = failed
        self._numbers = 0
        self._spans: dict[tuple[str, int, int], Span] = {}
        self._ends: dict[str, Span] = {}
        """By the names of mouth and ear, until both are closed."""

    def __len__(self) -> int:
        return len(self._spans)

    def want(self, source: PlacedLeg, far: MediaPlane, sink: str) -> Span:
        """What stands for the leg in that process, for one more who is to hear it there."""
        key = (source.name, source.ears.index, far.index)
        span = self._spans.get(key)
        if span is None:
            span = self._spans[key] = self._open(source, far)
        span.users[sink] = None
        return span

    def of(self, ear: str) -> Span | None:
        """The span of this ear, or mouth."""
        return self._ends.get(ear)

    def leave(self, span: Span, sink: str) -> None:
        """It is not heard by this one any more; closed when by none."""
        span.users.pop(sink, None)
        if not span.users:
            self._close(span)

    def pointed(self, source: PlacedLeg) -> None:
        """What was agreed with the leg's peer is known, or changed: mouth and ear speak as he does."""
        for span in [span for span in self._spans.values() if span.source is source and span.near is source.ears]:
            self._point(span)

    def told(self, plane: MediaPlane, event: MediaEvent) -> bool:
        """Take what a process says of a mouth or an ear; whether it was about one."""
        name = getattr(event, "leg", "")
        span = self._ends.get(name)
        if span is None:
            return False
        match event:
            case LegOpened(port=port):
                plane.outbox.port_given(event.port)
                span.ports[name] = port
                self._point(span)
            case LegClosed():
                self._gone(name, plane)
            case LegFailed(command=command, reason=reason):
                if command in ("OpenLeg", "CloseLeg"):
                    self._gone(name, plane)
                if command != "CloseLeg":
                    self._fail(span, reason)
            case _:
                pass
        return True

    def lost(self, plane: MediaPlane) -> list[Span]:
        """A process is gone, and with it the spans to it and from it, which are closed."""
        broken = [span for span in self._spans.values() if plane in (span.near, span.far)]
        for span in broken:
            self._close(span)
        for name, span in [*self._ends.items()]:
            if (span.near if name == span.mouth else span.far) is plane:
                del self._ends[name]
        return broken

    def legs(self) -> Iterator[str]:
        """Names of all mouths and ears."""
        return iter(self._ends)

    # --- inside ---

    def _open(self, source: PlacedLeg, far: MediaPlane) -> Span:
        self._numbers += 1
        mouth, ear = (f"{source.name}~{self._numbers}{end}" for end in ("m", "e"))
        span = Span(source, source.ears, far, mouth, ear)
        tag = own_tag(source.tag, source.name)
        for plane, name in ((span.near, mouth), (far, ear)):
            self._ends[name] = span
            plane.load.legs += 1
            if (port := plane.outbox.open(OpenLeg(leg=name, tag=tag))) is not None:
                span.ports[name] = port
        self._point(span)
        return span

    def _point(self, span: Span) -> None:
        """Let mouth and ear talk to each other, as soon as both have their ports and the codec is known."""
        remote = span.source.remote
        mouth, ear = span.ports.get(span.mouth), span.ports.get(span.ear)
        if mouth is None or ear is None or remote is None or span.closed:
            return
        span.near.send(over_loopback(remote, span.mouth, self._address, ear, Direction.SENDONLY))
        span.near.send(Connect(source=span.source.name, sink=span.mouth))
        span.far.send(over_loopback(remote, span.ear, self._address, mouth, Direction.RECVONLY))

    def _close(self, span: Span) -> None:
        if span.closed:
            return
        span.closed = True
        self._spans.pop((span.source.name, span.near.index, span.far.index), None)
        for plane, name in ((span.near, span.mouth), (span.far, span.ear)):
            if name in self._ends:
                plane.send(CloseLeg(leg=name))

    def _gone(self, name: str, plane: MediaPlane) -> None:
        del self._ends[name]
        plane.load.legs -= 1

    def _fail(self, span: Span, reason: str) -> None:
        users = [*span.users]
        span.users.clear()
        self._close(span)
        for sink in users:
            self._failed(sink, reason)


def over_loopback(remote: SetRemote, leg: str, address: str, port: int, direction: Direction) -> SetRemote:
    """What a leg of our own is told that speaks to another of ours as the peer that `remote` is about does."""
    return replace(
        remote,
        leg=leg,
        address=address,
        port=port,
        flow_address=address,
        direction=direction,
        rtcp_port=None,
        srtp=None,
        heard_as=None,
        dtmf_heard_as=None,
        dialog="",
    )
