"""Answers of name servers as twisted.names hands them out, and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.names import dns, error

from engine.net.resolver import NamesSource, Reply
from engine.sip.locating import Kind, Naptr, Question, Srv

NAME = b"x.example"


def record(payload: Any, name: bytes = NAME, ttl: int = 60) -> Any:
    return dns.RRHeader(name, payload.TYPE, dns.IN, ttl, payload)


class Server:
    """Answers by name: the sections, or what went wrong."""

    def __init__(self, table: dict[bytes, object]) -> None:
        self._table = table
        self.asked: list[tuple[bytes, int]] = []

    def query(self, query: Any) -> Deferred[Any]:
        self.asked.append((query.name.name, query.type))
        found = self._table.get(query.name.name, ([], [], []))
        return fail(found) if isinstance(found, Exception) else succeed(found)


def asked(table: dict[bytes, object], kind: Kind = Kind.A, name: str = NAME.decode()) -> tuple[Reply, Server]:
    """What one question came to, and the server that was asked."""
    source, server = NamesSource.__new__(NamesSource), Server(table)
    source._client = server
    told: list[Reply] = []
    source.ask(Question(kind, name), told.append)
    (reply,) = told
    return reply, server


@pytest.mark.parametrize(
    ("kind", "payload", "read"),
    [
        (Kind.A, dns.Record_A("192.0.2.7"), "192.0.2.7"),
        (Kind.AAAA, dns.Record_AAAA("2001:db8::7"), "2001:db8::7"),
        (Kind.SRV, dns.Record_SRV(10, 20, 5070, b"a.example"), Srv(10, 20, 5070, "a.example")),
        (
            Kind.NAPTR,
            dns.Record_NAPTR(1, 2, b"s", b"SIP+D2U", b"", b"_sip._udp.example"),
            Naptr(1, 2, "s", "SIP+D2U", "_sip._udp.example"),
        ),
    ],
)
def test_records_are_read_and_last_as_long_as_the_shortest(kind: Kind, payload: Any, read: object) -> None:
    alias = record(dns.Record_CNAME(b"elsewhere.example"), ttl=40)
    reply, server = asked({NAME: ([alias, record(payload)], [], [])}, kind)
    assert reply == Reply((read,), 40)
    assert server.asked == [(NAME, payload.TYPE)]


@pytest.mark.parametrize(
    ("kind", "payload", "read"),
    [
        (Kind.SRV, dns.Record_SRV(1, 1, 5060, b"\xff.example"), Srv(1, 1, 5060, "\xff.example")),
        (Kind.NAPTR, dns.Record_NAPTR(1, 1, b"\xff", b"\xff", b"", b"\xff"), Naptr(1, 1, "\xff", "\xff", "\xff")),
    ],
)
def test_octets_that_are_not_ascii_keep_nobody_waiting(kind: Kind, payload: Any, read: object) -> None:
    assert asked({NAME: ([record(payload)], [], [])}, kind)[0] == Reply((read,), 60)


def test_a_name_that_is_not_ascii_does_not_exist() -> None:
    reply, server = asked({}, name="\xff.example")
    assert (reply.records, reply.failed, server.asked) == ((), False, [])
    reply, server = asked({NAME: ([record(dns.Record_CNAME(b"\xff.example"))], [], [])})
    assert (reply.records, reply.failed, len(server.asked)) == ((), False, 1)


def test_aliases_are_followed_but_not_for_ever() -> None:
    other = b"elsewhere.example"
    found = [record(dns.Record_A("192.0.2.7"), other)]
    reply, _ = asked({NAME: ([record(dns.Record_CNAME(other))], [], []), other: (found, [], [])})
    assert reply.records == ("192.0.2.7",)
    reply, server = asked({NAME: ([record(dns.Record_CNAME(NAME))], [], [])})
    assert (reply.records, reply.failed) == ((), False)
    assert len(server.asked) == 9


@pytest.mark.parametrize(("ttl", "minimum", "kept"), [(20, 50, 20), (50, 20, 20)])
def test_that_there_is_none_lasts_as_long_as_the_zone_says(ttl: int, minimum: int, kept: int) -> None:
    authority = [record(dns.Record_SOA(b"n", b"r", minimum=minimum), ttl=ttl), record(dns.Record_NS(b"n"), ttl=1)]
    assert asked({NAME: ([], authority, [])})[0] == Reply((), kept)
    refused = error.DNSNameError(dns.Message())
    refused.message = dns.Message()
    refused.message.authority = authority
    assert asked({NAME: refused})[0] == Reply((), kept)
    assert asked({NAME: error.DNSNameError(None)})[0] == Reply((), 30.0)


def test_a_server_that_cannot_say_or_does_not_has_failed() -> None:
    for wrong in (error.DNSServerError(None), error.DNSQueryTimeoutError(1), OSError("unreachable")):
        assert asked({NAME: wrong})[0].failed
