"""`hearthline sound`: which sounds there are, what a number is made of, and whether a file can be played."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import load_config
from engine.speech.language import Gender
from engine.speech.library import Library
from engine.speech.numbers import (
    SpeechError,
    needed_sounds,
    spoken_digits,
    spoken_duration,
    spoken_number,
    spoken_ordinal,
)

app = typer.Typer(help="Sounds, and what is said with them.", no_args_is_help=True)


class Way(StrEnum):
    """How a number is said."""

    NUMBER = "number"
    ORDINAL = "ordinal"
    DIGITS = "digits"
    DURATION = "duration"


@app.callback()
def group() -> None:
    """Sounds, and what is said with them."""


LanguageOption = Annotated[
    str, typer.Option("--language", help="Language, such as de or de_AT; empty: that of [sounds].")
]


@app.command("list")
def list_(
    language: LanguageOption = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List the languages with sounds, and what each lacks for numbers; with --language, all of its sounds."""
    from engine.app.sounds import library  # noqa: PLC0415 - brings calls

    loaded = load_config(config).sounds
    there = library(loaded.directory)
    if language:
        rows = [{"name": name, "file": file} for name, file in there.all(language).items()]
        show(rows, ["name", "file"], as_json=as_json, title="" if rows else there.looked_for("*", language))
        return
    codes = dict.fromkeys((*there.languages, loaded.language))
    shown = [
        {"language": code, "sounds": len(there.all(code)), "numbers_lack": _lacking(there, code)} for code in codes
    ]
    show(shown, ["language", "sounds", "numbers_lack"], as_json=as_json)


def _lacking(there: Library, language: str) -> list[str]:
    """What is missing so that numbers can be spoken."""
    try:
        return [name for name in needed_sounds(language) if not there.find(name, language)]
    except SpeechError as error:
        return [str(error)]


@app.command("say")
def say(
    number: Annotated[str, typer.Argument(help="Number; seconds of a duration. After -- it may be negative.")],
    language: LanguageOption = "",
    way: Annotated[Way, typer.Option("--as", help="number, ordinal, digits or duration.")] = Way.NUMBER,
    gender: Annotated[
        Gender, typer.Option("--gender", help="Of what is counted: m, f or n; empty: of nothing.")
    ] = Gender.COUNTING,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell which sounds a number is made of, in a language, and which of them are missing."""
    from engine.app.sounds import library  # noqa: PLC0415 - brings calls

    loaded = load_config(config).sounds
    there, spoken = library(loaded.directory), language or loaded.language
    names = _names(number, spoken, way, gender)
    rows = [{"name": name, "file": there.find(name, spoken)} for name in names]
    if not as_json:
        rows = [{**row, "file": row["file"] or f"missing; {there.looked_for(row['name'], spoken)}"} for row in rows]
    show(rows, ["name", "file"], as_json=as_json)


def _names(number: str, language: str, way: Way, gender: Gender) -> tuple[str, ...]:
    if way is Way.DIGITS:
        return spoken_digits(number)
    try:
        value = int(number)
    except ValueError:
        raise SpeechError(f"{number!r} is no whole number; --as digits takes all that a phone has keys for") from None
    match way:
        case Way.ORDINAL:
            return spoken_ordinal(value, language, gender)
        case Way.DURATION:
            return spoken_duration(value, language)
        case _:
            return spoken_number(value, language, gender)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Sound file: WAV, FLAC, Ogg ...")], as_json: JsonOption = False
) -> None:
    """Read a sound file to its end, as the media process would, and tell what it is, or why it cannot be played."""
    from engine.app.sound_check import checked  # noqa: PLC0415 - brings numpy

    found = checked(file)
    show([found], ["file", "rate", "channels", "seconds", "loudest_dbfs"], as_json=as_json)
