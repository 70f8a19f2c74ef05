"""The far ends of N bridged calls, in a process of their own: 20 ms PCMU both ways, each packet stamped with its time.

    python -m tests.bench.media_traffic PLAN.json

The plan: {"address": ours, "ends": [[own port, peer address, peer port], ...], "pairs": [[i, j], ...], "warm_s",
"run_s"}. What end i sends is expected at the end that is paired with it. Prints "ready" when its sockets are bound,
starts at a line on standard input, prints "warm" when measuring begins and at the end one JSON object with the figures.

The time of sending stands in the payload as 16 hexadecimal digits, which as mu-law are loud samples with codes of their
own, so that it survives a mixer that adds silence; the time of arrival is the kernel's (SO_TIMESTAMPNS), so that this
process may read its sockets at leisure.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import time
from typing import Any

HEADER = struct.Struct("!BBHII")
KERNEL_TIME = struct.Struct("@qq")
SO_TIMESTAMPNS = 35
STAMP = slice(12, 28)
LOOK_S = 0.001
PTIME_NS = 20_000_000


class End:
    """One far end: a socket, its place in the 20 ms, what it got."""

    def __init__(self, port: int, peer: tuple[str, int], address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        self.socket.bind((address, port))
        self.socket.connect(peer)
        self.packet = bytearray(HEADER.size) + bytearray([0xFF]) * 160
        self.ssrc = random.getrandbits(32)
        self.sent = 0
        self.counted = 0
        self.received = 0
        self.last_transit = 0
        self.jitter = 0.0

    def send(self, now: int) -> None:
        HEADER.pack_into(self.packet, 0, 0x80, 0, self.sent & 0xFFFF, self.sent * 160 & 0xFFFFFFFF, self.ssrc)
        self.packet[STAMP] = b"%016x" % now
        self.sent += 1
        try:
            self.socket.send(self.packet)
        except ConnectionRefusedError:
            return


class Traffic:
    """Sends on time, reads now and then, counts while measuring."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.ends = [End(port, (peer, peer_port), plan["address"]) for port, peer, peer_port in plan["ends"]]
        self.transits: list[int] = []
        self.from_ns = self.to_ns = 0
        """Packets sent within these times count."""
        self.foreign = 0

    def run(self, warm_s: float, run_s: float) -> None:
        start = time.time_ns()
        self.from_ns = start + int(warm_s * 1e9)
        self.to_ns = self.from_ns + int(run_s * 1e9)
        phases = sorted((random.randrange(PTIME_NS), end) for end in self.ends)
        due = [(start + phase, end) for phase, end in phases]
        told = False
        at = 0
        while (now := time.time_ns()) < self.to_ns:
            if not told and now >= self.from_ns:
                told = True
                print("warm", flush=True)
            while due[at][0] <= now:
                moment, end = due[at]
                sent_at = time.time_ns()
                end.send(sent_at)
                end.counted += self.from_ns <= sent_at < self.to_ns
                self.read(end)
                due[at] = (moment + PTIME_NS, end)
                at = (at + 1) % len(due)
            time.sleep(max(0.0, min(LOOK_S, (due[at][0] - time.time_ns()) / 1e9)) or 0.0001)
        print("done", flush=True)
        time.sleep(0.3)
        for end in self.ends:
            self.read(end)

    def read(self, end: End) -> None:
        """Take in what has come to one end."""
        for _ in range(16):
            try:
                data, control, _, _ = end.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            self.count(end, data, control)

    def count(self, end: End, data: bytes, control: list[tuple[int, int, bytes]]) -> None:
        try:
            sent_ns = int(data[STAMP], 16)
        except ValueError:
            self.foreign += 1
            return
        if not self.from_ns <= sent_ns < self.to_ns:
            return
        seconds, nanoseconds = KERNEL_TIME.unpack_from(control[0][2])
        transit = seconds * 1_000_000_000 + nanoseconds - sent_ns
        end.received += 1
        if end.last_transit:
            end.jitter += (abs(transit - end.last_transit) - end.jitter) / 16
        end.last_transit = transit
        self.transits.append(transit)

    def figures(self) -> dict[str, float]:
        sent = sum(end.counted for end in self.ends)
        received = sum(end.received for end in self.ends)
        transits = sorted(self.transits) or [0]
        jitters = sorted(end.jitter for end in self.ends)
        return {
            "sent": sent,
            "received": received,
            "loss": 1 - received / sent if sent else 1.0,
            "transit_p50_ms": transits[len(transits) // 2] / 1e6,
            "transit_p99_ms": transits[len(transits) * 99 // 100] / 1e6,
            "transit_max_ms": transits[-1] / 1e6,
            "jitter_mean_ms": sum(jitters) / len(jitters) / 1e6,
            "jitter_max_ms": jitters[-1] / 1e6,
            "without_stamp": self.foreign,
        }


def take_part() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    traffic = Traffic(plan)
    print("ready", flush=True)
    sys.stdin.readline()
    traffic.run(plan["warm_s"], plan["run_s"])
    print(json.dumps(traffic.figures()), flush=True)


if __name__ == "__main__":
    take_part()
