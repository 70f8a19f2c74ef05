"""Turn the tables of a dialplan file into a `Dialplan`, or say everything that is wrong with them. Reads no file.

What the keys mean stands on top of `dialplans/demo.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from engine.calls.directory import Directory
from engine.calls.routing import (
    Feature,
    ToAgent,
    ToAnnouncement,
    ToConference,
    ToEcho,
    ToFeature,
    ToQueue,
    ToReject,
)
from engine.dialplan import playing
from engine.dialplan.fields import Fields, did_you_mean
from engine.dialplan.model import Action, Context, Dialplan, DialTrunk, Extension
from engine.dialplan.pattern import Pattern, PatternError, parse
from engine.dialplan.playing import Sounds, Stock
from engine.errors import ConfigError
from engine.ids import AgentName, GroupName, QueueName, TrunkName
from engine.media.tone_plans import COUNTRIES

AGENT_RING_S: Final = 30.0
TRUNK_RING_S: Final = 60.0
"""How long a direct call rings where the dialplan does not say: people's phones need longer than an agent's."""

LONGEST_RING_S: Final = 600.0

CONFERENCE_NAME: Final = re.compile(r"[a-z0-9._-]{1,64}")
"""As that of agents and queues: it stands in addresses of the API."""

_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "queue": (),
    "echo": (),
    "conference": (),
    "announcement": (),
    "play": playing.OPTIONS,
    "reject": (),
    "agent": ("ring_timeout_s",),
    "trunk": ("strip", "prefix", "ring_timeout_s"),
    "trunk_group": ("strip", "prefix", "ring_timeout_s"),
    "feature": ("reason",),
}
"""The actions, and the further keys that each one takes."""


def check(file: str, tables: Mapping[str, object], sounds: Sounds) -> Dialplan:
    """The dialplan in these tables. Raises ConfigError with one line per fault: file, key, found, allowed."""
    faults: list[str] = []
    top = Fields("", tables, faults)
    stock = Stock(file=sounds, phrases=playing.phrases(top, sounds))
    named = top.table("context")
    if named is None and "context" not in top:
        top.fault("", "no context; a dialplan needs at least one [context.NAME]")
    top.finish()
    contexts: dict[str, Context] = {}
    for name, table in (named or {}).items():
        path = f"context.{name}"
        if isinstance(table, dict):
            contexts[name] = _context(name, Fields(path, table, faults), stock)
        else:
            faults.append(f"{path}: found {table!r}; allowed: a table, [{path}]")
    faults += _include_faults(contexts)
    dialplan = Dialplan(file=file, contexts=contexts)
    if not faults:
        faults += playing.next_faults(dialplan)
    if faults:
        raise ConfigError("\n".join(f"{file}: {fault}" for fault in faults))
    return dialplan


def _context(name: str, fields: Fields, stock: Stock) -> Context:
    include = fields.texts("include")
    trunk_to_trunk = fields.boolean("trunk_to_trunk") or False
    language, country = playing.language(fields), fields.choice("country", COUNTRIES) or ""
    exact: dict[str, Extension] = {}
    patterns: dict[str, Extension] = {}
    for index, table in enumerate(fields.tables("extension")):
        inner = fields.inside(f"extension[{index}]", table)
        extension = _extension(inner, stock)
        if extension is None:
            continue
        kind = exact if extension.pattern.exact else patterns
        earlier = kind.setdefault(extension.pattern.text, extension)
        if earlier is not extension:
            inner.fault("number", f'"{extension.pattern.text}" is there already, as {earlier.key}')
    fields.finish()
    return Context(
        name=name,
        include=tuple(include),
        trunk_to_trunk=trunk_to_trunk,
        language=language,
        country=country,
        exact=exact,
        patterns=tuple(sorted(patterns.values(), key=lambda extension: extension.pattern.rank)),
    )


def _extension(fields: Fields, stock: Stock) -> Extension | None:
    pattern = _pattern(fields)
    named = [action for action in _OPTIONS if action in fields]
    if len(named) != 1:
        found = " and ".join(named) or "none"
        fields.fault("", f"found {found}; needs exactly one of {', '.join(_OPTIONS)}")
        fields.know(*_OPTIONS, *(option for options in _OPTIONS.values() for option in options))
        fields.finish()
        return None
    action = _ACTIONS[named[0]](fields, stock)
    others = {option for options in _OPTIONS.values() for option in options} - set(_OPTIONS[named[0]])
    for option in sorted(others):
        if option in fields:
            takers = ", ".join(name for name, options in _OPTIONS.items() if option in options)
            fields.fault(option, f"has no meaning beside {named[0]}; it goes with {takers}")
    fields.finish(also=others)
    if pattern is None or action is None:
        return None
    if isinstance(action, DialTrunk) and not action.prefix and action.strip >= pattern.shortest:
        fields.fault("strip", f"found {action.strip}; a number of {pattern.shortest} that matches would be left empty")
        return None
    return Extension(pattern=pattern, action=action, key=fields.path)


def _pattern(fields: Fields) -> Pattern | None:
    text = fields.text("number")
    if text is None:
        if "number" not in fields:
            fields.fault("number", 'missing; needs a number ("600") or a pattern ("_6XX")')
        return None
    try:
        return parse(text)
    except PatternError as error:
        fields.fault("number", f'found "{text}"; {error}')
        return None


# --- the actions ---


def _queue(fields: Fields, stock: Stock) -> Action | None:
    name = fields.text("queue")
    return None if name is None else ToQueue(queue=QueueName(name))


def _echo(fields: Fields, stock: Stock) -> Action | None:
    if fields.boolean("echo") is False:
        fields.fault("echo", "found false; allowed: true (or leave the extension out)")
        return None
    return ToEcho()


def _conference(fields: Fields, stock: Stock) -> Action | None:
    name = fields.text("conference")
    if name is None:
        return None
    if not CONFERENCE_NAME.fullmatch(name):
        fields.fault("conference", f'found "{name}"; allowed: a name of 1 to 64 of a-z 0-9 . _ -')
        return None
    return ToConference(conference=name)


def _announcement(fields: Fields, stock: Stock) -> Action | None:
    name = fields.text("announcement")
    if name is None:
        return None
    try:
        return ToAnnouncement(file=stock.file(name))
    except ValueError as error:
        fields.fault("announcement", f'found "{name}"; {error}')
        return None


def _reject(fields: Fields, stock: Stock) -> Action | None:
    table = fields.table("reject")
    if table is None:
        return None
    inner = fields.inside("reject", table)
    status, reason = inner.whole("status", 400, 699), inner.text("reason")
    for key in ("status", "reason"):
        if key not in inner:
            inner.fault(key, 'missing; reject needs both, such as {status = 486, reason = "Busy Here"}')
    inner.finish()
    return None if status is None or reason is None else ToReject(status=status, reason=reason)


def _agent(fields: Fields, stock: Stock) -> Action | None:
    name = fields.text("agent")
    ring = fields.seconds("ring_timeout_s", 1, LONGEST_RING_S)
    return None if name is None else ToAgent(agent=AgentName(name), ring_timeout_s=ring or AGENT_RING_S)


def _trunk(fields: Fields, stock: Stock) -> Action | None:
    group = "trunk_group" in fields
    name = fields.text("trunk_group" if group else "trunk")
    strip, prefix = fields.whole("strip", 0, 32), fields.text_or_empty("prefix")
    ring = fields.seconds("ring_timeout_s", 1, LONGEST_RING_S)
    if name is None:
        return None
    return DialTrunk(
        trunk=GroupName(name) if group else TrunkName(name),
        strip=strip or 0,
        prefix=prefix or "",
        ring_timeout_s=ring or TRUNK_RING_S,
        group=group,
    )


def _feature(fields: Fields, stock: Stock) -> Action | None:
    name, reason = fields.choice("feature", list(Feature)), fields.text("reason")
    if name is None:
        return None
    feature = Feature(name)
    if reason is not None and feature is not Feature.BREAK:
        fields.fault("reason", f"has no meaning beside feature = {name!r}; it goes with feature = 'break'")
    return ToFeature(feature=feature, reason=reason or "")


_ACTIONS: Final[dict[str, Callable[[Fields, Stock], Action | None]]] = {
    "queue": _queue,
    "echo": _echo,
    "conference": _conference,
    "announcement": _announcement,
    "play": playing.play,
    "reject": _reject,
    "agent": _agent,
    "trunk": _trunk,
    "trunk_group": _trunk,
    "feature": _feature,
}


# --- what only the whole shows ---


def _include_faults(contexts: Mapping[str, Context]) -> list[str]:
    faults = []
    for context in contexts.values():
        for index, name in enumerate(context.include):
            if name not in contexts:
                there = ", ".join(contexts)
                path = f"context.{context.name}.include[{index}]"
                faults.append(f'{path}: found "{name}"; contexts are: {there}{did_you_mean(name, contexts)}')
    for name in contexts:
        cycle = _cycle(contexts, (name,), set())
        # Each ring of includes is told once, from the context in it that comes first in the file.
        if cycle is not None and name == next(known for known in contexts if known in cycle):
            faults.append(f"context.{name}.include: goes round in a circle: {' -> '.join(cycle)}")
    return faults


def _cycle(contexts: Mapping[str, Context], path: tuple[str, ...], seen: set[str]) -> tuple[str, ...] | None:
    """The way from the first context of the path back to itself; None when there is none. `seen` are those from which
    no way leads there."""
    context = contexts.get(path[-1])
    for name in context.include if context is not None else ():
        if name == path[0]:
            return (*path, name)
        if name not in seen:
            seen.add(name)
            found = _cycle(contexts, (*path, name), seen)
            if found is not None:
                return found
    return None


def name_warnings(dialplan: Dialplan, directory: Directory) -> list[str]:
    """What the dialplan and the directory name that the other does not have. Warnings, no errors: the directory
    changes while the engine runs."""
    warnings = []
    for extension in dialplan.extensions():
        kind, name, there = _named(extension.action, directory)
        if kind and name not in there:
            known = ", ".join(there) or "none"
            warnings.append(
                f"{dialplan.file}: {extension.key}.{kind}: no {kind} {name!r} in the store; there are: {known}"
            )
    entrants: list[tuple[str, str, str]] = [("agent", a.name, a.context) for a in directory.agents.values()]
    entrants += [("trunk", t.name, t.context) for t in directory.trunks.values()]
    for kind, name, context in entrants:
        if context not in dialplan.contexts:
            warnings.append(
                f"{dialplan.file}: {kind} {name!r} enters context {context!r}, which is not in the dialplan"
            )
    return warnings


def _named(action: Action, directory: Directory) -> tuple[str, str, list[str]]:
    match action:
        case ToQueue():
            return "queue", action.queue, list(directory.queues)
        case ToAgent():
            return "agent", action.agent, list(directory.agents)
        case DialTrunk(group=True):
            return "trunk_group", action.trunk, list(directory.groups)
        case DialTrunk():
            return "trunk", action.trunk, list(directory.trunks)
        case _:
            return "", "", []
