"""Transfers over SIP, the whole core in virtual time: phones that press transfer, and whatever may happen meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

import pytest

from engine.calls.events import Origin
from engine.calls.log import (
    CallEnded,
    CallTransferred,
    TransferFailed,
)
from engine.calls.media_records import DigitReceived
from engine.calls.routing import NoRoute, Route, ToAgent, ToQueue
from engine.ids import AgentName
from engine.media.commands import SendDtmf
from engine.sip.auth import answer_challenge
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    DtmfReceived,
    InviteAccepted,
    ReferAnswered,
    ReferId,
    ReferNotified,
    SessionEnded,
    SessionId,
)
from engine.sip.replaces import Replaces
from engine.sip.uri import SipUri
from tests.support.centre_rig import DEMO, ENGINE, CentreRig, ringing
from tests.support.sip_phone import SDP, SDP_ANSWER, SipPhone, target
from tests.support.wire import EndpointStation, Sent


class Extensions:
    """600 is the queue, 200 and 201 are the agents' phones; nothing else is there. Trunks reach the queue alone."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        if called == "600":
            return ToQueue(queue=DEMO)
        agent = {"200": "alice", "201": "bob"}.get(called)
        if agent is None or context != "agents":
            return NoRoute(explanation="nothing there")
        return ToAgent(agent=AgentName(agent), ring_timeout_s=15.0)


@dataclass
class Scene:
    """The caller and Alice talk through the queue."""

    rig: CentreRig
    caller: SessionId
    alice: SessionId

    def refer(self, number: str, phone: SipPhone | None = None) -> ReferId:
        """Alice presses transfer."""
        phone = phone or self.rig.alice
        to = SipUri(user=number, host=ENGINE.host)
        refer = phone.endpoint.refer(self.alice, to, referred_by="<sip:alice@test>", now=self.rig.wire.now)
        self.rig.wire.run(0.2)
        return refer

    def heard(self, phone: EndpointStation | None = None) -> list[int | None]:
        """What a phone was told of its transfer."""
        told = (phone or self.rig.alice).told((ReferAnswered, ReferNotified))
        return [each.status for each in told if isinstance(each, ReferAnswered | ReferNotified)]

    def hears(self) -> set[tuple[str, str]]:
        """Who hears whom, by the port that each phone's sound goes to."""
        plane = self.rig.centre.plane
        return {(plane.remotes[a].flow_address, plane.remotes[b].flow_address) for a, b in plane.edges}

    def end(self) -> None:
        """Everybody hangs up, and nothing is left."""
        rig = self.rig
        for station in (rig.caller, rig.alice, rig.bob):
            for session in list(station.endpoint._stack.sessions):
                with suppress(LocalSipError):
                    station.endpoint.terminate(session, now=rig.wire.now)
        rig.wire.run(1.0)
        rig.alice.expires = rig.bob.expires = 0
        for phone in (rig.alice, rig.bob):
            phone.register(rig.wire.now)
        rig.wire.run()
        rig.assert_nothing_left()


def talking(dtmf: str = "auto") -> Scene:
    rig = CentreRig(router=Extensions(), dtmf=dtmf)
    rig.register(rig.alice)
    call = rig.call()
    rig.alice.endpoint.accept(ringing(rig.alice), SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(1.0)
    rig.register(rig.bob)
    return Scene(rig, call, ringing(rig.alice))


CALLER, ALICE, BOB = "192.0.2.2", "192.0.2.3", "192.0.2.4"


def test_a_blind_transfer_over_sip() -> None:
    scene = talking()
    rig = scene.rig
    assert scene.hears() == {(CALLER, ALICE), (ALICE, CALLER)}
    scene.refer("201")
    assert scene.heard() == [202, 100, 180]
    invite = next(sent for sent in rig.wire.log if sent.first_line.startswith("INVITE sip:bob"))
    assert b"\r\nReferred-By: <sip:alice@test>\r\n" in invite.data
    assert b"From: <sip:5551000@" in invite.data
    rig.bob.endpoint.accept(ringing(rig.bob), SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(0.5)
    assert scene.heard() == [202, 100, 180, 200]
    assert len(rig.alice.told(SessionEnded)) == 1
    assert scene.hears() == {(CALLER, BOB), (BOB, CALLER)}
    assert {agent.state for agent in rig.core.acd.snapshot(rig.wire.now).agents} == {"wrap_up", "in_call"}
    scene.end()
    (moved,) = rig.centre.bodies(CallTransferred)
    assert isinstance(moved, CallTransferred)
    assert (moved.by, moved.to) == ("agent:alice", "201")


@pytest.mark.parametrize(("number", "status"), [("999", 404), ("200", 486)])
def test_a_number_that_leads_nowhere_over_sip(number: str, status: int) -> None:
    scene = talking()
    scene.refer(number)
    assert scene.heard() == [202, 100, status]
    assert scene.hears() == {(CALLER, ALICE), (ALICE, CALLER)}
    scene.end()


def test_a_busy_phone_gives_the_caller_back_over_sip() -> None:
    scene = talking()
    scene.rig.bob.answer_with = 486
    scene.refer("201")
    assert scene.heard() == [202, 100, 180, 486]
    assert scene.hears() == {(CALLER, ALICE), (ALICE, CALLER)}
    assert len(scene.rig.centre.bodies(TransferFailed)) == 1
    scene.end()


def test_a_trunk_has_the_rights_of_its_context_only() -> None:
    scene = talking()
    caller = scene.rig.caller
    caller.endpoint.refer(scene.caller, SipUri(user="201", host=ENGINE.host), now=scene.rig.wire.now)
    scene.rig.wire.run(0.5)
    assert scene.heard(caller) == [202, 100, 404]
    scene.end()


def consultation(scene: Scene) -> SessionId:
    """Alice calls Bob beside the caller."""
    rig = scene.rig
    rig.bob.answer_with = 200
    alice = rig.alice
    session = alice.call("201", rig.wire.now)
    rig.wire.run(0.5)
    if not any(isinstance(e, InviteAccepted) and e.session == session for e in alice.told(InviteAccepted)):
        session = alice.call("201", rig.wire.now)
        rig.wire.run(1.0)
    assert any(isinstance(e, InviteAccepted) and e.session == session for e in alice.told(InviteAccepted))
    return session


def as_server(named: Replaces) -> Replaces:
    """A phone's dialog, as the engine knows it."""
    return Replaces(call_id=named.call_id, to_tag=named.from_tag, from_tag=named.to_tag)


@pytest.mark.parametrize("way", ["caller's call", "consultation"])
def test_an_attended_transfer_over_sip(way: str) -> None:
    scene = talking()
    rig, alice = scene.rig, scene.rig.alice
    second = consultation(scene)
    first = scene.alice
    if way == "consultation":
        first, second = second, first
    named = as_server(alice.endpoint.dialog_of(second))
    alice.endpoint.refer(first, SipUri(user="201", host=ENGINE.host), replaces=named, now=rig.wire.now)
    rig.wire.run(0.5)
    assert scene.heard()[0] == 202
    assert scene.heard()[-1] == 200
    assert scene.hears() == {(CALLER, BOB), (BOB, CALLER)}
    ended = {event.session for event in alice.told(SessionEnded) if isinstance(event, SessionEnded)}
    assert ended == {first, second}
    scene.end()


def test_replaces_of_a_dialog_that_nobody_knows_over_sip() -> None:
    scene = talking()
    unknown = Replaces(call_id="x", to_tag="y", from_tag="z")
    to = SipUri(user="201", host=ENGINE.host)
    scene.rig.alice.endpoint.refer(scene.alice, to, replaces=unknown, now=scene.rig.wire.now)
    scene.rig.wire.run(0.5)
    assert scene.heard() == [202, 100, 481]
    assert scene.hears() == {(CALLER, ALICE), (ALICE, CALLER)}
    scene.end()


@pytest.mark.parametrize(("by", "taken"), [("alice", True), ("bob", False)])
def test_an_invite_with_replaces_over_sip(by: str, taken: bool) -> None:
    scene = talking()
    rig = scene.rig
    phone = rig.alice if by == "alice" else rig.bob
    named = as_server(rig.alice.endpoint.dialog_of(scene.alice))
    way = target(phone, rig.centre, "200")
    headers = [("Replaces", str(named)), ("Require", "replaces")]
    for _ in range(2):
        auth = []
        if phone._challenge:
            auth = [
                answer_challenge(
                    phone._challenge,
                    user=by,
                    password="secret",
                    method="INVITE",
                    uri=str(way.uri),
                    cnonce="again",
                    nc=next(phone._nonce_count),
                )
            ]
        phone.endpoint.invite(way, from_user=by, sdp=SDP, headers=[*headers, *auth], now=rig.wire.now)
        rig.wire.run(0.5)
    assert bool(phone.told(InviteAccepted)) is taken
    gone = [event for event in rig.alice.told(SessionEnded) if isinstance(event, SessionEnded)]
    assert [event.session for event in gone] == ([scene.alice] if taken else [])
    assert scene.hears() == {(CALLER, ALICE), (ALICE, CALLER)}
    scene.end()


def test_a_key_by_info_is_a_tone_for_who_takes_no_telephone_event() -> None:
    scene = talking()
    rig = scene.rig
    rig.alice.endpoint.send_key(scene.alice, "7", 200, now=rig.wire.now)
    rig.wire.run(0.5)
    sent = [each for each in rig.centre.plane.sent if isinstance(each, SendDtmf)]
    assert [(each.digits, each.duration_ms) for each in sent] == [("7", 200)]
    assert not rig.caller.told(DtmfReceived)
    scene.end()


def test_a_key_by_info_is_noted_and_passed_on_to_who_takes_none_in_the_sound() -> None:
    scene = talking(dtmf="info")
    rig = scene.rig
    rig.alice.endpoint.send_key(scene.alice, "7", 200, now=rig.wire.now)
    rig.wire.run(0.5)
    (digit,) = rig.centre.bodies(DigitReceived)
    assert isinstance(digit, DigitReceived)
    assert digit.digit == "7"
    # The trunk wants them so.
    assert [(e.digit, e.duration_ms) for e in rig.caller.told(DtmfReceived) if isinstance(e, DtmfReceived)] == [
        ("7", 200)
    ]
    scene.end()


class Happening(StrEnum):
    CALLER_HANGS_UP = "caller_hangs_up"
    AGENT_HANGS_UP = "agent_hangs_up"
    TARGET_ANSWERS = "target_answers"
    TARGET_REJECTS = "target_rejects"
    AGENT_HOLDS = "agent_holds"
    ANOTHER_TRANSFER = "another_transfer"
    RING_TIMEOUT = "ring_timeout"
    MEDIA_LOST = "media_lost"
    SHUTDOWN = "shutdown"


HOLD = SDP.replace(b"m=audio", b"a=inactive\r\nm=audio")


def bring_about(scene: Scene, what: Happening) -> Callable[[], None]:
    """What makes it happen; a phone that is too late finds that its call is over."""
    rig = scene.rig

    def act() -> None:
        now = rig.wire.now
        with suppress(LocalSipError):
            match what:
                case Happening.CALLER_HANGS_UP:
                    rig.caller.endpoint.bye(scene.caller, now=now)
                case Happening.AGENT_HANGS_UP:
                    rig.alice.endpoint.bye(scene.alice, now=now)
                case Happening.TARGET_ANSWERS:
                    rig.bob.endpoint.accept(ringing(rig.bob), SDP_ANSWER, now=now)
                case Happening.TARGET_REJECTS:
                    rig.bob.endpoint.reject(ringing(rig.bob), 486, now=now)
                case Happening.AGENT_HOLDS:
                    rig.alice.endpoint.offer(scene.alice, HOLD, now=now)
                case Happening.ANOTHER_TRANSFER:
                    rig.alice.endpoint.refer(scene.alice, SipUri(user="999", host=ENGINE.host), now=now)
                case Happening.MEDIA_LOST:
                    rig.lose_media()
                case Happening.SHUTDOWN:
                    rig.core.command(rig.core.calls.shut_down, now)
                case Happening.RING_TIMEOUT:
                    pass

    return act


@pytest.mark.parametrize("lost", [None, 0, 1])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("first", "second"), list(permutations(Happening, 2)))
def test_nothing_is_left_behind_whatever_happens_meanwhile(
    first: Happening, second: Happening, apart: bool, lost: int | None
) -> None:
    scene = talking()
    rig = scene.rig
    scene.refer("201")
    if Happening.RING_TIMEOUT in (first, second):
        # It rang 0.2 s; the instant is the 15th second.
        rig.wire.run(14.8 - rig.round_trip_s)
    if lost is not None:
        rig.wire.lose_nth(lost, matching=lambda sent: isinstance(sent, Sent))
    rig.wire.at(0.0, bring_about(scene, first))
    rig.wire.at(rig.round_trip_s if apart else 0.0, bring_about(scene, second))
    rig.wire.run(40.0)
    scene.end()
    assert len(rig.centre.bodies(CallEnded)) == 1
