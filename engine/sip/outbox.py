"""What leaves the stack: bytes on their flows, events for the layer above, counters."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from engine.sip.events import SipEvent
from engine.sip.flow import Flow, Transmission, Transport
from engine.sip.message import Message, Request, Response
from engine.sip.names import METHODS
from engine.sip.recorder import IN, OUT, Recorder

Trace = Callable[[str, Flow, Message], None]
"""Called with "in" or "out", the flow and each message that is not a mere repetition of ours."""

_OTHER: Final = "other"


class Outbox:
    """Collects what one input brings forth, until the driver drains it."""

    __slots__ = (
        "called",
        "counters",
        "events",
        "recorder",
        "retransmissions",
        "streams",
        "trace",
        "transmissions",
        "used",
    )

    def __init__(self) -> None:
        self.transmissions: list[Transmission] = []
        self.events: deque[SipEvent] = deque()
        self.counters: Counter[tuple[str, str, int | str, Transport]] = Counter()
        """("in" | "out", method, status or "request", transport) of everything but repetitions."""
        self.retransmissions: Counter[tuple[str, str, Transport]] = Counter()
        """("in" | "out", method, transport) of repeated requests and responses."""
        self.trace: Trace | None = None
        self.recorder: Recorder | None = None
        """Keeps what passes, where it is wanted."""
        self.streams: set[Flow] = set()
        """Stream connections that are open."""
        self.called: Callable[[Flow], None] | None = None
        """Told of every flow that a request of ours goes out by."""
        self.used: set[Flow] = set()
        """Stream flows that a transaction went by; a stranger's connection is none, so that losing it costs nothing."""

    def reaches(self, flow: Flow) -> bool:
        """False for a stream connection that is gone. One with the number 0 is made when it is needed."""
        return flow.connection == 0 or flow.transport is Transport.UDP or flow in self.streams

    def note_use(self, flow: Flow) -> None:
        """A transaction goes by the flow."""
        if flow.transport is not Transport.UDP and self.reaches(flow):
            self.used.add(flow)

    def note_request(self, flow: Flow) -> None:
        """A request of ours goes by the flow: whoever answers there is to be heard."""
        self.note_use(flow)
        if self.called is not None:
            self.called(flow)

    def send_request(self, flow: Flow, request: Request) -> bytes:
        """Send a request for the first time; its bytes. Empty where the flow is gone and nothing was sent. Raises
        LocalSipError where it cannot be written."""
        return self.send_written(flow, request, request.to_bytes())

    def send_written(self, flow: Flow, request: Request, data: bytes) -> bytes:
        """The same for a request that is written already, as `data`."""
        return data if self._send(flow, request, data, request.method, "request") else b""

    def send_response(self, flow: Flow, response: Response, data: bytes, method: str) -> bool:
        """Send a response to a request of the method for the first time, already written as `data`; False where the
        flow is gone."""
        return self._send(flow, response, data, method, response.status)

    def _send(self, flow: Flow, message: Message, data: bytes, method: str, what: int | str) -> bool:
        if not self.reaches(flow):
            return False
        self.counters["out", method if method in METHODS else _OTHER, what, flow.transport] += 1
        if self.recorder is not None:
            self.recorder.note(OUT, flow, message.headers.first.get("Call-ID", ""), data)
        if self.trace is not None:
            self.trace("out", flow, message)
        self.transmissions.append(Transmission(flow, data))
        return True

    def resend(self, flow: Flow, data: bytes, method: str) -> bool:
        """Send again what was sent; False where the flow is gone, or was then."""
        if not data or not self.reaches(flow):
            return False
        self.retransmissions["out", method if method in METHODS else _OTHER, flow.transport] += 1
        if self.recorder is not None:
            self.recorder.note_again(flow, data)
        self.transmissions.append(Transmission(flow, data))
        return True

    def received(self, flow: Flow, message: Request | Response) -> None:
        """Count a message that came in, and trace it. Raises RemoteSipError for a response without a usable CSeq."""
        if self.recorder is not None:
            self.recorder.note(IN, flow, message.headers.first["Call-ID"], message.octets)
        if isinstance(message, Request):
            method = message.method
            self.counters["in", method if method in METHODS else _OTHER, "request", flow.transport] += 1
        else:
            method = message.cseq.method
            self.counters["in", method if method in METHODS else _OTHER, message.status, flow.transport] += 1
        if self.trace is not None:
            self.trace("in", flow, message)

    def note_unread(self, message: Message, flow: Flow, *, known: bool) -> None:
        """Keep a message that came in and is not served: it is malformed, or its sender is not heard."""
        if self.recorder is not None:
            self.recorder.known = known
            self.recorder.note(IN, flow, message.headers.first.get("Call-ID", ""), message.octets)


def bounded(method: str) -> str:
    """The method, where it is one of the registry's: a stranger must not choose the names of counters."""
    return method if method in METHODS else _OTHER
