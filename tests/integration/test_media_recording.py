"""Recordings of a real media process: what is in the files, and what is left when disks fill up and processes die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.media.codecs import decode
from engine.media.commands import (
    CloseLeg,
    Codec,
    Connect,
    PauseRecording,
    RecordingFormat,
    RecordingKey,
    ResumeRecording,
    StartRecording,
    StopRecording,
    TidyRecordings,
)
from engine.media.events import PlaneStats, RecordingFinished, RecordingGap, RecordingStarted
from tests.support.media_fakes import sine_frames
from tests.support.media_listening import latch
from tests.support.media_plane import Control, FarEnd, Plane, open_leg, start_plane
from tests.support.procs import Processes, wait_until
from tests.support.small_disk import small_disk
from tests.support.tones import Audio, held_dbfs, line_dbfs

pytestmark = [pytest.mark.integration, pytest.mark.timing]
KEY = RecordingKey(key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")


def start(stem: Path, form: RecordingFormat = RecordingFormat.WAV, **changes: object) -> StartRecording:
    values: dict[str, object] = {
        **{"recording": "r", "leg": "a", "other": "b", "stem": str(stem), "format": form},
    }
    return StartRecording(**(values | changes))  # type: ignore[arg-type]


def bridge(control: Control, a: FarEnd, b: FarEnd) -> None:
    """Two legs that are relayed to each other."""
    open_leg(control, "a", a)
    open_leg(control, "b", b)
    control.send(Connect(source="a", sink="b"), Connect(source="b", sink="a"))
    latch(control, a, "a")
    latch(control, b, "b")
    a.hear(), b.hear()


LOW = sine_frames(437, frames=400, peak=8000, codec=Codec.PCMU)
HIGH = sine_frames(1250, frames=400, peak=8000, codec=Codec.PCMU)


def say(a: FarEnd, b: FarEnd, *, seconds: float, begin: int = 0) -> list[int]:
    """Both speak their tones on time, from this frame on; how many packets each of them heard."""
    started = time.monotonic()
    heard = [0, 0]
    for index in range(round(seconds * 50)):
        time.sleep(max(0.0, started + index * 0.02 - time.monotonic()))
        a.speak(LOW[(begin + index) % 400])
        b.speak(HIGH[(begin + index) % 400])
        for side, end in enumerate((a, b)):
            heard[side] += len(end.hear())
    time.sleep(0.1)
    return [count + len(end.hear()) for count, end in zip(heard, (a, b), strict=True)]


def expected(frames: list[bytes]) -> NDArray[np.float64]:
    return decode(np.frombuffer(b"".join(frames), np.uint8), Codec.PCMU).astype(float)


def lag_and_snr(found: NDArray[np.int16], reference: NDArray[np.float64]) -> tuple[int, float]:
    """Samples by which the reference begins in what was found, and how near that is to it (dB)."""
    size = len(reference) + len(found)
    spectrum = np.fft.rfft(found.astype(float), size) * np.conj(np.fft.rfft(reference, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)[: len(found)]))
    length = min(len(reference), len(found) - lag)
    noise = found[lag : lag + length] - reference[:length]
    return lag, float(10 * np.log10(np.sum(reference[:length] ** 2) / max(1e-9, np.sum(noise**2))))


def heard(sound: NDArray[np.int16]) -> Audio:
    """One channel of a recording."""
    return Audio(rate=8000, samples=sound / 32768)


def noisy(frames: int, seed: int) -> list[bytes]:
    codes = np.random.default_rng(seed).integers(0, 256, (frames, 160), np.uint8)
    return [row.tobytes() for row in codes]


def test_both_voices_are_in_the_file_and_the_call_is_relayed_as_ever(
    control: Control, ends: list[FarEnd], tmp_path: Path
) -> None:
    a, b = ends[:2]
    bridge(control, a, b)
    control.send(start(tmp_path / "2026" / "r", RecordingFormat.FLAC))
    running = Path(control.wait(RecordingStarted).path)
    began = time.monotonic()
    assert say(a, b, seconds=2.5) == [125, 125]
    assert control.wait(PlaneStats, where=lambda event: event.relayed_edges == 2).mixed_legs == 0
    valid, _ = soundfile.read(running, dtype="int16")
    assert 1.0 < len(valid) / 8000 < 4.0
    control.send(StopRecording(recording="r"))
    took = time.monotonic() - began
    told = control.wait(RecordingFinished, timeout=20)
    assert told.path == str(tmp_path / "2026" / "r.flac")
    assert told.gaps == ()
    assert abs(told.seconds - took) < 0.2
    sound, rate = soundfile.read(told.path, dtype="int16")
    assert rate == 8000
    assert len(sound) == round(told.seconds * 8000)
    second = slice(8000, 16000)
    for side, (mine, other) in enumerate(((437, 1250), (1250, 437))):
        channel = heard(sound[second, side])
        assert held_dbfs(channel, mine) == pytest.approx(20 * np.log10(8000 / 32768), abs=0.3)
        assert line_dbfs(channel, other) < -60  # what the two channels have of each other
    assert [path.name for path in (tmp_path / "2026").iterdir()] == ["r.flac"]


def test_speech_comes_out_bit_by_bit_and_the_sides_keep_step(
    control: Control, ends: list[FarEnd], tmp_path: Path
) -> None:
    a, b = ends[:2]
    bridge(control, a, b)
    control.send(start(tmp_path / "r"))
    control.wait(RecordingStarted)
    voices = [noisy(100, 1), noisy(100, 2)]
    started = time.monotonic()
    for index in range(100):
        time.sleep(max(0.0, started + index * 0.02 - time.monotonic()))
        a.speak(voices[0][index])
        b.speak(voices[1][index])
    time.sleep(0.3)
    control.send(StopRecording(recording="r"))
    sound, _ = soundfile.read(control.wait(RecordingFinished).path, dtype="int16")
    lags = []
    for side, frames in enumerate(voices):
        pieces = expected(frames)[25 * 160 : 75 * 160].reshape(10, -1)
        found = [lag_and_snr(sound[:, side], piece) for piece in pieces]
        exact = [index for index, (_, snr) in enumerate(found) if snr > 25]
        assert len(exact) >= 5, "a packet that is late changes the depth, which takes a moment"
        lags.append(float(np.median([found[index][0] - index * len(pieces[0]) for index in exact])))
    assert abs(lags[0] - lags[1]) <= 320


def test_a_pause_is_silent_and_keeps_the_time(control: Control, ends: list[FarEnd], tmp_path: Path) -> None:
    a, b = ends[:2]
    bridge(control, a, b)
    control.send(start(tmp_path / "r"))
    control.wait(RecordingStarted)
    say(a, b, seconds=1.0)
    control.send(PauseRecording(recording="r"))
    control.settle()
    say(a, b, seconds=1.0)
    control.send(ResumeRecording(recording="r"))
    control.settle()
    say(a, b, seconds=1.0)
    control.send(StopRecording(recording="r"))
    sound, _ = soundfile.read(control.wait(RecordingFinished).path, dtype="int16")
    silent = ~sound.any(axis=1)
    frames = silent[: len(silent) // 160 * 160].reshape(-1, 160).all(axis=1)
    middle = np.flatnonzero(frames[40:])[:1] + 40
    longest = max(len(run) for run in np.split(frames, np.flatnonzero(~frames)) if len(run))
    assert middle.size
    assert 45 <= longest <= 70, "a second and what it took to say so"


@pytest.mark.parametrize("key", [None, KEY])
def test_after_a_kill_the_file_is_good_and_the_next_start_finishes_it(
    plane: Plane, procs: Processes, ends: list[FarEnd], tmp_path: Path, key: RecordingKey | None
) -> None:
    a, b = ends[:2]
    control = plane.control()
    bridge(control, a, b)
    control.send(start(tmp_path / "day" / "r", key=key))
    running = Path(control.wait(RecordingStarted).path)
    say(a, b, seconds=2.6)
    os.kill(plane.process.pid, signal.SIGKILL)
    wait_until(lambda: not plane.process.running, timeout=5, what="the end of the media process")
    if key is None:
        sound, _ = soundfile.read(running, dtype="int16")
        assert len(sound) >= 1.5 * 8000
        assert held_dbfs(heard(sound[4000:12000, 1]), 1250) > -15
    else:
        assert b"RIFF" not in running.read_bytes()
    again = start_plane(procs, tmp_path, port_min=plane.options.port_min, port_max=plane.options.port_max)
    control = again.control()
    control.send(TidyRecordings(directory=str(tmp_path), format=RecordingFormat.FLAC, key=key))
    told = control.wait(RecordingFinished, timeout=20)
    assert told.seconds >= 1.5
    assert [path.name for path in running.parent.iterdir()] == ["r.flac" if key is None else "r.flac.hlr"]
    again.close()


def test_without_control_it_goes_on_and_at_the_end_of_the_process_the_file_is_whole(
    plane: Plane, ends: list[FarEnd], tmp_path: Path
) -> None:
    a, b = ends[:2]
    control = plane.control()
    bridge(control, a, b)
    control.send(start(tmp_path / "r"))
    control.wait(RecordingStarted)
    control.close()
    say(a, b, seconds=1.5)
    os.kill(plane.process.pid, signal.SIGTERM)
    wait_until(lambda: not plane.process.running, timeout=10, what="the end of the media process")
    sound, _ = soundfile.read(tmp_path / "r.wav", dtype="int16")
    assert len(sound) >= 1.4 * 8000
    assert not list(tmp_path.glob("*.running.*"))


def test_a_full_disk_costs_sound_and_no_call(control: Control, ends: list[FarEnd], tmp_path: Path) -> None:
    a, b = ends[:2]
    bridge(control, a, b)
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        control.send(start(disk.path / "r"))
        control.wait(RecordingStarted)
        say(a, b, seconds=1.2)
        disk.fill()
        assert say(a, b, seconds=2.2) == [110, 110]
        gap = control.wait(RecordingGap)
        assert (gap.over, gap.gap.reason) == (False, "No space left on device")
        disk.make_room()
        say(a, b, seconds=1.5)
        assert control.wait(RecordingGap).over
        control.send(CloseLeg(leg="a"), CloseLeg(leg="b"))
        told = control.wait(RecordingFinished)
        (lost,) = told.gaps
        sound, _ = soundfile.read(told.path, dtype="int16")
        assert len(sound) == round(told.seconds * 8000)
        begin, end = round(lost.at_s * 8000) + 8, round((lost.at_s + lost.seconds) * 8000) - 8
        assert end > begin
        assert not sound[begin:end].any()
        assert sound[end + 800 : end + 1600].any()


def test_what_is_finished_while_nobody_commands_is_told_to_the_next(
    plane: Plane, ends: list[FarEnd], tmp_path: Path
) -> None:
    control = plane.control()
    bridge(control, *ends[:2])
    control.send(start(tmp_path / "r", RecordingFormat.FLAC))
    control.wait(RecordingStarted)
    control.send(StopRecording(recording="r"))
    control.close()
    wait_until((tmp_path / "r.flac").exists, timeout=10, what="the file")
    time.sleep(0.3)
    for told in (True, False):
        again = plane.control()
        heard = [event for event in again.collect(0.3) if isinstance(event, RecordingFinished)]
        assert [event.recording for event in heard] == (["r"] if told else [])
        again.close()
