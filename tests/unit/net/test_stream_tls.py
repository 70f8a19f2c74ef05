"""TLS on connections in memory: who is let in, who is believed, what is shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from engine.net import handshakes, stream
from engine.net.addresses import LocalAddresses
from engine.net.handshakes import Handshakes, source_of
from engine.net.listen import Listen
from engine.net.stream import HANDSHAKE_S, STRANGER_S, StreamConnections
from engine.net.tls import TlsContexts
from engine.net.tls_files import ClientCertificates, TlsFiles
from engine.sip.flow import Address, Flow, Transport
from tests.support.certificates import Authority

HERE = Address("192.0.2.9", 5061)
THERE = Address("192.0.2.1", 5061)
LISTEN = Listen(transport=Transport.TLS, address="0.0.0.0", port=5061)


@dataclass
class End:
    host: str
    port: int


@dataclass
class Sink:
    opened: list[Flow] = field(default_factory=list)
    lost: list[Flow] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    failed: list[Flow] = field(default_factory=list)
    trunks: set[str] = field(default_factory=set)
    offered: Flow | None = None

    def keeps(self, flow: Flow) -> bool:
        return flow.remote.host in self.trunks

    def alias_of(self, flow: Flow) -> Flow | None:
        return self.offered

    def connection_opened(self, flow: Flow) -> None:
        self.opened.append(flow)

    def stream(self, data: bytes, flow: Flow) -> None:
        self.heard.append(data)

    def connection_lost(self, flow: Flow) -> None:
        self.lost.append(flow)

    def send_failed(self, flow: Flow) -> None:
        self.failed.append(flow)


class Tcp(StringTransport):
    """The TCP connection beneath; closing it tells the protocol."""

    def __init__(self, protocol: Any, peer: Address, reactor: MemoryReactorClock) -> None:
        super().__init__()
        self.protocol, self.peer, self.reactor = protocol, peer, reactor
        self.gone = False

    def getHost(self) -> Any:
        return End(*HERE)

    def getPeer(self) -> Any:
        return End(*self.peer)

    def getHandle(self) -> Any:
        return self

    def setsockopt(self, *_: int) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def abortConnection(self) -> None:
        if not self.gone:
            self.gone = True
            self.reactor.callLater(0, self.protocol.connectionLost, Failure(ConnectionAborted()))

    def loseConnection(self) -> None:
        self.abortConnection()


class Peer:
    """The other end: OpenSSL by hand."""

    def __init__(
        self,
        connection: SSL.Connection,
        protocol: Any,
        address: Address,
        reactor: MemoryReactorClock,
        *,
        server: bool = False,
    ) -> None:
        self.tls, self.reactor = connection, reactor
        if server:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
        self.wire = Tcp(protocol, address, reactor)
        self.refused = ""
        protocol.makeConnection(self.wire)

    def pump(self) -> None:
        """Carry bytes until nothing moves."""
        for _ in range(8):
            self.reactor.advance(0)
            came = self.wire.value()
            self.wire.clear()
            if came:
                self.tls.bio_write(came)
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                self.refused = str(error)
            try:
                data = self.tls.bio_read(65536)
            except SSL.WantReadError:
                continue
            if not self.wire.gone:
                self.wire.protocol.dataReceived(data)

    def read(self) -> bytes:
        try:
            return self.tls.recv(65536)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return b""


@dataclass
class Rig:
    authority: Authority
    made: StreamConnections
    sink: Sink
    reactor: MemoryReactorClock
    told: list[str]
    contexts: TlsContexts

    def comes(self, host: str = "192.0.2.1", port: int = 40000, contexts: TlsContexts | None = None) -> Peer | None:
        peer = Address(host, port)
        factory: Any = self.made.factory(LISTEN)
        protocol = factory.buildProtocol(End(*peer))
        if protocol is None:
            return None
        return Peer((contexts or self.contexts).client("engine.example"), protocol, peer, self.reactor)

    def arrived(self, contexts: TlsContexts | None = None) -> Peer:
        peer = self.comes(contexts=contexts)
        assert peer is not None
        peer.pump()
        return peer

    def answers(self, contexts: TlsContexts | None = None) -> Peer:
        """The other side takes the connection that we asked for last."""
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)  # type: ignore[arg-type]
        peer = Peer((contexts or self.contexts).server(), protocol, THERE, self.reactor, server=True)
        peer.pump()
        return peer


def outgoing(name: str = "engine.example") -> Flow:
    return Flow(Transport.TLS, LISTEN.local, THERE, 0, name)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    authority = Authority(tmp_path)
    own = authority.issue("engine", dns=["engine.example"])
    files = TlsFiles(
        certificates=((own.certificate, own.key),),
        trust=authority.file,
        client_ca=authority.file,
        client_certificates=ClientCertificates.OPTIONAL,
    )
    contexts, reactor, sink, told = TlsContexts(files), MemoryReactorClock(), Sink(), []  # type: ignore[var-annotated]
    untyped: Any = reactor
    made = StreamConnections(untyped, LocalAddresses([LISTEN]), tls=contexts, room=lambda: 100, note=told.append)
    made.sink = sink
    return Rig(authority, made, sink, reactor, told, contexts)


def test_a_connection_is_told_after_its_handshake_and_carries_both_ways(rig: Rig) -> None:
    peer = rig.comes()
    assert peer is not None
    assert rig.sink.opened == []
    peer.pump()
    (flow,) = rig.sink.opened
    assert flow == Flow(Transport.TLS, HERE, Address("192.0.2.1", 40000), 1)
    peer.tls.send(b"OPTIONS")
    peer.pump()
    assert rig.sink.heard == [b"OPTIONS"]
    assert rig.made.send(flow, b"SIP/2.0 200 OK")
    peer.pump()
    assert peer.read() == b"SIP/2.0 200 OK"


def test_a_handshake_must_end_within_its_time(rig: Rig) -> None:
    peer = rig.comes()
    assert peer is not None
    rig.reactor.advance(HANDSHAKE_S - 0.1)
    assert not peer.wire.gone
    rig.reactor.advance(0.2)
    rig.reactor.advance(0)
    assert peer.wire.gone
    assert (rig.sink.opened, rig.sink.lost) == ([], [])


def refused(rig: Rig) -> dict[str, int]:
    return {why.value: count for why, count in rig.made.handshakes.refused.items() if count}  # type: ignore[attr-defined]


def test_handshakes_that_come_to_nothing_are_counted_by_why(rig: Rig, tmp_path: Path) -> None:
    rig.comes()
    rig.reactor.advance(HANDSHAKE_S + 0.1)
    rig.reactor.advance(0)
    assert refused(rig) == {"slow": 1}
    hung_up = rig.comes()
    assert hung_up is not None
    hung_up.wire.abortConnection()
    rig.reactor.advance(0)
    no_tls = rig.comes()
    assert no_tls is not None
    no_tls.wire.protocol.dataReceived(b"OPTIONS sip:engine.example SIP/2.0\r\n\r\n")
    rig.reactor.advance(0)
    assert refused(rig) == {"slow": 1, "gone": 1, "protocol": 1}
    others = Authority(tmp_path / "x", "Other CA")
    own = others.issue("x", dns=["phone.example"])
    pair = ((own.certificate, own.key),)
    rig.arrived(TlsContexts(TlsFiles(certificates=pair, trust=rig.authority.file)))
    assert refused(rig)["certificate"] == 1
    rig.arrived(TlsContexts(TlsFiles(certificates=pair, trust=others.file)))
    assert refused(rig) == {"slow": 1, "gone": 1, "protocol": 1, "certificate": 1, "distrust": 1}


def test_handshakes_that_went_well_and_those_of_ours_are_not_counted(rig: Rig, tmp_path: Path) -> None:
    rig.arrived().wire.abortConnection()
    rig.made.send(outgoing("other.example"), b"x")
    rig.answers()
    rig.reactor.advance(STRANGER_S)
    assert refused(rig) == {}


def test_after_the_handshake_a_stranger_has_his_time(rig: Rig) -> None:
    peer = rig.arrived()
    rig.reactor.advance(STRANGER_S - 0.1)
    assert not peer.wire.gone
    rig.reactor.advance(0.2)
    rig.reactor.advance(0)
    assert peer.wire.gone
    assert len(rig.sink.lost) == 1


def test_a_connection_of_ours_goes_only_to_who_proves_the_name(rig: Rig) -> None:
    assert rig.made.send(outgoing(), b"one")
    assert rig.made.send(outgoing(), b"two")
    peer = rig.answers()
    assert peer.read() == b"onetwo"
    assert rig.sink.opened == [outgoing()._replace(connection=1)]
    rig.reactor.advance(STRANGER_S + 1)
    assert not peer.wire.gone
    assert rig.told == []


def test_another_name_is_another_connection(rig: Rig) -> None:
    rig.made.send(outgoing(), b"one")
    rig.answers()
    rig.made.send(outgoing("other.example"), b"two")
    peer = rig.answers()
    assert peer.read() == b""
    assert peer.wire.gone
    assert rig.sink.failed == [outgoing("other.example")]
    assert rig.told == [
        "no TLS to 192.0.2.1:5061 other.example: its certificate is of engine.example, not of other.example (RFC 5922)"
    ]
    rig.made.send(outgoing("other.example"), b"three")
    rig.answers()
    assert len(rig.told) == 1, "each trouble once"
    assert len(rig.sink.failed) == 2


def test_a_trouble_that_came_back_after_all_was_well_is_told_again(rig: Rig) -> None:
    other = rig.authority.issue("other", dns=["other.example"])
    wrong = TlsContexts(TlsFiles(certificates=((other.certificate, other.key),), trust=rig.authority.file))
    for contexts in (wrong, None, wrong):
        rig.made.send(outgoing(), b"x")
        rig.answers(contexts).wire.abortConnection()
        rig.reactor.advance(0)
    assert len(rig.told) == 2


def test_without_a_name_the_address_must_be_proved(rig: Rig) -> None:
    rig.made.send(outgoing(""), b"one")
    rig.answers()
    assert "not of 192.0.2.1" in rig.told[0]


def test_an_unknown_authority_is_told(rig: Rig, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "x", "Other CA")
    own = stranger.issue("x", dns=["engine.example"])
    rig.made.send(outgoing(), b"one")
    rig.answers(TlsContexts(TlsFiles(certificates=((own.certificate, own.key),), trust=stranger.file)))
    assert rig.sink.failed == [outgoing()]
    assert "certificate verify failed" in rig.told[0]


def test_the_peers_own_connection_is_used_where_it_offered_it_and_proved_who_it_is(rig: Rig) -> None:
    peer = rig.arrived()
    rig.sink.offered = rig.sink.opened[0]
    assert rig.made.send(outgoing("engine.example"), b"INVITE")
    peer.pump()
    assert peer.read() == b"INVITE"
    assert rig.reactor.tcpClients == []
    peer.wire.abortConnection()
    rig.reactor.advance(0)
    rig.made.send(outgoing("engine.example"), b"again")
    assert len(rig.reactor.tcpClients) == 1


def test_an_offer_of_somebody_else_is_passed_over(rig: Rig) -> None:
    peer = rig.arrived()
    rig.sink.offered = rig.sink.opened[0]
    rig.made.send(outgoing("other.example"), b"INVITE")
    assert peer.read() == b""
    assert len(rig.reactor.tcpClients) == 1


def test_one_source_has_so_many_strangers_and_no_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STRANGERS_PER_SOURCE", 2)
    first, second = rig.comes(port=1), rig.comes(port=2)
    other = rig.comes("192.0.2.2", 1)
    assert rig.comes(port=3) is not None
    assert [each is not None and each.wire.gone for each in (first, second, other)] == [True, False, False]


def test_one_source_has_so_many_connections_and_no_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CONNECTIONS_PER_SOURCE", 2)
    first = rig.comes(port=1)
    rig.comes(port=2)
    assert rig.comes(port=3) is None
    assert first is not None
    first.wire.abortConnection()
    rig.reactor.advance(0)
    assert rig.comes(port=4) is not None


def test_handshakes_of_strangers_are_rationed_and_those_of_trunks_are_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "_SOURCE_BURST", 2.0)
    assert rig.comes(port=1) is not None
    assert rig.comes(port=2) is not None
    assert rig.comes(port=3) is None
    assert rig.made.handshakes.refused["rate"] == 1
    assert rig.comes("192.0.2.2") is not None
    rig.sink.trunks.add("192.0.2.1")
    assert rig.comes(port=4) is not None


def test_a_link_local_peer_is_turned_away(rig: Rig) -> None:
    assert rig.comes("fe80::1%eth0") is None


def test_the_budget_of_all_strangers_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "_ALL_BURST", 3.0)
    budget = Handshakes()
    budget._all._left = 3.0  # type: ignore[attr-defined]
    assert [budget.allow(f"192.0.2.{host}", 0.0) for host in range(4)] == [True, True, True, False]
    assert budget.allow("192.0.2.9", 0.02) is True


def test_a_sources_budget_fills_up_again_and_is_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "_SOURCE_BURST", 1.0)
    monkeypatch.setattr(handshakes, "_SOURCES_BOUND", 2)
    budget = Handshakes()
    assert [budget.allow("a", when) for when in (0.0, 0.05, 0.15)] == [True, False, True]
    budget.allow("b", 0.15)
    budget.allow("c", 0.15)
    assert len(budget._sources) == 2


def test_an_ipv6_host_counts_as_its_network() -> None:
    assert source_of("2001:db8::1:2:3:4") == source_of("2001:db8::ffff:0:0:1") == "2001:db8::"
    assert source_of("192.0.2.1") == "192.0.2.1"
