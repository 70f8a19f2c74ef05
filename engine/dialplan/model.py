"""A dialplan that has been read and checked: contexts, their extensions and what each does, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.calls.routing import ToAgent, ToAnnouncement, ToEcho, ToFeature, ToQueue, ToReject
from engine.dialplan.pattern import Pattern
from engine.ids import GroupName, TrunkName


@dataclass(frozen=True, slots=True, kw_only=True)
class DialTrunk:
    """Place the call on a trunk, with a number made of the dialled one."""

    trunk: TrunkName | GroupName
    strip: int
    """Characters taken away from the front of the dialled number ..."""
    prefix: str
    """... before this is put there."""
    ring_timeout_s: float
    group: bool = False
    """Whether `trunk` names a group of trunks."""

    @property
    def kind(self) -> str:
        """What `trunk` is, in the dialplan's words."""
        return "trunk_group" if self.group else "trunk"

    def number(self, dialled: str) -> str:
        return self.prefix + dialled[self.strip :]


Action = ToQueue | ToEcho | ToAnnouncement | ToReject | ToAgent | ToFeature | DialTrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    pattern: Pattern
    action: Action
    key: str
    """Where it stands in the file: "context.agents.extension[2]"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A set of numbers. Whoever enters through it reaches these and those of the contexts it includes, no others."""

    name: str
    include: tuple[str, ...]
    """Searched in this order when no extension of the context itself matches."""
    trunk_to_trunk: bool
    """Whether a call that a trunk brought into this context may go out on a trunk."""
    exact: Mapping[str, Extension]
    patterns: tuple[Extension, ...]
    """Most specific first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialplan:
    file: str
    contexts: Mapping[str, Context]

    def extensions(self) -> list[Extension]:
        """Every extension of every context."""
        return [e for c in self.contexts.values() for e in (*c.exact.values(), *c.patterns)]


def describe(action: Action) -> str:
    """The action in a few words, for people."""
    match action:
        case ToQueue():
            words = f'queue "{action.queue}"'
        case ToEcho():
            words = "echo test"
        case ToAnnouncement():
            words = f"announcement {action.file}"
        case ToReject():
            words = f'refuse with {action.status} "{action.reason}"'
        case ToAgent():
            words = f'ring agent "{action.agent}" for {action.ring_timeout_s:g} s'
        case ToFeature():
            words = f"feature {action.feature}" + (f' with reason "{action.reason}"' if action.reason else "")
        case DialTrunk():
            change = f' (strip {action.strip}, prefix "{action.prefix}")' if action.strip or action.prefix else ""
            words = f'{action.kind.replace("_", " ")} "{action.trunk}"{change}, ring {action.ring_timeout_s:g} s'
    return words
