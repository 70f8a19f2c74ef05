"""Why a SIP leg ended: the stack's words and the Reason header of the peer (RFC 3326) as an `EndCause`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.final_status import failure_cause
from engine.calls.q850 import ELSEWHERE
from engine.sip.events import EndedBy, InviteCancelled, InviteFailed, SessionEnded
from engine.sip.reason import read_reasons

_LOST_BY: Final[dict[EndedBy, Reason]] = {
    EndedBy.ACK_TIMEOUT: Reason.ACK_TIMEOUT,
    EndedBy.DIALOG_GONE: Reason.DIALOG_GONE,
    EndedBy.SESSION_EXPIRED: Reason.SESSION_EXPIRED,
    EndedBy.CONNECTION_LOST: Reason.CONNECTION_LOST,
}

_GIVEN_UP: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487)


def given_up(event: InviteCancelled) -> EndCause:
    """The caller took the call back. Where his side says that somebody else of those whom it rang has answered, that is
    no missed call."""
    q850, status = read_reasons(event.reason)
    if status == 200:
        q850 = ELSEWHERE
    return _GIVEN_UP if q850 is None else replace(_GIVEN_UP, q850=q850)


def came_to_nothing(event: InviteFailed) -> EndCause:
    """A call of ours was not answered."""
    q850 = read_reasons(event.reason_header).q850
    cause = failure_cause(event.status, timed_out=event.timed_out, q850=q850)
    return cause if not event.retry_after else replace(cause, retry_after_s=event.retry_after)


def over(event: SessionEnded, *, by_peer: Reason, incoming: bool) -> EndCause:
    """An established session ended; `by_peer` is what it is called where the peer hung up."""
    lost = _LOST_BY.get(event.by)
    if lost is None:
        q850 = read_reasons(event.reason).q850
        return EndCause(outcome=Outcome.SUCCESS, reason=by_peer, sip_code=200, q850=q850)
    return EndCause(outcome=Outcome.CLIENT if incoming else Outcome.UPSTREAM, reason=lost)
