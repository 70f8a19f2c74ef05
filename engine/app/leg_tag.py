"""What a leg's tag says of it (`engine.media.commands.OpenLeg.tag`): whose it was, for a control process after ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.ids import AgentName

OWN_ROLE: Final = "span"
"""Of legs that only carry others' voices from one process to another (`media_spans`, `media_rooms`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTag:
    """`CALL:ROLE:STARTED:AGENT`."""

    call: str
    role: str
    """Whose side of the call: caller, agent, called."""
    started: float
    """Of the call, monotonic seconds; 0 where nothing is said of it."""
    agent: AgentName | None
    """Whose phone is there; None where it is no agent's."""

    @classmethod
    def read(cls, tag: str, leg: str) -> LegTag:
        """A tag; what is not one has a call of its own, of the leg's name."""
        call, role, started, agent = (*tag.split(":", 3), "", "", "", "")[:4]
        try:
            at = float(started)
        except ValueError:
            at = 0.0
        return cls(call=call or leg, role=role, started=at, agent=AgentName(agent) if agent else None)


def own_tag(tag: str, leg: str) -> str:
    """The tag of a leg of our own, which serves the leg that has this one."""
    of = LegTag.read(tag, leg)
    return f"{of.call}:{OWN_ROLE}:{of.started:.3f}:"
