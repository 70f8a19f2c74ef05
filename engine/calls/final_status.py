"""Final status codes and end causes: what a refusal means, and how a refusal of ours is said.

The numbers are those of SIP (RFC 3261 section 21), which every telephone network maps to; nothing else of SIP is here.
"""

from __future__ import annotations

from typing import Final

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.q850 import ELSEWHERE, meaning, reason_header

_MEANINGS: Final[dict[int, Reason]] = {
    401: Reason.FORBIDDEN,  # we have no secret for that line
    403: Reason.REJECTED,
    404: Reason.UNREACHABLE,
    407: Reason.FORBIDDEN,
    408: Reason.NO_ANSWER,  # said by the peer itself; our own time-out is `timed_out`
    410: Reason.UNREACHABLE,
    415: Reason.NOT_ACCEPTABLE,
    430: Reason.UNREACHABLE,  # the edge in front of a telephone has lost the flow to it (RFC 5626 11.6)
    480: Reason.UNREACHABLE,
    484: Reason.UNREACHABLE,
    485: Reason.UNREACHABLE,
    486: Reason.BUSY,
    487: Reason.CANCELLED,
    488: Reason.NOT_ACCEPTABLE,
    600: Reason.BUSY,
    603: Reason.REJECTED,
    604: Reason.UNREACHABLE,
    606: Reason.NOT_ACCEPTABLE,
    607: Reason.REJECTED,  # RFC 8197, unwanted
}
"""Final answers to a call of ours. Of the others, 3xx counts as rejected (we do not follow a phone's own forwarding),
4xx as a breach of protocol, 5xx as unreachable."""

_OWN: Final[dict[Reason, int]] = {
    Reason.QUEUE_FULL: 486,
    Reason.QUEUE_TIMEOUT: 480,
    Reason.QUEUE_EMPTY: 480,
    Reason.BUSY: 486,
    Reason.NO_ANSWER: 480,
    Reason.REJECTED: 603,
    Reason.UNREACHABLE: 480,
    Reason.CANCELLED: 487,
    Reason.NO_ROUTE: 404,
    Reason.LOOP: 482,
    Reason.FORBIDDEN: 403,
    Reason.DIALPLAN_REJECT: 403,
    Reason.TOLL_LIMIT: 403,
    Reason.NOT_ACCEPTABLE: 488,
    Reason.AGENT_HANGUP: 480,
    Reason.CALLED_HANGUP: 480,
    Reason.OPERATOR: 480,
    Reason.ACK_TIMEOUT: 480,
    Reason.DIALOG_GONE: 480,
    Reason.SESSION_EXPIRED: 480,
    Reason.CONNECTION_LOST: 480,
    Reason.PROTOCOL: 480,
}
"""How a caller who was not answered is told, where the cause brings no status of its own; 503 for the rest."""

_NOT_RELAYED: Final = frozenset({401, 407, 420, 421, 422, 430, 439, 440, 481, 482, 483, 487, 491, 494})
"""Statuses that speak about our hop with the called side and would mislead the caller's: a 401 would make the phone ask
for a password (RFC 3261 22.1), a 421 try again with what we did not understand, a 430 its own edge forget it (RFC 5626
5.3.1)."""


_BYE_REASONS: Final[dict[Reason, str]] = {
    Reason.QUEUE_TIMEOUT: 'Q.850;cause=19;text="nobody was free"',
    Reason.NOT_ACCEPTABLE: 'SIP;cause=488;text="no common codec"',
    Reason.MEDIA_TIMEOUT: 'Q.850;cause=41;text="no audio was heard"',
    Reason.MEDIA_LOST: 'Q.850;cause=41;text="media lost"',
    Reason.SHUTDOWN: 'Q.850;cause=41;text="shutting down"',
    Reason.TOLL_LIMIT: 'Q.850;cause=21;text="the budget for calls is used up"',
    Reason.OPERATOR: 'Q.850;cause=31;text="ended by an operator"',
}
"""What a hang-up of ours says of itself where it is no plain one (RFC 3326; numbers of ITU-T Q.850)."""


_LINE_FAULTS: Final = frozenset({408, 430, 500, 502, 503, 504})
"""Statuses that speak of the line and not of who is called: another trunk may do better. What is said of the number
(404, 484), of the person (480, 486, 600, 603) or of our request (4xx) would be said there too."""


_UNWELL: Final = frozenset({408, 502, 503, 504})
"""Answers to OPTIONS of a line that cannot take calls now, or whose next hop is dead."""


def unwell(status: int | None) -> str:
    """Why this answer to OPTIONS is a bad one; empty for any other, which comes from a peer that lives (405, 404)."""
    return f"answered {status}" if status in _UNWELL else ""


def line_at_fault(cause: EndCause) -> bool:
    """Whether a leg on a trunk ended for a reason that lies with the trunk: it was silent, could not be reached, or
    says that it cannot."""
    if cause.outcome is not Outcome.UPSTREAM:
        return False
    return cause.reason is Reason.UNREACHABLE if cause.sip_code is None else cause.sip_code in _LINE_FAULTS


def failure_cause(status: int, *, timed_out: bool = False, q850: int | None = None) -> EndCause:
    """Why a call of ours came to nothing, by its final status and, where the peer told it, the network's own cause.

    `timed_out` says that the status is our own because nobody replied at all: the cause then has no code.
    """
    if timed_out:
        return EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)
    reason = meaning(status, q850) or _MEANINGS.get(status)
    if reason is None:
        match status // 100:
            case 3 | 6:
                reason = Reason.REJECTED
            case 5:
                reason = Reason.UNREACHABLE
            case _:
                reason = Reason.PROTOCOL
    return EndCause(outcome=Outcome.UPSTREAM, reason=reason, sip_code=status, q850=q850)


def refusal_status(cause: EndCause) -> int:
    """The status to refuse an unanswered caller with: the called side's own where it means the same to him."""
    code = cause.sip_code
    if code == 503 and cause.reason is Reason.UNREACHABLE:
        # It speaks of the server that said it; repeated, the caller's side would take us for the one that is down
        # (RFC 3261 16.7 step 6 says the same to proxies).
        return 500
    if code is not None and 400 <= code <= 699 and code not in _NOT_RELAYED:
        return code
    return _OWN.get(cause.reason, 503)


def hangup_text(cause: EndCause, text: str = "") -> str:
    """The Reason header (RFC 3326) for ending an answered leg; empty for a plain hang-up. `text` is for the person;
    without one, the cause that the other side's network told goes on."""
    if text:
        return _said(cause, text)
    return _BYE_REASONS.get(cause.reason, "") if cause.q850 is None else reason_header(cause.q850)


def cancel_text(cause: EndCause, text: str = "") -> str:
    """The Reason header for taking back a call that rings: `text` for the person, or that another phone answered, so
    that this one shows no missed call."""
    if text:
        return _said(cause, text)
    if cause.reason is Reason.CANCELLED and cause.sip_code == 200:
        return reason_header(ELSEWHERE)
    return "" if cause.q850 is None else reason_header(cause.q850)


def _said(cause: EndCause, text: str) -> str:
    """Text as RFC 3326 writes it: a quoted string, in which quotes and backslashes are escaped. A dialog whose media
    came to nothing was answered with 200; it ends with the status that media is refused with."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
    status = refusal_status(cause) if cause.reason is Reason.NOT_ACCEPTABLE else cause.sip_code or 200
    return f'SIP;cause={status};text="{quoted}"'
