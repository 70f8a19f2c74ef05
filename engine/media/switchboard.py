"""Commands in, changes to legs and events out: the media plane's one owner of what is connected to what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.errors import Unavailable
from engine.media.codecs import FRAME, INDEX, SILENCE
from engine.media.commands import (
    CloseLeg,
    Command,
    Connect,
    Disconnect,
    Drain,
    DtmfDigit,
    LegClosed,
    LegFailed,
    LegInfo,
    LegOpened,
    Legs,
    ListLegs,
    MediaEvent,
    OpenLeg,
    Play,
    PlayFinished,
    SendDtmf,
    SetRemote,
    Shutdown,
    StopPlay,
)
from engine.media.dtmf import Digit
from engine.media.latch import keeps_latch, sendable
from engine.media.leg import LISTENS, Leg
from engine.media.matrix import Matrix, Route
from engine.media.prompts import Clip, Player
from engine.media.quality import quality
from engine.media.relay import Relay
from engine.media.rtcp import RtcpSession
from engine.media.step import Ended, Step
from engine.media.stock import Stock
from engine.media.table import Table
from engine.media.tones import render
from engine.media.transmission import Transmission
from engine.media.wav import SoundError
from engine.media.wire import Files, Wire

Draw = Callable[[int], int]
"""A random number of so many bits."""

_QUIET: Final = {codec: bytes([SILENCE[index]]) * FRAME for codec, index in INDEX.items()}

MAX_GAIN_DB: Final = 40.0

MAX_PASSED_ON: Final = 10
"""Keys of a peer that wait to be sent anew. Sound waits for them too, so a peer that floods us with keys must not
silence the other side for longer than 1.6 s."""


class CommandFailed(Exception):
    """Becomes LegFailed; the message is its reason."""


class Switchboard:
    """Every leg of the process, and the commands that change them."""

    def __init__(
        self, *, files: Files, draw: Draw, cname: bytes, epoch: float, emit: Callable[[MediaEvent], None]
    ) -> None:
        """`epoch` plus monotonic time is the time that sender reports carry."""
        self.legs: dict[str, Leg] = {}
        self.table = Table()
        self.matrix = Matrix()
        self.step = Step(self.table, self.matrix)
        self.pressing: dict[Leg, None] = {}
        """Legs whose peer is in the middle of a digit."""
        self.draining = False
        self.ended = False
        """Shutdown was asked for; every leg is closed."""
        self._files = files
        self._draw = draw
        self._cname = cname
        self._epoch = epoch
        self._emit = emit
        self._tones: dict[str, Clip] = {}
        self.wire: Wire
        """Set by who puts the parts together: sockets need the forwarder, which needs the table here."""
        self.stock: Stock
        """Set likewise."""
        self.sent_closed = 0
        self.received_closed = 0
        """Packets of legs that are closed."""
        self._verbs: dict[type[Any], Callable[[Any, float], None]] = {
            OpenLeg: self._open,
            SetRemote: self._set_remote,
            Connect: self._connect,
            Disconnect: self._disconnect,
            Play: self._play,
            StopPlay: self._stop_play,
            SendDtmf: self._send_dtmf,
            CloseLeg: self._close,
            ListLegs: self._list,
            Drain: self._drain,
            Shutdown: self._shutdown,
        }

    def obey(self, command: Command, now: float) -> None:
        """Carry out one command; what cannot be done is answered by LegFailed."""
        try:
            self._verbs[type(command)](command, now)
        except CommandFailed as error:
            name: str = getattr(command, "leg", "") or getattr(command, "sink", "")
            self._emit(LegFailed(leg=name, command=type(command).__name__, reason=str(error)))

    def _leg(self, name: str) -> Leg:
        leg = self.legs.get(name)
        if leg is None:
            raise CommandFailed(f"unknown leg {name!r}")
        return leg

    # --- one verb a command ---

    def _open(self, command: OpenLeg, now: float) -> None:
        if command.leg in self.legs:
            raise CommandFailed(f"leg {command.leg!r} is open already")
        if self.draining:
            raise CommandFailed("the media process is draining and opens no more legs")
        port = self._pair(command.port)
        draw = self._draw
        tx = Transmission(ssrc=draw(32), seq=draw(15), stamp=draw(32))
        leg = Leg(name=command.leg, tag=command.tag, port=port, tx=tx, rtcp=RtcpSession(self._cname), opened_at=now)
        self.legs[leg.name] = leg
        self.wire.attach(leg)
        if command.port is None:
            self._emit(LegOpened(leg=leg.name, port=port))

    def _pair(self, wanted: int | None) -> int:
        """The bound pair that was asked for, or a new one."""
        if wanted is not None:
            if not self.stock.take(wanted):
                raise CommandFailed(f"port {wanted} is none of the spare ones")
            return wanted
        try:
            return self.wire.open()
        except Unavailable as error:
            last = self.stock.give()
            if last is None:
                raise CommandFailed(str(error)) from error
            return last

    def _set_remote(self, command: SetRemote, now: float) -> None:
        leg = self._leg(command.leg)
        numbers = (command.payload_type, command.dtmf_payload_type)
        if any(number is not None and not 0 <= number <= 127 for number in numbers) or numbers[0] == numbers[1]:
            raise CommandFailed(f"payload types {numbers} must differ and lie in 0..127")
        changed = leg.remote is None or leg.codec is not command.codec
        if command.direction in LISTENS and (leg.remote is None or command.direction is not leg.remote.direction):
            # Begun, held or resumed: silence counts from here, and will be told again.
            leg.rx.heard_at = now
            leg.silence = None
        leg.remote = command
        leg.listening = command.direction in LISTENS
        leg.codec = command.codec
        leg.payload_type = leg.tx.payload_type = command.payload_type
        leg.dtmf_type = leg.tx.dtmf_type = command.dtmf_payload_type
        leg.outlets_changed()
        if changed:
            self._drop_row(leg)
        try:
            if leg.latched is not None and not keeps_latch(leg.anchor, command):
                leg.latched = None
                self.wire.unlatch(leg)
            self.wire.aim(leg)
        except Unavailable as error:
            raise CommandFailed(str(error)) from error
        finally:
            if sendable(command.address, command.port):
                leg.anchor = command
            self.refresh(leg)
            for sink in self.matrix.sinks(leg):
                self.refresh(sink)
            self._fit_row(leg)
        self.greet(leg, now)

    def greet(self, leg: Leg, now: float) -> None:
        """Send a frame of silence to a peer that has not spoken and for which there is no sound: it opens the way
        through a NAT of ours, and shows a peer that latches itself where we are (RFC 4961)."""
        if leg.latched is None and leg.route is Route.SILENT:
            leg.tx.restart = True
            leg.tx.frame(_QUIET[leg.codec], now)

    def _connect(self, command: Connect, now: float) -> None:
        source, sink = self._leg(command.source), self._leg(command.sink)
        if command.gain_db > MAX_GAIN_DB:
            raise CommandFailed(f"gain_db {command.gain_db} is more than {MAX_GAIN_DB}")
        self.matrix.connect(source, sink, command.gain_db)
        self.refresh(sink)

    def _disconnect(self, command: Disconnect, now: float) -> None:
        source, sink = self.legs.get(command.source), self.legs.get(command.sink)
        if source is not None and sink is not None:
            self.matrix.disconnect(source, sink)
            self.refresh(sink)
            self._fit_row(source)

    def _play(self, command: Play, now: float) -> None:
        leg = self._leg(command.leg)
        if (command.file is None) == (command.tone is None):
            raise CommandFailed("exactly one of file and tone must be given")
        if command.gain_db > MAX_GAIN_DB:
            raise CommandFailed(f"gain_db {command.gain_db} is more than {MAX_GAIN_DB}")
        if command.tone is not None:
            clip = self._tones.get(command.tone)
            if clip is None:
                clip = self._tones[command.tone] = Clip(render(command.tone))
            self._start(leg, command, clip)
        elif command.file is not None:
            leg.pending = command
            self._files.load(command.file, lambda result: self._loaded(leg, command, result))

    def _loaded(self, leg: Leg, command: Play, result: Clip | SoundError) -> None:
        if leg.pending is not command:
            return  # stopped, replaced or closed while the file was being read
        leg.pending = None
        if isinstance(result, SoundError):
            self._emit(LegFailed(leg=leg.name, command="Play", reason=f"{command.file}: {result}"))
        else:
            self._start(leg, command, result)

    def _start(self, leg: Leg, command: Play, clip: Clip) -> None:
        leg.pending = None
        leg.player = Player(name=command.player, clip=clip, loop=command.loop, gain_db=command.gain_db)
        self.refresh(leg)

    def _stop_play(self, command: StopPlay, now: float) -> None:
        leg = self._leg(command.leg)
        leg.pending = None
        leg.player = None
        self.refresh(leg)

    def _send_dtmf(self, command: SendDtmf, now: float) -> None:
        leg = self._leg(command.leg)
        if leg.tx.send is None:
            raise CommandFailed("nothing may be sent on this leg now")
        if leg.dtmf_type is None:
            raise CommandFailed("the peer has no telephone-event")
        try:
            leg.digits_out.add(command.digits)
        except ValueError as error:
            raise CommandFailed(f"digits {command.digits!r} are not all DTMF digits") from error
        self.refresh(leg)

    def _close(self, command: CloseLeg, now: float) -> None:
        leg = self._leg(command.leg)
        sinks = self.matrix.sinks(leg)
        sources = [edge.source for edge in self.matrix.edges(leg)]
        del self.legs[leg.name]
        self.matrix.remove(leg)
        self.pressing.pop(leg, None)
        leg.pending = None
        leg.settle()
        self._leave(leg)
        self.wire.report(leg, leg.rtcp.compound(leg.tx, leg.rx, now, now + self._epoch, bye=True))
        self.wire.close(leg)
        leg.tx.send = None
        for sink in sinks:
            if sink is not leg:
                self.refresh(sink)
        for source in sources:
            self._fit_row(source)
        self._drop_row(leg)
        figures = quality(leg)
        self.sent_closed += figures.packets_sent
        self.received_closed += figures.packets_received
        self._emit(LegClosed(leg=leg.name, quality=figures))
        leg.dismantle()

    def _list(self, command: ListLegs, now: float) -> None:
        """Who asks is new here: what it should know of silent legs is told again."""
        for leg in self.legs.values():
            leg.silence = None
        self._emit(Legs(legs=tuple(LegInfo(leg=leg.name, tag=leg.tag, port=leg.port) for leg in self.legs.values())))

    def _drain(self, command: Drain, now: float) -> None:
        self.draining = True

    def _shutdown(self, command: Shutdown, now: float) -> None:
        for name in list(self.legs):
            self._close(CloseLeg(leg=name), now)
        self.ended = True

    # --- what happened meanwhile ---

    def tick_ended(self, ended: Ended) -> None:
        """Tell of players that came to their end and give legs back what they heard before."""
        for leg in ended.played:
            if leg.player is not None:
                self._emit(PlayFinished(leg=leg.name, player=leg.player.name))
                leg.player = None
            self.refresh(leg)
        for leg in ended.digits:
            self.refresh(leg)

    def pressed(self, leg: Leg) -> None:
        """Tell of the digits that were found on a leg, and send them anew to who hears it but not by pass-through,
        where the events themselves were forwarded."""
        if leg.digits_in.pending:
            self.pressing[leg] = None
        else:
            self.pressing.pop(leg, None)
        while leg.digits_in.found:
            digit: Digit = leg.digits_in.found.popleft()
            self._emit(DtmfDigit(leg=leg.name, digit=digit.digit, duration_ms=digit.duration_ms))
            for sink in self.matrix.sinks(leg):
                if sink is not leg and sink.relayed_from is not leg and sink.dtmf_type is not None and sink.tx.send:
                    self._pass_on(digit.digit, sink)

    def _pass_on(self, digit: str, sink: Leg) -> None:
        if sink.digits_out.waiting < MAX_PASSED_ON:
            sink.digits_out.add(digit)
            self.refresh(sink)

    # --- routes ---

    def refresh(self, sink: Leg) -> None:
        """Bring the way in which a leg is served into line with what it should hear now."""
        route, source = self.matrix.route(sink)
        if route is Route.MIX:
            self.step.dirty = True
        if route is not sink.route or (route is Route.RELAY and source is not sink.relayed_from):
            self._leave(sink)
            self._enter(sink, route, source)
        for edge in self.matrix.edges(sink):
            self._fit_row(edge.source)

    def _leave(self, sink: Leg) -> None:
        source = sink.relayed_from
        if source is not None:
            source.outlets_changed()
            source.relays = [relay for relay in source.relays if relay.tx is not sink.tx]
            sink.relayed_from = None
        self.step.players.pop(sink, None)
        self.step.digits.pop(sink, None)
        if self.step.mixed.pop(sink, sink) is None:
            self.step.dirty = True
        sink.route = None

    def _enter(self, sink: Leg, route: Route, source: Leg | None) -> None:
        sink.route = route
        sink.tx.restart = True
        if route is Route.RELAY and source is not None:
            sink.relayed_from = source
            source.outlets_changed()
            source.relays.append(Relay(sink.tx))
        elif route is Route.PLAYER:
            self.step.players[sink] = None
        elif route is Route.DIGITS:
            self.step.digits[sink] = None
        elif route is Route.MIX:
            self.step.mixed[sink] = None

    def _fit_row(self, source: Leg) -> None:
        """Give a source a row in the table while a mix wants it, and take it back afterwards."""
        wanted = source.listening and any(sink.route is Route.MIX for sink in self.matrix.sinks(source))
        if wanted and source.row < 0:
            source.outlets_changed()
            source.row = self.table.add(INDEX[source.codec])
            self.step.dirty = True
        elif not wanted:
            self._drop_row(source)

    def _drop_row(self, source: Leg) -> None:
        if source.row >= 0:
            self.table.remove(source.row)
            source.outlets_changed()
            source.row = -1
            self.step.dirty = True
