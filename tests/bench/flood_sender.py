"""A flood: REGISTER or INVITE from many strangers' addresses, at a rate, as one process. Standard library only.

    python -m tests.bench.flood_sender HOST PORT --rate 5000 --seconds 60 --method REGISTER --net 127.80

Sends from `--sources` addresses of the loopback network `--net`.x.y, prints how many datagrams left. Nothing is read:
answers pile up in the senders' sockets, as they would with a sender who forges its addresses.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Sequence

_SLICE_S = 0.005
"""Datagrams leave in bursts of this much time, so that pacing costs little."""


def messages(method: str, sources: Sequence[str], server: str) -> list[bytes]:
    """One request for each source, as a phone would send it."""
    made = []
    for number, host in enumerate(sources):
        user = f"user{number % 977}"
        uri = f"sip:{server}" if method == "REGISTER" else f"sip:{number}@{server}"
        body = ""
        if method == "INVITE":
            body = (
                f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
                "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
            )
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bKflood{number};rport",
            "Max-Forwards: 70",
            f"From: <sip:{user}@{server}>;tag=f{number}",
            f"To: <sip:{user}@{server}>",
            f"Call-ID: flood-{number}@{host}",
            f"CSeq: {number + 1} {method}",
            f"Contact: <sip:{user}@{host}:5060>",
            "User-Agent: Example Phone 1.2",
            *(["Content-Type: application/sdp"] if body else ["Expires: 300"]),
            f"Content-Length: {len(body)}",
        ]
        made.append("\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode())
    return made


def flood(server: tuple[str, int], *, rate: float, seconds: float, method: str, net: str, sources: int) -> int:
    """Send; how many datagrams left."""
    hosts = [f"{net}.{number // 250}.{number % 250 + 1}" for number in range(sources)]
    lines = []
    for host in hosts:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.bind((host, 0))
        lines.append(line)
    # Each branch and Call-ID of its own, so that nothing is taken for a repetition.
    pairs = [
        (lines[number % sources].sendto, data)
        for number, data in enumerate(messages(method, hosts * max(1, 4000 // sources), f"{server[0]}:{server[1]}"))
    ]
    began = time.monotonic()
    sent = turn = 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate)
        while sent < due:
            send, data = pairs[turn]
            turn = turn + 1 if turn + 1 < len(pairs) else 0
            send(data, server)
            sent += 1
        time.sleep(_SLICE_S)
    for line in lines:
        line.close()
    return sent


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=5000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--method", default="REGISTER")
    parser.add_argument("--net", default="127.80")
    parser.add_argument("--sources", type=int, default=400)
    given = parser.parse_args()
    print(
        flood(
            (given.host, given.port),
            rate=given.rate,
            seconds=given.seconds,
            method=given.method,
            net=given.net,
            sources=given.sources,
        )
    )


if __name__ == "__main__":
    main()
