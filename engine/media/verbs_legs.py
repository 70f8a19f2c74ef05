"""Opening, pointing and closing legs: the commands about a leg as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from engine.errors import Unavailable
from engine.media.agreed import check_agreed, dtmf_clock, dtmf_heard_as, heard_as
from engine.media.codecs import FORMS, INDEX, SILENCE, WIDE_FRAME
from engine.media.commands import CloseLeg, Codec, Drain, ListLegs, OpenLeg, SetRemote, Shutdown, WatchLeg
from engine.media.events import LegClosed, LegInfo, LegOpened, Legs
from engine.media.g722 import G722Encoder
from engine.media.latch import keeps_latch, sendable
from engine.media.leg import LISTENS, Leg
from engine.media.matrix import Route
from engine.media.quality import measure, quality
from engine.media.refusal import CommandFailed
from engine.media.rtcp import RtcpSession
from engine.media.srtp import BadKeys, Shield
from engine.media.transmission import Transmission

if TYPE_CHECKING:
    from engine.media.switchboard import Draw, Switchboard, Verbs

_QUIET: Final = {
    **{codec: bytes([SILENCE[INDEX[codec]]]) * form.octets for codec, form in FORMS.items()},
    Codec.G722: G722Encoder().encode(np.zeros(WIDE_FRAME, np.int16)),
}
"""20 ms of silence."""


class LegVerbs:
    """See the module."""

    def __init__(self, board: Switchboard, *, draw: Draw, cname: bytes, epoch: float) -> None:
        """`epoch` plus monotonic time is the time that sender reports carry."""
        self.board = board
        self._draw = draw
        self._cname = cname
        self._epoch = epoch

    def verbs(self) -> Verbs:
        return {
            OpenLeg: self._open,
            SetRemote: self._set_remote,
            CloseLeg: self._close,
            WatchLeg: self._watch,
            ListLegs: self._list,
            Drain: self._drain,
            Shutdown: self._shutdown,
        }

    def _open(self, command: OpenLeg, now: float) -> None:
        if command.leg in self.board.legs:
            raise CommandFailed(f"leg {command.leg!r} is open already")
        if self.board.draining:
            raise CommandFailed("the media process is draining and opens no more legs")
        port = self.pair(command.port)
        draw = self._draw
        tx = Transmission(ssrc=draw(32), seq=draw(15), stamp=draw(32))
        leg = Leg(name=command.leg, tag=command.tag, port=port, tx=tx, rtcp=RtcpSession(self._cname), opened_at=now)
        self.board.legs[leg.name] = leg
        self.board.wire.attach(leg)
        if command.port is None:
            self.board.emit(LegOpened(leg=leg.name, port=port))

    def pair(self, wanted: int | None) -> int:
        """The bound pair that was asked for, or a new one."""
        if wanted is not None:
            if not self.board.stock.take(wanted):
                raise CommandFailed(f"port {wanted} is none of the spare ones")
            return wanted
        try:
            return self.board.wire.open()
        except Unavailable as error:
            last = self.board.stock.give()
            if last is None:
                raise CommandFailed(str(error)) from error
            return last

    def _set_remote(self, command: SetRemote, now: float) -> None:
        leg = self.board.leg(command.leg)
        check_agreed(command)
        if command.srtp is not None or leg.shield is not None:
            self._shield(leg, command)
        changed = leg.remote is None or leg.codec is not command.codec
        if command.direction in LISTENS and (leg.remote is None or command.direction is not leg.remote.direction):
            # Begun, held or resumed: silence counts from here, and will be told again.
            leg.rx.heard_at = now
            leg.silence = None
        leg.remote, leg.signs.probation = command, None
        leg.listening = command.direction in LISTENS
        leg.outlets_changed()
        leg.codec, leg.opaque = command.codec, command.opaque
        leg.rx.keep_time(command.clock_rate)
        leg.tx.carry(FORMS.get(command.codec), command.clock_rate, command.ptime_ms)
        leg.tx.payload_type, leg.payload_type = command.payload_type, heard_as(command)
        leg.tx.comfort_type = leg.comfort_type = command.cn_payload_type
        leg.tx.dtmf_type, leg.dtmf_type = command.dtmf_payload_type, dtmf_heard_as(command)
        leg.inband = command.inband
        leg.tx.dtmf_clock = leg.digits_in.clock = dtmf_clock(command)
        if changed:
            self.board.drop_row(leg)
        self.board.check_player(leg)
        try:
            if leg.latched is not None and not keeps_latch(leg.anchor, command):
                leg.latched = None
                self.board.wire.unlatch(leg)
            self.board.wire.aim(leg)
        except Unavailable as error:
            raise CommandFailed(str(error)) from error
        finally:
            if sendable(command.address, command.port):
                leg.anchor = command
            self.board.refresh(leg)
            for sink in self.board.matrix.sinks(leg):
                self.board.refresh(sink)
            self.board.fit_row(leg)
        self.greet(leg, now)

    def _shield(self, leg: Leg, command: SetRemote) -> None:
        try:
            leg.shield = Shield.renewed(leg.shield, command.srtp)
        except BadKeys as error:
            raise CommandFailed(f"srtp: {error}") from error

    def greet(self, leg: Leg, now: float) -> None:
        """Send a frame of silence to a peer that has not spoken and for which there is no sound: it opens the way
        through a NAT of ours, and shows a peer that latches itself where we are (RFC 4961)."""
        if leg.latched is None and leg.route is Route.SILENT and leg.codec in _QUIET:
            leg.tx.alone(_QUIET[leg.codec], now)

    def _close(self, command: CloseLeg, now: float) -> None:
        leg = self.board.leg(command.leg)
        sinks = list(self.board.matrix.sinks(leg))
        sources = [edge.source for edge in self.board.matrix.edges(leg)]
        self.board.recording.closed(leg)
        del self.board.legs[leg.name]
        self.board.matrix.remove(leg)
        self.board.digits.forget(leg)
        leg.pending = None
        leg.settle()
        measure(leg, self.board.table, now, closing=True)
        self.board.leave(leg)
        self.board.wire.report(leg, leg.rtcp.compound(leg.tx, leg.rx, now, now + self._epoch, bye=True))
        self.board.wire.close(leg)
        leg.tx.send = None
        for sink in sinks:
            if sink is not leg:
                self.board.refresh(sink)
        for source in sources:
            self.board.fit_row(source)
        self.board.drop_row(leg)
        figures = quality(leg, self.board.table, now)
        self.board.sent_closed += figures.packets_sent
        self.board.received_closed += figures.packets_received
        self.board.emit(LegClosed(leg=leg.name, quality=figures))
        leg.dismantle()

    def _watch(self, command: WatchLeg, now: float) -> None:
        leg = self.board.leg(command.leg)
        if not 0 < command.silent_s < float("inf"):
            raise CommandFailed(f"silent_s: found {command.silent_s}; it must be above 0")
        leg.signs.patience_s = command.silent_s

    def _list(self, command: ListLegs, now: float) -> None:
        """Who asks is new here: what it should know of silent legs is told again."""
        for leg in self.board.legs.values():
            leg.silence = None
        legs = tuple(_info(leg) for leg in self.board.legs.values())
        self.board.emit(Legs(legs=legs, recordings=self.board.recording.running()))

    def _drain(self, command: Drain, now: float) -> None:
        self.board.draining = True

    def _shutdown(self, command: Shutdown, now: float) -> None:
        for name in list(self.board.legs):
            self._close(CloseLeg(leg=name), now)
        self.board.ended = True


def _info(leg: Leg) -> LegInfo:
    return LegInfo(leg=leg.name, tag=leg.tag, port=leg.port, dialog="" if leg.remote is None else leg.remote.dialog)
