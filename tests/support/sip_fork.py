"""A proxy that forks each INVITE to several stations, and keeps no state at all: every answer of every one of them
comes back to the caller, which a better proxy would spare him."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sip.flow import Address, Flow, Transmission, Transport
from engine.sip.message import Headers, Request
from engine.sip.parser import KeepAlive, parse_datagram
from tests.support.wire import Station


class ForkingProxy:
    """Whoever is called at its own address is called at all branches; any other request goes where its URI says."""

    def __init__(self, host: str, *branches: Station) -> None:
        self.address = Address(host, 5060)
        self._branches = [branch.address for branch in branches]
        self._sending: list[Transmission] = []

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        message = parse_datagram(data)
        if isinstance(message, KeepAlive):
            return
        fields = list(message.headers.items())
        if isinstance(message, Request):
            own = message.uri.host == self.address.host
            for to in self._branches if own else [Address(message.uri.host, message.uri.port or 5060)]:
                branch = f"{message.hop[0]}.{to.host.rpartition('.')[2]}"
                via = f"SIP/2.0/UDP {self.address.host}:5060;branch={branch}"
                copy = Request(message.method, message.request_uri, Headers([("Via", via), *fields]), message.body)
                self._send(to, copy.to_bytes())
            return
        at = next(n for n, (name, _) in enumerate(fields) if name == "Via")
        message.headers = Headers(fields[:at] + fields[at + 1 :])
        next_hop = message.via
        self._send(Address(next_hop.host, next_hop.port or 5060), message.to_bytes())

    def _send(self, to: Address, data: bytes) -> None:
        self._sending.append(Transmission(Flow(Transport.UDP, self.address, to), data))

    def opened(self, flow: Flow, now: float) -> None: ...

    def lost(self, flow: Flow, now: float) -> None: ...

    def ring(self, now: float) -> None: ...

    def deadline(self) -> float | None:
        return None

    def drain(self, now: float) -> Iterable[Transmission]:
        sending, self._sending = self._sending, []
        return sending

    def closes(self) -> Iterable[Flow]:
        return ()
