"""What is known of one leg that speaks SIP."""

from __future__ import annotations

from dataclasses import dataclass

from engine.calls.causes import Reason
from engine.calls.events import LocalMedia
from engine.calls.leg_book import BookedLeg
from engine.calls.sip_media import SipMedia
from engine.calls.sip_words import Wanted


@dataclass(slots=True, kw_only=True, eq=False)
class SipLeg(BookedLeg):
    """One leg."""

    incoming: bool
    by_peer: Reason
    """What it is called when this leg's peer hangs up."""
    media: SipMedia
    wanted: Wanted | None = None
    """Of a leg that we placed."""
    text: str = ""
    """What the person is told about our ending it."""
    next_move: LocalMedia | None = None
    """What the peer is to be asked for when the move that is under way has its outcome."""
