"""A sender of 100,000 RTP packets a second: `python -m tests.support.flooder HOST PORT TO_PORT SECONDS`.

Many packets leave by one system call (UDP_SEGMENT, Linux 4.18): a plain loop of Python sends a fifth of that. Prints
how many packets a second it sent.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

_HEADER = struct.Struct("!BBHII")
_UDP_SEGMENT = 103
_SIZE = 172
_AT_ONCE = 64
"""The kernel's bound (UDP_MAX_SEGMENTS)."""
RATE = 100_000
SSRC = 0xF100D


def flood(sock: socket.socket, there: tuple[str, int], seconds: float) -> int:
    """Send at `RATE` for so long; how many packets that were. Their numbers rise, and their stamps much too fast."""
    sock.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, _SIZE)
    bunches = [
        b"".join(
            _HEADER.pack(0x80, 0, seq & 0xFFFF, seq * 160 & 0xFFFFFFFF, SSRC) + b"\x5a" * 160
            for seq in range(first, first + _AT_ONCE)
        )
        for first in range(0, 0x10000, _AT_ONCE)
    ]
    sent, began = 0, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if sent > passed * RATE:
            time.sleep(0.0005)
            continue
        try:
            sock.sendto(bunches[sent // _AT_ONCE % len(bunches)], there)
        except ConnectionRefusedError:
            continue
        sent += _AT_ONCE
    return sent


def main() -> None:
    host, port, to_port, seconds = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, int(port)))
        sent = flood(sock, ("127.0.0.1", int(to_port)), float(seconds))
    print(round(sent / float(seconds)))


if __name__ == "__main__":
    main()
