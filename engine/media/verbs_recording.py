"""Recordings: the commands about them, the beeps that tell the parties, and what becomes of them when legs close."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, Final

from engine.media.beep import tone
from engine.media.codecs import FORMS, INDEX, RATE
from engine.media.commands import (
    AimRecording,
    Beep,
    PauseRecording,
    ResumeRecording,
    StartRecording,
    StopRecording,
    TidyRecordings,
)
from engine.media.events import RecordingInfo
from engine.media.leg import Leg
from engine.media.player import Item, Player
from engine.media.recorders import Recorder
from engine.media.refusal import CommandFailed, check_gain
from engine.media.vault import VaultError
from engine.media.wire import Tapes

if TYPE_CHECKING:
    from engine.media.switchboard import Switchboard, Verbs

TICKS_PER_S: Final = 50
MIN_BEEP_S: Final = 2.0
"""Beeps that follow one another more closely would be heard instead of the call."""
MAX_STEM: Final = 3900


class RecordingVerbs:
    """See the module."""

    def __init__(self, board: Switchboard, tapes: Tapes) -> None:
        self.board = board
        self.recorders = board.step.recorders
        self._tapes = tapes
        self._beeping: dict[Recorder, Beep] = {}
        """Recordings whose parties are told."""

    def verbs(self) -> Verbs:
        return {
            StartRecording: self._start,
            AimRecording: self._aim,
            PauseRecording: self._pause,
            ResumeRecording: self._resume,
            StopRecording: self._stop,
            TidyRecordings: self._tidy,
        }

    def _start(self, command: StartRecording, now: float) -> None:
        if self.recorders.get(command.recording) is not None:
            raise CommandFailed(f"recording {command.recording!r} runs already")
        if not os.path.isabs(command.stem) or "\0" in command.stem or len(command.stem) > MAX_STEM:
            raise CommandFailed(f"stem {command.stem[:80]!r} is no absolute path")
        if command.beep is not None:
            check_gain(command.beep.dbm0)
            if command.beep.every_s and command.beep.every_s < MIN_BEEP_S:
                raise CommandFailed(f"a beep every {command.beep.every_s} s; at least {MIN_BEEP_S} must lie between")
        left, right = self._pair(command)
        rate = max(_rate(leg) for leg in (left, right) if leg is not None)
        name = command.recording
        try:
            tape = self._tapes.open(command, rate, lambda: self._lost(name))
        except VaultError as error:
            raise CommandFailed(str(error)) from error
        reel = self.recorders.reels[rate]
        recorder = Recorder(name=name, path=command.path, left=left, right=right, tape=tape, reel=reel, began=now)
        self.recorders.add(recorder)
        self._tap(recorder, 1)
        if command.beep is not None and (command.beep.at_start or command.beep.every_s):
            self._beeping[recorder] = command.beep

    def _pair(self, command: StartRecording | AimRecording) -> tuple[Leg, Leg | None]:
        left = self.board.leg(command.leg)
        right = None if command.other is None else self.board.leg(command.other)
        for leg in (left, right):
            if leg is not None and leg.codec not in INDEX:
                raise CommandFailed(f"leg {leg.name!r} is in a codec that is only passed through: {leg.codec}")
        if right is left:
            raise CommandFailed("both channels are the same leg")
        return left, right

    def _aim(self, command: AimRecording, now: float) -> None:
        recorder = self._recorder(command.recording)
        left, right = self._pair(command)
        self._tap(recorder, -1)
        recorder.left, recorder.right, recorder.hears = left, right, right is None
        self._tap(recorder, 1)

    def _pause(self, command: PauseRecording, now: float) -> None:
        self._recorder(command.recording).paused = True
        self.board.step.dirty = True

    def _resume(self, command: ResumeRecording, now: float) -> None:
        self._recorder(command.recording).paused = False
        self.board.step.dirty = True

    def _stop(self, command: StopRecording, now: float) -> None:
        self._end(self._recorder(command.recording))

    def _tidy(self, command: TidyRecordings, now: float) -> None:
        try:
            self._tapes.tidy(command)
        except VaultError as error:
            raise CommandFailed(str(error)) from error

    def running(self) -> tuple[RecordingInfo, ...]:
        """All that run, for a control process that is new here."""
        return tuple(
            RecordingInfo(
                recording=each.name,
                path=each.path,
                leg="" if each.left is None else each.left.name,
                other=None if each.right is None else each.right.name,
                started=each.began,
                paused=each.paused,
            )
            for each in self.recorders.all()
        )

    def _recorder(self, name: str) -> Recorder:
        recorder = self.recorders.get(name)
        if recorder is None:
            raise CommandFailed(f"unknown recording {name!r}")
        return recorder

    def _lost(self, name: str) -> None:
        recorder = self.recorders.get(name)
        if recorder is not None:
            self._end(recorder)

    def _end(self, recorder: Recorder) -> None:
        self.recorders.remove(recorder)
        self._beeping.pop(recorder, None)
        self._tap(recorder, -1)
        recorder.tape.finish()

    def closed(self, leg: Leg) -> None:
        """A leg is about to be closed: its channel is silent from now on, and a recording that has no other ends."""
        if not leg.recorded and not leg.overheard:
            return
        for recorder in self.recorders.all():
            if leg in recorder.legs():
                self._tap(recorder, -1)
                if recorder.left is leg:
                    recorder.left = None
                else:
                    recorder.right = None
                self._tap(recorder, 1)
                if recorder.left is None and recorder.right is None:
                    self._end(recorder)

    def _tap(self, recorder: Recorder, count: int) -> None:
        """Begin (1) or cease (-1) to take in the legs of a recording."""
        for leg in recorder.legs():
            leg.recorded += count
        if recorder.hears and recorder.left is not None:
            recorder.left.overheard += count
            for edge in self.board.matrix.edges(recorder.left):
                self.board.fit_row(edge.source)
        for leg in recorder.legs():
            self.board.fit_row(leg)
        self.board.step.dirty = True

    # --- beeps ---

    def tick(self, tick: int) -> None:
        """Begin the beeps that are due."""
        for recorder, beep in list(self._beeping.items()):
            every = round(beep.every_s * TICKS_PER_S)
            if recorder.beep_tick is None:
                recorder.beep_tick = tick if beep.at_start else tick + every
            if tick < recorder.beep_tick:
                continue
            if every:
                recorder.beep_tick = tick + every
            else:
                del self._beeping[recorder]
            if not recorder.paused:
                for leg in self._parties(recorder):
                    leg.overlay = Player(name="", items=(Item(tone()),), loop=False, gain_db=beep.dbm0)
                    self.board.refresh(leg)

    def _parties(self, recorder: Recorder) -> list[Leg]:
        """Who is to hear that they are recorded: the legs, and whom one of them hears. Not who cannot hear sound
        of ours."""
        legs = list(recorder.legs())
        if recorder.hears and recorder.left is not None:
            legs += [edge.source for edge in self.board.matrix.edges(recorder.left) if edge.source is not recorder.left]
        return [leg for leg in legs if leg.tx.send is not None and leg.codec in INDEX]

    def beeped(self, leg: Leg) -> None:
        """A beep is over: the leg hears again as before."""
        leg.overlay = None
        self.board.refresh(leg)


def _rate(leg: Leg) -> int:
    """Samples per second of what a leg says and hears."""
    form = FORMS.get(leg.codec)
    return RATE if form is None else form.samples * 50
