"""Honest OPTIONS at a steady rate beside a fuzzer, from a process of its own, so that nothing else takes its time:

    python -m tests.torture.options_pulse HOST SERVER PORT RATE

goes on until its standard input is closed, then prints how many were sent and answered, and how long answers took: up
to the moment when the kernel put them into our socket, whenever this process comes to read them."""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

from tests.support.plain_message import write

_LAST_WAIT_S = 1.0
_SO_TIMESTAMPNS = 35
"""Linux's asm-generic/socket.h; the socket module has no name for it. Seconds and nanoseconds come as control data."""


def pulse(host: str, server: tuple[str, int], rate: float) -> dict[str, float]:
    """See the module."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    line.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    line.bind((host, 0))
    line.setblocking(False)
    sent: list[float] = []
    took: dict[int, float] = {}
    began = time.monotonic()
    end = float("inf")
    while time.monotonic() < end:
        now = time.monotonic()
        if end == float("inf"):
            if select.select([sys.stdin], [], [], 0)[0]:
                end = now + _LAST_WAIT_S
            # What could not be sent in time is not sent later in a heap: that would be another load.
            for _ in range(min(5, int((now - began) * rate) - len(sent))):
                sent.append(time.time())
                line.sendto(_options(line.getsockname(), server, len(sent) - 1), server)
            if (now - began) * rate - len(sent) > 50:
                began = now - len(sent) / rate
        select.select([line], [], [], 0.5 / rate)
        _take(line, sent, took)
    line.close()
    times = sorted(took.values()) or [float("inf")]
    return {
        "sent": len(sent),
        "answered": len(took),
        "p50_ms": round(times[len(times) // 2] * 1e3, 2),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1e3, 2),
        "max_ms": round(times[-1] * 1e3, 2),
    }


def _options(own: tuple[str, int], server: tuple[str, int], number: int) -> bytes:
    host, port = own
    fields = [
        ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bKpulse{number};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:pulse@{host}>;tag=p"),
        ("To", f"<sip:{server[0]}>"),
        ("Call-ID", f"pulse{port}-{number}"),
        ("CSeq", "1 OPTIONS"),
    ]
    return write(f"OPTIONS sip:{server[0]}:{server[1]} SIP/2.0", fields)


def _take(line: socket.socket, sent: list[float], took: dict[int, float]) -> None:
    while True:
        try:
            data, (control, *_), _, _ = line.recvmsg(65_535, socket.CMSG_SPACE(16))
        except BlockingIOError:
            return
        number = int(data.partition(b"z9hG4bKpulse")[2].partition(b";")[0])
        if data.startswith(b"SIP/2.0 200"):
            seconds, nanoseconds = struct.unpack("=qq", control[2])
            took.setdefault(number, seconds + nanoseconds / 1e9 - sent[number])


if __name__ == "__main__":
    print(json.dumps(pulse(sys.argv[1], (sys.argv[2], int(sys.argv[3])), float(sys.argv[4]))))
