"""Listen, whisper and barge: which edges there are, when, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.decoding import Asked
from engine.calls.destination import Phase
from engine.calls.log import CallEnded, CallRouted, CallStarted
from engine.calls.mixing_records import SupervisionChanged, SupervisionEnded
from engine.calls.ports import AgentPhone
from engine.calls.routing import ToAgent
from engine.calls.supervision import RING_S, SupervisionMode
from engine.calls.supervisors import LiveSupervisor
from engine.errors import AlreadyExists, InvalidRequest, NotFound, Unavailable
from engine.ids import AgentName, CallId, LegId
from engine.media.commands import Codec, Direction
from tests.support.call_rig import Rig

CLEO = AgentName("cleo")
LISTEN, WHISPER, BARGE = SupervisionMode
TO_BERT = ToAgent(agent=AgentName("bert"), ring_timeout_s=20)


class Floor:
    """A caller and anna talk through a queue; cleo supervises."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.caller, self.agent, self.call = self.rig.talking()
        self.bridge = {(self.caller, self.agent), (self.agent, self.caller)}

    def supervise(self, mode: SupervisionMode, *, by: str = "api") -> None:
        self.rig.manager.supervisors.supervise(self.call, CLEO, mode, self.rig.now, by)
        self.rig.pump()

    def answered(self, mode: SupervisionMode = LISTEN) -> LegId:
        self.supervise(mode)
        boss = self.rig.legs.placed()[-1]
        self.rig.legs.far_ring(boss)
        self.rig.legs.far_answer(boss)
        self.rig.pump()
        return boss

    def edges(self, boss: LegId) -> dict[str, str]:
        """Whom each hears: "c" the caller, "a" the agent, "b" the supervisor."""
        names = {self.caller: "c", self.agent: "a", boss: "b"}
        edges = sorted((names[LegId(sink)], names[LegId(source)]) for source, sink in self.rig.media.edges)
        return {sink: "".join(source for to, source in edges if to == sink) for sink in "acb"}

    def own(self) -> CallId:
        (shown,) = self.rig.manager.supervisors.of(self.call)
        return shown.call

    def end_of(self, call: CallId) -> EndCause:
        return next(
            record.body.cause
            for record in self.rig.records
            if record.call == call and isinstance(record.body, CallEnded)
        )


@pytest.fixture
def floor() -> Floor:
    return Floor()


HEARD = {
    LISTEN: {"a": "c", "c": "a", "b": "ac"},
    WHISPER: {"a": "bc", "c": "a", "b": "ac"},
    BARGE: {"a": "bc", "c": "ab", "b": "ac"},
}


@pytest.mark.parametrize("mode", list(SupervisionMode))
def test_who_hears_whom(floor: Floor, mode: SupervisionMode) -> None:
    floor.supervise(mode)
    boss = floor.rig.legs.placed()[-1]
    assert floor.rig.legs.legs[boss].destination == AgentPhone(agent=CLEO)
    assert floor.rig.media.edges == floor.bridge, "the phone has not answered"
    assert not floor.rig.bodies(SupervisionChanged)
    floor.rig.legs.far_answer(boss)
    floor.rig.pump()

    assert floor.edges(boss) == HEARD[mode]
    assert floor.rig.bodies(SupervisionChanged) == [
        SupervisionChanged(agent=CLEO, mode=mode, supervision=floor.own(), by="api")
    ]


def test_the_mode_is_changed_while_it_goes_on(floor: Floor) -> None:
    boss = floor.answered(LISTEN)
    for mode in (BARGE, WHISPER, LISTEN, WHISPER, BARGE, LISTEN):
        floor.supervise(mode, by="cli")
        floor.supervise(mode, by="cli")
        assert floor.edges(boss) == HEARD[mode]

    assert [body.mode for body in floor.rig.bodies(SupervisionChanged)] == [  # type: ignore[union-attr]
        "listen", "barge", "whisper", "listen", "whisper", "barge", "listen",
    ]  # fmt: skip
    assert len(floor.rig.legs.placed()) == 2, "nobody is called again"


def test_the_mode_is_changed_before_the_phone_answers(floor: Floor) -> None:
    floor.supervise(LISTEN)
    floor.supervise(BARGE)
    boss = floor.rig.legs.placed()[-1]
    floor.rig.legs.far_answer(boss)
    floor.rig.pump()

    assert floor.edges(boss) == HEARD[BARGE]
    assert [body.mode for body in floor.rig.bodies(SupervisionChanged)] == ["barge"]  # type: ignore[union-attr]


def test_it_is_a_call_of_its_own_that_ends_with_the_supervised_one(floor: Floor) -> None:
    floor.answered(WHISPER)
    own = floor.own()
    routed = [(record.call, record.body) for record in floor.rig.records if isinstance(record.body, CallRouted)]
    assert routed[-1] == (own, CallRouted(destination=f"whisper:{floor.call}"))
    started = floor.rig.bodies(CallStarted)[-1]
    assert isinstance(started, CallStarted)
    assert (started.origin, started.called, started.caller) == ("agent:cleo", "anna", "0301234")
    assert ("cleo", own) in floor.rig.queues.engaged
    (watched, supervision) = floor.rig.manager.snapshot()
    assert watched.supervisors == (LiveSupervisor(agent=CLEO, mode=WHISPER, call=own, up=True),)
    assert (supervision.phase, supervision.answered_at) == (Phase.TALKING, floor.rig.now)

    floor.rig.legs.far_hang_up(floor.caller)
    floor.rig.pump()
    assert floor.end_of(own) == EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
    assert floor.rig.bodies(SupervisionEnded) == [SupervisionEnded(agent=CLEO, supervision=own)]
    floor.rig.assert_clean()


def test_the_supervisor_hangs_up_and_the_call_goes_on(floor: Floor) -> None:
    boss = floor.answered(BARGE)
    own = floor.own()
    floor.rig.legs.far_hang_up(boss)
    floor.rig.pump()

    assert floor.rig.media.edges == floor.bridge
    assert floor.end_of(own).outcome is Outcome.SUCCESS
    assert floor.rig.manager.supervisors.of(floor.call) == ()
    assert [call.call for call in floor.rig.manager.snapshot()] == [floor.call]
    assert not floor.rig.queues.engaged


def test_an_operator_sends_the_supervisor_away(floor: Floor) -> None:
    floor.answered()
    own = floor.own()
    floor.rig.manager.supervisors.dismiss(floor.call, CLEO, floor.rig.now)
    floor.rig.pump()

    assert floor.end_of(own).reason is Reason.OPERATOR
    assert floor.rig.media.edges == floor.bridge
    with pytest.raises(NotFound, match="agent 'cleo' does not supervise call"):
        floor.rig.manager.supervisors.dismiss(floor.call, CLEO, floor.rig.now)


def test_while_one_holds_nobody_hears_the_supervisor_nor_he_them(floor: Floor) -> None:
    boss = floor.answered(BARGE)
    floor.rig.legs.far_update(floor.agent, Direction.RECVONLY)
    floor.rig.pump()
    assert not floor.rig.media.edges
    assert floor.rig.manager.snapshot()[1].phase is Phase.HELD
    floor.rig.legs.far_update(floor.agent, Direction.SENDRECV)
    floor.rig.pump()
    assert floor.edges(boss) == HEARD[BARGE]


def test_a_supervisor_who_holds_is_not_heard(floor: Floor) -> None:
    boss = floor.answered(BARGE)
    floor.rig.legs.far_update(boss, Direction.RECVONLY)
    floor.rig.pump()
    assert floor.edges(boss) == HEARD[LISTEN]
    floor.rig.legs.far_update(boss, Direction.SENDRECV)
    floor.rig.pump()
    assert floor.edges(boss) == HEARD[BARGE]


def test_nobody_answers_at_the_supervisors_phone(floor: Floor) -> None:
    floor.supervise(LISTEN)
    own = floor.own()
    floor.rig.wait(RING_S - 1)
    assert floor.rig.manager.supervisors.of(floor.call)[0].up is False
    floor.rig.wait(2)

    assert floor.end_of(own).reason is Reason.NO_ANSWER
    assert floor.rig.manager.supervisors.of(floor.call) == ()
    assert not floor.rig.bodies(SupervisionEnded)
    assert floor.rig.media.edges == floor.bridge


def test_the_supervisors_phone_refuses(floor: Floor) -> None:
    floor.supervise(LISTEN)
    own, boss = floor.own(), floor.rig.legs.placed()[-1]
    floor.rig.legs.far_fail(boss, 486)
    floor.rig.pump()

    assert floor.end_of(own) == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.BUSY, sip_code=486)
    assert not floor.rig.queues.engaged


def test_the_call_ends_before_the_supervisor_answers(floor: Floor) -> None:
    floor.supervise(LISTEN)
    own = floor.own()
    floor.rig.legs.far_hang_up(floor.agent)
    floor.rig.pump()

    assert floor.end_of(own).reason is Reason.COMPLETED
    floor.rig.assert_clean()


def test_no_port_for_the_supervisor(floor: Floor) -> None:
    floor.rig.media.free_ports = len(floor.rig.media.ports)
    floor.supervise(LISTEN)

    assert floor.rig.manager.supervisors.of(floor.call) == ()
    assert [body.cause.reason for body in floor.rig.bodies(CallEnded)] == [Reason.NO_MEDIA_PORT]  # type: ignore[union-attr]
    assert not floor.rig.queues.engaged


def test_in_an_agents_own_call_he_is_whispered_to() -> None:
    rig = Rig(TO_BERT)
    leg = rig.call_in("200", number="0305550")
    (far,) = rig.legs.placed()
    rig.legs.far_answer(far)
    rig.pump()
    rig.confirm(leg)
    (call,) = rig.manager.snapshot()
    rig.manager.supervisors.supervise(call.call, CLEO, WHISPER, rig.now, "api")
    rig.pump()
    boss = rig.legs.placed()[-1]
    rig.legs.far_answer(boss)
    rig.pump()

    assert rig.media.hears(far) == {leg, boss}
    assert rig.media.hears(leg) == {far}


def test_an_agent_who_calls_out_is_whispered_to() -> None:
    rig = Rig(TO_BERT)
    leg = rig.call_in("200", agent="anna")
    (far,) = rig.legs.placed()
    rig.legs.far_answer(far)
    rig.pump()
    rig.confirm(leg)
    (call,) = rig.manager._board.calls.values()
    call.agent = AgentName("anna")
    rig.manager.supervisors.supervise(call.id, CLEO, WHISPER, rig.now, "api")
    rig.pump()
    boss = rig.legs.placed()[-1]
    rig.legs.far_answer(boss)
    rig.pump()

    assert rig.media.hears(leg) == {far, boss}
    assert rig.media.hears(far) == {leg}


def test_what_is_refused(floor: Floor) -> None:
    rig, supervisors = floor.rig, floor.rig.manager.supervisors
    with pytest.raises(NotFound, match="no live call 'c9'"):
        supervisors.supervise(CallId("c9"), CLEO, LISTEN, rig.now, "api")
    with pytest.raises(NotFound, match="no agent 'nobody'"):
        supervisors.supervise(floor.call, AgentName("nobody"), LISTEN, rig.now, "api")
    with pytest.raises(InvalidRequest, match="agent 'anna' is in call"):
        supervisors.supervise(floor.call, AgentName("anna"), LISTEN, rig.now, "api")
    _, waiting = rig.queued()
    with pytest.raises(InvalidRequest, match=r"nobody talks in it; found queue:sales"):
        supervisors.supervise(waiting, CLEO, LISTEN, rig.now, "api")
    floor.supervise(LISTEN)
    offered = rig.offered(waiting, "bert")
    rig.legs.far_answer(offered)
    rig.pump()
    with pytest.raises(AlreadyExists, match=f"agent 'cleo' supervises call '{floor.call}'"):
        supervisors.supervise(waiting, CLEO, LISTEN, rig.now, "api")
    rig.manager.drain()
    with pytest.raises(Unavailable, match="draining"):
        supervisors.supervise(waiting, AgentName("anna"), LISTEN, rig.now, "api")


def test_a_call_in_a_codec_that_cannot_be_decoded_is_not_supervised(floor: Floor) -> None:
    (call,) = floor.rig.manager._board.calls.values()
    assert call.caller.remote is not None
    call.caller.remote = replace(call.caller.remote, codec=Codec.OPAQUE, opaque="opus/48000/2")
    call.caller.decodable = Asked.REFUSED
    with pytest.raises(InvalidRequest, match="is spoken in opus, which nobody else can be mixed with"):
        floor.supervise(LISTEN)


def test_two_supervisors_leave_one_by_one(floor: Floor) -> None:
    floor.answered(LISTEN)
    floor.rig.manager.supervisors.supervise(floor.call, AgentName("bert"), LISTEN, floor.rig.now, "api")
    floor.rig.pump()
    floor.rig.manager.supervisors.dismiss(floor.call, CLEO, floor.rig.now)
    floor.rig.pump()

    assert [each.agent for each in floor.rig.manager.supervisors.of(floor.call)] == ["bert"]
    floor.rig.legs.far_hang_up(floor.caller)
    floor.rig.pump()
    floor.rig.assert_clean()


def test_the_supervisors_leg_is_opened_beside_the_callers(floor: Floor) -> None:
    floor.supervise(LISTEN)

    assert floor.rig.media.beside[floor.rig.legs.placed()[-1]] == floor.caller


def test_a_supervisor_whose_phone_has_answered_stays(floor: Floor) -> None:
    boss = floor.answered(WHISPER)
    floor.rig.wait(RING_S + 1)

    assert floor.edges(boss) == HEARD[WHISPER]
