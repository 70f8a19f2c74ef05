from __future__ import annotations

import pytest

from engine.media.commands import Direction, SrtpKeys, SrtpSuite
from engine.media.latch import (
    Scope,
    Trust,
    behind_nat,
    keeps_latch,
    may_report,
    rtcp_target,
    scope,
    sendable,
    target,
    trust,
)
from tests.support.media_fakes import Bench, remote


@pytest.mark.parametrize(
    ("address", "port", "may"),
    [
        ("192.0.2.1", 4000, True),
        ("10.0.0.1", 4000, True),
        ("127.0.0.1", 1, True),
        ("2001:db8::1", 4000, True),
        ("0.0.0.0", 4000, False),
        ("0.1.2.3", 4000, False),
        ("255.255.255.255", 4000, False),
        ("224.0.0.1", 4000, False),
        ("239.255.0.1", 4000, False),
        ("ff02::1", 4000, False),
        ("ff0e::1", 4000, False),
        ("240.0.0.1", 4000, False),
        ("::ffff:0.0.0.0", 4000, False),
        ("::ffff:224.0.0.1", 4000, False),
        ("::ffff:255.255.255.255", 4000, False),
        ("::ffff:192.0.2.1", 4000, True),
        ("::", 4000, False),
        ("192.0.2.1", 0, False),
        ("192.0.2.1", 65536, False),
        ("example.com", 4000, False),
        ("", 4000, False),
    ],
)
def test_where_packets_may_be_sent(address: str, port: int, may: bool) -> None:
    assert sendable(address, port) is may


@pytest.mark.parametrize(
    ("source", "trusted"),
    [
        (("10.0.0.5", 4000), Trust.FIRST),
        (("198.51.100.7", 61234), Trust.FIRST),
        (("198.51.100.8", 4000), Trust.RUN),
        (("198.51.101.7", 4000), Trust.NEVER),
        (("10.0.0.5", 4002), Trust.NEVER),
        (("10.0.0.6", 4000), Trust.NEVER),
    ],
)
def test_behind_nat_the_flows_network_is_the_peers_and_a_neighbour_in_ours_is_not(
    source: tuple[str, int], trusted: Trust
) -> None:
    said = remote("a", address="10.0.0.5", port=4000, flow_address="198.51.100.7")

    assert behind_nat(said)
    assert trust(said, source) is trusted


@pytest.mark.parametrize(
    ("source", "trusted"),
    [
        (("203.0.113.9", 4000), Trust.FIRST),
        (("203.0.113.9", 61234), Trust.RUN),
        (("198.51.100.7", 61234), Trust.FIRST),
        (("203.0.113.8", 4000), Trust.NEVER),
        (("198.51.100.8", 4000), Trust.NEVER),
    ],
)
def test_without_nat_only_the_addresses_that_were_signalled_count(source: tuple[str, int], trusted: Trust) -> None:
    said = remote("a", address="203.0.113.9", port=4000, flow_address="198.51.100.7")

    assert not behind_nat(said)
    assert trust(said, source) is trusted


def test_on_an_encrypted_leg_the_key_tells_who_speaks_but_from_elsewhere_not_at_once() -> None:
    keys = SrtpKeys(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80, ours="o", theirs="t")
    said = remote("a", address="203.0.113.9", flow_address="198.51.100.7", srtp=keys)

    assert trust(said, ("203.0.113.9", 4000)) is Trust.FIRST
    assert trust(said, ("203.0.113.9", 5)) is Trust.RUN
    assert trust(said, ("192.0.2.66", 5)) is Trust.RUN


@pytest.mark.parametrize(
    ("flow", "source", "trusted"),
    [
        ("2001:db8:1:2::7", "2001:db8:1:2::8", Trust.RUN),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", Trust.NEVER),
        ("2001:db8:1:2::7", "198.51.100.7", Trust.NEVER),
        ("198.51.100.7", "2001:db8::1", Trust.NEVER),
    ],
)
def test_networks_of_both_versions(flow: str, source: str, trusted: Trust) -> None:
    assert trust(remote("a", address="fd00::5", flow_address=flow), (source, 9)) is trusted


@pytest.mark.parametrize(
    ("address", "how_far"),
    [
        ("127.0.0.1", Scope.HOST),
        ("::1", Scope.HOST),
        ("no address", Scope.HOST),
        ("169.254.1.1", Scope.LINK),
        ("fe80::1", Scope.LINK),
        ("10.0.0.1", Scope.SITE),
        ("172.31.255.255", Scope.SITE),
        ("192.168.1.1", Scope.SITE),
        ("100.100.1.1", Scope.SITE),
        ("fd00::1", Scope.SITE),
        ("::ffff:10.0.0.1", Scope.SITE),
        ("172.32.0.1", Scope.WORLD),
        ("192.0.2.1", Scope.WORLD),
        ("2001:db8::1", Scope.WORLD),
    ],
)
def test_how_far_addresses_are_known(address: str, how_far: Scope) -> None:
    assert scope(address) is how_far


@pytest.mark.parametrize("source", [("192.0.2.1", 4001), ("192.0.2.1", 9), ("198.51.100.7", 9)])
def test_rtcp_is_taken_from_whom_rtp_would_be(source: tuple[str, int]) -> None:
    leg = Bench().leg("a", flow_address="198.51.100.7")
    leg.latched = None
    assert may_report(leg, source)
    assert not may_report(leg, ("198.51.100.8", 9))
    leg.latched = ("192.0.2.1", 4000)
    assert may_report(leg, source) is (source[0] == "192.0.2.1")
    leg.latched = leg.remote = None
    assert not may_report(leg, source)


def test_a_latch_outlives_hold_and_a_repeated_offer_but_no_other_address() -> None:
    first = remote("a")

    assert keeps_latch(first, remote("a", direction=Direction.INACTIVE))
    assert keeps_latch(first, remote("a", address="0.0.0.0"))
    assert keeps_latch(first, remote("a", port=0))
    assert not keeps_latch(first, remote("a", port=4002))
    assert not keeps_latch(first, remote("a", address="192.0.2.9"))
    assert not keeps_latch(first, remote("a", flow_address="192.0.2.9"))


def test_rtp_goes_to_the_sdp_until_the_leg_has_latched() -> None:
    leg = Bench().leg("a")
    leg.latched = None
    assert target(leg) == ("192.0.2.1", 4000)
    leg.latched = ("198.51.100.7", 61234)
    assert target(leg) == ("198.51.100.7", 61234)


@pytest.mark.parametrize("direction", [Direction.RECVONLY, Direction.INACTIVE])
def test_rtp_goes_nowhere_when_we_may_not_send_and_rtcp_goes_on(direction: Direction) -> None:
    leg = Bench().leg("a", direction=direction)
    leg.latched = None

    assert target(leg) is None
    assert rtcp_target(leg) == ("192.0.2.1", 4001)


def test_rtcp_goes_beside_rtp_or_where_the_sdp_says() -> None:
    bench = Bench()
    leg = bench.leg("a", rtcp_port=5555)
    leg.latched = None
    assert rtcp_target(leg) == ("192.0.2.1", 5555)
    leg.latched = ("192.0.2.1", 4000)
    assert rtcp_target(leg) == ("192.0.2.1", 5555)
    leg.latched = ("198.51.100.7", 61234)
    assert rtcp_target(leg) is None, "the port beside it may be a neighbour's"
    leg.signs.reported_from = ("198.51.100.7", 50001)
    assert rtcp_target(leg) == ("198.51.100.7", 50001)
    leg.signs.reported_from = ("198.51.100.8", 50001)
    assert rtcp_target(leg) is None


def test_before_a_peer_behind_nat_was_heard_nobody_is_sent_anything() -> None:
    """What its SDP names is in our own network somebody else."""
    leg = Bench().leg("a", address="192.168.1.20", flow_address="198.51.100.7")
    leg.latched = None
    assert (target(leg), rtcp_target(leg)) == (None, None)
    leg.latched = ("198.51.100.7", 61234)
    assert target(leg) == ("198.51.100.7", 61234)


@pytest.mark.parametrize("change", [{"address": "0.0.0.0"}, {"rtcp_port": 0}, {"rtcp_port": 70_000}, {"port": 65535}])
def test_rtcp_goes_nowhere_when_there_is_no_place_for_it(change: dict[str, object]) -> None:
    leg = Bench().leg("a", **change)
    leg.latched = None

    assert rtcp_target(leg) is None
