"""The cache around DNS, in virtual time, and real questions to a real name server on the loopback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.net.resolver import Reply, Resolver, system_servers
from engine.sip.flow import Address
from engine.sip.locating import Abilities, Located, Question, Record, Srv
from engine.sip.uri import SipUri, parse_uri

URI = parse_uri("sip:1@example.com:5060")
ADDRESSES = ("192.0.2.1", "192.0.2.2")


class Table:
    """Name servers that answer by a table, when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.at_once = True
        self._waiting: list[tuple[Reply, Callable[[Reply], None]]] = []
        self.resolver = Resolver(self, now=lambda: self.now, random=lambda below: 0)

    def ask(self, question: Question, done: Callable[[Reply], None]) -> None:
        key = f"{question.kind} {question.name}"
        self.asked.append(key)
        reply = self.replies.get(key, Reply((), 60.0))
        if self.at_once:
            done(reply)
        else:
            self._waiting.append((reply, done))

    def say(self, key: str, *records: Record, ttl_s: float = 60.0) -> None:
        self.replies[key] = Reply(records, ttl_s)

    def fall_silent(self, key: str) -> None:
        self.replies[key] = Reply((), 0.0, failed=True)

    def answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for reply, done in waiting:
            done(reply)

    def locate(self, uri: SipUri = URI, *, refresh: bool = False) -> list[Located]:
        """What was told: nothing as long as somebody is asked."""
        told: list[Located] = []
        self.resolver.locate(uri, Abilities(), told.append, refresh=refresh)
        return told

    def hosts(self, uri: SipUri = URI, *, refresh: bool = False) -> list[str]:
        (located,) = self.locate(uri, refresh=refresh)
        return [hop.address.host for hop in located.hops]


@pytest.fixture
def table() -> Table:
    made = Table()
    made.say("A example.com", *ADDRESSES)
    return made


def test_what_is_known_is_answered_at_once_and_asked_for_once(table: Table) -> None:
    assert table.hosts() == table.hosts() == list(ADDRESSES)
    assert table.asked == ["A example.com"]


def test_a_numeric_host_asks_nobody(table: Table) -> None:
    assert table.hosts(parse_uri("sip:1@192.0.2.7")) == ["192.0.2.7"]
    assert table.asked == []


def test_records_are_kept_for_their_ttl_which_is_told(table: Table) -> None:
    assert table.locate()[0].fresh_s == 60.0
    table.now += 59.9
    assert table.locate()[0].fresh_s == 5.0
    assert len(table.asked) == 1
    table.now += 0.2
    table.hosts()
    assert len(table.asked) == 2


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(0.0, 5.0), (1e9, 86_400.0)])
def test_a_ttl_has_bounds(table: Table, ttl_s: float, kept_s: float) -> None:
    table.say("A example.com", "192.0.2.1", ttl_s=ttl_s)
    table.hosts()
    table.now += kept_s - 0.1
    table.hosts()
    assert len(table.asked) == 1
    table.now += 0.2
    table.hosts()
    assert len(table.asked) == 2


def test_that_there_is_none_is_kept_too_and_not_for_long(table: Table) -> None:
    table.say("A example.com", ttl_s=1e9)
    assert table.hosts() == table.hosts() == []
    assert len(table.asked) == 1
    table.now += 301
    table.hosts()
    assert len(table.asked) == 2


def test_a_silent_server_is_asked_again_soon_and_what_was_known_stays(table: Table) -> None:
    table.hosts()
    table.fall_silent("A example.com")
    table.now += 61
    assert table.hosts() == list(ADDRESSES)
    assert table.hosts() == list(ADDRESSES)
    assert len(table.asked) == 2
    table.now += 31
    table.hosts()
    assert len(table.asked) == 3
    table.now += 2 * 86_400
    assert table.hosts() == []
    table.now += 6
    table.say("A example.com", "192.0.2.9")
    assert table.hosts() == ["192.0.2.9"]


def test_a_caller_does_not_wait_for_question_after_question_that_nobody_answers() -> None:
    table = Table()
    for key in ("NAPTR dead.example", "SRV _sip._udp.dead.example", "SRV _sip._tcp.dead.example"):
        table.fall_silent(key)
    assert table.hosts(parse_uri("sip:1@dead.example")) == []
    assert table.asked == ["NAPTR dead.example", "SRV _sip._udp.dead.example"]


def test_two_who_ask_at_once_share_the_question(table: Table) -> None:
    table.at_once = False
    first, second = table.locate(), table.locate()
    assert (first, second) == ([], [])
    table.answer()
    assert [hop.address.host for hop in first[0].hops] == list(ADDRESSES)
    assert first == second
    assert len(table.asked) == 1


def test_a_refresh_asks_ahead_of_time_and_nobody_waits_meanwhile(table: Table) -> None:
    table.hosts()
    table.hosts(refresh=True)
    assert len(table.asked) == 1
    table.now += 46
    table.at_once = False
    table.say("A example.com", "192.0.2.9")
    refreshed = table.locate(refresh=True)
    assert table.hosts() == list(ADDRESSES)
    table.answer()
    assert refreshed[0].fresh_s == 60.0
    assert table.hosts() == ["192.0.2.9"]
    assert len(table.asked) == 2


def test_the_way_through_naptr_and_srv_is_fresh_for_as_long_as_its_shortest(table: Table) -> None:
    table.say("SRV _sip._udp.example.com", Srv(0, 0, 5070, "a.example"), ttl_s=30.0)
    table.say("A a.example", "192.0.2.1", ttl_s=20.0)
    table.replies |= {f"SRV {label}.example.com": Reply((), 40.0) for label in ("_sip._tcp", "_sips._tcp")}
    (located,) = table.locate(parse_uri("sip:1@example.com"))
    assert [hop.address for hop in located.hops] == [Address("192.0.2.1", 5070)]
    assert located.fresh_s == 20.0


def test_the_cache_has_a_bound() -> None:
    table = Table()
    for number in range(5000):
        table.hosts(parse_uri(f"sip:1@h{number}.example:5060"))
    assert len(table.resolver) == 4096


def test_questions_under_way_have_a_bound() -> None:
    table = Table()
    table.at_once = False
    told = [table.locate(parse_uri(f"sip:1@h{number}.example:5060")) for number in range(1030)]
    assert len(table.asked) == 1024
    assert [len(each) for each in told[1023:1026]] == [0, 1, 1]


def test_the_name_servers_of_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# a comment\nnameserver 192.0.2.53\nsearch example.com\nnameserver fe80::1%eth0\nnameserver ::1\n")
    assert system_servers(file) == [Address("192.0.2.53", 53), Address("::1", 53)]
    assert system_servers(tmp_path / "none") == [Address("127.0.0.1", 53)]
