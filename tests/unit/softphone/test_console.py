from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softphone.console import parse_json, parse_words
from softphone.errors import CommandError
from softphone.model.intents import Dial, Intent, SendDigits, Verb


@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_in_both_dialects(verb: Verb) -> None:
    assert parse_json(json.dumps({"cmd": verb.value})) is verb
    assert parse_words(f"  {verb.value.upper()}\n") is verb


@pytest.mark.parametrize(
    ("line", "words", "expected"),
    [
        ('{"cmd":"dial","uri":"sip:100@pbx:5080"}', "dial sip:100@pbx:5080", Dial(uri="sip:100@pbx:5080")),
        ('{"cmd":"dial","uri":"*11"}', "dial *11", Dial(uri="*11")),
        ('{"cmd":"dtmf","digits":"12#a"}', "dtmf 12#a", SendDigits(digits="12#A")),
    ],
)
def test_commands_with_an_argument(line: str, words: str, expected: Intent) -> None:
    assert parse_json(line) == expected
    assert parse_words(words) == expected


@pytest.mark.parametrize("line", ["", "\n", "   \t\n"])
def test_an_empty_line_is_no_command(line: str) -> None:
    assert parse_json(line) is None
    assert parse_words(line) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("answer", 'not JSON: "answer"; expected an object'),
        ('{"cmd":"answer"', "not JSON"),
        ("[1]", 'found "\\[1\\]"; expected an object with a text "cmd", one of: answer,'),
        ('{"verb":"answer"}', 'expected an object with a text "cmd"'),
        ('{"cmd":7}', 'expected an object with a text "cmd"'),
        ('{"cmd":"foo"}', 'unknown command "foo"; allowed: answer, reject, .*dial, dtmf'),
        ('{"cmd":"answer","call":1}', '"answer": unknown key "call"; allowed: none'),
        ('{"cmd":"dial","url":"x"}', '"dial": unknown key "url"; allowed: uri'),
        ('{"cmd":"dial"}', "dial: uri is missing"),
        ('{"cmd":"dial","uri":5}', 'dial: uri is "5"; expected a text'),
        ('{"cmd":"dial","uri":"sip:a b@c"}', "expected a SIP address or a number"),
        ('{"cmd":"dial","uri":"sip:a@b\\r\\nX: y"}', "expected a SIP address or a number"),
        ('{"cmd":"dial","uri":"<sip:a@b>"}', "expected a SIP address or a number"),
        ('{"cmd":"dtmf","digits":"12x"}', 'dtmf: digits is "12x"; allowed: up to 64 of 0-9'),
        ('{"cmd":"dtmf","digits":""}', "dtmf: digits is missing"),
    ],
)
def test_a_bad_json_line_says_what_was_found_and_what_is_allowed(line: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        parse_json(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("foo", 'unknown command "foo"; allowed: answer'),
        ("answer now", "too many words; expected answer"),
        ("dial", "dial: uri is missing"),
        ("dial a b", "too many words; expected dial uri"),
        ("dtmf " + "1" * 65, "allowed: up to 64"),
    ],
)
def test_a_bad_line_of_words_says_what_is_allowed(line: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        parse_words(line)


def test_a_long_line_is_quoted_in_part() -> None:
    with pytest.raises(CommandError) as caught:
        parse_json("x" * 5000)
    assert len(str(caught.value)) < 200


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_line_can_do_worse_than_a_command_error(line: str) -> None:
    for parse in (parse_json, parse_words):
        message = ""
        try:
            parse(line)
        except CommandError as error:
            message = str(error)
        assert "\n" not in message


def test_deep_nesting_is_an_error_like_any_other() -> None:
    with pytest.raises(CommandError, match="not JSON"):
        parse_json("[" * 100_000)
