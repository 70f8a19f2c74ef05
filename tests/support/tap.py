"""A line between a telephone and the engine, or the engine and its provider, UDP or TCP, octets unchanged, on which
every octet is noted. What passes below SIP can be seen so, such as keep-alives."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Literal, NamedTuple

from engine.sip.stun import mapped_address


class Piece(NamedTuple):
    """What went over the line in one go."""

    up: bool
    """To the server."""
    data: bytes


class Tap:
    """Takes one telephone's UDP datagrams, or TCP connections, at `address` and goes on to `server` from the same host.
    Use it as a context manager."""

    def __init__(self, host: str, server: tuple[str, int], transport: Literal["udp", "tcp"]) -> None:
        self._host, self._server, self._transport = host, server, transport
        self.pieces: list[Piece] = []
        """Everything, in order."""
        self.outer: list[tuple[str, int]] = []
        """Where the server saw the telephone, one for each connection."""
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._phone: tuple[str, int] | None = None
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._listening = socket.socket(socket.AF_INET, kind)
        self._listening.bind((host, 0))
        self.address: tuple[str, int] = self._listening.getsockname()
        if transport == "tcp":
            self._listening.listen()
        else:
            self._join(self._listening, self._reach())
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._open = True
        self._thread = threading.Thread(target=self._serve, name="tap", daemon=True)
        self._thread.start()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()
        for each in {*self._peers, self._listening}:
            each.close()
        self._selector.close()

    def __repr__(self) -> str:
        return "\n".join(f"{'>>>' if each.up else '<<<'} {each.data.decode(errors='replace')}" for each in self.pieces)

    def passed(self, data: bytes, *, up: bool) -> int:
        """How often exactly this went that way in one go."""
        return self.pieces.count(Piece(up, data))

    def stun_answers(self, *, up: bool) -> list[tuple[str, int]]:
        """The addresses that answers to STUN requests which went that way have named."""
        asked = {each.data[8:20] for each in self.pieces if each.up is up and each.data.startswith(b"\x00\x01")}
        found = [mapped_address(each.data) for each in self.pieces if each.up is not up and each.data[0] < 4]
        return [(each[1].host, each[1].port) for each in found if each is not None and each[0] in asked]

    def _reach(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, self._listening.type)
        made.bind((self._host, 0))
        made.connect(self._server)
        self.outer.append(made.getsockname())
        return made

    def _join(self, inner: socket.socket, outer: socket.socket) -> None:
        self._peers |= {inner: outer, outer: inner}
        self._selector.register(outer, selectors.EVENT_READ)

    def _serve(self) -> None:
        while self._open:
            for key, _ in self._selector.select(0.05):
                with suppress(OSError):
                    self._take(key.fileobj)  # type: ignore[arg-type]

    def _take(self, source: socket.socket) -> None:
        if self._transport == "tcp" and source is self._listening:
            inner, _ = source.accept()
            self._selector.register(inner, selectors.EVENT_READ)
            self._join(inner, self._reach())
        elif self._transport == "udp":
            self._datagram(source)
        else:
            self._stream(source)

    def _datagram(self, source: socket.socket) -> None:
        data, address = source.recvfrom(65535)
        up = source is self._listening
        self.pieces.append(Piece(up, data))
        if up:
            self._phone = address
            self._peers[source].send(data)
        elif self._phone is not None:
            self._listening.sendto(data, self._phone)

    def _stream(self, source: socket.socket) -> None:
        data = source.recv(65535)
        sink = self._peers[source]
        if data:
            self.pieces.append(Piece(sink.getpeername() == self._server, data))
            sink.sendall(data)
            return
        for each in (source, sink):
            self._selector.unregister(each)
            each.close()
            del self._peers[each]
