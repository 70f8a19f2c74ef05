"""A blind transfer: one side of a call asks that the other be put through to a number, as if it had dialled it itself.

    asked -> the other side is unlinked and hears ringback; the number's destination is tried with it
          -> taken (answered, in a queue, an announcement begins): whoever asked is let go
          -> came to nothing: the two are joined again; where whoever asked has left meanwhile, the caller of a queue
             goes back into it, any other call ends

While it is tried, the call's destination is the number's, and what it was before stands aside as `home`. The side that
is transferred is the call's caller from then on, whoever began the call: every destination is made for a caller.
A side that asks and hangs up has left, whatever becomes of the rest: its part is over, and told, at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.calls.call import TRANSFERRED
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.log import CallTransferred, TransferFailed, TransferKind, TransferStarted
from engine.calls.queued import Queued
from engine.media.commands import Tone

if TYPE_CHECKING:
    from engine.calls.call import Call
    from engine.calls.destination import Destination
    from engine.calls.switchboard import CallLeg
    from engine.ids import AgentName, TransferId

_GIVEN_UP: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487)
_PLAYER: Final = "transfer"


class BlindTransfer:
    """One attempt, from the request to its outcome. `call.attempt` is this while it lasts."""

    def __init__(self, call: Call, referrer: CallLeg, transfer: TransferId, *, number: str, context: str) -> None:
        """Made before the number's destination is: that may change what the call says of itself."""
        self._call = call
        self.referrer = referrer
        self._transfer = transfer
        self._number = number
        self._context = context
        self._home = call.destination
        self._queue = call.queue
        self._engaged: tuple[AgentName, ...] = ()
        self._left = False
        self._to: Destination | None = None
        """What is to be tried."""

    # --- the course of things ---

    def start(self, to: Destination, now: float) -> None:
        """Unlink the two, and try the number's destination with the side that is transferred."""
        call = self._call
        far = self._home.unlink()
        assert far is not None, "a transfer is of two who talk"
        if self.referrer is call.caller:
            call.turn_round(far)
        self._engaged = call.engaged
        call.board.transfers.accept(self._transfer, now)
        call.attempt = self
        call.destination = to
        started = TransferStarted(by=self.referrer.who, to=self._number, destination=to.name)
        call.board.log(call.id, started, now)
        call.play(call.caller, _PLAYER, call.board.config.sounds.tone(Tone.RINGBACK), loop=True)
        self._to = to
        self.go_on(now)

    def go_on(self, now: float) -> None:
        """Try the destination, as soon as the caller has a codec that will do for whoever is there."""
        to = self._to
        if to is not None and self._call.caller.awaits is None:
            self._to = None
            to.start(now)

    def ringing(self, now: float) -> None:
        """The far side's phone rings."""
        self._call.board.transfers.ringing(self._transfer, now)

    def succeeded(self, now: float) -> None:
        """The destination takes the caller."""
        call = self._call
        call.attempt = None
        call.board.transfers.over(self._transfer, None, now)
        self._leave(now)
        if self.referrer.id in call.far:
            call.drop(self.referrer, TRANSFERRED, now)

    def failed(self, cause: EndCause, ended_by: str, now: float) -> None:
        """The destination came to nothing."""
        call = self._call
        call.attempt = None
        call.board.timers.cancel(call.id)
        for leg in tuple(call.far.values()):
            if leg is not self.referrer:
                call.drop(leg, cause, now)
        for agent in call.engaged[len(self._engaged) :]:
            call.release(agent, now)
        call.board.transfers.over(self._transfer, cause, now)
        call.destination, call.queue = self._home, self._queue
        back = not self._left or isinstance(self._home, Queued)
        call.board.log(call.id, TransferFailed(to=self._number, cause=cause, returned=back), now)
        call.stop_playing(call.caller)
        if not self._left:
            self._home.link(self.referrer)
        elif isinstance(self._home, Queued) and self._queue is not None:
            call.destination = Queued(call, self._queue)
            call.destination.start(now)
        else:
            call.finish(cause, ended_by, now)

    def referrer_gone(self, now: float) -> None:
        """Whoever asked has hung up; the call has dropped the leg."""
        self._leave(now)

    def closing(self, cause: EndCause, ended_by: str, now: float) -> None:
        """The call ends while the transfer is under way: the caller hung up, or the engine ends it."""
        self._call.attempt = None
        self._call.board.transfers.over(self._transfer, _GIVEN_UP, now)
        if not self._left:
            self._home.closing(cause, ended_by, now)

    # --- inner ---

    def _leave(self, now: float) -> None:
        if self._left:
            return
        self._left = True
        let_go(
            self._call, self._home, self.referrer, TransferKind.BLIND, to=self._number, context=self._context, now=now
        )


def let_go(
    call: Call,
    home: Destination,
    leg: CallLeg,
    kind: TransferKind,
    *,
    to: str,
    context: str = "",
    other: str = "",
    now: float,
) -> None:
    """This leg's part in the call is over: log it, and free its agent. `home` is where the call was; one whose agent is
    the other side is kept up to the end of the call."""
    transferred = CallTransferred(kind=kind, by=leg.who, leg=leg.id, to=to, context=context, other_call=other)
    call.board.log(call.id, transferred, now)
    call.kept = tuple(each for each in (*call.kept, home) if not each.left(leg, now))
    if leg.agent is not None and leg.agent in call.engaged:
        call.release(leg.agent, now)
