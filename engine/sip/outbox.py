"""What leaves the stack: bytes on their flows, events for the layer above, counters."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from engine.sip.events import SipEvent
from engine.sip.flow import Flow, Transmission, Transport
from engine.sip.message import Message, Request, Response
from engine.sip.names import METHODS

Trace = Callable[[str, Flow, Message], None]
"""Called with "in" or "out", the flow and each message that is not a mere repetition of ours."""

_OTHER: Final = "other"


class Outbox:
    """Collects what one input brings forth, until the driver drains it."""

    __slots__ = ("counters", "events", "retransmissions", "streams", "trace", "transmissions", "used")

    def __init__(self) -> None:
        self.transmissions: list[Transmission] = []
        self.events: deque[SipEvent] = deque()
        self.counters: Counter[tuple[str, str, int | str]] = Counter()
        """("in" | "out", method, status or "request") of everything but repetitions."""
        self.retransmissions: Counter[tuple[str, str]] = Counter()
        """("in" | "out", method) of repeated requests and responses."""
        self.trace: Trace | None = None
        self.streams: set[Flow] = set()
        """Stream connections that are open."""
        self.used: set[Flow] = set()
        """Stream flows that a transaction went by; a stranger's connection is none, so that losing it costs nothing."""

    def reaches(self, flow: Flow) -> bool:
        """False for a stream connection that is gone. One with the number 0 is made when it is needed."""
        return flow.connection == 0 or flow.transport is Transport.UDP or flow in self.streams

    def send(self, flow: Flow, message: Request | Response) -> bytes:
        """Send a message for the first time; its bytes. Empty where the flow is gone and nothing was sent. Raises
        LocalSipError where the message cannot be written."""
        data = message.to_bytes()
        if not self.reaches(flow):
            return b""
        self.count("out", message)
        if self.trace is not None:
            self.trace("out", flow, message)
        self.transmissions.append(Transmission(flow, data))
        return data

    def resend(self, flow: Flow, data: bytes, method: str) -> bool:
        """Send again what was sent; False where the flow is gone, or was then."""
        if not data or not self.reaches(flow):
            return False
        self.retransmissions["out", method] += 1
        self.transmissions.append(Transmission(flow, data))
        return True

    def count(self, way: str, message: Request | Response) -> None:
        """One message of the kind."""
        if isinstance(message, Request):
            self.counters[way, bounded(message.method), "request"] += 1
        else:
            self.counters[way, bounded(message.cseq.method), message.status] += 1


def bounded(method: str) -> str:
    """The method, where it is one of the registry's: a stranger must not choose the names of counters."""
    return method if method in METHODS else _OTHER
