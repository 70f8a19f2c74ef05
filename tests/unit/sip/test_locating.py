"""Where a URI leads: RFC 3263 with a table in place of DNS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from engine.sip.flow import Address, Transport
from engine.sip.limits import MAX_HOPS, MAX_QUESTIONS
from engine.sip.locating import Abilities, Hop, Kind, Naptr, Question, Record, Srv, in_order, locate
from engine.sip.uri import parse_uri

Table = Mapping[tuple[str, str], Sequence[Record]]
UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS


def drive(
    uri: str, table: Table | None = None, abilities: Abilities | None = None
) -> tuple[list[str], list[tuple[str, str, int]]]:
    """The questions that were asked, and the hops."""
    asked: list[str] = []
    run = locate(parse_uri(uri), abilities or Abilities(), lambda below: 0)
    answer: Sequence[Record] | None = None
    while True:
        try:
            question = next(run) if answer is None else run.send(answer)
        except StopIteration as stop:
            return asked, [(hop.transport.value, *hop.address) for hop in stop.value]
        assert question.name == question.name.lower()
        asked.append(f"{question.kind} {question.name}")
        answer = (table or {}).get((question.kind.value, question.name), ())


A = {("A", "example.com"): ["192.0.2.1", "192.0.2.2"]}


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:1@192.0.2.1", ("UDP", "192.0.2.1", 5060)),
        ("sip:1@192.0.2.1:5080", ("UDP", "192.0.2.1", 5080)),
        ("sip:1@192.0.2.1;transport=tcp", ("TCP", "192.0.2.1", 5060)),
        ("sip:1@192.0.2.1;transport=TLS", ("TLS", "192.0.2.1", 5061)),
        ("sips:1@192.0.2.1", ("TLS", "192.0.2.1", 5061)),
        ("sips:1@192.0.2.1:5080;transport=tcp", ("TLS", "192.0.2.1", 5080)),
        ("sip:1@[2001:db8::1]", ("UDP", "2001:db8::1", 5060)),
        ("sip:1@example.com;maddr=192.0.2.9", ("UDP", "192.0.2.9", 5060)),
        ("sip:1@example.com;maddr=[2001:db8::9]", ("UDP", "2001:db8::9", 5060)),
    ],
)
def test_a_numeric_host_asks_nothing(uri: str, hop: tuple[str, str, int]) -> None:
    assert drive(uri) == ([], [hop])


@pytest.mark.parametrize(
    "uri", ["tel:+4930", "sip:1@192.0.2.1;transport=sctp", "sips:1@192.0.2.1;transport=udp", "sip:1@h;transport"]
)
def test_no_way_to_what_we_do_not_speak(uri: str) -> None:
    assert drive(uri) == ([], [])


def test_a_listener_that_is_not_there_is_no_way() -> None:
    only = Abilities(transports=(UDP,))
    assert drive("sip:1@192.0.2.1;transport=tcp", abilities=only) == ([], [])
    assert drive("sips:1@192.0.2.1", abilities=only) == ([], [])
    assert drive("sip:1@192.0.2.1", abilities=Abilities(transports=(TCP,))) == ([], [])


def test_a_port_asks_for_addresses_alone() -> None:
    assert drive("sip:1@Example.COM:5070", A) == (
        ["A example.com"],
        [("UDP", "192.0.2.1", 5070), ("UDP", "192.0.2.2", 5070)],
    )
    assert drive("sips:1@example.com:5070", A)[1][0] == ("TLS", "192.0.2.1", 5070)


def test_a_transport_asks_for_its_servers_and_without_them_for_addresses() -> None:
    assert drive("sip:1@example.com;transport=tcp", A) == (
        ["SRV _sip._tcp.example.com", "A example.com"],
        [("TCP", "192.0.2.1", 5060), ("TCP", "192.0.2.2", 5060)],
    )
    table = {**A, ("SRV", "_sips._tcp.example.com"): [Srv(1, 0, 5071, "example.com.")]}
    assert drive("sip:1@example.com;transport=tls", table)[1][0] == ("TLS", "192.0.2.1", 5071)


def test_naptr_decides_the_transport_in_its_order() -> None:
    table: Table = {
        ("NAPTR", "example.com"): [
            Naptr(50, 60, "s", "SIP+D2U", "_sip._udp.example.com"),
            Naptr(50, 50, "S", "SIPS+D2T", "_sips._tcp.other.example."),
            Naptr(10, 10, "s", "SIP+D2S", "_sip._sctp.example.com"),
            Naptr(20, 10, "u", "E2U+sip", "x.example.com"),
            Naptr(90, 10, "a", "SIP+D2T", "example.com"),
        ],
        ("SRV", "_sips._tcp.other.example"): [Srv(0, 0, 5061, "a.example")],
        ("SRV", "_sip._udp.example.com"): [Srv(0, 0, 5060, "b.example")],
        ("A", "a.example"): ["192.0.2.1"],
        ("A", "b.example"): ["192.0.2.2"],
    }
    asked, hops = drive("sip:1@example.com", table)
    assert hops == [("TLS", "192.0.2.1", 5061), ("UDP", "192.0.2.2", 5060)]
    assert asked[:2] == ["NAPTR example.com", "SRV _sips._tcp.other.example"]
    # sips takes what is secure alone; without TLS there is only UDP left.
    assert drive("sips:1@example.com", table)[1] == [("TLS", "192.0.2.1", 5061)]
    assert drive("sip:1@example.com", table, Abilities(transports=(UDP, TCP)))[1] == [("UDP", "192.0.2.2", 5060)]


def test_without_naptr_the_servers_of_every_transport_are_asked_for() -> None:
    table: Table = {
        ("SRV", "_sip._tcp.example.com"): [Srv(2, 0, 5060, "b.example"), Srv(1, 0, 5080, "a.example")],
        ("A", "a.example"): ["192.0.2.1"],
        ("A", "b.example"): ["192.0.2.2"],
    }
    asked, hops = drive("sip:1@example.com", table)
    assert asked[:3] == ["NAPTR example.com", "SRV _sip._udp.example.com", "SRV _sip._tcp.example.com"]
    assert asked[-1] == "SRV _sips._tcp.example.com"
    assert hops == [("TCP", "192.0.2.1", 5080), ("TCP", "192.0.2.2", 5060)]
    assert drive("sips:1@example.com", table)[0] == [
        "NAPTR example.com",
        "SRV _sips._tcp.example.com",
        "A example.com",
    ]


def test_without_servers_the_addresses_of_the_name_are_taken() -> None:
    asked, hops = drive("sip:1@example.com", A)
    assert asked[-1] == "A example.com"
    assert hops == [("UDP", "192.0.2.1", 5060), ("UDP", "192.0.2.2", 5060)]
    assert drive("sips:1@example.com", A)[1][0] == ("TLS", "192.0.2.1", 5061)


def test_a_service_that_is_refused_is_not_sought_elsewhere() -> None:
    table: Table = {**A, ("SRV", "_sip._udp.example.com"): [Srv(0, 0, 0, ".")]}
    assert drive("sip:1@example.com;transport=udp", table) == (["SRV _sip._udp.example.com"], [])


def test_both_families_are_asked_for_where_both_can_be_used() -> None:
    table: Table = {("AAAA", "example.com"): ["2001:db8::1"], ("A", "example.com"): ["192.0.2.1"]}
    both = Abilities(ipv6=True)
    assert [hop[1] for hop in drive("sip:1@example.com:5060", table, both)[1]] == ["2001:db8::1", "192.0.2.1"]
    only = Abilities(ipv4=False, ipv6=True)
    assert drive("sip:1@example.com:5060", table, only)[0] == ["AAAA example.com"]


def test_who_owns_a_name_cannot_make_us_ask_for_ever() -> None:
    targets = [Srv(n, 0, 5060, f"h{n}.example") for n in range(200)]
    asked, hops = drive("sip:1@example.com;transport=udp", {("SRV", "_sip._udp.example.com"): targets})
    assert (len(asked), hops) == (MAX_QUESTIONS, [])
    many = {("A", "example.com"): [f"192.0.2.{n}" for n in range(200)]}
    assert len(drive("sip:1@example.com:5060", many)[1]) == MAX_HOPS


def test_what_is_no_host_name_is_passed_over_and_doubles_are_tried_once() -> None:
    records = [Srv(0, 0, 5060, "bad name"), Srv(1, 0, 0, "example.com"), Srv(2, 0, 5060, "example.com")]
    table: Table = {**A, ("SRV", "_sip._udp.example.com"): [*records, Srv(3, 0, 5060, "EXAMPLE.com.")]}
    assert drive("sip:1@example.com;transport=udp", table)[1] == [
        ("UDP", "192.0.2.1", 5060),
        ("UDP", "192.0.2.2", 5060),
    ]


def test_weights_share_the_load_and_priorities_come_first() -> None:
    records = [
        Srv(1, 60, 1, "a"),
        Srv(1, 20, 1, "b"),
        Srv(1, 20, 1, "c"),
        Srv(0, 0, 1, "first"),
        Srv(1, 0, 1, "seldom"),
    ]
    random = Random(1)
    orders = [[each.target for each in in_order(records, random.randrange)] for _ in range(4000)]
    assert {order[0] for order in orders} == {"first"}
    second = Counter(order[1] for order in orders)
    assert 2200 < second["a"] < 2600
    assert 650 < second["b"] < 950
    assert 650 < second["c"] < 950
    assert 0 < second["seldom"] < 150
    # The last of the running sums must be within reach (RFC 2782: from 0 to the sum, both included).
    assert in_order([Srv(1, 0, 1, "a"), Srv(1, 1, 1, "b")], lambda below: below - 1)[0].target == "b"
    assert all(len(set(order)) == 5 for order in orders)


def test_a_question_and_a_hop_can_be_keys() -> None:
    assert len({Question(Kind.A, "a"), Question(Kind.A, "a")}) == 1
    assert len({Hop(UDP, Address("192.0.2.1", 1)), Hop(UDP, Address("192.0.2.1", 1))}) == 1
