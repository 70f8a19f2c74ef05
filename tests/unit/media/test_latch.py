from __future__ import annotations

import pytest

from engine.media.commands import Direction
from engine.media.latch import keeps_latch, may_latch, rtcp_target, sendable, target
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
    ("source", "may"),
    [
        (("10.0.0.5", 4000), True),
        (("10.0.0.5", 4002), False),
        (("198.51.100.7", 61234), True),
        (("198.51.100.8", 4000), False),
    ],
)
def test_a_leg_latches_on_the_sdps_port_or_any_port_of_the_flow(source: tuple[str, int], may: bool) -> None:
    said = remote("a", address="10.0.0.5", port=4000, flow_address="198.51.100.7")

    assert may_latch(said, source) is may


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
    assert rtcp_target(leg) == ("198.51.100.7", 61235)


@pytest.mark.parametrize("change", [{"address": "0.0.0.0"}, {"rtcp_port": 0}, {"rtcp_port": 70_000}, {"port": 65535}])
def test_rtcp_goes_nowhere_when_there_is_no_place_for_it(change: dict[str, object]) -> None:
    leg = Bench().leg("a", **change)
    leg.latched = None

    assert rtcp_target(leg) is None
