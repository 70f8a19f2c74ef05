"""The four transactions of SIP as tables: everything that decides a transaction's next state is in this file.

A **transaction** is one request and the responses to it. Over UDP either may be lost, so one side repeats the request
until it hears something, the other side repeats its last response whenever the request comes again, and both stay for
a while after the end so that a late copy is recognised. Four machines do this, for INVITE and for the other methods, on
the client's and on the server's side (RFC 3261 17). INVITE is apart because a person stands behind it: its final
response may take minutes, so the request is not repeated once a provisional response came, the response is confirmed
by ACK, and a 2xx is confirmed by the transaction user, end to end (13.3.1.4). RFC 6026 adds the state **accepted**:
after a 2xx the INVITE transaction stays, on the client's side so that every 2xx (other forks, repetitions) reaches the
user that owes an ACK, on the server's side so that a repeated INVITE is not taken for a new call.

A machine is `dict[(State, Input), Transition]`. A pair that is absent is an explicit drop: the input is counted and
nothing happens. `Transition.effects` are names; `engine.sip.transaction` binds each to the function of that name.
Entering terminated stops the timers and takes the transaction out of its table. The timers are the RFC's:

| timer | runs in | after which |
|---|---|---|
| A | calling | the INVITE is sent again (T1, doubled each time) |
| B | calling | the INVITE failed (64*T1) |
| D | completed | the client forgets a refused INVITE (32 s) |
| E | trying, proceeding | the request is sent again (T1, doubled up to T2; T2 in proceeding) |
| F | trying, proceeding | the request failed (64*T1) |
| G | completed | the refusal is sent again (T1, doubled up to T2) |
| H | completed | no ACK came (64*T1) |
| I | confirmed | the server forgets the INVITE (T4) |
| J | completed | the server forgets the request (64*T1) |
| K | completed | the client forgets the request (T4) |
| L | accepted | the server forgets an accepted INVITE (64*T1, RFC 6026) |
| M | accepted | the client forgets an accepted INVITE (64*T1, RFC 6026) |

D, H, I, J, K, L and M only free memory. The RFC says how long a transaction must stay at least, so these may ring late,
and they do: at the next half second of the clock, many in one wake-up (`engine.sip.timers`).

A and G run over unreliable transports only; D, I, J and K are zero over reliable ones, where nothing comes late (Timer
C belongs to proxies). `abandon` and `forget` are the transaction user's: the first gives up on an INVITE whose CANCEL
brought no final response in 64*T1 (9.1), and on a REGISTER that is taken back; the second is used where the endpoint
stops.

`python -m engine.sip.fsm` prints these tables as Markdown; docs/sip-state-tables.md is that output.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class State(StrEnum):
    """States of all four machines, named as in the figures of RFC 3261 17 and RFC 6026 8.5."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Input(StrEnum):
    """What can happen to a transaction."""

    PROVISIONAL = "1xx"
    """Received by a client, sent by the user of a server."""
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REQUEST = "request"
    """The request of a server transaction came again."""
    ACK = "ACK"
    TRANSPORT_ERROR = "transport error"
    ABANDON = "abandon"
    TIMER_A = "Timer A"
    TIMER_B = "Timer B"
    TIMER_D = "Timer D"
    TIMER_E = "Timer E"
    TIMER_F = "Timer F"
    TIMER_G = "Timer G"
    TIMER_H = "Timer H"
    TIMER_I = "Timer I"
    TIMER_J = "Timer J"
    TIMER_K = "Timer K"
    TIMER_L = "Timer L"
    TIMER_M = "Timer M"


class Effect(StrEnum):
    """What a transition does, in order. Each is a function of that name in `engine.sip.transaction`."""

    PASS_RESPONSE = "pass_response"
    """Hand the response to the user."""
    PASS_ACK = "pass_ack"
    SEND_ACK = "send_ack"
    """Send the ACK of a refused INVITE, the same each time (RFC 3261 17.1.1.3)."""
    SEND_RESPONSE = "send_response"
    """Send the user's response and keep it for repetitions."""
    RESEND_REQUEST = "resend_request"
    RESEND_RESPONSE = "resend_response"
    """Send the last response again; nothing where there was none."""
    TELL_TIMEOUT = "tell_timeout"
    TELL_TRANSPORT_ERROR = "tell_transport_error"
    STOP_TIMERS = "stop_timers"
    RESTART_A = "restart_a"
    START_D = "start_d"
    RESTART_E = "restart_e"
    START_G_H = "start_g_h"
    RESTART_G = "restart_g"
    START_I = "start_i"
    START_J = "start_j"
    START_K = "start_k"
    START_L = "start_l"
    START_M = "start_m"


class Transition(NamedTuple):
    """Where to, and what is done on the way. The state changes first, so that effects see the new one."""

    to: State
    effects: tuple[Effect, ...] = ()


Machine = dict[tuple[State, Input], Transition]

_S = State
_I = Input
_E = Effect

INVITE_CLIENT: Final[Machine] = {
    (_S.CALLING, _I.TIMER_A): Transition(_S.CALLING, (_E.RESEND_REQUEST, _E.RESTART_A)),
    (_S.CALLING, _I.TIMER_B): Transition(_S.TERMINATED, (_E.TELL_TIMEOUT,)),
    (_S.CALLING, _I.TRANSPORT_ERROR): Transition(_S.TERMINATED, (_E.TELL_TRANSPORT_ERROR,)),
    (_S.CALLING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.CALLING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.STOP_TIMERS, _E.PASS_RESPONSE)),
    (_S.CALLING, _I.SUCCESS): Transition(_S.ACCEPTED, (_E.STOP_TIMERS, _E.START_M, _E.PASS_RESPONSE)),
    (_S.CALLING, _I.FAILURE): Transition(_S.COMPLETED, (_E.STOP_TIMERS, _E.START_D, _E.SEND_ACK, _E.PASS_RESPONSE)),
    (_S.PROCEEDING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.PASS_RESPONSE,)),
    (_S.PROCEEDING, _I.SUCCESS): Transition(_S.ACCEPTED, (_E.START_M, _E.PASS_RESPONSE)),
    (_S.PROCEEDING, _I.FAILURE): Transition(_S.COMPLETED, (_E.START_D, _E.SEND_ACK, _E.PASS_RESPONSE)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): Transition(_S.TERMINATED, (_E.TELL_TRANSPORT_ERROR,)),
    (_S.PROCEEDING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.COMPLETED, _I.FAILURE): Transition(_S.COMPLETED, (_E.SEND_ACK,)),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): Transition(_S.TERMINATED),
    (_S.COMPLETED, _I.TIMER_D): Transition(_S.TERMINATED),
    (_S.ACCEPTED, _I.SUCCESS): Transition(_S.ACCEPTED, (_E.PASS_RESPONSE,)),
    (_S.ACCEPTED, _I.TIMER_M): Transition(_S.TERMINATED),
}
"""RFC 3261 figure 5 as replaced by RFC 6026 figure 8.4. A transport error in proceeding is a stream connection that was
lost: its responses cannot come any more. The user of a refused INVITE knows already when ACK cannot be sent."""

INVITE_SERVER: Final[Machine] = {
    (_S.PROCEEDING, _I.REQUEST): Transition(_S.PROCEEDING, (_E.RESEND_RESPONSE,)),
    (_S.PROCEEDING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.SEND_RESPONSE,)),
    (_S.PROCEEDING, _I.SUCCESS): Transition(_S.ACCEPTED, (_E.SEND_RESPONSE, _E.START_L)),
    (_S.PROCEEDING, _I.FAILURE): Transition(_S.COMPLETED, (_E.SEND_RESPONSE, _E.START_G_H)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): Transition(_S.PROCEEDING),
    (_S.PROCEEDING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.COMPLETED, _I.REQUEST): Transition(_S.COMPLETED, (_E.RESEND_RESPONSE,)),
    (_S.COMPLETED, _I.ACK): Transition(_S.CONFIRMED, (_E.STOP_TIMERS, _E.START_I)),
    (_S.COMPLETED, _I.TIMER_G): Transition(_S.COMPLETED, (_E.RESEND_RESPONSE, _E.RESTART_G)),
    (_S.COMPLETED, _I.TIMER_H): Transition(_S.TERMINATED, (_E.TELL_TIMEOUT,)),
    (_S.CONFIRMED, _I.TIMER_I): Transition(_S.TERMINATED),
    (_S.ACCEPTED, _I.SUCCESS): Transition(_S.ACCEPTED, (_E.SEND_RESPONSE,)),
    (_S.ACCEPTED, _I.ACK): Transition(_S.ACCEPTED, (_E.PASS_ACK,)),
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): Transition(_S.ACCEPTED),
    (_S.ACCEPTED, _I.TIMER_L): Transition(_S.TERMINATED),
}
"""RFC 3261 figure 7 as replaced by RFC 6026 figure 8.5. A transport error does not end it (RFC 6026 8.8): a peer whose
route came back gets the same answer. Nobody is told (17.2.4 of RFC 3261 tells the user): a session hears of its flow by
itself. A repeated INVITE in accepted is dropped: the user repeats the 2xx."""

NON_INVITE_CLIENT: Final[Machine] = {
    (_S.TRYING, _I.TIMER_E): Transition(_S.TRYING, (_E.RESEND_REQUEST, _E.RESTART_E)),
    (_S.TRYING, _I.TIMER_F): Transition(_S.TERMINATED, (_E.TELL_TIMEOUT,)),
    (_S.TRYING, _I.TRANSPORT_ERROR): Transition(_S.TERMINATED, (_E.TELL_TRANSPORT_ERROR,)),
    (_S.TRYING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.TRYING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.PASS_RESPONSE,)),
    (_S.TRYING, _I.SUCCESS): Transition(_S.COMPLETED, (_E.STOP_TIMERS, _E.START_K, _E.PASS_RESPONSE)),
    (_S.TRYING, _I.FAILURE): Transition(_S.COMPLETED, (_E.STOP_TIMERS, _E.START_K, _E.PASS_RESPONSE)),
    (_S.PROCEEDING, _I.TIMER_E): Transition(_S.PROCEEDING, (_E.RESEND_REQUEST, _E.RESTART_E)),
    (_S.PROCEEDING, _I.TIMER_F): Transition(_S.TERMINATED, (_E.TELL_TIMEOUT,)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): Transition(_S.TERMINATED, (_E.TELL_TRANSPORT_ERROR,)),
    (_S.PROCEEDING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.PROCEEDING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.PASS_RESPONSE,)),
    (_S.PROCEEDING, _I.SUCCESS): Transition(_S.COMPLETED, (_E.STOP_TIMERS, _E.START_K, _E.PASS_RESPONSE)),
    (_S.PROCEEDING, _I.FAILURE): Transition(_S.COMPLETED, (_E.STOP_TIMERS, _E.START_K, _E.PASS_RESPONSE)),
    (_S.COMPLETED, _I.TIMER_K): Transition(_S.TERMINATED),
}
"""RFC 3261 figure 6."""

NON_INVITE_SERVER: Final[Machine] = {
    (_S.TRYING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.SEND_RESPONSE,)),
    (_S.TRYING, _I.SUCCESS): Transition(_S.COMPLETED, (_E.SEND_RESPONSE, _E.START_J)),
    (_S.TRYING, _I.FAILURE): Transition(_S.COMPLETED, (_E.SEND_RESPONSE, _E.START_J)),
    (_S.TRYING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.PROCEEDING, _I.REQUEST): Transition(_S.PROCEEDING, (_E.RESEND_RESPONSE,)),
    (_S.PROCEEDING, _I.PROVISIONAL): Transition(_S.PROCEEDING, (_E.SEND_RESPONSE,)),
    (_S.PROCEEDING, _I.SUCCESS): Transition(_S.COMPLETED, (_E.SEND_RESPONSE, _E.START_J)),
    (_S.PROCEEDING, _I.FAILURE): Transition(_S.COMPLETED, (_E.SEND_RESPONSE, _E.START_J)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): Transition(_S.TERMINATED),
    (_S.PROCEEDING, _I.ABANDON): Transition(_S.TERMINATED),
    (_S.COMPLETED, _I.REQUEST): Transition(_S.COMPLETED, (_E.RESEND_RESPONSE,)),
    (_S.COMPLETED, _I.TIMER_J): Transition(_S.TERMINATED),
}
"""RFC 3261 figure 8. A transport error after the final response leaves the state (RFC 6026 8.8 does so for INVITE; here
for the same reason): the repeated request gets its answer where the peer can be reached again."""

MACHINES: Final[dict[str, tuple[State, Machine]]] = {
    "INVITE client": (State.CALLING, INVITE_CLIENT),
    "INVITE server": (State.PROCEEDING, INVITE_SERVER),
    "non-INVITE client": (State.TRYING, NON_INVITE_CLIENT),
    "non-INVITE server": (State.TRYING, NON_INVITE_SERVER),
}
"""Every machine with the state that it begins in."""


def to_markdown() -> str:
    """The tables and their diagrams (Mermaid) as one Markdown page."""
    parts = [
        "# SIP transactions",
        "",
        "Generated from `engine/sip/fsm.py` by `python -m engine.sip.fsm`; a test compares. RFC 3261 17 with RFC 6026.",
        "An input that a state does not name is dropped.",
    ]
    for name, (start, machine) in MACHINES.items():
        parts += ["", f"## {name}", "", *_table(machine), "", *_diagram(start, machine)]
    return "\n".join(parts) + "\n"


def _table(machine: Machine) -> list[str]:
    rows = ["| state | input | next state | effects |", "|---|---|---|---|"]
    for (state, what), (to, effects) in machine.items():
        rows.append(f"| {state} | {what} | {to} | {', '.join(effects)} |")
    return rows


def _diagram(start: State, machine: Machine) -> list[str]:
    edges: dict[tuple[State, State], list[str]] = {}
    for (state, what), (to, _) in machine.items():
        edges.setdefault((state, to), []).append(what)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {state} --> {to}: {', '.join(inputs)}" for (state, to), inputs in edges.items()]
    return [*lines, f"    {State.TERMINATED} --> [*]", "```"]


if __name__ == "__main__":
    print(to_markdown(), end="")
