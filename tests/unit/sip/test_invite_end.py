"""How calls end that stand, and races over a bad wire (RFC 3261 15)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    EndedBy,
    InviteCancelled,
    InviteFailed,
    SessionEnded,
    SessionId,
)
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.sip_raw import RawPeer, calling, pair, session_of, taken
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def established() -> tuple[EndpointStation, RawPeer, Wire, SessionId]:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.events.clear()
    return station, raw, wire, session


def test_a_bye_of_theirs_ends_it() -> None:
    station, raw, wire, session = established()
    ours = raw.requests("ACK")[0]
    raw.ask("BYE", call_id=ours.call_id, to_tag=ours.from_tag, fields=[("Reason", "Q.850;cause=16")])
    wire.run()
    assert raw.statuses() == [200]
    assert station.told() == [SessionEnded(session=session, by=EndedBy.REMOTE, reason="Q.850;cause=16")]
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize("status", [200, 481, 500, None])
def test_a_bye_of_ours_ends_it_whatever_is_answered(status: int | None) -> None:
    station, raw, wire, session = established()
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    if status is not None:
        raw.respond(raw.requests("BYE")[0], status)
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_byes_that_cross_end_it_once() -> None:
    station, raw, wire, session = established()
    ours = raw.requests("ACK")[0]
    station.endpoint.bye(session, now=wire.now)
    raw.ask("BYE", call_id=ours.call_id, to_tag=ours.from_tag)
    wire.run(0.1)
    raw.respond(raw.requests("BYE")[0], 481)
    wire.run()
    assert raw.statuses() == [200]
    assert station.told() == [SessionEnded(session=session, by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_terminate_does_what_the_state_wants() -> None:
    station, raw, wire, session, invite = calling()
    station.endpoint.terminate(session, now=wire.now)
    raw.respond(invite, 180)
    wire.run(0.1)
    assert raw.requests("CANCEL")
    station.endpoint.terminate(session, now=wire.now)

    station, raw, wire, session = established()
    station.endpoint.terminate(session, now=wire.now)
    station.endpoint.terminate(session, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1

    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    station.endpoint.terminate(session_of(station), now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [100, 503]
    with pytest.raises(LocalSipError, match="over"):
        station.endpoint.terminate(session_of(station), now=wire.now)


# --- races over a bad wire ---


@pytest.mark.parametrize("lost", [(), (0,), (1,), (0, 1), (2,), (3,)])
@pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.03, 0.5])
@pytest.mark.parametrize("race", ["cancel-answer", "cancel-reject", "bye-bye", "answer-cancel"])
def test_two_actions_at_once_leave_nothing_behind(race: str, after: float, lost: tuple[int, ...]) -> None:
    """Two actions, `after` seconds apart, with these of the datagrams that follow lost."""
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")
    wire = Wire(a, b)
    mine = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    theirs = session_of(b)
    b.endpoint.progress(theirs, 180, now=wire.now)
    wire.run(0.1)
    if race == "bye-bye":
        b.endpoint.accept(theirs, SDP_ANSWER, now=wire.now)
        wire.run(1)
    first, second = {
        "cancel-answer": (
            lambda: a.endpoint.cancel(mine, now=wire.now),
            lambda: b.endpoint.accept(theirs, SDP_ANSWER, now=wire.now),
        ),
        "cancel-reject": (
            lambda: a.endpoint.cancel(mine, now=wire.now),
            lambda: b.endpoint.reject(theirs, 486, now=wire.now),
        ),
        "answer-cancel": (
            lambda: b.endpoint.accept(theirs, SDP_ANSWER, now=wire.now),
            lambda: a.endpoint.terminate(mine, now=wire.now),
        ),
        "bye-bye": (
            lambda: a.endpoint.bye(mine, now=wire.now),
            lambda: b.endpoint.bye(theirs, now=wire.now),
        ),
    }[race]

    def try_second() -> None:
        try:
            second()
        except LocalSipError:
            assert after > 0, "at the same instant neither side knows of the other"

    wire.lose_nth(*lost)
    first()
    wire.at(after, try_second)
    wire.run()
    assert a.endpoint.live() == b.endpoint.live() == NOTHING
    ends = (InviteFailed, InviteCancelled, SessionEnded)
    assert len([each for each in a.told() if isinstance(each, ends)]) == 1
    rejected = race == "cancel-reject" and not b.told(InviteCancelled)
    assert len([each for each in b.told() if isinstance(each, ends)]) == (0 if rejected else 1)


def test_terminate_leaves_a_bye_under_way_alone_also_where_they_called() -> None:
    station, raw, wire, session, _ = taken()
    station.endpoint.terminate(session, now=wire.now)
    station.endpoint.terminate(session, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1
