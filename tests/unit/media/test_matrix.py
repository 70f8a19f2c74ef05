from __future__ import annotations

import pytest

from engine.media.commands import CloseLeg, Codec, Connect, Direction, JoinConference, LeaveConference
from engine.media.events import LegFailed
from engine.media.matrix import Route
from tests.support.media_fakes import Bench, remote


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for name in "abcd":
        bench.leg(name)
    return bench


def join(bench: Bench, names: str, **changes: object) -> None:
    for name in names:
        bench.do(JoinConference(leg=name, conference="room", **changes))  # type: ignore[arg-type]


def heard(bench: Bench, name: str) -> str:
    return "".join(sorted(edge.source.name for edge in bench.board.matrix.edges(bench.board.legs[name])))


def routes(bench: Bench) -> list[Route | None]:
    return [leg.route for leg in bench.board.legs.values()]


def test_members_hear_each_other_by_the_cheapest_way(bench: Bench) -> None:
    join(bench, "a")
    assert routes(bench) == [Route.SILENT] * 4
    join(bench, "b")
    assert routes(bench) == [Route.RELAY, Route.RELAY, Route.SILENT, Route.SILENT]
    assert bench.board.table.rows == 0
    join(bench, "c")
    assert routes(bench) == [Route.MIX, Route.MIX, Route.MIX, Route.SILENT]
    assert bench.board.table.rows == 3
    assert [heard(bench, name) for name in "abcd"] == ["bc", "ac", "ab", ""]


def test_who_leaves_is_not_heard_and_hears_nothing(bench: Bench) -> None:
    join(bench, "abc")
    bench.do(LeaveConference(leg="a"), LeaveConference(leg="a"), LeaveConference(leg="nobody"))

    assert [heard(bench, name) for name in "abc"] == ["", "c", "b"]
    assert routes(bench)[:3] == [Route.SILENT, Route.RELAY, Route.RELAY]
    assert bench.board.table.rows == 0
    assert not [event for event in bench.told() if isinstance(event, LegFailed)]


def test_who_is_closed_has_left(bench: Bench) -> None:
    join(bench, "abcd")
    bench.do(CloseLeg(leg="b"))

    assert [heard(bench, name) for name in "acd"] == ["cd", "ad", "ac"]
    assert bench.board.table.rows == 3


def test_muted_members_hear_and_listeners_speak_not(bench: Bench) -> None:
    join(bench, "abc")
    join(bench, "a", speaks=False)
    join(bench, "b", hears=False)

    assert [heard(bench, name) for name in "abc"] == ["bc", "", "b"]
    assert bench.board.legs["b"].route is Route.SILENT
    assert bench.board.legs["c"].route is Route.RELAY
    assert bench.board.legs["a"].row < 0
    join(bench, "a")
    assert heard(bench, "c") == "ab"
    assert bench.board.legs["a"].row >= 0


def test_to_join_another_is_to_leave_the_first(bench: Bench) -> None:
    join(bench, "abc")
    bench.do(JoinConference(leg="c", conference="other"), JoinConference(leg="d", conference="other"))

    assert [heard(bench, name) for name in "abcd"] == ["b", "a", "d", "c"]


def test_a_member_on_hold_is_not_heard(bench: Bench) -> None:
    join(bench, "abc")
    bench.do(remote("a", direction=Direction.SENDONLY))

    assert [heard(bench, name) for name in "abc"] == ["bc", "c", "b"]
    assert bench.board.legs["b"].route is Route.RELAY
    bench.do(remote("a"))
    assert heard(bench, "b") == "ac"


def test_edges_come_on_top(bench: Bench) -> None:
    join(bench, "abc")
    bench.do(Connect(source="d", sink="a", gain_db=-6.0))

    assert [heard(bench, name) for name in "abcd"] == ["bcd", "ac", "ab", ""]


def test_a_gain_of_a_member_is_heard_by_the_others(bench: Bench) -> None:
    join(bench, "ab")
    join(bench, "a", gain_db=-6.0)

    assert bench.board.legs["b"].route is Route.MIX
    assert bench.board.legs["a"].route is Route.RELAY


def test_a_gain_out_of_bounds_is_refused(bench: Bench) -> None:
    join(bench, "a", gain_db=200.0)

    [failed] = [event for event in bench.told() if isinstance(event, LegFailed)]
    assert (failed.leg, failed.command) == ("a", "JoinConference")
    assert bench.board.matrix.conference(bench.board.legs["a"]) is None


def test_codecs_that_differ_are_mixed(bench: Bench) -> None:
    bench.leg("e", codec=Codec.PCMA)
    join(bench, "ae")

    assert bench.board.legs["a"].route is Route.MIX


def test_an_empty_conference_is_forgotten(bench: Bench) -> None:
    join(bench, "ab")
    bench.do(CloseLeg(leg="a"), CloseLeg(leg="b"))
    join(bench, "c")

    assert heard(bench, "c") == ""
    assert bench.board.matrix.conference(bench.board.legs["c"]) is not None


def test_who_talks_with_whom_is_who_hears_and_is_heard(bench: Bench) -> None:
    """One-way audio is between two: an echo, a supervisor who listens, and a conference have no partners."""
    for source, sink in ("ab", "ba", "aa", "ac"):
        bench.do(Connect(source=source, sink=sink))
    join(bench, "cd")
    legs = bench.board.legs
    partners = {name: {leg.name for leg in bench.board.matrix.partners(legs[name])} for name in "abcd"}
    assert partners == {"a": {"b"}, "b": {"a"}, "c": set(), "d": set()}
