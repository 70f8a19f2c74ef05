"""Say how a number is resolved, for people who wonder why a call went where it went."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from engine.calls.routing import ToFeature
from engine.dialplan.match import find, reach
from engine.dialplan.model import Dialplan, DialTrunk, Extension, describe
from engine.dialplan.pattern import dialled

_MANY: Final = 300
"""With more numbers than this no near one is looked for: comparing takes longer than a call may wait."""

_LONG: Final = 40
"""Characters of a dialled number that are worth showing: strangers choose them."""


def explain(dialplan: Dialplan, context: str, number: str) -> str:
    """Every context that is searched, what matches there and what is done, a line each."""
    wanted = dialled(number)
    lines = [f'"{number}" dialled in context "{context}" of {dialplan.file}:']
    if context not in dialplan.contexts:
        return "\n".join([*lines, f"  there is no such context; there are: {', '.join(dialplan.contexts)}"])
    chosen = find(dialplan, context, wanted)
    for searched in reach(dialplan, context):
        candidates = [e for e in (*searched.exact.values(), *searched.patterns) if e.pattern.matches(wanted)]
        if not candidates:
            lines.append(f"  context {searched.name}: nothing matches")
        for extension in candidates:
            verdict = "chosen" if chosen is not None and extension is chosen.extension else "matches too, comes later"
            lines.append(f"  context {searched.name}: {_told(extension)}  [{verdict}]")
    if chosen is None:
        lines.append(f"  not found (404): {nearest(dialplan, context, wanted)}")
    else:
        lines += [f"  {line}" for line in _outcome(dialplan, context, chosen.extension, wanted)]
    return "\n".join(lines)


def nearest(dialplan: Dialplan, context: str, number: str) -> str:
    """Why nothing was found: where was searched, and which numbers are like this one."""
    searched = reach(dialplan, context)
    there = [text for found in searched for text in (*found.exact, *(e.pattern.text for e in found.patterns))]
    shown = number[:_LONG]
    near = get_close_matches(shown, there, n=3, cutoff=0.5) if len(there) <= _MANY else []
    names = ", ".join(found.name for found in searched)
    return f"nothing matches {shown!r} in {names}; nearest: {', '.join(near) if near else 'none'}"


def _told(extension: Extension) -> str:
    return f"{extension.pattern.text} -> {describe(extension.action)} ({extension.key})"


def _outcome(dialplan: Dialplan, context: str, extension: Extension, number: str) -> list[str]:
    action = extension.action
    lines = [f"result: {describe(action)}"]
    if isinstance(action, DialTrunk):
        lines.append(f'number on the {action.kind.replace("_", " ")}: "{action.number(number)}"')
        if not dialplan.contexts[context].trunk_to_trunk:
            lines.append(f"from a trunk: forbidden (403), because context {context} has trunk_to_trunk = false")
    elif isinstance(action, ToFeature):
        lines.append("from a trunk: forbidden (403), because feature codes are for agents")
    return lines
