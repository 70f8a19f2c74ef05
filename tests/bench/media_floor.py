"""The floor: packets received on connected sockets and sent on, with nothing done to them, by a loop in Python.

    python -m tests.bench.media_floor ADDRESS GATHER_S PORT:PEER ...

Each two PORT:PEER are a call: what comes on one is sent from the other. With a GATHER_S it sleeps so long between two
looks, as a loop does that has much to do; then all that is left is one receive and one send for each packet.
"""

from __future__ import annotations

import select
import socket
import sys
import time


def main() -> None:
    address, gather_s, *pairs = sys.argv[1:]
    gather = float(gather_s)
    sockets = []
    for pair in pairs:
        port, peer = pair.split(":")
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind(("127.0.0.1", int(port)))
        made.connect((address, int(peer)))
        sockets.append(made)
    poller = select.epoll()
    ways = {}
    for one, other in zip(sockets[::2], sockets[1::2], strict=True):
        for source, sink in ((one, other), (other, one)):
            ways[source.fileno()] = (source.recv_into, sink.send)
            poller.register(source.fileno(), select.EPOLLIN | select.EPOLLET)
    buffer = bytearray(2048)
    view = memoryview(buffer)[:172]
    print("ready", flush=True)
    while True:
        if gather:
            time.sleep(gather)
            ready = poller.poll(0, 1024)
        else:
            ready = poller.poll(-1, 1024)
        for descriptor, _ in ready:
            receive, send = ways[descriptor]
            try:
                while True:
                    receive(buffer)
                    send(view)
            except OSError:
                continue


if __name__ == "__main__":
    main()
