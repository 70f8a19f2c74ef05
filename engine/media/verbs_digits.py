"""Digits: the command that sends them, and what becomes of those that a peer pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.media.commands import SendDtmf
from engine.media.dtmf import Digit
from engine.media.dtmf_out import LONGEST_MS, SHORTEST_MS, Key
from engine.media.events import DtmfDigit
from engine.media.inband import Toned
from engine.media.leg import Leg
from engine.media.refusal import CommandFailed

if TYPE_CHECKING:
    from engine.media.switchboard import Switchboard, Verbs

MAX_PASSED_ON: Final = 10
"""Keys of a peer that wait to be sent anew. Sound waits for them too, so a peer that floods us with keys must not
silence the other side for longer than 1.6 s."""

MAX_WAITING: Final = 256
"""Digits that SendDtmf may have in line."""


class DigitVerbs:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board
        self.pressing: dict[Leg, list[tuple[Leg, Key]]] = {}
        """Legs whose peer is in the middle of a digit, and where it is held likewise."""
        self._later: dict[Leg, None] | None = None
        """Legs on which something was pressed amid a tick; None while there is no tick."""

    def verbs(self) -> Verbs:
        return {SendDtmf: self._send_dtmf}

    def _send_dtmf(self, command: SendDtmf, now: float) -> None:
        leg = self.board.leg(command.leg)
        if leg.tx.send is None:
            raise CommandFailed("nothing may be sent on this leg now")
        if not _takes_digits(leg):
            raise CommandFailed("the peer has no telephone-event")
        if not SHORTEST_MS <= command.duration_ms <= LONGEST_MS:
            raise CommandFailed(f"duration_ms {command.duration_ms} must lie in {SHORTEST_MS}..{LONGEST_MS}")
        if leg.digits_out.waiting + len(command.digits) > MAX_WAITING:
            raise CommandFailed(f"no more than {MAX_WAITING} digits may wait to be sent")
        try:
            leg.digits_out.add(command.digits, command.duration_ms)
        except ValueError as error:
            raise CommandFailed(f"digits {command.digits!r} are not all DTMF digits") from error
        self.board.refresh(leg)

    def pressed(self, leg: Leg) -> None:
        """A telephone-event came: tell of the digits that are over, and send what is pressed anew to who hears the leg
        but not by pass-through, where the events themselves were forwarded."""
        if self._later is not None:
            self._later[leg] = None
            return
        heard = leg.digits_in
        while heard.found:
            self._over(leg, heard.found.popleft())
        if heard.pending and leg not in self.pressing:
            self._begun(leg, heard.digit)

    def hold(self) -> None:
        """A tick begins, and packets come in between: routes must stay as its plan has them. Keys wait for its end."""
        self._later = {}

    def let_go(self) -> None:
        """It is over."""
        later, self._later = self._later, None
        for leg in later or ():
            self.pressed(leg)

    def toned(self, leg: Leg, toned: Toned) -> None:
        """A key began or ended in the sound of a leg. Who hears the tone itself is sent no other."""
        if toned.duration_ms is not None:
            self._over(leg, Digit(digit=toned.key, duration_ms=toned.duration_ms))
        elif leg not in self.pressing:
            self._begun(leg, toned.key)

    def forget(self, leg: Leg) -> None:
        """The leg is closed: what it held down elsewhere is let go."""
        for sink, key in self.pressing.pop(leg, ()):
            sink.digits_out.release(key, 0)

    def _begun(self, leg: Leg, digit: str) -> None:
        """Hold the digit down where it can be: for who hears others too, sound must not wait as long as that."""
        held = self.pressing[leg] = []
        self.board.key_pressed(leg, digit)
        for sink in self._takers(leg):
            if self._has_room(sink) and sum(1 for _ in self.board.matrix.edges(sink)) == 1:
                held.append((sink, sink.digits_out.hold(digit)))
                self.board.refresh(sink)

    def _over(self, leg: Leg, digit: Digit) -> None:
        held = self.pressing.pop(leg, None)
        self.board.emit(DtmfDigit(leg=leg.name, digit=digit.digit, duration_ms=digit.duration_ms))
        if held is None:  # else it was known when it began
            self.board.key_pressed(leg, digit.digit)
        for sink, key in held or ():
            sink.digits_out.release(key, digit.duration_ms)
        served = {sink for sink, _ in held or ()}
        for sink in self._takers(leg):
            if sink not in served and self._has_room(sink):
                sink.digits_out.add(digit.digit)
                self.board.refresh(sink)
        if leg.row >= 0 and not leg.keys_are_tones:
            self.board.fit_row(leg)  # it was looked for until it was over

    def _takers(self, leg: Leg) -> list[Leg]:
        """Who is to be sent the leg's digits anew. Not a conference: they would break into everybody's sound."""
        return [
            sink
            for sink in self.board.matrix.drawn_to(leg)
            if sink is not leg and sink.tx.send and _takes_digits(sink) and not _gets_through(leg, sink)
        ]

    def _has_room(self, sink: Leg) -> bool:
        return sink.digits_out.waiting < MAX_PASSED_ON


def _takes_digits(leg: Leg) -> bool:
    """Whether a digit can be sent there, as an event or as tones."""
    return leg.tx.dtmf_type is not None or leg.inband


def _gets_through(leg: Leg, sink: Leg) -> bool:
    """Whether what the leg's peer sends of a digit reaches the sink, and is understood there: events where they are
    passed through, tones with the sound."""
    if leg.dtmf_type is None:
        return sink.inband
    passed = sink.relayed_from is leg and sink.tx.dtmf_type is not None
    return passed and sink.tx.dtmf_clock == leg.digits_in.clock
