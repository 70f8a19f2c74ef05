"""What went over the wire lately, kept in memory by Call-ID, so that a failed call can be looked at afterwards.

For every message one tuple is put on a bounded deque: when, which way, by which flow, and the bytes object that came or
left anyway. Nothing is copied, parsed or written before somebody asks (`ladder`, `pcap`).

A Call-ID begins in the class that is known of it at its first message, and moves when more is: what nobody has proved
is a stranger's, so that no flood of strangers makes us forget calls. Each class is a ring of its own.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from operator import itemgetter
from typing import Final

from engine.sip.flow import Flow

IN: Final = "in"
OUT: Final = "out"

Entry = tuple[float, str, Flow, bytes]
"""Wall time, IN or OUT, flow, the bytes. A plain tuple: it is made for each message."""

_DATA: Final = itemgetter(3)
_CALL_ID: Final = b"\r\nCall-ID: "


class Kind(IntEnum):
    """What a Call-ID belongs to, as far as is known; also the order in which memory is given up."""

    STRANGER = 0
    """A request from nobody that we know: refused, or answered without state."""
    OTHER = 1
    """Neither: OPTIONS, SUBSCRIBE, MESSAGE and what else known peers and we ourselves send."""
    CALL = 2
    REGISTRATION = 3
    """Of a phone that has proved whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderLimits:
    """Bounds of the memory."""

    legs: int = 4000
    """Call-IDs of calls; past it the oldest is forgotten."""
    registrations: int = 2000
    others: int = 256
    strangers: int = 256
    messages: int = 100
    """Of one Call-ID, the latest."""
    stranger_messages: int = 12
    """The same of a stranger's, enough for an INVITE and every answer to it: a flood would fill it all."""
    octets: int = 16 * 2**20
    """Of all messages; past it the oldest Call-IDs go, strangers' first."""


class Trace(deque[Entry]):
    """The messages of one Call-ID, oldest first."""

    __slots__ = ("call_id", "kind", "user")

    def __init__(self, call_id: str, kind: Kind, most: int) -> None:
        super().__init__((), most)
        self.call_id = call_id
        self.kind = kind
        self.user = ""
        """Whose registration it is."""

    @property
    def cut(self) -> bool:
        """Whether its first messages may be missing."""
        return len(self) == self.maxlen


class Recorder:
    """Fed by the outbox and the endpoint."""

    __slots__ = ("_book", "_held", "_limits", "_most", "_rings", "_wall", "known")

    def __init__(self, limits: RecorderLimits, wall: Callable[[], float]) -> None:
        """`wall` gives seconds since the epoch."""
        self._limits = limits
        self._wall = wall
        self._book: dict[str, Trace] = {}
        self._rings: tuple[OrderedDict[str, Trace], ...] = tuple(OrderedDict() for _ in Kind)
        self._most = (limits.strangers, limits.others, limits.legs, limits.registrations)
        self._held = 0
        self.known = False
        """Whether what comes in now is from somebody whom the guard knows."""

    def __len__(self) -> int:
        return len(self._book)

    # --- on the way of a message ---

    def note(self, way: str, flow: Flow, call_id: str, data: bytes) -> None:
        """A message passes."""
        trace = self._book.get(call_id)
        if trace is None:
            trace = self._begin(call_id, way, data)
        trace.append((self._wall(), way, flow, data))
        self._held += len(data)
        if self._held > self._limits.octets:
            self._shrink()

    def note_again(self, flow: Flow, data: bytes) -> None:
        """A message of ours passes once more."""
        start = data.find(_CALL_ID) + len(_CALL_ID)
        end = data.find(b"\r\n", start)
        self.note(OUT, flow, data[start:end].decode(errors="replace"), data)

    def keep(self, call_id: str, kind: Kind, user: str = "") -> None:
        """It is known now what the Call-ID belongs to."""
        trace = self._book.get(call_id)
        if trace is None:
            return
        if trace.kind is not kind:
            del self._rings[trace.kind][call_id]
            if trace.kind is Kind.STRANGER:
                before, trace = trace, Trace(call_id, kind, self._limits.messages)
                trace.extend(before)
                self._book[call_id] = trace
            trace.kind = kind
            self._enter(trace, self._most[kind])
        trace.user = user

    # --- for those who look ---

    def find(self, call_id: str) -> Trace | None:
        """The messages of a Call-ID; None where there were none, or they are forgotten."""
        return self._book.get(call_id)

    def of(self, kind: Kind) -> Iterator[Trace]:
        """All of that kind, the one that began first first."""
        return iter(list(self._rings[kind].values()))

    def forget(self, call_id: str) -> None:
        """It is not wanted any more."""
        trace = self._book.pop(call_id, None)
        if trace is not None:
            del self._rings[trace.kind][call_id]
            self._held -= _octets(trace)

    # --- bounds ---

    def _begin(self, call_id: str, way: str, data: bytes) -> Trace:
        if way is IN:
            kind = Kind.OTHER if self.known else Kind.STRANGER
        else:
            kind = Kind.CALL if data.startswith(b"INVITE ") else Kind.OTHER
        limits = self._limits
        most = limits.messages if kind is not Kind.STRANGER else min(limits.messages, limits.stranger_messages)
        trace = self._book[call_id] = Trace(call_id, kind, most)
        # One more is let in: it may be about to move on, and nothing need go for it.
        self._enter(trace, self._most[kind] + 1)
        return trace

    def _enter(self, trace: Trace, most: int) -> None:
        ring = self._rings[trace.kind]
        ring[trace.call_id] = trace
        if len(ring) > most:
            self.forget(next(iter(ring)))

    def _shrink(self) -> None:
        """Make room. What deques dropped by themselves was not taken off the sum, so it is counted anew first."""
        self._held = sum(map(_octets, self._book.values()))
        enough = self._limits.octets * 7 // 8
        for ring in self._rings:
            while ring and self._held > enough:
                self.forget(next(iter(ring)))


def _octets(trace: Trace) -> int:
    return sum(map(len, map(_DATA, trace)))
