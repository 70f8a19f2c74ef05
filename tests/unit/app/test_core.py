"""The core joined to one, on the wire in memory. What the machines do together is in tests/scenarios."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.acd.agent import AgentState
from engine.app.core import Core
from engine.calls.causes import Reason
from engine.calls.directory import Agent, Change, Drop, Member, Put, Queue, Trunk, TrunkGroup
from engine.calls.events import Origin
from engine.calls.log import (
    AgentReachable,
    AgentUnreachable,
    CallEnded,
    DirectoryChanged,
    MediaBusy,
    MediaLost,
    OfferEnded,
    OfferOutcome,
)
from engine.calls.recordings import RecordingAction, RecordingState
from engine.calls.routing import Route, ToAgent
from engine.calls.trunk_records import TrunkStateChanged
from engine.errors import NotFound
from engine.ids import AgentName, CallId, GroupName, QueueName, TrunkName
from engine.media.commands import CloseLeg, ListLegs, StopRecording, WatchLeg
from engine.media.events import LegClosed, LegInfo, Legs, RecordingFinished, RecordingInfo, RtpTimeout, Welcome
from engine.sip.events import InviteFailed, InviteReceived
from engine.sip.flow import Address, Flow, Transport
from tests.support.centre_rig import DEMO, ENGINE, CentreRig
from tests.support.fake_media import quality
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
        (Put(entity=TrunkGroup(name=GroupName("out"), members=("pbx",))), ("put", "group", "out")),
    ],
)
def test_every_change_is_in_the_log_with_who_made_it(wanted: Change, told: tuple[str, str, str]) -> None:
    rig = CentreRig()
    change(rig, wanted, by="token:crm")
    (body,) = bodies(rig, DirectoryChanged)
    assert isinstance(body, DirectoryChanged)
    assert (body.action, body.kind, body.name, body.by) == (*told, "token:crm")


def test_a_trunk_by_name_is_looked_up_from_when_it_is_put_until_it_is_dropped() -> None:
    rig = CentreRig()
    named = Trunk(name=TrunkName("sip"), host="sip.provider.example", ping_s=0)
    change(rig, Put(entity=named))
    rig.core.handle_deadline(rig.wire.now)
    assert [(each.key, each.uri.host) for each in rig.core.take_lookups()] == [("sip", "sip.provider.example")]
    change(rig, Put(entity=named))
    change(rig, Drop(entity=named))
    rig.core.handle_deadline(rig.wire.now)
    assert rig.core.take_lookups() == []


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
    tidy = core.calls.recordings.rules.tidy()
    core.media_event(welcome(legs=0), 1000.0)
    assert core.take_media_commands()[-1:] == [tidy]
    core.media_event(welcome(legs=2), 1000.0)
    assert core.take_media_commands() == [tidy, ListLegs()]


TALK = Legs(
    legs=(
        LegInfo(leg="a", tag="c1:caller:1", port=20002, dialog="id-1 us them"),
        LegInfo(leg="b", tag="c1:agent:2", port=20004),
    )
)


def test_people_who_talk_are_left_until_nothing_is_heard() -> None:
    core = CentreRig().core
    core.take_media_commands()
    core.media_event(TALK, 1000.0)
    watched = [WatchLeg(leg=leg, silent_s=10.0) for leg in ("a", "b")]
    assert (len(core.orphans), core.take_media_commands()) == (2, watched)
    core.media_event(RtpTimeout(leg="a", silent_s=30.0), 1030.0)
    assert core.take_media_commands() == [CloseLeg(leg="a"), CloseLeg(leg="b")]


def found(core: Core) -> None:
    """Two who talk are found after a restart."""
    core.media_event(welcome(legs=2), 1000.0)
    core.media_event(TALK, 1000.0)
    core.take_media_commands()


def test_an_agent_in_a_call_from_before_is_busy_until_it_ends() -> None:
    core = CentreRig().core
    core.media_event(welcome(legs=2), 1000.0)
    mine = replace(TALK.legs[1], tag="c1:agent:2:alice")
    core.media_event(replace(TALK, legs=(TALK.legs[0], mine)), 1000.0)
    assert [agent.state for agent in core.acd.snapshot(1000.0).agents if agent.name == ALICE] == [AgentState.IN_CALL]
    core.hang_up(CallId("c1"), "api", 1001.0)
    for leg in "ab":
        core.media_event(LegClosed(leg=leg, quality=quality(leg)), 1002.0)
    assert AgentState.IN_CALL not in [agent.state for agent in core.acd.snapshot(1002.0).agents]


def test_what_is_recorded_of_a_call_from_before_is_found_and_can_be_ended() -> None:
    rig = CentreRig()
    rig.core.media_event(welcome(legs=2), 1000.0)
    tape = RecordingInfo(recording="c1", path="/r/c1.flac", leg="a", other="b", started=900.0)
    rig.core.media_event(replace(TALK, recordings=(tape,)), 1000.0)
    assert rig.core.calls.recordings.state(CallId("c1")) is RecordingState.ON
    rig.core.take_media_commands()
    rig.core.calls.recordings.act(CallId("c1"), RecordingAction.STOP, "api", 1001.0)
    assert rig.core.take_media_commands() == [StopRecording(recording="c1")]
    ended = RecordingFinished(recording="c1", path="/r/c1.flac", seconds=1.0, octets=1, gaps=(), lost_s=0.0)
    rig.core.media_event(ended, 1002.0)
    assert len(rig.core.calls.recordings) == 0


BOTH = [CloseLeg(leg="a"), CloseLeg(leg="b")]


def test_a_call_from_before_is_ended_by_an_operator_like_any() -> None:
    core = CentreRig().core
    found(core)
    with pytest.raises(NotFound):
        core.hang_up(CallId("c2"), "api", 1001.0)
    core.hang_up(CallId("c1"), "api", 1001.0)
    assert core.take_media_commands() == BOTH


def test_a_call_from_before_ends_when_its_time_is_over() -> None:
    core = CentreRig().core
    found(core)
    deadline = core.next_deadline()
    assert deadline == 1000.0 + 14_400.0
    core.handle_deadline(deadline)
    assert core.take_media_commands() == BOTH


def test_a_phone_of_a_call_from_before_hangs_up_and_is_asked_to_wait_with_all_else() -> None:
    rig = CentreRig()
    core, flow = rig.core, Flow(Transport.UDP, ENGINE, Address("192.0.2.2", 5060))
    found(core)

    def say(method: str, call_id: str = "id-1") -> list[int]:
        text = (
            f"{method} sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:x@192.0.2.2>;tag=them\r\nTo: <sip:us@192.0.2.1>;tag=us\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 7 {method}\r\nContact: <sip:x@192.0.2.2>\r\nContent-Length: 0\r\n\r\n"
        )
        core.receive_datagram(text.encode(), flow, 1001.0)
        return [int(sent.data.split()[1]) for sent in core.take_transmissions()]

    assert say("INVITE") == [500], "481 would have him hang up"
    assert core.take_media_commands() == []
    assert say("BYE", "id-2") == [481]
    assert say("BYE") == [200]
    assert core.take_media_commands() == BOTH


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
    assert core.media.planes[0].load.stats == STATS
    core.media_lost("gone", 1000.0)
    assert core.media.planes[0].load.stats is None


def test_a_media_process_that_has_enough_to_do_is_in_the_log_and_refuses_callers_until_it_is_eased() -> None:
    rig = CentreRig()
    for tick_ms in (18.0, 18.0, 1.0, 1.0, 1.0):
        rig.core.media_event(replace(STATS, tick_p50_ms=tick_ms / 2, tick_p99_ms=tick_ms), rig.wire.now)
    told = [(body.busy, body.detail) for body in bodies(rig, MediaBusy) if isinstance(body, MediaBusy)]
    assert told == [(True, "ticks take 90% of their time"), (False, "")]


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


def test_a_removed_trunk_is_known_by_its_account_until_its_registrar_has_heard_of_it() -> None:
    rig = CentreRig()
    name = TrunkName("pbx")
    line = replace(rig.core.directory.trunks[name], user="4711", secret="hush", registers=True)
    rig.wire.lose(lambda sent: True)
    change(rig, Put(entity=line))
    change(rig, Drop(entity=line))
    assert rig.core.accounts.login(name) is not None
    rig.wire.run(40.0)
    assert rig.core.accounts.login(name) is None
    change(rig, Put(entity=line))
    change(rig, Drop(entity=line))
    change(rig, Put(entity=replace(line, secret="", registers=False)))
    assert rig.core.accounts.login(name) is None
    change(rig, Drop(entity=line))
    rig.wire.run(40.0)
    assert rig.core.accounts._leaving == {}
