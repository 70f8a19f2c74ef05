"""Scripted user agents for tests: endpoints with fixed settings, and a phone that registers, answers and hangs up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from engine.sip.accounts import Login
from engine.sip.auth import answer_challenge, ha1
from engine.sip.endpoint import Endpoint, EndpointConfig, Limits, Target
from engine.sip.events import InviteReceived, SessionId, SipEvent
from engine.sip.flow import Address, Flow, Transport
from engine.sip.identity import Reliable
from engine.sip.message import Message, Request, Response
from engine.sip.request_out import options_request
from engine.sip.timers import Timers
from engine.sip.transaction import ClientTransaction
from engine.sip.uri import SipUri
from tests.support.wire import EndpointStation, Station

REALM = "test"
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP_ANSWER = SDP.replace(b"4000", b"5000")


class CountingIds:
    """Tokens that can be read in a log: a name and a number, spread so that `random` sees different digits."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers = count(1)

    def token(self) -> str:
        number = next(self._numbers)
        return f"{self._name}{number:04d}{(number * 2654435761) % 2**32:08x}"


@dataclass
class Passwords:
    """A CredentialStore of plain passwords."""

    by_user: dict[str, str]

    def ha1(self, user: str, realm: str, algorithm: str) -> str | None:
        password = self.by_user.get(user)
        return None if password is None else ha1(user, realm, password, algorithm)


@dataclass
class Logins:
    """An AccountStore."""

    by_account: dict[str, Login]

    def login(self, account: str) -> Login | None:
        return self.by_account.get(account)


@dataclass
class Trunks:
    """A PeerDirectory: trunk names by host; "*" is everybody else."""

    by_host: dict[str, str]
    trusted: frozenset[str] = frozenset()
    tls_name_of: dict[str, str] = field(default_factory=dict)

    def trunk_at(self, flow: Flow) -> str | None:
        return self.by_host.get(flow.remote.host, self.by_host.get("*"))

    def trusts(self, trunk: str) -> bool:
        return trunk in self.trusted

    def tls_name(self, trunk: str) -> str:
        return self.tls_name_of.get(trunk, "")


def make_station(
    name: str,
    host: str,
    *,
    trunks: dict[str, str] | None = None,
    passwords: dict[str, str] | None = None,
    timers: Timers | None = None,
    limits: Limits | None = None,
    nonce_ttl_s: float = 300.0,
    trusted: frozenset[str] = frozenset(),
    logins: dict[str, Login] | None = None,
    reliable: Reliable = Reliable.WHEN_REQUIRED,
    session_expires_s: int = 1800,
    min_session_expires_s: int = 90,
    settings: Mapping[str, Any] | None = None,
    tls_names: dict[str, str] | None = None,
) -> EndpointStation:
    """An endpoint at host:5060. Without `trunks` everybody is a trunk, so that no call is challenged."""
    address = Address(host, 5060)
    config = EndpointConfig(
        realm=REALM,
        advertise=lambda flow: address,
        nonce_secret=b"0123456789abcdef",
        timers=timers or Timers(),
        limits=limits or Limits(),
        nonce_ttl_s=nonce_ttl_s,
        reliable=reliable,
        session_expires_s=session_expires_s,
        min_session_expires_s=min_session_expires_s,
        **(settings or {}),
    )
    peers = Trunks({"*": "everybody"} if trunks is None else trunks, trusted, tls_names or {})
    endpoint = Endpoint(
        config,
        ids=CountingIds(name),
        credentials=Passwords(passwords or {}),
        peers=peers,
        accounts=Logins(logins or {}),
    )
    return EndpointStation(endpoint, address)


def target(source: EndpointStation, other: Station, user: str = "100") -> Target:
    """How `source` calls a user at another station over UDP."""
    uri = SipUri(user=user, host=other.address.host, port=other.address.port)
    return Target(uri=uri, flow=source.flow_to(other))


class SipPhone(EndpointStation):
    """A phone of one user: registers with digest, calls with digest, and does with calls that come in what it is
    told."""

    def __init__(self, user: str, password: str, host: str, server: Station) -> None:
        station = make_station(user, host)
        super().__init__(station.endpoint, station.address)
        self.user, self.password, self.server = user, password, server
        self.flow = self.flow_to(server)
        self.instance: str | None = None
        self.answers: list[Response] = []
        """Final responses to REGISTER."""
        self.calls: list[SessionId] = []
        self.ring_with: int | None = 180
        self.answer_with: int | None = 200
        """Final status, 200 or a refusal; None lets it ring."""
        self.expires = 300
        self._sequence = count(1)
        self._call_id = f"register-{user}"
        self._challenge: list[str] = []
        self._nonce_count = count(1)
        self.on_event = self._handle
        self.endpoint.trace = self._watch

    @property
    def contact(self) -> str:
        transport = ";transport=tcp" if self.flow.transport is Transport.TCP else ""
        return f"<sip:{self.user}@{self.flow.local.host}:{self.flow.local.port}{transport}>"

    def register(self, now: float, contact: str | None = None) -> None:
        """Send REGISTER, with the last challenge answered, and again when a new one comes."""
        stack = self.endpoint._stack
        registrar = SipUri(host=self.server.address.host)
        own = contact or self.contact
        extra = f';+sip.instance="{self.instance}";reg-id=1' if self.instance else ""
        base = options_request(stack, Target(uri=SipUri(user=self.user, host=registrar.host), flow=self.flow))
        request = Request.build("REGISTER", registrar, list(base.headers.items()))
        request.headers.set("CSeq", f"{next(self._sequence)} REGISTER")
        request.headers.set("Call-ID", self._call_id)
        request.headers.set("Contact", own + extra)
        request.headers.set("Expires", str(self.expires))
        if self._challenge:
            request.headers.add(*self._authorize("REGISTER", str(registrar)))
        stack.transactions.client(request, self.flow, self).start(now)

    def call(self, number: str, now: float) -> SessionId:
        """Call a number through the server, answering the last challenge if there was one."""
        uri = SipUri(user=number, host=self.server.address.host)
        headers = [self._authorize("INVITE", str(uri))] if self._challenge else []
        self.calls.append(
            self.endpoint.invite(
                Target(uri=uri, flow=self.flow), from_user=self.user, sdp=SDP, headers=headers, now=now
            )
        )
        return self.calls[-1]

    def _authorize(self, method: str, uri: str) -> tuple[str, str]:
        return answer_challenge(
            self._challenge,
            user=self.user,
            password=self.password,
            method=method,
            uri=uri,
            cnonce="c0ffee",
            nc=next(self._nonce_count),
        )

    def _watch(self, way: str, flow: Flow, message: Message) -> None:
        if way == "in" and isinstance(message, Response) and message.status == 401:
            self._challenge = message.headers.get_all("WWW-Authenticate")
            self._nonce_count = count(1)

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        again = "Authorization" not in transaction.request.headers or "stale=true" in "".join(self._challenge)
        if response.status == 401 and again:
            self.register(now, transaction.request.headers.get("Contact"))
        elif response.status >= 200:
            self.answers.append(response)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self.answers.append(Response(408))

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self.answers.append(Response(503))

    def _handle(self, event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            self.calls.append(event.session)
            if self.ring_with is not None:
                self.endpoint.progress(event.session, self.ring_with, now=now)
            if self.answer_with == 200:
                self.endpoint.accept(event.session, SDP_ANSWER, now=now)
            elif self.answer_with is not None:
                self.endpoint.reject(event.session, self.answer_with, now=now)
