"""Stream connections as the stack sees them: what was read of each, how long a message may take, whose they are.

A message that has begun must be complete within 64 * T1, in which every transaction is over (RFC 3261 17.1.1.2), or the
connection is closed: a peer that sends one byte a minute would hold it, and what was read, for ever. All connections
together may hold so many bytes of unfinished messages, lest a thousand strangers each begin a large one.

A peer may offer its own connection for requests to the address that it names in Via (`alias`, RFC 5923 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.sip.flow import Address, Flow, Transmission, Transport
from engine.sip.keep_alive import KeepAlives
from engine.sip.limits import MAX_UNFINISHED_BYTES
from engine.sip.message import Request, Response
from engine.sip.parser import BrokenStream, Framed, KeepAlive, ParseError, StreamFramer
from engine.sip.stack import Stack
from engine.sip.timers import Timer

_PONG: Final = b"\r\n"
_TLS_PORT: Final = 5061
_PORT: Final = 5060
_Way = tuple[Transport, Address]


Incoming = Request | Response | ParseError
LostFlow = Callable[[Flow, float], None]
IsHeard = Callable[[Flow, float], bool]


class _Open:
    """One connection."""

    __slots__ = ("_streams", "alias", "flow", "framer", "held", "timer")

    def __init__(self, streams: Streams, flow: Flow) -> None:
        self._streams = streams
        self.flow = flow
        self.framer = StreamFramer()
        self.held = 0
        """Bytes of a message that is not complete."""
        self.timer: Timer | None = None
        """Rings when it must be."""
        self.alias: _Way | None = None

    def timer_rang(self, what: str, now: float) -> None:
        self.timer = None
        self._streams.give_up(self.flow, now)


class Streams:
    """All connections that stand."""

    __slots__ = ("_aliases", "_held", "_is_heard", "_lost", "_open", "_stack", "closing", "keep_alives")

    def __init__(self, stack: Stack, lost: LostFlow, is_heard: IsHeard) -> None:
        """`lost` is called for a connection that is given up here, `is_heard` for every keep-alive: whether one more is
        taken there, so that nobody floods us with what is no message."""
        self._stack = stack
        self._is_heard = is_heard
        self.keep_alives = KeepAlives(stack, self.give_up)
        self._lost = lost
        self._open: dict[Flow, _Open] = {}
        self._aliases: dict[_Way, Flow] = {}
        self._held = 0
        self.closing: list[Flow] = []
        """Connections that are to be closed."""

    def opened(self, flow: Flow, now: float) -> None:
        """A connection stands. One that we opened was wanted for a transaction."""
        self._open[flow] = _Open(self, flow)
        outbox = self._stack.outbox
        outbox.streams.add(flow)
        if flow._replace(connection=0) in outbox.used:
            self.keep_alives.opened(flow, now)

    def closed(self, flow: Flow) -> bool:
        """Forget it; False where it was forgotten before."""
        found = self._open.pop(flow, None)
        if found is None:
            return False
        self._stack.outbox.streams.discard(flow)
        self._stack.heap.cancel(found.timer)
        self.keep_alives.release(flow)
        self._held -= found.held
        if found.alias is not None and self._aliases.get(found.alias) == flow:
            del self._aliases[found.alias]
        return True

    def give_up(self, flow: Flow, now: float) -> None:
        """Close a connection."""
        if flow in self._open:
            self.closing.append(flow)
            self._lost(flow, now)

    def feed(self, flow: Flow, data: bytes, now: float) -> list[Incoming]:
        """The messages that are complete now; pings are answered. A BrokenStream is the last item."""
        found = self._open.get(flow)
        if found is None:
            return []
        try:
            items = found.framer.feed(data)
        except BrokenStream as error:
            # Without its traceback: that holds our caller's frame, which is about to hold the error.
            return [*self._without_pings(flow, error.items, now), error.with_traceback(None)]
        self._watch(found, now, complete=bool(items))
        return self._without_pings(flow, items, now)

    def _without_pings(self, flow: Flow, items: Sequence[Framed], now: float) -> list[Incoming]:
        messages: list[Incoming] = []
        for item in items:
            if isinstance(item, KeepAlive):
                if not self._is_heard(flow, now):
                    continue
                # Two pongs with nothing between them look like a ping; a pong that nobody asked for harms nobody.
                self.keep_alives.ponged(flow, now)
                if item.ping:
                    self._stack.outbox.transmissions.append(Transmission(flow, _PONG))
            else:
                messages.append(item)
        return messages

    def _watch(self, found: _Open, now: float, *, complete: bool) -> None:
        """See to it that what has begun ends."""
        held = found.framer.held
        if held == 0 and found.held == 0:
            return
        self._held += held - found.held
        found.held = held
        heap = self._stack.heap
        if complete:
            heap.cancel(found.timer)
            found.timer = None
        if held and found.timer is None:
            found.timer = heap.start_late(now + self._stack.config.timers.transaction, found, "unfinished")
        if held and self._held > MAX_UNFINISHED_BYTES:
            self.give_up(found.flow, now)

    # --- connections that peers offer ---

    def note_alias(self, request: Request, flow: Flow) -> None:
        """Remember the offer that a request makes, if it makes one: the address that it came from, with the port that
        its Via names, is reached by this connection (RFC 5923 8)."""
        if "alias" not in request.headers.first["Via"]:
            return
        found = self._open.get(flow)
        via = request.via
        if found is None or "alias" not in via.params:
            return
        port = via.port or (_TLS_PORT if flow.transport is Transport.TLS else _PORT)
        way = flow.transport, Address(flow.remote.host, port)
        if found.alias is not None and found.alias != way:
            self._aliases.pop(found.alias, None)
        found.alias = way
        self._aliases[way] = flow

    def alias_of(self, flow: Flow) -> Flow | None:
        """The connection that was offered for what goes to the flow's remote."""
        return self._aliases.get((flow.transport, flow.remote))
