"""Onward: what a caller was played leads on to another number, as if he had dialled it when he came.

The seam for menus: whoever has learnt what the caller wants names a number, and its destination takes the call.
"""

from __future__ import annotations

from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destinations import destination_for
from engine.calls.log import CallRouted
from engine.calls.routing import Router, ToAgent, ToGroup, ToPlay, ToTrunk
from engine.media.commands import Tone

MAX_STEPS: Final = 100
"""Numbers that a call may be led on to, one after the other: a round that plays nothing would never end."""

_ASTRAY: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.NO_ROUTE, sip_code=500)


class Onward:
    """See the module."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def go(self, call: Call, step: ToPlay, number: str, now: float) -> None:
        """Lead the caller on to this number, with the rights with which he reached the step. Who hears him ring there
        is played ringback meanwhile: he is answered already."""
        assert step.origin is not None, "the router says with whose rights"
        call.board.timers.cancel(call.id)
        call.steps += 1
        if call.steps > MAX_STEPS:
            call.finish(_ASTRAY, ENGINE, now)
            return
        route = self._router.route(context=step.context, called=number, origin=step.origin)
        call.destination = destination_for(call, route)
        call.board.log(call.id, CallRouted(destination=call.destination.name, number=number), now)
        if isinstance(route, ToAgent | ToTrunk | ToGroup):
            call.play(call.caller, "ringback", call.board.config.sounds.tone(Tone.RINGBACK), loop=True)
        call.destination.start(now)
