"""Which first packet a leg may latch on, and where it may send before and after."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, ip_address

from engine.media.commands import SetRemote
from engine.media.leg import SENDS, Address, Leg


@lru_cache(maxsize=1024)
def sendable(address: str, port: int) -> bool:
    """Whether a datagram may go there: not hold by RFC 2543 (0.0.0.0, or port 0), not broadcast, not multicast."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if ip.is_unspecified or ip.is_multicast or not 0 < port < 65536:
        return False
    # 255.255.255.255, and 0.0.0.0/8, which is never a destination (RFC 1122 3.2.1.3).
    return not (isinstance(ip, IPv4Address) and (int(ip) == 0xFFFFFFFF or int(ip) >> 24 == 0))


def may_latch(remote: SetRemote, source: Address) -> bool:
    """Whether a valid packet from `source` makes the leg latch: the address and port in the SDP, or any port of the
    host that its SIP came from (the phone is behind NAT, and its SDP tells a private address)."""
    return source == (remote.address, remote.port) or source[0] == remote.flow_address


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
    return leg.latched or (remote.address, remote.port)


def rtcp_target(leg: Leg) -> Address | None:
    """Where RTCP is sent: RTCP goes on in hold (RFC 3264 5.1), but never to nowhere."""
    remote = leg.remote
    if remote is None or not sendable(remote.address, remote.port):
        return None
    if leg.latched is None or leg.latched == (remote.address, remote.port):
        there = remote.address, remote.port + 1 if remote.rtcp_port is None else remote.rtcp_port
    else:
        there = leg.latched[0], leg.latched[1] + 1
    return there if sendable(*there) else None
