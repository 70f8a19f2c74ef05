"""Servers that failed a moment ago: they are tried after the others (RFC 3263 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sip.flow import Address, Flow, Transport
from engine.sip.limits import MAX_DEATHS

_Server = tuple[Transport, Address]


class Deaths:
    """By transport and address, each until a time."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[_Server, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def note(self, flow: Flow, until: float) -> None:
        """The server at the flow's remote failed."""
        server = flow.transport, flow.remote
        self._until.pop(server, None)
        self._until[server] = until
        if len(self._until) > MAX_DEATHS:
            del self._until[next(iter(self._until))]

    def is_dead(self, flow: Flow, now: float) -> bool:
        """Whether it is too early to expect anything of it."""
        server = flow.transport, flow.remote
        until = self._until.get(server)
        if until is None:
            return False
        if until > now:
            return True
        del self._until[server]
        return False

    def last(self, flows: Sequence[Flow], now: float) -> list[Flow]:
        """The flows in their order, those to dead servers after the others."""
        if not self._until:
            return list(flows)
        return sorted(flows, key=lambda flow: self.is_dead(flow, now))
