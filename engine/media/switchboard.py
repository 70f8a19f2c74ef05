"""The media plane's one owner of what is connected to what: which commands there are, and how each leg is served.

A command goes to the verb that is known for its type (`verbs_*.py`, one file a noun); a verb changes the matrix or a
leg, and `refresh` brings the way in which legs are served into line with that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.media.bundle import Fire
from engine.media.codecs import INDEX
from engine.media.commands import Codec, Command
from engine.media.events import LegFailed, MediaEvent, RecordingFailed
from engine.media.leg import Leg
from engine.media.matrix import Matrix, Route
from engine.media.quality import leave_row
from engine.media.refusal import CommandFailed
from engine.media.relay import Relay
from engine.media.step import Ended, Step
from engine.media.stock import Stock
from engine.media.table import Table
from engine.media.verbs_digits import DigitVerbs
from engine.media.verbs_hearing import HearingVerbs
from engine.media.verbs_legs import LegVerbs
from engine.media.verbs_playing import PlayVerbs
from engine.media.verbs_rebind import RebindVerbs
from engine.media.verbs_recording import RecordingVerbs
from engine.media.wire import Files, Tapes, Wire

Draw = Callable[[int], int]
"""A random number of so many bits."""

Verbs = dict[type[Any], Callable[[Any, float], None]]
"""What does a command, by its type: called with it and `now`. Raises CommandFailed."""


class Switchboard:
    """Every leg of the process."""

    def __init__(
        self, *, files: Files, tapes: Tapes, draw: Draw, cname: bytes, epoch: float, emit: Callable[[MediaEvent], None]
    ) -> None:
        """`epoch` plus monotonic time is the time that sender reports carry."""
        self.legs: dict[str, Leg] = {}
        self.table = Table()
        self.matrix = Matrix()
        self.step = Step(self.table, self.matrix, self._volley)
        self.relaying = 0
        """Legs to which packets are passed on."""
        self.draining = False
        self.ended = False
        """Shutdown was asked for; every leg is closed."""
        self.emit = emit
        self.wire: Wire
        """Set by who puts the parts together: sockets need the forwarder, which needs the table here."""
        self.stock: Stock
        """Set likewise."""
        self.sent_closed = 0
        self.received_closed = 0
        """Packets of legs that are closed."""
        self.digits = DigitVerbs(self)
        self._players = PlayVerbs(self, files)
        self.recording = RecordingVerbs(self, tapes)
        self._legs = LegVerbs(self, draw=draw, cname=cname, epoch=epoch)
        self._verbs: Verbs = {
            **self._legs.verbs(),
            **RebindVerbs(self, pair=self._legs.pair).verbs(),
            **HearingVerbs(self).verbs(),
            **self._players.verbs(),
            **self.digits.verbs(),
            **self.recording.verbs(),
        }

    def obey(self, command: Command, now: float) -> None:
        """Carry out one command; what cannot be done is answered by LegFailed."""
        try:
            self._verbs[type(command)](command, now)
        except CommandFailed as error:
            recording: str | None = getattr(command, "recording", None)
            if recording is not None:
                kind = type(command).__name__
                self.emit(RecordingFailed(recording=recording, command=kind, reason=str(error)))
                return
            name: str = getattr(command, "leg", "") or getattr(command, "sink", "")
            self.emit(LegFailed(leg=name, command=type(command).__name__, reason=str(error)))

    def leg(self, name: str) -> Leg:
        """The leg of this name. Raises CommandFailed."""
        leg = self.legs.get(name)
        if leg is None:
            raise CommandFailed(f"unknown leg {name!r}")
        return leg

    def _volley(self, descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
        return self.wire.volley(descriptors, packets)

    @property
    def patience(self) -> int:
        """How many times as long as packets that are passed on those may wait that come now: what waits for the next
        tick anyway, and what nobody hears."""
        if self.relaying:
            return 1
        return 2 if self.step.mixed or self.step.recorders else 8

    # --- ticks ---

    def tick(self, number: int, now: float) -> Iterator[None]:
        """Send everything that is due, in pieces between which packets may be received, but no command carried out."""
        self.digits.hold()
        ended = yield from self.step.pieces(number, now)
        self.tick_ended(ended)
        self.digits.let_go()

    # --- what happened meanwhile ---

    def tick_ended(self, ended: Ended) -> None:
        """Tell of players that came to their end and give legs back what they heard before."""
        for leg in ended.played:
            self._players.ended(leg)
        for leg in ended.beeped:
            self.recording.beeped(leg)
        for leg in (*ended.digits, *ended.parted):
            self.refresh(leg)
        for leg, toned in ended.toned:
            self.digits.toned(leg, toned)
        if self.step.recorders:
            self.recording.tick(self.table.tick)

    def check_player(self, leg: Leg) -> None:
        """See `PlayVerbs.check`."""
        self._players.check(leg)

    def key_pressed(self, leg: Leg, digit: str) -> None:
        """See `PlayVerbs.pressed`."""
        self._players.pressed(leg, digit)

    def greet(self, leg: Leg, now: float) -> None:
        """See `LegVerbs.greet`."""
        self._legs.greet(leg, now)

    # --- routes ---

    def refresh(self, sink: Leg) -> None:
        """Bring the way in which a leg is served into line with what it should hear now. Who draws or takes away an
        edge asks for the source's row besides (`fit_row`): all are looked at only where a mix begins or ends."""
        route, source = self.matrix.route(sink)
        before = sink.route
        if route is Route.MIX or sink.overheard:
            self.step.dirty = True
        if before is Route.MIX and not self._leaves_mix(sink, route):
            return
        if route is not before or (route is Route.RELAY and source is not sink.relayed_from):
            self.leave(sink)
            self._enter(sink, route, source, before)
        if (route is Route.MIX) is not (before is Route.MIX):
            for edge in self.matrix.edges(sink):
                self.fit_row(edge.source)

    def _leaves_mix(self, sink: Leg, route: Route) -> bool:
        """Whether a mixed leg is to be served in another way now. Where it could hear a click it waits for the end of
        the next tick, which fades its mix out."""
        if route is Route.MIX:
            self.step.stay(sink)
            return True
        fades = route in (Route.SILENT, Route.RELAY) and sink.tx.send is not None and sink.codec is not Codec.OPAQUE
        return not (fades and self.step.part(sink))

    def leave(self, sink: Leg) -> None:
        source = sink.relayed_from
        if source is not None:
            source.outlets_changed()
            source.relays = [relay for relay in source.relays if relay.tx is not sink.tx]
            sink.relayed_from = None
            self.relaying -= 1
        self.step.drop(sink)
        sink.tx.leave()
        sink.route = None

    def _enter(self, sink: Leg, route: Route, source: Leg | None, was: Route | None) -> None:
        sink.route = route
        sink.tx.restart = True
        if route is Route.RELAY and source is not None:
            sink.relayed_from = source
            self.relaying += 1
            source.outlets_changed()
            source.relays.append(Relay(sink.tx, sink.codec if was is Route.MIX else None))
        elif route is Route.PLAYER:
            self.step.play_alone(sink)
        elif route is Route.DIGITS:
            self.step.digits[sink] = None
        elif route is Route.MIX:
            self.step.mixed[sink] = None

    def fit_row(self, source: Leg) -> None:
        """Give a source a row in the table while a mix wants it, and take it back afterwards."""
        toned = source.keys_are_tones or (source.dtmf_type is None and source in self.digits.pressing)
        wanted = (
            source.listening
            and source.codec is not Codec.OPAQUE
            and (
                source.recorded > 0
                or toned
                or any(sink.route is Route.MIX or sink.overheard for sink in self.matrix.sinks(source))
            )
        )
        if wanted and source.row < 0:
            source.outlets_changed()
            source.row = self.table.add(INDEX[source.codec])
            self.step.begin(source)
        elif not wanted:
            self.drop_row(source)
        if source.row >= 0 and toned:
            self.step.dirty |= self.step.ears.listen(source)
        else:
            self._stop_listening(source)

    def _stop_listening(self, source: Leg) -> None:
        """Keys are not looked for in the leg's sound; what it holds down is let go."""
        if self.step.ears.forget(source):
            self.step.dirty = True
            self.digits.forget(source)

    def drop_row(self, source: Leg) -> None:
        if source.row >= 0:
            self._stop_listening(source)
            leave_row(source, self.table)
            self.step.release(source)
            source.outlets_changed()
            source.row = -1
            self.step.dirty = True
