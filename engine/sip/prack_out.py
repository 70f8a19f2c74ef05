"""Reliable provisional responses of the peer, each confirmed by a PRACK of ours (RFC 3262 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sip.dialog import Dialog
from engine.sip.errors import RemoteSipError
from engine.sip.limits import MAX_CONFIRMED
from engine.sip.message import Response
from engine.sip.session_headers import rseq_of
from engine.sip.stack import Stack
from engine.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from engine.sip.transaction import ClientUser


class Confirmations:
    """What is known of one dialog's reliable provisional responses to one INVITE."""

    __slots__ = ("_count", "_last", "_number", "_stack", "_user", "answered", "dialog", "sdp")

    def __init__(self, stack: Stack, dialog: Dialog, number: int, user: ClientUser) -> None:
        self._stack = stack
        self._user = user
        self._number = number
        """CSeq number of the INVITE."""
        self._last: int | None = None
        self._count = 0
        self.dialog = dialog
        self.answered = False
        """Our PRACK has answered the offer in it."""
        self.sdp: bytes | None = None
        """The first description that came so: the answer to our offer, or where we made none, the offer."""

    def take(self, response: Response) -> bool:
        """Whether the response is the next in order. What was there before or comes too early is dropped: the peer
        repeats what we have not confirmed. Raises RemoteSipError."""
        number = rseq_of(response)
        if number is None or (self._last is not None and number != self._last + 1) or self._count >= MAX_CONFIRMED:
            return False
        self._last = number
        self._count += 1
        return True

    def answer(self, now: float, sdp: bytes) -> None:
        """Confirm the response that brought an offer, with our answer to it."""
        self.answered = True
        self.confirm(now, sdp)

    def confirm(self, now: float, sdp: bytes = b"") -> ClientTransaction:
        """Send the PRACK of the last one that was taken, with an answer where that one brought an offer."""
        stack = self._stack
        rack = ("RAck", f"{self._last} {self._number} INVITE")
        request = stack.dialogs.request(self.dialog, "PRACK", headers=(rack,), body=sdp)
        prack = stack.transactions.client(request, stack.dialogs.flow_for(self.dialog), self._user)
        prack.start(now)
        return prack


def is_reliable(response: Response) -> bool:
    """Whether a provisional response wants a PRACK; one whose fields cannot be read is taken for a plain one."""
    if "RSeq" not in response.headers.first:
        return False
    try:
        return rseq_of(response) is not None
    except RemoteSipError:
        return False
