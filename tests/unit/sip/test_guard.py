"""The guard by itself: who is heard, how often, and who is banned."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sip.flow import Address, Flow, Transport
from engine.sip.guard import Guard, Standing
from engine.sip.guard_policy import GuardPolicy
from engine.sip.homes import Homes
from engine.sip.message import Request

OPTIONS = b"OPTIONS sip:a SIP/2.0\r\n\r\n"
REGISTER = b"REGISTER sip:a SIP/2.0\r\n\r\n"
INVITE = b"INVITE sip:a SIP/2.0\r\n\r\n"
BYE = b"BYE sip:a SIP/2.0\r\n\r\n"
ECHO = b'REGISTER sip:a SIP/2.0\r\nAuthorization: Digest nonce="good"\r\n\r\n'
TRUNK = "198.51.100.1"


class Trunks:
    def trunk_at(self, flow: Flow) -> str | None:
        return "pbx" if flow.remote.host == TRUNK else None


class Nonces:
    def echoed(self, data: bytes, source: str, now: float) -> bool:
        return b'nonce="good"' in data


class Rig:
    def __init__(self, **policy: Any) -> None:
        settings: dict[str, Any] = {
            "unknown_per_s": 100.0,
            "unknown_invites_per_s": 10.0,
            "source_per_s": 5.0,
            "known_per_s": 20.0,
            "burst_s": 1.0,
            "excess": 10,
            "auth_failures": 3,
            "auth_window_s": 60.0,
            "user_failures": 6,
        }
        self.homes = Homes()
        self.guard = Guard(GuardPolicy(**{**settings, **policy}), Trunks(), Nonces(), self.homes)

    def send(self, data: bytes, host: str = "192.0.2.1", now: float = 0.0, times: int = 1) -> list[Standing]:
        return [self.guard.datagram(data, udp(host), now) for _ in range(times)]

    def heard(self, data: bytes, host: str = "192.0.2.1", now: float = 0.0, times: int = 1000) -> int:
        return sum(1 for each in self.send(data, host, now, times) if each)

    def banned(self, now: float = 0.0) -> list[tuple[str, str | None, str]]:
        return [(ban.source, ban.user, ban.reason) for ban in self.guard.bans(now)]


def udp(host: str) -> Flow:
    return Flow(Transport.UDP, Address("203.0.113.1", 5060), Address(host, 5060))


def tcp(host: str, connection: int = 1) -> Flow:
    return Flow(Transport.TCP, Address("203.0.113.1", 5060), Address(host, 40000), connection)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_trunk_is_always_heard(rig: Rig) -> None:
    assert set(rig.send(INVITE, TRUNK, times=5000)) == {Standing.TRUNK}
    assert rig.guard.stream("INVITE", tcp(TRUNK), 0.0) is Standing.TRUNK


def test_who_is_trusted_is_heard_like_a_trunk() -> None:
    rig = Rig(trusted=("192.0.2.0/24", "2001:db8::1"))
    assert set(rig.send(INVITE, "192.0.2.77", times=500)) == {Standing.TRUNK}
    assert rig.guard.stream("INVITE", tcp("192.0.2.78"), 0.0) is Standing.TRUNK
    assert rig.send(INVITE, "192.0.3.1") == [Standing.UNKNOWN]
    # A proxy in front of us is where all phones are registered from.
    rig.homes.add("192.0.2.77", "ann")
    assert set(rig.send(OPTIONS, "192.0.2.77", times=500)) == {Standing.TRUNK}
    assert {rig.guard.stream("OPTIONS", tcp("192.0.2.77"), 0.0) for _ in range(500)} == {Standing.TRUNK}
    for _ in range(100):
        rig.guard.login_failed(udp("192.0.2.77"), "ann", 0.0)
    assert rig.banned() == []


def test_one_unknown_source_is_heard_up_to_its_rate_by_method(rig: Rig) -> None:
    assert rig.heard(OPTIONS) == 5
    assert rig.heard(REGISTER) == 5
    assert rig.heard(BYE) == 5
    assert rig.heard(OPTIONS, now=0.4) == 2
    assert rig.heard(OPTIONS, "192.0.2.2") == 5
    assert rig.guard.dropped["rate"] > 3000


def test_all_unknown_sources_are_under_one_budget(rig: Rig) -> None:
    heard = sum(rig.heard(OPTIONS, f"192.0.{n // 250}.{n % 250}", times=1) for n in range(1000))
    assert heard == 100
    assert rig.guard.dropped["unknown"] == 900
    assert sum(rig.heard(OPTIONS, f"198.18.0.{n}", 0.5, times=1) for n in range(200)) == 50


def test_unknown_sources_get_a_share_of_the_time_however_few_they_are() -> None:
    rig = Rig(unknown_time=0.1)
    assert rig.send(OPTIONS, "192.0.2.1", 100.0) == [Standing.UNKNOWN]
    rig.guard.spent(0.3)
    assert rig.send(OPTIONS, "192.0.2.2", 100.5) == [Standing.DROPPED]
    assert rig.send(ECHO, "192.0.2.3", 100.5) == [Standing.PROVEN]
    rig.homes.add("192.0.2.4", "ann")
    assert rig.send(OPTIONS, "192.0.2.4", 100.5) == [Standing.KNOWN]
    assert rig.send(OPTIONS, "192.0.2.2", 102.5) == [Standing.UNKNOWN]


def test_invites_of_strangers_have_a_smaller_budget(rig: Rig) -> None:
    assert sum(rig.heard(INVITE, f"192.0.2.{n}", times=1) for n in range(200)) == 10
    assert sum(rig.heard(b"\r\n" + INVITE, f"192.0.3.{n}", times=1) for n in range(200)) == 0
    assert rig.guard.dropped["unknown_invites"] == 390
    assert rig.heard(REGISTER, "192.0.4.1", times=1) == 1


def test_an_unknown_source_is_never_banned(rig: Rig) -> None:
    rig.heard(REGISTER, times=10_000)
    request = Request.build("OPTIONS", "sip:a@b", [("User-Agent", "friendly-scanner")])
    assert rig.guard.is_scanner(request, udp("192.0.2.1"), False, 0.0)
    assert rig.banned() == []
    assert rig.heard(REGISTER, now=10.0) == 5


def test_noise_keep_alives_and_stun_of_strangers_cost_no_budget(rig: Rig) -> None:
    for data in (b"\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"jaK", b"\x00\x01" + bytes(18), b"\x16\x03\x01" + bytes(40)):
        assert rig.heard(data) == 0
    assert rig.heard(OPTIONS) == 5
    assert rig.guard.dropped["no_sip"] == 5000


def test_a_known_source_may_keep_its_flow_alive(rig: Rig) -> None:
    rig.homes.add("192.0.2.1", "ann")
    assert rig.send(b"\r\n\r\n") == [Standing.KNOWN]
    assert rig.send(b"\x00\x01" + bytes(18)) == [Standing.KNOWN]


def test_who_brings_back_our_nonce_needs_no_budget_of_strangers(rig: Rig) -> None:
    for number in range(300):
        rig.send(OPTIONS, f"198.18.{number // 250}.{number % 250}")
    assert rig.send(REGISTER, "192.0.2.1") == [Standing.DROPPED]
    assert rig.send(ECHO, "192.0.2.1") == [Standing.PROVEN]
    assert rig.send(REGISTER, "192.0.2.1") == [Standing.PROVEN]


def test_a_proven_source_is_banned_for_what_it_sends_beyond_its_rate(rig: Rig) -> None:
    rig.send(ECHO)
    assert rig.heard(INVITE, times=14) == 5
    assert rig.banned() == []
    assert rig.heard(INVITE, times=3) == 0
    assert rig.banned() == [("192.0.2.1", None, "flood")]
    assert rig.heard(OPTIONS, now=59.0) == 0
    assert rig.heard(ECHO, now=59.0) == 0
    assert rig.heard(OPTIONS, now=60.0, times=1) == 1
    assert [ban.source for ban in rig.guard.imposed] == ["192.0.2.1"]


def test_little_beyond_its_rate_for_a_long_time_bans_nobody(rig: Rig) -> None:
    rig.send(ECHO)
    for second in range(100):
        assert rig.heard(OPTIONS, now=float(second), times=6) in (5, 6)
    assert rig.banned() == []


def test_a_stream_is_proven_at_once(rig: Rig) -> None:
    flow = tcp("192.0.2.1")
    assert rig.guard.stream("REGISTER", flow, 0.0) is Standing.PROVEN
    heard = [rig.guard.stream("INVITE", flow, 0.0) for _ in range(100)]
    assert heard.count(Standing.PROVEN) == 5
    assert rig.banned() == [("192.0.2.1", None, "flood")]
    assert rig.guard.shuts_out(flow, 1.0)
    assert rig.guard.shuts_out(tcp("192.0.2.1", 2), 1.0)
    assert not rig.guard.shuts_out(tcp("192.0.2.2"), 1.0)
    assert not rig.guard.shuts_out(flow, 61.0)
    assert rig.guard.stream("OPTIONS", flow, 1.0) is Standing.DROPPED


def test_subscribers_of_ipv6_are_one_source(rig: Rig) -> None:
    heard = sum(rig.heard(OPTIONS, f"2001:db8::{n:x}", times=1) for n in range(1, 100))
    assert heard == 5
    flow = tcp("2001:db8::1")
    for _ in range(3):
        rig.guard.login_failed(flow, "ann", 0.0)
    assert rig.banned() == [("2001:db8::/64", None, "auth_failures")]
    assert rig.guard.shuts_out(tcp("2001:db8::beef"), 1.0)


def test_wrong_passwords_ban_their_source(rig: Rig) -> None:
    for user in ("ann", "bob"):
        rig.guard.login_failed(udp("192.0.2.1"), user, 0.0)
    assert rig.banned() == []
    rig.guard.login_failed(udp("192.0.2.1"), "eve", 0.0)
    assert rig.banned() == [("192.0.2.1", None, "auth_failures")]
    assert rig.send(REGISTER) == [Standing.DROPPED]
    assert rig.send(REGISTER, "192.0.2.2") == [Standing.UNKNOWN]
    assert rig.guard.dropped["banned"] == 1


def test_wrong_passwords_over_a_long_time_ban_nobody(rig: Rig) -> None:
    for number in range(50):
        rig.guard.login_failed(udp("192.0.2.1"), "ann", number * 21.0)
    assert rig.banned(now=1050.0) == []


def test_where_somebody_is_registered_only_the_user_name_is_banned(rig: Rig) -> None:
    rig.homes.add("192.0.2.1", "ann")
    for _ in range(3):
        rig.guard.login_failed(udp("192.0.2.1"), "bob", 0.0)
    assert rig.banned() == [("192.0.2.1", "bob", "auth_failures")]
    assert rig.send(REGISTER) == [Standing.KNOWN]
    assert rig.guard.ignores(udp("192.0.2.1"), "bob", 1.0)
    assert not rig.guard.ignores(udp("192.0.2.1"), "ann", 1.0)
    assert not rig.guard.ignores(udp("192.0.2.2"), "bob", 1.0)
    assert not rig.guard.shuts_out(tcp("192.0.2.1"), 1.0)


@pytest.mark.parametrize("host", [TRUNK, "192.0.2.9"])
def test_a_trunk_or_whom_we_called_is_never_banned_whole(rig: Rig, host: str) -> None:
    if host != TRUNK:
        rig.guard.called(udp(host))
    for _ in range(3):
        rig.guard.login_failed(udp(host), "bob", 0.0)
    assert rig.banned() == [(host, "bob", "auth_failures")]
    assert rig.send(REGISTER, host)[0] >= Standing.KNOWN


def test_a_ban_of_the_address_does_not_keep_out_who_is_registered_there_since(rig: Rig) -> None:
    for _ in range(3):
        rig.guard.login_failed(udp("192.0.2.1"), "bob", 0.0)
    rig.homes.add("192.0.2.1", "ann")
    assert rig.send(REGISTER) == [Standing.KNOWN]
    assert not rig.guard.shuts_out(tcp("192.0.2.1"), 1.0)


def test_a_home_is_heard_the_more_the_more_people_are_in_it(rig: Rig) -> None:
    rig.homes.add("192.0.2.1", "ann")
    assert rig.send(OPTIONS, times=200).count(Standing.KNOWN) == 40
    rig.homes.add("192.0.2.1", "bob")
    rig.homes.add("192.0.2.1", "eve")
    assert rig.send(OPTIONS, now=100.0, times=200).count(Standing.KNOWN) == 40 + 1 + 80


def test_a_known_source_is_refused_some_times_then_dropped_and_never_banned(rig: Rig) -> None:
    rig.homes.add("192.0.2.1", "ann")
    heard = rig.send(OPTIONS, times=1000)
    assert heard.count(Standing.BUSY) == 10
    assert heard.count(Standing.DROPPED) == 950
    assert rig.send(BYE) == [Standing.KNOWN]
    assert rig.send(b"SIP/2.0 200 OK\r\n\r\n", times=400).count(Standing.KNOWN) == 399
    assert rig.send(BYE) == [Standing.DROPPED]
    assert rig.banned() == []


def test_whom_we_called_is_heard_through_a_flood(rig: Rig) -> None:
    rig.guard.called(udp("192.0.2.9"))
    for number in range(1000):
        rig.send(OPTIONS, f"198.18.{number // 250}.{number % 250}")
    assert rig.send(b"SIP/2.0 200 OK\r\n\r\n", "192.0.2.9") == [Standing.KNOWN]


def test_who_logged_in_is_known_afterwards(rig: Rig) -> None:
    rig.send(ECHO)
    rig.guard.logged_in(udp("192.0.2.1"), "ann", 0.0)
    assert rig.send(OPTIONS) == [Standing.KNOWN]


def test_who_logged_in_once_may_still_be_banned_for_guessing(rig: Rig) -> None:
    rig.guard.logged_in(udp("192.0.2.1"), "ann", 0.0)
    for _ in range(3):
        rig.guard.login_failed(udp("192.0.2.1"), "bob", 0.0)
    assert rig.banned() == [("192.0.2.1", None, "auth_failures")]
    assert rig.send(OPTIONS) == [Standing.DROPPED]


def test_a_password_guessed_from_all_sides_lets_in_only_who_was_there_before(rig: Rig) -> None:
    rig.guard.logged_in(udp("192.0.2.1"), "ann", 0.0)
    rig.homes.add("192.0.2.2", "ann")
    for number in range(6):
        assert rig.guard.may_log_in(udp("192.0.2.200"), "ann", 0.0)
        rig.guard.login_failed(udp(f"192.0.2.{100 + number}"), "ann", 0.0)
    assert not rig.guard.may_log_in(udp("192.0.2.200"), "ann", 0.0)
    assert rig.guard.may_log_in(udp("192.0.2.1"), "ann", 0.0)
    assert rig.guard.may_log_in(udp("192.0.2.2"), "ann", 0.0)
    assert rig.guard.may_log_in(udp("192.0.2.200"), "bob", 0.0)
    assert rig.guard.may_log_in(udp("192.0.2.200"), "ann", 600.0)


@pytest.mark.parametrize(
    "fields",
    [
        [("User-Agent", "friendly-scanner")],
        [("User-Agent", "Friendly-Scanner 1.0")],
        [("From", '"sipvicious"<sip:100@1.1.1.1>;tag=1')],
        [("User-Agent", "pplsip"), ("From", "<sip:a@b>")],
    ],
)
def test_scanners_are_known_by_their_names(rig: Rig, fields: list[tuple[str, str]]) -> None:
    request = Request.build("OPTIONS", "sip:a@b", fields)
    assert rig.guard.is_scanner(request, udp("192.0.2.1"), False, 0.0)
    assert rig.banned() == []
    assert rig.guard.is_scanner(request, tcp("192.0.2.1"), True, 0.0)
    assert rig.banned() == [("192.0.2.1", None, "scanner")]
    assert rig.guard.dropped["scanner"] == 2


def test_phones_are_no_scanners(rig: Rig) -> None:
    for agent in ("", "Yealink SIP-T46U 108.86", "PJSUA v2.15", "Asterisk PBX 22", "sipsak 0.9"):
        request = Request.build("OPTIONS", "sip:a@b", [("User-Agent", agent), ("From", "<sip:100@h>;tag=1")])
        assert not rig.guard.is_scanner(request, udp("192.0.2.1"), False, 0.0)
    assert not Rig(scanners=()).guard.is_scanner(
        Request.build("OPTIONS", "sip:a@b", [("User-Agent", "sipvicious")]), udp("192.0.2.1"), False, 0.0
    )


def test_a_ban_can_be_lifted(rig: Rig) -> None:
    rig.homes.add("192.0.2.7", "ann")
    for host in ("192.0.2.1", "192.0.2.7"):
        for _ in range(3):
            rig.guard.login_failed(udp(host), "bob", 0.0)
    assert not rig.guard.unban("192.0.2.9")
    assert rig.guard.unban("192.0.2.1")
    assert rig.send(REGISTER) == [Standing.UNKNOWN]
    assert rig.guard.unban("192.0.2.7", "bob")
    assert rig.banned() == []


def test_a_ban_of_a_network_is_lifted_by_its_name_or_an_address_in_it(rig: Rig) -> None:
    for wanted in ("2001:db8::5", "2001:db8::/64"):
        for _ in range(3):
            rig.guard.login_failed(tcp("2001:db8::1"), "bob", 0.0)
        assert rig.guard.unban(wanted)


def test_no_table_grows_beyond_its_bound_and_forged_sources_push_out_nobody_who_is_known() -> None:
    rig = Rig(sources=100)
    rig.send(ECHO, "192.0.2.50")
    rig.guard.logged_in(udp("192.0.2.51"), "ann", 0.0)
    rig.guard.called(udp("192.0.2.52"))
    for number in range(5000):
        rig.send(OPTIONS, f"198.18.{number // 250}.{number % 250}")
    assert rig.send(OPTIONS, "192.0.2.50") == [Standing.PROVEN]
    assert rig.send(OPTIONS, "192.0.2.51") == [Standing.KNOWN]
    assert rig.send(OPTIONS, "192.0.2.52") == [Standing.KNOWN]
    for number in range(5000):
        host = f"198.18.{number // 250}.{number % 250}"
        rig.send(ECHO, host)
        rig.guard.login_failed(udp(host), f"user{number}", 0.0)
        rig.guard.logged_in(udp(host), f"user{number}", 0.0)
    assert max(rig.guard.table_sizes().values()) == 100


def test_an_unknown_source_that_is_heard_of_again_is_remembered_longest() -> None:
    rig = Rig(sources=3, source_per_s=1.0)
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.4"):
        rig.send(OPTIONS, host)
    assert rig.send(OPTIONS, "192.0.2.1") == [Standing.DROPPED]
    assert rig.send(OPTIONS, "192.0.2.2") == [Standing.UNKNOWN]


def test_long_user_names_are_remembered_short(rig: Rig) -> None:
    rig.homes.add("192.0.2.1", "ann")
    for _ in range(3):
        rig.guard.login_failed(udp("192.0.2.1"), "x" * 30_000, 0.0)
    assert rig.banned() == [("192.0.2.1", "x" * 64, "auth_failures")]
    assert rig.guard.ignores(udp("192.0.2.1"), "x" * 30_000, 1.0)
