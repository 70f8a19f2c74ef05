"""What counts as one source: an IPv4 address, or the network of 64 bits that one subscriber of IPv6 has to himself."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from engine.sip.limits import MAX_REMEMBERED_FLOWS

_SUBSCRIBER_BITS: Final = 64
"""The least that a subscriber is given (RFC 6177 2); whoever has it can send from 2**64 addresses."""


def source_key(host: str) -> str:
    """The name of the source that an address belongs to: "192.0.2.1" (also for ::ffff:192.0.2.1), "2001:db8:1:2::/64".
    A text that is no address is its own name."""
    return _ipv6_key(host) if ":" in host else host


@lru_cache(maxsize=MAX_REMEMBERED_FLOWS)
def _ipv6_key(host: str) -> str:
    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    low = 128 - _SUBSCRIBER_BITS
    return f"{IPv6Address(int(address) >> low << low)}/{_SUBSCRIBER_BITS}"
