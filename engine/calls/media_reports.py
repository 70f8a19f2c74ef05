"""What the media process tells of live legs, and what the calls make of it: keys, quality, one-way audio."""

from __future__ import annotations

from typing import Final

from engine.calls.call import Call
from engine.calls.media_records import DigitReceived, LegClosed, OneWayHeard, SoundSkipped
from engine.calls.recordings import RecordingState
from engine.calls.switchboard import CallLeg, Closing, Switchboard
from engine.calls.twin_keys import Key, TwinKeys
from engine.ids import LegId
from engine.media import events as media_plane
from engine.media.commands import SendDtmf, StopPlay

HIDDEN: Final = "?"
"""Stands for a key in the log while the call's recording is paused."""


Report = media_plane.Quality | media_plane.DtmfDigit | media_plane.OneWayAudio | media_plane.SoundSkipped


class MediaReports:
    """See the module. Events about legs that no call knows any more are dropped."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._twins = TwinKeys()

    def media_event(self, event: Report, now: float) -> None:
        match event:
            case media_plane.Quality():
                self._measured(event)
            case media_plane.DtmfDigit():
                self._sounded(event, now)
            case media_plane.OneWayAudio():
                self._one_way(event, now)
            case media_plane.SoundSkipped():
                self._skipped(event, now)

    # --- keys ---

    def _sounded(self, event: media_plane.DtmfDigit, now: float) -> None:
        """A key in the sound. The media process passes it on in the sound; beside it goes to who takes it there."""
        found = self._board.owners.get(LegId(event.leg))
        if found is None:
            return
        call, leg = found
        self._twins.sounded(leg, event.digit, now)
        self._log_key(call, leg, event.digit, event.duration_ms, now)
        other = call.destination.other(leg)
        if other is not None and not _hears_keys(other):
            self._board.legs.key(other.id, event.digit, event.duration_ms, now)

    def signalled(self, call: Call, leg: CallLeg, digit: str, duration_ms: int, now: float) -> None:
        """A key beside the sound counts like one in it, if it is not that one again."""
        if leg.playing:
            self._board.media.send(StopPlay(leg=leg.id, digit=digit))
        if not _hears_keys(leg) or self._twins.counts(leg, Key(digit, duration_ms), now):
            self._beside(call, leg, digit, duration_ms, now)

    def next_deadline(self) -> float | None:
        return self._twins.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Pass on the keys beside the sound that nothing has come of in it."""
        for leg_id in self._twins.waited(now):
            found = self._board.owners.get(leg_id)
            if found is not None:
                for key in self._twins.due(found[1]):
                    self._beside(*found, key.digit, key.duration_ms, now)

    def _beside(self, call: Call, leg: CallLeg, digit: str, duration_ms: int, now: float) -> None:
        """Pass a key beside the sound on to the other side as that takes keys."""
        self._log_key(call, leg, digit, duration_ms, now)
        other = call.destination.other(leg)
        if other is None or other.remote is None:
            return
        if _hears_keys(other):
            held = max(_SHORTEST_MS, min(duration_ms, _LONGEST_MS))
            self._board.media.send(SendDtmf(leg=other.id, digits=digit, duration_ms=held))
        else:
            self._board.legs.key(other.id, digit, duration_ms, now)

    def _log_key(self, call: Call, leg: CallLeg, digit: str, duration_ms: int, now: float) -> None:
        """Where nobody is to see which key it was, only that there was one."""
        paused = self._board.recordings.state(call.id) is RecordingState.PAUSED
        shown = HIDDEN if paused else digit
        self._board.log(call.id, DigitReceived(leg=leg.id, digit=shown, duration_ms=duration_ms), now)

    # --- what is heard ---

    def _measured(self, event: media_plane.Quality) -> None:
        """How a live leg sounds."""
        found = self._board.owners.get(LegId(event.leg))
        if found is not None:
            found[1].quality = event

    def _one_way(self, event: media_plane.OneWayAudio, now: float) -> None:
        """Somebody is not heard, or is again."""
        found = self._board.owners.get(LegId(event.leg))
        if found is None:
            return
        call, leg = found
        leg.one_way = leg.one_way - {event.way} if event.over else leg.one_way | {event.way}
        told = OneWayHeard(leg=leg.id, who=leg.who, way=event.way.value, over=event.over)
        self._board.log(call.id, told, now)

    def _skipped(self, event: media_plane.SoundSkipped, now: float) -> None:
        """A sound of a playlist is not there, or none."""
        found = self._board.owners.get(LegId(event.leg))
        if found is not None:
            call, leg = found
            told = SoundSkipped(leg=leg.id, who=leg.who, file=event.file, reason=event.reason)
            self._board.log(call.id, told, now)

    def closed(self, closing: Closing, event: media_plane.LegClosed, now: float) -> None:
        """A leg that was up is closed: its last figures are for the record."""
        measured = event.quality
        record = LegClosed(
            leg=LegId(event.leg),
            packets_received=measured.packets_received,
            packets_sent=measured.packets_sent,
            lost=measured.lost,
            jitter_ms=measured.jitter_ms,
            remote_lost=measured.remote_lost,
            round_trip_ms=measured.round_trip_ms,
            codec=closing.codec,
            who=closing.who,
            discarded=measured.discarded,
            concealed_ms=measured.concealed_ms,
            unauthentic=measured.unauthentic,
            mos=measured.mos_mean,
            mos_worst=measured.mos_worst,
            level_dbm0=measured.level_dbm0,
            one_way=measured.one_way,
        )
        self._board.log(closing.call, record, now)


_SHORTEST_MS = 40
_LONGEST_MS = 60_000
"""What `SendDtmf` takes."""


def _hears_keys(leg: CallLeg) -> bool:
    """Whether keys reach the leg in its sound, as telephone-events or as tones."""
    return leg.remote is not None and (leg.remote.dtmf_payload_type is not None or leg.remote.inband)
