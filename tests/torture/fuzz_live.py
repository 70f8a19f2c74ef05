"""`make fuzz`: a million mutated datagrams at a running engine with queued calls up. No call may be harmed, an honest
trunk's OPTIONS are answered in time, memory stays within a bound.

    python -m tests.torture.fuzz_live [--count 1000000] [--rate 1000] [--seed 1]

They come from the trunk's address and from the host of the registered phones, which the guard is told to trust, so
that what they send is read; and from a stranger, of which the guard drops most unread. Some have the Call-ID and one
tag of a call that stands; some have both tags, and a CSeq that is stale. Writes build/fuzz/fuzz_live.json.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

import psutil

from tests.support.live_centre import STRANGER_HOST, TRUNK_HOST, LiveCentre, running_centre
from tests.support.plain_message import Field, write
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool
from tests.torture.fuzz_sip_datagrams import ACK_TIMEOUT_S, requests
from tests.torture.mutate import mutated
from tests.torture.result import ROOT, write_result

CALLS: Final = 10
SPEAKING: Final = 2
"""Of them go on being heard; the others fall silent, since each voice takes the time of this process."""
_HOSTS: Final = (TRUNK_HOST, "127.0.0.1", STRANGER_HOST)
_WEIGHTS: Final = (4, 4, 2)
_SAMPLES: Final = 10


@dataclass(slots=True, kw_only=True)
class LiveOutcome:
    """What came of one run."""

    datagrams: int = 0
    seconds: float = 0.0
    calls: int = 0
    calls_kept: int = 0
    options: dict[str, float] = field(default_factory=dict)
    memory_mib: list[float] = field(default_factory=list)
    """Of the engine's process: before, then after each tenth."""
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def mib_per_100_000(self) -> float:
        """After the first tenth, in which caches fill."""
        sent = self.datagrams * (_SAMPLES - 1) / _SAMPLES
        return max(0.0, self.memory_mib[-1] - self.memory_mib[1]) * 100_000 / sent

    def told(self) -> dict[str, object]:
        """For people, and for the file."""
        found: dict[str, object] = {each.name: getattr(self, each.name) for each in fields(self)}
        found["statuses"] = dict(sorted(self.statuses.items()))
        return found | {"mib_per_100_000": round(self.mib_per_100_000, 2)}

    def problems(self) -> list[str]:
        """What misses the bounds of the long form."""
        found = []
        if self.calls_kept < self.calls:
            found.append(f"{self.calls - self.calls_kept} calls were harmed")
        if self.options["p99_ms"] >= 50 or self.options["answered"] < 0.99 * self.options["sent"]:
            found.append(f"honest OPTIONS: {self.options}")
        if self.mib_per_100_000 > 10:
            found.append(f"memory grows by {self.mib_per_100_000:.1f} MiB per 100,000")
        return found


def within_dialogs(talks: Sequence[Talk]) -> list[bytes]:
    """Requests and answers that name calls which stand, each with a tag that is wrong."""
    found = []
    for talk in talks:
        for method in ("BYE", "INVITE", "UPDATE", "INFO", "REFER", "CANCEL", "ACK", "NOTIFY", "MESSAGE", "PRACK"):
            for local, remote in ((f"{talk.local}x", talk.remote), (talk.local, f"{talk.remote}x")):
                found.append(_within(talk, method, 9, local, remote))
        for status in (180, 200, 401, 487, 500):
            found.append(_within(talk, "INVITE", 1, f"{talk.remote}x", talk.local, f"SIP/2.0 {status} Odd"))
    return found


def stale(talks: Sequence[Talk]) -> list[bytes]:
    """Requests with the right tags, late: they are sent as they are, another number would be the peer's own word."""
    return [
        _within(talk, method, 0, talk.local, talk.remote)
        for talk in talks
        for method in ("BYE", "INVITE", "UPDATE", "REFER", "INFO")
    ]


def _within(talk: Talk, method: str, number: int, local: str, remote: str, start: str = "") -> bytes:
    lines: list[Field] = [
        ("Via", f"SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK{method}{number}{talk.call_id};rport"),
        ("Max-Forwards", "70"),
        ("From", local),
        ("To", remote),
        ("Call-ID", talk.call_id),
        ("CSeq", f"{number} {method}"),
        ("Contact", "<sip:fuzz@127.0.0.9>"),
        ("Refer-To", "<sip:601@127.0.0.1>"),
    ]
    return write(start or f"{method} {talk.target} SIP/2.0", lines)


class LiveFuzz:
    """One run against one centre."""

    def __init__(self, centre: LiveCentre, *, count: int, rate: float, options_rate: float, seed: int) -> None:
        self.outcome = LiveOutcome()
        self._centre = centre
        self._count, self._rate, self._options_rate = count, rate, options_rate
        self._chance = random.Random(seed)
        self._pairs: list[tuple[PlainPhone, PlainPhone]] = []
        self._talks: list[tuple[Talk, Talk]] = []

    def run(self) -> LiveOutcome:
        """Everything; the outcome says what was missed, an AssertionError what ended the run."""
        self._call()
        process = psutil.Process(self._centre.engine.process.pid)
        words = [TRUNK_HOST, *map(str, self._centre.sip), str(self._options_rate)]
        with subprocess.Popen(
            [sys.executable, "-m", "tests.torture.options_pulse", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as pulse:
            began = time.monotonic()
            try:
                self._send(process)
            finally:
                self.outcome.seconds = round(time.monotonic() - began, 1)
                told, _ = pulse.communicate(timeout=30)
        self.outcome.options = json.loads(told)
        self._end()
        return self.outcome

    def _call(self) -> None:
        for number in range(CALLS):
            agent, caller = self._centre.agent(f"alice{number}", "demo"), self._centre.caller(f"555{number}")
            talk, other = self._centre.connect(caller, agent)
            # From now on the engine knows a CSeq of the agent's phone, too, to which another one is late.
            assert other.change("sendrecv").status == 200
            self._talks.append((talk, other))
            self._pairs.append((caller, agent))
            if number >= SPEAKING:
                caller.voice.peer = agent.voice.peer = None
        self.outcome.calls = CALLS

    def _send(self, process: psutil.Process) -> None:
        outcome, talks = self.outcome, [talk for pair in self._talks for talk in pair]
        late = stale(talks)
        with ExitStack() as held:
            senders = [held.enter_context(_socket(host)) for host in _HOSTS]
            call_ids = [talk.call_id for talk in talks[:4]]
            corpora = [[*requests(each.getsockname(), call_ids), *within_dialogs(talks)] for each in senders]
            outcome.memory_mib.append(_mib(process))
            began = time.monotonic()
            while outcome.datagrams < self._count:
                which = self._chance.choices(range(len(senders)), weights=_WEIGHTS)[0]
                data = mutated(self._chance, corpora[which])
                if senders[which].getsockname()[0] != STRANGER_HOST and self._chance.random() < 0.05:
                    data = self._chance.choice(late)
                senders[which].sendto(data, self._centre.sip)
                outcome.datagrams += 1
                if outcome.datagrams % max(1, self._count // _SAMPLES) == 0:
                    outcome.memory_mib.append(_mib(process))
                if outcome.datagrams % 20 == 0:
                    for each in senders:
                        _count_answers(each, outcome.statuses)
                    time.sleep(max(0.0, began + outcome.datagrams / self._rate - time.monotonic()))

    def _end(self) -> None:
        """Whether each call still stands: a re-INVITE is answered, who speaks is heard, and BYE ends what there is."""
        for number, ((caller, agent), (talk, other)) in enumerate(zip(self._pairs, self._talks, strict=True)):
            kept = talk.bye is None and other.bye is None and talk.change("sendrecv").status == 200
            if kept and number < SPEAKING:
                self._centre.hear_each_other(caller, agent)
            self.outcome.calls_kept += kept and talk.hang_up().status == 200
        assert self._centre.metric("hearthline_defects_total") == 0, self._centre.engine.process.tail()


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.setblocking(False)
    return made


def _count_answers(sender: socket.socket, statuses: Counter[int]) -> None:
    while True:
        try:
            data = sender.recv(65_535)
        except BlockingIOError:
            return
        if data.startswith(b"SIP/2.0 "):
            statuses[int(data[8:11])] += 1


def _mib(process: psutil.Process) -> float:
    return round(float(process.memory_info().rss) / (1 << 20), 2)


def fuzz_live(
    ports: PortPool,
    directory: Path,
    *,
    count: int,
    rate: float,
    options_rate: float,
    seed: int,
    to_the_end: bool,
) -> LiveOutcome:
    """One run against an engine of its own; `to_the_end` waits until what strangers began has ended by itself. The
    engine must stop cleanly and say nothing of defects."""
    guard = {"trusted": ["127.0.0.1/32", f"{TRUNK_HOST}/32"]}
    with running_centre(ports, directory, media={"rtp_timeout_s": 3600.0}, guard=guard) as centre:
        outcome = LiveFuzz(centre, count=count, rate=rate, options_rate=options_rate, seed=seed).run()
        if to_the_end:
            centre.no_legs(timeout=ACK_TIMEOUT_S)
            centre.prove_a_call()
            centre.at_rest()
    return outcome


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="datagrams (%(default)s)")
    parser.add_argument("--rate", type=float, default=1000.0, help="of them a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what is sent depends on this alone (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthline-fuzz-") as directory:
        outcome = fuzz_live(
            PortPool(),
            Path(directory),
            count=options.count,
            rate=options.rate,
            options_rate=1000.0,
            seed=options.seed,
            to_the_end=True,
        )
    problems = outcome.problems()
    path = write_result("fuzz_live", **outcome.told(), outcome="; ".join(problems) or "ok")
    print(f"fuzz_live: {outcome.told()}; {'; '.join(problems) or 'ok'}; {path}")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
