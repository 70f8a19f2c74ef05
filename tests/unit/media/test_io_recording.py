"""Files of recordings on a real disk, without a media process: the tick's side is called by the test."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.media.commands import RecordingFormat, RecordingKey, StartRecording, TidyRecordings
from engine.media.events import (
    MediaEvent,
    RecordingFailed,
    RecordingFinished,
    RecordingGap,
    RecordingStarted,
)
from engine.media.io_convert import answers, finish, sound
from engine.media.io_recording import Recordings
from engine.media.io_recording_file import PlainFile, SealedFile, Unwritten
from engine.media.io_tape import FULL, SLOW, Label, Tape, TapeWriter
from engine.media.vault import VaultError
from engine.media.wav_header import SIZE, head

SECOND = 8000
KEY = RecordingKey(key=base64.b64encode(bytes(range(32))).decode())
OTHER_KEY = RecordingKey(key=base64.b64encode(bytes(32)).decode())


@pytest.fixture
def events() -> list[MediaEvent]:
    return []


@pytest.fixture
def recordings(events: list[MediaEvent]) -> Iterator[Recordings]:
    made = Recordings(events.append, convert_s=20)
    yield made
    with contextlib.suppress(OSError):
        made.close()


def start(directory: Path, form: RecordingFormat = RecordingFormat.WAV, **changes: object) -> StartRecording:
    values: dict[str, object] = {
        **{"recording": "r", "leg": "a", "other": "b", "stem": str(directory / "2026" / "11" / "r"), "format": form},
    }
    return StartRecording(**(values | changes))  # type: ignore[arg-type]


def speech(seconds: float, rate: int = SECOND) -> NDArray[np.int16]:
    """A tone on each side, int16 [samples, 2]."""
    times = np.arange(round(seconds * rate)) / rate
    return np.rint(
        np.stack((9000 * np.sin(2 * np.pi * 437 * times), 5000 * np.sin(2 * np.pi * 1250 * times)), axis=1)
    ).astype("<i2")


def write(tape: Tape, samples: NDArray[np.int16], rate: int = SECOND) -> None:
    for at in range(0, len(samples), rate):
        tape.write(samples[at : at + rate].tobytes())


def finished(events: list[MediaEvent]) -> RecordingFinished:
    (event,) = [event for event in events if isinstance(event, RecordingFinished)]
    return event


def opened(path: str, key: RecordingKey | None = None) -> tuple[int, NDArray[np.int16]]:
    rate, pieces = sound(path, key)
    return rate, np.frombuffer(b"".join(pieces), "<i2").reshape(-1, 2)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("form", [RecordingFormat.WAV, RecordingFormat.FLAC])
def test_what_was_recorded_is_in_the_file_to_the_bit(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent], form: RecordingFormat, rate: int
) -> None:
    samples = speech(2.5, rate)
    tape = recordings.open(start(tmp_path, form), rate, lambda: None)
    write(tape, samples, rate)
    tape.finish()
    recordings.close()
    stem = tmp_path / "2026" / "11" / "r"
    assert events[0] == RecordingStarted(recording="r", path=f"{stem}.running.wav", rate=rate)
    told = finished(events)
    assert told.path == f"{stem}.{form}"
    assert told.seconds == 2.5
    assert told.octets == Path(told.path).stat().st_size
    assert (told.gaps, told.lost_s, told.trouble) == ((), 0.0, "")
    found, found_rate = soundfile.read(told.path, dtype="int16")
    assert found_rate == rate
    assert (found == samples).all()
    assert [path.name for path in stem.parent.iterdir()] == [f"r.{form}"]
    assert Path(told.path).stat().st_mode & 0o077 == 0


def test_opus_keeps_both_sides_apart_and_in_time(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent]
) -> None:
    samples = speech(3)
    tape = recordings.open(start(tmp_path, RecordingFormat.OPUS), SECOND, lambda: None)
    write(tape, samples)
    tape.finish()
    recordings.close()
    found, rate = soundfile.read(finished(events).path)
    assert (rate, len(found)) == (SECOND, 3 * SECOND)
    assert finished(events).octets < samples.nbytes / 4
    spectra = np.abs(np.fft.rfft(found[SECOND : 2 * SECOND] * np.hanning(SECOND)[:, np.newaxis], axis=0))
    assert spectra.argmax(axis=0).tolist() == [437, 1250]
    separation = spectra[[437, 1250], [0, 1]] / spectra[[1250, 437], [0, 1]]
    assert (20 * np.log10(separation) > 40).all()


def test_a_running_file_is_a_valid_one_up_to_the_last_second(tmp_path: Path, recordings: Recordings) -> None:
    samples = speech(3)
    tape = recordings.open(start(tmp_path), SECOND, lambda: None)
    for second in range(3):
        tape.write(samples[second * SECOND : (second + 1) * SECOND].tobytes())
        settle(recordings)
        found, _ = soundfile.read(tmp_path / "2026" / "11" / "r.running.wav", dtype="int16")
        assert (found == samples[: (second + 1) * SECOND]).all()
    tape.finish()


def settle(recordings: Recordings) -> None:
    """Wait until the writing thread has done everything so far."""
    done = threading.Event()
    recordings.order(done.set)
    assert done.wait(5)


@pytest.mark.parametrize("form", list(RecordingFormat))
def test_an_encrypted_recording_has_no_plain_octet_on_the_disk(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent], form: RecordingFormat
) -> None:
    samples = speech(2)
    tape = recordings.open(start(tmp_path, form, key=KEY), SECOND, lambda: None)
    write(tape, samples)
    settle(recordings)
    (running,) = (tmp_path / "2026" / "11").iterdir()
    assert running.name == "r.running.hlr"
    octets = running.read_bytes()
    assert b"RIFF" not in octets
    assert samples[100:104].tobytes() not in octets
    assert (opened(str(running), KEY)[1] == samples).all()
    tape.finish()
    recordings.close()
    (kept,) = (tmp_path / "2026" / "11").iterdir()
    assert kept.name == f"r.{form}.hlr"
    assert finished(events).path == str(kept)
    octets = kept.read_bytes()
    for mark in (b"RIFF", b"fLaC", b"OggS"):
        assert mark not in octets
    with pytest.raises(VaultError, match="another key"):
        opened(str(kept), OTHER_KEY)


@pytest.mark.parametrize("key", [None, KEY])
def test_what_a_crash_left_running_is_finished(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent], key: RecordingKey | None
) -> None:
    samples = speech(2)
    writer = TapeWriter(
        Label(recording="old", stem=str(tmp_path / "day" / "old"), rate=SECOND, format=RecordingFormat.FLAC, key=key),
        recordings.sealer(key),
        lambda event: None,
    )
    writer.open()
    writer.write(0, samples[:SECOND].tobytes())
    writer.write(4 * SECOND, samples[SECOND:].tobytes())
    running = Path(writer.label.running)
    recordings.tidy(TidyRecordings(directory=str(tmp_path), format=RecordingFormat.FLAC, key=key))
    recordings.close()
    assert events == []  # somebody still writes it
    with running.open("ab") as file:
        file.truncate(running.stat().st_size - (0 if key is None else 70))  # died within the last head
    writer.abandon()
    again = Recordings(events.append, convert_s=20)
    again.tidy(TidyRecordings(directory=str(tmp_path), format=RecordingFormat.FLAC, key=key))
    again.close()
    told = finished(events)
    assert told.recording == str(tmp_path / "day" / "old")
    assert told.seconds == 2.0
    assert [path.name for path in running.parent.iterdir()] == ["old.flac" if key is None else "old.flac.hlr"]
    if key is None:
        assert (soundfile.read(told.path, dtype="int16")[0] == samples).all()


def test_leftovers_that_cannot_be_read_stay_and_are_told(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent]
) -> None:
    (tmp_path / "bad.running.wav").write_bytes(b"no sound at all" * 10)
    (tmp_path / "secret.running.hlr").write_bytes(b"nor here" * 10)
    recordings.tidy(TidyRecordings(directory=str(tmp_path), format=RecordingFormat.FLAC))
    recordings.close()
    reasons = sorted(event.reason for event in events if isinstance(event, RecordingFailed))
    assert len(reasons) == len(events) == 2
    assert reasons[0].endswith("bad.running.wav: it does not begin like a recording")
    assert reasons[1].endswith("secret.running.hlr: it is encrypted and no key is configured")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_cannot_be_made_is_told_and_ends_the_recording(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent]
) -> None:
    (tmp_path / "2026").write_text("in the way")
    failed: list[bool] = []
    tape = recordings.open(start(tmp_path), SECOND, lambda: failed.append(True))
    write(tape, speech(1))
    tape.finish()
    recordings.close()
    (event,) = events
    assert isinstance(event, RecordingFailed)
    assert event.command == "StartRecording"
    assert "Not a directory" in event.reason or "File exists" in event.reason
    assert failed == [True]


def test_a_recording_never_replaces_another(tmp_path: Path, recordings: Recordings, events: list[MediaEvent]) -> None:
    first = recordings.open(start(tmp_path), SECOND, lambda: None)
    second = recordings.open(start(tmp_path, recording="s"), SECOND, lambda: None)
    second.finish()
    write(first, speech(1))
    first.finish()
    recordings.close()
    failed = [event for event in events if isinstance(event, RecordingFailed)]
    assert [event.recording for event in failed] == ["s"]
    assert finished(events).seconds == 1.0


@contextlib.contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """No file of this process may grow beyond: writing fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_full_disk_leaves_silence_of_the_right_length(
    tmp_path: Path, recordings: Recordings, events: list[MediaEvent], key: RecordingKey | None
) -> None:
    samples = speech(6)
    tape = recordings.open(start(tmp_path, key=key), SECOND, lambda: None)
    write(tape, samples[: 2 * SECOND])
    settle(recordings)
    with file_size_limit(2 * SECOND * 4 + 500):
        write(tape, samples[2 * SECOND : 4 * SECOND])
        settle(recordings)
    write(tape, samples[4 * SECOND :])
    tape.finish()
    recordings.close()
    told = finished(events)
    (gap,) = told.gaps
    assert gap.reason == "File too large"
    assert gap.at_s == pytest.approx(2.0, abs=0.02)
    assert gap.at_s + gap.seconds == 4.0
    assert told.lost_s == gap.seconds
    assert told.seconds == 6.0
    gaps = [(event.over, event.gap) for event in events if isinstance(event, RecordingGap)]
    assert [over for over, _ in gaps] == [False, True]
    assert gaps[1][1] == gap
    _, found = opened(told.path, key)
    lost = slice(round(gap.at_s * SECOND) + 4, 4 * SECOND)  # told to the millisecond
    assert (found[: lost.start - 8] == samples[: lost.start - 8]).all()
    assert not found[lost].any()
    assert (found[lost.stop :] == samples[lost.stop :]).all()
    if key is None:
        with soundfile.SoundFile(told.path) as file:
            assert file.comment == f"Silence where sound was lost: {gap.at_s:.2f}+{gap.seconds:.2f} s (File too large)"


def test_a_slow_disk_loses_what_is_beyond_the_bound_and_the_caller_never_waits(
    tmp_path: Path, events: list[MediaEvent]
) -> None:
    recordings = Recordings(events.append, behind_s=3.0, convert_s=20)
    samples = speech(8)
    tape = recordings.open(start(tmp_path, RecordingFormat.FLAC), SECOND, lambda: None)
    settle(recordings)
    stuck = threading.Event()
    recordings.order(lambda: stuck.wait(10))
    write(tape, samples[: 6 * SECOND])  # three of these seconds are too many
    recordings.ready(0)
    begun = [event for event in events if isinstance(event, RecordingGap)]
    assert [(event.over, event.gap.at_s, event.gap.reason) for event in begun] == [(False, 3.0, SLOW)]
    stuck.set()
    settle(recordings)
    write(tape, samples[6 * SECOND :])
    tape.finish()
    recordings.close()
    told = finished(events)
    (gap,) = told.gaps
    assert (gap.at_s, gap.seconds, told.lost_s, told.seconds) == (3.0, 3.0, 3.0, 8.0)
    found, _ = soundfile.read(told.path, dtype="int16")
    assert (found[: 3 * SECOND] == samples[: 3 * SECOND]).all()
    assert not found[3 * SECOND : 6 * SECOND].any()
    assert (found[6 * SECOND :] == samples[6 * SECOND :]).all()
    with soundfile.SoundFile(told.path) as file:
        assert "3.00+3.00 s (the disk is too slow)" in file.comment


def test_a_disk_that_never_answers_does_not_keep_the_process(
    tmp_path: Path, events: list[MediaEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.media.io_recording.CLOSE_S", 0.05)
    recordings = Recordings(events.append, convert_s=20)
    stuck = threading.Event()
    tape = recordings.open(start(tmp_path), SECOND, lambda: None)
    recordings.order(lambda: stuck.wait(10))
    tape.finish()
    recordings.close()
    assert not any(isinstance(event, RecordingFinished) for event in events)
    stuck.set()


def test_a_wav_file_that_is_full_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.media.io_tape.MAX_SOUND", 2 * SECOND * 4)
    events: list[MediaEvent] = []
    recordings = Recordings(events.append, convert_s=20)
    tape = recordings.open(start(tmp_path), SECOND, lambda: None)
    write(tape, speech(4))
    tape.finish()
    recordings.close()
    told = finished(events)
    assert (told.seconds, told.lost_s, told.gaps[0].reason) == (2.0, 2.0, FULL)


def test_no_room_for_the_last_form_keeps_the_wav(tmp_path: Path) -> None:
    stem = str(tmp_path / "r")
    running = stem + ".running.wav"
    noise = np.random.default_rng(1).integers(-20000, 20000, (4 * SECOND, 2)).astype("<i2")
    Path(running).write_bytes(head(SECOND, noise.nbytes) + noise.tobytes())
    with file_size_limit(20_000):
        result = finish(running, stem, RecordingFormat.FLAC, None, "")
    assert result.path == stem + ".wav"
    assert result.trouble == "kept as WAV: File too large"
    assert result.seconds == 4.0
    assert [path.name for path in tmp_path.iterdir()] == ["r.wav"]


def test_a_file_that_another_process_has_finished_is_found(tmp_path: Path) -> None:
    (tmp_path / "r.flac").write_bytes(b"12345")
    job = {"source": str(tmp_path / "r.running.wav"), "stem": str(tmp_path / "r"), "format": "flac"}
    assert list(answers({**job, "key": None, "comment": ""})) == [
        {"path": str(tmp_path / "r.flac"), "octets": 5, "trouble": ""}
    ]
    assert "No such file" in str(next(answers({**job, "stem": str(tmp_path / "s"), "key": None, "comment": ""})))


def test_a_running_file_is_locked(tmp_path: Path) -> None:
    file = PlainFile(str(tmp_path / "day" / "r"))
    with (tmp_path / "day" / "r").open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.close()


def test_an_empty_recording_is_a_file_too(tmp_path: Path, recordings: Recordings, events: list[MediaEvent]) -> None:
    recordings.open(start(tmp_path, RecordingFormat.FLAC), SECOND, lambda: None).finish()
    recordings.close()
    assert finished(events).seconds == 0.0
    assert SIZE <= finished(events).octets < 20_000


def test_a_chunk_that_was_cut_off_by_a_full_disk_is_taken_back(tmp_path: Path, recordings: Recordings) -> None:
    sealer = recordings.sealer(KEY)
    assert sealer is not None
    file = SealedFile(str(tmp_path / "day" / "r"), sealer)
    file.put(0, bytes(1000))
    size = (tmp_path / "day" / "r").stat().st_size
    with file_size_limit(size + 500), pytest.raises(Unwritten):
        file.put(1000, bytes(1000))
    assert (tmp_path / "day" / "r").stat().st_size == size
    file.close()
