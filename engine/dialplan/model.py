"""A dialplan that has been read and checked: contexts, their extensions and what each does, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.calls.routing import ToAgent, ToAnnouncement, ToConference, ToEcho, ToFeature, ToPlay, ToQueue, ToReject
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


Action = ToQueue | ToEcho | ToConference | ToAnnouncement | ToPlay | ToReject | ToAgent | ToFeature | DialTrunk


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
    language: str = ""
    """Of those who enter through it; empty: the engine's."""
    country: str = ""
    """Whose tones they hear; empty: the engine's."""
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
        case ToConference():
            words = f'conference "{action.conference}"'
        case ToAnnouncement():
            words = f"announcement {action.file}"
        case ToPlay():
            words = _played(action)
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


def _played(action: ToPlay) -> str:
    words = action.name.replace(":", " ", 1) + (f" and {len(action.items) - 1} more" if action.items[1:] else "")
    words += " over and over" if action.loop else ""
    words += f" for {action.for_s:g} s" if action.for_s else ""
    words += f" until a key of {action.stop_digits}" if action.stop_digits else ""
    leads = [f"on {digit} to {number}" for digit, number in action.on_digit.items()]
    return ", ".join((words, *leads, f"then to {action.then}" if action.then else "then hang up"))
