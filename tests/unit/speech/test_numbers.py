from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.speech.language import LARGEST, Gender
from engine.speech.numbers import (
    LANGUAGES,
    SpeechError,
    needed_sounds,
    spoken_digits,
    spoken_duration,
    spoken_number,
    spoken_ordinal,
)

NEEDED = {language: set(needed_sounds(language)) for language in LANGUAGES}
JOINING = {"and", "et", "nl-en", "pt-e"}
SIZES = {
    "hundred": 100,
    **dict.fromkeys(("thousand", "thousands", "1000", "1000.2", "1000.5"), 1_000),
    **dict.fromkeys(("million", "millions", "1000000", "1000000S", "1000000.2", "1000000.5"), 1_000_000),
}


def read(names: tuple[str, ...]) -> int:
    """The number that somebody hears who knows what each sound says, and nothing of how they were chosen."""
    heard = [name.removeprefix("digits/") for name in names]
    sign = 1
    if heard[0] == "minus":
        sign, heard = -1, heard[1:]
    total = group = 0
    for word in heard:
        if word in JOINING:
            continue
        size = SIZES.get(word)
        if size == 100:
            group = (group or 1) * 100
        elif size is not None:
            total, group = total + (group or 1) * size, 0
        else:
            group += 1 if word == "un" else int(re.fullmatch(r"(\d+)(-and|-[12]m|[EFMNmz])?", word)[1])  # type: ignore[index]
    return sign * (total + group)


@pytest.mark.parametrize("language", LANGUAGES)
@given(number=st.integers(-LARGEST, LARGEST), gender=st.sampled_from(Gender))
def test_who_hears_a_number_knows_it(language: str, number: int, gender: Gender) -> None:
    assert read(spoken_number(number, language, gender)) == number


@pytest.mark.parametrize("language", LANGUAGES)
def test_small_numbers_are_all_different_and_all_right(language: str) -> None:
    spoken = {number: spoken_number(number, language) for number in range(2_200)}
    assert {number: read(names) for number, names in spoken.items()} == {number: number for number in spoken}
    assert len(set(spoken.values())) == len(spoken)


@pytest.mark.parametrize(
    ("language", "number", "words"),
    [
        ("en", 0, "0"),
        ("en", -17, "minus 17"),
        ("en", 342, "3 hundred 40 2"),
        ("en", 1_000_012, "1 million 12"),
        ("en", 999_999_999, "9 hundred 90 9 million 9 hundred 90 9 thousand 9 hundred 90 9"),
        ("en_GB", 342, "3 hundred and 40 2"),
        ("en_GB", 1_000_012, "1 million and 12"),
        ("en_GB", 101_001, "1 hundred and 1 thousand and 1"),
        ("en_GB", 40, "40"),
        ("de", 21, "1-and 20"),
        ("de", 100, "hundred"),
        ("de", 101, "1N hundred 1"),
        ("de", 1_000, "thousand"),
        ("de", 1_234, "1N thousand 2 hundred 4-and 30"),
        ("de", 101_000, "1N hundred 1N thousand"),
        ("de", 1_000_001, "1F million 1"),
        ("de", 2_000_000, "2 millions"),
        ("fr", 21, "20 et 1"),
        ("fr", 71, "60 et 11"),
        ("fr", 81, "80 1"),
        ("fr", 99, "80 19"),
        ("fr", 80, "80"),
        ("fr", 70, "60 10"),
        ("fr", 1_100, "thousand hundred"),
        ("fr", 2_200, "2 thousand 2 hundred"),
        ("es", 16, "16"),
        ("es", 29, "29"),
        ("es", 31, "30 and 1"),
        ("es", 100, "100"),
        ("es", 131, "100-and 30 and 1"),
        ("es", 500, "500"),
        ("es", 31_000, "30 and 1M thousand"),
        ("es", 1_000_000, "1M million"),
        ("it", 28, "28"),
        ("it", 32, "30 2"),
        ("it", 1_000, "thousand"),
        ("it", 2_188, "2 thousands hundred 88"),
        ("it", 1_000_000, "million"),
        ("it", 3_000_000, "3 millions"),
        ("nl", 34, "4 nl-en 30"),
        ("nl", 1_000, "thousand"),
        ("nl", 1_950, "19 hundred 50"),
        ("nl", 2_034, "2 thousand 4 nl-en 30"),
        ("nl", 2_134, "1 nl-en 20 hundred 4 nl-en 30"),
        ("nl", 10_100, "10 thousand hundred"),
        ("pl", 1_000, "1000"),
        ("pl", 2_000, "2 1000.2"),
        ("pl", 5_112, "5 1000.5 100 12"),
        ("pl", 12_000, "12 1000.5"),
        ("pl", 22_000, "20 2 1000.2"),
        ("pl", 21_000_000, "20 1 1000000.5"),
        ("pl", 112_000, "100 12 1000.5"),
        ("pt", 22, "20 pt-e 2"),
        ("pt", 100, "100"),
        ("pt", 115, "100E 15"),
        ("pt", 222, "200 pt-e 20 pt-e 2"),
        ("pt", 1_200, "1000 pt-e 200"),
        ("pt", 1_234, "1000 200 pt-e 30 pt-e 4"),
        ("pt", 1_000_100, "1 1000000 pt-e 100"),
        ("pt", 2_200_000, "2 1000000S pt-e 200 1000"),
        ("pt", 2_234_000, "2 1000000S 200 pt-e 30 pt-e 4 1000"),
    ],
)
def test_words_come_in_the_order_of_the_language(language: str, number: int, words: str) -> None:
    assert spoken_number(number, language) == tuple(f"digits/{word}" for word in words.split())


@pytest.mark.parametrize(
    ("language", "gender", "number", "words"),
    [
        ("de", Gender.FEMININE, 1, "1F"),
        ("de", Gender.MASCULINE, 1, "1N"),
        ("de", Gender.FEMININE, 101, "1N hundred 1F"),
        ("de", Gender.FEMININE, 21, "1-and 20"),
        ("fr", Gender.FEMININE, 21, "20 et 1F"),
        ("fr", Gender.FEMININE, 1_001, "thousand 1F"),
        ("es", Gender.FEMININE, 31, "30 and 1F"),
        ("es", Gender.MASCULINE, 1, "1M"),
        ("it", Gender.MASCULINE, 1, "un"),
        ("pl", Gender.FEMININE, 1, "1z"),
        ("pl", Gender.FEMININE, 2, "2z"),
        ("pl", Gender.FEMININE, 21, "20 1"),
        ("pl", Gender.FEMININE, 22, "20 2z"),
        ("pl", Gender.MASCULINE, 2, "2-1m"),
        ("pl", Gender.MASCULINE, 5, "5m"),
        ("pl", Gender.MASCULINE, 122, "100m 20m 2-2m"),
        ("pl", Gender.MASCULINE, 15, "15m"),
        ("pl", Gender.MASCULINE, 2_002, "2 1000.2 2-2m"),
        ("pt", Gender.FEMININE, 2, "2F"),
        ("pt", Gender.FEMININE, 201, "200F pt-e 1F"),
        ("pt", Gender.FEMININE, 2_000_000, "2 1000000S"),
        ("en", Gender.FEMININE, 1, "1"),
        ("nl", Gender.FEMININE, 1, "1"),
    ],
)
def test_a_number_follows_the_gender_of_what_is_counted(language: str, gender: Gender, number: int, words: str) -> None:
    assert spoken_number(number, language, gender) == tuple(f"digits/{word}" for word in words.split())


@pytest.mark.parametrize(
    ("language", "seconds", "names"),
    [
        ("en", 0, "digits/0 seconds"),
        ("en", 61, "digits/1 minute digits/1 second"),
        ("en", 7_325, "digits/2 hours digits/2 minutes digits/5 seconds"),
        ("en", 3_600, "digits/1 hour"),
        ("de", 60, "digits/1F minute"),
        ("fr", 61, "digits/1F minute digits/1F second"),
        ("es", 3_660, "digits/1F hour digits/1M minute"),
        ("it", 60, "digits/un minute"),
        ("nl", 120, "digits/2 minutes"),
        ("pl", 60, "digits/1z minute"),
        ("pl", 122, "digits/2z minutes.2 digits/2z seconds.2"),
        ("pl", 300, "digits/5 minutes.5"),
        ("pl", 12, "digits/12 seconds.5"),
        ("pt", 7_320, "digits/2F hours digits/2 minutes"),
    ],
)
def test_durations(language: str, seconds: int, names: str) -> None:
    assert spoken_duration(seconds, language) == tuple(names.split())


@pytest.mark.parametrize(
    ("language", "gender", "number", "words"),
    [
        ("en", Gender.COUNTING, 3, "h-3"),
        ("en", Gender.COUNTING, 21, "20 h-1"),
        ("en", Gender.COUNTING, 100, "1 h-hundred"),
        ("en_GB", Gender.COUNTING, 105, "1 hundred and h-5"),
        ("de", Gender.COUNTING, 3, "h-3"),
        ("de", Gender.FEMININE, 21, "1-and h-20F"),
        ("de", Gender.NEUTER, 1, "h-1N"),
    ],
)
def test_ordinals(language: str, gender: Gender, number: int, words: str) -> None:
    assert spoken_ordinal(number, language, gender) == tuple(f"digits/{word}" for word in words.split())


def test_digits_one_by_one() -> None:
    names = spoken_digits("+49 (30) 1*#a-Z é\u0663")
    assert " ".join(names) == (
        "letters/plus digits/4 digits/9 digits/3 digits/0 digits/1 digits/star digits/pound "
        "letters/a letters/dash letters/z"
    )


def test_a_dialect_is_spoken_by_the_rules_of_its_language() -> None:
    assert spoken_number(21, "de_AT") == spoken_number(21, "de-CH") == spoken_number(21, "de")
    assert spoken_number(101, "en-GB") == spoken_number(101, "en_GB") != spoken_number(101, "en_US")


def test_a_language_without_rules_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(SpeechError, match=r"'xx'; there are: en, en_GB, de, fr, es, it, nl, pl, pt$") as caught:
        spoken_number(1, "xx")
    assert caught.value.code == "not_speakable"
    with pytest.raises(SpeechError, match=r"ordinals in 'fr'; languages with them: en, en_GB, de$"):
        spoken_ordinal(1, "fr")


@pytest.mark.parametrize("number", [LARGEST + 1, -LARGEST - 1])
def test_what_is_too_large_is_an_error(number: int) -> None:
    with pytest.raises(SpeechError, match="too large"):
        spoken_number(number, "en")


@pytest.mark.parametrize("number", [0, -1, LARGEST + 1])
def test_what_has_no_ordinal_is_an_error(number: int) -> None:
    with pytest.raises(SpeechError, match="no ordinal"):
        spoken_ordinal(number, "en")


@pytest.mark.parametrize("seconds", [-1, LARGEST + 1])
def test_what_is_no_duration_is_an_error(seconds: int) -> None:
    with pytest.raises(SpeechError, match="no duration"):
        spoken_duration(seconds, "en")


@pytest.mark.parametrize("language", LANGUAGES)
@given(number=st.integers(-LARGEST, LARGEST), seconds=st.integers(0, 100_000_000))
def test_the_needed_sounds_are_all_that_are_ever_named(language: str, number: int, seconds: int) -> None:
    needed = NEEDED[language]
    assert needed.issuperset(spoken_number(number, language))
    assert needed.issuperset(spoken_duration(seconds, language))


def test_the_needed_sounds_of_english_are_few() -> None:
    assert len(needed_sounds("en")) == 41
    assert {"digits/star", "hours", "digits/minus", "letters/plus"} <= set(needed_sounds("en"))
