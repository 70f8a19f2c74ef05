"""CPU of the SIP stack per call: one endpoint that takes a trunk's INVITE and places another, as the engine does.

    python tests/bench/sip_call.py [calls] [--profile | --cold] [--trace]

The engine's side has 14 messages on two dialogs. Only it is timed: the messages of the trunk and of the phone are made
by two other endpoints outside of the measured time. Prints microseconds of CPU per call, the best and the median of
five runs, and how many Python functions a call runs through, which no other load on the machine can change. With
`--cold` the process sleeps before each message, as it does in life: the processor's caches then hold nothing of it.
With `--trace` the messages of each call are kept, as the engine does unless told otherwise."""

from __future__ import annotations

import cProfile
import pstats
import sys
from itertools import count
from statistics import median
from time import process_time_ns, sleep, time
from types import FrameType

from engine.sip.endpoint import Endpoint, EndpointConfig, Limits, Target
from engine.sip.events import InviteAccepted, InviteReceived, ProgressReceived, SessionEnded, SessionId
from engine.sip.flow import Address, Flow, Transport
from engine.sip.recorder import Recorder, RecorderLimits
from engine.sip.uri import SipUri

SDP = (
    b"v=0\r\no=- 3901 3901 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
    b"a=ptime:20\r\na=sendrecv\r\n"
)


class Ids:
    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers = count(1)

    def token(self) -> str:
        return f"{self._name}{next(self._numbers):015x}"


class Nobody:
    def ha1(self, user: str, realm: str, algorithm: str) -> str | None:
        return None

    def trunk_at(self, flow: Flow) -> str | None:
        return "trunk"

    def trusts(self, trunk: str) -> bool:
        return False

    def tls_name(self, trunk: str) -> str:
        return ""


def make(name: str, address: Address) -> Endpoint:
    config = EndpointConfig(
        realm="bench",
        advertise=lambda flow: address,
        nonce_secret=bytes(16),
        limits=Limits(transactions=10**7, sessions=10**7),
    )
    return Endpoint(config, ids=Ids(name), credentials=Nobody(), peers=Nobody())


_PAUSE_S = 0.004
"""Long enough for the caches to be another's."""

TRUNK, ENGINE, PHONE = (Address(f"192.0.2.{n}", 5060) for n in (1, 2, 3))


class Bench:
    def __init__(self) -> None:
        self.trunk, self.engine, self.phone = make("t", TRUNK), make("e", ENGINE), make("p", PHONE)
        self.to_engine = Flow(Transport.UDP, TRUNK, ENGINE)
        self.to_phone = Flow(Transport.UDP, ENGINE, PHONE)
        self.now = 1000.0
        self.spent = 0
        self.pause_s = 0.0
        self.profile: cProfile.Profile | None = None
        self.functions: int | None = None
        """Calls of Python functions, where they are to be counted."""
        self.peer_of: dict[SessionId, SessionId] = {}

    def engine_step(self) -> None:
        """What the layer above does: the agent's leg follows the caller's."""
        engine, now = self.engine, self.now
        while (event := engine.next_event()) is not None:
            if isinstance(event, InviteReceived):
                target = Target(uri=SipUri(user="agent", host=PHONE.host, port=PHONE.port), flow=self.to_phone)
                out = engine.invite(target, from_user=event.from_user, to_user="agent", sdp=SDP, now=now)
                self.peer_of[out] = event.session
                self.peer_of[event.session] = out
            elif isinstance(event, ProgressReceived):
                engine.progress(self.peer_of[event.session], 180, now=now)
            elif isinstance(event, InviteAccepted):
                engine.accept(self.peer_of[event.session], SDP, now=now)
            elif isinstance(event, SessionEnded):
                other = self.peer_of.pop(event.session, None)
                if other in self.peer_of:
                    engine.bye(other, now=now)

    def measured(self, data: bytes, flow: Flow) -> None:
        if self.pause_s:
            sleep(self.pause_s)
        if self.profile is not None:
            self.profile.enable()
        elif self.functions is not None:
            sys.setprofile(self._count)
        before = process_time_ns()
        self.engine.receive_datagram(data, flow, self.now)
        self.engine_step()
        self.spent += process_time_ns() - before
        if self.profile is not None:
            self.profile.disable()
        elif self.functions is not None:
            sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and self.functions is not None:
            self.functions += 1

    def settle(self) -> None:
        moved = True
        while moved:
            moved = False
            for flow, data in self.engine.datagrams_to_send():
                moved = True
                other = self.trunk if flow.remote == TRUNK else self.phone
                other.receive_datagram(data, Flow(Transport.UDP, flow.remote, ENGINE), self.now)
            while (event := self.phone.next_event()) is not None:
                if isinstance(event, InviteReceived):
                    self.phone.progress(event.session, 180, now=self.now)
                    self.phone.accept(event.session, SDP, now=self.now)
            for peer, address in ((self.trunk, TRUNK), (self.phone, PHONE)):
                for _, data in peer.datagrams_to_send():
                    moved = True
                    self.measured(data, Flow(Transport.UDP, ENGINE, address))

    def call(self) -> None:
        target = Target(uri=SipUri(user="100", host=ENGINE.host), flow=self.to_engine)
        session = self.trunk.invite(target, from_user="0401234567", sdp=SDP, now=self.now)
        self.settle()
        self.trunk.bye(session, now=self.now)
        self.settle()
        while self.trunk.next_event() is not None:
            pass
        self.now += 0.01
        self.trunk.handle_deadline(self.now)
        self.phone.handle_deadline(self.now)
        before = process_time_ns()
        self.engine.handle_deadline(self.now)
        self.spent += process_time_ns() - before

    def run(self, calls: int) -> float:
        self.spent = 0
        for _ in range(calls):
            self.call()
        return self.spent / calls / 1000


def main() -> None:
    arguments = [each for each in sys.argv[1:] if not each.startswith("-")]
    calls = int(arguments[0]) if arguments else 2000
    bench = Bench()
    if "--trace" in sys.argv:
        bench.engine.recorder = Recorder(RecorderLimits(), time)
    bench.run(200)
    if "--profile" in sys.argv:
        bench.profile = cProfile.Profile()
        bench.run(calls)
        pstats.Stats(bench.profile).sort_stats("tottime").print_stats(45)
        return
    if "--cold" in sys.argv:
        calls = min(calls, 100)
        bench.pause_s = _PAUSE_S
    runs = [bench.run(calls) for _ in range(5)]
    messages = sum(bench.engine.counters.values()) / (200 + 5 * calls)
    print(f"{messages:.1f} messages a call; {min(runs):.0f} us best, {median(runs):.0f} us median of {len(runs)} runs")
    print("runs:", ", ".join(f"{run:.0f}" for run in runs), "us of CPU per call")
    bench.functions = 0
    bench.pause_s = 0.0
    bench.run(10)
    print(f"{bench.functions / 10:.0f} Python functions per call")


if __name__ == "__main__":
    main()
