"""Peers that go on counting under a key that they used before."""

from __future__ import annotations

import pytest

from engine.media.commands import Connect, OpenLeg, SrtpSuite
from engine.media.rollover import GUESSES, MOST_ROUNDS, ROUND
from engine.media.srtp import Opener, Sealer, Shield
from tests.support.media_fakes import Bench, remote
from tests.support.sealed_packets import REPORT, SHA80, keys, opened, packet, sealed, text


def counted(suite: SrtpSuite, to: int) -> Sealer:
    """One who has sent for as long."""
    sealer = Sealer(suite, text(suite, 2))
    for number in range(to % 20_000, to, 20_000):
        sealed(sealer, packet(number))
    return sealer


@pytest.mark.parametrize("suite", SrtpSuite)
@pytest.mark.parametrize("rounds", [0, 1, 2, 7])
@pytest.mark.parametrize("number", [0, 100, 33_000, ROUND - 10])
def test_the_round_is_found_and_counted_on_from(suite: SrtpSuite, rounds: int, number: int) -> None:
    begun = rounds * ROUND + number
    sealer, opener = counted(suite, begun), Opener(suite, text(suite, 2), 0, resumed=True)
    heard = [opened(opener, sealed(sealer, packet(begun + more))) for more in range(20)]
    missed = heard.count(b"")
    assert missed == rounds // GUESSES == opener.failed
    assert heard[missed:] == [packet(begun + more) for more in range(missed, 20)]
    again = sealed(sealer, packet(begun + 20))
    assert (opened(opener, again), opened(opener, again)) == (packet(begun + 20), b""), "played again"


def test_packets_out_of_order_are_heard_right_after_the_first() -> None:
    begun = 3 * ROUND + 500
    sealer, opener = counted(SHA80, begun), Opener(SHA80, text(SHA80, 2), 0, resumed=True)
    late = [sealed(sealer, packet(begun + more)) for more in range(60)]
    assert [opened(opener, each) for each in late[58:]] == [b"", packet(begun + 59)]
    assert [opened(opener, each) for each in late[:58]] == [packet(begun + more) for more in range(58)]


def test_without_the_word_of_control_no_round_is_looked_for() -> None:
    sealer, opener = counted(SHA80, 2 * ROUND), Opener(SHA80, text(SHA80, 2), 0)
    assert not any(opened(opener, sealed(sealer, packet(2 * ROUND + more))) for more in range(10))


def test_strangers_and_other_streams_do_not_keep_it_from_being_found() -> None:
    begun = 2 * ROUND + 9
    sealer, opener = counted(SHA80, begun), Opener(SHA80, text(SHA80, 2), 0, resumed=True)
    stranger = Sealer(SHA80, text(SHA80, 9))
    for number in range(GUESSES * MOST_ROUNDS):
        assert opened(opener, sealed(stranger, packet(number))) == b""
        assert opened(opener, sealed(stranger, packet(number, ssrc=77))) == b""
    heard = [opened(opener, sealed(sealer, packet(begun + more))) for more in range(5)]
    assert heard[1:] == [packet(begun + more) for more in range(1, 5)]


def test_after_all_rounds_it_begins_with_the_first_again() -> None:
    sealer, opener = counted(SHA80, 5), Opener(SHA80, text(SHA80, 2), 0, resumed=True)
    stranger = Sealer(SHA80, text(SHA80, 9))
    for number in range(MOST_ROUNDS // GUESSES - 3):
        assert opened(opener, sealed(stranger, packet(number))) == b""
    heard = [opened(opener, sealed(sealer, packet(5 + more))) for more in range(8)]
    assert heard[-1] == packet(12)


def test_a_report_that_came_before_the_round_was_found_is_heard_once() -> None:
    begun = ROUND
    sealer, opener = counted(SHA80, begun), Opener(SHA80, text(SHA80, 2), 0, resumed=True)
    report = sealer.rtcp(REPORT)
    assert opener.rtcp(report)
    assert opened(opener, sealed(sealer, packet(begun)))
    assert opener.rtcp(report) == b""


def test_a_key_that_stays_is_not_looked_for_anew() -> None:
    first = Shield.renewed(None, keys())
    assert first is not None
    second = Shield.renewed(first, keys(resumed=True))
    assert second is not None
    assert second.opener is first.opener


def test_a_leg_is_told_that_its_peer_goes_on() -> None:
    bench = Bench()
    bench.do(OpenLeg(leg="a", tag=""), OpenLeg(leg="b", tag=""))
    begun = 4 * ROUND + 7
    sealer = counted(SHA80, begun)
    bench.do(remote("a", srtp=keys(resumed=True)), remote("b"), Connect(source="a", sink="b"))
    leg = bench.board.legs["a"]
    assert leg.shield is not None
    heard = [opened(leg.shield.opener, sealed(sealer, packet(begun + more))) for more in range(5)]
    assert heard[-1] == packet(begun + 4)
