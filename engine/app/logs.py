"""Logs for the operator: one event a line, `key=value` or JSON, with call and leg on every line that has them.

What happens to calls and agents is not logged here and there but comes from the event log (`RecordLogger`), so that the
log file, the CDR and the feed can never disagree.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final, TextIO, get_args

from engine.app.config import LogConfig
from engine.calls.journal import Record
from engine.calls.log import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallerConnected,
    CallerQueued,
    CallMerged,
    CallRouted,
    CallStarted,
    LogBody,
    MediaLost,
    OfferEnded,
    OfferMade,
    OfferOutcome,
    OfferRinging,
    SourceBanned,
    TransferStarted,
)
from engine.calls.media_records import DigitReceived, LegClosed, OneWayHeard, SoundSkipped
from engine.calls.recording_records import RecordingGapped, RecordingMissed
from engine.calls.trunk_records import (
    CallRated,
    TollCutOff,
    TollRefused,
    TrunkCircuitChanged,
    TrunkRegistrationChanged,
    TrunkStateChanged,
)
from engine.ids import CallId, LegId
from engine.log_format import Line, formatter, lines, pairs, plain

_QUIET: Final = {
    *(AgentStateChanged, CallMerged, DigitReceived, LegClosed, OfferRinging, TransferStarted),
    *(CallRouted, CallAnswered, CallerQueued, OfferMade, CallerConnected, CallConnected, CallRated),
}
"""Record types that are worth a line at level debug only: the steps of a call, which its CallEnded sums up, and what
happens again and again."""

_LEVELS: Final[dict[type[Any], int]] = {
    **{cls: logging.DEBUG if cls in _QUIET else logging.INFO for cls in get_args(LogBody)},
    MediaLost: logging.WARNING,
    OneWayHeard: logging.WARNING,
    SoundSkipped: logging.WARNING,
    SourceBanned: logging.WARNING,
    TrunkStateChanged: logging.WARNING,
    TrunkCircuitChanged: logging.WARNING,
    TrunkRegistrationChanged: logging.WARNING,
    TollRefused: logging.WARNING,
    TollCutOff: logging.WARNING,
    RecordingGapped: logging.WARNING,
    RecordingMissed: logging.WARNING,
}
"""The highest that a record of this type can have."""

_LEGS_TOLD: Final = {CallStarted, CallConnected, CallEnded}
"""What must be seen at every level, to know whose legs are which."""

_NAMES: Final = {cls: tuple(field.name for field in fields(cls)) for cls in get_args(LogBody)}


def set_up_logs(config: LogConfig, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged in this process to one stream in the configured form."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(config.format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.level.value.upper())
    for chatty in ("alembic", "asyncio", "uvicorn", "twisted"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def note(event: str, *, level: int = logging.INFO, **values: object) -> None:
    """Log something about the process itself (started, listening, port taken), that is in no record."""
    logging.getLogger("hearthline").log(level, event, extra=pairs(**values))


class RecordLogger:
    """Writes one line for every record that an operator wants to see, with the legs that it is about: a body that names
    none is about its caller's leg, and about the agent's once the two were put together."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("hearthline.events")
        self._legs: dict[CallId, LegId] = {}
        """The caller's leg of every live call."""
        self._peers: dict[CallId, LegId] = {}
        """The leg of whom the caller talks to."""

    def recall(self, records: Sequence[Record]) -> None:
        """Know the legs of calls that began in an earlier process."""
        for record in records:
            self._remember(type(record.body), record)

    def observe(self, records: Sequence[Record]) -> None:
        """Log these records, in order."""
        least = self._logger.getEffectiveLevel()
        found: list[Line] = []
        for record in records:
            kind = type(record.body)
            if _LEVELS[kind] < least and kind not in _LEGS_TOLD:
                continue
            self._remember(kind, record)
            level = _level(kind, record.body)
            if level >= least:
                found.append(Line(record.wall, level, kind.__name__, self._pairs(record)))
            if kind is CallEnded and record.call is not None:
                self._legs.pop(record.call, None)
                self._peers.pop(record.call, None)
        if found:
            self._logger.log(max([line.level for line in found]), "records", extra=lines(found))

    def _remember(self, kind: type[Any], record: Record) -> None:
        if record.call is None:
            return
        if kind is CallStarted or kind is CallConnected:
            assert isinstance(record.body, CallStarted | CallConnected)
            (self._legs if kind is CallStarted else self._peers)[record.call] = record.body.leg

    def _pairs(self, record: Record) -> dict[str, object]:
        body, leg, peer_leg = record.body, None, None
        found: dict[str, object] = {"seq": record.seq}
        if record.call is not None:
            found["call"] = record.call
            leg, peer_leg = self._legs.get(record.call), self._peers.get(record.call)
        if leg is not None:
            found["leg"] = leg
        if peer_leg is not None:
            found["peer_leg"] = peer_leg
        for name in _NAMES[type(body)]:
            value = plain(getattr(body, name))
            if value is not None and value != "":
                found[name] = value
        if peer_leg is not None and found.get("leg") == peer_leg:
            del found["peer_leg"]
        return found


def _level(kind: type[Any], body: LogBody) -> int:
    if isinstance(body, OfferEnded) and body.outcome is OfferOutcome.ANSWERED:
        return logging.DEBUG
    if (isinstance(body, TrunkStateChanged) and body.up) or (
        isinstance(body, TrunkRegistrationChanged) and body.registered
    ):
        return logging.INFO
    return _LEVELS[kind]
