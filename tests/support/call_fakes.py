"""Stand-ins for everything around the calls layer, each of which keeps the contract that it stands for.

`FakeLegs` runs every leg through the real leg table, `FakeMedia` models ports, edges and players and refuses a command
about a leg that is not open, `FakeQueues` is a queue whose matcher is the test. `call_rig.Rig` joins them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import (
    NOTHING_CARRIED,
    Answered,
    Carried,
    Ended,
    KeyPressed,
    LegEvent,
    LocalMedia,
    Moved,
    MoveRefused,
    Offered,
    Origin,
    Party,
    RemoteMedia,
    Ringing,
    TransferAsked,
    Updated,
)
from engine.calls.final_status import failure_cause
from engine.calls.leg import TABLE, LegAction, LegInput, LegState
from engine.calls.ports import (
    Destination,
)
from engine.ids import LegId, TransferId
from engine.media.commands import (
    Codec,
    Direction,
)

BYE = 200


class Numbers:
    """An IdSource that counts."""

    def __init__(self) -> None:
        self._n = 0

    def token(self) -> str:
        self._n += 1
        return f"id{self._n}"


@dataclass
class SetClock:
    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now


def remote(codec: Codec = Codec.PCMU, direction: Direction = Direction.SENDRECV, port: int = 4000) -> RemoteMedia:
    return RemoteMedia(
        address="192.0.2.1",
        port=port,
        flow_address="192.0.2.1",
        codec=codec,
        payload_type=0 if codec is Codec.PCMU else 8,
        dtmf_payload_type=101,
        direction=direction,
        opaque="opus/48000/2" if codec is Codec.OPAQUE else "",
    )


@dataclass
class FakeLeg:
    state: LegState = LegState.IDLE
    incoming: bool = False
    destination: Destination | None = None
    caller: Party | None = None
    media: LocalMedia | None = None
    codec: Codec = Codec.PCMU
    """What was agreed."""
    carried: Carried = NOTHING_CARRIED
    cause: EndCause | None = None
    """Why we ended it."""
    text: str = ""
    """What the person at the phone was told then."""
    refused_with: int | None = None
    q850: int | None = None
    retry_after_s: int | None = None


@dataclass
class FakeLegs:
    """LegPort. The far ends are moved by the test."""

    legs: dict[LegId, FakeLeg] = field(default_factory=dict)
    events: deque[LegEvent] = field(default_factory=deque)
    joined: list[tuple[LegId, LegId]] = field(default_factory=list)
    """Legs that were told each other's names of the session."""
    auto_end: bool = True
    """Whether the far side answers our hang-up or cancel at once."""
    counter: int = 0
    transfers: dict[TransferId, list[str | EndCause]] = field(default_factory=dict)
    """What was said of each transfer."""
    keys: list[tuple[LegId, str, int]] = field(default_factory=list)
    moves: list[tuple[LegId, LocalMedia]] = field(default_factory=list)
    """Asked for, and not answered yet."""

    def _step(self, leg_id: LegId, happened: LegInput) -> LegAction | None:
        leg = self.legs[leg_id]
        transition = TABLE.get((leg.state, happened))
        if transition is None:
            return None
        leg.state = transition.state
        return transition.action

    def _end(self, leg_id: LegId, cause: EndCause, *, early: bool = False) -> None:
        if self._step(leg_id, LegInput.GONE) is not None:
            own = self.legs[leg_id].cause
            self.events.append(Ended(leg=leg_id, cause=own or cause, early=early))

    # LegPort

    def place(
        self,
        leg: LegId,
        destination: Destination,
        caller: Party,
        media: LocalMedia,
        now: float,
        *,
        carried: Carried = NOTHING_CARRIED,
    ) -> None:
        assert leg not in self.legs, "a leg is placed once"
        self.legs[leg] = FakeLeg(destination=destination, caller=caller, media=media, carried=carried)
        self._step(leg, LegInput.PLACE)

    def join(self, leg: LegId, other: LegId) -> None:
        self.joined.append((leg, other))

    def ring(self, leg: LegId, now: float) -> None:
        self._step(leg, LegInput.RING)

    def answer(self, leg: LegId, media: LocalMedia, now: float) -> None:
        if self._step(leg, LegInput.ANSWER) is not None:
            self.legs[leg].media = media

    def reject(
        self,
        leg: LegId,
        status: int,
        reason: str,
        now: float,
        *,
        retry_after_s: int | None = None,
        q850: int | None = None,
    ) -> None:
        assert 400 <= status <= 699
        if self._step(leg, LegInput.REJECT) is not None:
            self.legs[leg].refused_with = status
            self.legs[leg].q850 = q850
            self.legs[leg].retry_after_s = retry_after_s

    def end(self, leg: LegId, cause: EndCause, now: float, *, text: str = "") -> None:
        action = self._step(leg, LegInput.END)
        if action is None:
            return
        self.legs[leg].cause, self.legs[leg].text = cause, text
        if action is LegAction.SEND_REFUSAL_AND_TELL_ENDED:
            self.events.append(Ended(leg=leg, cause=cause))
        elif self.auto_end:
            self._end(leg, cause)

    def key(self, leg: LegId, digit: str, duration_ms: int, now: float) -> None:
        self.keys.append((leg, digit, duration_ms))

    def move(self, leg: LegId, media: LocalMedia, now: float) -> None:
        self.moves.append((leg, media))

    # TransferPort

    def accept(self, transfer: TransferId, now: float) -> None:
        assert self.transfers[transfer] == []
        self.transfers[transfer].append("accepted")

    def refuse(self, transfer: TransferId, cause: EndCause, now: float) -> None:
        assert self.transfers[transfer] == []
        self.transfers[transfer].append(cause)

    def ringing(self, transfer: TransferId, now: float) -> None:
        assert self.transfers[transfer][0] == "accepted"
        self.transfers[transfer].append("ringing")

    def over(self, transfer: TransferId, cause: EndCause | None, now: float) -> None:
        said = self.transfers[transfer]
        assert said[0] == "accepted"
        assert said[-1] in ("accepted", "ringing"), "the last word is said once"
        said.append("done" if cause is None else cause)

    # what the far ends do

    def far_transfer(self, leg: LegId, number: str = "", *, to: LegId | None = None, lost: bool = False) -> TransferId:
        """Whoever is on the leg presses transfer: to a number, or to the other side of another leg of his."""
        transfer = TransferId(len(self.transfers) + 1)
        self.transfers[transfer] = []
        attended = to is not None or lost
        self.events.append(
            TransferAsked(leg=leg, transfer=transfer, number=number, replaces_asked=attended, replaces=to)
        )
        return transfer

    def far_key(self, leg: LegId, digit: str) -> None:
        self.events.append(KeyPressed(leg=leg, digit=digit, duration_ms=160))

    def offer(
        self,
        origin: Origin,
        called: str,
        caller: Party,
        replaces: LegId | None = None,
        *,
        carried: Carried = NOTHING_CARRIED,
    ) -> LegId:
        self.counter += 1
        leg = LegId(f"in{self.counter}")
        self.legs[leg] = FakeLeg(incoming=True)
        self._step(leg, LegInput.INCOMING)
        name = f"{leg}@test"
        self.events.append(
            Offered(
                leg=leg,
                origin=origin,
                called=called,
                caller=caller,
                protocol_id=name,
                replaces=replaces,
                carried=carried,
            )
        )
        return leg

    def far_ring(self, leg: LegId) -> None:
        if self._step(leg, LegInput.FAR_RINGING) is not None:
            self.events.append(Ringing(leg=leg))

    def far_answer(self, leg: LegId, codec: Codec = Codec.PCMU) -> None:
        if self._step(leg, LegInput.FAR_ANSWERED) is LegAction.TELL_ANSWERED:
            self.legs[leg].codec = codec
            self.events.append(Answered(leg=leg, media=remote(codec)))

    def confirm(self, leg: LegId, codec: Codec = Codec.PCMU) -> None:
        if self._step(leg, LegInput.CONFIRMED) is not None:
            self.legs[leg].codec = codec
            self.events.append(Answered(leg=leg, media=remote(codec)))

    def far_update(self, leg: LegId, direction: Direction) -> None:
        if self._step(leg, LegInput.CHANGED) is LegAction.TAKE_CHANGE:
            self.events.append(Updated(leg=leg, media=remote(self.legs[leg].codec, direction)))

    def far_take(self, leg: LegId, codec: Codec) -> None:
        """The far side answers a re-INVITE of ours, with this codec."""
        local = self._asked(leg)
        if local is not None:
            self.legs[leg].codec = codec
            self.events.append(Moved(leg=leg, local=local, remote=remote(codec)))

    def far_stay(self, leg: LegId, status: int = 488) -> None:
        """It refuses it."""
        local = self._asked(leg)
        if local is not None:
            self.events.append(MoveRefused(leg=leg, local=local, status=status, reason="Not Acceptable Here"))

    def _asked(self, leg: LegId) -> LocalMedia | None:
        found = next(move for move in self.moves if move[0] == leg)
        self.moves.remove(found)
        return found[1] if self.legs[leg].state is LegState.UP else None

    def far_fail(
        self,
        leg: LegId,
        status: int,
        *,
        timed_out: bool = False,
        early: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        """The far side of a placed leg refuses, perhaps after it sent early media."""
        if self.legs[leg].state in (LegState.PLACING, LegState.RINGING):
            cause = replace(failure_cause(status, timed_out=timed_out), retry_after_s=retry_after_s)
            self._end(leg, cause, early=early)

    def far_hang_up(self, leg: LegId) -> None:
        """The phone on this leg hangs up, or gives up calling, or is lost; whichever fits its state."""
        found = self.legs[leg]
        if found.incoming and found.state in (LegState.OFFERED, LegState.ALERTING):
            self._end(leg, EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487))
        elif found.incoming:
            self._end(leg, EndCause(outcome=Outcome.SUCCESS, reason=Reason.CALLER_HANGUP, sip_code=BYE))
        elif found.state in (LegState.UP, LegState.ENDING):
            self._end(leg, EndCause(outcome=Outcome.SUCCESS, reason=Reason.AGENT_HANGUP, sip_code=BYE))
        else:
            self.far_fail(leg, 480)

    def far_end_done(self, leg: LegId) -> None:
        """The far side has answered our hang-up or cancel (`auto_end` off)."""
        if self.legs[leg].state is LegState.ENDING:
            self._end(leg, EndCause(outcome=Outcome.SERVER, reason=Reason.PROTOCOL))

    def placed(self, state: LegState | None = None) -> list[LegId]:
        return [leg for leg, f in self.legs.items() if not f.incoming and (state is None or f.state is state)]

    def left(self) -> list[LegId]:
        return [leg for leg, f in self.legs.items() if f.state is not LegState.ENDED]
