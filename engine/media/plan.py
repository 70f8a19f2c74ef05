"""How a tick mixes: which rows of PCM there are, what is brought to the other rate, who hears what. Made anew when
somebody's route changes; what a row or a sink must keep (the low-pass, a coder) goes over from one plan to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import CODECS, FORMS, FRAME, INDEX, WIDE_FRAME
from engine.media.encoders import Encoder, encoder
from engine.media.fleet import PIECE
from engine.media.hearings import SHARE, Going, Heard, Hearings, Key, Kind, hearings, played
from engine.media.leg import Leg
from engine.media.matrix import Conference, Matrix
from engine.media.mixer import Change, Edge, Hears, Mixer, Rooms, Voice, factor
from engine.media.player import Player
from engine.media.recorders import Channel, Recorders, Taps
from engine.media.resample import Resampler
from engine.media.table import Reading, Table
from engine.media.transmission import Transmission

_SAMPLES: Final = tuple(FORMS[codec].samples for codec in CODECS)
_NOBODY: Final = Going()
_OTHER: Final = {FRAME: WIDE_FRAME, WIDE_FRAME: FRAME}


@dataclass(slots=True, kw_only=True)
class Group:
    """The sinks of one codec."""

    mixer: Mixer
    sinks: list[Leg]
    """In the mixer's order."""
    streams: list[list[Transmission]]
    """Theirs, a piece of the tick each."""
    encoder: Encoder


@dataclass(slots=True, kw_only=True)
class Crossing:
    """Rows of one rate that sinks of the other rate hear."""

    source: NDArray[np.int16]
    """The other band's PCM."""
    rows: NDArray[np.intp]
    """Of it."""
    resampler: Resampler
    out: NDArray[np.int16]
    """Their rows in this band's."""

    def run(self) -> None:
        self.resampler.run(self.source[self.rows], self.out)


@dataclass(slots=True, kw_only=True)
class Band:
    """Everything of one rate."""

    samples: int
    """Of a frame: 160 or 320."""
    pcm: NDArray[np.int16]
    """Rows: voices by codec, what comes from the other rate, all else, [rows, samples]."""
    readings: list[Reading]
    played: list[tuple[int, Leg, Kind]]
    """PCM row, and whose player it is."""
    place: dict[Key, int]
    """Row of PCM of everything."""
    audible: set[Key]
    """What sinks hear; all else is there for recordings only."""
    rooms: Rooms
    crossing: Crossing | None = None
    groups: list[Group] = field(default_factory=list)

    def crosses(self, row: int) -> bool:
        """Whether this row of PCM comes from the other band."""
        if self.crossing is None:
            return False
        begin = sum(len(reading.rows) for reading in self.readings)
        return begin <= row < begin + len(self.crossing.rows)


@dataclass(slots=True, kw_only=True)
class Plan:
    """How one tick mixes, until somebody's route changes."""

    bands: list[Band]
    """Those that are used."""
    readings: list[Reading]
    """Of all bands."""
    taps: list[Taps]
    hearings: Hearings


class _Rows:
    """What has a row in one band's PCM, and who hears it there."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.own: dict[Key, None] = {}
        self.crossed: dict[Key, None] = {}
        self.audible: set[Key] = set()
        self.sinks: list[Leg] = []
        self.rooms: dict[Conference, int] = {}
        self.channels: dict[Channel, Heard] = {}
        self.place: dict[Key, int] = {}

    def band(self, table: Table, going: Going) -> Band:
        """Give everything a row."""
        legs = {going.row(leg): leg for leg, kind in self.own if kind is Kind.VOICE}
        voices = sorted(legs, key=lambda row: (table.codec(row), row))
        played = [key for key in self.own if key[1] is not Kind.VOICE]
        ordered: list[Key] = [(legs[row], Kind.VOICE) for row in voices]
        self.place = {key: at for at, key in enumerate([*ordered, *self.crossed, *played])}
        pcm = np.zeros((len(self.place), self.samples), np.int16)
        return Band(
            samples=self.samples,
            pcm=pcm,
            readings=_readings(table, voices, pcm),
            played=[(self.place[key], *key) for key in played],
            place=self.place,
            audible=self.audible,
            rooms=Rooms(()),
        )


def lay_out(
    table: Table,
    matrix: Matrix,
    mixed: dict[Leg, None],
    recorders: Recorders,
    before: Plan | None = None,
    going: Going = _NOBODY,
    listened: Iterable[Leg] = (),
) -> Generator[None, None, Plan]:
    """Give everything that is heard a row of PCM at each rate at which it is heard, and every sink its edges, in
    pieces, as a tick is done. `before` is the plan that this one replaces; `listened`: legs whose voices are read
    whoever hears them."""
    found = yield from hearings(matrix, mixed, going, None if before is None else before.hearings)
    rows = yield from _rows(found, table, matrix, recorders, going)
    for leg in listened:
        key = leg, Kind.VOICE
        rows[_native(table, key, going)].own[key] = None
    bands = {
        samples: each.band(table, going) for samples, each in rows.items() if each.own or each.sinks or each.channels
    }
    taps = []
    for samples, band in bands.items():
        mine = rows[samples]
        was = None if before is None else next((each for each in before.bands if each.samples == samples), None)
        if mine.crossed:
            other = _OTHER[samples]
            _cross(band, mine, bands[other], rows[other], was)
        band.rooms = _rooms(mine, found)
        yield
        yield from _group(band, mine, found, was)
        taps += recorders.taps({channel: _edges(mine, heard) for channel, heard in mine.channels.items()})
    return Plan(
        bands=list(bands.values()),
        readings=[each for band in bands.values() for each in band.readings],
        taps=taps,
        hearings=found,
    )


def _rows(
    found: Hearings, table: Table, matrix: Matrix, recorders: Recorders, going: Going
) -> Generator[None, None, dict[int, _Rows]]:
    """Who hears what at which rate."""
    rows = {samples: _Rows(samples) for samples in (FRAME, WIDE_FRAME)}

    def need(mine: _Rows, keys: Iterable[Key]) -> None:
        for key in keys:
            native = _native(table, key, going)
            rows[native].own[key] = None
            if native != mine.samples:
                mine.crossed[key] = None

    def hear(mine: _Rows, keys: Collection[Key]) -> None:
        need(mine, keys)
        for key in keys:
            rows[_native(table, key, going)].audible.add(key)

    for at, (sink, heard) in enumerate(found.heard.items(), 1):
        if at % SHARE == 0:
            yield
        mine = rows[_samples(sink)]
        mine.sinks.append(sink)
        hear(mine, heard)
        seat = found.seats.get(sink)
        if seat is not None and seat not in mine.rooms:
            mine.rooms[seat] = len(mine.rooms)
            hear(mine, found.voices[seat])
    for sink, changes in found.changes.items():
        need(rows[_samples(sink)], (key for key, _, _ in changes))
    for channel in recorders.channels():
        mine = rows[channel.recorder.reel.frame]
        edges = matrix.voice(channel.leg, hears=channel.hears)
        taken: Heard = {(edge.source, Kind.VOICE): edge.gain_db for edge in edges}
        mine.channels[channel] = taken | (played(channel.leg) if channel.hears else {})
        need(mine, mine.channels[channel])
    return rows


def _samples(leg: Leg) -> int:
    return _SAMPLES[INDEX[leg.codec]]


def _native(table: Table, key: Key, going: Going) -> int:
    """Samples of a frame of this as it comes."""
    leg, kind = key
    return _SAMPLES[table.codec(going.row(leg))] if kind is Kind.VOICE else _samples(leg)


def player_of(plan: Plan, leg: Leg, kind: Kind) -> Player | None:
    """Whose frames such a row has."""
    if kind is Kind.ENDING:
        return plan.hearings.ending.get(leg)
    return leg.overlay if kind is Kind.OVERLAY else leg.player


def _readings(table: Table, rows: list[int], pcm: NDArray[np.int16]) -> list[Reading]:
    readings, begin = [], 0
    for codec in sorted({table.codec(row) for row in rows}):
        own = [row for row in rows if table.codec(row) == codec]
        end = begin + len(own)
        readings.append(Reading(codec=codec, rows=np.array(own, np.intp), out=pcm[begin:end]))
        begin = end
    return readings


def _cross(band: Band, rows: _Rows, other: Band, others: _Rows, was: Band | None) -> None:
    keys = list(rows.crossed)
    begin = rows.place[keys[0]]
    kept = was.crossing.resampler if was is not None and was.crossing is not None else None
    band.crossing = Crossing(
        source=other.pcm,
        rows=np.array([others.place[key] for key in keys], np.intp),
        resampler=Resampler(other.samples, keys, kept),
        out=band.pcm[begin : begin + len(keys)],
    )


def _edges(rows: _Rows, heard: Heard) -> tuple[Edge, ...]:
    return tuple(Edge(row=rows.place[key], gain=factor(gain_db)) for key, gain_db in heard.items())


def _rooms(rows: _Rows, found: Hearings) -> Rooms:
    return Rooms(
        [
            [
                Voice(row=rows.place[key], gain=factor(gain_db), was=found.was.get((conference, key)))
                for key, gain_db in found.voices[conference].items()
            ]
            for conference in rows.rooms
        ]
    )


def _hears(rows: _Rows, found: Hearings, sink: Leg, seated: dict[Conference, dict[Leg, int]]) -> Hears:
    seat = found.seats.get(sink)
    return Hears(
        edges=_edges(rows, found.heard[sink]),
        room=-1 if seat is None else rows.rooms[seat],
        own=-1 if seat is None else seated[seat].get(sink, -1),
        changes=tuple(
            Change(row=rows.place[key], start=start, end=end) for key, start, end in found.changes.get(sink, ())
        ),
        swell=found.swells.get(sink),
    )


def _group(band: Band, rows: _Rows, found: Hearings, was: Band | None) -> Generator[None, None, None]:
    encoders = {} if was is None else {group.encoder.codec: group.encoder for group in was.groups}
    seated = {each: {key[0]: at for at, key in enumerate(found.voices[each])} for each in rows.rooms}
    for codec in dict.fromkeys(sink.codec for sink in rows.sinks):
        sinks = [sink for sink in rows.sinks if sink.codec is codec]
        heard = []
        for at, sink in enumerate(sinks, 1):
            heard.append(_hears(rows, found, sink, seated))
            if at % SHARE == 0:
                yield
        mixer = Mixer(heard, band.rooms)
        yield
        sinks = [sinks[at] for at in mixer.order]
        streams = [[sink.tx for sink in sinks[begin : begin + PIECE]] for begin in range(0, len(sinks), PIECE)]
        coder = encoder(codec, sinks, encoders.get(codec))
        band.groups.append(Group(mixer=mixer, sinks=sinks, streams=streams, encoder=coder))
