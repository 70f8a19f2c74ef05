"""The rounds: every leg is looked at twice a second for what no packet and no command brings about.

Silence and its end (RtpTimeout, RtpResumed), RTCP that is due, figures worth telling, and a packet towards a peer that
has not spoken yet. Digits whose end was lost are the one thing that cannot wait; they have a list of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from engine.media.codecs import FORMS
from engine.media.commands import Direction
from engine.media.events import MediaEvent, OneWayAudio, RtpResumed, RtpStopped, RtpTimeout, Way
from engine.media.leg import Leg, Silence
from engine.media.quality import COUNTERS_S, measure, news, quality, sign
from engine.media.rtcp import Random, Report, report_delay
from engine.media.sweep import Sweep
from engine.media.switchboard import Switchboard
from engine.media.wire import Wire

TICKS_PER_ROUND: Final = 25
"""A twenty-fifth of the legs each tick, so that the work is spread."""

_HEADERS: Final = 40
"""Octets of IP, UDP and RTP."""

QUALITY_S: Final = 0.9
"""Less than two rounds: figures are looked at in every second one."""


STOPPED_S: Final = 3.0
"""Silence after which a leg that was heard is told to have stopped: longer than a breath, shorter than patience."""


class Rounds:
    """Visits legs in turn. Pure: time and chance are handed in."""

    def __init__(
        self,
        board: Switchboard,
        *,
        wire: Wire,
        sweep: Sweep,
        random: Random,
        emit: Callable[[MediaEvent], None],
        epoch: float,
        dead_s: float,
    ) -> None:
        self._board = board
        self._wire = wire
        self._sweep = sweep
        self._random = random
        self._emit = emit
        self._epoch = epoch
        self._dead_s = dead_s
        self._queue: deque[Leg] = deque()
        self._share = 0
        self._turn = 0
        self._last = 0
        """Number of the last tick."""
        self.told = False
        """Somebody listens to events; silence that nobody was told of is told when they do."""

    def tick(self, number: int, now: float) -> None:
        """All of `pieces` at once."""
        for _ in self.pieces(number, now):
            pass

    def pieces(self, number: int, now: float) -> Iterator[None]:
        """Visit the share of the legs that belongs to this tick and to those left out since the last one, one leg a
        piece, and every leg on which a digit is being pressed."""
        for leg in list(self._board.digits.pressing):
            leg.digits_in.silent(now)
            self._board.digits.pressed(leg)
        turns = min(max(1, number - self._last), TICKS_PER_ROUND)
        self._last = number
        for _ in range(turns):
            yield from self._take_turn(now)

    def _take_turn(self, now: float) -> Iterator[None]:
        if self._turn % TICKS_PER_ROUND == 0:
            self._queue.extend(self._board.legs.values())
            self._share = -(-len(self._queue) // TICKS_PER_ROUND)
        self._turn += 1
        for _ in range(min(self._share, len(self._queue))):
            leg = self._queue.popleft()
            if self._board.legs.get(leg.name) is leg and leg.remote is not None:
                self.visit(leg, now)
                yield

    def visit(self, leg: Leg, now: float) -> None:
        """Look after one leg."""
        leg.settle()
        self._listen(leg, now)
        self._board.greet(leg, now)
        self._sweep.visit(leg)
        if not leg.rtcp.due:
            leg.rtcp.due = now + report_delay(self._random, first=True, kbps=_kbps(leg))
        elif now >= leg.rtcp.due:
            leg.rtcp.due = now + report_delay(self._random, first=False, kbps=_kbps(leg))
            self._wire.report(leg, leg.rtcp.compound(leg.tx, leg.rx, now, now + self._epoch))
        self._watch(leg, now)
        if now - leg.health.looked_at >= QUALITY_S:
            leg.health.looked_at = now
            measure(leg, self._board.table, now)
            if self.told:
                self._tell(leg, now)

    def _watch(self, leg: Leg, now: float) -> None:
        """One-way audio: whether the leg talks with somebody, or with many, and whether either side is missed."""
        partners_at: float | None = None
        remote = leg.remote
        if remote is not None and remote.direction is Direction.SENDRECV and leg.tx.send is not None:
            matrix = self._board.matrix
            for partner in matrix.partners(leg):
                partners_at = max(partners_at or 0.0, partner.rx.last_heard_at)
            # The others of a conference may be many; what their own visits have settled is new enough.
            company_at = max((other.rx.heard_at for other in matrix.company(leg)), default=None)
            if company_at is not None:
                partners_at = max(partners_at or 0.0, company_at)
        one_way = leg.health.one_way
        before = one_way.now
        one_way.visit(
            now,
            heard_at=leg.rx.heard_at,
            may_rest=self._board.matrix.muted(leg)
            or (leg.rx.ssrc >= 0 and remote is not None and remote.cn_payload_type is not None),
            partners_at=partners_at,
            refused=leg.tx.refused,
        )
        if one_way.now != before:
            for way in Way:
                if (way in one_way.now) is not (way in before):
                    self._emit(OneWayAudio(leg=leg.name, way=way, over=way in before))

    def _listen(self, leg: Leg, now: float) -> None:
        if not leg.listening:
            leg.silence = None
            return
        heard_at = leg.rx.heard_at
        if self.told and now - heard_at >= STOPPED_S and leg.rx.ssrc >= 0 and leg.signs.stopped_at != heard_at:
            leg.signs.stopped_at = heard_at
            self._emit(RtpStopped(leg=leg.name, silent_s=round(now - heard_at, 3)))
        patience_s = leg.signs.patience_s
        if patience_s is None:
            patience_s, heard_at = self._dead_s, max(heard_at, leg.signs.lived_at)
        if leg.silence is None:
            if self.told and now - heard_at >= patience_s:
                leg.silence = Silence(since=heard_at)
                self._emit(RtpTimeout(leg=leg.name, silent_s=round(now - heard_at, 3)))
        elif heard_at > leg.silence.since:
            since, leg.silence = leg.silence.since, None
            self._emit(RtpResumed(leg=leg.name, silent_s=round(heard_at - since, 3)))

    def _tell(self, leg: Leg, now: float) -> None:
        health, table = leg.health, self._board.table
        age, now_is = now - health.told_at, sign(leg, table)
        if now_is == health.sign and age < COUNTERS_S:
            return
        figures = quality(leg, table, now)
        if news(health.told, figures, age):
            health.told, health.told_at, health.sign = figures, now, now_is
            self._emit(figures)

    def heard(self, leg: Leg, reports: list[Report], now: float) -> None:
        """RTCP came from the leg's peer."""
        leg.signs.lived_at = now
        leg.settle()
        leg.health.one_way.reported(reports, leg.tx.ssrc, leg.tx.packets)
        leg.rtcp.heard(reports, leg.tx.ssrc, now, now + self._epoch)


def _kbps(leg: Leg) -> float:
    """Bandwidth of the leg's session, headers and all; of what is not decoded, none that would shorten anything."""
    form = FORMS.get(leg.codec)
    return 1.0 if form is None else (form.octets + _HEADERS) * 50 * 8 / 1000
