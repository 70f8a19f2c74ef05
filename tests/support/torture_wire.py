"""Sends torture messages to a running engine and tells what it answered; tidies up the calls that come of them."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Literal

from tests.support.plain_message import Heard, cut, read, token, write

Wire = Literal["udp", "tcp"]

_URI = re.compile(rb"sips?:[^@\s<>]*@[^\s;?<>]+")
_TO = re.compile(rb"(?im)^(to|t)[ \t]*:")
_CALL_ID = re.compile(rb"(?im)^((?:call-id|i)[ \t]*:[ \t]*)")
_BRANCH = re.compile(rb"(?i)(branch\s*=\s*z9hG4bK)(?=[^\s;,])")


def made_unlike(data: bytes, mark: str) -> bytes:
    """The same with another Call-ID and branch, as a client would send it again: else it counts as a repetition, or as
    the same request by another path (RFC 3261 8.2.2.2, 17.2.3)."""
    head, blank, body = data.partition(b"\r\n\r\n")
    head = _CALL_ID.sub(rb"\g<1>" + mark.encode(), head)
    return _BRANCH.sub(rb"\g<1>" + mark.encode(), head) + blank + body


def addressed_to(data: bytes, uri: str) -> bytes:
    """The same with this URI in the request line and in To, where there is one of user and host; parameters stay."""
    head, blank, body = data.partition(b"\r\n\r\n")
    start, line_end, fields = head.partition(b"\r\n")
    start = _URI.sub(uri.encode(), start, count=1)
    to = _TO.search(fields)
    if to is not None:
        fields = fields[: to.end()] + _URI.sub(uri.encode(), fields[to.end() :], count=1)
    return start + line_end + fields + blank + body


class TortureWire:
    """Somebody at `host`, who listens wherever an answer may be sent to: at the ports that Via fields name."""

    def __init__(self, host: str, server: tuple[str, int], ports: Iterable[int]) -> None:
        self._host, self._server = host, server
        self._stack = ExitStack()
        self._datagrams = self._bound(5060)
        self._listening = [self._datagrams, *(self._bound(port) for port in set(ports) - {5060})]
        self._streams: dict[socket.socket, bytearray] = {}
        self._sender: socket.socket = self._datagrams
        self.closed = False
        """The engine closed the connection that we sent by."""
        self._finished: set[str] = set()
        """Calls whose final answer we have acknowledged, by Call-ID: it may still come again."""

    def __enter__(self) -> TortureWire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def try_out(self, data: bytes, wire: Wire, expected: Sequence[int]) -> list[int]:
        """Send it, then an honest OPTIONS, which must be answered 200; the final statuses that `data` brought, in
        order. Answers are waited for until the first of `expected` is there; of silence, the OPTIONS' answer is proof,
        since the engine answers in order."""
        self.closed = False
        self._choose(wire)
        self._send(data)
        came: list[Heard] = []
        deadline = time.monotonic() + 3
        while not came and expected and time.monotonic() < deadline and not self.closed:
            came += self._receive(0.2)
        came += self._honest(wire)
        for each in came:
            self._finish(each, data)
        return [each.status for each in came]

    # --- inside ---

    def _honest(self, wire: Wire) -> list[Heard]:
        """What came before the answer to an OPTIONS of ours."""
        self._choose(wire)
        branch, call_id = token("z9hG4bK"), token("honest")
        via = f"SIP/2.0/{wire.upper()} {self._host}:5060;branch={branch};rport"
        own = f"<sip:honest@{self._host}>"
        fields = [("Via", via), ("Max-Forwards", "70"), ("From", f"{own};tag=h"), ("To", f"<sip:{self._server[0]}>")]
        data = write("OPTIONS sip:127.0.0.1 SIP/2.0", [*fields, ("Call-ID", call_id), ("CSeq", "1 OPTIONS")])
        before: list[Heard] = []
        deadline = time.monotonic() + 5
        self._send(data)
        while time.monotonic() < deadline:
            for heard in self._receive(0.2):
                if heard["call-id"] == call_id:
                    assert heard.status == 200, heard.start
                    return before
                before.append(heard)
        raise AssertionError("an honest OPTIONS was not answered")

    def _finish(self, heard: Heard, invite: bytes) -> None:
        """ACK a final answer to an INVITE; end the call that a 2xx began."""
        if heard.method != "INVITE":
            return
        self._finished.add(heard["call-id"])
        ok = heard.status < 300
        fields = [("From", heard["from"]), ("To", heard["to"]), ("Call-ID", heard["call-id"])]
        ack = ("CSeq", f"{heard.number} ACK")
        if not ok:
            # RFC 3261 17.1.1.3: of the INVITE's Request-URI and topmost Via.
            uri = invite.split(b"\r\n", 1)[0].decode(errors="replace").split()[1]
            via = re.sub(r";(received|rport)=[^;,]*", "", heard["via"].split(",")[0])
            self._send(write(f"ACK {uri} SIP/2.0", [("Via", via), *fields, ack]))
            return
        uri = heard.contact_uri
        via = f"SIP/2.0/UDP {self._host}:5060;branch={token('z9hG4bK')};rport"
        self._send(write(f"ACK {uri} SIP/2.0", [("Via", via), *fields, ack]))
        bye = ("CSeq", f"{heard.number + 1} BYE")
        self._send(write(f"BYE {uri} SIP/2.0", [("Via", via.replace("z9hG4bK", "z9hG4bKb")), *fields, bye]))
        self._await_end(heard["call-id"])

    def _await_end(self, call_id: str) -> None:
        """The answer to our BYE: 481 where the engine was quicker, as when our ACK brought no answer to its offer."""
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            for heard in self._receive(0.2):
                if heard.method == "BYE" and heard["call-id"] == call_id:
                    assert heard.status in (200, 481), heard.start
                    return
        raise AssertionError(f"the BYE of {call_id} was not answered")

    def _bound(self, port: int) -> socket.socket:
        made = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.bind((self._host, port))
        return made

    def _choose(self, wire: Wire) -> None:
        """Send by UDP from port 5060, or by a connection that was not used yet."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()
        if wire == "udp":
            self._sender = self._datagrams
            return
        made = self._stack.enter_context(socket.socket())
        made.bind((self._host, 0))
        made.connect(self._server)
        self._streams[made] = bytearray()
        self._sender = made

    def _send(self, data: bytes) -> None:
        if self._sender in self._streams:
            with suppress(BrokenPipeError, ConnectionResetError):
                self._sender.sendall(data)
        else:
            self._sender.sendto(data, self._server)

    def _receive(self, timeout: float) -> list[Heard]:
        """The final answers among what comes next."""
        found: list[Heard] = []
        ready, _, _ = select.select([*self._listening, *self._streams], [], [], timeout)
        for each in ready:
            found += [read(data) for data in self._messages(each)]
        return [each for each in found if each.status >= 200 and not self._again(each)]

    def _again(self, heard: Heard) -> bool:
        return heard.method == "INVITE" and heard["call-id"] in self._finished

    def _messages(self, ready: socket.socket) -> list[bytes]:
        try:
            data = ready.recv(65535)
        except ConnectionResetError:
            data = b""
        if ready not in self._streams:
            return [data]
        if not data:
            self.closed = True
            self._streams.pop(ready)
            ready.close()
            return []
        self._streams[ready] += data
        return list(cut(self._streams[ready]))
