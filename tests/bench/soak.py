"""`make soak`: a long day in virtual time, and races by the thousand: nothing is left behind, and memory stays flat.

    python -m tests.bench.soak [--hours 8] [--examples 3000] [--seed 1]

The day: two agents, a lossy wire, callers who come at random, wait, talk, hold out or hang up at any moment, phones
that register again and again. CI runs the same with a smaller count (tests/scenarios/test_soak.py). Writes
build/bench/soak.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import time
import tracemalloc
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.calls.log import CallEnded
from engine.sip.errors import LocalSipError
from engine.sip.events import SessionId
from tests.support.centre_rig import CentreRig
from tests.support.sip_phone import SDP, SDP_ANSWER, SipPhone, target

OUT = Path(__file__).parents[2] / "build" / "bench" / "soak.json"
REGISTER_EVERY_S = 240.0
MAY_GROW_KB = 1024
"""Caches fill and tables grow to their size; a leak of a kilobyte a call would be three times that."""
BETWEEN_CALLS_S = (2.0, 40.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came of one day."""

    hours: float
    calls: int
    connected: int
    memory_first_kb: float
    """Python's memory after the first tenth of the day, everything collected."""
    memory_last_kb: float


class LongDay:
    """One day at the centre, played by a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._rig = CentreRig(ring_timeout_s=15.0, wrap_up_s=5.0, seed=seed, loss=0.0)
        self._calls = 0
        self._connected = 0

    def run(self, hours: float) -> Day:
        """Play it; raises AssertionError when anything is left behind."""
        rig = self._rig
        begin = rig.wire.now
        for phone in (rig.alice, rig.bob):
            rig.register(phone)
            phone.on_event = self._answering(phone, phone.on_event)
            self._keep_registered(phone)
        rig.wire.loss = 0.02
        self._next_caller(begin + hours * 3600)
        tracemalloc.start()
        rig.wire.run(hours * 360)
        first = self._memory_kb()
        rig.wire.run(begin + hours * 3600 - rig.wire.now)
        rig.wire.loss = 0.0
        rig.wire.run(600)
        last = self._memory_kb()
        tracemalloc.stop()
        self._forget()
        rig.wire.run(7200)
        assert rig.core.calls.live().calls == 0
        assert last < first + MAY_GROW_KB, f"memory grew from {first:.0f} to {last:.0f} KB"
        return Day(
            hours=hours, calls=self._calls, connected=self._connected, memory_first_kb=first, memory_last_kb=last
        )

    def _answering(self, phone: SipPhone, before: Any) -> Any:
        def handle(event: Any, now: float) -> None:
            before(event, now)
            if type(event).__name__ == "InviteReceived":
                answers = self._random.random() < 0.9
                self._rig.wire.at(self._random.uniform(0.5, 12.0), lambda: self._pick_up(phone, event.session, answers))

        return handle

    def _pick_up(self, phone: SipPhone, session: SessionId, answers: bool) -> None:
        with suppress(LocalSipError):
            if answers:
                phone.endpoint.accept(session, SDP_ANSWER, now=self._rig.wire.now)
            else:
                phone.endpoint.reject(session, 486, now=self._rig.wire.now)

    def _keep_registered(self, phone: SipPhone) -> None:
        phone.register(self._rig.wire.now)
        self._rig.wire.at(REGISTER_EVERY_S, lambda: self._keep_registered(phone))

    def _next_caller(self, until: float) -> None:
        rig = self._rig
        if rig.wire.now >= until:
            return
        self._calls += 1
        session = rig.caller.endpoint.invite(
            target(rig.caller, rig.centre, "600"), from_user=f"{self._calls}", sdp=SDP, now=rig.wire.now
        )
        rig.wire.at(self._random.expovariate(1 / 60), lambda: self._hang_up(session))
        rig.wire.at(self._random.uniform(*BETWEEN_CALLS_S), lambda: self._next_caller(until))
        self._forget()

    def _hang_up(self, session: SessionId) -> None:
        with suppress(LocalSipError):
            self._rig.caller.endpoint.terminate(session, now=self._rig.wire.now)

    def _forget(self) -> None:
        """The test's own notes must not look like the engine's leak."""
        rig = self._rig
        self._connected += sum(
            record.body.agent is not None for record in rig.centre.records if isinstance(record.body, CallEnded)
        )
        for notes in (rig.centre.records, rig.wire.log, rig.centre.plane.sent):
            notes.clear()
        for station in (rig.caller, rig.alice, rig.bob):
            station.events.clear()
        for phone in (rig.alice, rig.bob):
            del phone.calls[:-4]
            phone.answers.clear()

    def _memory_kb(self) -> float:
        self._forget()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / 1024


def races(examples: int) -> int:
    """So many runs of the race machine; raises what it finds."""
    from tests.scenarios.test_race_machine import Centre  # noqa: PLC0415 - its module declares tests of its own

    run_state_machine_as_test(
        Centre,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return examples


def main() -> None:
    parser = argparse.ArgumentParser(description="A long day and many races, in virtual time.")
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--examples", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    day = LongDay(options.seed).run(options.hours)
    print(f"{day.hours:g} h: {day.calls} calls, {day.connected} connected, nothing left behind")
    print(f"memory {day.memory_first_kb:.0f} -> {day.memory_last_kb:.0f} KB")
    print(f"{races(options.examples)} random races, nothing left behind")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    result = {
        "command": "python -m tests.bench.soak",
        "options": vars(options),
        "commit": commit,
        "load_average": os.getloadavg()[0],
        "seconds": round(time.monotonic() - began, 1),
        "day": asdict(day),
        "races": options.examples,
        "outcome": "nothing left behind",
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
