from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.speech.language import Gender
from engine.speech.numbers import SpeechError, spoken_number
from engine.speech.phrases import (
    File,
    Item,
    Name,
    PhraseItem,
    Silence,
    Spoken,
    ToneItem,
    blanks,
    opened,
    parse,
    parts,
)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("queue-youarenext", Name(name="queue-youarenext")),
        ("digits/1", Name(name="digits/1")),
        ("hello.wav", File(path="hello.wav")),
        ("../sounds/Hello World.FLAC", File(path="../sounds/Hello World.FLAC")),
        ("number:{position}", Spoken(kind="number", value="{position}")),
        ("number-f:21", Spoken(kind="number", value="21", gender=Gender.FEMININE)),
        ("number:-5", Spoken(kind="number", value="-5")),
        ("ordinal-n:2", Spoken(kind="ordinal", value="2", gender=Gender.NEUTER)),
        ("digits:0{caller}", Spoken(kind="digits", value="0{caller}")),
        ("duration:90", Spoken(kind="duration", value="90")),
        ("silence:500", Silence(ms=500)),
        ("tone:busy", ToneItem(tone="busy")),
        ("phrase:position", PhraseItem(phrase="position")),
    ],
)
def test_items_as_they_are_written(text: str, item: Item) -> None:
    assert parse(text) == item


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no name of a sound"),
        ("two words", "no name of a sound"),
        ("/etc/passwd", "no name of a sound"),
        ("a/../b", "no name of a sound"),
        ("number:", "nothing after number:"),
        ("number:ten", "'ten' is no whole number"),
        ("number:{a}{b}", "no whole number"),
        ("number:\u0663", "no whole number"),
        ("number:12345678901", "no whole number"),
        ("number-x:1", "no kind of item 'number-x'; there are: number, number-f, ordinal"),
        ("duration-f:1", "no kind of item 'duration-f'"),
        ("duration:soon", "no whole number"),
        ("silence:0", "1 to 60000 milliseconds"),
        ("silence:60001", "1 to 60000 milliseconds"),
        ("silence:-5", "1 to 60000 milliseconds"),
        ("silence:99999999999999999999", "1 to 60000 milliseconds"),
        ("say:hello", "no kind of item 'say'"),
    ],
)
def test_what_is_no_item_is_told(text: str, message: str) -> None:
    with pytest.raises(SpeechError, match=message.replace("{", r"\{")):
        parse(text)


@given(st.text(max_size=40))
def test_any_text_is_an_item_or_an_error(text: str) -> None:
    try:
        item = parse(text)
    except SpeechError:
        return
    blanks(item)


def test_blanks_of_an_item() -> None:
    assert blanks(parse("digits:{area}0{caller}")) == ("area", "caller")
    assert blanks(parse("number:5")) == ()
    assert blanks(parse("welcome")) == ()


def items(*texts: str) -> tuple[Item, ...]:
    return tuple(map(parse, texts))


def test_phrases_within_phrases_are_opened_in_their_place() -> None:
    phrases = {"greeting": items("hello", "phrase:name", "bye"), "name": items("acme", "inc")}
    assert opened(items("tone:busy", "phrase:greeting", "silence:5"), phrases) == items(
        "tone:busy", "hello", "acme", "inc", "bye", "silence:5"
    )


def test_a_phrase_may_come_twice_but_not_within_itself() -> None:
    phrases = {"a": items("x"), "loop": items("phrase:round"), "round": items("phrase:loop")}
    assert opened(items("phrase:a", "phrase:a"), phrases) == items("x", "x")
    with pytest.raises(SpeechError, match="in a circle: loop -> round -> loop"):
        opened(items("phrase:loop"), phrases)


def test_a_phrase_that_is_not_there() -> None:
    with pytest.raises(SpeechError, match=r"no phrase 'b'; there are: a$"):
        opened(items("phrase:b"), {"a": ()})
    with pytest.raises(SpeechError, match=r"there are: none$"):
        opened(items("phrase:b"), {})


def test_phrases_that_multiply_have_an_end() -> None:
    doubling = {str(n): items(f"phrase:{n + 1}", f"phrase:{n + 1}") for n in range(30)} | {"30": items("x")}
    with pytest.raises(SpeechError, match="more than 200 items"):
        opened(items("phrase:0"), doubling)
    assert len(opened(items("phrase:23"), doubling)) == 128


def test_numbers_are_spoken_and_blanks_filled() -> None:
    found = parts(
        items("you-are", "number-f:{n}", "silence:20", "digits:{caller}", "hi.wav", "tone:busy"),
        "de",
        {"n": "1", "caller": "+4*"},
    )
    assert found == (
        Name(name="you-are"),
        Name(name="digits/1F"),
        Silence(ms=20),
        Name(name="letters/plus"),
        Name(name="digits/4"),
        Name(name="digits/star"),
        File(path="hi.wav"),
        ToneItem(tone="busy"),
    )


def test_durations_and_ordinals_in_a_phrase() -> None:
    assert parts(items("duration:60", "ordinal:{n}"), "en", {"n": "2"}) == tuple(
        Name(name=name) for name in ("digits/1", "minute", "digits/h-2")
    )


@pytest.mark.parametrize(
    ("text", "language"), [("number:{caller}", "en"), ("number:5", "xx"), ("ordinal:5", "fr"), ("number:{gone}", "en")]
)
def test_what_cannot_be_said_is_left_out_and_the_rest_is_said(text: str, language: str) -> None:
    assert parts(items("before", text, "after"), language, {"caller": "alice"}) == items("before", "after")


def test_a_playlist_has_an_end_whatever_a_caller_calls_himself() -> None:
    assert len(parts(items("digits:{caller}"), "en", {"caller": "1" * 5_000})) == 200


def test_a_blank_is_no_way_to_another_blank() -> None:
    assert parts(items("digits:{caller}"), "en", {"caller": "{called}", "called": "7"}) == tuple(
        Name(name=f"letters/{letter}") for letter in "called"
    )


def test_numbers_of_the_language_asked_for() -> None:
    assert parts(items("number:71"), "fr", {}) == tuple(Name(name=name) for name in spoken_number(71, "fr"))
