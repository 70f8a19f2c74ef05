"""Which of our addresses a peer sees: what goes into Via, Contact and SDP when the listener is bound to all of them."""

from __future__ import annotations

import socket
from typing import Final

from engine.sip.flow import Address, Flow

_CACHE_BOUND: Final = 4096
_DISCARD_PORT: Final = 9
_ALL: Final = frozenset({"0.0.0.0", "::"})
"""What the kernel calls a socket that is bound to every address."""


class LocalAddresses:
    """Answers from the kernel's routing table, cached by peer; an operator's `advertise` goes before it.

    Asking is a `connect` on a UDP socket: nothing is sent and nothing blocks.
    """

    def __init__(self, *, port: int, advertise: str = "") -> None:
        """`port` is where SIP listens."""
        self._port = port
        self._advertise = advertise
        self._toward: dict[str, str] = {}

    def host_for(self, flow: Flow) -> str:
        """The IP address to name in messages on this flow."""
        if self._advertise:
            return self._advertise
        if flow.local.host not in _ALL:
            return flow.local.host
        host = self._toward.get(flow.remote.host)
        if host is None:
            host = _route_to(flow.remote.host)
            if len(self._toward) >= _CACHE_BOUND:
                self._toward.clear()
            self._toward[flow.remote.host] = host
        return host

    def sip_address(self, flow: Flow) -> Address:
        """Host and port to name in Via and Contact on this flow: where we listen (RFC 3261 section 18.1.1), which is
        not the port from which we opened a TCP connection."""
        return Address(self.host_for(flow), self._port)


def _route_to(host: str) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, _DISCARD_PORT))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
