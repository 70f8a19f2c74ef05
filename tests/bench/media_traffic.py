"""The far ends of many calls, in a process of their own: 20 ms of G.711 each way, stamped with its time.

    python -m tests.bench.media_traffic PLAN.json

The plan: {"address": ours, "ends": [End ...], "warm_s", "run_s", "jitter_ms"}. An end that speaks sends stamps
(`media_stamps`), any other silence; whatever stamps come to an end are counted for its group. Prints "ready" when its
sockets are bound, starts at a line on standard input, prints "warm" when measuring begins and at the end one JSON
object with the figures of each group.

The time of arrival is the kernel's (SO_TIMESTAMPNS), so that this process may read its sockets at leisure.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pylibsrtp import Error, Policy, Session

from engine.media.commands import Codec
from tests.bench import media_stamps
from tests.bench.media_packets import Receiver, Sender, far_socket

FRAME: Final = 160
HEADER: Final = 12
TAG: Final = 10
"""Octets that AES_CM_128_HMAC_SHA1_80 adds."""
LOOK_S: Final = 0.0005
PTIME_US: Final = 20_000
READ_US: Final = 200_000
"""Every socket is read so often."""
TAIL_S: Final = 0.3
"""Said after measuring, and not counted."""
_TYPES: Final = {Codec.PCMU: 0, Codec.PCMA: 8}
_SILENCE: Final = {Codec.PCMU: 0xFF, Codec.PCMA: 0xD5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """SDES of AES_CM_128_HMAC_SHA1_80, in Base64."""

    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One far end."""

    port: int
    peer: tuple[str, int]
    codec: Codec = Codec.PCMU
    speaks: bool = True
    srtp: Keys | None = None
    group: str = ""
    """What is heard is counted for it."""
    from_group: str = ""
    """For whom what is said is counted; empty for `group`."""


def as_json(ends: list[End]) -> list[dict[str, Any]]:
    return [asdict(end) for end in ends]


def _end(values: dict[str, Any]) -> End:
    keys = values["srtp"] and Keys(**values["srtp"])
    return End(**{**values, "peer": tuple(values["peer"]), "codec": Codec(values["codec"]), "srtp": keys})


def _session(key: str, direction: int) -> Session:
    return Session(Policy(key=b64decode(key), ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80))


class Ear:
    """What one far end hears: the stamps in its stream."""

    def __init__(self, end: End, address: str) -> None:
        self.end = end
        self.socket = far_socket(address, end.port, end.peer)
        self.opener = _session(end.srtp.theirs, Policy.SSRC_ANY_INBOUND) if end.srtp else None
        self.packets = 0
        self.latency_ms: list[NDArray[np.float64]] = []
        self.sent_us: list[NDArray[np.float64]] = []
        self._codes = np.zeros(0, np.uint8)
        self._begins = np.zeros(0)
        """When the packet of each sample came."""

    def read(self, receiver: Receiver) -> None:
        """Take in what has come."""
        packets, sizes, arrived = receiver.take(self.socket)
        if len(packets) and self.opener is not None:
            packets, sizes, arrived = self._open(packets, sizes, arrived)
        fits = sizes == HEADER + FRAME
        packets, arrived = packets[fits], arrived[fits]
        if not len(packets):
            return
        self.packets += len(packets)
        codes = packets[:, HEADER : HEADER + FRAME].reshape(-1)
        heard_at = (arrived[:, np.newaxis] + np.arange(FRAME) * 125.0).reshape(-1)
        keep = media_stamps.SIZE - 1
        codes, heard_at = np.concatenate((self._codes, codes)), np.concatenate((self._begins, heard_at))
        places, sent = media_stamps.read(codes, self.end.codec)
        late = media_stamps.latencies(heard_at[places], sent)
        self.latency_ms.append(late)
        self.sent_us.append(heard_at[places] - late * 1000)
        self._codes, self._begins = codes[-keep:], heard_at[-keep:]

    def _open(
        self, packets: NDArray[np.uint8], sizes: NDArray[np.int64], arrived: NDArray[np.float64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
        assert self.opener is not None
        for row, size in enumerate(sizes):
            try:
                plain = self.opener.unprotect(packets[row, :size].tobytes())
            except Error:
                sizes[row] = 0
                continue
            packets[row, : len(plain)] = np.frombuffer(plain, np.uint8)
            sizes[row] = len(plain)
        return packets, sizes, arrived


class Traffic:
    """Sends on time, reads now and then."""

    def __init__(self, address: str, ends: list[End], jitter_ms: float) -> None:
        self.ends = ends
        self.ears = [Ear(end, address) for end in ends]
        self._jitter_us = jitter_ms * 1000
        sizes = [HEADER + FRAME + (TAG if end.srtp else 0) for end in ends]
        self._sender = Sender(address, [end.port for end in ends], [end.peer for end in ends], sizes)
        self._sealers = {
            row: _session(end.srtp.ours, Policy.SSRC_ANY_OUTBOUND) for row, end in enumerate(ends) if end.srtp
        }
        self._plain = np.zeros((len(ends), HEADER + FRAME), np.uint8)
        rng = np.random.default_rng()
        self._rng = rng
        for row, end in enumerate(ends):
            self._plain[row, 0], self._plain[row, 1] = 0x80, _TYPES[end.codec]
            self._plain[row, 8:12] = rng.integers(0, 256, 4)
            self._plain[row, HEADER:] = _SILENCE[end.codec]
        self._speaks = {
            codec: np.array([end.speaks and end.codec is codec for end in ends]) for codec in (Codec.PCMU, Codec.PCMA)
        }
        self._number = np.zeros(len(ends), np.int64)
        self.sent: list[tuple[float, NDArray[np.intp]]] = []

    def run(self, warm_s: float, run_s: float) -> tuple[float, float]:
        """Talk. When measuring began and ended, in microseconds of the epoch."""
        start = time.time_ns() / 1000
        begin = start + warm_s * 1e6
        end = begin + run_s * 1e6
        base = start + self._rng.uniform(0, PTIME_US, len(self.ends))
        due = base + self._rng.uniform(0, self._jitter_us, len(self.ends))
        receiver = Receiver()
        share = max(1, round(len(self.ears) * LOOK_S * 1e6 / READ_US) + 1)
        told, at = False, 0
        # Who falls silent is repeated for a moment by whoever hides what is lost: nobody does before all is heard.
        while (now := time.time_ns() / 1000) < end + TAIL_S * 1e6:
            if not told and now >= begin:
                told = True
                print("warm", flush=True)
            rows = np.flatnonzero(due <= now)
            if len(rows):
                self._send(rows)
                base[rows] += PTIME_US
                due[rows] = base[rows] + self._rng.uniform(0, self._jitter_us, len(rows))
            for _ in range(share):
                self.ears[at].read(receiver)
                at = (at + 1) % len(self.ears)
            rest = (due.min() - time.time_ns() / 1000) / 1e6
            if rest > 0:
                time.sleep(max(rest, LOOK_S))
        print("done", flush=True)
        time.sleep(0.4)
        for ear in self.ears:
            ear.read(receiver)
        return begin, end

    def _send(self, rows: NDArray[np.intp]) -> None:
        now = time.time_ns() // 1000
        plain = self._plain[rows]
        number = self._number[rows]
        self._number[rows] += 1
        plain[:, 2:4] = (number & 0xFFFF).astype(">u2")[:, np.newaxis].view(np.uint8)
        plain[:, 4:8] = (number * FRAME & 0xFFFFFFFF).astype(">u4")[:, np.newaxis].view(np.uint8)
        for codec, speaks in self._speaks.items():
            chosen = np.flatnonzero(speaks[rows])
            if len(chosen):
                codes = plain[chosen, HEADER:]
                media_stamps.write(codes, now, media_stamps.symbols(codec))
                plain[chosen, HEADER:] = codes
        self._sender.payload[rows, : HEADER + FRAME] = plain
        for at, row in enumerate(rows):
            sealer = self._sealers.get(int(row))
            if sealer is not None:
                sealed = sealer.protect(plain[at].tobytes())
                self._sender.payload[row, : len(sealed)] = np.frombuffer(sealed, np.uint8)
        self._sender.send(rows)
        self.sent.append((now, rows))

    def figures(self, begin: float, end: float) -> dict[str, dict[str, float]]:
        """By group."""
        said = np.zeros(len(self.ends), np.int64)
        for now, rows in self.sent:
            if begin <= now < end:
                said[rows] += 1
        groups = sorted({end.group for end in self.ends})
        return {group: self._of(group, said, begin, end) for group in groups}

    def _of(self, group: str, said: NDArray[np.int64], begin: float, end: float) -> dict[str, float]:
        sent = sum(
            int(said[row])
            for row, each in enumerate(self.ends)
            if each.speaks and (each.from_group or each.group) == group
        )
        ears = [ear for ear in self.ears if ear.end.group == group]
        jitters, late = [], []
        for ear in ears:
            found = np.concatenate(ear.latency_ms) if ear.latency_ms else np.zeros(0)
            times = np.concatenate(ear.sent_us) if ear.sent_us else np.zeros(0)
            found = found[(times >= begin) & (times < end)]
            late.append(found)
            if len(found) > 1:
                jitters.append(float(np.abs(np.diff(found)).mean()))
        heard = np.sort(np.concatenate(late)) if late else np.zeros(0)
        p50, p99, p999, worst = np.quantile(heard, (0.5, 0.99, 0.999, 1.0)) if len(heard) else (0.0,) * 4
        return {
            "sent": sent,
            "heard": len(heard),
            "packets": sum(ear.packets for ear in ears),
            "loss": 1 - len(heard) / sent if sent else 0.0,
            "p50_ms": float(p50),
            "p99_ms": float(p99),
            "p999_ms": float(p999),
            "max_ms": float(worst),
            "jitter_ms": float(np.mean(jitters)) if jitters else 0.0,
        }


def take_part() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    traffic = Traffic(plan["address"], [_end(values) for values in plan["ends"]], plan["jitter_ms"])
    print("ready", flush=True)
    sys.stdin.readline()
    begin, end = traffic.run(plan["warm_s"], plan["run_s"])
    print(json.dumps(traffic.figures(begin, end)), flush=True)


if __name__ == "__main__":
    take_part()
