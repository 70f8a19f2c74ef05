"""How often the numbers of a peer's packets have gone around (the rollover counter, RFC 3711 3.3.1), found anew.

The counter is in no packet: each side counts from the first one, every 65,536 packets (22 minutes). A peer that keeps
its key while its leg moves to another media process goes on counting, so the round is guessed there, and a packet that
authenticates proves it. libsrtp counts only what it opens, and lets nobody set the count: to come to a later round it
is given packets that we seal with the peer's own key. They never leave the process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pylibsrtp import Error, Policy, Session

from engine.media.rtp import HEADER_SIZE

MOST_ROUNDS: Final = 64
"""That are looked for: 23 hours at 50 packets a second."""
GUESSES: Final = 2
"""Rounds tried on each packet, so that strangers' packets cost little."""
ROUND: Final = 1 << 16
_BEFORE: Final = 200
"""So far behind the packet the count is brought: none of those that come out of order is taken for one played again."""
_LEAP: Final = 30_000
"""From one packet to the next; a leap of more than 32,768 would be one backwards."""


class Rollover:
    """Of one key, until a packet could be opened."""

    __slots__ = ("_at", "_forger", "_make", "_rounds", "_ssrc", "session")

    def __init__(self, make: Callable[[int], Session]) -> None:
        """`make` gives a new session of the key in one direction (`Policy.SSRC_...`)."""
        self._make = make
        self._begin(b"")

    def _begin(self, ssrc: bytes) -> None:
        self.session = self._make(Policy.SSRC_ANY_INBOUND)
        """That which opened it, and is to go on."""
        self._forger = self._make(Policy.SSRC_ANY_OUTBOUND)
        self._ssrc = ssrc
        self._at = 0
        self._rounds = 0

    def opened(self, packet: bytes) -> bytes:
        """What the packet is, longer than a header, or nothing yet."""
        ssrc, number = packet[8:HEADER_SIZE], int.from_bytes(packet[2:4], "big")
        if ssrc != self._ssrc or self._rounds > MOST_ROUNDS:
            self._begin(ssrc)
        for _ in range(GUESSES):
            if self._rounds:
                self._wind(self._rounds * ROUND + number - _BEFORE)
            self._rounds += 1
            with suppress(Error):
                return self.session.unprotect(packet)
        return b""

    def _wind(self, to: int) -> None:
        """Let the session count up to there."""
        while self._at < to:
            self._at = min(self._at + _LEAP, to)
            forged = b"\x80\0" + (self._at % ROUND).to_bytes(2, "big") + bytes(4) + self._ssrc + b"\0"
            with suppress(Error):
                self.session.unprotect(self._forger.protect(forged))
