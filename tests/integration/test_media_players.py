"""Players of a real media process, heard by tone at a socket."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.media.commands import Play, Sound, Tone
from engine.media.events import DtmfDigit, LegFailed, PlayFinished, SoundSkipped
from tests.support.media_listening import audio, latch
from tests.support.media_plane import Control, FarEnd, Packet, Plane, open_leg
from tests.support.tones import Audio, gaps, tone_dbfs

pytestmark = pytest.mark.integration

LEVEL = 20 * np.log10(8000 / 32768)


def write(path: Path, pitch: float, seconds: float, rate: int) -> Sound:
    samples = np.arange(round(rate * seconds))
    soundfile.write(path, 8000 / 32768 * np.sin(2 * np.pi * pitch * samples / rate), rate)
    return Sound(file=str(path))


def listen(end: FarEnd, count: int) -> list[Packet]:
    return end.hear_until(lambda packets: len(packets) >= count)


def between(packets: list[Packet], first: int, last: int) -> Audio:
    return audio(packets[first:last])


@pytest.mark.timing
def test_a_playlist_of_flac_and_ogg_is_heard_without_a_gap(
    plane: Plane, control: Control, ends: list[FarEnd], tmp_path: Path
) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    latch(control, a, "a")
    flac = write(tmp_path / "one.flac", 1004, 0.5, 44100)
    ogg = write(tmp_path / "two.ogg", 1502, 0.5, 22050)
    gone = Sound(file=str(tmp_path / "gone.wav"))
    control.send(Play(leg="a", player="p", playlist=(flac, gone, ogg, Sound(tone=Tone.DIAL, country="fr"))))
    packets = listen(a, 100)

    assert control.wait(SoundSkipped).file.endswith("gone.wav")
    assert control.wait(PlayFinished).played_ms == 2000
    assert len(packets) == 100
    stamps = {packet.stamp for packet in packets}
    assert sorted(stamps) == list(range(packets[0].stamp, packets[0].stamp + 16_000, 160))
    for pitch, first in ((1004, 0), (1502, 25)):
        middle = between(packets, first + 2, first + 23)
        assert tone_dbfs(middle, pitch) == pytest.approx(LEVEL, abs=0.5)
        assert gaps(middle, pitch, longer_than_ms=10) == []
    assert np.abs(between(packets, 24, 26).samples).max() > 0.1  # no frame of silence between
    assert tone_dbfs(between(packets, 52, 98), 440) > -20
    kept = plane.options.socket.parent / "sounds"
    assert len(list(kept.glob("*.pcm"))) == 2
    control.send(Play(leg="a", player="q", playlist=(flac,)))
    assert control.wait(PlayFinished).player == "q"
    assert len(list(kept.glob("*.pcm"))) == 2


@pytest.mark.timing
def test_a_key_ends_a_long_file_at_once(control: Control, ends: list[FarEnd], tmp_path: Path) -> None:
    a = ends[0]
    open_leg(control, "a", a)
    latch(control, a, "a")
    long = write(tmp_path / "long.flac", 1004, 600, 16000)
    control.send(Play(leg="a", player="p", playlist=(long,), stop_digits="12"))
    assert len(listen(a, 25)) >= 25
    a.speak(b"\x01\x0a\x00\xa0", payload_type=101, marker=True)
    finished = control.wait(PlayFinished)

    assert (finished.player, finished.digit) == ("p", "1")
    assert 400 <= finished.played_ms < 5000
    a.stamp -= 160  # of the same key
    a.speak(b"\x01\x8a\x03\x20", payload_type=101)
    assert control.wait(DtmfDigit).digit == "1"
    a.hear()
    control.settle()
    assert a.hear() == []


def test_what_cannot_be_played_is_told_with_its_reason(control: Control, ends: list[FarEnd], tmp_path: Path) -> None:
    open_leg(control, "a", ends[0])
    (tmp_path / "text.flac").write_text("this is no sound")
    for file, reason in ((tmp_path / "text.flac", "not a sound file"), (Path("/dev/zero"), "not a regular file")):
        control.send(Play(leg="a", player="p", playlist=(Sound(file=str(file)),), loop=True))
        assert control.wait(LegFailed).reason.startswith(f"{file}: {reason}")
