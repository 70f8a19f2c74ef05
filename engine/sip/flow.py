"""Flows: by which way a message came in or goes out. Every input and output of the stack names one."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Transport(StrEnum):
    """The value is the transport token of the Via header (RFC 3261 20.42)."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"

    @property
    def reliable(self) -> bool:
        """True where the transport retransmits by itself, so that transactions do not (RFC 3261 17)."""
        return self is not Transport.UDP


class Address(NamedTuple):
    """An IP address (no host name) and a port."""

    host: str
    port: int


class Flow(NamedTuple):
    """A tuple, because it is a dictionary key on the hot path. A binding keeps its flow, and a request to that phone
    goes out on it, never to the host in its Contact: that is what gets through a home router."""

    transport: Transport
    local: Address
    """Our listening socket's address, as bound (may be 0.0.0.0; what we advertise is the endpoint's matter)."""
    remote: Address
    connection: int = 0
    """Number of the stream connection, 0 on UDP. A new connection from the same address is another flow."""
    name: str = ""
    """The host or SIP domain that the peer's certificate must be for, where we open a TLS connection (RFC 5922); empty:
    the remote address itself."""


NOWHERE: Final = Flow(Transport.UDP, Address("", 0), Address("", 0))
"""Of a request whose target is still to be located. Compared by identity."""


class Transmission(NamedTuple):
    """Bytes that are to leave on a flow."""

    flow: Flow
    data: bytes
