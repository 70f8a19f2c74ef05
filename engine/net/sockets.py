"""Opens the sockets that SIP listens on, with what Twisted does not set: IPv6 alone, and the DSCP."""

from __future__ import annotations

import socket
from contextlib import suppress

from engine.errors import ConfigError
from engine.net.listen import Listen
from engine.sip.flow import Transport

_BACKLOG = 1024
"""Connections that the kernel holds until we take them: phones that all come back in one moment."""


def open_socket(listen: Listen) -> socket.socket:
    """A bound socket, listening where it is a stream. Raises ConfigError that says what to do when another program has
    the port, or the machine has no such address."""
    family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    datagram = listen.transport is Transport.UDP
    made = socket.socket(family, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        mark(made, listen.dscp)
        if not datagram:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((listen.address, listen.port))
        if not datagram:
            made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"sip: {listen} cannot be opened: {error}. "
            "Another program has it, perhaps another Hearthline, or this machine has no such address; "
            "choose another sip.port, or mend [[sip.listen]]"
        ) from error
    return made


def mark(handle: socket.socket, dscp: int) -> None:
    """Let what the socket sends carry a DSCP; an accepted connection has that of its listener. Nobody is refused
    service because a kernel does not take the mark."""
    if dscp == 0:
        return
    with suppress(OSError):
        if handle.family == socket.AF_INET6:
            handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            handle.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
