"""What the API shows of conferences and of supervisors."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.base_view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceMemberView(View):
    """One who is in a conference."""

    call: str
    who: str
    """"agent:NAME" or "trunk:NAME"."""
    caller: str
    caller_display: str
    muted: bool
    """The others do not hear this member, by an operator's word."""
    holding: bool
    """Its phone has put the conference on hold."""
    joined_for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceView(View):
    """A conference that somebody is in."""

    name: str
    members: tuple[ConferenceMemberView, ...]
    """In the order in which they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorView(View):
    """An agent who supervises a call."""

    agent: str
    mode: str
    """listen, whisper, barge."""
    call: str
    """The call between the engine and this agent's phone; it has a CDR of its own."""
    up: bool
    """The phone has answered."""
