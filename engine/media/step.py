"""The pure tick: every 20 ms, what the legs off the pass-through path are sent.

Three kinds are served, each with no more work than it needs: legs that hear a player alone get ready-made payloads;
legs that send digits get telephone-events; the rest is decoded, mixed and encoded, all rows at once, each sink at the
rate of its own codec. The arrays exist for those last ones only, laid out anew when somebody's route changes (`dirty`).

A tick of many legs takes longer than a packet that is passed on may wait. So it is done in pieces, each of a few tenths
of a millisecond at most, between which the loop looks at the sockets. What all read (decoding, players, the sums of
conferences) is done first; then sinks are mixed, encoded and sent some at a time.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from engine.media.bundle import Volley
from engine.media.codecs import FORMS, FRAME
from engine.media.commands import Codec
from engine.media.ears import Ears
from engine.media.encoders import Encoder, encoder
from engine.media.fleet import PIECE, Fleet
from engine.media.hearings import PATIENCE, Going, Kind
from engine.media.inband import Toned
from engine.media.leg import Leg
from engine.media.matrix import Matrix
from engine.media.mixer import ramp
from engine.media.plan import Band, Plan, lay_out, player_of
from engine.media.recorders import Recorders
from engine.media.ring import SLOTS
from engine.media.table import Table
from engine.media.transmission import Transmission

SOUND: Final = 8
"""The smallest magnitude that is sound: silence is 8 in A-law."""


@dataclass(slots=True, kw_only=True)
class Ended:
    """What came to an end in a tick: its leg may need another route."""

    played: list[Leg] = field(default_factory=list)
    beeped: list[Leg] = field(default_factory=list)
    digits: list[Leg] = field(default_factory=list)
    toned: list[tuple[Leg, Toned]] = field(default_factory=list)
    """Keys that began or ended in the sound."""
    parted: list[Leg] = field(default_factory=list)
    """Sinks whose mix has been faded out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tick:
    """One of them."""

    now: float
    skipped: int
    """Ticks left out before it."""
    advance: int
    """Samples at 8 kHz since the last one."""
    ended: Ended


class Step:
    """Runs the ticks over the legs that `switchboard` put into its lists."""

    def __init__(self, table: Table, matrix: Matrix, volley: Volley) -> None:
        self._table = table
        self._matrix = matrix
        self.players: dict[Leg, None] = {}
        self._audience: list[Leg] = []
        """Those, and their streams, in an order that stands until somebody comes or goes."""
        self._streams: list[Transmission] = []
        self._fleet = Fleet(volley)
        self._volley = volley
        self._fleets: dict[tuple[Codec, int], Fleet] = {}
        """Those of the mixed legs, by codec and piece."""
        self.digits: dict[Leg, None] = {}
        self.mixed: dict[Leg, None] = {}
        self.recorders = Recorders()
        self.ears = Ears()
        self._key_encoders: dict[Leg, Encoder] = {}
        self.dirty = True
        self._going = Going()
        self._parted: list[Leg] = []
        """Those whose mix was faded out in the last tick."""
        self._plan: Plan | None = None

    @property
    def due(self) -> bool:
        """Whether anybody is served by ticks. Packets that are passed on and legs that hear nobody need none."""
        return bool(self.players or self.digits or self.mixed or self.recorders or self.ears)

    # --- who comes and goes ---

    def play_alone(self, leg: Leg) -> None:
        """The leg hears its player and nothing else, from the next tick on."""
        self.players[leg] = None
        self._audience = []

    def drop(self, leg: Leg) -> None:
        """The leg is served no more as it was."""
        self.stay(leg)
        if self.players.pop(leg, leg) is None:
            self._audience = []
        self.digits.pop(leg, None)
        self._key_encoders.pop(leg, None)
        if self.mixed.pop(leg, leg) is None:
            self.dirty = True

    def begin(self, source: Leg) -> None:
        """The leg has a row in the table from now on."""
        self._going.fresh[source] = PATIENCE
        self.dirty = True

    def release(self, source: Leg) -> None:
        """The leg needs its row no more: what is heard of it is faded out in the next tick, then the row is free."""
        self._going.fresh.pop(source, None)
        if self._plan is None or source in self._going.sources:
            self._table.remove(source.row)
        else:
            self._going.sources[source] = source.row
        self.dirty = True

    def part(self, sink: Leg) -> bool:
        """Let what a sink hears be faded out in the next tick, which tells it in `Ended.parted`. False where it hears
        nothing yet, and may be served in another way at once."""
        if self._plan is None or sink not in self._plan.hearings.heard or sink in self._parted:
            return False
        self._going.sinks[sink] = None
        self.dirty = True
        return True

    def stay(self, sink: Leg) -> None:
        """It is not to part after all."""
        if self._going.sinks.pop(sink, sink) is None:
            self.dirty = True

    # --- the tick ---

    def run(self, tick: int, now: float) -> Ended:
        """All of `pieces` at once."""
        pieces = self.pieces(tick, now)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                ended: Ended = end.value
                return ended

    def pieces(self, tick: int, now: float) -> Generator[None, None, Ended]:
        """Send everything that is due at `tick`. Ticks left out since the last one are skipped, not caught up. Between
        pieces nobody may change a route."""
        skipped = max(0, tick - self._table.tick)
        self._parted = []
        self._table.tick = tick
        this = _Tick(now=now, skipped=skipped, advance=FRAME * (1 + skipped), ended=Ended())
        if self.players or self._audience:
            yield from self._play_alone(this)
        for leg in list(self.digits):
            self._digit(leg, now)
            if not leg.digits_out:
                self._key_encoders.pop(leg, None)
                this.ended.digits.append(leg)
        if self.mixed or self.recorders or self.ears:
            yield from self._mix(this)
        else:
            self._plan = None
            for fleet in self._fleets.values():
                fleet.disband()
            self._fleets.clear()
            self._free()
        self._table.tick = tick + 1
        return this.ended

    def _play_alone(self, this: _Tick) -> Generator[None, None, None]:
        if len(self._audience) != len(self.players):
            self._audience = list(self.players)
            self._streams = [leg.tx for leg in self._audience]
        streams = self._streams
        payloads = [
            None if (player := leg.player) is None else next(player.ready, None) or player.payload(leg.codec)
            for leg in self._audience
        ]
        if None in payloads:
            ended = (leg for leg, payload in zip(self._audience, payloads, strict=True) if payload is None)
            this.ended.played.extend(ended)
            streams = [tx for tx, payload in zip(streams, payloads, strict=True) if payload is not None]
        yield
        there = [payload for payload in payloads if payload is not None]
        yield from self._fleet.pieces(streams, there, this.now, this.advance)

    def _digit(self, leg: Leg, now: float) -> None:
        if leg.tx.dtmf_type is None:
            coder = self._key_encoders.get(leg)
            if coder is None:
                coder = self._key_encoders[leg] = encoder(leg.codec, [leg])
            (payload,) = coder.encode(leg.digits_out.sound(FORMS[leg.codec].samples * 50)[None])
            leg.tx.frame(payload, now)
            return
        packet = leg.digits_out.tick(leg.tx.dtmf_clock)
        if packet is not None:
            leg.tx.event(packet.payload, first=packet.first, now=now, advance=packet.advance)

    def _mix(self, this: _Tick) -> Generator[None, None, None]:
        """Read, play, resample, mix and send, record."""
        if self.dirty or self._plan is None:
            parts = self._table, self._matrix, self.mixed, self.recorders
            self._plan = yield from lay_out(*parts, self._plan, self._going, self.ears.legs)
            self.ears.lay_out(self._plan.readings)
            self.dirty = self._plan.hearings.passing(self._going)
            yield
        plan, table = self._plan, self._table
        if this.skipped:
            table.hush(range(max(table.tick - this.skipped, table.tick - SLOTS + 1), table.tick))
        table.read(plan.readings)
        this.ended.toned += self.ears.hear()
        yield
        for band in plan.bands:
            _play(plan, band, this.ended)
            self._fade(band)
        yield
        for band in plan.bands:
            if band.crossing is not None:
                band.crossing.run()
                yield
        for band in plan.bands:
            band.rooms.add_up(band.pcm)
            yield from self._send(band, this)
        if self.recorders:
            self.recorders.take(plan.taps, {band.samples: band.pcm for band in plan.bands}, this.skipped)
            yield
        self._parted = this.ended.parted = list(self._going.sinks)
        self._going.sinks.clear()
        self._free()

    def _send(self, band: Band, this: _Tick) -> Generator[None, None, None]:
        """Mix, encode and send, some sinks of one codec at a time."""
        for group in band.groups:
            codec = group.encoder.codec
            for piece, streams in enumerate(group.streams):
                begin = piece * PIECE
                payloads = group.encoder.encode(group.mixer.part(band.pcm, begin, begin + len(streams)), begin)
                fleet = self._fleets.get((codec, piece))
                if fleet is None:
                    fleet = self._fleets[codec, piece] = Fleet(self._volley)
                fleet.send(streams, payloads, this.now, this.advance)
                yield

    def _fade(self, band: Band) -> None:
        """Fade sources in with their first sound, and out with their last."""
        out = ramp(1.0, 0.0, band.samples)
        for leg in self._going.sources:
            at = band.place.get((leg, Kind.VOICE))
            if at is not None and leg.row < 0:  # else it has another row already
                band.pcm[at] = np.rint(band.pcm[at] * out)
        for leg, patience in list(self._going.fresh.items()):
            at = band.place.get((leg, Kind.VOICE))
            if at is None or band.crosses(at):
                continue
            voice = band.pcm[at]
            if (leg, Kind.VOICE) not in band.audible:
                del self._going.fresh[leg]  # a recording takes it as it is
            elif int(voice.max()) > SOUND or int(voice.min()) < -SOUND:
                band.pcm[at] = np.rint(voice * ramp(0.0, 1.0, band.samples))
                del self._going.fresh[leg]
            elif patience:
                self._going.fresh[leg] = patience - 1
            else:
                del self._going.fresh[leg]

    def _free(self) -> None:
        """Rows of sources that have been faded out are nobody's any more."""
        for row in self._going.sources.values():
            self._table.remove(row)
        self._going.sources.clear()


def _play(plan: Plan, band: Band, ended: Ended) -> None:
    """Take the next frame of every player."""
    for row, leg, kind in band.played:
        source = player_of(plan, leg, kind)
        if source is None:
            frame = None
        else:
            frame = source.shown(band.samples) if kind is Kind.SHOWN else source.frame(band.samples)
        if frame is not None:
            band.pcm[row] = frame if kind is not Kind.ENDING else np.rint(frame * ramp(1.0, 0.0, band.samples))
            continue
        band.pcm[row] = 0
        if kind is Kind.OVERLAY:
            ended.beeped.append(leg)
        elif kind is Kind.PLAYER:
            ended.played.append(leg)
