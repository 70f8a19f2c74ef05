"""REFER as the calls layer is told of it: only from the agent whose leg it is, and only while the leg is up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import TransferAsked
from engine.calls.sip_transfer import SipTransfers
from engine.ids import AgentName, LegId, TransferId
from engine.sip.events import ReferAnswered, ReferNotified, ReferReceived
from engine.sip.uri import SipUri
from tests.support.sip_legs import up_incoming
from tests.support.sip_pair import ENGINE, SipPair

BUSY = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.BUSY, sip_code=486)


def asked(pair: SipPair) -> tuple[TransferAsked, LegId]:
    leg, session = up_incoming(pair)
    pair.peer.refer(session, SipUri(user="200", host=ENGINE.host), referred_by="<sip:x@y>", now=pair.now)
    pair.run()
    return pair.last(TransferAsked), leg


def answers(pair: SipPair) -> list[int | None]:
    told = [event for event in pair.far if isinstance(event, ReferAnswered | ReferNotified)]
    return [event.status for event in told]


def test_a_request_is_told_and_its_course_goes_back() -> None:
    pair = SipPair()
    event, leg = asked(pair)
    assert (event.leg, event.number, event.replaces_asked, event.referred_by) == (leg, "200", False, "<sip:x@y>")
    transfers = pair.legs.transfers
    transfers.accept(event.transfer, pair.now)
    pair.run()
    transfers.ringing(event.transfer, pair.now)
    pair.run()
    transfers.over(event.transfer, BUSY, pair.now)
    pair.run()
    assert answers(pair) == [202, 100, 180, 486]
    transfers.over(event.transfer, None, pair.now)
    transfers.ringing(TransferId(99), pair.now)
    pair.run()
    assert len(answers(pair)) == 4


@pytest.mark.parametrize(("code", "status"), [(491, 491), (481, 481), (403, 403), (407, 603), (None, 603)])
def test_a_refusal_is_said_as_it_is(code: int | None, status: int) -> None:
    pair = SipPair()
    event, _ = asked(pair)
    cause = EndCause(outcome=Outcome.CLIENT, reason=Reason.REJECTED, sip_code=code)
    pair.legs.transfers.refuse(event.transfer, cause, pair.now)
    pair.run()
    assert answers(pair) == [status]


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        ("<sip:anna@office.example>", "<sip:anna@office.example>"),
        ('"The Boss" <sip:anna@office.example;x=y>;cid="1@b"', "<sip:anna@office.example>"),
        ("<sip:boss@office.example>", ""),
        ("<tel:+49301>", ""),
        ("", ""),
    ],
)
def test_an_agents_phone_names_nobody_but_the_agent_as_who_transferred(said: str, goes_on: str) -> None:
    pair = SipPair()
    leg, session = up_incoming(pair)
    found = pair.legs._book.find(leg)
    assert found is not None
    found.agent = AgentName("anna")
    pair.peer.refer(session, SipUri(user="200", host=ENGINE.host), referred_by=said, now=pair.now)
    pair.run()
    told = pair.last(TransferAsked)
    assert told.referred_by == goes_on


def test_somebody_else_than_the_agent_is_refused() -> None:
    pair = SipPair()
    event, _ = asked(pair)
    before = len([each for each in pair.told if isinstance(each, TransferAsked)])
    received = ReferReceived(
        session=next(iter(pair.engine._stack.sessions)),
        refer=next(iter(pair.engine._stack.referrals)),
        to_user="200",
        to_uri="sip:200@h",
        replaces_asked=False,
        replaces=None,
        referred_by="",
        by="mallory",
    )
    transfers: SipTransfers = pair.legs.transfers
    transfers.refer_received(received, pair.now)
    pair.run()
    assert answers(pair) == [403]
    gone = replace(received, session=received.session.__class__(999), by=None)
    transfers.refer_received(gone, pair.now)
    pair.run()
    assert len([each for each in pair.told if isinstance(each, TransferAsked)]) == before
    assert event.transfer == received.refer
