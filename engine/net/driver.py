"""The one driver: feeds the pure core, drains it, transmits, and re-arms exactly one timer.

Everything that happens outside reaches the core through a method of `Driver`, one input at a time, with the time at
which it came; what the core wants done leaves in `_settle`. There is no other way in or out, so that the core can be
run in virtual time by anything that does the same.

A defect of ours that an input brings to light is told and survived: whatever else is going on must go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from engine.calls.journal import Record
from engine.clock import Clock
from engine.media.commands import Command
from engine.media.events import MediaEvent
from engine.net.reactor import Reactor, Timer
from engine.sip.flow import Flow, Transmission
from engine.sip.guard import Standing
from engine.sip.locating import Abilities, Located
from engine.sip.uri import SipUri

_NEVER: Final = float("inf")
_AFTER_DEFECT_S: Final = 0.05
"""Until the core is asked to go on with what a defect interrupted; a pause, in case that fails again."""
_T = TypeVar("_T")


class Core(Protocol):
    """What is driven: `engine.app.core.Core`."""

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> Standing: ...
    def stranger_took(self, seconds: float) -> None: ...
    def receive_stream(self, data: bytes, flow: Flow, now: float) -> None: ...
    def connection_opened(self, flow: Flow, now: float) -> None: ...
    def connection_lost(self, flow: Flow, now: float) -> None: ...
    def keeps(self, flow: Flow) -> bool: ...
    def alias_of(self, flow: Flow) -> Flow | None: ...
    def send_failed(self, flow: Flow, now: float) -> None: ...
    def media_event(self, event: MediaEvent, now: float, plane: int = 0) -> None: ...
    def media_lost(self, detail: str, now: float, plane: int = 0) -> None: ...
    def handle_deadline(self, now: float) -> None: ...
    def next_deadline(self) -> float | None: ...
    def take_transmissions(self) -> Sequence[Transmission]: ...
    def take_closes(self) -> Sequence[Flow]: ...
    def take_lookups(self) -> Sequence[Lookup]: ...
    def located(self, key: Any, found: Located, now: float) -> None: ...
    def take_media_commands(self, plane: int = 0) -> Sequence[Command]: ...
    def take_records(self) -> Sequence[Record]: ...
    def take_defects(self) -> Sequence[Exception]: ...


class Lookup(Protocol):
    """What is to be looked up: `engine.app.lookups.Lookup`."""

    @property
    def key(self) -> Any: ...
    @property
    def uri(self) -> SipUri: ...
    @property
    def abilities(self) -> Abilities: ...
    @property
    def refresh(self) -> bool: ...


class Locator(Protocol):
    """Who asks DNS: `engine.net.resolver.Resolver`."""

    def locate(
        self, uri: SipUri, abilities: Abilities, done: Callable[[Located], None], *, refresh: bool = False
    ) -> None: ...


class Transmitter(Protocol):
    """Where bytes leave: `engine.net.transports.Transports`."""

    def send(self, flow: Flow, data: bytes) -> bool: ...
    def close(self, flow: Flow) -> None: ...


class Driver:
    """Joins a core to the reactor's time, the transports, the media process and whoever keeps the records."""

    def __init__(
        self,
        core: Core,
        *,
        reactor: Reactor,
        clock: Clock,
        transmitter: Transmitter,
        locator: Locator,
        to_media: Callable[[Sequence[Command], int], None],
        on_records: Callable[[Sequence[Record]], None],
        on_defect: Callable[[Exception], None],
        planes: int = 1,
    ) -> None:
        """`to_media` carries commands to the media process of a number; there are so many `planes`."""
        self._core = core
        self._reactor = reactor
        self._clock = clock
        self._transmitter = transmitter
        self._locator = locator
        self._to_media = to_media
        self._planes = range(planes)
        self._on_records = on_records
        self._on_defect = on_defect
        self._timer: Timer | None = None
        self._armed_for = _NEVER
        self._not_before = -_NEVER
        """No ring earlier than this: a deadline that fails again and again must not keep the loop busy."""
        self._awaited: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # --- inputs ---

    def datagram(self, data: bytes, flow: Flow) -> bool:
        """Whether a trunk sent it."""
        # The most frequent input, in a flood by far, and then it must cost next to nothing.
        now = self._clock.monotonic()
        standing = Standing.TRUNK
        try:
            standing = self._core.receive_datagram(data, flow, now)
            if not standing:
                return False
        except Exception as defect:
            self._met(defect, now)
        self._settle(now)
        if standing is Standing.UNKNOWN:
            self._core.stranger_took(self._clock.monotonic() - now)
        return standing is Standing.TRUNK

    def stream(self, data: bytes, flow: Flow) -> None:
        self._feed(self._core.receive_stream, data, flow)

    def connection_opened(self, flow: Flow) -> None:
        self._feed(self._core.connection_opened, flow)

    def connection_lost(self, flow: Flow) -> None:
        self._feed(self._core.connection_lost, flow)

    def keeps(self, flow: Flow) -> bool:
        """Whether the connection is somebody's whom the core knows."""
        return self._core.keeps(flow)

    def alias_of(self, flow: Flow) -> Flow | None:
        """A connection that its peer offered for requests to there."""
        return self._core.alias_of(flow)

    def send_failed(self, flow: Flow) -> None:
        self._feed(self._core.send_failed, flow)

    def _located(self, key: Any, found: Located) -> None:
        self._feed(self._core.located, key, found)

    def media_events(self, events: Sequence[MediaEvent], plane: int = 0) -> None:
        now = self._clock.monotonic()
        for event in events:
            self._survive(now, self._core.media_event, event, now, plane)
        self._settle(now)

    def media_lost(self, detail: str, plane: int = 0) -> None:
        now = self._clock.monotonic()
        self._survive(now, self._core.media_lost, detail, now, plane)
        self._settle(now)

    def _feed(self, take: Callable[..., None], *what: object) -> None:
        now = self._clock.monotonic()
        self._survive(now, take, *what, now)
        self._settle(now)

    def _survive(self, now: float, act: Callable[..., None], *what: object) -> None:
        """Run, and if that fails tell it, and see to it that what waits behind the defect is worked off soon."""
        try:
            act(*what)
        except Exception as defect:
            self._met(defect, now)

    def _met(self, defect: Exception, now: float) -> None:
        self._on_defect(defect)
        self._not_before = now + _AFTER_DEFECT_S
        self._ring_by(self._not_before, now)

    def command(self, carry_out: Callable[[float], _T]) -> _T:
        """Run a command of a person (API, command line) against the core, and settle what comes of it."""
        now = self._clock.monotonic()
        try:
            return carry_out(now)
        finally:
            self._settle(now)

    def until(self, condition: Callable[[], bool]) -> asyncio.Future[None]:
        """Done as soon as the core is in the condition, which is looked at after every input."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if condition():
            future.set_result(None)
        else:
            self._awaited.append((condition, future))
        return future

    def stop(self) -> None:
        """Disarm the timer. Nothing is driven afterwards."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._armed_for = -_NEVER

    # --- outputs ---

    def _settle(self, now: float) -> None:
        core = self._core
        for flow, data in core.take_transmissions():
            if not self._transmitter.send(flow, data):
                self._reactor.callLater(0, self.send_failed, flow)
        for flow in core.take_closes():
            self._transmitter.close(flow)
        for plane in self._planes:
            if commands := core.take_media_commands(plane):
                self._to_media(commands, plane)
        if records := core.take_records():
            self._survive(now, self._on_records, records)
        for defect in core.take_defects():
            self._on_defect(defect)
        if self._awaited:
            self._tell_awaiting()
        for each in core.take_lookups():
            # What is known is answered at once: an input within this one, for which everything has been taken above.
            self._locator.locate(each.uri, each.abilities, partial(self._located, each.key), refresh=each.refresh)
        self._arm(now)

    def _tell_awaiting(self) -> None:
        for condition, future in self._awaited:
            if not future.done() and condition():
                future.set_result(None)
        self._awaited = [(condition, future) for condition, future in self._awaited if not future.done()]

    def _arm(self, now: float) -> None:
        """Let the timer ring no later than the next deadline. One that would ring too early is left: it finds nothing
        to do and arms again, which is cheaper than moving it with every datagram."""
        deadline = self._core.next_deadline()
        if deadline is not None:
            self._ring_by(deadline, now)

    def _ring_by(self, deadline: float, now: float) -> None:
        deadline = max(deadline, self._not_before)
        if deadline >= self._armed_for:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._armed_for = deadline
        self._timer = self._reactor.callLater(max(0.0, deadline - now), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._armed_for = _NEVER
        self._feed(self._core.handle_deadline)
