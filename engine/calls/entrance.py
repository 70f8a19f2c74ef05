"""Through which door a call comes in: the dialplan context that it enters, and how its numbers are shown from there."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from engine.calls.directory import Directory
from engine.calls.events import FromAgent, FromTrunk, Offered, Party
from engine.calls.number_rules import NumberRules
from engine.calls.trunk import Trunk


class Entrance(NamedTuple):
    """One call at its door."""

    context: str | None
    """None for a stranger: an agent or a trunk that is not there any more."""
    offered: Offered
    """The call, with the number that it is for as the trunk's rules make it."""
    caller: Party
    trunk: Trunk | None
    """The trunk that brought it."""


def entrance(directory: Directory, offered: Offered) -> Entrance:
    """The door of this call."""
    match offered.origin:
        case FromAgent(agent=name):
            agent = directory.agents.get(name)
            if agent is None:
                return Entrance(None, offered, offered.caller, None)
            caller = offered.caller
            # The operator's word on how agents are called goes before the phone's own.
            shown = Party(number=caller.number, display=agent.display or caller.display)
            return Entrance(agent.context, offered, shown, None)
        case FromTrunk(trunk=line):
            trunk = directory.trunks.get(line)
            if trunk is None:
                return Entrance(None, offered, offered.caller, None)
            if trunk.called_in:
                called = NumberRules.of(trunk.called_in, callers=False).number(offered.called)
                offered = replace(offered, called=called)
            caller = NumberRules.of(trunk.caller_in).party(offered.caller) if trunk.caller_in else offered.caller
            return Entrance(trunk.context, offered, caller, trunk)
