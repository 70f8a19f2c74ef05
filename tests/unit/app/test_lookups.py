"""What is looked up in DNS, with the answers given by the test: trunks that have a name, in virtual time."""

from __future__ import annotations

import pytest

from engine.app.lookups import Lookup, Lookups
from engine.app.peers import TrunkPeers
from engine.calls.directory import Directory, Drop, Put, Trunk
from engine.calls.sip_targets import ListenerFlow
from engine.ids import TrunkName
from engine.sip.endpoint import Target
from engine.sip.events import LocateWanted
from engine.sip.flow import Address, Flow, Transport
from engine.sip.locating import Abilities, Hop, Located
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, make_station

HERE = Address("192.0.2.9", 5060)
LINE = Trunk(name=TrunkName("line"), host="sip.provider.example", port=0)


def only_ipv4(transport: Transport, remote: Address, name: str) -> Flow | None:
    """Listeners for UDP and TCP."""
    return None if ":" in remote.host or transport is Transport.TLS else Flow(transport, HERE, remote)


class Rig:
    def __init__(self, *trunks: Trunk, flow: ListenerFlow = only_ipv4) -> None:
        self.directory = Directory.of(trunks)
        self.peers = TrunkPeers(self.directory)
        self.station = make_station("e", HERE.host)
        self.lookups = Lookups(self.station.endpoint, self.directory, self.peers, listener_flow=flow)
        self.now = 100.0

    def due(self) -> list[Lookup]:
        self.lookups.handle_deadline(self.now)
        return self.lookups.take()

    def answer(self, lookup: Lookup, *hosts: str, fresh_s: float = 60.0) -> None:
        hops = tuple(Hop(Transport.UDP, Address(host, 5060)) for host in hosts)
        self.lookups.located(lookup.key, Located(hops, fresh_s), self.now)

    def known(self, host: str) -> str | None:
        return self.peers.trunk_at(Flow(Transport.UDP, HERE, Address(host, 5060)))


def test_a_trunks_name_is_looked_up_at_once_and_its_addresses_are_the_trunks() -> None:
    rig = Rig(LINE, Trunk(name=TrunkName("other"), host="192.0.2.50"))
    (lookup,) = rig.due()
    assert (lookup.key, lookup.uri, lookup.refresh) == ("line", SipUri(host="sip.provider.example"), True)
    assert lookup.abilities == Abilities(transports=(Transport.UDP, Transport.TCP), ipv4=True, ipv6=False)
    assert rig.known("192.0.2.1") is None
    rig.answer(lookup, "192.0.2.1", "192.0.2.2")
    assert [rig.known(f"192.0.2.{n}") for n in (1, 2, 3, 50)] == ["line", "line", None, "other"]


def test_it_is_looked_up_again_before_the_answer_runs_out() -> None:
    rig = Rig(LINE)
    rig.answer(rig.due()[0], "192.0.2.1", fresh_s=60.0)
    assert rig.lookups.next_deadline() == pytest.approx(154.0)
    rig.now = 153.9
    assert rig.due() == []
    rig.now = 154.0
    rig.answer(rig.due()[0], "192.0.2.7")
    assert (rig.known("192.0.2.1"), rig.known("192.0.2.7")) == (None, "line")


def test_what_was_known_stays_where_nobody_answers() -> None:
    rig = Rig(LINE)
    rig.answer(rig.due()[0], "192.0.2.1")
    rig.now += 60
    rig.answer(rig.due()[0], fresh_s=5.0)
    assert rig.known("192.0.2.1") == "line"
    assert rig.lookups.next_deadline() == pytest.approx(164.5)


def test_a_trunk_that_is_changed_or_dropped_loses_its_addresses() -> None:
    rig = Rig(LINE)
    (lookup,) = rig.due()
    rig.answer(lookup, "192.0.2.1")
    for change in (Put(entity=Trunk(name=LINE.name, host="192.0.2.9")), Drop(entity=LINE)):
        rig.directory.apply(change)
        rig.peers.directory_changed()
    rig.lookups.trunk_dropped(LINE.name)
    assert rig.known("192.0.2.1") is None
    rig.answer(lookup, "192.0.2.1")
    assert rig.known("192.0.2.1") is None
    assert rig.lookups.next_deadline() is None


def test_a_request_to_a_name_goes_to_the_flows_that_there_are() -> None:
    rig = Rig()
    endpoint = rig.station.endpoint
    endpoint.invite(Target(uri=SipUri(user="1", host="a.example"), flow=None), from_user="x", sdp=SDP, now=rig.now)
    event = endpoint.next_event()
    assert isinstance(event, LocateWanted)
    rig.lookups.want(event)
    (lookup,) = rig.lookups.take()
    assert (lookup.key, lookup.uri, lookup.refresh) == (event.key, event.uri, False)
    rig.answer(lookup, "2001:db8::1", "192.0.2.1")
    (sent,) = endpoint.datagrams_to_send()
    assert sent.flow.remote == Address("192.0.2.1", 5060)


def test_what_we_can_send_by_is_what_we_listen_on() -> None:
    def both(transport: Transport, remote: Address, name: str) -> Flow | None:
        return Flow(transport, HERE, remote) if transport is Transport.TLS else None

    (lookup,) = Rig(LINE, flow=both).due()
    assert lookup.abilities == Abilities(transports=(Transport.TLS,), ipv4=True, ipv6=True)


def test_a_tls_server_must_show_a_certificate_for_the_name_that_was_asked_for() -> None:
    rig = Rig(flow=lambda transport, remote, name: Flow(transport, HERE, remote, 0, name))
    endpoint = rig.station.endpoint
    endpoint.ping(Target(uri=SipUri(host="a.example"), flow=None), now=rig.now)
    event = endpoint.next_event()
    assert isinstance(event, LocateWanted)
    rig.lookups.want(event)
    (lookup,) = rig.lookups.take()
    hops = (Hop(Transport.TLS, Address("192.0.2.1", 5061)),)
    rig.lookups.located(lookup.key, Located(hops, 60.0), rig.now)
    (sent,) = endpoint.datagrams_to_send()
    assert (sent.flow.transport, sent.flow.name) == (Transport.TLS, "a.example")
