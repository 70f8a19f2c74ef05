"""Refusal: what the dialplan wants refused, and what it has nothing for."""

from __future__ import annotations

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Destination


class Reject(Destination):
    """The caller is refused at once; no port is opened."""

    def __init__(self, call: Call, cause: EndCause, text: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(call)
        self.name = f"reject:{cause.sip_code}"
        self._cause = cause
        self._text = text
        self._retry_after_s = retry_after_s

    def start(self, now: float) -> None:
        self.call.finish(self._cause, ENGINE, now, text=self._text, retry_after_s=self._retry_after_s)


def by_dialplan(status: int) -> EndCause:
    """The cause of a refusal that the dialplan asks for."""
    return EndCause(outcome=Outcome.CLIENT, reason=Reason.DIALPLAN_REJECT, sip_code=status)


def without_route(*, forbidden: bool) -> EndCause:
    """The cause of a refusal because the context has nothing, or nothing that this origin may use."""
    if forbidden:
        return EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=403)
    return EndCause(outcome=Outcome.CLIENT, reason=Reason.NO_ROUTE, sip_code=404)


def overloaded(reason: Reason) -> EndCause:
    """The cause of a refusal that has nothing to do with whom he calls: the engine takes no calls now, or no more from
    this trunk, which is the trunk's own doing."""
    outcome = Outcome.CLIENT if reason is Reason.TRUNK_FULL else Outcome.SERVER
    return EndCause(outcome=outcome, reason=reason, sip_code=503)
