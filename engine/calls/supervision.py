"""A supervisor on a live call: he listens, whispers to its agent, or takes part.

The engine calls the supervisor's phone; that is a call of its own, whose caller's leg is placed, and which has a record
of its own. Once the phone is up, edges join it with the two who talk:

    listen    both are heard
    whisper   and the agent hears the supervisor
    barge     and the other side hears him too

While the two are parted (one of them holds, or a transfer is under way) the supervisor hears nobody and nobody hears
him. It ends with the call that is supervised, or when the supervisor hangs up; and at once where one of the two keeps
a codec that we cannot decode, so that nobody else can be mixed with them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import NO_CODEC, Destination, Phase
from engine.calls.mixing_records import SupervisionChanged, SupervisionEnded
from engine.calls.ports import AgentPhone
from engine.calls.switchboard import CallLeg
from engine.ids import AgentName, LegId
from engine.media.commands import Connect, Disconnect

RING_S: Final = 30.0
"""How long the supervisor's phone rings."""

_NO_ANSWER: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NO_ANSWER, sip_code=480)
_OVER: Final = EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)


class SupervisionMode(StrEnum):
    """What a supervisor's presence in a call is like."""

    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


class Supervision(Destination):
    """One supervisor on one call. Its own call's caller is the supervisor's phone."""

    def __init__(self, call: Call, watched: Call, mode: SupervisionMode, by: str) -> None:
        super().__init__(call)
        assert call.caller.agent is not None, "a supervisor is an agent"
        self.agent: AgentName = call.caller.agent
        self.watched = watched
        self.mode = mode
        self.name = f"{mode}:{watched.id}"
        self._by = by
        self._up = False
        self._edges: set[tuple[LegId, LegId]] = set()
        """(source, sink) of what the media process was told."""

    @property
    def up(self) -> bool:
        """The supervisor's phone has answered."""
        return self._up

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        call, board = self.call, self.call.board
        board.timers.set(call.id, now + RING_S)
        leg.answered = True  # the dialog is ours: it ends by being cancelled or hung up, never by a refusal
        phone = AgentPhone(agent=self.agent, answers=board.config.auto_answer)
        board.place(leg, phone, call.party, None, now)

    def caller_up(self, now: float) -> None:
        self._up = True
        self.call.board.timers.cancel(self.call.id)
        self._tell(now)
        self.settle()
        self.undecodable_call(now)

    def change(self, mode: SupervisionMode, by: str, now: float) -> None:
        """From now on in this way."""
        self._by = by
        if mode is self.mode:
            return
        self.mode = mode
        if self._up:
            self._tell(now)
            self.settle()

    def _tell(self, now: float) -> None:
        told = SupervisionChanged(agent=self.agent, mode=self.mode, supervision=self.call.id, by=self._by)
        self.call.board.log(self.watched.id, told, now)

    def settle(self) -> None:
        """Bring the edges in line with the mode and with who talks to whom now."""
        if not self._up:
            return
        wanted = self._wanted()
        for source, sink in self._edges - wanted:
            self.call.board.media.send(Disconnect(source=source, sink=sink))
        for source, sink in sorted(wanted - self._edges):
            self.call.board.media.send(Connect(source=source, sink=sink))
        self._edges = wanted

    def _wanted(self) -> set[tuple[LegId, LegId]]:
        own, one = self.call.caller, self.watched.caller
        other = self.watched.destination.hearing()
        if other is None or self.call.board.decoding.need_all(one, other):
            return set()
        edges = {(one.id, own.id), (other.id, own.id)}
        if own.holding or self.mode is SupervisionMode.LISTEN:
            return edges
        coached = one if one.agent is not None and one.agent == self.watched.agent else other
        if self.mode is SupervisionMode.WHISPER:
            return edges | {(own.id, coached.id)}
        return edges | {(own.id, one.id), (own.id, other.id)}

    def media_changed(self, leg: CallLeg, now: float) -> None:
        self.settle()

    def undecodable_call(self, now: float) -> None:
        """End, and say so, where one of the two was asked for another codec and refused."""
        for leg in (self.watched.caller, *self.watched.far.values()):
            if self._up and not self.call.over and leg.keeps_undecoded:
                codec = "" if leg.remote is None else leg.remote.codec_name
                text = f"the call is spoken in {codec}, which nobody else can be mixed with"
                self.call.finish(NO_CODEC, ENGINE, now, text=text)

    def watched_ended(self, now: float) -> None:
        """The call that is supervised is over."""
        self.call.finish(_OVER, ENGINE, now)

    def expired(self, now: float) -> None:
        self.call.finish(_NO_ANSWER, ENGINE, now)

    def closing(self, cause: EndCause, ended_by: str, now: float) -> None:
        board = self.call.board
        others = [each for each in board.supervised.pop(self.watched.id, ()) if each is not self]
        if others:
            board.supervised[self.watched.id] = others
        if self._up:
            ended = SupervisionEnded(agent=self.agent, supervision=self.call.id)
            board.log(self.watched.id, ended, now)

    def caller_gone(self, cause: EndCause) -> EndCause:
        return cause

    def phase(self) -> Phase:
        if not self._up:
            return Phase.RINGING
        return Phase.TALKING if self._edges else Phase.HELD
