"""Agents' phones that answer in a way that nobody can work with."""

from __future__ import annotations

import pytest

from engine.calls.log import CallerConnected, OfferEnded, OfferOutcome
from engine.sip.events import SessionEnded
from engine.sip.flow import Flow
from tests.support.centre_rig import CentreRig


def test_a_phone_that_cannot_be_reached_after_its_answer_costs_the_caller_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = CentreRig()
    for phone in (rig.alice, rig.bob):
        phone.answer_with = 200
        rig.register(phone)
    whole = rig.centre.receive

    def without_contact(data: bytes, flow: Flow, now: float) -> None:
        if flow.remote == rig.alice.address and data.startswith(b"SIP/2.0 200") and b"CSeq: 1 INVITE" in data:
            data = data.replace(b"Contact:", b"X-Lost:")
        whole(data, flow, now)

    monkeypatch.setattr(rig.centre, "receive", without_contact)
    call = rig.call()
    rig.wire.run(10.0)
    ended = [each for each in rig.centre.bodies(OfferEnded) if isinstance(each, OfferEnded)]
    assert [(each.agent, each.outcome) for each in ended] == [
        ("alice", OfferOutcome.UNREACHABLE),
        ("bob", OfferOutcome.ANSWERED),
    ]
    (talk,) = rig.centre.bodies(CallerConnected)
    assert isinstance(talk, CallerConnected)
    assert (talk.agent, talk.waited_s < 2) == ("bob", True)
    assert len(rig.alice.told(SessionEnded)) == 1, "the phone that answered is hung up on"
    assert rig.alice.endpoint.live().sessions == 0
    rig.caller.endpoint.terminate(call, now=rig.wire.now)
    rig.wire.run()
    rig.assert_nothing_left()
