"""Reads commands: a JSON object a line from a program, words from a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from softphone.errors import CommandError
from softphone.model.intents import Dial, Intent, SendDigits, Verb

Parse = Callable[[str], Intent | None]
"""Line -> wish; None for a line without content. Raises CommandError."""

DIGITS: Final = frozenset("0123456789*#ABCD")
"""Keys of RFC 4733, section 3.2."""
LONGEST_DIGITS: Final = 64
LONGEST_URI: Final = 512
_ARGUMENT: Final = {"dial": "uri", "dtmf": "digits"}
_ALLOWED: Final = ", ".join([*Verb, *_ARGUMENT])


def parse_json(line: str) -> Intent | None:
    """Read such as `{"cmd": "answer"}`; CommandError says what was found and what is allowed."""
    if not line.strip():
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError(f'not JSON: {_quoted(line)}; expected an object such as {{"cmd":"answer"}}') from error
    if not isinstance(found, dict) or not isinstance(found.get("cmd"), str):
        raise CommandError(f'found {_quoted(line)}; expected an object with a text "cmd", one of: {_ALLOWED}')
    word = found.pop("cmd")
    argument = _ARGUMENT.get(word)
    unknown = sorted(set(found) - {argument})
    if unknown:
        raise CommandError(f"{_quoted(word)}: unknown key {_quoted(unknown[0])}; allowed: {argument or 'none'}")
    value = found.get(argument) if argument else None
    if value is not None and not isinstance(value, str):
        raise CommandError(f"{word}: {argument} is {_quoted(json.dumps(value))}; expected a text")
    return _intent(word, value)


def parse_words(line: str) -> Intent | None:
    """Read such as `dial sip:100@example.org`; CommandError says what was found and what is allowed."""
    words = line.split()
    if not words:
        return None
    word = words[0].lower()
    if len(words) > (2 if word in _ARGUMENT else 1):
        raise CommandError(f"{_quoted(line)}: too many words; expected {word} {_ARGUMENT.get(word, '')}".rstrip())
    return _intent(word, words[1] if len(words) > 1 else None)


def _intent(word: str, value: str | None) -> Intent:
    if word in _ARGUMENT:
        if not value:
            raise CommandError(f"{word}: {_ARGUMENT[word]} is missing")
        return _dial(value) if word == "dial" else _digits(value)
    try:
        return Verb(word)
    except ValueError as error:
        raise CommandError(f"unknown command {_quoted(word)}; allowed: {_ALLOWED}") from error


def _dial(uri: str) -> Dial:
    if len(uri) > LONGEST_URI or not uri.isascii() or not uri.isprintable() or set(uri) & set(' <>"'):
        raise CommandError(
            f"dial: uri is {_quoted(uri)}; expected a SIP address or a number, up to {LONGEST_URI} characters"
        )
    return Dial(uri=uri)


def _digits(digits: str) -> SendDigits:
    upper = digits.upper()
    if len(upper) > LONGEST_DIGITS or not set(upper) <= DIGITS:
        raise CommandError(f"dtmf: digits is {_quoted(digits)}; allowed: up to {LONGEST_DIGITS} of 0-9 * # A-D")
    return SendDigits(digits=upper)


def _quoted(text: str) -> str:
    short = text.strip()
    return json.dumps(short if len(short) <= 60 else short[:60] + "...")
