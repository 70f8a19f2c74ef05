from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softphone.audio.bridge import AudioBridge, RingPair
from softphone.audio.recorder import Recorder
from softphone.audio.sound import Sound
from softphone.audio.sources import Silence, Tone
from softphone.errors import AudioDeviceError
from tests.support.tones import read_wav

RATE = 16000
FRAME = 320


class FakeCard:
    """A sound card that beats when told to."""

    def __init__(self) -> None:
        self.beats = 0
        self.broken = False
        self.reopened = 0
        self.state = "new"

    def open(self) -> None:
        self.state = "open"

    def close(self) -> None:
        self.state = "closed"

    def reopen(self) -> None:
        self.reopened += 1
        if self.broken:
            raise AudioDeviceError("no device")

    def heartbeat(self) -> tuple[int, int]:
        return self.beats, self.beats


def sound_with_card() -> tuple[Sound, FakeCard]:
    card = FakeCard()
    bridge = AudioBridge(rate=RATE, source=Silence())
    return Sound(bridge, rings=RingPair(rate=RATE), card=card), card  # type: ignore[arg-type]


def test_the_card_opens_and_closes_with_the_phone() -> None:
    sound, card = sound_with_card()
    sound.open()
    assert card.state == "open"
    sound.close()
    assert card.state == "closed"


def test_a_stalled_card_is_told_once_and_reopened_until_it_works() -> None:
    sound, card = sound_with_card()
    card.broken = True
    told: list[str] = []
    for second in range(20):
        told += sound.service(float(second))
    assert told == ["the sound card has stopped; trying to open it again"]
    assert 3 <= card.reopened <= 5
    card.broken = False
    for second in range(20, 28):
        card.beats += 1
        told += sound.service(float(second))
    assert told[1:] == ["the sound card works again"]


def test_a_beating_card_is_left_alone() -> None:
    sound, card = sound_with_card()
    for second in range(20):
        card.beats += 1
        assert sound.service(float(second)) == []
    assert card.reopened == 0


def test_a_call_starts_with_trimmed_rings_and_fresh_levels() -> None:
    rings = RingPair(rate=RATE)
    bridge = AudioBridge(rate=RATE, source=Tone(hz=500, level_dbfs=-3, rate=RATE))
    sound = Sound(bridge, rings=rings)
    for _ in range(9):
        rings.microphone.write(np.ones(FRAME, dtype=np.int16))
    bridge.outgoing()
    assert sound.report().overruns > 0
    bridge.outgoing()
    sound.call_began()
    report = sound.report()
    assert (report.mic_fill_ms, report.ring_fill_ms, report.tx_dbfs, report.overruns) == (0.0, 0.0, -100.0, 0)
    for _ in range(7):
        rings.speaker.write(np.ones(FRAME, dtype=np.int16))
    assert sound.report().overruns == 1


def test_fills_are_not_told_apart_and_absent_without_a_card() -> None:
    rings = RingPair(rate=RATE)
    rings.microphone.write(np.ones(FRAME, dtype=np.int16))
    rings.speaker.write(np.ones(2 * FRAME, dtype=np.int16))
    bridge = AudioBridge(rate=RATE, source=Silence())
    report = Sound(bridge, rings=rings).report()
    assert (report.mic_fill_ms, report.ring_fill_ms) == (20.0, 40.0)
    bare = Sound(bridge).report()
    assert (bare.mic_fill_ms, bare.ring_fill_ms, bare.underruns, bare.overruns) == (None, None, 0, 0)


def test_mute_does_not_outlive_the_call() -> None:
    bridge = AudioBridge(rate=RATE, source=Tone(hz=500, level_dbfs=-3, rate=RATE))
    sound = Sound(bridge)
    sound.mute(True)
    assert not bridge.outgoing().any()
    sound.call_ended()
    assert bridge.outgoing().any()


def test_what_is_heard_between_begin_and_end_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    bridge = AudioBridge(rate=RATE, source=Silence(), recorded=True)
    sound = Sound(bridge, recorder=Recorder(path, rate=RATE))
    bridge.incoming(np.full(FRAME, 1, dtype=np.int16))
    sound.call_began()
    bridge.incoming(np.full(FRAME, 2, dtype=np.int16))
    assert sound.service(0.0) == []
    bridge.incoming(np.full(FRAME, 3, dtype=np.int16))
    sound.close()
    assert np.rint(read_wav(path).samples[::FRAME] * 32767).tolist() == [2, 3]


def test_a_full_disk_is_told_and_the_phone_goes_on() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("missing /dev/full: it is there on Linux")
    bridge = AudioBridge(rate=RATE, source=Silence(), recorded=True)
    sound = Sound(bridge, recorder=Recorder(full, rate=RATE))
    sound.call_began()
    told: list[str] = []
    for _ in range(60):
        bridge.incoming(np.ones(FRAME, dtype=np.int16))
        told += sound.service(0.0)
    assert len(told) == 1
    assert "No space left" in told[0]
    sound.close()
