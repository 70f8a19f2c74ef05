"""Which way a call takes to a phone that registered through proxies (RFC 3327 5.3, RFC 3261 8.1.2, RFC 5626 5.3.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.sip.events import BindingEnd, BindingRemoved, InviteFailed, LocateWanted
from engine.sip.flow import Address, Flow, Transport
from engine.sip.headers import parse_name_addr
from engine.sip.message import Request
from engine.sip.stack import Target
from tests.support.sip_phone import SDP
from tests.support.sip_raw import RawPeer
from tests.support.sip_registering import Registering

UDP, TCP = Transport.UDP, Transport.TCP


def registered(path: str, *, tcp: bool = False) -> Registering:
    """A phone whose REGISTER came from 192.0.2.1, port 5060 of UDP or some port of TCP."""
    it = Registering()
    if tcp:
        it.raw.flow, _ = it.wire.connect(it.raw, it.station)
    assert it.ask(fields=[("Path", path)]).status == 200
    it.take()
    return it


def target(it: Registering) -> Target:
    (binding,) = it.station.endpoint.bindings("ada")
    return it.station.endpoint.target_of(binding)


def called(it: Registering) -> None:
    it.station.endpoint.invite(target(it), from_user="x", sdp=SDP, now=it.wire.now)
    it.wire.run(0.1)


def wanted(it: Registering) -> LocateWanted:
    (event,) = it.station.told(LocateWanted)
    assert isinstance(event, LocateWanted)
    return event


@pytest.mark.parametrize(
    ("path", "tcp"),
    [
        ("<sip:192.0.2.1;lr>", False),
        ("<sip:tok@192.0.2.1:5060;transport=udp;lr>", False),
        ("<sip:192.0.2.1;lr>, <sip:192.0.2.50;lr>", False),
        ("<sip:tok@192.0.2.50;lr;ob>", False),
        ("<sip:edge.example;lr;ob>", True),
        ("<sip:192.0.2.1;transport=tcp;lr>", True),
        ("<sip:192.0.2.1:5070;lr>", True),
    ],
)
def test_where_the_register_came_from_the_nearest_proxy_its_flow_is_the_way(path: str, tcp: bool) -> None:
    it = registered(path, tcp=tcp)
    called(it)
    assert it.station.told(LocateWanted) == []
    (invite,) = it.raw.requests("INVITE")
    assert invite.headers.get_all("Route")[0] == path.split(", ", maxsplit=1)[0]
    assert target(it).pinned


@pytest.mark.parametrize(
    ("path", "tcp"),
    [
        ("<sip:192.0.2.50;lr>", False),
        ("<sip:192.0.2.1:5070;lr>", False),
        ("<sip:192.0.2.1;transport=tcp;lr>", False),
        ("<sips:192.0.2.1;lr>", False),
        ("<sip:192.0.2.1;maddr=192.0.2.50;lr>", False),
        ("<sip:edge.example;lr>", False),
        ("<sip:edge.example;lr>", True),
        ("<sip:192.0.2.1;transport=udp;lr>", True),
        ("<sip:192.0.2.50;transport=tcp;lr>", True),
    ],
)
def test_another_place_than_the_register_came_from_is_located(path: str, tcp: bool) -> None:
    it = registered(path, tcp=tcp)
    called(it)
    uri = parse_name_addr(path).uri
    assert wanted(it).uri == uri
    assert it.raw.requests("INVITE") == []
    proxy = RawPeer("192.0.2.50", it.station)
    it.wire.join(proxy)
    flow = it.station.flow_to(proxy)
    it.station.endpoint.located(wanted(it).key, [flow], it.wire.now)
    it.wire.run(0.1)
    (invite,) = proxy.requests("INVITE")
    assert isinstance(invite, Request)
    assert invite.headers.get_all("Route") == [path]
    assert invite.request_uri == "sip:ada@192.0.2.1:5060"
    assert not target(it).pinned, "a proxy can be sent to by TCP where it is too long for UDP"


def test_ipv6_is_the_same_however_it_is_written() -> None:
    it = registered("<sip:[2001:DB8:0::1];lr>")
    (binding,) = it.station.endpoint.bindings("ada")
    for host, same in (("2001:db8::1", True), ("2001:db8::2", False)):
        flow = Flow(UDP, Address("2001:db8::9", 5060), Address(host, 5060))
        assert (it.station.endpoint.target_of(replace(binding, flow=flow)).flow is not None) is same


@pytest.mark.parametrize("path", ["<sip:192.0.2.1;transport=tcp;lr>", "<sip:tok@192.0.2.1;transport=tcp;lr;ob>"])
def test_a_lost_connection_of_a_proxy_takes_no_phone_along(path: str) -> None:
    it = registered(path, tcp=True)
    it.wire.cut(it.raw.flow)
    it.wire.run(0.1)
    assert it.take() == []
    called(it)
    assert wanted(it).uri == parse_name_addr(path).uri
    it.wire.on_demand = True
    anew = Flow(TCP, it.station.address, it.raw.address)
    it.station.endpoint.located(wanted(it).key, [anew], it.wire.now)
    it.wire.run(0.1)
    (invite,) = it.raw.requests("INVITE")
    assert invite.headers.get_all("Route") == [path]
    assert invite.via.transport == "TCP"


def test_a_lost_connection_of_a_phone_is_the_end_of_its_binding_still() -> None:
    it = Registering()
    it.raw.flow, _ = it.wire.connect(it.raw, it.station)
    it.ask()
    it.take()
    it.wire.cut(it.raw.flow)
    it.wire.run(0.1)
    (gone,) = it.take()
    assert isinstance(gone, BindingRemoved)
    assert gone.why is BindingEnd.CONNECTION_LOST


def test_a_flow_that_the_proxy_has_lost_ends_the_binding_by_whatever_way_it_was_called() -> None:
    it = registered("<sip:tok@192.0.2.1;transport=tcp;lr;ob>", tcp=True)
    by_flow = target(it)
    it.wire.cut(it.raw.flow)
    assert target(it).flow is None
    for aim in (by_flow, target(it)):
        it.station.endpoint.binding_failed(aim)
        it.wire.run(0.01)
        assert [type(each) for each in it.take()] == [BindingRemoved]
        it.raw.flow, _ = it.wire.connect(it.raw, it.station)
        it.ask(fields=[("Path", "<sip:tok@192.0.2.1;transport=tcp;lr;ob>")])
        it.wire.cut(it.raw.flow)
        it.take()


def test_another_phone_behind_the_same_proxy_stays_when_one_is_lost_there() -> None:
    it = registered("<sip:one@192.0.2.1;lr;ob>")
    it.ask(contact="<sip:ada@192.0.2.2:5060>", fields=[("Path", "<sip:two@192.0.2.1;lr;ob>")])
    second, first = it.station.endpoint.bindings("ada")
    it.station.endpoint.binding_failed(it.station.endpoint.target_of(first))
    assert it.station.endpoint.bindings("ada") == (second,)


def test_behind_a_proxy_a_phone_outlives_the_process_and_is_called_by_a_new_connection() -> None:
    path = "<sip:192.0.2.1;transport=tcp;lr>"
    first = registered(path, tcp=True)
    kept = first.station.endpoint.changed_bindings()["ada"]
    it = Registering()
    it.station.endpoint.restore_bindings(kept, it.wire.now)
    called(it)
    assert wanted(it).uri == parse_name_addr(path).uri
    it.station.endpoint.located(wanted(it).key, [], it.wire.now)
    it.wire.run(0.1)
    (failed,) = it.station.told(InviteFailed)
    assert isinstance(failed, InviteFailed)
    assert failed.status == 503


def test_a_connection_of_an_earlier_process_is_not_taken_for_one_that_can_be_made() -> None:
    first = registered("<sip:192.0.2.1;transport=tcp;lr>", tcp=True)
    (kept,) = first.station.endpoint.changed_bindings()["ada"]
    on_demand = kept.flow._replace(connection=0)
    it = Registering()
    it.station.endpoint.restore_bindings([replace(kept, flow=on_demand)], it.wire.now)
    assert target(it).flow is None
