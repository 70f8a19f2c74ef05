"""Transfers and keys in SIP: REFER and INFO to neutral events, and what becomes of a transfer to NOTIFY."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from engine.calls.causes import EndCause
from engine.calls.events import KeyPressed, TransferAsked
from engine.calls.final_status import refusal_status
from engine.calls.leg import LegState
from engine.calls.leg_book import LegBook
from engine.ids import AgentName, TransferId
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError
from engine.sip.events import DtmfReceived, ReferId, ReferReceived, SessionId
from engine.sip.headers import parse_name_addr
from engine.sip.uri import address_of

_AS_THEY_ARE: Final = frozenset({481, 491})
"""Statuses that speak about the request for the transfer, and not about a call."""


class SipTransfers:
    """Implements `ports.TransferPort` over an endpoint."""

    def __init__(self, endpoint: Endpoint, book: LegBook[Any, SessionId]) -> None:
        self._endpoint = endpoint
        self._book = book

    # --- from the endpoint ---

    def refer_received(self, event: ReferReceived, now: float) -> None:
        """Refused at once where the leg is going, or where somebody else than its agent has proved to be asking."""
        leg = self._book.at(event.session)
        if leg is None or leg.state is not LegState.UP:
            self._refuse(event.refer, 481, now)
            return
        if event.by is not None and event.by != leg.agent:
            self._refuse(event.refer, 403, now)
            return
        other = None if event.replaces is None else self._book.at(event.replaces)
        asked = TransferAsked(
            leg=leg.id,
            transfer=TransferId(int(event.refer)),
            number=event.to_user,
            replaces_asked=event.replaces_asked,
            replaces=None if other is None else other.id,
            referred_by=_own_word(event.referred_by, leg.agent),
        )
        self._book.tell(asked)

    def key_received(self, event: DtmfReceived, now: float) -> None:
        """A key in the signalling."""
        leg = self._book.at(event.session)
        if leg is not None and leg.state is LegState.UP:
            self._book.tell(KeyPressed(leg=leg.id, digit=event.digit, duration_ms=event.duration_ms))

    # --- TransferPort ---

    def accept(self, transfer: TransferId, now: float) -> None:
        with suppress(LocalSipError):
            self._endpoint.accept_refer(ReferId(transfer), now=now)

    def refuse(self, transfer: TransferId, cause: EndCause, now: float) -> None:
        self._refuse(ReferId(transfer), _status(cause), now)

    def ringing(self, transfer: TransferId, now: float) -> None:
        with suppress(LocalSipError):
            self._endpoint.tell_refer(ReferId(transfer), 180, now=now)

    def over(self, transfer: TransferId, cause: EndCause | None, now: float) -> None:
        with suppress(LocalSipError):
            self._endpoint.tell_refer(ReferId(transfer), 200 if cause is None else _status(cause), now=now)

    def _refuse(self, refer: ReferId, status: int, now: float) -> None:
        with suppress(LocalSipError):
            self._endpoint.refuse_refer(refer, status, now=now)


def _status(cause: EndCause) -> int:
    code = cause.sip_code
    return code if code is not None and code in _AS_THEY_ARE else refusal_status(cause)


def _own_word(referred_by: str, agent: AgentName | None) -> str:
    """Referred-By as it goes on to others. A trunk's is its own affair; an agent's phone may name nobody but the agent,
    since whoever reads it takes it for ours (RFC 3892 has it unsigned, and forged, otherwise)."""
    if agent is None or not referred_by:
        return referred_by
    named = parse_name_addr(referred_by).uri
    return f"<{address_of('sip', agent, named.host)}>" if named.is_sip and named.user == agent else ""
