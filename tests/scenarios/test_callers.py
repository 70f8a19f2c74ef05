"""Callers whose own side of the set-up goes wrong: the ACK lost, late or never sent, media that nobody can agree to."""

from __future__ import annotations

import pytest

from engine.calls.causes import Reason
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.log import AgentStatusChanged, CallerQueued, CallStarted, OfferMade
from engine.sip.events import InviteFailed, InviteReceived, SessionId
from tests.support.centre_rig import CentreRig
from tests.support.sip_phone import SDP, target
from tests.support.wire import Sent

G729_ONLY = SDP.replace(b"RTP/AVP 0", b"RTP/AVP 18")
NO_DESCRIPTION = b"what is this"


def invite(rig: CentreRig, sdp: bytes = SDP) -> SessionId:
    """The caller dials the queue; nothing has been carried yet."""
    there = target(rig.caller, rig.centre, "600")
    return rig.caller.endpoint.invite(there, from_user="5551000", sdp=sdp, now=rig.wire.now)


def acks_of(rig: CentreRig) -> list[float]:
    """When the caller's ACKs left, those that were lost too."""
    return [sent.at for sent in rig.wire.log if sent.source == rig.caller.address and sent.first_line[:3] == "ACK"]


def cdrs(rig: CentreRig) -> list[Cdr]:
    fold = CdrFold()
    return [row for record in rig.centre.records for row in fold.apply(record)]


@pytest.mark.parametrize("lost", [1, 3])
def test_nobody_is_rung_before_a_late_ack(lost: int) -> None:
    rig = CentreRig(ring_timeout_s=4)
    rig.register(rig.alice)
    rig.wire.lose_nth(*range(lost), matching=lambda sent: sent.first_line.startswith("ACK"))
    session = invite(rig)
    rig.wire.run(10.0)
    came = acks_of(rig)[lost]
    entered, offered, *_ = (r.mono for r in rig.centre.records if isinstance(r.body, CallerQueued | OfferMade))
    assert entered == offered == pytest.approx(came + rig.round_trip_s / 2)
    (rang,) = [told.at for told in rig.alice.events if isinstance(told.event, InviteReceived)]
    assert rang > came
    rig.caller.endpoint.terminate(session, now=rig.wire.now)
    rig.wire.run()
    rig.assert_nothing_left()


def test_an_ack_that_never_comes_costs_no_agent_a_ring_or_a_break() -> None:
    rig = CentreRig(ring_timeout_s=4)
    rig.register(rig.alice)
    rig.wire.lose(lambda sent: _is_ack_of(rig, sent))
    invite(rig)
    rig.wire.run()
    assert rig.centre.bodies(CallerQueued, OfferMade, AgentStatusChanged) == []
    assert rig.alice.told(InviteReceived) == []
    (row,) = cdrs(rig)
    assert (row.cause.reason, row.cause.sip_code, row.waited_s) == (Reason.ACK_TIMEOUT, 200, 0)
    rig.assert_nothing_left()


def _is_ack_of(rig: CentreRig, sent: Sent) -> bool:
    return sent.source == rig.caller.address and sent.first_line.startswith("ACK")


@pytest.mark.parametrize(
    ("sdp", "status", "reason"), [(G729_ONLY, 488, Reason.NOT_ACCEPTABLE), (NO_DESCRIPTION, 400, Reason.PROTOCOL)]
)
def test_the_cdr_says_with_what_a_caller_was_refused(sdp: bytes, status: int, reason: Reason) -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    invite(rig, sdp)
    rig.wire.run()
    (failed,) = rig.caller.told(InviteFailed)
    assert isinstance(failed, InviteFailed)
    (row,) = cdrs(rig)
    assert (failed.status, row.cause.sip_code, row.cause.reason) == (status, status, reason)
    assert row.answered is None
    assert rig.alice.told(InviteReceived) == []
    rig.assert_nothing_left()


def test_no_name_of_a_caller_brings_a_line_break_into_the_records() -> None:
    rig = CentreRig()
    rig.alice.answer_with = 200
    rig.register(rig.alice)
    there = target(rig.caller, rig.centre, "600")
    session = rig.caller.endpoint.invite(
        there, from_user="1\u20282\n3", from_display="a\u2029b\x85c", sdp=SDP, now=rig.wire.now
    )
    rig.wire.run(3.0)
    rig.caller.endpoint.bye(session, now=rig.wire.now)
    rig.wire.run()
    (started,) = rig.centre.bodies(CallStarted)
    assert isinstance(started, CallStarted)
    assert (started.caller, started.caller_display) == ("1 2 3", "a b c")
    assert all(repr(record) == repr(record).replace("\\", "") for record in rig.centre.records)
    (row,) = cdrs(rig)
    assert row.caller == "1 2 3"
    rig.assert_nothing_left()
