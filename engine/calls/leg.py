"""The leg as a table: what may happen to one side of a call, in which order, and what is done about it.

Theory
------
A leg is one dialog with one phone or one line, seen without its protocol. It begins in one of two ways and always
ends in `ended`:

- **Incoming** (somebody calls us): idle -> offered -> (alerting) -> answering -> up -> ending -> ended.
  `answering` is the time between our answer and the peer's confirmation (SIP: 2xx sent, ACK not yet seen). The layer
  above hears `Answered` only at the confirmation, so that nobody is rung for a caller who is no longer there.
- **Outgoing** (we call somebody): idle -> placing -> (ringing) -> up -> ending -> ended.

Inputs come from two sides. *Commands* (PLACE, RING, ANSWER, REJECT, END) are what `calls.ports.LegPort` asks for;
*happenings* (INCOMING, FAR_RINGING, ...) are what the protocol reports. A transition names the next state and one
action. Every action that tells something (TELL_*) queues one neutral event of `calls.events`.

Three rules hold the table together:

1. A pair that is not in the table is dropped, on purpose. A command to a leg that is over meets the peer's own end on
   its way up; a second "rings" says nothing new. An answer that crosses our cancel on the wire is undone by the
   protocol below; one that crosses it inside the engine comes up in `ending` and is hung up on.
2. The leg leaves `ending` only by GONE. END was heard first, so the cause of the end is ours; where GONE comes first,
   the cause is the peer's, and the END that follows is dropped by rule 1. Thus there is exactly one `Ended`.
3. REJECT is the one way out that tells nothing: who rejects knows it already.

UNUSABLE stands for an answer whose media cannot be used (no common codec, no SDP at all): the dialog exists, so it must
be hung up, and the layer above never hears `Answered`.

`python -m engine.calls.leg` prints the table as the page docs/leg-state-table.md; a test keeps the two the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class LegState(StrEnum):
    IDLE = "idle"
    """Nothing has happened yet."""
    OFFERED = "offered"
    """The peer calls us and waits for a first sign."""
    ALERTING = "alerting"
    """The peer calls us and has been told that the called side rings."""
    ANSWERING = "answering"
    """We answered; the peer has not confirmed it yet."""
    PLACING = "placing"
    """We call; the far side has shown no sign."""
    RINGING = "ringing"
    """We call; the far phone rings."""
    UP = "up"
    """Answered and confirmed; media may flow."""
    ENDING = "ending"
    """We asked the protocol to end it; it has not reported the end."""
    ENDED = "ended"
    """Over. The leg is forgotten."""


class LegInput(StrEnum):
    # commands, from above
    PLACE = "place"
    RING = "ring"
    ANSWER = "answer"
    REJECT = "reject"
    END = "end"
    # happenings, from the protocol below
    INCOMING = "incoming"
    FAR_RINGING = "far ringing"
    FAR_ANSWERED = "far answered"
    CONFIRMED = "confirmed"
    UNUSABLE = "unusable"
    CHANGED = "changed"
    """The peer wants other media: hold, resume, another address."""
    GONE = "gone"
    """The protocol has nothing more of this leg."""


class LegAction(StrEnum):
    TELL_OFFERED = "tell offered"
    SEND_CALL = "send call"
    SEND_RINGING = "send ringing"
    SEND_ANSWER = "send answer"
    SEND_REFUSAL = "send refusal"
    SEND_REFUSAL_AND_TELL_ENDED = "send refusal, tell ended"
    SEND_CANCEL = "send cancel"
    SEND_HANGUP = "send hang-up"
    TELL_RINGING = "tell ringing"
    TELL_ANSWERED = "tell answered"
    TAKE_CHANGE = "answer change, tell updated"
    TAKE_EARLY_CHANGE = "answer change, keep it for the answer"
    REFUSE_CHANGE = "refuse change"
    TELL_ENDED = "tell ended"


@dataclass(frozen=True, slots=True)
class Transition:
    """Where the leg goes, and the one thing that is done on the way."""

    state: LegState
    action: LegAction


_S, _I, _A = LegState, LegInput, LegAction

TABLE: Final[dict[tuple[LegState, LegInput], Transition]] = {
    # incoming
    (_S.IDLE, _I.INCOMING): Transition(_S.OFFERED, _A.TELL_OFFERED),
    (_S.OFFERED, _I.RING): Transition(_S.ALERTING, _A.SEND_RINGING),
    (_S.OFFERED, _I.ANSWER): Transition(_S.ANSWERING, _A.SEND_ANSWER),
    (_S.OFFERED, _I.REJECT): Transition(_S.ENDED, _A.SEND_REFUSAL),
    (_S.OFFERED, _I.END): Transition(_S.ENDED, _A.SEND_REFUSAL_AND_TELL_ENDED),
    (_S.OFFERED, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
    (_S.ALERTING, _I.ANSWER): Transition(_S.ANSWERING, _A.SEND_ANSWER),
    (_S.ALERTING, _I.REJECT): Transition(_S.ENDED, _A.SEND_REFUSAL),
    (_S.ALERTING, _I.END): Transition(_S.ENDED, _A.SEND_REFUSAL_AND_TELL_ENDED),
    (_S.ALERTING, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
    (_S.ANSWERING, _I.CONFIRMED): Transition(_S.UP, _A.TELL_ANSWERED),
    (_S.ANSWERING, _I.UNUSABLE): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.ANSWERING, _I.CHANGED): Transition(_S.ANSWERING, _A.REFUSE_CHANGE),
    (_S.ANSWERING, _I.END): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.ANSWERING, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
    # outgoing
    (_S.IDLE, _I.PLACE): Transition(_S.PLACING, _A.SEND_CALL),
    (_S.PLACING, _I.FAR_RINGING): Transition(_S.RINGING, _A.TELL_RINGING),
    (_S.PLACING, _I.FAR_ANSWERED): Transition(_S.UP, _A.TELL_ANSWERED),
    (_S.PLACING, _I.CHANGED): Transition(_S.PLACING, _A.TAKE_EARLY_CHANGE),
    (_S.PLACING, _I.UNUSABLE): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.PLACING, _I.END): Transition(_S.ENDING, _A.SEND_CANCEL),
    (_S.PLACING, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
    (_S.RINGING, _I.FAR_ANSWERED): Transition(_S.UP, _A.TELL_ANSWERED),
    (_S.RINGING, _I.CHANGED): Transition(_S.RINGING, _A.TAKE_EARLY_CHANGE),
    (_S.RINGING, _I.UNUSABLE): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.RINGING, _I.END): Transition(_S.ENDING, _A.SEND_CANCEL),
    (_S.RINGING, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
    # both
    (_S.UP, _I.CHANGED): Transition(_S.UP, _A.TAKE_CHANGE),
    (_S.UP, _I.END): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.UP, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
    (_S.ENDING, _I.FAR_ANSWERED): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.ENDING, _I.UNUSABLE): Transition(_S.ENDING, _A.SEND_HANGUP),
    (_S.ENDING, _I.CHANGED): Transition(_S.ENDING, _A.REFUSE_CHANGE),
    (_S.ENDING, _I.GONE): Transition(_S.ENDED, _A.TELL_ENDED),
}


def table_page() -> str:
    """The table as Markdown, for docs/leg-state-table.md."""
    lines = [
        "# The states of a leg",
        "",
        "Printed by `python -m engine.calls.leg`; the theory stands on top of that file. An empty cell is a drop on",
        "purpose. Each other cell names what is done and, after the arrow, the next state.",
        "",
    ]
    for title, inputs in (("Commands", tuple(_I)[:5]), ("Happenings", tuple(_I)[5:])):
        lines += [f"## {title}", "", f"| state | {' | '.join(inputs)} |", "|---" * (len(inputs) + 1) + "|"]
        for state in LegState:
            found = [TABLE.get((state, inp)) for inp in inputs]
            cells = ["" if t is None else f"{t.action} → {t.state}" for t in found]
            lines.append(f"| **{state}** | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table_page())
