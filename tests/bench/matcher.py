"""How long an agent who comes free waits for the next offer, and what a call costs the ACD, by the number of agents.

    python -m tests.bench.matcher [--calls N] [--runs N]

Prints a table and writes build/bench/matcher.json. Times are those of `engine.acd` alone: from the input that frees the
agent to the MakeOffer in hand, with records written to the journal, without SIP and media. CPU per call is user and
system time of the process over the whole life of a call (enter, offer, ringing, answer, talk end), while agents and a
line of waiting callers stand by. A figure is the median of the runs; all are in the file.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median, quantiles

from engine.acd.centre import Acd
from engine.calls.directory import Agent, Directory, Entity, Member, Queue, StrategyName
from engine.calls.events import Party, Reachable
from engine.calls.journal import Journal
from engine.calls.ports import MakeOffer
from engine.ids import AgentName, CallId, QueueName

RESULT = Path("build/bench/matcher.json")
Q = QueueName("bench")
_FIGURES = ("p50_us", "p99_us", "worst_us", "cpu_p50_us", "cpu_p99_us")
CALLER = Party(number="+49301234567")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_790_000_000.0 + self.now


class Ids:
    def __init__(self) -> None:
        self._next = count()

    def token(self) -> str:
        return f"{next(self._next):016x}"


class Room:
    """A queue with its agents, all registered, and as many callers waiting behind those whom the agents have."""

    def __init__(self, *, agents: int, waiting: int, wrap_up_s: float) -> None:
        names = [AgentName(f"agent{number}") for number in range(agents)]
        entities: list[Entity] = [
            Queue(name=Q, strategy=StrategyName.LONGEST_IDLE, wrap_up_s=wrap_up_s, max_wait_s=1e6),
            *(Agent(name=name) for name in names),
            *(Member(queue=Q, agent=name) for name in names),
        ]
        self.clock = Clock()
        self.journal = Journal(self.clock)
        self.acd = Acd(Directory.of(entities), self.journal, Ids(), 0.0)
        self.talking: list[CallId] = []
        self._calls = count()
        for name in names:
            event = Reachable(agent=name, contact="sip:x", source="192.0.2.1:5060", user_agent="bench")
            self.acd.reachable(event, self.clock.now)
        if waiting:
            for _ in range(agents + waiting):
                self.enter()
            self.answer_all()

    def enter(self) -> None:
        self.acd.enter(CallId(f"call{next(self._calls)}"), Q, CALLER, self.clock.now)

    def answer_all(self) -> None:
        """Every phone that rings is answered."""
        for effect in self.acd.take_effects():
            if isinstance(effect, MakeOffer):
                self.acd.offer_ringing(effect.offer, self.clock.now)
                assert self.acd.offer_answered(effect.offer, self.clock.now)
                self.talking.append(effect.call)
        self.journal.take()


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    agents: int
    waiting: int
    freed_by: str
    p50_us: float
    p99_us: float
    worst_us: float
    cpu_p50_us: float
    cpu_p99_us: float
    """CPU of the process instead of the wall clock: what is left when other programs take the cores away."""


def free_to_offer(*, agents: int, waiting: int, calls: int, by_deadline: bool) -> Latency:
    """Agents come free one after the other, by the end of a talk without wrap-up or by the end of wrap-up."""
    room = Room(agents=agents, waiting=waiting, wrap_up_s=10.0 if by_deadline else 0.0)
    acd, clock = room.acd, room.clock
    wall: list[float] = []
    cpu: list[float] = []
    for turn in range(calls):
        clock.now += 0.05
        ended = room.talking[turn]
        free = partial(acd.talk_ended, ended, clock.now)
        if by_deadline:
            free()
            assert acd.take_effects() == []
            due = acd.next_deadline()
            assert due is not None
            clock.now = due
            free = partial(acd.handle_deadline, due)
        cpu_started, started = time.process_time_ns(), time.perf_counter_ns()
        free()
        effects = acd.take_effects()
        ended_at, cpu_ended = time.perf_counter_ns(), time.process_time_ns()
        wall.append((ended_at - started) / 1000)
        cpu.append((cpu_ended - cpu_started) / 1000)
        (made,) = effects
        assert isinstance(made, MakeOffer)
        acd.offer_ringing(made.offer, clock.now)
        assert acd.offer_answered(made.offer, clock.now)
        room.talking.append(made.call)
        room.journal.take()
        room.enter()
    cuts, cpu_cuts = quantiles(wall, n=100), quantiles(cpu, n=100)
    return Latency(
        agents=agents,
        waiting=waiting,
        freed_by="wrap-up end" if by_deadline else "talk end",
        p50_us=cuts[49],
        p99_us=cuts[98],
        worst_us=max(wall),
        cpu_p50_us=cpu_cuts[49],
        cpu_p99_us=cpu_cuts[98],
    )


def cpu_per_call(*, agents: int, waiting: int, calls: int) -> float:
    """Microseconds of CPU for one call's whole life; with no line, all agents but one are idle."""
    room = Room(agents=agents, waiting=waiting, wrap_up_s=0.0)
    acd, clock = room.acd, room.clock
    gc.collect()
    started = time.process_time_ns()
    for turn in range(calls):
        clock.now += 0.05
        if waiting:
            acd.talk_ended(room.talking[turn], clock.now)
            room.answer_all()
            room.enter()
        else:
            room.enter()
            room.answer_all()
            acd.talk_ended(room.talking[turn], clock.now)
    return (time.process_time_ns() - started) / 1000 / calls


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    latencies = [
        [
            free_to_offer(agents=agents, waiting=1000, calls=options.calls, by_deadline=by_deadline)
            for _ in range(options.runs)
        ]
        for agents in (10, 1000)
        for by_deadline in (False, True)
    ]
    print("| agents | waiting | freed by | p50 us | p99 us | worst us | CPU p50 us | CPU p99 us |")
    print("|---" * 8 + "|")
    for runs in latencies:
        first = runs[0]
        figures = [median(getattr(run, name) for run in runs) for name in _FIGURES]
        print(f"| {first.agents} | {first.waiting} | {first.freed_by} |", " | ".join(f"{f:.1f}" for f in figures), "|")

    costs = {
        f"{agents} agents, {waiting} waiting": [
            cpu_per_call(agents=agents, waiting=waiting, calls=options.calls) for _ in range(options.runs)
        ]
        for waiting in (0, 1000)
        for agents in (10, 1000)
    }
    print("\n| case | CPU us per call | runs |\n|---|---|---|")
    for case, found in costs.items():
        print(f"| {case} | {median(found):.1f} | {' '.join(f'{cost:.1f}' for cost in found)} |")

    RESULT.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": platform.platform(),
        "python": platform.python_version(),
        "calls": options.calls,
        "free_to_offer": [asdict(run) for runs in latencies for run in runs],
        "cpu_us_per_call": costs,
    }
    RESULT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
