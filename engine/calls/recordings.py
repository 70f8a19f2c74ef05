"""Which calls are recorded: begun by a rule when two are put together or by a person at any time, aimed anew when the
call gets other legs, and told of to the log up to the last word of the media process, which comes after the call.

A recording whose legs are closed ends by itself, in the media process, also when nobody commands that any more.

Two who talk in a codec that is only passed on are asked for another first (`decoding`). Where one of them refuses, the
call goes on and is not recorded: the log says so, and who wanted it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from engine.calls.decoding import Asked
from engine.calls.recording_records import (
    RecordingBegan,
    RecordingEnded,
    RecordingFound,
    RecordingGapped,
    RecordingMissed,
    RecordingPaused,
    RecordingResumed,
    RecordingStopped,
)
from engine.calls.recording_rules import RecordingRules
from engine.errors import InvalidRequest, NotFound
from engine.ids import CallId, LegId
from engine.media import events as media_plane
from engine.media.commands import AimRecording, Codec, PauseRecording, ResumeRecording, StartRecording, StopRecording

if TYPE_CHECKING:
    from engine.calls.call import Call
    from engine.calls.decoding import Decoding
    from engine.calls.directory import Directory
    from engine.calls.journal import Journal
    from engine.calls.ports import MediaPort
    from engine.calls.switchboard import CallLeg

_LOST: Final = "the media process was lost; what is on the disk is finished when the next one starts"


class RecordingAction(StrEnum):
    """What a person may do about the recording of a live call."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


class RecordingState(StrEnum):
    """How a live call stands."""

    OFF = ""
    ON = "on"
    PAUSED = "paused"
    WAITING = "waiting"
    """The parties are being asked for a codec that can be decoded."""


@dataclass(slots=True, kw_only=True)
class Track:
    """One file that grows."""

    name: str
    call: CallId
    leg: LegId
    other: LegId | None
    path: str
    by: str


@dataclass(slots=True)
class _Recorded:
    """What is recorded of one live call."""

    by: str
    tracks: list[Track] = field(default_factory=list)
    paused: bool = False
    stopped: bool = False
    """By a person: no rule begins it again."""
    waits: bool = False
    """For the parties to have a codec that can be decoded."""
    count: int = 0
    """Files so far."""


class Recordings:
    """See the module."""

    def __init__(
        self,
        media: MediaPort,
        directory: Directory,
        journal: Journal,
        rules: RecordingRules,
        live: Mapping[CallId, Call],
        decoding: Decoding,
    ) -> None:
        """`live`: all calls that are."""
        self.rules = rules
        self._live = live
        self._media = media
        self._directory = directory
        self._journal = journal
        self._decoding = decoding
        self._calls: dict[CallId, _Recorded] = {}
        self._refused: dict[CallId, str] = {}
        """Why live calls are not recorded that should be."""
        self._tracks: dict[str, Track] = {}
        """Until the media process has said its last word about them."""

    def __len__(self) -> int:
        """Files that are being written or finished."""
        return len(self._tracks)

    def state(self, call: CallId) -> RecordingState:
        """How a live call stands."""
        recorded = self._calls.get(call)
        if recorded is None or recorded.stopped:
            return RecordingState.OFF
        if recorded.waits:
            return RecordingState.WAITING
        return RecordingState.PAUSED if recorded.paused else RecordingState.ON

    def refusal(self, call: CallId) -> str:
        """Why a live call is not recorded that should be; empty where there is no reason."""
        return self._refused.get(call, "")

    # --- what happens to calls ---

    def linked(self, call: Call, far: CallLeg) -> None:
        """These two hear each other from now on: a recording that runs goes on with them."""
        recorded = self._calls.get(call.id)
        if recorded is None or recorded.stopped:
            return
        if recorded.waits or self._decoding.need_all(call.caller, far):
            recorded.waits = True
        else:
            self._go_on(call, recorded, far)

    def _go_on(self, call: Call, recorded: _Recorded, far: CallLeg) -> None:
        """Record what these two say from now on."""
        if self.rules.per_leg:
            known = {track.leg for track in recorded.tracks}
            for leg in (call.caller, far):
                if leg.id not in known:
                    self._begin(call, recorded, leg.id, None)
            return
        legs = (call.caller.id, far.id)
        for track in recorded.tracks:
            if {track.leg, track.other} != set(legs):
                left = track.leg if track.leg in legs else next(leg for leg in legs if leg != track.other)
                track.leg, track.other = left, next(leg for leg in legs if leg != left)
                self._media.send(AimRecording(recording=track.name, leg=track.leg, other=track.other))

    def connected(self, call: Call, far: CallLeg, now: float) -> None:
        """Two talk: begin, where a rule says so."""
        if not self.rules.directory:
            return
        recorded = self._calls.get(call.id)
        if recorded is not None:
            self.media_changed(call, now)
            return
        by = self._rule(call, far)
        if by:
            self._start(call, far, by, now)

    def media_changed(self, call: Call, now: float) -> None:
        """A leg of it has another codec, or will have none: what waited for that is done, or is not to be."""
        recorded = self._calls.get(call.id)
        if recorded is not None and recorded.waits:
            self._settle(call, recorded, call.destination.other(call.caller), now)

    def _settle(self, call: Call, recorded: _Recorded, far: CallLeg | None, now: float) -> None:
        """Record the two, or, where nobody talks to the caller, what he says and hears; ask them for a codec that can
        be decoded where that is needed."""
        legs = (call.caller,) if far is None else (call.caller, far)
        recorded.waits = self._decoding.need_all(*legs)
        if recorded.waits:
            for leg in legs:
                if leg.decodable is Asked.REFUSED and leg.remote is not None and leg.remote.codec is Codec.OPAQUE:
                    return self._refuse(call, recorded, leg, leg.remote.codec_name, now)
        elif not recorded.tracks:
            self._begin_all(call, recorded, far)
        elif far is not None:
            self._go_on(call, recorded, far)

    def _refuse(self, call: Call, recorded: _Recorded, leg: CallLeg, codec: str, now: float) -> None:
        """It cannot be recorded, as far as it is not already."""
        reason = f"{leg.who} speaks {codec}, which can only be passed through, and has refused any other codec"
        self._refused[call.id] = reason
        recorded.waits = False
        names = [track.name for track in recorded.tracks] or [str(call.id)]
        for name in names:
            self._journal.append(RecordingMissed(recording=name, reason=reason), now=now, call=call.id)
        if not recorded.tracks:
            del self._calls[call.id]

    def _rule(self, call: Call, far: CallLeg) -> str:
        """Whose doing it is that this call is recorded; empty where it is not."""
        if self.rules.everything:
            return "config"
        directory = self._directory
        queue = None if call.queue is None else directory.queues.get(call.queue)
        if queue is not None and queue.record:
            return f"queue:{queue.name}"
        for leg in (call.caller, far):
            if leg.agent is not None:
                agent = directory.agents.get(leg.agent)
                if agent is not None and agent.record:
                    return leg.who
            elif leg.trunk is not None:
                trunk = directory.trunks.get(leg.trunk)
                if trunk is not None and trunk.record:
                    return leg.who
        return ""

    def found(self, info: media_plane.RecordingInfo, now: float) -> None:
        """This one runs, begun by a control process before us: know it until its last word."""
        if info.recording in self._tracks:
            return
        call, other = _call_of(info.recording), None if info.other is None else LegId(info.other)
        track = Track(name=info.recording, call=call, leg=LegId(info.leg), other=other, path=info.path, by="")
        self._tracks[track.name] = track
        recorded = self._calls.setdefault(call, _Recorded(""))
        recorded.tracks.append(track)
        recorded.paused = info.paused
        seconds = round(max(0.0, now - info.started), 3)
        self._journal.append(RecordingFound(recording=track.name, path=track.path, seconds=seconds), now=now, call=call)

    def ended(self, call: CallId) -> None:
        """The call is over. A leg of it may go on in another, so its recordings are told to end."""
        self._refused.pop(call, None)
        recorded = self._calls.pop(call, None)
        if recorded is not None:
            for track in recorded.tracks:
                self._media.send(StopRecording(recording=track.name))

    # --- what people do ---

    def act(self, call_id: CallId, action: RecordingAction, by: str, now: float) -> None:
        """Carry out what a person wants. Of a call that was left over by a control process before us, what it began can
        be paused and ended. Raises NotFound for a call that is none, InvalidRequest where it cannot be."""
        call, recorded = self._live.get(call_id), self._calls.get(call_id)
        if call is None and (recorded is None or action is RecordingAction.START):
            raise NotFound(f"no live call {call_id!r}")
        runs = recorded is not None and not recorded.stopped
        if action is RecordingAction.START:
            assert call is not None, "the call was looked for"
            if runs:
                raise InvalidRequest(f"call {call.id} is recorded already")
            if call.answered_at is None:
                raise InvalidRequest(f"call {call.id} is not answered yet")
            far = call.destination.other(call.caller)
            if not self.rules.directory:
                raise InvalidRequest("no directory for recordings is configured")
            self._start(call, far, by, now)
            if self.state(call.id) is RecordingState.OFF:
                raise InvalidRequest(f"call {call.id} cannot be recorded: {self.refusal(call.id)}")
        elif recorded is None or recorded.stopped:
            raise InvalidRequest(f"call {call_id} is not recorded")
        elif action is RecordingAction.STOP:
            recorded.stopped, recorded.waits = True, False
            for track in recorded.tracks:
                self._media.send(StopRecording(recording=track.name))
                self._journal.append(RecordingStopped(recording=track.name, by=by), now=now, call=call_id)
            recorded.tracks.clear()
            if call is None:
                del self._calls[call_id]
        else:
            self._pause(call_id, recorded, action is RecordingAction.PAUSE, by, now)

    def _pause(self, call: CallId, recorded: _Recorded, paused: bool, by: str, now: float) -> None:
        if recorded.paused is paused:
            return
        recorded.paused = paused
        for track in recorded.tracks:
            name = track.name
            self._media.send(PauseRecording(recording=name) if paused else ResumeRecording(recording=name))
            told = RecordingPaused(recording=name, by=by) if paused else RecordingResumed(recording=name, by=by)
            self._journal.append(told, now=now, call=call)

    # --- files ---

    def _start(self, call: Call, far: CallLeg | None, by: str, now: float) -> None:
        """Without a far leg, in a conference or a queue: what the caller says and hears."""
        recorded = self._calls.setdefault(call.id, _Recorded(by))
        recorded.by, recorded.stopped, recorded.paused = by, False, False
        self._refused.pop(call.id, None)
        self._settle(call, recorded, far, now)

    def _begin_all(self, call: Call, recorded: _Recorded, far: CallLeg | None) -> None:
        if self.rules.per_leg or far is None:
            self._begin(call, recorded, call.caller.id, None)
        if far is None:
            return
        if self.rules.per_leg:
            self._begin(call, recorded, far.id, None)
        else:
            self._begin(call, recorded, call.caller.id, far.id)

    def _begin(self, call: Call, recorded: _Recorded, leg: LegId, other: LegId | None) -> None:
        rules = self.rules
        recorded.count += 1
        name = f"{call.id}-{recorded.count}" if recorded.count > 1 or rules.per_leg else str(call.id)
        part = name.removeprefix(str(call.id))
        stem = f"{rules.directory}/{rules.name(call.id)}{part}"
        track = Track(name=name, call=call.id, leg=leg, other=other, path=stem + rules.ending(), by=recorded.by)
        recorded.tracks.append(track)
        self._tracks[name] = track
        self._media.send(
            StartRecording(
                recording=name, leg=leg, other=other, stem=stem, format=rules.format, key=rules.key, beep=rules.beep
            )
        )
        if recorded.paused:
            self._media.send(PauseRecording(recording=name))

    # --- what the media process says ---

    def media_event(self, event: media_plane.MediaEvent, now: float) -> None:
        """Something happened to a file."""
        match event:
            case media_plane.RecordingStarted(recording=name, rate=rate):
                track = self._tracks.get(name)
                if track is not None:
                    began = RecordingBegan(recording=name, path=track.path, rate=rate, by=track.by)
                    self._journal.append(began, now=now, call=track.call)
            case media_plane.RecordingGap(recording=name, gap=gap, over=over):
                track = self._tracks.get(name)
                if track is not None:
                    told = RecordingGapped(
                        recording=name, at_s=gap.at_s, seconds=gap.seconds, reason=gap.reason, over=over
                    )
                    self._journal.append(told, now=now, call=track.call)
            case media_plane.RecordingFinished():
                self._finished(event, now)
            case media_plane.RecordingFailed(recording=name, command=command, reason=reason):
                self._failed(name, command, reason, now)
            case _:
                pass

    def _finished(self, event: media_plane.RecordingFinished, now: float) -> None:
        track = self._tracks.get(event.recording)
        ended = RecordingEnded(
            recording=event.recording,
            path=event.path,
            seconds=event.seconds,
            octets=event.octets,
            lost_s=event.lost_s,
            trouble=event.trouble,
        )
        self._journal.append(ended, now=now, call=_call_of(event.recording) or None)
        if track is not None:
            self._forget(track)

    def _failed(self, name: str, command: str, reason: str, now: float) -> None:
        track = self._tracks.get(name)
        if track is None and command != "TidyRecordings":
            return  # told already, with the process that had it
        missed = RecordingMissed(recording=name, reason=reason)
        self._journal.append(missed, now=now, call=None if track is None else track.call)
        if track is not None and command in ("StartRecording", "StopRecording"):
            self._forget(track)

    def _forget(self, track: Track) -> None:
        """It is over: by its last word, or because its legs were closed under it."""
        del self._tracks[track.name]
        recorded = self._calls.get(track.call)
        if recorded is not None and track in recorded.tracks:
            recorded.tracks.remove(track)
            if not recorded.tracks:
                del self._calls[track.call]

    def media_lost(self, legs: Sequence[str], now: float) -> None:
        """A media process is gone, with these legs."""
        gone = set(legs)
        for track in [track for track in self._tracks.values() if track.leg in gone or track.other in gone]:
            missed = RecordingMissed(recording=track.name, reason=_LOST)
            self._journal.append(missed, now=now, call=track.call)
            self._forget(track)


def _call_of(recording: str) -> CallId:
    """Whose it is by its name (`_begin`); empty for what a process that crashed has left, which is named by a path."""
    return CallId("" if "/" in recording else recording.partition("-")[0])
