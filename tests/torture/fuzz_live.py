"""`make fuzz`: a million mutated datagrams at a running engine with queued calls up. No call may be harmed, an honest
trunk's OPTIONS are answered in time, memory stays within a bound.

    python -m tests.torture.fuzz_live [--count 1000000] [--rate 1000] [--seed 1] [--result FILE]

They come from the trunk's address and from the host of the registered phones, which the guard is told to trust, so
that what they send is read; and from a stranger, of which the guard drops most unread. Some have the Call-ID and one
tag of a call that stands; some have both tags, and a CSeq that is stale. What a mutation made whole again, with both
tags of a call, is not sent: that is the peer's own word, and may end the call. Writes build/fuzz/fuzz_live.json, or
where `--result` says; what ended a run early stands there too.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.support.live_centre import STRANGER_HOST, TRUNK_HOST, LiveCentre, running_centre
from tests.support.load_figures import Figures, figures, memory_mib
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
_WARM: Final = 100_000
"""Datagrams until the caches of the engine, which are bounded, are full; memory is judged from there on."""
_TOGETHER: Final = 20
"""Datagrams between two looks at the clock."""
_BEHIND_S: Final = 0.05
"""What could not be sent in so much time is not sent later in a heap: that would be another load."""
_TAG_ENDS: Final = rb"(?![\w.!%*+`'~-])"


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
    cost: Figures | None = None
    """Of the engine's process, from the first datagram to the last."""
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def mib_per_100_000(self) -> float | None:
        """After the caches have filled; None where too few were sent to tell."""
        first = -(-_WARM * _SAMPLES // self.datagrams) if self.datagrams else _SAMPLES
        if first > _SAMPLES // 2:
            return None
        sent = self.datagrams * (_SAMPLES - first) / _SAMPLES
        return round(max(0.0, self.memory_mib[-1] - self.memory_mib[first]) * 100_000 / sent, 2)

    @property
    def waited_share(self) -> float:
        """Of the time, in which the engine was ready to go on and other processes had the processors."""
        return round(self.cost.loop_waited_s / self.seconds, 3) if self.cost and self.seconds else 0.0

    def told(self) -> dict[str, object]:
        """For people, and for the file."""
        found: dict[str, object] = asdict(self) | {"statuses": dict(sorted(self.statuses.items()))}
        return found | {"mib_per_100_000": self.mib_per_100_000, "waited_share": self.waited_share}

    def problems(self) -> list[str]:
        """What misses the bounds of the long form."""
        found = []
        if self.calls_kept < self.calls:
            found.append(f"{self.calls - self.calls_kept} calls were harmed")
        if not self.options:
            found.append("honest OPTIONS were not counted")
        elif self.options["p99_ms"] >= 50 or self.options["answered"] < 0.99 * self.options["sent"]:
            busy = f", the machine was busy: the engine waited {self.waited_share:.0%} of the time for a processor"
            found.append(f"honest OPTIONS: {self.options}{busy if self.waited_share > 0.05 else ''}")
        if (self.mib_per_100_000 or 0.0) > 10:
            found.append(f"memory grows by {self.mib_per_100_000} MiB per 100,000")
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


def whole_again(talks: Sequence[Talk]) -> re.Pattern[bytes]:
    """Finds both tags of one of these calls in a message."""
    pairs = [tuple(re.escape(_tag(party)) + _TAG_ENDS for party in (talk.local, talk.remote)) for talk in talks]
    either = [rb"%b.*%b" % order for one, other in pairs for order in ((one, other), (other, one))]
    return re.compile(b"|".join(either), re.DOTALL)


def _tag(party: str) -> bytes:
    return party.rpartition(";tag=")[2].encode()


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
        self._whole: re.Pattern[bytes]

    def run(self) -> LiveOutcome:
        """Everything; the outcome says what was missed, an AssertionError what ended the run."""
        self._call()
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
                self._send()
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
        self._whole = whole_again([talk for pair in self._talks for talk in pair])

    def _send(self) -> None:
        outcome, talks, pid = (
            self.outcome,
            [talk for pair in self._talks for talk in pair],
            self._centre.engine.process.pid,
        )
        late = stale(talks)
        with ExitStack() as held:
            senders = [held.enter_context(_socket(host)) for host in _HOSTS]
            call_ids = [talk.call_id for talk in talks[:4]]
            corpora = [[*requests(each.getsockname(), call_ids), *within_dialogs(talks)] for each in senders]
            outcome.memory_mib.append(memory_mib(pid))
            before, due = figures(pid, self._centre.sip[1]), time.monotonic()
            while outcome.datagrams < self._count:
                which = self._chance.choices(range(len(senders)), weights=_WEIGHTS)[0]
                data = self._mutated(corpora[which])
                if senders[which].getsockname()[0] != STRANGER_HOST and self._chance.random() < 0.05:
                    data = self._chance.choice(late)
                senders[which].sendto(data, self._centre.sip)
                outcome.datagrams += 1
                if outcome.datagrams % max(1, self._count // _SAMPLES) == 0:
                    outcome.memory_mib.append(memory_mib(pid))
                if outcome.datagrams % _TOGETHER == 0:
                    for each in senders:
                        _count_answers(each, outcome.statuses)
                    due = max(due + _TOGETHER / self._rate, time.monotonic() - _BEHIND_S)
                    time.sleep(max(0.0, due - time.monotonic()))
            outcome.cost = figures(pid, self._centre.sip[1]).since(before)

    def _mutated(self, corpus: Sequence[bytes]) -> bytes:
        while self._whole.search(data := mutated(self._chance, corpus)):
            continue
        return data

    def _end(self) -> None:
        """Whether each call still stands: a re-INVITE is answered, who speaks is heard, and BYE ends what there is. A
        call that was harmed is ended, too."""
        for number, ((caller, agent), (talk, other)) in enumerate(zip(self._pairs, self._talks, strict=True)):
            kept = talk.bye is None and other.bye is None and talk.change("sendrecv").status == 200
            if kept and number < SPEAKING:
                self._centre.hear_each_other(caller, agent)
            ended = talk.hang_up().status == 200
            self.outcome.calls_kept += kept and ended
            if not ended:
                other.hang_up()
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


def fuzz_live(
    ports: PortPool,
    directory: Path,
    *,
    count: int,
    rate: float,
    options_rate: float,
    seed: int,
    to_the_end: bool,
    outcome: LiveOutcome | None = None,
) -> LiveOutcome:
    """One run against an engine of its own; `to_the_end` waits until what strangers began has ended by itself. The
    engine must stop cleanly and say nothing of defects. What came of it is in `outcome` even where it ends early."""
    guard = {"trusted": ["127.0.0.1/32", f"{TRUNK_HOST}/32"]}
    with running_centre(ports, directory, media={"dead_s": 3600.0}, guard=guard) as centre:
        run = LiveFuzz(centre, count=count, rate=rate, options_rate=options_rate, seed=seed)
        run.outcome = outcome or run.outcome
        run.run()
        if to_the_end:
            centre.no_legs(timeout=ACK_TIMEOUT_S)
            centre.prove_a_call()
            centre.at_rest()
    return run.outcome


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="datagrams (%(default)s)")
    parser.add_argument("--rate", type=float, default=1000.0, help="of them a second (%(default)s)")
    parser.add_argument("--options-rate", type=float, default=1000.0, help="honest OPTIONS a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what is sent depends on this alone (%(default)s)")
    parser.add_argument("--result", type=Path, help="where the figures go")
    asked = parser.parse_args()
    outcome, problems = LiveOutcome(), []
    with tempfile.TemporaryDirectory(prefix="hearthline-fuzz-") as directory:
        try:
            fuzz_live(
                PortPool(),
                Path(directory),
                count=asked.count,
                rate=asked.rate,
                options_rate=asked.options_rate,
                seed=asked.seed,
                to_the_end=True,
                outcome=outcome,
            )
        except Exception as ended:
            # What a long run has counted is not to be lost with what ended it.
            problems = [f"ended early by {type(ended).__name__}: {ended}"]
    problems += outcome.problems()
    path = write_result("fuzz_live", asked.result, **outcome.told(), outcome="; ".join(problems) or "ok")
    print(f"fuzz_live: {outcome.told()}; {'; '.join(problems) or 'ok'}; {path}")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
