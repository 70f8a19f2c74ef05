"""`make fuzz`: a million mutated RTP, RTCP and SRTP packets at live legs. No exception; what others hear stays the same
to the bit; nothing grows.

    python -m tests.torture.fuzz_rtp [--count 1000000] [--live-count 60000] [--seed 1] [--result FILE]

Most go to the pure part of a media process in this one, in virtual time, beside a twin of it that is spared: after each
tick the bystanders of both must have been sent the same. The rest go to a real media process, in which two people talk
meanwhile and must hear every packet. Writes build/fuzz/fuzz_rtp.json, or where `--result` says.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import psutil

from engine.media.commands import SrtpSuite
from engine.media.leg import Leg
from engine.media.rtcp import RtcpSession
from engine.media.srtp import NotSealed, Sealer
from engine.media.transmission import Transmission
from tests.support.media_fakes import HEADER
from tests.torture.mutate import mutated, rtcp, rtp
from tests.torture.result import write_result
from tests.torture.rtp_live import LiveVoices, at_a_live_process
from tests.torture.rtp_side import BYSTANDERS, PEER, SEALED, VICTIMS, Side, keys_of

AT_ONCE: Final = 60
"""Packets in one tick of 20 ms, at all legs together."""
_WARM: Final = 0.2
"""Of the packets, after which memory should grow no more."""
_OVERHEARD: Final = 200
"""Packets that went by and are kept to be sent again, as they were or with a flaw."""
_STRANGER: Final = ("203.0.113.66", 4000)
_NAMES: Final = tuple(VICTIMS)
_MEDDLE: Final = 25
"""Ticks between what control does."""
_REPORT: Final = 50
"""Ticks between reports of each encrypted peer."""


@dataclass(slots=True, kw_only=True)
class RtpOutcome:
    """What came of one run."""

    packets: int = 0
    seconds: float = 0.0
    ticks_that_differ: int = 0
    """In which a bystander was sent something else than its twin."""
    heard: int = 0
    """Packets that bystanders were sent."""
    taped: int = 0
    """Octets that were recorded of two of them."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Of the packets."""
    honest: int = 0
    """Sealed packets of the peers of encrypted legs, sent between the others."""
    honest_passed: int = 0
    """Of them, what came through."""
    events: Counter[str] = field(default_factory=Counter)
    """What the victims made the process say."""
    mib_grown: float = 0.0
    """Of this process, after the first fifth."""
    live: LiveVoices = field(default_factory=LiveVoices)

    def problems(self) -> list[str]:
        """What misses the bounds."""
        found = list(self.live.problems())
        if self.ticks_that_differ:
            found.append(f"in {self.ticks_that_differ} ticks bystanders heard something else")
        if self.honest_passed < self.honest:
            found.append(f"{self.honest - self.honest_passed} authentic packets were lost")
        if self.mib_grown > 30:
            found.append(f"memory grew by {self.mib_grown} MiB")
        return found

    def told(self) -> dict[str, object]:
        return asdict(self) | {
            "events": dict(sorted(self.events.items())),
            "kinds": dict(sorted(self.kinds.items())),
            "victims": list(VICTIMS),
            "bystanders": list(BYSTANDERS),
        }


class RtpFuzz:
    """One run in this process."""

    def __init__(self, *, count: int, seed: int) -> None:
        self.outcome = RtpOutcome()
        self._count = count
        self._chance = random.Random(seed)
        self._hit, self._spared = Side(), Side()
        wrong = Sealer(SrtpSuite.AES_CM_128_HMAC_SHA1_80, b64encode(b"w" * 30).decode())
        report = RtcpSession(b"peer").compound(
            Transmission(ssrc=7, seq=1, stamp=1), self._hit.wired.leg("one").rx, 1.0, 1.0
        )
        voice = HEADER.pack(0x80, 0, 100, 16_000, 7) + b"\x55" * 160
        press = HEADER.pack(0x80, 101, 100, 16_000, 7) + b"\x05\x8a\x03\x20"
        self._strange = [Sealer(suite, keys_of(suite).ours) for suite in SrtpSuite]
        self._corpus = [voice, voice, press, report, bytes(wrong.rtp(memoryview(bytearray(voice)))), wrong.rtcp(report)]
        self._report = report
        self._overheard = [(data, False) for data in self._corpus]
        """And whether each is RTCP."""

    def run(self) -> RtpOutcome:
        outcome, process = self.outcome, psutil.Process()
        began, number, memory = time.monotonic(), 0, 0.0
        while outcome.packets < self._count:
            number += 1
            for side in (self._hit, self._spared):
                for name in BYSTANDERS:
                    side.say(name, number)
            for _ in range(AT_ONCE):
                self._throw()
            self._speak_sealed(number)
            if number % _MEDDLE == 0:
                self._hit.meddle(self._chance)
            for side in (self._hit, self._spared):
                side.wired.sockets.pen.let_out(side.bench.now)
                side.bench.pass_tick()
            heard, taped = self._hit.bystanders_heard()
            outcome.heard += sum(map(len, heard))
            outcome.taped += sum(map(len, taped))
            outcome.ticks_that_differ += (heard, taped) != self._spared.bystanders_heard()
            outcome.events.update(type(event).__name__ for event in self._hit.bench.told())
            self._spared.bench.told()
            if not memory and outcome.packets >= _WARM * self._count:
                memory = process.memory_info().rss
        outcome.mib_grown = round(max(0.0, process.memory_info().rss - memory) / 2**20, 1)
        outcome.seconds = round(time.monotonic() - began, 1)
        return outcome

    def _throw(self) -> None:
        chance, hit = self._chance, self._hit
        leg = hit.wired.leg(chance.choice(_NAMES))
        port = leg.port
        if leg.name == "moving" and chance.random() < 0.5:
            port = hit.second_port(leg)
        source = PEER if chance.random() < 0.8 else _STRANGER
        kind, data, to_rtcp = self._packet(leg)
        self.outcome.packets += 1
        self.outcome.kinds[kind] += 1
        hit.wired.packet(port + to_rtcp, source, data)

    def _packet(self, leg: Leg) -> tuple[str, bytes, bool]:
        """What it is, the packet, and whether it goes to the port of RTCP."""
        chance = self._chance
        way = chance.randrange(7)
        if way in (0, 1):
            return ("RTP", rtp(chance), False) if way else ("RTCP", rtcp(chance), chance.random() < 0.9)
        if way == 2:
            return "mutated RTP or RTCP", mutated(chance, self._corpus)[:1500], chance.random() < 0.5
        if way in (3, 4):
            data, is_rtcp = chance.choice(self._overheard)
            kind = "SRTCP" if is_rtcp else "SRTP"
            again = chance.random() < 0.3
            return (
                f"{kind} {'again' if again else 'mutated'}",
                data if again else mutated(chance, [data])[:1500],
                is_rtcp,
            )
        # What is nearly right: the agreed number, and leaps of everything else; or that, encrypted by another key.
        number = chance.choice((leg.payload_type, leg.dtmf_type or 0, 13)) | chance.choice((0, 0, 0x80))
        ssrc = chance.choice((7, 7, chance.getrandbits(32)))
        head = HEADER.pack(0x80, number, chance.getrandbits(16), chance.getrandbits(32), ssrc)
        data = head + chance.randbytes(chance.choice((1, 4, 80, 160, 160, 240, 480, 640)))
        return ("nearly right", data, False) if way == 5 else self._by_a_wrong_key(data)

    def _mutated(self, data: bytes) -> bytes:
        return mutated(self._chance, [data])[:1500]

    def _by_a_wrong_key(self, data: bytes) -> tuple[str, bytes, bool]:
        sealer = self._chance.choice(self._strange)
        try:
            return "SRTP by a wrong key", bytes(sealer.rtp(memoryview(bytearray(data)))), False
        except NotSealed:
            return "SRTCP by a wrong key", sealer.rtcp(self._report), True

    def _speak_sealed(self, number: int) -> None:
        """The real peers of encrypted legs go on; each of their packets must reach who hears them."""
        for name in SEALED:
            leg, hearer = self._hit.wired.leg(name), self._hit.wired.leg(f"{name}-hearer")
            leg.settle()
            before = hearer.tx.packets
            sealed = self._hit.say(name, number)
            leg.settle()
            self.outcome.honest += 1
            self.outcome.honest_passed += hearer.tx.packets - before
            if len(self._overheard) < _OVERHEARD:
                self._overheard.append((sealed, False))
            if number % _REPORT == 0:
                report = self._hit.report(name, self._report)
                if len(self._overheard) < 2 * _OVERHEARD:
                    self._overheard.append((report, True))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="packets in this process (%(default)s)")
    parser.add_argument("--live-count", type=int, default=60_000, help="at a real media process (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what is sent depends on this alone (%(default)s)")
    parser.add_argument("--result", type=Path, help="where the figures go")
    asked = parser.parse_args()
    fuzz, problems = RtpFuzz(count=asked.count, seed=asked.seed), []
    try:
        fuzz.run()
        with tempfile.TemporaryDirectory(prefix="hearthline-fuzz-") as directory:
            fuzz.outcome.live = at_a_live_process(Path(directory), count=asked.live_count, seed=asked.seed)
    except Exception as ended:
        # What a long run has counted is not to be lost with what ended it.
        problems = [f"ended early by {type(ended).__name__}: {ended}"]
    problems += fuzz.outcome.problems()
    told = fuzz.outcome.told()
    path = write_result("fuzz_rtp", asked.result, **told, outcome="; ".join(problems) or "ok")
    print(f"fuzz_rtp: {told}; {'; '.join(problems) or 'ok'}; {path}")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
