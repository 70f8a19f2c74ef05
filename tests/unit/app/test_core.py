"""The core joined to one, on the wire in memory. What the machines do together is in tests/scenarios."""

from __future__ import annotations

import pytest

from engine.calls.causes import Reason
from engine.calls.directory import Agent, Change, Drop, Member, Put, Queue, Trunk
from engine.calls.events import Origin
from engine.calls.log import (
    AgentReachable,
    AgentUnreachable,
    CallEnded,
    DirectoryChanged,
    MediaLost,
    OfferEnded,
    OfferOutcome,
)
from engine.calls.routing import Route, ToAgent
from engine.calls.trunk_records import TrunkStateChanged
from engine.errors import NotFound
from engine.ids import AgentName, QueueName, TrunkName
from engine.media.commands import CloseLeg, LegInfo, Legs, ListLegs, RtpTimeout, Welcome
from engine.sip.events import InviteFailed, InviteReceived
from engine.sip.flow import Address, Flow, Transport
from tests.support.centre_rig import DEMO, ENGINE, CentreRig
from tests.support.plane_stats import STATS

ALICE = AgentName("alice")


def welcome(legs: int = 0) -> Welcome:
    return Welcome(version=1, pid=2, port_min=20002, port_max=29998, legs=legs)


def change(rig: CentreRig, wanted: Change, by: str = "test") -> None:
    rig.core.change_directory(wanted, by, rig.wire.now)


def bodies(rig: CentreRig, kind: type) -> list[object]:
    rig.wire.run(0.0)
    return list(rig.centre.bodies(kind))


# --- what people change ---


def test_a_dropped_agent_has_no_binding_no_membership_and_no_offers() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    change(rig, Drop(entity=rig.core.directory.agents[ALICE]))
    assert rig.core.endpoint.live().bindings == 0
    assert ALICE not in {agent.name for agent in rig.core.acd.snapshot(rig.wire.now).agents}
    rig.call()
    rig.wire.run(2.0)
    assert rig.alice.told(InviteReceived) == []


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Put(entity=Agent(name=AgentName("zoe"))), ("put", "agent", "zoe")),
        (Put(entity=Queue(name=QueueName("night"))), ("put", "queue", "night")),
        (Drop(entity=Member(queue=DEMO, agent=ALICE)), ("drop", "member", "demo/alice")),
        (Put(entity=Trunk(name=TrunkName("sip"), host="192.0.2.200", ping_s=0)), ("put", "trunk", "sip")),
    ],
)
def test_every_change_is_in_the_log_with_who_made_it(wanted: Change, told: tuple[str, str, str]) -> None:
    rig = CentreRig()
    change(rig, wanted, by="token:crm")
    (body,) = bodies(rig, DirectoryChanged)
    assert isinstance(body, DirectoryChanged)
    assert (body.action, body.kind, body.name, body.by) == (*told, "token:crm")


def test_a_membership_of_nobody_changes_nothing() -> None:
    rig = CentreRig()
    with pytest.raises(NotFound):
        change(rig, Put(entity=Member(queue=DEMO, agent=AgentName("nobody"))))
    assert bodies(rig, DirectoryChanged) == []


def test_a_new_queue_and_a_new_member_are_there_at_once() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    night = QueueName("night")
    change(rig, Put(entity=Queue(name=night)))
    change(rig, Put(entity=Member(queue=night, agent=ALICE)))
    (queue,) = (q for q in rig.core.acd.snapshot(rig.wire.now).queues if q.name == night)
    assert ([member.agent for member in queue.members], queue.idle) == ([ALICE], 1)


def test_a_new_trunk_is_known_by_its_address_and_asked_at_once() -> None:
    rig = CentreRig()
    stranger = Flow(Transport.UDP, ENGINE, Address("192.0.2.200", 5060))
    assert rig.core.peers.trunk_at(stranger) is None
    change(rig, Put(entity=Trunk(name=TrunkName("sip"), host="192.0.2.200", ping_s=30.0)))
    assert rig.core.peers.trunk_at(stranger) == "sip"
    rig.wire.run(0.1)
    assert [sent.first_line for sent in rig.wire.log if sent.flow.remote == stranger.remote] == [
        "OPTIONS sip:192.0.2.200:5060 SIP/2.0"
    ]


def test_a_trunk_that_does_not_answer_is_told() -> None:
    rig = CentreRig()
    change(rig, Put(entity=Trunk(name=TrunkName("sip"), host="192.0.2.200", ping_s=30.0)))
    rig.wire.run(40.0)
    assert [body.up for body in bodies(rig, TrunkStateChanged)] == [False]  # type: ignore[attr-defined]


def test_a_command_is_worked_off_at_once_even_if_it_fails() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    core = rig.core
    core.command(lambda now: core.acd.set_status(ALICE, False, "lunch", "test", now), rig.wire.now)
    rig.call()
    assert rig.alice.told(InviteReceived) == []

    def back_then_fail(now: float) -> None:
        core.acd.set_status(ALICE, True, "", "test", now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        core.command(back_then_fail, rig.wire.now)
    rig.wire.run(0.5)
    assert len(rig.alice.told(InviteReceived)) == 1


# --- media ---


def test_the_legs_of_a_media_process_that_has_some_are_asked_for() -> None:
    core = CentreRig().core
    core.media_event(welcome(legs=0), 1000.0)
    assert core.take_media_commands() == []
    core.media_event(welcome(legs=2), 1000.0)
    assert core.take_media_commands() == [ListLegs()]


TALK = Legs(legs=(LegInfo(leg="a", tag="c1:caller:1", port=20002), LegInfo(leg="b", tag="c1:agent:2", port=20004)))


def test_people_who_talk_are_left_until_nothing_is_heard() -> None:
    core = CentreRig().core
    core.media_event(TALK, 1000.0)
    assert (len(core.orphans), core.take_media_commands()) == (2, [])
    core.media_event(RtpTimeout(leg="a", silent_s=30.0), 1030.0)
    assert core.take_media_commands() == [CloseLeg(leg="a")]


def test_after_a_lost_connection_our_own_legs_are_closed() -> None:
    core = CentreRig().core
    core.media_lost("gone", 1000.0)
    core.media_event(welcome(legs=2), 1000.0)
    core.take_media_commands()
    core.media_event(TALK, 1000.0)
    assert core.take_media_commands() == [CloseLeg(leg="a"), CloseLeg(leg="b")]


def test_what_the_media_process_says_of_itself_is_kept_while_it_lives() -> None:
    core = CentreRig().core
    core.media_event(STATS, 1000.0)
    assert core.plane == STATS
    core.media_lost("gone", 1000.0)
    assert core.plane is None


def test_without_media_calls_end_and_new_ones_are_refused_until_another_comes() -> None:
    rig = CentreRig()
    rig.call()
    rig.lose_media()
    rig.wire.run(0.5)
    assert [body.detail for body in bodies(rig, MediaLost)] == ["killed"]  # type: ignore[attr-defined]
    assert [body.cause.reason for body in bodies(rig, CallEnded)] == [Reason.MEDIA_LOST]  # type: ignore[attr-defined]
    refused = rig.call()
    assert [event.status for event in rig.caller.told(InviteFailed) if event.session == refused] == [503]
    rig.wire.run(1.0)
    rig.call()
    assert rig.core.calls.live().calls == 1


# --- streams ---


def test_a_phone_on_a_connection_is_reachable_as_long_as_that_stands() -> None:
    rig = CentreRig()
    near, far = rig.wire.connect(rig.alice, rig.centre)
    assert not rig.core.keeps(far)
    rig.alice.flow = near
    rig.register(rig.alice)
    assert rig.core.keeps(far)
    assert len(bodies(rig, AgentReachable)) == 1
    rig.wire.cut(far)
    assert [body.agent for body in bodies(rig, AgentUnreachable)] == ["alice"]  # type: ignore[attr-defined]
    assert rig.core.endpoint.live().bindings == 0


def test_a_trunks_connection_is_kept() -> None:
    rig = CentreRig()
    _, far = rig.wire.connect(rig.caller, rig.centre)
    assert rig.core.keeps(far)


def test_garbage_on_a_connection_closes_it() -> None:
    rig = CentreRig()
    _, far = rig.wire.connect(rig.alice, rig.centre)
    rig.core.receive_stream(b"\x00" * 100_000, far, rig.wire.now)
    assert list(rig.core.take_closes()) == [far]


def test_an_offer_that_the_network_cannot_carry_fails_at_once() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    rig.wire.lose(lambda sent: sent.source == rig.alice.address)
    rig.call()
    flow = next(sent.flow for sent in reversed(rig.wire.log) if sent.data.startswith(b"INVITE sip:alice"))
    rig.core.send_failed(flow, rig.wire.now)
    (ended,) = bodies(rig, OfferEnded)
    assert isinstance(ended, OfferEnded)
    assert ended.outcome is not OfferOutcome.ANSWERED


# --- time ---


def test_the_next_deadline_is_the_earliest_of_all_parts() -> None:
    rig = CentreRig()
    core = rig.core
    assert core.next_deadline() is None
    rig.register(rig.alice)
    expiry = core.next_deadline()
    assert expiry is not None
    assert expiry == core.endpoint.next_deadline()
    rig.call()
    rig.wire.run(1.0)
    ringing = core.acd.next_deadline()
    assert ringing is not None
    assert core.next_deadline() == ringing < expiry
    change(rig, Put(entity=Trunk(name=TrunkName("sip"), host="192.0.2.200", ping_s=5.0)))
    asking = core.legs.next_deadline()
    assert core.next_deadline() == asking == rig.wire.now


def test_a_ring_that_lasts_too_long_ends() -> None:
    rig = CentreRig(ring_timeout_s=8.0)
    rig.register(rig.alice)
    rig.call()
    rig.wire.run(9.0)
    (ended,) = bodies(rig, OfferEnded)
    assert isinstance(ended, OfferEnded)
    assert ended.outcome is OfferOutcome.RING_TIMEOUT


class RingAlice:
    """A Router that knows her phone only."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        return ToAgent(agent=ALICE, ring_timeout_s=6.0)


def test_a_direct_call_that_rings_too_long_ends() -> None:
    rig = CentreRig(router=RingAlice())
    rig.register(rig.alice)
    rig.call()
    assert rig.core.next_deadline() == rig.core.calls.next_deadline()
    rig.wire.run(5.0)
    assert bodies(rig, CallEnded) == []
    rig.wire.run(2.0)
    assert len(bodies(rig, CallEnded)) == 1


def test_defects_that_the_endpoint_survived_are_handed_out_once() -> None:
    core = CentreRig().core
    defect = ZeroDivisionError()
    core.endpoint.defects.append(defect)
    assert core.take_defects() == (defect,)
    assert core.take_defects() == ()
