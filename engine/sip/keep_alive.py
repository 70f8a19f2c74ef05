"""Keeps our own flows alive, and finds out when one is dead (RFC 5626 3.5 and 4.4).

On a stream that we opened a double CRLF is sent, and the peer answers with a single one within 10 s (4.4.1). Peers that
know nothing of RFC 5626 do not answer; so silence counts only on a connection where an answer came before, or where the
registrar promised one. Over UDP a STUN Binding request is sent, and only to a registrar that promised to answer: it
must come back, and name the address of last time, or a NAT on the way has forgotten us (4.4.2).

The times between are random within the RFC's bounds, so that a thousand flows do not speak in one moment.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s
from typing import Final

from engine.sip.errors import LocalSipError
from engine.sip.flow import Address, Flow, Transmission, Transport
from engine.sip.stack import Stack
from engine.sip.stun import answer, binding_request, mapped_address
from engine.sip.timers import Timer

FlowFailed = Callable[[Flow, float], None]

STREAM_S: Final = 120.0
"""Longest time between pings where the registrar names none (RFC 5626 4.4.1)."""
DATAGRAM_S: Final = 29.0
"""The same over UDP: NATs forget within 30 s (4.4.2)."""
PONG_S: Final = 10.0
_LEAST_SHARE: Final = 0.8
"""A ping leaves after 80 to 100 % of the time (4.4)."""
_STEPS: Final = 1000
_PING: Final = b"\r\n\r\n"
_RTO_S: Final = 0.5
_TRIES: Final = 7
_LAST_WAIT: Final = 16
"""STUN's repetitions: at 0, 0.5, 1.5, ... 31.5 s, given up at 39.5 s (RFC 8489 6.2.1)."""


class KeepAlives:
    """All flows that we keep alive."""

    __slots__ = ("_flows", "_give_up", "_stack")

    def __init__(self, stack: Stack, give_up: FlowFailed) -> None:
        """`give_up` is called for a stream whose peer does not answer any more."""
        self._stack = stack
        self._give_up = give_up
        self._flows: dict[Flow, _Kept] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def opened(self, flow: Flow, now: float) -> None:
        """A connection of ours stands."""
        _Stream(self, flow, STREAM_S, now)

    def keep(self, flow: Flow, now: float, *, every_s: float | None = None, failed: FlowFailed) -> None:
        """The registrar at the flow's end promised to answer (RFC 5626 6: `Require: outbound`, and `Flow-Timer`, which
        is `every_s`). `failed` is told when it does not. A stream must stand; calling it again changes both."""
        if flow.transport is Transport.UDP:
            self.release(flow)
            _Datagrams(self, flow, every_s or DATAGRAM_S, now, failed)
        elif (kept := self._standing(flow)) is not None:
            kept.promise(every_s or STREAM_S, failed, now)
        elif flow.connection:
            _Stream(self, flow, every_s or STREAM_S, now).promise(every_s or STREAM_S, failed, now)

    def _standing(self, flow: Flow) -> _Kept | None:
        """A stream that is kept; by a flow without a number, the connection that was made for it."""
        if flow.connection:
            return self._flows.get(flow)
        way = flow.transport, flow.remote
        return next((kept for each, kept in self._flows.items() if (each.transport, each.remote) == way), None)

    def release(self, flow: Flow) -> None:
        """Keep it no more."""
        kept = self._flows.pop(flow, None)
        if kept is not None:
            self._stack.heap.cancel(kept.timer)

    def ponged(self, flow: Flow, now: float) -> None:
        """A CRLF came; it counts where it was asked for."""
        kept = self._flows.get(flow)
        if isinstance(kept, _Stream):
            kept.ponged(now)

    def stun_received(self, data: bytes, flow: Flow, now: float) -> None:
        """A datagram came that may be STUN: a request of the peer's is answered, and an answer noted."""
        answered = answer(data, flow.remote)
        if answered is not None:
            self.send(flow, answered)
            return
        kept = self._flows.get(flow)
        found = mapped_address(data)
        if isinstance(kept, _Datagrams) and found is not None:
            kept.answered(*found, now)

    # --- for the flows ---

    def add(self, kept: _Kept) -> None:
        self._flows[kept.flow] = kept

    def arm(self, kept: _Kept, delay: float, what: str, now: float) -> None:
        heap = self._stack.heap
        heap.cancel(kept.timer)
        kept.timer = heap.start(now + delay, kept, what)

    def pause(self, longest: float) -> float:
        """How long until the next ping."""
        return longest * (_LEAST_SHARE + (1 - _LEAST_SHARE) * self._stack.random(_STEPS) / _STEPS)

    def send(self, flow: Flow, data: bytes) -> None:
        self._stack.outbox.transmissions.append(Transmission(flow, data))

    def transaction_id(self) -> bytes:
        return blake2s(self._stack.ids.token().encode(), digest_size=12).digest()

    def fail(self, kept: _Kept, now: float) -> None:
        self.release(kept.flow)
        if kept.flow.transport is Transport.UDP:
            self._stack.transactions.flow_failed(kept.flow, now)
        else:
            self._give_up(kept.flow, now)
        if kept.failed is not None:
            kept.failed(kept.flow, now)


class _Kept:
    """One flow."""

    __slots__ = ("every_s", "failed", "flow", "keeper", "timer")

    def __init__(self, keeper: KeepAlives, flow: Flow, every_s: float, now: float, failed: FlowFailed | None) -> None:
        self.keeper = keeper
        self.flow = flow
        self.every_s = every_s
        self.failed = failed
        self.timer: Timer | None = None
        keeper.add(self)
        self.rest(now)

    def timer_rang(self, what: str, now: float) -> None:
        raise LocalSipError("a flow is one of a stream or of datagrams")

    def rest(self, now: float) -> None:
        """Until the next ping."""
        self.keeper.arm(self, self.keeper.pause(self.every_s), "ping", now)

    def promise(self, every_s: float, failed: FlowFailed, now: float) -> None:
        self.every_s, self.failed = every_s, failed


class _Stream(_Kept):
    """A connection: CRLF."""

    __slots__ = ("_answers", "_asked")

    def __init__(self, keeper: KeepAlives, flow: Flow, every_s: float, now: float) -> None:
        self._asked = False
        """Whether a ping is out that was not answered."""
        self._answers = False
        """Whether the peer is known to answer."""
        super().__init__(keeper, flow, every_s, now, None)

    def promise(self, every_s: float, failed: FlowFailed, now: float) -> None:
        late = every_s < self.every_s and not (self._asked and self._answers)
        self._answers = True
        super().promise(every_s, failed, now)
        if late:
            # The next ping was to leave by the time of before: the registrar would take us for dead by then.
            self.rest(now)

    def ponged(self, now: float) -> None:
        if self._asked:
            self._asked = False
            self._answers = True
            self.rest(now)

    def timer_rang(self, what: str, now: float) -> None:
        self.timer = None
        if what == "pong":
            self.keeper.fail(self, now)
            return
        self._asked = True
        self.keeper.send(self.flow, _PING)
        if self._answers:
            self.keeper.arm(self, PONG_S, "pong", now)
        else:
            self.rest(now)


class _Datagrams(_Kept):
    """A UDP flow: STUN."""

    __slots__ = ("_mapped", "_request", "_sent", "_transaction")

    def __init__(self, keeper: KeepAlives, flow: Flow, every_s: float, now: float, failed: FlowFailed) -> None:
        self._mapped: Address | None = None
        """Our address as the peer saw it first."""
        self._transaction = b""
        """Of the request that waits for its answer; empty where none does."""
        self._request = b""
        self._sent = 0
        super().__init__(keeper, flow, every_s, now, failed)

    def answered(self, transaction: bytes, mapped: Address, now: float) -> None:
        if transaction != self._transaction:
            return
        self._transaction = b""
        if self._mapped not in (None, mapped):
            self.keeper.fail(self, now)
            return
        self._mapped = mapped
        self.rest(now)

    def timer_rang(self, what: str, now: float) -> None:
        self.timer = None
        if what == "ping":
            self._transaction = self.keeper.transaction_id()
            self._request = binding_request(self._transaction)
            self._sent = 0
        elif self._sent == _TRIES:
            self.keeper.fail(self, now)
            return
        self.keeper.send(self.flow, self._request)
        self._sent += 1
        wait = _RTO_S * (_LAST_WAIT if self._sent == _TRIES else 2 ** (self._sent - 1))
        self.keeper.arm(self, wait, "repeat", now)
