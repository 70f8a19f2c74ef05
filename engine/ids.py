"""Names for identifiers, so that the type checker keeps them apart, and the one place where they are made."""

from __future__ import annotations

from typing import NewType, Protocol

CallId = NewType("CallId", str)
"""One call: the set of legs that talk. Ours, not the SIP Call-ID."""

LegId = NewType("LegId", str)
TransferId = NewType("TransferId", int)
"""One leg: one SIP dialog and one media leg, from Offered or Place to Ended."""

AgentName = NewType("AgentName", str)
"""An agent's name, which is also the user part of the address that the agent's phone registers."""

QueueName = NewType("QueueName", str)
TrunkName = NewType("TrunkName", str)
GroupName = NewType("GroupName", str)
"""A group of trunks that stand for one another."""

OfferId = NewType("OfferId", str)
"""One attempt to connect one caller with one agent."""


class IdSource(Protocol):
    """Makes identifiers. Injected, so that the pure core holds no randomness and a test can read its own log."""

    def token(self) -> str:
        """A fresh token of at least 64 random bits, characters [0-9a-z] only (RFC 3261 19.3 asks for 32)."""
        ...
