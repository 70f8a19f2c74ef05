"""How many TLS handshakes strangers may make us compute: each costs a signature; and what became of those that came to
nothing.

Token buckets, one for each source and one for all together (RFC 2697's idea, one rate). Who finds his bucket empty is
closed before a byte is computed and comes again later, as phones do.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

from OpenSSL import SSL

from engine.net.tls import reason_of

_SOURCE_BURST: Final = 100.0
_SOURCE_RATE: Final = 10.0
"""A second. An office of 100 phones behind one address comes back at once, a larger one within seconds."""
_ALL_BURST: Final = 1000.0
_ALL_RATE: Final = 100.0
"""A second, of all strangers together: about a fifth of one core."""
_SOURCES_BOUND: Final = 4096


class Refusal(StrEnum):
    """Why a peer's handshake came to nothing."""

    RATE = "rate"
    """His source, or all together, began too many."""
    SLOW = "slow"
    """It took too long."""
    CERTIFICATE = "certificate"
    """We ask for one of his, and it is missing or not good."""
    PROTOCOL = "protocol"
    """It is no TLS, or none that we speak."""
    DISTRUST = "distrust"
    """He refused us: mostly our certificate, which his phone or PBX does not know."""
    GONE = "gone"
    """He hung up, or gave way to others."""


def refusal_of(error: BaseException | None) -> Refusal:
    """Why, by what OpenSSL or the network says."""
    if not isinstance(error, SSL.Error) or isinstance(error, SSL.SysCallError):
        return Refusal.GONE
    why = reason_of(error)
    # OpenSSL names what a peer told us an alert, and what we found ourselves by its own words.
    if " alert " in why:
        return Refusal.DISTRUST
    return Refusal.CERTIFICATE if "certificate" in why else Refusal.PROTOCOL


class Handshakes:
    """Gives leave for one handshake at a time."""

    def __init__(self) -> None:
        self._all = _Bucket(_ALL_BURST, 0.0)
        self._sources: dict[str, _Bucket] = {}
        self.refused: dict[str, int] = dict.fromkeys(Refusal, 0)
        """Peers' handshakes that came to nothing."""

    def allow(self, source: str, now: float) -> bool:
        """Whether a stranger at the source may begin one."""
        bucket = self._sources.get(source)
        if bucket is None:
            if len(self._sources) >= _SOURCES_BOUND:
                # The oldest is full again, or is one of so many that the common bucket is what holds them.
                del self._sources[next(iter(self._sources))]
            bucket = self._sources[source] = _Bucket(_SOURCE_BURST, now)
        if bucket.take(_SOURCE_RATE, _SOURCE_BURST, now) and self._all.take(_ALL_RATE, _ALL_BURST, now):
            return True
        self.refused[Refusal.RATE] += 1
        return False


class _Bucket:
    __slots__ = ("_filled_at", "_left")

    def __init__(self, left: float, now: float) -> None:
        self._left = left
        self._filled_at = now

    def take(self, rate: float, burst: float, now: float) -> bool:
        self._left = min(burst, self._left + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def source_of(host: str) -> str:
    """Whom an address counts for: an IPv6 host has a whole /64 to choose from."""
    address = ip_address(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return host
