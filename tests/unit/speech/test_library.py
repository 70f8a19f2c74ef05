from __future__ import annotations

import pytest

from engine.speech.library import Library
from engine.speech.numbers import SpeechError, needed_sounds
from engine.speech.phrases import parse


def shelf(folder: str, *names: str) -> dict[str, str]:
    return {name: f"/s/{folder}/{name}.wav" for name in names}


THERE = Library(
    directory="/s",
    sounds={
        "de": shelf("de", "hi", "digits/1"),
        "de_AT": shelf("de_AT", "hi"),
        "en_US_f_Allison": shelf("en_US_f_Allison", "bye", "hours", "queue-minute", "digits/1"),
        "": shelf("", "hi", "beep"),
    },
)


@pytest.mark.parametrize(
    ("name", "language", "file"),
    [
        ("hi", "de", "/s/de/hi.wav"),
        ("hi", "de_AT", "/s/de_AT/hi.wav"),
        ("hi", "de-AT", "/s/de_AT/hi.wav"),
        ("digits/1", "de_AT", "/s/de/digits/1.wav"),
        ("hi", "fr", "/s//hi.wav"),
        ("bye", "en", "/s/en_US_f_Allison/bye.wav"),
        ("bye", "en_GB", "/s/en_US_f_Allison/bye.wav"),
        ("bye", "de", ""),
        ("beep", "de", "/s//beep.wav"),
        ("hour", "en", "/s/en_US_f_Allison/hours.wav"),
        ("minute", "en", "/s/en_US_f_Allison/queue-minute.wav"),
        ("second", "en", ""),
        ("digits/1F", "de", "/s/de/digits/1.wav"),
    ],
)
def test_a_sound_is_looked_for_from_near_to_far(name: str, language: str, file: str) -> None:
    assert THERE.find(name, language) == file


def test_a_sound_of_its_own_goes_before_what_says_nearly_the_same() -> None:
    both = Library(sounds={"de": shelf("de", "digits/1", "digits/1F")})
    assert both.find("digits/1F", "de") == "/s/de/digits/1F.wav"


def test_all_sounds_of_a_language() -> None:
    assert THERE.all("de_AT") == {
        "beep": "/s//beep.wav",
        "digits/1": "/s/de/digits/1.wav",
        "hi": "/s/de_AT/hi.wav",
    }
    assert THERE.languages == ("de", "de_AT", "en_US_f_Allison")


def test_what_items_lack() -> None:
    assert THERE.lacks(parse("hi"), "de") == ()
    assert THERE.lacks(parse("bye"), "de") == ("bye",)
    assert THERE.lacks(parse("number:2"), "de") == ("digits/2",)
    assert THERE.lacks(parse("silence:5"), "xx") == THERE.lacks(parse("a.wav"), "xx") == ()
    assert THERE.lacks(parse("digits:{caller}"), "de") == tuple(f"digits/{n}" for n in (0, 2, 3, 4, 5, 6, 7, 8, 9))
    there = {"digits/1", "digits/1F", "digits/1N"}
    assert set(needed_sounds("de")) - set(THERE.lacks(parse("number:{n}"), "de")) == there


@pytest.mark.parametrize(("item", "language"), [("number:{n}", "xx"), ("ordinal:{n}", "fr"), ("number:1", "xx")])
def test_what_no_sound_would_mend_is_an_error(item: str, language: str) -> None:
    with pytest.raises(SpeechError):
        THERE.lacks(parse(item), language)


def test_where_a_sound_would_be() -> None:
    assert THERE.looked_for("hi", "fr") == "looked for /s/fr/hi.wav (.flac, .ogg, .oga, .opus)"
    assert Library().looked_for("hi", "fr") == "[sounds] directory is not set"
