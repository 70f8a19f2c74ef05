"""Mutated SIP datagrams, RTP and RTCP at a live engine with calls up. No call may be harmed, and the engine answers.

    python -m tests.torture.fuzz_sip_datagrams [--count 10000] [--seed 1]

`count` datagrams of each kind are sent: SIP from a stranger, from a trunk's address and from a registered phone; RTP
and RTCP from strangers, and from the very ports of those who talk. After every fifty the engine has to answer OPTIONS,
which also keeps the sender from being faster than the engine reads. The same seed sends the same.
"""

from __future__ import annotations

import argparse
import random
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.live_centre import STRANGER_HOST, TRUNK_HOST, LiveCentre, running_centre
from tests.support.plain_message import sdp, write
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool
from tests.torture.mutate import mutated, rtcp, rtp
from tests.torture.rfc4475_odd import ODD
from tests.torture.rfc4475_refused import REFUSED
from tests.torture.rfc4475_valid import VALID

CALLS = 3
ROUND = 50
GROWTH_BOUND = 64 << 20
"""Bytes that the engine may be larger afterwards: transactions and records of what was taken for calls."""
ACK_TIMEOUT_S = 40.0
"""After 64 * T1 a caller who was answered and says nothing is given up (RFC 3261 13.3.1.4)."""


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    sip: int = 0
    media: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    """Responses to what was mutated, by status."""
    longest_gap_s: float = 0.0
    """In which one of those who talk did not hear the other."""
    growth: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        answers = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.sip} SIP datagrams, {self.media} RTP and RTCP packets in {self.seconds:.1f} s; "
            f"{CALLS} calls unharmed, longest gap {self.longest_gap_s * 1e3:.0f} ms; "
            f"engine grew by {self.growth >> 10} KiB; answers {answers}"
        )


def requests(sender: tuple[str, int], live: Sequence[str]) -> list[bytes]:
    """Good messages to make bad ones of: RFC 4475's, and those that an engine sees, some with the Call-ID of one of the
    calls that stand, `live`. None of those has the call's tags as well: who knows both may end it."""
    found = [case.data for case in (*VALID, *ODD, *REFUSED)]
    host, port = sender
    for number, method in enumerate(("INVITE", "REGISTER", "OPTIONS", "ACK", "BYE", "CANCEL", "UPDATE", "INFO")):
        for call_id in (f"fuzz{number}", *live):
            fields = [
                ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}{call_id};rport"),
                ("Max-Forwards", "70"),
                ("From", f'"Fuzz" <sip:fuzz@{host}>;tag=f{number}'),
                ("To", "<sip:601@127.0.0.1>" + (";tag=guess" if method in {"BYE", "ACK", "INFO"} else "")),
                ("Call-ID", call_id),
                ("CSeq", f"{number + 1} {method}"),
                ("Contact", f"<sip:fuzz@{host}:{port}>"),
                ("Authorization", 'Digest username="alice0", realm="hearthline", nonce="x", uri="sip:x", response="y"'),
            ]
            body = sdp(host, port + 2) if method == "INVITE" else b""
            extra = [("Content-Type", "application/sdp")] if body else []
            found.append(write(f"{method} sip:601@127.0.0.1 SIP/2.0", [*fields, *extra], body))
    for status in (100, 180, 200, 401, 486, 503):
        fields = [("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bKr"), ("From", "<sip:a@b>;tag=1")]
        fields += [("To", "<sip:c@d>;tag=2"), ("Call-ID", live[0]), ("CSeq", "1 INVITE")]
        found.append(write(f"SIP/2.0 {status} Whatever", fields))
    return found


class Fuzz:
    """One run against one centre."""

    def __init__(self, centre: LiveCentre, *, count: int, seed: int, to_the_end: bool) -> None:
        self.outcome = Outcome()
        self._centre = centre
        self._count = count
        self._to_the_end = to_the_end
        self._chance = random.Random(seed)
        self._pairs: list[tuple[PlainPhone, PlainPhone]] = []
        self._talks: list[Talk] = []

    def run(self) -> Outcome:
        """Everything, with the checks. Raises AssertionError for what must not be."""
        began = time.monotonic()
        self._call()
        process = psutil.Process(self._centre.engine.process.pid)
        before = process.memory_info().rss
        calls = self._live_calls()
        talking_since = time.monotonic()
        self._send_sip()
        self._send_media()
        self._assert_unharmed(calls, talking_since)
        self.outcome.growth = process.memory_info().rss - before
        assert self.outcome.growth < GROWTH_BOUND, f"the engine grew by {self.outcome.growth} bytes"
        self._hang_up()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _call(self) -> None:
        for number in range(CALLS):
            agent, caller = self._centre.agent(f"alice{number}", "demo"), self._centre.caller(f"555{number}")
            talk, _ = self._centre.connect(caller, agent)
            self._pairs.append((caller, agent))
            self._talks.append(talk)

    def _live_calls(self) -> set[str]:
        items = self._centre.engine.api.get("/api/v1/calls")["items"]
        return {item["call"] for item in items if item["phase"] == "talking"}

    # --- SIP ---

    def _send_sip(self) -> None:
        with ExitStack() as held:
            senders = [held.enter_context(self._socket(host)) for host in (STRANGER_HOST, TRUNK_HOST, "127.0.0.1")]
            call_ids = [talk.call_id for talk in self._talks]
            corpora = [requests(each.getsockname(), call_ids) for each in senders]
            while self.outcome.sip < self._count:
                for _ in range(min(ROUND, self._count - self.outcome.sip)):
                    # Mostly a stranger: what a trunk sends may begin a call, of which there are not so many ports.
                    which = self._chance.choices(range(3), weights=(6, 2, 2))[0]
                    senders[which].sendto(mutated(self._chance, corpora[which]), self._centre.sip)
                    self.outcome.sip += 1
                self._must_answer()
                for each in senders:
                    self._count_answers(each)

    @staticmethod
    def _socket(host: str) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host, 0))
        made.setblocking(False)
        return made

    def _count_answers(self, sender: socket.socket) -> None:
        while True:
            try:
                data = sender.recv(65535)
            except BlockingIOError:
                return
            if data.startswith(b"SIP/2.0 "):
                self.outcome.statuses[int(data[8:11])] += 1

    def _must_answer(self) -> None:
        assert self._pairs[0][1].probe().status == 200

    # --- media ---

    def _send_media(self) -> None:
        """At the media ports of the calls: from strangers, and from the ports of those whom the engine hears."""
        phones = [phone for pair in self._pairs for phone in pair]
        with self._socket(STRANGER_HOST) as stranger, ExitStack() as held:
            control = {}
            for phone in phones:
                control[phone] = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                control[phone].bind((phone.voice.address[0], phone.voice.address[1] + 1))
            while self.outcome.media < self._count:
                for _ in range(min(ROUND, self._count - self.outcome.media)):
                    phone = self._chance.choice(phones)
                    assert phone.voice.peer is not None
                    host, port = phone.voice.peer
                    match self._chance.randrange(4):
                        case 0:
                            stranger.sendto(rtp(self._chance), (host, port))
                        case 1:
                            stranger.sendto(rtcp(self._chance), (host, port + 1))
                        case 2:
                            phone.voice.send_raw(rtp(self._chance))
                        case _:
                            control[phone].sendto(rtcp(self._chance), (host, port + 1))
                    self.outcome.media += 1
                # A media process reads as fast as people talk: give it a tick.
                time.sleep(0.02)
                self._must_answer()

    # --- what must be true ---

    def _assert_unharmed(self, calls: set[str], since: float) -> None:
        until = time.monotonic()
        for one, other in self._pairs:
            self._centre.hear_each_other(one, other)
            for end, peer in ((one, other), (other, one)):
                gap = end.voice.longest_gap(peer.voice.mark, since, until)
                self.outcome.longest_gap_s = max(self.outcome.longest_gap_s, gap)
        assert calls <= self._live_calls(), "a call that stood was harmed"
        assert len(calls) == CALLS
        assert [talk.bye for talk in self._talks] == [None] * CALLS
        assert self._centre.metric("hearthline_defects_total") == 0, self._centre.engine.process.tail()
        assert self._centre.not_ready() == []

    def _hang_up(self) -> None:
        for talk in self._talks:
            assert talk.hang_up().status == 200
        self._centre.prove_a_call()
        if self._to_the_end:
            # What was answered to a caller who never was there ends by itself, and every port comes back.
            self._centre.no_legs(timeout=ACK_TIMEOUT_S)
            self._centre.at_rest()


def fuzz(ports: PortPool, directory: Path, *, count: int, seed: int, to_the_end: bool) -> Outcome:
    """Start an engine and send it `count` mutated datagrams of each kind; `to_the_end` waits until the last call that
    one of them began has been given up."""
    # The guard would drop most of it unread; here everything is to be read.
    with running_centre(ports, directory, media={"dead_s": 5.0}, guard={"trusted": ["127.0.0.0/8"]}) as centre:
        return Fuzz(centre, count=count, seed=seed, to_the_end=to_the_end).run()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="datagrams of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what is sent depends on this alone (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hearthline-fuzz-") as directory:
        print(fuzz(PortPool(), Path(directory), count=options.count, seed=options.seed, to_the_end=True))


if __name__ == "__main__":
    main()
