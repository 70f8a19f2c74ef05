"""Whose packets a leg latches on, and where it may send before and after.

A packet's source address is the only thing that a stranger on the net cannot choose and see answered: who sprays
packets at our ports ("RTP bleed") must not be sent anybody's sound for it. So a leg latches on what was signalled, and
nothing that a packet says about itself makes up for the wrong address, but a key:

    a valid packet from                        latches             because
    address and port of the SDP                the first           the peer named them; who forges them hears nothing
    address of the flow, any port              the first           NAT gives a stream another port
    address of the SDP, another port           a run (`probation`) the same, where SIP took another way (not behind NAT)
    the flow's network, from behind NAT        a run               a carrier's NAT has several addresses
    anywhere, on an encrypted leg              a run               only the peer has the key; one packet may be a copy
    anywhere else                              never               whatever its SSRC, its numbers and its cadence

"Valid" is RTP of a payload number that was agreed, and authentic on an encrypted leg. "The flow" is where the peer's
SIP comes from. "Behind NAT" is an SDP address of a narrower scope than the flow's (10.0.0.5 said from 198.51.100.7):
the other side's affair, for the same in our own network is somebody else, and gets nothing. "Network" is /24, with IPv6
/64. A latched leg sends to the latched address; there is no other latch until control signals one (`keeps_latch`, or a
second pair of ports: `commands.Rebind`).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from engine.media.commands import SetRemote
from engine.media.leg import SENDS, Address, Leg


class Trust(Enum):
    """What a packet's source makes of it."""

    FIRST = "first"
    """The first valid packet from there is the peer's."""
    RUN = "run"
    """Several that belong together are."""
    NEVER = "never"


class Scope(IntEnum):
    """How far an address is known."""

    HOST = 0
    LINK = 1
    SITE = 2
    """Private networks (RFC 1918, RFC 4193) and the carriers' own behind their NAT (RFC 6598)."""
    WORLD = 3


_SCOPES: Final[tuple[tuple[IPv4Network | IPv6Network, Scope], ...]] = tuple(
    (ip_network(network), scope)
    for network, scope in (
        ("127.0.0.0/8", Scope.HOST),
        ("::1/128", Scope.HOST),
        ("169.254.0.0/16", Scope.LINK),
        ("fe80::/10", Scope.LINK),
        ("10.0.0.0/8", Scope.SITE),
        ("172.16.0.0/12", Scope.SITE),
        ("192.168.0.0/16", Scope.SITE),
        ("100.64.0.0/10", Scope.SITE),
        ("fc00::/7", Scope.SITE),
    )
)

_RESERVED: Final = IPv4Network("240.0.0.0/4")
"""With 255.255.255.255 in it (RFC 1112 4, RFC 919)."""
_THIS: Final = IPv4Network("0.0.0.0/8")
"""Never a destination (RFC 1122 3.2.1.3)."""


@lru_cache(maxsize=1024)
def sendable(address: str, port: int) -> bool:
    """Whether a datagram may go there: not hold by RFC 2543 (0.0.0.0, or port 0), not broadcast, not multicast. (The
    broadcast address of a network of ours is refused by the kernel: no socket of ours has SO_BROADCAST.)"""
    ip = _parsed(address)
    if ip is None or ip.is_unspecified or ip.is_multicast or not 0 < port < 65536:
        return False
    return not (isinstance(ip, IPv4Address) and (ip in _RESERVED or ip in _THIS))


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """The IPv4 address where one is written as IPv6 (RFC 4291 2.5.5.2)."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


@lru_cache(maxsize=1024)
def scope(address: str) -> Scope:
    """How far this address is known; of what is no address, no farther than this host."""
    ip = _parsed(address)
    if ip is None:
        return Scope.HOST
    return next((found for network, found in _SCOPES if ip in network), Scope.WORLD)


@lru_cache(maxsize=1024)
def _network(address: str) -> IPv4Network | IPv6Network | None:
    ip = _parsed(address)
    return None if ip is None else ip_network((ip, 24 if ip.version == 4 else 64), strict=False)


def behind_nat(remote: SetRemote) -> bool:
    """Whether the address in the SDP is one that we cannot mean by it: known less far than where its SIP came from."""
    return scope(remote.address) < scope(remote.flow_address)


def trust(remote: SetRemote, source: Address) -> Trust:
    """What a valid packet from `source` is to a leg whose peer signalled `remote`: the table above."""
    if source == (remote.address, remote.port):
        return Trust.FIRST
    host = source[0]
    if host == remote.flow_address:
        return Trust.FIRST
    if remote.srtp is not None:
        return Trust.RUN
    if not behind_nat(remote):
        return Trust.RUN if host == remote.address else Trust.NEVER
    network, ip = _network(remote.flow_address), _parsed(host)
    within = network is not None and ip is not None and ip in network
    return Trust.RUN if within else Trust.NEVER


def may_report(leg: Leg, source: Address) -> bool:
    """Whether RTCP from there is the peer's: from the address that RTP comes from, before that from one signalled."""
    remote = leg.remote
    if leg.latched is not None:
        return source[0] == leg.latched[0]
    return remote is not None and source[0] in (remote.address, remote.flow_address)


def keeps_latch(anchor: SetRemote | None, new: SetRemote) -> bool:
    """Whether a latch made under `anchor` still holds under `new`. Hold by 0.0.0.0 or port 0 moves nothing."""
    if anchor is None or not sendable(new.address, new.port):
        return True
    return (anchor.address, anchor.port, anchor.flow_address) == (new.address, new.port, new.flow_address)


def target(leg: Leg) -> Address | None:
    """Where this leg's RTP goes now, or None when nothing may be sent."""
    remote = leg.remote
    if remote is None or remote.direction not in SENDS or not sendable(remote.address, remote.port):
        return None
    if leg.latched is None and behind_nat(remote):
        return None
    return leg.latched or (remote.address, remote.port)


def rtcp_target(leg: Leg) -> Address | None:
    """Where RTCP is sent: RTCP goes on in hold (RFC 3264 5.1), but never to nowhere. Behind NAT the port beside the
    latched one may be a neighbour's: there it goes where the peer's own comes from (RFC 4961)."""
    remote = leg.remote
    if remote is None or not sendable(remote.address, remote.port):
        return None
    if leg.latched is not None and leg.latched != (remote.address, remote.port):
        there = leg.signs.reported_from
        return there if there is not None and there[0] == leg.latched[0] else None
    if behind_nat(remote):
        return None
    there = remote.address, remote.port + 1 if remote.rtcp_port is None else remote.rtcp_port
    return there if sendable(*there) else None
