"""The caller: the machine of somebody who waits in a queue, and the record that is kept of each.

Theory of operation
===================

A caller **arrives**, is let in or refused (queue full), and then **waits**: stands in the queue's line without anybody
being rung. While at least one agent rings for the caller, the state is **offered**; with `ringall` several offers
stand at once. When the last of them ends untaken, the caller waits again, at the old place in the line, because
places are the order of arrival and nothing else. The first agent to answer has the caller: **connected**. Hang-up, the
end of the call by the engine, the queue's `max_wait_s` and the removal of the queue lead to **left** from wherever the
caller is.

Connected and left are final: the ACD forgets the caller, and nothing that comes later finds it. This is what decides
every race: of answer, hang-up and timeout the first input wins, and the others find no caller or no offer.

Outputs: `withdraw` ends all offers that still stand for the caller, `exit` is written as CallerLeft, `release` tells
the calls layer to end the call (it knows already of a hang-up and of what it ended itself). A pair without entry is a
defect of the ACD and raises `InvalidTransition`. `python -m engine.acd.caller` prints the table, which
`docs/caller-state-table.md` repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from engine.acd.errors import InvalidTransition
from engine.acd.table import markdown
from engine.calls.log import QueueExit
from engine.calls.ports import ReleaseReason, WithdrawReason
from engine.ids import CallId, OfferId, QueueName


class CallerState(StrEnum):
    """Where a caller stands."""

    ARRIVING = "arriving"
    WAITING = "waiting"
    OFFERED = "offered"
    CONNECTED = "connected"
    LEFT = "left"


class CallerInput(StrEnum):
    """What can happen to a caller."""

    ADMIT = "admit"
    REFUSE = "refuse"
    """The queue holds `max_callers` already."""
    OFFER = "offer"
    """An agent begins to ring."""
    NOT_TAKEN = "not_taken"
    """The last offer that stood ended without an answer."""
    ANSWER = "answer"
    LEAVE = "leave"
    """The caller hung up, or is heard no more."""
    END = "end"
    """The engine ended the call: no media, an operator's word, shutdown."""
    TIMEOUT = "timeout"
    """`max_wait_s` is over."""
    QUEUE_REMOVED = "queue_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerTransition:
    """One cell of the table."""

    next: CallerState
    withdraw: WithdrawReason | None = None
    """Every offer that still stands for this caller ends with this reason."""
    exit: QueueExit | None = None
    """Written to the log as the way out of the queue."""
    release: ReleaseReason | None = None
    """The calls layer is told to end the call."""


_S = CallerState
_I = CallerInput
_ABANDONED: Final = CallerTransition(next=_S.LEFT, exit=QueueExit.ABANDONED, withdraw=WithdrawReason.CALLER_LEFT)
_ENDED: Final = CallerTransition(next=_S.LEFT, exit=QueueExit.FAILED, withdraw=WithdrawReason.CALLER_LEFT)
_TIMED_OUT: Final = CallerTransition(
    next=_S.LEFT, exit=QueueExit.TIMEOUT, withdraw=WithdrawReason.QUEUE_TIMEOUT, release=ReleaseReason.TIMEOUT
)
_QUEUE_GONE: Final = CallerTransition(
    next=_S.LEFT, exit=QueueExit.QUEUE_REMOVED, withdraw=WithdrawReason.CALLER_LEFT, release=ReleaseReason.QUEUE_REMOVED
)

TABLE: Final[dict[tuple[CallerState, CallerInput], CallerTransition]] = {
    (_S.ARRIVING, _I.ADMIT): CallerTransition(next=_S.WAITING),
    (_S.ARRIVING, _I.REFUSE): CallerTransition(next=_S.LEFT, exit=QueueExit.FULL, release=ReleaseReason.FULL),
    (_S.WAITING, _I.OFFER): CallerTransition(next=_S.OFFERED),
    (_S.WAITING, _I.LEAVE): _ABANDONED,
    (_S.WAITING, _I.END): _ENDED,
    (_S.WAITING, _I.TIMEOUT): _TIMED_OUT,
    (_S.WAITING, _I.QUEUE_REMOVED): _QUEUE_GONE,
    (_S.OFFERED, _I.OFFER): CallerTransition(next=_S.OFFERED),
    (_S.OFFERED, _I.NOT_TAKEN): CallerTransition(next=_S.WAITING),
    (_S.OFFERED, _I.ANSWER): CallerTransition(next=_S.CONNECTED, withdraw=WithdrawReason.ANSWERED_ELSEWHERE),
    (_S.OFFERED, _I.LEAVE): _ABANDONED,
    (_S.OFFERED, _I.END): _ENDED,
    (_S.OFFERED, _I.TIMEOUT): _TIMED_OUT,
    (_S.OFFERED, _I.QUEUE_REMOVED): _QUEUE_GONE,
}


def transition(state: CallerState, given: CallerInput) -> CallerTransition:
    """The cell for this pair. Raises InvalidTransition where the table has none."""
    found = TABLE.get((state, given))
    if found is None:
        raise InvalidTransition(f"a caller in state {state} cannot take the input {given}")
    return found


@dataclass(slots=True, eq=False, kw_only=True)
class Caller:
    """One caller in one queue."""

    call: CallId
    queue: QueueName
    number: str
    display: str
    entered_at: float
    """Monotonic seconds."""
    arrival: int
    """Rises with every caller of the engine: places in every queue follow it."""
    entry_position: int
    state: CallerState = CallerState.ARRIVING
    offers: dict[OfferId, None] = field(default_factory=dict)
    """Those that stand now, in the order in which they were made."""


def table_markdown() -> str:
    """The table as a page for people."""

    def cell(found: CallerTransition) -> str:
        notes = [f"withdraw ({found.withdraw})"] if found.withdraw is not None else []
        notes += [f"log exit ({found.exit})"] if found.exit is not None else []
        notes += [f"release ({found.release})"] if found.release is not None else []
        return ", ".join(notes) + " → " + found.next if notes else found.next

    return markdown(
        title="The states of a caller in a queue",
        module="engine.acd.caller",
        states=list(CallerState),
        inputs=list(CallerInput),
        cells={pair: cell(found) for pair, found in TABLE.items()},
    )


if __name__ == "__main__":
    print(table_markdown(), end="")
