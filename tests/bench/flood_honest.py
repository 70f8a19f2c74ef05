"""Honest traffic beside a flood, on one thread: calls that stand, new calls by the trunk, agents that stay registered,
OPTIONS. It keeps SIP's own timers (RFC 3261 17.1: a request is sent again after T1, doubled) and reads the clock at
every answer, so that what it counts is what people would see."""

from __future__ import annotations

import heapq
import itertools
import re
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.support.plain_message import Field, Heard, answer, authorization, read, sdp, token, write

T1_S: Final = 0.5
PATIENCE_S: Final = 8.0
_BUFFER: Final = 1 << 20


@dataclass(slots=True)
class Tally:
    """What came of the honest traffic."""

    setups_s: list[float] = field(default_factory=list)
    """Times from the first INVITE to its 200."""
    setups_failed: int = 0
    options_sent: int = 0
    options_answered: int = 0
    stranger_options_sent: int = 0
    stranger_options_answered: int = 0
    registers: int = 0
    registers_failed: int = 0
    dropped: int = 0
    """Standing calls that the server ended."""
    retransmitted: int = 0


@dataclass(slots=True, eq=False)
class _Asked:
    """A request that waits for its final answer."""

    data: bytes
    line: socket.socket
    done: Callable[[Heard | None], None]
    interval: float
    until: float
    began: float


@dataclass(slots=True, eq=False)
class _Call:
    call_id: str
    local: str
    uri: str
    standing: bool
    remote: str = ""
    target: str = ""


class Honest:
    """See the module. `trunk` is the address that calls come from, `agents` names and passwords."""

    def __init__(
        self, server: tuple[str, int], *, trunk: str, port: int, number: str, agents: Mapping[str, str], agents_at: str
    ) -> None:
        self.tally = Tally()
        self._server = server
        self._number = number
        self._agents = agents
        self._selector = selectors.DefaultSelector()
        self._trunk = self._open(trunk, port)
        self._phones = {name: self._open(agents_at, 0) for name in agents}
        self._stranger = self._open("127.0.0.77", 0)
        self._asked: dict[str, _Asked] = {}
        self._calls: dict[str, _Call] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Let go of the sockets."""
        self._selector.close()
        for line in (self._trunk, self._stranger, *self._phones.values()):
            line.close()

    @property
    def standing(self) -> int:
        """Calls that stand and are to stand to the end."""
        return sum(1 for call in self._calls.values() if call.standing and call.target)

    # --- what is done ---

    def set_up(self, calls: int) -> None:
        """Begin so many calls that stay, and register the agents; returns when all of it is there."""
        for number in range(calls):
            self._later(number * 0.01, lambda: self._call(standing=True))
        for name in self._agents:
            self._register(name)
        end = time.monotonic() + 30 + calls * 0.01
        while time.monotonic() < end and (self.standing < calls or self.tally.registers < len(self._agents)):
            self._turn(end)
        assert self.standing == calls, f"{self.standing} of {calls} calls stand"
        assert self.tally.registers == len(self._agents), self.tally
        self.tally.registers = 0

    def run(self, seconds: float, *, calls_per_s: float, options_per_s: float, refresh_s: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        for number in range(int(seconds * calls_per_s)):
            self._later(number / calls_per_s, lambda: self._call(standing=False))
        for number in range(int(seconds * options_per_s)):
            self._later(number / options_per_s, self._options)
        for place, name in enumerate(self._agents):
            for turn in range(int(seconds / refresh_s)):
                self._later(turn * refresh_s + place * refresh_s / len(self._agents), self._registering(name))
        while time.monotonic() < end + PATIENCE_S and (time.monotonic() < end or self._asked):
            self._turn(end + PATIENCE_S)

    def hang_up_all(self) -> int:
        """End every call that stands; how many of them the server still knew."""
        good = 0

        def ended(found: Heard | None) -> None:
            nonlocal good
            good += found is not None and found.status == 200

        for call in [each for each in self._calls.values() if each.standing]:
            self._bye(call, ended)
        end = time.monotonic() + PATIENCE_S + 1
        while self._asked and time.monotonic() < end:
            self._turn(end)
        return good

    def _registering(self, name: str) -> Callable[[], None]:
        return lambda: self._register(name)

    def _call(self, *, standing: bool) -> None:
        host, port = self._trunk.getsockname()
        uri = f"sip:{self._number}@{self._server[0]}:{self._server[1]}"
        call = _Call(token("i"), f"<sip:555@{host}:{port}>;tag={token('t')}", uri, standing)
        self._calls[call.call_id] = call
        began = time.monotonic()

        def answered(found: Heard | None) -> None:
            if found is None or found.status != 200:
                self.tally.setups_failed += 1
                del self._calls[call.call_id]
                return
            call.remote, call.target = found["to"], found.contact_uri
            self._send(self._request("ACK", call, 1))
            if not call.standing:
                self.tally.setups_s.append(found.at - began)
                self._later(2.0, lambda: self._bye(call, lambda _: None))

        body = sdp(host, 40_000 + next(self._numbers) % 20_000 * 2 % 20_000)
        self._ask(self._trunk, self._request("INVITE", call, 1, body), answered)

    def _bye(self, call: _Call, done: Callable[[Heard | None], None]) -> None:
        self._calls.pop(call.call_id, None)
        self._ask(self._trunk, self._request("BYE", call, 2), done)

    def _options(self) -> None:
        for line, of_stranger in ((self._trunk, False), (self._stranger, True)):
            host, port = line.getsockname()
            uri = f"sip:{self._server[0]}:{self._server[1]}"
            fields = [("From", f"<sip:probe@{host}>;tag={token('t')}"), ("To", f"<{uri}>"), ("Call-ID", token("o"))]
            data = write(f"OPTIONS {uri} SIP/2.0", [_via(host, port), *fields, *_counted("OPTIONS", 1)])
            if of_stranger:
                self.tally.stranger_options_sent += 1
            else:
                self.tally.options_sent += 1
            self._ask(line, data, self._probed(of_stranger))

    def _probed(self, of_stranger: bool) -> Callable[[Heard | None], None]:
        def done(found: Heard | None) -> None:
            if found is None:
                return
            if of_stranger:
                self.tally.stranger_options_answered += 1
            else:
                self.tally.options_answered += 1

        return done

    def _register(self, name: str) -> None:
        line = self._phones[name]
        host, port = line.getsockname()
        server = f"sip:{self._server[0]}:{self._server[1]}"
        own, call_id = f"<sip:{name}@{self._server[0]}>", token("r")

        def data(number: int, *more: Field) -> bytes:
            fields: list[Field] = [("From", f"{own};tag={token('t')}"), ("To", own), ("Call-ID", call_id)]
            fields += [("Contact", f"<sip:{name}@{host}:{port}>"), ("Expires", "60"), ("User-Agent", "Plain phone")]
            return write(
                f"REGISTER {server} SIP/2.0", [_via(host, port), *fields, *_counted("REGISTER", number), *more]
            )

        def last(found: Heard | None) -> None:
            if found is not None and found.status == 200:
                self.tally.registers += 1
            else:
                self.tally.registers_failed += 1

        def challenged(found: Heard | None) -> None:
            if found is None or found.status != 401:
                last(found)
                return
            proof = authorization(
                found["www-authenticate"], user=name, password=self._agents[name], method="REGISTER", uri=server
            )
            self._ask(line, data(2, proof), last)

        self._ask(line, data(1), challenged)

    # --- how ---

    def _request(self, method: str, call: _Call, number: int, body: bytes = b"") -> bytes:
        host, port = self._trunk.getsockname()
        fields = [_via(host, port), ("From", call.local), ("To", call.remote or f"<{call.uri}>")]
        fields += [("Call-ID", call.call_id), ("Contact", f"<sip:555@{host}:{port}>"), *_counted(method, number)]
        if body:
            fields.append(("Content-Type", "application/sdp"))
        return write(f"{method} {call.target or call.uri} SIP/2.0", fields, body)

    def _open(self, host: str, port: int) -> socket.socket:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        line.bind((host, port))
        line.setblocking(False)
        self._selector.register(line, selectors.EVENT_READ)
        return line

    def _send(self, data: bytes) -> None:
        self._trunk.sendto(data, self._server)

    def _ask(self, line: socket.socket, data: bytes, done: Callable[[Heard | None], None]) -> None:
        found = re.search(rb"branch=([^;\r]+)", data)
        assert found is not None
        now = time.monotonic()
        branch = found[1].decode()
        self._asked[branch] = _Asked(data, line, done, T1_S, now + PATIENCE_S, now)
        line.sendto(data, self._server)
        self._later(T1_S, lambda: self._again(branch))

    def _again(self, branch: str) -> None:
        asked = self._asked.get(branch)
        if asked is None:
            return
        now = time.monotonic()
        if now >= asked.until:
            del self._asked[branch]
            asked.done(None)
            return
        self.tally.retransmitted += 1
        asked.line.sendto(asked.data, self._server)
        asked.interval = min(asked.interval * 2, 4.0)
        self._later(min(asked.interval, asked.until - now), lambda: self._again(branch))

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time.monotonic() + delay, next(self._numbers), act))

    def _turn(self, end: float) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        soonest = self._due[0][0] if self._due else end
        for key, _ in self._selector.select(max(0.0, min(soonest, end) - time.monotonic())):
            line = key.fileobj
            assert isinstance(line, socket.socket)
            try:
                while True:
                    self._heard(line, read(line.recv(65_535)))
            except BlockingIOError:
                continue

    def _heard(self, line: socket.socket, message: Heard) -> None:
        if message.status:
            found = re.search(r"branch=([^;,]+)", message["via"])
            branch = found[1] if found else ""
            if message.status >= 200 and (asked := self._asked.pop(branch, None)) is not None:
                asked.done(message)
            elif message.status == 200 and message.method == "INVITE" and message["call-id"] in self._calls:
                self._send(self._request("ACK", self._calls[message["call-id"]], 1))
            return
        if message.method == "ACK":
            return
        line.sendto(answer(message, 200, "OK", tag="h"), self._server)
        call = self._calls.pop(message["call-id"], None) if message.method == "BYE" else None
        if call is not None and call.standing:
            self.tally.dropped += 1


def _via(host: str, port: int) -> Field:
    return "Via", f"SIP/2.0/UDP {host}:{port};branch={token('z9hG4bK')};rport"


def _counted(method: str, number: int) -> list[Field]:
    return [("CSeq", f"{number} {method}"), ("Max-Forwards", "70")]
