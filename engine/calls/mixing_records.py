"""Records of the event log about conferences and about who listens to a call."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ids import AgentName, CallId, LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceJoined:
    """The caller is in a conference."""

    conference: str
    leg: LegId
    members: int
    """With this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceMuted:
    """The others do not hear this member any more, or again."""

    conference: str
    leg: LegId
    muted: bool
    by: str
    """"api" or "cli"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceLeft:
    conference: str
    leg: LegId
    members: int
    """Who stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionChanged:
    """A supervisor hears this call from now on, or does so in another way."""

    agent: AgentName
    """The supervisor."""
    mode: str
    """"listen", "whisper" or "barge"."""
    supervision: CallId
    """The call between the engine and the supervisor's phone."""
    by: str
    """Who wanted it: "api" or "cli"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionEnded:
    """The supervisor hears this call no longer."""

    agent: AgentName
    supervision: CallId
