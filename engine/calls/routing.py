"""Where a call goes: the `Router` that the dialplan implements, and the closed set of answers it may give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from engine.calls.events import Origin
from engine.ids import AgentName, GroupName, QueueName, TrunkName
from engine.speech.phrases import Item


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
class ToConference:
    """Answer and let everybody who is in this conference hear and be heard."""

    conference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAnnouncement:
    """Answer, play the file to its end, hang up."""

    file: str
    """Absolute path, checked when the dialplan was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToPlay:
    """Answer, play these one after the other, then go on to another number, or hang up."""

    name: str
    """As `CallRouted` names it."""
    items: tuple[Item, ...]
    """Checked when the dialplan was loaded; phrases are opened."""
    loop: bool = False
    gain_db: float = 0.0
    stop_digits: str = ""
    """Keys of the caller that end it."""
    for_s: float = 0.0
    """It ends after this long; 0: when it has been played."""
    then: str = ""
    """Number to go on to when it has ended; empty: hang up."""
    on_digit: Mapping[str, str] = field(default_factory=dict)
    """Numbers to go on to where a key has ended it. A key that is not here leads to `then`."""
    language: str = ""
    """Empty: the engine's."""
    country: str = ""
    """Whose tones; empty: the engine's."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """What fills the blanks, beside the numbers of the call."""
    context: str = ""
    """In which `then` and `on_digit` are looked up: that through which the call entered ..."""
    origin: Origin | None = None
    """... with the rights of this origin. Set by the router."""


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


Route = (
    ToQueue
    | ToEcho
    | ToConference
    | ToAnnouncement
    | ToPlay
    | ToReject
    | ToAgent
    | ToTrunk
    | ToGroup
    | ToFeature
    | NoRoute
)


class Router(Protocol):
    """Implemented by `engine.dialplan`, joined by `engine.app.wiring`."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        """The one destination for a number dialled in a context. Never raises."""
        ...
