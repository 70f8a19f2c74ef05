"""A peer that speaks SIP by hand, for tests of what a well-behaved endpoint would never send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from engine.sip.accounts import Login
from engine.sip.endpoint import Limits
from engine.sip.events import InviteReceived, SessionId, SipEvent
from engine.sip.flow import Address, Flow, Transmission, Transport
from engine.sip.identity import Reliable
from engine.sip.message import Request, Response
from engine.sip.parser import ParseError, parse_datagram
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.wire import EndpointStation, Station, Wire

Fields = Sequence[tuple[str, str]]


class RawPeer:
    """A station that keeps what it hears and says only what the test tells it."""

    def __init__(self, host: str, server: Station) -> None:
        self.address = Address(host, 5060)
        self.flow = Flow(Transport.UDP, self.address, server.address)
        self.heard: list[Request | Response] = []
        self._sending: list[Transmission] = []
        self._branches = count(1)

    # --- the wire's side ---

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        try:
            message: object = parse_datagram(data)
        except ParseError as error:
            # A refusal brings back the very fields that it was for.
            message = error.message
        if isinstance(message, Request | Response):
            self.heard.append(message)

    def opened(self, flow: Flow, now: float) -> None:
        self.flow = flow

    def lost(self, flow: Flow, now: float) -> None: ...

    def ring(self, now: float) -> None: ...

    def deadline(self) -> float | None:
        return None

    def drain(self, now: float) -> Iterable[Transmission]:
        sending, self._sending = self._sending, []
        return sending

    def closes(self) -> Iterable[Flow]:
        return ()

    # --- the test's side ---

    def send(self, data: bytes | Request | Response) -> None:
        self._sending.append(Transmission(self.flow, data if isinstance(data, bytes) else data.to_bytes()))

    def request(
        self,
        method: str,
        *,
        number: int = 1,
        uri: str = "sip:100@192.0.2.9",
        call_id: str = "raw-call",
        from_tag: str = "rawtag",
        to_tag: str | None = None,
        branch: str | None = None,
        via: str | None = None,
        fields: Fields = (),
        body: bytes | None = None,
        contact: str | None = "",
    ) -> Request:
        """A request with sound fields but for those given. INVITE has SDP and a Contact unless told otherwise."""
        branch = branch or f"z9hG4bKraw{next(self._branches)}"
        host = f"{self.address.host}:{self.address.port}"
        to = "<sip:100@192.0.2.9>" + (f";tag={to_tag}" if to_tag else "")
        own = [
            ("Via", via or f"SIP/2.0/{self.flow.transport} {host};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:raw@{self.address.host}>;tag={from_tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
        ]
        if contact == "":
            contact = f"<sip:raw@{host}>" if method in ("INVITE", "REGISTER") else None
        if contact is not None:
            own.append(("Contact", contact))
        if body is None:
            body = SDP if method == "INVITE" else b""
        replaced = {name for name, _ in fields}
        return Request.build(method, uri, [(n, v) for n, v in own if n not in replaced] + list(fields), body)

    def ask(self, method: str, **options: object) -> Request:
        """Send such a request."""
        request = self.request(method, **options)  # type: ignore[arg-type]
        self.send(request)
        return request

    def respond(
        self, request: Request, status: int, *, tag: str = "rawtag", fields: Fields = (), sdp: bytes = b""
    ) -> None:
        """Send a response; one that makes a dialog has a Contact."""
        extra = list(fields)
        if request.method == "INVITE" and 100 < status < 300 and not any(name == "Contact" for name, _ in fields):
            extra.append(("Contact", f"<sip:raw@{self.address.host}:{self.address.port}>"))
        self.send(Response.build(request, status, None, tag, extra, sdp))

    def responses(self) -> list[Response]:
        return [message for message in self.heard if isinstance(message, Response)]

    def statuses(self) -> list[int]:
        return [message.status for message in self.responses()]

    def requests(self, method: str | None = None) -> list[Request]:
        found = [message for message in self.heard if isinstance(message, Request)]
        return [each for each in found if method in (None, each.method)]


Reaction = Callable[[EndpointStation, SipEvent, float], None]


def pair(
    on_event: Reaction | None = None,
    *,
    trunks: dict[str, str] | None = None,
    passwords: dict[str, str] | None = None,
    limits: Limits | None = None,
    nonce_ttl_s: float = 300.0,
    logins: dict[str, Login] | None = None,
    reliable: Reliable = Reliable.WHEN_REQUIRED,
    session_expires_s: int = 1800,
    min_session_expires_s: int = 90,
    settings: Mapping[str, Any] | None = None,
    tls_names: dict[str, str] | None = None,
) -> tuple[EndpointStation, RawPeer, Wire]:
    """An endpoint at 192.0.2.9, a peer by hand at 192.0.2.1, and the wire between them, which takes no time. Everybody
    is a trunk unless `trunks` says who is."""
    station = make_station(
        "e",
        "192.0.2.9",
        trunks=trunks,
        passwords=passwords,
        limits=limits,
        nonce_ttl_s=nonce_ttl_s,
        logins=logins,
        reliable=reliable,
        session_expires_s=session_expires_s,
        min_session_expires_s=min_session_expires_s,
        tls_names=tls_names,
        settings=settings,
    )
    if on_event is not None:
        station.on_event = lambda event, now: on_event(station, event, now)
    raw = RawPeer("192.0.2.1", station)
    return station, raw, Wire(station, raw, delay=0.0)


def answering(station: EndpointStation, event: SipEvent, now: float) -> None:
    """A reaction that takes every call and leaves re-INVITEs to the test."""
    if isinstance(event, InviteReceived):
        station.endpoint.accept(event.session, SDP_ANSWER, now=now)


def session_of(station: EndpointStation) -> SessionId:
    """The first call that came in at this station."""
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    return received.session


def calling(
    sdp: bytes | None = SDP, *, reliable: Reliable = Reliable.WHEN_REQUIRED, redirects: int = 0
) -> tuple[EndpointStation, RawPeer, Wire, SessionId, Request]:
    """A call of ours that the peer has heard of: with the INVITE."""
    station, raw, wire = pair(reliable=reliable)
    aim = target(station, raw)
    session = station.endpoint.invite(aim, from_user="x", sdp=sdp, redirects=redirects, now=wire.now)
    wire.run(0.1)
    return station, raw, wire, session, raw.requests("INVITE")[0]


Taken = tuple[EndpointStation, RawPeer, Wire, SessionId, str]


def taken(*, trunks: dict[str, str] | None = None, call_id: str = "raw-call") -> Taken:
    """A call from the peer that is up; with our tag."""
    station, raw, wire = pair(answering, trunks=trunks, passwords={"raw": "secret"})
    raw.ask("INVITE", call_id=call_id)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag or ""
    raw.ask("ACK", to_tag=tag, call_id=call_id)
    wire.run(0.1)
    return station, raw, wire, session_of(station), tag
