"""The event log: one typed, ordered record of all that happened. CDRs, queue_log lines, metrics and the feed are folds
of it; nothing else is their source.

`journal.Journal` gives each entry its number and times. A body's class name is its type on disk and in the feed;
fields may be added with a default (readers of old records fill it in), anything else raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.calls.causes import EndCause
from engine.calls.decoding import CodecRefused
from engine.calls.directory import AgentStatus
from engine.calls.media_records import DigitReceived, LegClosed, OneWayHeard, SoundSkipped
from engine.calls.mixing_records import (
    ConferenceJoined,
    ConferenceLeft,
    ConferenceMuted,
    SupervisionChanged,
    SupervisionEnded,
)
from engine.calls.recording_records import (
    RecordingBegan,
    RecordingEnded,
    RecordingFound,
    RecordingGapped,
    RecordingMissed,
    RecordingPaused,
    RecordingResumed,
    RecordingStopped,
)
from engine.calls.trunk_records import (
    CallRated,
    TollCutOff,
    TollRefused,
    TrunkCircuitChanged,
    TrunkRegistrationChanged,
    TrunkStateChanged,
    TrunkTried,
)
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName

SCHEMA_VERSION: Final = 1


class CallDirection(StrEnum):
    """Seen from the centre."""

    INBOUND = "inbound"
    """From a trunk."""
    OUTBOUND = "outbound"
    """From an agent to a trunk."""
    INTERNAL = "internal"
    """From an agent to anything inside: queue, echo, feature code, another agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStarted:
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStopped:
    clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    direction: CallDirection
    leg: LegId
    origin: str
    """"agent:NAME" or "trunk:NAME"."""
    context: str
    called: str
    caller: str
    caller_display: str
    protocol_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCarried:
    """What the caller's side told besides the numbers. Of a plain call there is none."""

    session: str
    """Name of the session from end to end (SIP Session-ID); empty like the next three where nothing was told."""
    diverted_from: str
    """Number that forwarded the call last."""
    diversion_reason: str
    user_to_user: str
    hidden: bool
    """The caller wants not to be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRouted:
    destination: str
    """"queue:NAME", "echo", "conference:NAME", "announcement:FILE", "agent:NAME", "trunk:NAME/NUMBER", "feature:NAME",
    "play:FIRST-ITEM", "reject:486"; "listen:CALL", "whisper:CALL" and "barge:CALL" of a supervisor's call, as it
    began."""
    number: str = ""
    """To which what the caller was played has led on; empty for the number that he dialled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """The caller's leg is up (music, echo, announcement or talk may be heard)."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerQueued:
    queue: QueueName
    position: int
    """1 is next."""
    caller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMade:
    offer: OfferId
    queue: QueueName
    agent: AgentName


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRinging:
    offer: OfferId
    queue: QueueName
    agent: AgentName


class OfferOutcome(StrEnum):
    ANSWERED = "answered"
    RING_TIMEOUT = "ring_timeout"
    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    CALLER_LEFT = "caller_left"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    AGENT_UNAVAILABLE = "agent_unavailable"
    QUEUE_TIMEOUT = "queue_timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEnded:
    offer: OfferId
    queue: QueueName
    agent: AgentName
    outcome: OfferOutcome
    rang_s: float
    """From the offer to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerConnected:
    """Caller and agent were put together by a queue."""

    queue: QueueName
    agent: AgentName
    offer: OfferId
    waited_s: float
    rang_s: float
    position: int
    """Position at entry (queue_log's origpos)."""


class QueueExit(StrEnum):
    ABANDONED = "abandoned"
    """The caller hung up, or was heard no more."""
    TIMEOUT = "timeout"
    FULL = "full"
    QUEUE_REMOVED = "queue_removed"
    FAILED = "failed"
    """The engine ended the call, or itself, while the caller waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLeft:
    """Out of the queue without an agent."""

    queue: QueueName
    why: QueueExit
    waited_s: float
    position: int
    entry_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallConnected:
    """Two people's legs were put together, through a queue or directly: talk begins."""

    leg: LegId
    peer: str
    """"agent:NAME" or "trunk:NAME"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHeld:
    leg: LegId
    """The leg whose phone put the other on hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResumed:
    leg: LegId


class TransferKind(StrEnum):
    BLIND = "blind"
    """To a number that was dialled for the other side."""
    ATTENDED = "attended"
    """To somebody whom the agent had called before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStarted:
    """A side of the call has asked that the other be put through to a number, which is being tried."""

    by: str
    """"agent:NAME" or "trunk:NAME"."""
    to: str
    destination: str
    """As `CallRouted` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTransferred:
    """The side that asked for the transfer has left the call: put through, or it hung up after asking."""

    kind: TransferKind
    by: str
    leg: LegId
    """The leg that left."""
    to: str
    """The number; of an attended transfer "agent:NAME" or "trunk:NAME"."""
    context: str
    """Where the number was looked up; empty for an attended transfer."""
    other_call: str = ""
    """The call that an attended transfer was prepared in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed:
    """The number came to nothing."""

    to: str
    cause: EndCause
    returned: bool
    """The caller talks to the side that asked again, or is back in its queue; else the call ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMerged:
    """A leg of this call goes on in another call."""

    into: CallId
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """Always the last record of a call but for the LegClosed of its legs; exactly one per CallStarted."""

    cause: EndCause
    ended_by: str
    """"caller", "agent", "called" or "engine"."""
    waited_s: float
    talked_s: float
    total_s: float
    queue: QueueName | None
    agent: AgentName | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatusChanged:
    agent: AgentName
    status: AgentStatus
    reason: str
    """A person's word ("lunch"), or "rona: ..." when the engine did it."""
    by: str
    """"api", "cli", "phone", "engine"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStateChanged:
    agent: AgentName
    state: str
    """A value of acd.agent.AgentState."""
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSent:
    """A text came for an agent. What it says is not kept."""

    sender: str
    agent: AgentName
    size: int
    """Characters."""
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReachable:
    agent: AgentName
    contact: str
    source: str
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUnreachable:
    agent: AgentName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStarted:
    pid: int
    port_min: int
    port_max: int
    plane: int = 0
    """Number of the media process, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLost:
    detail: str
    legs: int
    plane: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaBusy:
    """A media process gets no new calls for want of time, or gets them again."""

    plane: int
    busy: bool
    detail: str
    """What it has too much of; empty when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChanged:
    """An agent, queue, membership or trunk was put or dropped. Secrets are never in it."""

    action: str
    """"put" or "drop"."""
    kind: str
    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBanned:
    """A source of signalling is not heard any more. Its log line is what fail2ban reads (`config/fail2ban`)."""

    address: str
    """An IPv4 address, or an IPv6 network of 64 bits."""
    user: str
    """The one user name that is banned from there, since others are at home; empty: everybody."""
    reason: str
    """"auth_failures", "flood" or "scanner"."""
    seconds: int
    times: int
    """How often it was banned, lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BanLifted:
    """A person took a ban back."""

    address: str
    user: str
    by: str


LogBody = (
    EngineStarted
    | EngineStopped
    | CallStarted
    | CallCarried
    | CallRouted
    | CallAnswered
    | CallerQueued
    | OfferMade
    | OfferRinging
    | OfferEnded
    | CallerConnected
    | CallerLeft
    | CallConnected
    | CallHeld
    | CallResumed
    | TransferStarted
    | CallTransferred
    | TransferFailed
    | CallMerged
    | ConferenceJoined
    | ConferenceMuted
    | ConferenceLeft
    | SupervisionChanged
    | SupervisionEnded
    | CodecRefused
    | DigitReceived
    | LegClosed
    | OneWayHeard
    | SoundSkipped
    | CallEnded
    | AgentStatusChanged
    | AgentStateChanged
    | TextSent
    | AgentReachable
    | AgentUnreachable
    | TrunkStateChanged
    | TrunkCircuitChanged
    | TrunkRegistrationChanged
    | TrunkTried
    | CallRated
    | TollRefused
    | TollCutOff
    | MediaStarted
    | MediaLost
    | MediaBusy
    | DirectoryChanged
    | SourceBanned
    | BanLifted
    | RecordingBegan
    | RecordingFound
    | RecordingPaused
    | RecordingResumed
    | RecordingStopped
    | RecordingGapped
    | RecordingEnded
    | RecordingMissed
)
