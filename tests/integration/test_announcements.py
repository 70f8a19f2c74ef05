"""What callers are played by the dialplan, heard by tone: every sound, and so every digit, is a tone of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import pytest
import soundfile

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool
from tests.support.tones import Audio, sine, write_wav

pytestmark = pytest.mark.integration

PITCH = {"welcome": 400, "music": 500, "digits/2": 600, "digits/hundred": 700, "digits/1-and": 800, "digits/20": 900}
"""Hz of each sound of the directory: no neighbours of any tone of a country that is heard here."""
SECONDS = 0.3
OWN = 1100

DIALPLAN = """
[phrases]
price = ["welcome", "silence:200", "number:{price}"]

[context.from-trunk]
[[context.from-trunk.extension]]
number = "610"
play = ["phrase:price", "own.flac", "gone"]
arguments = {price = "221"}

[[context.from-trunk.extension]]
number = "611"
play = "music"
loop = true
gain_db = -6
then = "613"
on_digit = {1 = "612"}

[[context.from-trunk.extension]]
number = "612"
play = "digits:{called}2"
then = "614"

[[context.from-trunk.extension]]
number = "613"
reject = {status = 486, reason = "Busy Here"}

[[context.from-trunk.extension]]
number = "614"
play = "tone:busy"
loop = true
for_s = 1.8

[[context.from-trunk.extension]]
number = "615"
play = "tone:busy"
country = "us"
"""


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    directory = tmp_path_factory.mktemp("announcements")
    for name, hertz in PITCH.items():
        path = directory / "sounds" / "de" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, Audio(rate=8000, samples=sine(hertz, seconds=SECONDS)))
    soundfile.write(directory / "own.flac", sine(OWN, seconds=SECONDS, rate=44_100), 44_100)
    (directory / "plan.toml").write_text(DIALPLAN, encoding="utf-8")
    sounds = {"directory": str(directory / "sounds"), "language": "de", "country": "de"}
    with running_centre(
        session_ports, directory, sounds=sounds, dialplan={"file": str(directory / "plan.toml")}
    ) as centre:
        yield centre


def dial(centre: LiveCentre, number: str) -> tuple[PlainPhone, Talk]:
    phone = centre.caller()
    phone.voice.sound.clear()
    talk = phone.call(number)
    talk.wait(200)
    return phone, talk


def pitches(phone: PlainPhone) -> list[int]:
    """What was heard, one after the other, each for 80 ms at least: Hz to 25; 0 is silence."""
    samples = phone.voice.audio().samples
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    heard = [int(np.argmax(np.abs(np.fft.rfft(frame)))) * 25 if np.std(frame) > 0.005 else 0 for frame in frames]
    return [pitch for pitch, run in groupby(heard) if len(list(run)) >= 2]


def test_a_playlist_is_heard_in_its_order_with_a_number_in_the_callers_language(centre: LiveCentre) -> None:
    phone, talk = dial(centre, "610")
    talk.wait_bye()
    names = ("digits/2", "digits/hundred", "digits/1-and", "digits/20")
    assert pitches(phone) == [PITCH["welcome"], 0, *(PITCH[name] for name in names), OWN]
    assert phone.voice.audio().seconds == pytest.approx(0.2 + 6 * SECONDS, abs=0.1)
    assert centre.cdr(talk)["destination"] == "play:phrase:price"


def test_a_key_ends_a_loop_and_leads_on_and_time_ends_the_tone_of_the_country(centre: LiveCentre) -> None:
    phone, talk = dial(centre, "611")
    centre.until(lambda: phone.voice.audio().seconds > 3 * SECONDS, "the music a third time")
    before = phone.voice.audio().samples
    phone.voice.press("5")
    centre.until(
        lambda: phone.voice.audio().seconds > 5 * SECONDS, "the music to go on after a key that is none of its"
    )
    phone.voice.press("1")
    talk.wait_bye()
    # Of "6112" the directory has a sound for the 2 alone; what is missing is left out.
    assert pitches(phone) == [PITCH["music"], PITCH["digits/2"], 425, 0, 425, 0]
    assert 20 * np.log10(np.std(before) * 2**0.5) == pytest.approx(-10 - 6, abs=0.5)
    cdr = centre.cdr(talk)
    assert (cdr["destination"], cdr["called"]) == ("play:tone:busy", "611")
    routed = [record["body"] for record in centre.engine.records("CallRouted") if record["call"] == cdr["call"]]
    assert [(body["destination"], body["number"]) for body in routed] == [
        ("play:music", ""),
        ("play:digits:{called}2", "612"),
        ("play:tone:busy", "614"),
    ]


def test_another_country_has_another_tone(centre: LiveCentre) -> None:
    phone, talk = dial(centre, "615")
    talk.wait_bye()
    spectrum = np.abs(np.fft.rfft(phone.voice.audio().samples[:3200]))
    assert sorted(round(float(at) * 2.5) for at in np.argsort(spectrum)[-2:]) == [480, 620]


def test_what_is_missing_was_told_at_the_start(centre: LiveCentre) -> None:
    told = [warning for warning in centre.engine.process.tail(200).splitlines() if "dialplan_warning" in warning]
    assert any("no sound gone in 'de'" in warning for warning in told)
