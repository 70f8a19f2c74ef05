"""Whole calls between two endpoints, over a wire that is good and over one that is not."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.events import (
    AckReceived,
    EndedBy,
    InviteAccepted,
    InviteReceived,
    ProgressReceived,
    SessionEnded,
    SipEvent,
)
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def talkers() -> tuple[EndpointStation, EndpointStation]:
    """A caller, and a callee that rings, answers, and is left to be hung up on."""
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")

    def answer(event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            b.endpoint.progress(event.session, 180, now=now)
            b.endpoint.accept(event.session, SDP_ANSWER, now=now)

    b.on_event = answer
    return a, b


def test_a_call_is_set_up_and_hung_up_by_the_caller() -> None:
    a, b = talkers()
    wire = Wire(a, b)
    session = a.endpoint.invite(target(a, b), from_user="alice", from_display='A "x"', sdp=SDP, now=wire.now)
    wire.run(1)
    received = b.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    assert (received.to_user, received.from_user, received.from_display) == ("100", "alice", 'A "x"')
    assert received.sdp == SDP
    assert a.told(ProgressReceived)
    accepted = a.told(InviteAccepted)
    assert [each.sdp for each in accepted if isinstance(each, InviteAccepted)] == [SDP_ANSWER]
    assert b.told(AckReceived)
    a.endpoint.bye(session, now=wire.now, reason_header='Q.850;cause=16;text="done"')
    wire.run()
    assert a.told()[-1] == SessionEnded(session=session, by=EndedBy.LOCAL)
    ended = SessionEnded(session=received.session, by=EndedBy.REMOTE, reason='Q.850;cause=16;text="done"')
    assert b.told()[-1] == ended
    assert a.endpoint.live() == b.endpoint.live() == NOTHING
    lines = [sent.first_line.replace("SIP/2.0 ", "").split(" ")[0] for sent in wire.log]
    assert lines == ["INVITE", "180", "200", "ACK", "BYE", "200"]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("by", ["a", "b"])
def test_a_call_survives_a_bad_wire(seed: int, by: str) -> None:
    a, b = talkers()
    wire = Wire(a, b, loss=0.3, reorder=0.3, duplicate=0.3, seed=seed)
    session = a.endpoint.invite(target(a, b), from_user="alice", sdp=SDP, now=wire.now)
    wire.run(40)
    if a.told(InviteAccepted) and not a.told(SessionEnded) and not b.told(SessionEnded):
        if by == "a":
            a.endpoint.bye(session, now=wire.now)
        else:
            received = b.told(InviteReceived)[0]
            assert isinstance(received, InviteReceived)
            b.endpoint.bye(received.session, now=wire.now)
    wire.run()
    assert a.endpoint.live() == b.endpoint.live() == NOTHING
