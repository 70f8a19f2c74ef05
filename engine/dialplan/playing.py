"""What an extension plays: read from its keys and checked, and what of it the operator's sounds lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.calls.routing import ToPlay
from engine.dialplan.fields import Fields, did_you_mean
from engine.dialplan.match import find, reach
from engine.dialplan.model import Context, Dialplan, Extension
from engine.dialplan.pattern import dialled
from engine.media.commands import Tone
from engine.media.tone_plans import COUNTRIES
from engine.speech.library import Library
from engine.speech.numbers import SpeechError
from engine.speech.phrases import File, Item, ToneItem, blanks, opened, parse

OPTIONS: Final = (
    "loop",
    "gain_db",
    "stop_digits",
    "for_s",
    "then",
    "on_digit",
    "language",
    "country",
    "arguments",
)

KEYS: Final = "0123456789*#ABCD"
KNOWN_BLANKS: Final = ("caller", "called")
"""Filled by the call itself."""

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*")
_ARGUMENT: Final = re.compile(r"[a-z_]{1,32}")
_LOUDEST_DB: Final = 20
_LONGEST_S: Final = 3600
_SHOWN: Final = 3
"""Missing sounds of one item that are named; the others are only counted."""

Sounds = Callable[[str], str]
"""The absolute path of a sound file named in the dialplan. Raises ValueError, saying why, when it cannot be played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What extensions may play."""

    file: Sounds
    phrases: Mapping[str, tuple[Item, ...]]


def phrases(top: Fields, file: Sounds) -> Mapping[str, tuple[Item, ...]]:
    """The phrases of a dialplan, by name; phrases within them still closed."""
    table = top.table("phrases") or {}
    fields = top.within("phrases", table)
    found = {name: _items(fields, name, file) for name in table}
    fields.know(*table)
    whole = {name: items for name, items in found.items() if items}
    for name, items in whole.items():
        try:
            opened(items, {**whole, **dict.fromkeys(found.keys() - whole.keys(), ())})
        except SpeechError as error:
            fields.fault(name, str(error))
    return whole


def play(fields: Fields, stock: Stock) -> ToPlay | None:
    """The action `play`."""
    listed = _items(fields, "play", stock.file)
    arguments = _texts(fields, "arguments", _ARGUMENT, "a name of small letters, with a text")
    stop, on_digit = fields.text("stop_digits") or "", _texts(fields, "on_digit", re.compile(r"[0-9*#A-D]"), "a key")
    if set(stop) - set(KEYS):
        fields.fault("stop_digits", f"found {stop!r}; allowed: keys of {KEYS}")
    loop, for_s, then = fields.boolean("loop") or False, fields.seconds("for_s", 1, _LONGEST_S), fields.text("then")
    action = ToPlay(
        name=f"play:{first(fields.plain('play'))}",
        items=_opened(fields, listed, stock),
        loop=loop,
        gain_db=fields.number("gain_db", -60, _LOUDEST_DB, "decibels") or 0.0,
        stop_digits=stop + "".join(sorted(set(on_digit) - set(stop))),
        for_s=for_s or 0.0,
        then=then or "",
        on_digit=on_digit,
        language=language(fields),
        country=fields.choice("country", COUNTRIES) or "",
        arguments=arguments,
    )
    if then and loop and not for_s and not action.stop_digits:
        fields.fault("then", "is never reached: loop has no end without for_s or stop_digits")
    for blank in dict.fromkeys(blank for item in action.items for blank in blanks(item)):
        if blank not in (*KNOWN_BLANKS, *arguments):
            there = ", ".join((*KNOWN_BLANKS, *arguments))
            fields.fault("play", f"nothing fills {{{blank}}}; there are: {there} (and what `arguments` names)")
    return action if listed else None


def language(fields: Fields) -> str:
    """The key `language`; empty where there is none."""
    found = fields.text("language")
    if found is not None and not _LANGUAGE.fullmatch(found):
        fields.fault("language", f'found {found!r}; allowed: a language code, such as "en" or "de_AT"')
    return found or ""


def first(listed: object) -> str:
    """What a play is called by: its first item."""
    return str(listed[0] if isinstance(listed, list) and listed else listed)


def _items(fields: Fields, key: str, file: Sounds) -> tuple[Item, ...]:
    """One item or a list of them; empty where something is wrong, which is told."""
    found: list[Item] = []
    listed = fields.one_or_more(key)
    for index, text in enumerate(listed):
        path = key if isinstance(fields.plain(key), str) else f"{key}[{index}]"
        try:
            found.append(_checked(parse(text), file))
        except (SpeechError, ValueError) as error:
            fields.fault(path, f'found "{text}"; {error}')
    return tuple(found) if len(found) == len(listed) else ()


def _checked(item: Item, file: Sounds) -> Item:
    match item:
        case File(path=path):
            return File(path=file(path))
        case ToneItem(tone=tone) if tone not in list(Tone):
            raise SpeechError(f"tones are: {', '.join(Tone)}{did_you_mean(tone, list(Tone))}")
        case _:
            return item


def _opened(fields: Fields, items: tuple[Item, ...], stock: Stock) -> tuple[Item, ...]:
    try:
        return opened(items, stock.phrases)
    except SpeechError as error:
        fields.fault("play", str(error))
        return ()


def _texts(fields: Fields, key: str, name: re.Pattern[str], kind: str) -> dict[str, str]:
    """A table of texts, each under a name of this kind."""
    table = fields.table(key) or {}
    inner = fields.inside(key, table)
    for each in table:
        if not name.fullmatch(each):
            inner.fault(each, f"allowed: {kind}")
    return {each: text for each in table if (text := inner.text(each)) is not None}


# --- what only the whole shows ---


def next_faults(dialplan: Dialplan) -> list[str]:
    """Extensions that lead on to a number which is not there, in the context in which they stand."""
    faults = []
    for context in dialplan.contexts.values():
        for extension in (*context.exact.values(), *context.patterns):
            for key, number in _leads(extension):
                if find(dialplan, context.name, dialled(number)) is None:
                    faults.append(f'{extension.key}.{key}: found "{number}"; nothing in context {context.name} matches')
    return faults


def _leads(extension: Extension) -> Iterator[tuple[str, str]]:
    action = extension.action
    if isinstance(action, ToPlay):
        if action.then:
            yield "then", action.then
        for digit, number in action.on_digit.items():
            yield f"on_digit.{digit}", number


def sound_warnings(dialplan: Dialplan, library: Library, default: str) -> list[str]:
    """What extensions play and the operator's sounds do not have, in every language that may be asked for; `default`
    is that of contexts that name none. Warnings, no errors: what is missing is left out, and the rest is heard."""
    told: dict[str, None] = {}
    for entrance in dialplan.contexts.values():
        for context in reach(dialplan, entrance.name):
            for extension in (*context.exact.values(), *context.patterns):
                if isinstance(extension.action, ToPlay):
                    spoken = spoken_in(extension.action, entrance, context) or default
                    told |= dict.fromkeys(_lacking(dialplan, extension, extension.action, library, spoken))
    return list(told)


def spoken_in(action: ToPlay, entrance: Context, context: Context) -> str:
    """The language of an extension that stands in `context`, for a call that entered through `entrance`; empty: the
    engine's."""
    return action.language or entrance.language or context.language


def _lacking(dialplan: Dialplan, extension: Extension, action: ToPlay, library: Library, spoken: str) -> Iterator[str]:
    for item in dict.fromkeys(action.items):
        where = f"{dialplan.file}: {extension.key}.play"
        try:
            lacking = library.lacks(item, spoken)
        except SpeechError as error:
            yield f"{where}: {error}"
            continue
        if lacking:
            named = ", ".join(lacking[:_SHOWN]) + (f" and {len(lacking) - _SHOWN} more" if lacking[_SHOWN:] else "")
            yield f"{where}: no sound {named} in {spoken!r}; {library.looked_for(lacking[0], spoken)}"
