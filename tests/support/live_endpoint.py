"""An endpoint on a real UDP socket, driven by the test: the stack as somebody would use it who has no Twisted."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from types import TracebackType

from engine.sip.accounts import Login
from engine.sip.endpoint import Endpoint, EndpointConfig
from engine.sip.events import SipEvent
from engine.sip.flow import Address, Flow, Transport
from tests.support.sip_phone import CountingIds, Logins, Passwords, Trunks


class LiveEndpoint:
    """See the module. Events are kept, and handed to `on_event` if there is one."""

    def __init__(self, host: str, port: int, *, logins: dict[str, Login] | None = None) -> None:
        self.address = Address(host, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        config = EndpointConfig(realm="here", advertise=lambda flow: self.address, nonce_secret=b"0123456789abcdef")
        self.endpoint = Endpoint(
            config, ids=CountingIds("live"), credentials=Passwords({}), peers=Trunks({}), accounts=Logins(logins or {})
        )
        self.events: list[SipEvent] = []
        self.on_event: Callable[[SipEvent], None] | None = None
        self.sent: list[bytes] = []

    def __enter__(self) -> LiveEndpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def now(self) -> float:
        return time.monotonic()

    def flow_to(self, host: str, port: int) -> Flow:
        return Flow(Transport.UDP, self.address, Address(host, port))

    def until(self, condition: Callable[[], bool], what: str, *, timeout: float = 10.0) -> None:
        """Run until the condition holds."""
        end = self.now + timeout
        while True:
            self._settle()
            if condition():
                return
            assert self.now < end, f"{what} did not come; there was: {self.events}"
            deadline = self.endpoint.next_deadline()
            wait = min(end - self.now, 0.2 if deadline is None else max(0.0, deadline - self.now), 0.2)
            if select.select([self._socket], [], [], wait)[0]:
                data, remote = self._socket.recvfrom(65535)
                self.endpoint.receive_datagram(data, self.flow_to(*remote), self.now)
            self.endpoint.handle_deadline(self.now)

    def told(self, kind: type[SipEvent]) -> list[SipEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def _settle(self) -> None:
        while (event := self.endpoint.next_event()) is not None:
            self.events.append(event)
            if self.on_event is not None:
                self.on_event(event)
        assert not self.endpoint.defects, self.endpoint.defects
        for flow, data in self.endpoint.datagrams_to_send():
            self.sent.append(data)
            self._socket.sendto(data, flow.remote)
