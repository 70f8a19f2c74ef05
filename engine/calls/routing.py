"""Where a call goes: the `Router` that the dialplan implements, and the closed set of answers it may give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from engine.calls.events import Origin
from engine.ids import AgentName, GroupName, QueueName, TrunkName


class Feature(StrEnum):
    """What an agent can do by dialling a code from any SIP phone; confirmed by tone."""

    AVAILABLE = "available"
    BREAK = "break"
    STATUS = "status"
    """Says the own status: CONFIRM tone when available, DENY tone on a break (and how it came to be, in the log)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToQueue:
    queue: QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class ToEcho:
    """Answer and send back what is heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAnnouncement:
    """Answer, play the file to its end, hang up."""

    file: str
    """Absolute path, checked when the dialplan was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToReject:
    status: int
    """SIP status, 400-699."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAgent:
    """Ring this agent's phone directly, past any queue."""

    agent: AgentName
    ring_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTrunk:
    """Place the call to a number on a trunk."""

    trunk: TrunkName
    number: str
    ring_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToGroup:
    """Place the call to a number on whichever trunk of a group can take it."""

    group: GroupName
    number: str
    ring_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToFeature:
    feature: Feature
    reason: str = ""
    """Reason that a break gets, as the dialplan names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRoute:
    """Nothing in the context, or what it includes, matches. Answered with 404 (or 403 where `forbidden`)."""

    explanation: str
    """For the log: which context was searched, what was nearest."""
    forbidden: bool = False
    """A match was there, but this origin may not use it (trunk to trunk)."""


Route = ToQueue | ToEcho | ToAnnouncement | ToReject | ToAgent | ToTrunk | ToGroup | ToFeature | NoRoute


class Router(Protocol):
    """Implemented by `engine.dialplan`, joined by `engine.app.wiring`."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        """The one destination for a number dialled in a context. Never raises."""
        ...
