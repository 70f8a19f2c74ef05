"""The next server when one fails (RFC 3263 4.3), and TCP for what is too long for UDP (RFC 3261 18.1.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.sip.accounts import Login
from engine.sip.auth import DigestServer
from engine.sip.deaths import Deaths
from engine.sip.endpoint import LiveCounts, Target
from engine.sip.events import InviteAccepted, InviteFailed, LocateWanted, PingAnswered, SessionEnded, SessionId
from engine.sip.flow import Address, Flow, Transport
from engine.sip.limits import MAX_DEATHS
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station
from tests.support.sip_raw import RawPeer, answering
from tests.support.wire import EndpointStation, Sent, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
URI = SipUri(user="100", host="provider.example")


class Servers:
    """An endpoint and some servers of a provider, which the test speaks for."""

    def __init__(self, count: int = 2, logins: dict[str, Login] | None = None) -> None:
        self.station: EndpointStation = make_station("e", "192.0.2.9", logins=logins)
        self.all = [RawPeer(f"192.0.2.{number}", self.station) for number in range(1, count + 1)]
        self.wire = Wire(self.station, *self.all, delay=0.0)
        self.flows = [self.station.flow_to(each) for each in self.all]

    @property
    def now(self) -> float:
        return self.wire.now

    def call(self, aim: Target | None = None) -> SessionId:
        aim = aim or Target(uri=URI, flow=self.flows[0], others=tuple(self.flows[1:]))
        session = self.station.endpoint.invite(aim, from_user="x", sdp=SDP, now=self.now)
        self.wire.run(0.1)
        return session

    def heard(self, method: str = "INVITE") -> list[int]:
        """How many different requests of the method each server heard."""
        return [len({request.via.branch for request in each.requests(method)}) for each in self.all]


def test_503_leads_to_the_next_server_by_another_branch_and_the_same_number() -> None:
    servers = Servers()
    first, second = servers.all
    session = servers.call()
    first.respond(first.requests()[0], 503)
    servers.wire.run(0.1)
    a, b = first.requests("INVITE")[0], second.requests("INVITE")[0]
    assert a.via.branch != b.via.branch
    assert (a.call_id, a.cseq, a.headers.get("From")) == (b.call_id, b.cseq, b.headers.get("From"))
    assert len(first.requests("ACK")) == 1
    assert servers.station.told() == []
    second.respond(b, 200, sdp=SDP_ANSWER)
    servers.wire.run(0.1)
    assert servers.station.told() == [InviteAccepted(session=session, flow=servers.flows[1], sdp=SDP_ANSWER)]
    servers.station.endpoint.bye(session, now=servers.now)
    servers.wire.run(0.1)
    assert servers.heard("BYE") == [0, 1]


def test_a_silent_server_is_given_seconds_where_there_is_another_and_all_of_timer_b_where_not() -> None:
    servers = Servers()
    session = servers.call()
    servers.wire.run(3.8)
    assert servers.heard() == [1, 0]
    servers.wire.run(0.3)
    assert servers.heard() == [1, 1]
    start = servers.now - 4.2
    servers.wire.run(until=lambda: bool(servers.station.told()))
    assert servers.now - start == pytest.approx(32, abs=0.2)
    assert servers.station.told() == [
        InviteFailed(session=session, status=408, reason="Request Timeout", timed_out=True)
    ]
    servers.wire.run()
    assert servers.station.endpoint.live() == NOTHING


def test_a_network_that_refuses_leads_to_the_next_at_once() -> None:
    servers = Servers()
    servers.call()
    servers.station.endpoint.send_failed(servers.flows[0], servers.now)
    servers.wire.run(0.1)
    assert servers.heard() == [1, 1]


@pytest.mark.parametrize("status", [404, 486, 500, 603])
def test_other_refusals_are_the_answer(status: int) -> None:
    servers = Servers()
    servers.call()
    servers.all[0].respond(servers.all[0].requests()[0], status)
    servers.wire.run(0.1)
    assert servers.heard() == [1, 0]
    (failed,) = servers.station.told()
    assert isinstance(failed, InviteFailed)
    assert failed.status == status


def test_the_last_servers_failure_is_told() -> None:
    servers = Servers(3)
    session = servers.call()
    for each in servers.all:
        each.respond(each.requests()[0], 503, fields=[("Retry-After", "7")])
        servers.wire.run(0.1)
    assert servers.station.told() == [
        InviteFailed(session=session, status=503, reason="Service Unavailable", retry_after=7)
    ]
    servers.wire.run()
    assert servers.station.endpoint.live() == NOTHING


def located_call(servers: Servers) -> None:
    servers.station.events.clear()
    servers.call(Target(uri=URI, flow=None))
    (wanted,) = servers.station.told(LocateWanted)
    assert isinstance(wanted, LocateWanted)
    servers.station.endpoint.located(wanted.key, servers.flows, servers.now)
    servers.wire.run(0.1)


@pytest.mark.parametrize(("fields", "dead_s"), [([("Retry-After", "100")], 100), ([], 30)])
def test_a_dead_server_is_tried_last_for_a_time(fields: list[tuple[str, str]], dead_s: float) -> None:
    servers = Servers()
    located_call(servers)
    servers.all[0].respond(servers.all[0].requests()[0], 503, fields=fields)
    servers.wire.run(0.1)
    servers.all[1].respond(servers.all[1].requests()[0], 486)
    servers.wire.run(dead_s - 1)
    located_call(servers)
    assert servers.heard() == [1, 2]
    servers.all[1].respond(servers.all[1].requests()[-1], 486)
    servers.wire.run(1)
    located_call(servers)
    assert servers.heard() == [2, 2]


def test_where_all_are_dead_they_are_tried_all_the_same() -> None:
    servers = Servers()
    for _ in range(2):
        located_call(servers)
        for each in servers.all:
            each.respond(each.requests("INVITE")[-1], 503)
            servers.wire.run(0.1)
    assert servers.heard() == [2, 2]


def test_other_requests_fail_over_too() -> None:
    servers = Servers()
    aim = Target(uri=URI, flow=servers.flows[0], others=(servers.flows[1],))
    servers.station.endpoint.ping(aim, now=servers.now)
    servers.wire.run(4.1)
    servers.all[1].respond(servers.all[1].requests("OPTIONS")[0], 200)
    servers.wire.run(0.1)
    (told,) = servers.station.told(PingAnswered)
    assert isinstance(told, PingAnswered)
    assert told.status == 200


def test_the_next_server_challenges_and_is_answered() -> None:
    servers = Servers(logins={"provider": Login(user="4711", password="secret")})
    servers.call(Target(uri=URI, flow=servers.flows[0], others=(servers.flows[1],), account="provider"))
    servers.all[0].respond(servers.all[0].requests()[0], 503)
    servers.wire.run(0.1)
    challenges = DigestServer("provider", b"0123456789abcdef", 300.0).challenges(0.0)
    fields = [("WWW-Authenticate", each) for each in challenges]
    servers.all[1].respond(servers.all[1].requests()[0], 401, fields=fields)
    servers.wire.run(0.1)
    assert servers.heard() == [1, 2]
    assert "Authorization" in servers.all[1].requests("INVITE")[-1].headers


def test_a_call_that_is_taken_back_tries_nobody_else() -> None:
    servers = Servers()
    session = servers.call()
    servers.station.endpoint.cancel(session, now=servers.now)
    servers.wire.run()
    assert servers.heard() == [1, 0]
    assert [type(event) for event in servers.station.told()] == [InviteFailed]
    assert servers.station.endpoint.live() == NOTHING


def test_what_a_server_says_too_late_is_taken_back() -> None:
    servers = Servers()
    first, second = servers.all
    session = servers.call()
    servers.wire.run(4.1)
    late = first.requests("INVITE")[0]
    first.respond(late, 180)
    first.respond(late, 180)
    servers.wire.run(0.1)
    assert servers.heard("CANCEL") == [1, 0]
    assert first.requests("CANCEL")[0].via.branch == late.via.branch
    first.respond(first.requests("CANCEL")[0], 200)
    first.respond(late, 200, sdp=SDP_ANSWER)
    first.respond(late, 200, sdp=SDP_ANSWER)
    servers.wire.run(0.1)
    assert (servers.heard("ACK"), servers.heard("BYE")) == ([1, 0], [1, 0])
    assert first.requests("BYE")[0].request_uri == "sip:raw@192.0.2.1:5060"
    first.respond(first.requests("BYE")[0], 200)
    second.respond(second.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    servers.wire.run(0.1)
    assert servers.station.told() == [InviteAccepted(session=session, flow=servers.flows[1], sdp=SDP_ANSWER)]
    servers.station.endpoint.bye(session, now=servers.now)
    servers.wire.run(0.1)
    second.respond(second.requests("BYE")[0], 200)
    servers.wire.run()
    assert servers.station.endpoint.live() == NOTHING


def test_what_comes_too_late_and_leads_nowhere_is_taken_back_too() -> None:
    servers = Servers()
    first, _ = servers.all
    servers.call()
    servers.wire.run(4.1)
    first.respond(first.requests("INVITE")[0], 200, fields=[("Contact", "<sip:>")], sdp=SDP_ANSWER)
    servers.wire.run(0.1)
    assert [each.request_uri for each in first.requests("ACK") + first.requests("BYE")] == [str(URI)] * 2


def test_the_dead_are_remembered_in_bounds() -> None:
    deaths = Deaths()
    flows = [
        Flow(Transport.UDP, Address("192.0.2.9", 5060), Address("192.0.2.1", port)) for port in range(MAX_DEATHS + 1)
    ]
    for flow in flows:
        deaths.note(flow, 10.0)
    assert len(deaths) == MAX_DEATHS
    assert not deaths.is_dead(flows[0], 0.0)
    assert deaths.is_dead(flows[1], 9.9)
    assert not deaths.is_dead(flows[1], 10.0)
    assert deaths.last(flows[:3], 5.0) == [flows[0], flows[2], flows[1]] or deaths.last(flows[:3], 5.0)[0] == flows[0]


# --- RFC 3261 18.1.1 ---

LONG = [("X-Long", "x" * 1200)]


def long_call(aim: Target, station: EndpointStation, wire: Wire) -> SessionId:
    session = station.endpoint.invite(aim, from_user="x", sdp=SDP, headers=LONG, now=wire.now)
    wire.run(0.5)
    return session


def test_a_long_request_goes_by_tcp_with_a_via_that_says_so() -> None:
    server, client = make_station("s", "192.0.2.7"), make_station("c", "192.0.2.8")
    server.on_event = lambda event, now: answering(server, event, now)
    wire = Wire(server, client)
    wire.on_demand = True
    aim = Target(uri=URI, flow=client.flow_to(server))
    session = long_call(aim, client, wire)
    (accepted,) = client.told()
    assert isinstance(accepted, InviteAccepted)
    assert (accepted.flow.transport, accepted.flow.remote) == (Transport.TCP, server.address)
    invite = next(sent for sent in wire.log if sent.data.startswith(b"INVITE"))
    assert b"\r\nVia: SIP/2.0/TCP 192.0.2.8:5060;" in invite.data
    assert invite.data.count(b"z9hG4bK") == 1
    assert all(sent.flow.transport is Transport.TCP for sent in wire.log)
    client.endpoint.bye(session, now=wire.now)
    wire.run(0.5)
    assert [type(event) for event in client.told()] == [InviteAccepted, SessionEnded]


def test_the_bound_is_the_bytes_that_go_out() -> None:
    server, client = make_station("s", "192.0.2.7"), make_station("c", "192.0.2.8")
    wire = Wire(server, client)
    wire.on_demand = True
    aim = Target(uri=URI, flow=client.flow_to(server))

    def sent_with(header: int) -> Sent:
        wire.log.clear()
        headers = [("X-Long", "x" * header)]
        client.endpoint.invite(aim, from_user="x", sdp=SDP, headers=headers, now=wire.now)
        wire.run(0.0)
        return wire.log[0]

    rest = len(sent_with(100).data) - 100
    assert sent_with(1300 - rest).flow.transport is Transport.UDP
    assert sent_with(1301 - rest).flow.transport is Transport.TCP


def test_where_tcp_is_refused_it_goes_by_udp_and_so_does_the_next() -> None:
    servers = Servers(1)
    aim = Target(uri=URI, flow=servers.flows[0])
    for expected in (1, 2):
        servers.wire.log.clear()
        long_call(aim, servers.station, servers.wire)
        tcp = servers.flows[0]._replace(transport=Transport.TCP)
        servers.station.endpoint.send_failed(tcp, servers.now)
        servers.wire.run(0.1)
        assert servers.heard() == [expected]
    assert b"Via: SIP/2.0/UDP" in servers.wire.log[0].data
    assert servers.station.told() == []


def test_a_phone_is_sent_everything_by_its_only_way() -> None:
    servers = Servers(1)
    aim = Target(uri=URI, flow=servers.flows[0], pinned=True)
    session = long_call(aim, servers.station, servers.wire)
    assert servers.heard() == [1]
    raw = servers.all[0]
    raw.respond(raw.requests()[0], 200, sdp=SDP_ANSWER)
    servers.wire.run(0.1)
    servers.station.endpoint.bye(session, reason_header="x" * 1300, now=servers.now)
    servers.wire.run(0.1)
    assert servers.heard("BYE") == [1]


def test_a_target_that_a_phone_registered_is_pinned() -> None:
    provider = make_station("p", "192.0.2.1", trunks={}, passwords={"4711": "secret"})
    station = make_station("e", "192.0.2.9", logins={"provider": Login(user="4711", password="secret")})
    wire = Wire(provider, station)
    from engine.sip.endpoint import Registration  # noqa: PLC0415

    registration = Registration(
        registrar=SipUri(host="192.0.2.1"), user="4711", flow=station.flow_to(provider), account="provider"
    )
    station.endpoint.register_at("line", registration, now=wire.now)
    wire.run(1)
    (binding,) = provider.endpoint.bindings("4711")
    assert provider.endpoint.target_of(binding).pinned
    assert not replace(provider.endpoint.target_of(binding), pinned=False).pinned
