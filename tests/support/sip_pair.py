"""The engine's SIP legs and a far endpoint, joined in memory in virtual time.

The far endpoint plays a trunk and every agent's phone: whatever comes from the engine reaches it, and it is taken for
the trunk "pbx" by its address. `register` sends the REGISTER of a phone by hand, digest and all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.calls.codec_words import DEFAULT
from engine.calls.directory import Agent, Directory, Trunk
from engine.calls.events import LegEvent, PresenceEvent
from engine.calls.sip_leg import SipLegs
from engine.ids import AgentName, TrunkName
from engine.sip.accounts import Login
from engine.sip.auth import answer_challenge, ha1
from engine.sip.endpoint import Endpoint, EndpointConfig, Target
from engine.sip.events import SessionId, SipEvent
from engine.sip.flow import Address, Flow, Transport
from engine.sip.message import Response
from engine.sip.offer_answer import AudioCodec, Direction, Local, make_offer
from engine.sip.parser import parse_datagram
from engine.sip.uri import SipUri
from tests.support.call_fakes import Numbers

ENGINE = Address("192.0.2.1", 5080)
PBX = Address("192.0.2.2", 5060)
PHONE = Address("192.0.2.3", 40000)
SPARE = Address("192.0.2.4", 40000)
"""A second phone."""
REALM = "hearthline"

Told = TypeVar("Told", LegEvent, PresenceEvent)


class Trunks:
    """PeerDirectory: by the remote address."""

    def __init__(self, known: dict[Address, str]) -> None:
        self._known = known
        self.trusted: set[str] = set()

    def trunk_at(self, flow: Flow) -> str | None:
        return self._known.get(flow.remote)

    def trusts(self, trunk: str) -> bool:
        return trunk in self.trusted

    def tls_name(self, trunk: str) -> str:
        return ""


class Passwords:
    """CredentialStore: everybody's password is "secret"."""

    def ha1(self, user: str, realm: str, algorithm: str) -> str | None:
        return ha1(user, realm, "secret", algorithm)


class Logins:
    """AccountStore: the trunks that have a user and a secret."""

    def __init__(self, pair: SipPair) -> None:
        self._pair = pair

    def login(self, account: str) -> Login | None:
        trunk = self._pair.directory.trunks.get(TrunkName(account))
        return (
            None
            if trunk is None or not trunk.secret
            else Login(user=trunk.auth_user or trunk.user, password=trunk.secret)
        )


def config(local: Address) -> EndpointConfig:
    return EndpointConfig(realm=REALM, advertise=lambda _: local, nonce_secret=b"n" * 32)


def udp(local: Address, remote: Address) -> Flow:
    return Flow(Transport.UDP, local, remote)


def description(
    codecs: tuple[AudioCodec, ...] = (AudioCodec.PCMU, AudioCodec.PCMA),
    direction: Direction = Direction.SENDRECV,
    *,
    port: int = 4000,
    version: int = 0,
) -> bytes:
    """What a far phone offers."""
    local = Local(address="192.0.2.2", port=port, session_id=9, version=version, codecs=codecs)
    return make_offer(local, direction)


class SipPair:
    """See the module. `told` holds the neutral events, `far` the events of the far endpoint."""

    def __init__(self, *, ping_s: float = 0.0, show_hidden: bool = False, codecs: tuple[str, ...] = DEFAULT) -> None:
        self.now = 0.0
        self._drawn = 0
        self.directory = Directory.of(
            [
                Trunk(name=TrunkName("pbx"), host=PBX.host, port=PBX.port, ping_s=ping_s),
                Agent(name=AgentName("anna")),
            ]
        )
        ids = Numbers()
        self.trunks = Trunks({PBX: "pbx"})
        self.engine = Endpoint(
            config(ENGINE), ids=ids, credentials=Passwords(), peers=self.trunks, accounts=Logins(self)
        )
        self.peer = Endpoint(config(PBX), ids=ids, credentials=Passwords(), peers=Trunks({ENGINE: "engine"}))
        self.no_way = False
        self.legs = SipLegs(
            self.engine,
            self.directory,
            ids=ids,
            listener_flow=lambda transport, remote, name="": None if self.no_way else Flow(transport, ENGINE, remote),
            media_address=lambda flow: "203.0.113.9",
            octets=self._octets,
            trusts=self.trunks.trusts,
            show_hidden=show_hidden,
            instance=lambda trunk: f"urn:uuid:of-{trunk}",
            codecs=codecs,
        )
        self.told: list[LegEvent | PresenceEvent] = []
        self.far: list[SipEvent] = []
        self.to_phone: list[bytes] = []
        self.lose: Callable[[bytes], bool] = lambda data: False
        """Which datagrams never arrive."""
        self.far_at: Address | None = None
        """Where the far side's datagrams come from, after a change of network; None where it is at home."""

    def run(self) -> None:
        """Carry everything on until all is still."""
        busy = True
        while busy:
            busy = False
            while (event := self.engine.next_event()) is not None:
                self.legs.handle(event, self.now)
            while (event := self.peer.next_event()) is not None:
                self.far.append(event)
            self.told += self.legs.take_events()
            for flow, data in self.engine.datagrams_to_send():
                busy = True
                if self.lose(data):
                    continue
                if flow.remote == PHONE:
                    self.to_phone.append(data)
                self.peer.receive_datagram(data, udp(flow.remote, ENGINE), self.now)
            for flow, data in self.peer.datagrams_to_send():
                busy = True
                if not self.lose(data):
                    self.engine.receive_datagram(data, udp(ENGINE, self.far_at or flow.local), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline on the way."""
        end = self.now + seconds
        while True:
            due = [
                d
                for d in (self.engine.next_deadline(), self.peer.next_deadline(), self.legs.next_deadline())
                if d is not None
            ]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            self.engine.handle_deadline(self.now)
            self.peer.handle_deadline(self.now)
            self.legs.handle_deadline(self.now)
            self.run()
        self.now = end

    # what the far side does

    def call_in(self, sdp: bytes | None, called: str = "4000", fields: Sequence[tuple[str, str]] = ()) -> SessionId:
        """The trunk calls the engine."""
        target = Target(uri=SipUri(user=called, host=ENGINE.host, port=ENGINE.port), flow=udp(PBX, ENGINE))
        session = self.peer.invite(
            target, from_user="0301234", from_display="Mrs Caller", sdp=sdp, headers=fields, now=self.now
        )
        self.run()
        return session

    def register(
        self,
        user: str = "anna",
        *,
        expires: int = 300,
        call_id: str = "reg",
        at: Address = PHONE,
        contact: Address | None = None,
    ) -> None:
        """A phone registers, answering the challenge. Its Contact is an address behind NAT: 10.0.0.3 for 192.0.2.3
        (`contact`, where it was elsewhere before)."""
        way = udp(ENGINE, at)
        request = self._register(contact or at, user, expires, call_id, 1, "")
        self.engine.receive_datagram(request, way, self.now)
        challenges = self._answer_to_phone().headers.get_all("WWW-Authenticate")
        name, value = answer_challenge(
            challenges, user=user, password="secret", method="REGISTER", uri=f"sip:{REALM}", cnonce="c", nc=1
        )
        request = self._register(contact or at, user, expires, call_id, 2, f"{name}: {value}\r\n")
        self.engine.receive_datagram(request, way, self.now)
        assert self._answer_to_phone().status == 200
        self.run()

    def _answer_to_phone(self) -> Response:
        sent = self.engine.datagrams_to_send()
        (answered,) = [data for _, data in sent if data.startswith(b"SIP/2.0")]
        for flow, data in sent:
            if data is not answered:
                self.peer.receive_datagram(data, udp(flow.remote, ENGINE), self.now)
        answer = parse_datagram(answered)
        assert isinstance(answer, Response)
        return answer

    @staticmethod
    def _register(at: Address, user: str, expires: int, call_id: str, number: int, extra: str) -> bytes:
        inside = f"10.0.0.{at.host[-1]}:5070"
        return (
            f"REGISTER sip:{REALM} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {inside};rport;branch=z9hG4bK{call_id}{number}\r\n"
            f"From: <sip:{user}@{REALM}>;tag=t\r\nTo: <sip:{user}@{REALM}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{user}@{inside}>\r\nExpires: {expires}\r\nUser-Agent: Test phone\r\n"
            f"{extra}Content-Length: 0\r\n\r\n"
        ).encode()

    def _octets(self, count: int) -> bytes:
        """Keys that differ, and are the same in every run."""
        self._drawn += 1
        return self._drawn.to_bytes(count, "big")

    # what was seen

    def last(self, kind: type[Told]) -> Told:
        """The last neutral event of this kind."""
        return [event for event in self.told if isinstance(event, kind)][-1]

    def all_far(self, kind: type[SipEvent]) -> list[SipEvent]:
        return [event for event in self.far if isinstance(event, kind)]
