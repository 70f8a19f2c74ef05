"""SIP over UDP: one listening socket, many flows."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from twisted.internet.protocol import DatagramProtocol

from engine.net.reactor import datagram_transport
from engine.sip.flow import Address, Flow, Transport

_RECEIVE_BUFFER: Final = 4 << 20
"""Bytes asked of the kernel. At 700 bytes a message that rides out a second of 6,000 messages."""

_FLOW_BOUND: Final = 16384


class UdpListener(DatagramProtocol):
    """Hands every datagram with its flow to `receive`; `send` writes one."""

    def __init__(self, local: Address) -> None:
        self.local = local
        self.receive: Callable[[bytes, Flow], None]
        """Set before the socket is opened."""
        self._flows: dict[tuple[str, int], Flow] = {}
        self._socket: socket.socket

    def startProtocol(self) -> None:
        transport = datagram_transport(self.transport)
        self._socket = transport.getHandle()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        flow = self._flows.get(addr)
        if flow is None:
            if "%" in addr[0]:
                return  # link-local: no Via and no Contact can name it
            flow = self.flow_to(addr)
        self.receive(datagram, flow)

    def flow_to(self, remote: tuple[str, int]) -> Flow:
        """The flow between this socket and a peer; kept, because it is asked for with every datagram."""
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= _FLOW_BOUND:
                self._flows.clear()
            flow = self._flows[remote] = Flow(Transport.UDP, self.local, Address(remote[0], remote[1]))
        return flow

    def send(self, data: bytes, remote: Address) -> bool:
        """Write one datagram; False when the kernel refused it (no route, too large).

        Straight to the socket: Twisted's write looks twice at an address that we know to be one. A full send buffer
        counts as sent: the datagram is lost as on any network, and SIP's timers repair that.
        """
        try:
            self._socket.sendto(data, remote)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True
