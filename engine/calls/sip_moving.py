"""Legs that we move: the re-INVITE by which a peer is asked to send to another port of ours, or in another codec.

One at a time and leg. The stack waits where another offer is under way, tries again after a glare (491, RFC 3261 14.1)
and ends a session whose peer does not answer at all (408 and 481, RFC 3261 12.2.1.2); what it tells is the outcome. An
offer that still waits when the peer comes with one of his own is made anew before his is answered, because its version
would be older than that of our answer (RFC 3264 8).
"""

from __future__ import annotations

from dataclasses import replace

from engine.calls.events import LocalMedia, Moved, MoveRefused, Strayed
from engine.calls.leg import LegState
from engine.calls.leg_book import LegBook
from engine.calls.sip_leg_record import SipLeg
from engine.ids import LegId
from engine.sip import events as sip
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import SessionId

_PENDING = 491


class SipMoving:
    """See the module."""

    def __init__(self, endpoint: Endpoint, book: LegBook[SipLeg, SessionId]) -> None:
        self._endpoint = endpoint
        self._book = book

    def move(self, leg: LegId, media: LocalMedia, now: float) -> None:
        """`LegPort.move`."""
        found = self._book.find(leg)
        if found is None:
            return
        if found.state is not LegState.UP:
            self._refused(found, media, _PENDING, f"the leg is {found.state}, not up")
        elif found.media.moving is None:
            self._ask(found, media, now)
        else:
            before, found.next_move = found.next_move, media
            if before is not None:
                self._refused(found, before, _PENDING, "a later move took its place")

    def ask_again(self, leg: SipLeg, now: float) -> None:
        """The peer's own change is about to be answered: what of ours waits to be sent is to follow on that."""
        if leg.media.moving is not None:
            self._ask(leg, leg.media.moving, now)

    def answered(self, leg: SipLeg, event: sip.OfferAnswered, now: float) -> None:
        media, before = leg.media.moving, leg.media.local
        if media is None:
            return
        try:
            leg.media.move(event.sdp, event.flow)
        except RemoteSipError as error:
            self._refused(leg, media, error.status_hint, str(error))
        else:
            self._book.tell(Moved(leg=leg.id, local=media, remote=leg.media.tell()))
            if leg.next_move is not None and before is not None and leg.next_move.port == before.port:
                # Whoever wanted no other port wants the one that it is now.
                leg.next_move = replace(leg.next_move, port=media.port, address=media.address)
        self._go_on(leg, now)

    def refused(self, leg: SipLeg, event: sip.OfferRefused, now: float) -> None:
        media = leg.media.moving
        if media is None:
            return
        leg.media.stay()
        self._refused(leg, media, event.status, event.reason)
        self._go_on(leg, now)

    def strayed(self, leg: SipLeg, event: sip.FlowMoved, now: float) -> None:
        """The phone registered from another address."""
        if leg.state is LegState.UP:
            self._book.tell(Strayed(leg=leg.id))

    def _ask(self, leg: SipLeg, media: LocalMedia, now: float) -> None:
        try:
            self._endpoint.offer(self._book.session(leg), leg.media.ask(media), now=now)
        except LocalSipError as error:
            leg.media.stay()
            self._refused(leg, media, _PENDING, str(error))

    def _go_on(self, leg: SipLeg, now: float) -> None:
        following, leg.next_move = leg.next_move, None
        if following is not None:
            self.move(leg.id, following, now)

    def _refused(self, leg: SipLeg, media: LocalMedia, status: int, reason: str) -> None:
        self._book.tell(MoveRefused(leg=leg.id, local=media, status=status, reason=reason))
