"""Where SIP listens, as configured: one value for each socket."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from engine.sip.flow import Address, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """One listening socket."""

    transport: Transport
    address: str
    """IPv4 or IPv6 address to bind, 0.0.0.0 or :: for all of that family. An IPv6 socket takes IPv6 only, so that both
    may stand on one port."""
    port: int
    advertise: Address | None = None
    """Host and port by which peers reach it, where a NAT stands between; None: as routed. Port 0 is `port`."""
    dscp: int = 0
    """Differentiated services code point of what it sends (RFC 2474), 0 to 63; 0 leaves the kernel's default."""

    @property
    def local(self) -> Address:
        """As `Flow.local` names it."""
        return Address(self.address, self.port)

    def __str__(self) -> str:
        return f"{self.transport} {printed(self.local)}"


def printed(address: Address) -> str:
    """Host and port as people and URIs write them: IPv6 in brackets (RFC 5952 6)."""
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def plain_host(text: str) -> str:
    """An IP address in its one usual form: IPv4 where it is mapped into IPv6 (RFC 4291 2.5.5.2), IPv6 compressed and in
    lower case. Raises ValueError for what is no address, and for one that means nothing without a network interface."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        if address.is_link_local or address.scope_id:
            raise ValueError("is link-local: good on one interface only, which SIP cannot name; use a routed address")
    return str(address)


def same_family(one: str, other: str) -> bool:
    """Whether both addresses are IPv4, or both IPv6."""
    return (":" in one) == (":" in other)


def read_address(text: str) -> Address:
    """`192.0.2.1`, `192.0.2.1:5061`, `2001:db8::1` or `[2001:db8::1]:5061`; without a port it is 0. Raises ValueError
    for anything else."""
    host, colon, port = text.rpartition(":")
    if text.startswith("["):
        if text.endswith("]"):
            return Address(plain_host(text[1:-1]), 0)
        if not host.endswith("]"):
            raise ValueError("must be [IPv6 address]:port")
        host = host[1:-1]
    elif not colon or ":" in host:
        return Address(plain_host(text), 0)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"has port {port!r}, which is not a number from 1 to 65535")
    return Address(plain_host(host), int(port))
