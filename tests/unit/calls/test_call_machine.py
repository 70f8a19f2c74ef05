"""Any order of anything: callers, phones, queues, media and the operator do what they like, and the books balance.

After every step: no edge or player without two legs that are up, no voice between legs of different calls or before the
answer, agents engaged as often as released, each live call counted once. At the end: nothing left, one end per call.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.calls.cdr import CdrFold
from engine.calls.leg import LegState
from engine.calls.log import CallEnded, CallStarted
from engine.calls.ports import ReleaseReason, WithdrawReason
from engine.calls.routing import (
    Feature,
    NoRoute,
    Route,
    ToAgent,
    ToAnnouncement,
    ToEcho,
    ToFeature,
    ToQueue,
    ToReject,
    ToTrunk,
)
from engine.ids import AgentName, LegId, QueueName, TrunkName
from engine.media.commands import Codec, Direction
from tests.support.call_rig import Rig

AGENTS = ("anna", "bert", "cleo")
ROUTES: tuple[Route, ...] = (
    ToQueue(queue=QueueName("sales")),
    ToQueue(queue=QueueName("sales")),
    ToQueue(queue=QueueName("ghost")),
    ToAgent(agent=AgentName("bert"), ring_timeout_s=20),
    ToTrunk(trunk=TrunkName("pbx"), number="0305550", ring_timeout_s=30),
    ToEcho(),
    ToAnnouncement(file="/say/hello.wav"),
    ToFeature(feature=Feature.BREAK, reason="lunch"),
    ToReject(status=603, reason="Decline"),
    NoRoute(explanation="nothing"),
)
pick = st.integers(min_value=0, max_value=1000)


class Calls(RuleBasedStateMachine):
    """Every rule is one thing that somebody does; half of them leave the events on the way for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.rig.legs.auto_end = False
        self.rig.media.bad_files = {"/music/broken.wav"}
        self.was_held = False

    # helpers

    def some_leg(self, n: int, *states: LegState, incoming: bool | None = None) -> LegId | None:
        legs = [
            leg
            for leg, f in self.rig.legs.legs.items()
            if f.state in states and (incoming is None or f.incoming is incoming)
        ]
        return legs[n % len(legs)] if legs else None

    def alive(self) -> bool:
        return self.rig.media.alive

    # callers

    @rule(route=st.sampled_from(ROUTES), agent=st.sampled_from((None, None, *AGENTS)))
    def call_in(self, route: Route, agent: str | None) -> None:
        self.rig.router.answer = route
        self.rig.call_in(agent=agent)

    @rule(n=pick, codec=st.sampled_from(Codec))
    def caller_confirms(self, n: int, codec: Codec) -> None:
        leg = self.some_leg(n, LegState.ANSWERING)
        if leg is not None:
            self.rig.legs.confirm(leg, codec)

    @rule(n=pick)
    def somebody_hangs_up(self, n: int) -> None:
        leg = self.some_leg(
            n, LegState.OFFERED, LegState.ALERTING, LegState.ANSWERING, LegState.UP, LegState.PLACING, LegState.RINGING
        )
        if leg is not None:
            self.rig.legs.far_hang_up(leg)

    @rule(n=pick, direction=st.sampled_from(Direction))
    def somebody_holds(self, n: int, direction: Direction) -> None:
        leg = self.some_leg(n, LegState.UP)
        if leg is not None:
            self.rig.legs.far_update(leg, direction)

    @precondition(lambda self: self.rig.legs.moves)
    @rule(n=pick, taken=st.booleans())
    def a_codec_is_asked_for(self, n: int, taken: bool) -> None:
        leg, local = self.rig.legs.moves[n % len(self.rig.legs.moves)]
        if taken:
            self.rig.legs.far_take(leg, Codec.PCMA if local.decoded else Codec.OPAQUE)
        else:
            self.rig.legs.far_stay(leg)

    # called phones

    @rule(n=pick)
    def far_rings(self, n: int) -> None:
        leg = self.some_leg(n, LegState.PLACING)
        if leg is not None:
            self.rig.legs.far_ring(leg)

    @rule(n=pick, codec=st.sampled_from(Codec))
    def far_answers(self, n: int, codec: Codec) -> None:
        leg = self.some_leg(n, LegState.PLACING, LegState.RINGING)
        if leg is not None:
            self.rig.legs.far_answer(leg, codec)

    @rule(n=pick, status=st.sampled_from((302, 401, 404, 408, 480, 486, 488, 503, 603)), timed_out=st.booleans())
    def far_refuses(self, n: int, status: int, timed_out: bool) -> None:
        leg = self.some_leg(n, LegState.PLACING, LegState.RINGING)
        if leg is not None:
            self.rig.legs.far_fail(leg, status, timed_out=timed_out)

    @rule(n=pick)
    def an_end_is_confirmed(self, n: int) -> None:
        leg = self.some_leg(n, LegState.ENDING)
        if leg is not None:
            self.rig.legs.far_end_done(leg)

    # the ACD

    @precondition(lambda self: self.rig.queues.waiting)
    @rule(n=pick, agent=st.sampled_from(AGENTS))
    def offer(self, n: int, agent: str) -> None:
        calls = list(self.rig.queues.waiting)
        self.rig.queues.make_offer(calls[n % len(calls)], agent)

    @precondition(lambda self: self.rig.queues.offers)
    @rule(n=pick, why=st.sampled_from(WithdrawReason))
    def withdraw(self, n: int, why: WithdrawReason) -> None:
        offers = list(self.rig.queues.offers)
        self.rig.queues.withdraw(offers[n % len(offers)], why)

    @precondition(lambda self: self.rig.queues.waiting)
    @rule(n=pick, why=st.sampled_from(ReleaseReason))
    def let_go(self, n: int, why: ReleaseReason) -> None:
        calls = list(self.rig.queues.waiting)
        self.rig.queues.let_go(calls[n % len(calls)], why)

    @rule(capacity=st.sampled_from((0, 1, 1000)))
    def the_queue_is_bounded(self, capacity: int) -> None:
        self.rig.queues.capacity = capacity

    # media

    @rule(n=pick)
    def silence(self, n: int) -> None:
        if self.rig.media.ports:
            self.rig.media.silence(list(self.rig.media.ports)[n % len(self.rig.media.ports)])

    @rule(n=pick)
    def playing_ends(self, n: int) -> None:
        if self.rig.media.players:
            self.rig.media.finish_playing(list(self.rig.media.players)[n % len(self.rig.media.players)])

    @rule(n=pick)
    def a_digit(self, n: int) -> None:
        if self.rig.media.ports:
            self.rig.media.digit(list(self.rig.media.ports)[n % len(self.rig.media.ports)], "7")

    @rule(ports=st.sampled_from((0, 1, 2, 1000, 1000, 1000)))
    def ports_are_few(self, ports: int) -> None:
        self.rig.media.free_ports = ports

    @rule(hold=st.booleans())
    def media_is_slow(self, hold: bool) -> None:
        if hold:
            self.rig.media.held = True
        else:
            self.rig.media.release()

    @rule(broken=st.booleans())
    def the_music_is_gone(self, broken: bool) -> None:
        self.rig.media.bad_files = {"/music/default.wav", "/say/hello.wav"} if broken else set()

    @precondition(alive)
    @rule(early=st.booleans())
    def media_dies(self, early: bool) -> None:
        if early:
            self.rig.pump()
        self.rig.media.die()
        self.rig.manager.media_lost(self.rig.now, "gone")

    @precondition(lambda self: not self.alive())
    @rule()
    def media_is_back(self) -> None:
        self.rig.media.alive = True
        self.rig.manager.media_ready(1, 20002, 29998, self.rig.now)

    # time and the operator

    @rule(seconds=st.sampled_from((0.0, 1.0, 19.0, 31.0)))
    def time_passes(self, seconds: float) -> None:
        self.rig.wait(seconds)

    @rule()
    def pump(self) -> None:
        self.rig.pump()

    @rule(n=pick)
    def operator_hangs_up(self, n: int) -> None:
        calls = self.rig.manager.snapshot()
        if calls:
            self.rig.manager.hang_up(calls[n % len(calls)].call, self.rig.now, "api")

    @rule(full=st.booleans())
    def the_store_is_full(self, full: bool) -> None:
        self.rig.manager.store_full(full)

    # what must be true always

    @invariant()
    def only_legs_of_one_call_hear_each_other_and_only_when_up(self) -> None:
        call_of = {leg: call.id for leg, (call, _) in self.rig.manager._board.owners.items()}
        for source, sink in self.rig.media.edges:
            assert (sink, source) in self.rig.media.edges
            assert call_of[LegId(source)] == call_of[LegId(sink)]
            assert source in self.rig.media.remotes
            assert sink in self.rig.media.remotes

    @invariant()
    def nobody_hears_a_player_and_a_person(self) -> None:
        for leg in self.rig.media.players:
            assert not self.rig.media.hears(leg)
            assert leg in self.rig.media.remotes

    @invariant()
    def calls_and_engagements_agree(self) -> None:
        live = {call.call for call in self.rig.manager.snapshot()}
        assert {call for _, call in self.rig.queues.engaged} <= live
        assert set(self.rig.queues.talking) <= live
        assert self.rig.manager.live().calls == len(live)

    @invariant()
    def ports_belong_to_somebody(self) -> None:
        if not self.rig.media.alive:
            return
        board = self.rig.manager._board
        assert {LegId(leg) for leg in self.rig.media.ports} <= board.owners.keys() | board.closing.keys()

    def teardown(self) -> None:
        rig = self.rig
        rig.media.release()
        rig.pump()
        rig.manager.shut_down(rig.now)
        rig.pump()
        for leg in rig.legs.left():
            rig.legs.far_end_done(leg)
        rig.assert_clean()
        fold = CdrFold()
        rows = [row for record in rig.records for row in fold.apply(record)]
        ended = [r.call for r in rig.records if isinstance(r.body, CallEnded)]
        started = [r.call for r in rig.records if isinstance(r.body, CallStarted)]
        assert sorted(row.call for row in rows) == sorted(str(call) for call in ended)
        assert len(started) == len(ended)
        assert fold.open_calls() == 0


Calls.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestCalls = Calls.TestCase
