"""How keys come and go on a trunk: what is offered and answered, and what media is told of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.directory import Put
from engine.calls.events import Answered, RemoteMedia
from engine.calls.ports import AgentPhone
from engine.ids import AgentName, TrunkName
from engine.sip.events import InviteAccepted
from engine.sip.offer_answer import Local, make_answer, make_offer
from tests.support.sip_legs import invite_of, placed, up_incoming
from tests.support.sip_pair import SipPair

THEIRS = Local(address="192.0.2.2", port=4000, session_id=9, version=0)
WITHOUT = THEIRS._replace(events=False)


def pair_with(dtmf: str) -> SipPair:
    pair = SipPair()
    pair.directory.apply(Put(entity=replace(pair.directory.trunks[TrunkName("pbx")], dtmf=dtmf)))
    return pair


def called(pair: SipPair, far: Local, *, agent: bool = False) -> tuple[RemoteMedia, bytes]:
    """We call the trunk, or an agent; what media is told, and our offer."""
    session = placed(pair, AgentPhone(agent=AgentName("anna"))) if agent else placed(pair)
    offer = invite_of(pair).sdp
    assert offer is not None
    pair.peer.accept(session, make_answer(offer, far)[0], now=pair.now)
    pair.run()
    return pair.last(Answered).media, offer


@pytest.mark.parametrize(
    ("dtmf", "far", "events", "inband"),
    [
        ("auto", THEIRS, True, False),
        ("auto", WITHOUT, False, True),
        ("rfc4733", THEIRS, True, False),
        ("rfc4733", WITHOUT, False, False),
        ("inband", THEIRS, False, True),
        ("info", THEIRS, False, False),
    ],
)
def test_what_is_agreed_with_a_trunk_that_we_call_or_that_calls_us(
    dtmf: str, far: Local, events: bool, inband: bool
) -> None:
    media, offer = called(pair_with(dtmf), far)
    assert (media.dtmf_payload_type is not None, media.inband) == (events, inband)
    assert (b"telephone-event" in offer) is (dtmf in ("auto", "rfc4733"))

    pair = pair_with(dtmf)
    up_incoming(pair, make_offer(far))
    media = pair.last(Answered).media
    assert (media.dtmf_payload_type is not None, media.inband) == (events, inband)
    accepted = pair.all_far(InviteAccepted)[-1]
    assert isinstance(accepted, InviteAccepted)
    assert (b"telephone-event" in (accepted.sdp or b"")) is events


def test_nobody_listens_for_tones_of_agents() -> None:
    pair = pair_with("auto")
    pair.register()
    media, _ = called(pair, WITHOUT, agent=True)
    assert (media.dtmf_payload_type, media.inband) == (None, False)
