"""The dialplan as the calls layer asks it: `routing.Router`."""

from __future__ import annotations

from dataclasses import replace

from engine.calls.events import FromAgent, FromTrunk, Origin
from engine.calls.routing import NoRoute, Route, ToFeature, ToGroup, ToPlay, ToTrunk
from engine.dialplan.explain import nearest
from engine.dialplan.match import Match, find
from engine.dialplan.model import Context, Dialplan, DialTrunk
from engine.dialplan.pattern import dialled
from engine.dialplan.playing import spoken_in
from engine.ids import GroupName, TrunkName


class DialplanRouter:
    """Answers from one dialplan, which never changes; a reload makes another router."""

    def __init__(self, dialplan: Dialplan) -> None:
        self.dialplan = dialplan

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        """The one destination for a number dialled in a context. Never raises."""
        if context not in self.dialplan.contexts:
            there = ", ".join(self.dialplan.contexts)
            return NoRoute(explanation=f"no context {context!r} in {self.dialplan.file}; there are: {there}")
        number = dialled(called)
        match = find(self.dialplan, context, number)
        if match is None:
            return NoRoute(explanation=nearest(self.dialplan, context, number))
        refusal = refused(self.dialplan, context, match, origin)
        if refusal is not None:
            return NoRoute(explanation=refusal, forbidden=True)
        action = match.extension.action
        match action:
            case DialTrunk():
                return _to_trunk(action, number)
            case ToPlay():
                return self._to_play(action, match.context, context, origin)
            case _:
                return action

    def _to_play(self, action: ToPlay, stands: Context, context: str, origin: Origin) -> ToPlay:
        """What is played, in the language of whoever entered, and with his rights for what it leads on to."""
        entered = self.dialplan.contexts[context]
        return replace(
            action,
            language=spoken_in(action, entered, stands),
            country=action.country or entered.country or stands.country,
            context=context,
            origin=origin,
        )


def _to_trunk(action: DialTrunk, number: str) -> ToTrunk | ToGroup:
    wanted, ring_s = action.number(number), action.ring_timeout_s
    if action.group:
        return ToGroup(group=GroupName(action.trunk), number=wanted, ring_timeout_s=ring_s)
    return ToTrunk(trunk=TrunkName(action.trunk), number=wanted, ring_timeout_s=ring_s)


def refused(dialplan: Dialplan, context: str, match: Match, origin: Origin) -> str | None:
    """Why this origin may not use what matches; None when it may.

    A call from a trunk goes to no trunk unless the context through which it *entered* says so: an include must not
    open what the entrance keeps shut, or a stranger could telephone at the house's cost.
    """
    action = match.extension.action
    where = f"{match.extension.key} ({match.extension.pattern.text})"
    match origin:
        case FromTrunk() if isinstance(action, DialTrunk) and not dialplan.contexts[context].trunk_to_trunk:
            return f"{where} goes to a trunk, and context {context!r} does not say trunk_to_trunk = true"
        case FromTrunk() if isinstance(action, ToFeature):
            return f"{where} is a feature code, which only agents have"
        case FromTrunk() | FromAgent():
            return None
