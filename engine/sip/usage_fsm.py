"""The machines of an INVITE usage beside its transactions, as tables: reliable provisional responses, session timers.

**Reliable provisional responses** (RFC 3262), on the side of who is called. A provisional response that asks for it is
repeated until the caller's PRACK comes, at T1 doubled each time; after 64*T1 the INVITE is refused (504). One is under
way at a time, others wait in a queue. Whoever sent a session description so must not answer the call before the caller
has shown that he has it, so that a 2xx waits then:

    quiet      nothing waits for a PRACK
    ringing    one without a description waits for its PRACK
    describing one with a description waits for its PRACK
    holding    as describing, and the 2xx is ready
    answered   the final response has gone out; a PRACK that is still on its way is answered
    over       nothing more comes

On the caller's side there is no machine but a number: each early dialog remembers the last RSeq that it took, takes the
next one only, and each of them makes one PRACK, which is a transaction of its own.

**Session timer** (RFC 4028). Both sides agree in the 2xx of an INVITE or UPDATE on an interval and on who refreshes.
Either side then ends a session that was not refreshed in time:

    off        nothing was agreed
    ours       we refresh: at half of the interval
    asking     our refresh is under way
    theirs     the peer refreshes
    expired    nobody did

One deadline is armed at a time: half of the interval while it is ours, else the end, which comes min(32 s, a third of
the interval) early, so that the BYE still finds whoever is in between (RFC 4028 10). Each agreement that a 2xx brings
begins anew. A pair that is absent is dropped on purpose: a PRACK that nothing waits for is answered 481 by the session.

`python -m engine.sip.usage_fsm` prints these tables as Markdown; docs/sip-usage-tables.md is that output.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class ReliableState(StrEnum):
    QUIET = "quiet"
    RINGING = "ringing"
    DESCRIBING = "describing"
    HOLDING = "holding"
    ANSWERED = "answered"
    OVER = "over"


class ReliableInput(StrEnum):
    PROVISIONAL = "provisional"
    DESCRIPTION = "provisional with SDP"
    PRACK = "PRACK"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REPEAT = "T1 doubled"
    TIMEOUT = "64*T1"


class ReliableEffect(StrEnum):
    """Each is a function of that name in `engine.sip.prack_in`."""

    SEND_PROVISIONAL = "send_provisional"
    QUEUE_PROVISIONAL = "queue_provisional"
    REPEAT_PROVISIONAL = "repeat_provisional"
    STOP_TIMER = "stop_timer"
    SEND_NEXT = "send_next"
    SEND_SUCCESS = "send_success"
    GIVE_UP = "give_up"


class TimerState(StrEnum):
    OFF = "off"
    OURS = "ours"
    ASKING = "asking"
    THEIRS = "theirs"
    EXPIRED = "expired"


class TimerInput(StrEnum):
    AGREED_OURS = "2xx: we refresh"
    AGREED_THEIRS = "2xx: they refresh"
    AGREED_NONE = "2xx: no interval"
    HALF = "half of the interval"
    END = "end of the interval"
    CLOSE = "session ends"


class TimerEffect(StrEnum):
    """Each is a function of that name in `engine.sip.session_timer`."""

    START_HALF = "start_half"
    START_END = "start_end"
    STOP_TIMER = "stop_timer"
    REFRESH = "refresh"
    EXPIRE = "expire"


class ReliableTransition(NamedTuple):
    to: ReliableState
    effects: tuple[ReliableEffect, ...] = ()


class TimerTransition(NamedTuple):
    to: TimerState
    effects: tuple[TimerEffect, ...] = ()


_RS, _RI, _RE = ReliableState, ReliableInput, ReliableEffect

RELIABLE: Final[dict[tuple[ReliableState, ReliableInput], ReliableTransition]] = {
    (_RS.QUIET, _RI.PROVISIONAL): ReliableTransition(_RS.RINGING, (_RE.SEND_PROVISIONAL,)),
    (_RS.QUIET, _RI.DESCRIPTION): ReliableTransition(_RS.DESCRIBING, (_RE.SEND_PROVISIONAL,)),
    (_RS.QUIET, _RI.SUCCESS): ReliableTransition(_RS.OVER, (_RE.SEND_SUCCESS,)),
    (_RS.QUIET, _RI.FAILURE): ReliableTransition(_RS.OVER),
    (_RS.RINGING, _RI.PROVISIONAL): ReliableTransition(_RS.RINGING, (_RE.QUEUE_PROVISIONAL,)),
    (_RS.RINGING, _RI.DESCRIPTION): ReliableTransition(_RS.RINGING, (_RE.QUEUE_PROVISIONAL,)),
    (_RS.RINGING, _RI.PRACK): ReliableTransition(_RS.QUIET, (_RE.STOP_TIMER, _RE.SEND_NEXT)),
    (_RS.RINGING, _RI.REPEAT): ReliableTransition(_RS.RINGING, (_RE.REPEAT_PROVISIONAL,)),
    (_RS.RINGING, _RI.TIMEOUT): ReliableTransition(_RS.OVER, (_RE.GIVE_UP,)),
    (_RS.RINGING, _RI.SUCCESS): ReliableTransition(_RS.ANSWERED, (_RE.STOP_TIMER, _RE.SEND_SUCCESS)),
    (_RS.RINGING, _RI.FAILURE): ReliableTransition(_RS.ANSWERED, (_RE.STOP_TIMER,)),
    (_RS.DESCRIBING, _RI.PROVISIONAL): ReliableTransition(_RS.DESCRIBING, (_RE.QUEUE_PROVISIONAL,)),
    (_RS.DESCRIBING, _RI.DESCRIPTION): ReliableTransition(_RS.DESCRIBING, (_RE.QUEUE_PROVISIONAL,)),
    (_RS.DESCRIBING, _RI.PRACK): ReliableTransition(_RS.QUIET, (_RE.STOP_TIMER, _RE.SEND_NEXT)),
    (_RS.DESCRIBING, _RI.REPEAT): ReliableTransition(_RS.DESCRIBING, (_RE.REPEAT_PROVISIONAL,)),
    (_RS.DESCRIBING, _RI.TIMEOUT): ReliableTransition(_RS.OVER, (_RE.GIVE_UP,)),
    (_RS.DESCRIBING, _RI.SUCCESS): ReliableTransition(_RS.HOLDING),
    (_RS.DESCRIBING, _RI.FAILURE): ReliableTransition(_RS.ANSWERED, (_RE.STOP_TIMER,)),
    (_RS.HOLDING, _RI.PRACK): ReliableTransition(_RS.OVER, (_RE.STOP_TIMER, _RE.SEND_SUCCESS)),
    (_RS.HOLDING, _RI.REPEAT): ReliableTransition(_RS.HOLDING, (_RE.REPEAT_PROVISIONAL,)),
    (_RS.HOLDING, _RI.TIMEOUT): ReliableTransition(_RS.OVER, (_RE.GIVE_UP,)),
    (_RS.HOLDING, _RI.FAILURE): ReliableTransition(_RS.ANSWERED, (_RE.STOP_TIMER,)),
    (_RS.ANSWERED, _RI.PRACK): ReliableTransition(_RS.OVER),
}
"""RFC 3262 3 and 5. `give_up` refuses the INVITE, so that a PRACK that comes later finds no session."""

_TS, _TI, _TE = TimerState, TimerInput, TimerEffect

SESSION_TIMER: Final[dict[tuple[TimerState, TimerInput], TimerTransition]] = {
    **{
        pair: transition
        for state in (_TS.OFF, _TS.OURS, _TS.ASKING, _TS.THEIRS)
        for pair, transition in (
            ((state, _TI.AGREED_OURS), TimerTransition(_TS.OURS, (_TE.START_HALF,))),
            ((state, _TI.AGREED_THEIRS), TimerTransition(_TS.THEIRS, (_TE.START_END,))),
        )
    },
    **{
        (state, what): TimerTransition(_TS.OFF, (_TE.STOP_TIMER,))
        for state in (_TS.OURS, _TS.ASKING, _TS.THEIRS)
        for what in (_TI.AGREED_NONE, _TI.CLOSE)
    },
    (_TS.OURS, _TI.HALF): TimerTransition(_TS.ASKING, (_TE.START_END, _TE.REFRESH)),
    (_TS.ASKING, _TI.END): TimerTransition(_TS.EXPIRED, (_TE.EXPIRE,)),
    (_TS.THEIRS, _TI.END): TimerTransition(_TS.EXPIRED, (_TE.EXPIRE,)),
}
"""RFC 4028 7 to 10."""


def to_markdown() -> str:
    """The tables and their diagrams (Mermaid) as one Markdown page."""
    parts = [
        "# INVITE sessions",
        "",
        "Generated from `engine/sip/usage_fsm.py` by `python -m engine.sip.usage_fsm`; a test compares.",
        "RFC 3262 and RFC 4028. An input that a state does not name is dropped.",
    ]
    parts += _section("Reliable provisional responses", "quiet", [(*pair, *step) for pair, step in RELIABLE.items()])
    parts += _section("Session timer", "off", [(*pair, *step) for pair, step in SESSION_TIMER.items()])
    return "\n".join(parts) + "\n"


def _section(name: str, start: str, rows: list[tuple[str, str, str, tuple[str, ...]]]) -> list[str]:
    lines = ["", f"## {name}", "", "| state | input | next state | effects |", "|---|---|---|---|"]
    lines += [f"| {state} | {what} | {to} | {', '.join(effects)} |" for state, what, to, effects in rows]
    edges: dict[tuple[str, str], list[str]] = {}
    for state, what, to, _ in rows:
        edges.setdefault((state, to), []).append(what)
    lines += ["", "```mermaid", "stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {state} --> {to}: {', '.join(inputs)}" for (state, to), inputs in edges.items()]
    return [*lines, "```"]


if __name__ == "__main__":
    print(to_markdown(), end="")
