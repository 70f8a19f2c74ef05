"""Files loaded, converted and kept."""

from __future__ import annotations

import os
import queue
import select
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.media.io_files import Files, Loader
from engine.media.io_sound_cache import Making, SoundCache
from engine.media.prompts import Clip, SoundError


def tone(pitch: float, rate: int, seconds: float) -> np.ndarray:
    return 0.25 * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)


class Desk:
    """A loader without its thread."""

    def __init__(self, directory: Path | None) -> None:
        self.handed: list[tuple[str, Clip | SoundError]] = []
        self.cache = SoundCache(directory)
        self.loader = Loader(self.cache, lambda path, result: self.handed.append((path, result)))

    def load(self, *paths: Path) -> Clip | SoundError:
        """Load, and let long ones become whole; the last that was handed out."""
        orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for path in paths:
            orders.put(str(path))
        self.handed.clear()
        for path in paths:
            self.loader._load(str(path))
        while self.loader._unfinished:
            self.loader._unfinished = [each for each in self.loader._unfinished if self.loader._goes_on(each)]
        return self.handed[-1][1]


def sound(clip: Clip | SoundError, samples: int = 160) -> np.ndarray:
    assert isinstance(clip, Clip), clip
    return np.concatenate([clip.frame(at, samples) for at in range(len(clip.frames))])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.mark.parametrize(("name", "rate"), [("a.wav", 8000), ("a.flac", 44100), ("a.ogg", 22050), ("a.wav", 16000)])
def test_a_file_is_there_at_both_rates(tmp_path: Path, kept: Path, name: str, rate: int) -> None:
    soundfile.write(tmp_path / name, tone(1004, rate, 1.013), rate)
    clip = Desk(kept).load(tmp_path / name)

    assert isinstance(clip, Clip)
    assert (len(clip.frames), clip.whole_frames) == (51, 50)
    for samples in (160, 320):
        heard = sound(clip, samples) / 32768
        expected = tone(1004, samples * 50, 1.0)
        middle = slice(samples, -3 * samples)
        assert np.abs(heard[: len(expected)] - expected)[middle].max() < (0.04 if name.endswith("ogg") else 0.001)
        assert not heard[round(1.02 * samples * 50) :].any()


def test_8_khz_of_16_bits_is_taken_as_it_is(tmp_path: Path, kept: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32767, 1600).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 8000)

    assert np.array_equal(sound(Desk(kept).load(tmp_path / "a.wav")), samples)


def test_a_sound_is_converted_once_for_all_processes_and_starts(tmp_path: Path, kept: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(1004, 44100, 0.5), 44100)
    desk, other = Desk(kept), Desk(kept)
    first = desk.load(tmp_path / "a.flac")
    made = {path: path.stat().st_ino for path in kept.iterdir()}
    second = other.load(tmp_path / "a.flac")

    assert len(made) == 1
    assert {path: path.stat().st_ino for path in kept.iterdir()} == made
    assert desk.load(tmp_path / "a.flac") is first
    assert np.array_equal(sound(first), sound(second))
    assert kept.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in made)


def test_sounds_lie_in_no_heap(tmp_path: Path, kept: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1004, 8000, 0.5), 8000)
    clip = Desk(kept).load(tmp_path / "a.wav")

    assert isinstance(clip, Clip)
    assert not clip.frames.flags.owndata
    assert not clip.frames.flags.writeable
    assert str(next(kept.iterdir())) in Path("/proc/self/maps").read_text()


def test_another_file_under_the_same_name_is_another_sound(tmp_path: Path, kept: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1004, 8000, 0.5), 8000)
    desk = Desk(kept)
    first = desk.load(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", tone(600, 8000, 0.5), 8000)
    os.replace(tmp_path / "b.wav", tmp_path / "a.wav")
    second = desk.load(tmp_path / "a.wav")

    assert not np.array_equal(sound(first), sound(second))
    (tmp_path / "a.wav").unlink()
    gone = desk.load(tmp_path / "a.wav")
    assert str(gone) == "No such file or directory"
    assert len(sound(first)) == 4000  # who plays it, plays on


@pytest.mark.parametrize("harm", ["cut", "no head", "empty", "other magic"])
def test_half_a_sound_is_made_anew(tmp_path: Path, kept: Path, harm: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1004, 8000, 0.5), 8000)
    whole = sound(Desk(kept).load(tmp_path / "a.wav"))
    (file,) = kept.iterdir()
    octets = file.read_bytes()
    file.write_bytes(
        {
            "cut": octets[:-2000],
            "no head": bytes(64) + octets[64:],
            "empty": b"",
            "other magic": b"HLSOUND0" + octets[8:],
        }[harm]
    )

    assert np.array_equal(sound(Desk(kept).load(tmp_path / "a.wav")), whole)
    assert len(list(kept.iterdir())) == 1


def test_a_long_file_plays_before_it_is_whole(tmp_path: Path, kept: Path) -> None:
    soundfile.write(tmp_path / "long.flac", tone(1004, 8000, 120), 8000)
    soundfile.write(tmp_path / "short.wav", tone(1004, 8000, 0.5), 8000)
    desk = Desk(kept)
    desk.loader._load(str(tmp_path / "long.flac"))
    clip = desk.handed[0][1]
    desk.loader._load(str(tmp_path / "short.wav"))
    desk.loader._load(str(tmp_path / "long.flac"))

    assert isinstance(clip, Clip)
    assert len(clip.frames) == 6000
    assert clip.frames[499].any()
    assert not clip.frames[700:].any()
    assert [name[-8:] for name, _ in desk.handed] == ["ong.flac", "hort.wav", "ong.flac"]
    assert desk.handed[2][1] is clip
    while desk.loader._unfinished:
        desk.loader._unfinished = [each for each in desk.loader._unfinished if desk.loader._goes_on(each)]
    assert np.abs(sound(clip) / 32768 - tone(1004, 8000, 120)).max() < 0.001
    assert np.array_equal(sound(Desk(kept).load(tmp_path / "long.flac")), sound(clip))


def test_a_long_file_that_is_broken_is_silent_from_there_and_not_kept(
    tmp_path: Path, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 8000 * 60), 8000)
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2 : len(octets) // 2 + 100_000] = bytes(100_000)
    path.write_bytes(octets)
    desk = Desk(kept)
    clip = desk.load(path)

    assert isinstance(clip, Clip)
    assert clip.frames[1200].any()
    assert not clip.frames[-100:].any()
    assert list(kept.iterdir()) == []
    assert "sound_broken" in caplog.text
    assert desk.load(path) is not clip


def test_a_broken_file_leaves_nothing(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF and nothing more")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 8000)
    desk = Desk(kept)

    assert "not a sound file" in str(desk.load(tmp_path / "bad.wav"))
    assert str(desk.load(tmp_path / "silent.wav")) == "no sound in it"
    assert not kept.exists() or not list(kept.iterdir())


def test_the_directory_is_bounded_and_what_was_wanted_last_stays(tmp_path: Path, kept: Path) -> None:
    desk = Desk(kept)
    for at, name in enumerate("abc"):
        soundfile.write(tmp_path / f"{name}.wav", tone(1004, 8000, 1.0), 8000)
        desk.load(tmp_path / f"{name}.wav")
        for path in kept.iterdir():
            if path.stat().st_mtime > 1e9:
                os.utime(path, (at, at))
    Desk(kept).load(tmp_path / "a.wav")  # wanted again
    stale, fresh = kept / "x.1.part", kept / "y.1.part"
    for path in (stale, fresh):
        path.touch()
    os.utime(stale, (0, 0))
    size = max(path.stat().st_size for path in kept.iterdir())
    desk.cache.tidy(2 * size)

    assert len(list(kept.glob("*.pcm"))) == 2
    assert sorted(path.stat().st_mtime > 1e9 for path in kept.glob("*.pcm")) == [False, True]
    assert (stale.exists(), fresh.exists()) == (False, True)
    desk.cache.tidy(1)
    assert len(list(kept.glob("*.pcm"))) == 1


def test_where_the_disk_takes_nothing_a_sound_is_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1004, 8000, 0.5), 8000)
    in_the_way = tmp_path / "kept"
    in_the_way.write_text("a file")
    desk = Desk(in_the_way)
    clip = desk.load(tmp_path / "a.wav")

    assert np.array_equal(sound(clip), sound(Desk(None).load(tmp_path / "a.wav")))
    assert "sound_not_kept" in caplog.text
    assert desk.load(tmp_path / "a.wav") is clip
    with pytest.raises(SoundError, match=r"too long for memory, and .* does not take its 164 MiB"):
        Making(in_the_way / "x.pcm", 180_000)


def test_more_than_the_file_said_is_left_out(kept: Path) -> None:
    making = SoundCache(kept).make("k", 2)
    making.write(np.ones((3, 160), np.int16), np.ones((3, 320), np.int16))
    making.finish(480)

    clip = SoundCache(kept).find("k")
    assert clip is not None
    assert sound(clip).tolist() == [1] * 320


def test_the_thread_hands_out_by_the_bell_and_ends(tmp_path: Path, kept: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1004, 8000, 0.5), 8000)
    soundfile.write(tmp_path / "long.wav", tone(1004, 8000, 300), 8000)
    files = Files(kept)
    got: dict[str, list[Clip | SoundError]] = {"a": [], "b": [], "long": [], "none": []}
    for name, path in (("a", "a.wav"), ("b", "a.wav"), ("long", "long.wav"), ("none", "none.wav")):
        files.load(str(tmp_path / path), got[name].append)
    assert not any(got.values())
    deadline = time.monotonic() + 20
    while not all(got.values()) and time.monotonic() < deadline:
        select.select([files], [], [], 1)
        files.ready(0.0)

    assert [len(each) for each in got.values()] == [1, 1, 1, 1]
    assert got["a"][0] is got["b"][0]
    assert isinstance(got["none"][0], SoundError)
    files.close()  # while the long one is still being made
    assert [path.suffix for path in kept.iterdir()] == [".pcm"]
