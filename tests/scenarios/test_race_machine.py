"""The same happenings as in `test_races`, in any number and order, with loss, found by hypothesis: whatever was done,
when everybody has hung up and time has run out, nothing is left behind and every call has one end."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from engine.calls.directory import StrategyName
from engine.ids import AgentName
from engine.sip.errors import LocalSipError
from engine.sip.events import SessionId
from tests.support.centre_rig import CentreRig
from tests.support.sip_phone import SDP, SDP_ANSWER, SipPhone, target

SOON_S = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.5, 1.0, 4.0])
MAX_CALLS = 4


class Centre(RuleBasedStateMachine):
    """Two agents, up to four callers, a lossy wire."""

    @initialize(
        strategy=st.sampled_from(StrategyName), loss=st.sampled_from([0.0, 0.1, 0.3]), seed=st.integers(0, 1000)
    )
    def begin(self, strategy: StrategyName, loss: float, seed: int) -> None:
        self.rig = CentreRig(strategy=strategy, ring_timeout_s=4.0, wrap_up_s=1.0, seed=seed)
        self.phones = {"alice": self.rig.alice, "bob": self.rig.bob}
        for phone in self.phones.values():
            self.rig.register(phone)
        self.rig.wire.loss = loss
        self.calls: list[SessionId] = []
        self.media_up = True

    @rule(seconds=SOON_S)
    def time_passes(self, seconds: float) -> None:
        self.rig.wire.run(seconds)

    @precondition(lambda self: len(self.calls) < MAX_CALLS)
    @rule()
    def caller_dials(self) -> None:
        rig = self.rig
        destination = target(rig.caller, rig.centre, "600")
        self.calls.append(rig.caller.endpoint.invite(destination, from_user="1", sdp=SDP, now=rig.wire.now))

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, MAX_CALLS))
    def caller_hangs_up(self, which: int) -> None:
        with suppress(LocalSipError):
            self.rig.caller.endpoint.terminate(self.calls[which % len(self.calls)], now=self.rig.wire.now)

    @rule(who=st.sampled_from(["alice", "bob"]), which=st.integers(0, 3), how=st.sampled_from(["answer", 486, 603]))
    def agent_responds(self, who: str, which: int, how: str | int) -> None:
        phone = self.phones[who]
        if phone.calls:
            session = phone.calls[-1 - which % len(phone.calls)]
            with suppress(LocalSipError):
                if how == "answer":
                    phone.endpoint.accept(session, SDP_ANSWER, now=self.rig.wire.now)
                else:
                    phone.endpoint.reject(session, int(how), now=self.rig.wire.now)

    @rule(who=st.sampled_from(["alice", "bob"]))
    def agent_hangs_up(self, who: str) -> None:
        phone = self.phones[who]
        if phone.calls:
            with suppress(LocalSipError):
                phone.endpoint.bye(phone.calls[-1], now=self.rig.wire.now)

    @rule(who=st.sampled_from(["alice", "bob"]))
    def binding_is_lost(self, who: str) -> None:
        rig = self.rig
        rig.core.command(lambda now: rig.core.endpoint.remove_bindings(who, now), rig.wire.now)

    @rule(who=st.sampled_from(["alice", "bob"]))
    def agent_registers_and_is_available(self, who: str) -> None:
        rig = self.rig
        self.phones[who].register(rig.wire.now)
        rig.core.command(lambda now: rig.core.acd.set_status(AgentName(who), True, "", "api", now), rig.wire.now)

    @precondition(lambda self: self.media_up)
    @rule()
    def media_dies(self) -> None:
        self.media_up = False
        self.rig.centre.plane.die()
        self.rig.core.media_lost("killed", self.rig.wire.now)

    @precondition(lambda self: not self.media_up)
    @rule()
    def media_comes_back(self) -> None:
        self.media_up = True
        self.rig.start_media()

    @rule()
    def shutdown(self) -> None:
        self.rig.core.command(self.rig.core.calls.shut_down, self.rig.wire.now)

    def teardown(self) -> None:
        if not hasattr(self, "calls"):
            return
        rig = self.rig
        for session in self.calls:
            with suppress(LocalSipError):
                rig.caller.endpoint.terminate(session, now=rig.wire.now)
        rig.wire.run(60.0)
        for phone in self.phones.values():
            _fall_silent(phone, rig.wire.now)
        rig.wire.run()
        rig.assert_nothing_left()


def _fall_silent(phone: SipPhone, now: float) -> None:
    """End what the phone still has, such as a call whose CANCEL was lost for good."""
    for session in phone.calls:
        with suppress(LocalSipError):
            phone.endpoint.terminate(session, now=now)


TestCentre = Centre.TestCase
TestCentre.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
