"""What happens in a queue's line: callers come, give up, or have waited too long."""

from __future__ import annotations

from typing import Final

from engine.acd.caller import Caller, CallerInput
from engine.acd.floor import DeadlineKind, Floor
from engine.acd.queue import LiveQueue
from engine.calls.events import Party
from engine.calls.log import CallerQueued
from engine.calls.ports import LeaveReason
from engine.ids import CallId


def enter(floor: Floor, queue: LiveQueue, call: CallId, party: Party, now: float) -> None:
    """A caller comes to the end of the line, or is refused when it is full (logged as CallerLeft only: somebody whom
    the queue did not take never waited)."""
    floor.arrivals += 1
    caller = Caller(
        call=call,
        queue=queue.config.name,
        number=party.number,
        display=party.display,
        entered_at=now,
        arrival=floor.arrivals,
        entry_position=len(queue.callers) + 1,
    )
    if queue.full:
        floor.advance_caller(caller, CallerInput.REFUSE, now)
        return
    queue.admit(caller)
    queue.counters.entered += 1
    floor.callers[call] = caller
    queued = CallerQueued(queue=caller.queue, position=caller.entry_position, caller=party.number)
    floor.journal.append(queued, now=now, call=call)
    set_max_wait(floor, queue, caller)
    floor.advance_caller(caller, CallerInput.ADMIT, now)


def set_max_wait(floor: Floor, queue: LiveQueue, caller: Caller) -> None:
    """Arm (or disarm) the end of the caller's patience with us, as the queue is configured now."""
    deadline = (DeadlineKind.MAX_WAIT, caller.call, "")
    if queue.config.max_wait_s > 0:
        floor.deadlines.put(deadline, caller.entered_at + queue.config.max_wait_s)
    else:
        floor.deadlines.discard(deadline)


_LEAVES: Final = {LeaveReason.CALLER_GONE: CallerInput.LEAVE, LeaveReason.ENDED: CallerInput.END}


def leave(floor: Floor, call: CallId, reason: LeaveReason, now: float) -> None:
    """The caller hung up, or the call was ended."""
    floor.advance_caller(floor.callers[call], _LEAVES[reason], now)


def out_of_time(floor: Floor, call: CallId, now: float) -> None:
    """`max_wait_s` is over."""
    floor.advance_caller(floor.callers[call], CallerInput.TIMEOUT, now)
