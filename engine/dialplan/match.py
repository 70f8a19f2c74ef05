"""Find the extension for a number: the context's own first, then those of its includes, in their order (Asterisk's way:
a pattern of the context itself goes before a number written out in an include)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.dialplan.model import Context, Dialplan, Extension


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    context: Context
    """Where the extension stands; not always where the call entered."""
    extension: Extension


def find(dialplan: Dialplan, context: str, number: str) -> Match | None:
    """The extension for this number (as `pattern.dialled` gives it) to whoever enters through the context."""
    for searched in reach(dialplan, context):
        found = searched.exact.get(number)
        if found is None:
            found = next((e for e in searched.patterns if e.pattern.matches(number)), None)
        if found is not None:
            return Match(context=searched, extension=found)
    return None


def reach(dialplan: Dialplan, context: str) -> list[Context]:
    """The context and all that it includes, in the order in which they are searched, each once."""
    found: dict[str, Context] = {}
    waiting = [context]
    while waiting:
        name = waiting.pop()
        known = dialplan.contexts.get(name)
        if known is not None and name not in found:
            found[name] = known
            waiting += reversed(known.include)
    return list(found.values())
