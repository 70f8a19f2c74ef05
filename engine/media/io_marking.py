"""The mark by which routers and access points know sound (DSCP, RFC 2474), so that it waits behind nothing else."""

from __future__ import annotations

import socket
from contextlib import suppress


def mark(made: socket.socket, dscp: int) -> None:
    """Let what the socket sends carry the DSCP, to IPv4 peers of an IPv6 socket as well. Sound that a kernel does not
    mark is better than none."""
    if dscp == 0:
        return
    with suppress(OSError):
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
    if made.family == socket.AF_INET6:
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
