from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softphone.audio.bridge import RingPair
from softphone.audio.stream import STALL_S, SoundCard, StallWatch, load_sounddevice
from softphone.errors import AudioDeviceError


class PortAudioError(Exception):
    pass


class FakeStream:
    def __init__(
        self, library: FakeLibrary, kind: str, callback: Callable[..., None], settings: dict[str, Any]
    ) -> None:
        self.kind = kind
        self.callback = callback
        self.settings = settings
        self.state = "made"
        self._library = library

    def start(self) -> None:
        if self._library.no_start:
            raise PortAudioError("Device unavailable")
        self.state = "running"

    def close(self, ignore_errors: bool) -> None:
        assert ignore_errors
        self.state = "closed"


class FakeLibrary:
    """As much of the sounddevice module as the card uses."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.no_start = False
        self.restarts: list[str] = []

    def RawInputStream(self, callback: Callable[..., None], **settings: Any) -> FakeStream:
        return self._made("input", callback, settings)

    def RawOutputStream(self, callback: Callable[..., None], **settings: Any) -> FakeStream:
        return self._made("output", callback, settings)

    def _made(self, kind: str, callback: Callable[..., None], settings: dict[str, Any]) -> FakeStream:
        self.streams.append(FakeStream(self, kind, callback, settings))
        return self.streams[-1]

    def _terminate(self) -> None:
        assert all(stream.state == "closed" for stream in self.streams), "PortAudio ends under an open stream"
        self.restarts.append("terminate")

    def _initialize(self) -> None:
        self.restarts.append("initialize")


@pytest.fixture
def library() -> FakeLibrary:
    return FakeLibrary()


@pytest.fixture
def rings() -> RingPair:
    return RingPair(rate=48000)


def test_two_raw_streams_of_twenty_millisecond_blocks(library: FakeLibrary, rings: RingPair) -> None:
    SoundCard(rings, rate=48000, library=library).open()
    assert [stream.kind for stream in library.streams] == ["input", "output"]
    for stream in library.streams:
        assert stream.state == "running"
        assert stream.settings["samplerate"] == 48000
        assert stream.settings["blocksize"] == 960
        assert (stream.settings["channels"], stream.settings["dtype"]) == (1, "int16")


def test_the_microphone_fills_its_ring_and_the_loudspeaker_empties_its_own(
    library: FakeLibrary, rings: RingPair
) -> None:
    card = SoundCard(rings, rate=48000, library=library)
    card.open()
    microphone, loudspeaker = library.streams
    said = np.arange(960, dtype=np.int16)
    for _ in range(2):
        microphone.callback(said.tobytes(), 960, None, False)
    assert rings.microphone.read(960).tolist() == said.tolist()
    for _ in range(2):
        rings.speaker.write(said)
    played = bytearray(1920)
    loudspeaker.callback(played, 960, None, True)
    assert np.frombuffer(played, dtype=np.int16).tolist() == said.tolist()
    assert card.heartbeat() == (2, 1)
    assert card.xruns == 1


def test_a_card_that_does_not_start_says_why_and_leaves_nothing_open(library: FakeLibrary, rings: RingPair) -> None:
    library.no_start = True
    with pytest.raises(AudioDeviceError, match="48000 Hz: Device unavailable"):
        SoundCard(rings, rate=48000, library=library).open()
    assert {stream.state for stream in library.streams} == {"closed"}


def test_reopening_restarts_portaudio_between_the_streams(library: FakeLibrary, rings: RingPair) -> None:
    card = SoundCard(rings, rate=48000, library=library)
    card.open()
    card.reopen()
    assert library.restarts == ["terminate", "initialize"]
    assert [stream.state for stream in library.streams] == ["closed", "closed", "running", "running"]


@pytest.mark.parametrize(("step_in", "step_out", "expected"), [(1, 1, False), (0, 1, True), (1, 0, True), (0, 0, True)])
def test_a_card_is_stalled_when_either_direction_stands_still(step_in: int, step_out: int, expected: bool) -> None:
    watch = StallWatch()
    now, heard, played = 100.0, 5, 5
    verdicts = []
    while now < 100.0 + STALL_S + 0.1:
        verdicts.append(watch.stalled((heard, played), now))
        now, heard, played = now + 0.1, heard + step_in, played + step_out
    assert verdicts[-1] is expected
    assert not any(verdicts[:-2])


def test_a_watch_that_is_reset_gives_the_card_time_again() -> None:
    watch = StallWatch()
    watch.stalled((1, 1), 0.0)
    assert watch.stalled((1, 1), 10.0)
    watch.reset()
    assert not watch.stalled((1, 1), 10.1)


def test_a_missing_portaudio_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoLibrary:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(AudioDeviceError) as caught:
        load_sounddevice()
    assert "libportaudio2" in str(caught.value)
    assert "sudo apt-get install libportaudio2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioDeviceError, match=r"pip install 'hearthline\[softphone\]'"):
        load_sounddevice()
