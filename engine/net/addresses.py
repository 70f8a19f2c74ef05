"""Which of our addresses a peer sees: what goes into Via, Contact and SDP when a listener is bound to all of them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

from engine.net.listen import Listen
from engine.sip.flow import Address, Flow, Transport

_CACHE_BOUND: Final = 4096
_DISCARD_PORT: Final = 9
ANY: Final = frozenset({"0.0.0.0", "::"})
"""What the kernel calls a socket that is bound to every address."""


class LocalAddresses:
    """Answers from the kernel's routing table, cached by peer; an operator's `advertise` goes before it.

    Asking is a `connect` on a UDP socket: nothing is sent and nothing blocks.
    """

    def __init__(self, listeners: Sequence[Listen]) -> None:
        self._listeners: dict[tuple[Transport, Address], Listen] = {
            (each.transport, each.local): each for each in listeners
        }
        self._toward: dict[str, str] = {}

    def host_for(self, flow: Flow) -> str:
        """The IP address to name in messages on this flow."""
        listen = self.listener(flow)
        if listen is not None and listen.advertise is not None:
            return listen.advertise.host
        if flow.local.host not in ANY:
            return flow.local.host
        return self.toward(flow.remote.host)

    def sip_address(self, flow: Flow) -> Address:
        """Host and port to name in Via and Contact on this flow: where we listen (RFC 3261 section 18.1.1), which is
        not the port from which we opened a TCP connection."""
        host, listen = self.host_for(flow), self.listener(flow)
        if listen is None:
            return Address(host, flow.local.port)
        return Address(host, listen.advertise.port or listen.port if listen.advertise is not None else listen.port)

    def listener(self, flow: Flow) -> Listen | None:
        """Whose the flow is: of the listener on its local address, or else on all addresses of its family."""
        found = self._listeners.get((flow.transport, flow.local))
        if found is None:
            everywhere = "::" if ":" in flow.local.host else "0.0.0.0"
            found = self._listeners.get((flow.transport, Address(everywhere, flow.local.port)))
        return found

    def toward(self, remote: str) -> str:
        """Our address from which the kernel would send there."""
        host = self._toward.get(remote)
        if host is None:
            host = _route_to(remote)
            if len(self._toward) >= _CACHE_BOUND:
                self._toward.clear()
            self._toward[remote] = host
        return host


def _route_to(host: str) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, _DISCARD_PORT))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
