"""The rounds: every leg is looked at twice a second for what no packet and no command brings about.

Silence and its end (RtpTimeout, RtpResumed), RTCP that is due, figures worth telling, and a packet towards a peer that
has not spoken yet. Digits whose end was lost are the one thing that cannot wait; they have a list of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from engine.media.commands import MediaEvent, RtpResumed, RtpTimeout
from engine.media.leg import Leg, Silence
from engine.media.quality import news, quality
from engine.media.rtcp import Random, Report, report_delay
from engine.media.switchboard import Switchboard
from engine.media.wire import Wire

TICKS_PER_ROUND: Final = 25
"""A twenty-fifth of the legs each tick, so that the work is spread."""

QUALITY_S: Final = 0.9
"""Less than two rounds: figures are looked at in every second one."""


class Rounds:
    """Visits legs in turn. Pure: time and chance are handed in."""

    def __init__(
        self,
        board: Switchboard,
        *,
        wire: Wire,
        random: Random,
        emit: Callable[[MediaEvent], None],
        epoch: float,
        rtp_timeout_s: float,
    ) -> None:
        self._board = board
        self._wire = wire
        self._random = random
        self._emit = emit
        self._epoch = epoch
        self._rtp_timeout_s = rtp_timeout_s
        self._queue: deque[Leg] = deque()
        self._share = 0
        self._turn = 0
        self._last = 0
        """Number of the last tick."""
        self.told = False
        """Somebody listens to events; silence that nobody was told of is told when they do."""

    def tick(self, number: int, now: float) -> None:
        """Visit the share of the legs that belongs to this tick and to those left out since the last one, and every leg
        on which a digit is being pressed."""
        for leg in list(self._board.pressing):
            leg.digits_in.silent(now)
            self._board.pressed(leg)
        turns = min(max(1, number - self._last), TICKS_PER_ROUND)
        self._last = number
        for _ in range(turns):
            self._take_turn(now)

    def _take_turn(self, now: float) -> None:
        if self._turn % TICKS_PER_ROUND == 0:
            self._queue.extend(self._board.legs.values())
            self._share = -(-len(self._queue) // TICKS_PER_ROUND)
        self._turn += 1
        for _ in range(min(self._share, len(self._queue))):
            leg = self._queue.popleft()
            if self._board.legs.get(leg.name) is leg and leg.remote is not None:
                self.visit(leg, now)

    def visit(self, leg: Leg, now: float) -> None:
        """Look after one leg."""
        leg.settle()
        self._listen(leg, now)
        self._board.greet(leg, now)
        if not leg.rtcp.due:
            leg.rtcp.due = now + report_delay(self._random, first=True)
        elif now >= leg.rtcp.due:
            leg.rtcp.due = now + report_delay(self._random, first=False)
            self._wire.report(leg, leg.rtcp.compound(leg.tx, leg.rx, now, now + self._epoch))
        if self.told and now - leg.looked_at >= QUALITY_S:
            leg.looked_at = now
            self._tell(leg, now)

    def _listen(self, leg: Leg, now: float) -> None:
        if not leg.listening:
            leg.silence = None
            return
        heard_at = leg.rx.heard_at
        if leg.silence is None:
            if self.told and now - heard_at >= self._rtp_timeout_s:
                leg.silence = Silence(since=heard_at)
                self._emit(RtpTimeout(leg=leg.name, silent_s=round(now - heard_at, 3)))
        elif heard_at > leg.silence.since:
            since, leg.silence = leg.silence.since, None
            self._emit(RtpResumed(leg=leg.name, silent_s=round(heard_at - since, 3)))

    def _tell(self, leg: Leg, now: float) -> None:
        figures = quality(leg)
        if news(leg.quality_last, figures, now - leg.quality_at):
            leg.quality_last, leg.quality_at = figures, now
            self._emit(figures)

    def heard(self, leg: Leg, reports: list[Report], now: float) -> None:
        """RTCP came from the leg's peer."""
        leg.rtcp.heard(reports, leg.tx.ssrc, now, now + self._epoch)
