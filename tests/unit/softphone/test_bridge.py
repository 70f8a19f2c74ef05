from __future__ import annotations

import numpy as np
import pytest

from softphone.audio.bridge import AudioBridge, RingPair
from softphone.audio.ring import Ring, Samples
from softphone.audio.sources import Loop, Tone

RATE = 16000
FRAME = 320


def voice(level: float = -20.0) -> Tone:
    return Tone(hz=500, level_dbfs=level, rate=RATE)


def block(value: int = 1000) -> Samples:
    return np.full(FRAME, value, dtype=np.int16)


@pytest.mark.parametrize(("rate", "samples"), [(16000, 320), (48000, 960)])
def test_a_frame_is_twenty_milliseconds(rate: int, samples: int) -> None:
    bridge = AudioBridge(rate=rate, source=Tone(hz=500, level_dbfs=-20, rate=rate))
    assert bridge.frame_samples == samples
    assert len(bridge.outgoing()) == samples


def test_mute_sends_silence_and_the_source_runs_on() -> None:
    bridge = AudioBridge(rate=RATE, source=Loop(np.arange(1, 4 * FRAME + 1, dtype=np.int16)))
    bridge.mute(True)
    assert not bridge.outgoing().any()
    bridge.mute(False)
    assert bridge.outgoing()[0] == FRAME + 1


def test_levels_are_measured_on_both_sides_and_start_anew() -> None:
    bridge = AudioBridge(rate=RATE, source=voice(-20))
    loud = voice(-6)
    for _ in range(50):
        bridge.outgoing()
        bridge.incoming(loud.read(FRAME))
    levels = bridge.take_levels()
    assert levels.tx_dbfs == pytest.approx(-20, abs=0.1)
    assert levels.rx_dbfs == pytest.approx(-6, abs=0.1)
    assert bridge.take_levels().rx_dbfs == -100.0


def test_the_sent_level_is_measured_after_mute() -> None:
    bridge = AudioBridge(rate=RATE, source=voice(-20))
    bridge.mute(True)
    bridge.outgoing()
    assert bridge.take_levels().tx_dbfs == -100.0


def test_what_is_heard_reaches_the_loudspeaker_and_nothing_is_silence() -> None:
    speaker = Ring(rate=RATE)
    bridge = AudioBridge(rate=RATE, source=voice(), sink=speaker)
    bridge.incoming(block(7))
    bridge.incoming(None)
    assert speaker.read(2 * FRAME).tolist() == [7] * FRAME + [0] * FRAME


def test_recording_keeps_time_while_nobody_is_heard() -> None:
    bridge = AudioBridge(rate=RATE, source=voice(), recorded=True)
    bridge.incoming(block(1))
    bridge.record(True)
    bridge.incoming(block(2))
    bridge.incoming(None)
    bridge.incoming(block(3))
    bridge.record(False)
    bridge.incoming(block(4))
    assert [int(frame[0]) for frame in bridge.take_recorded()] == [2, 0, 3]
    assert bridge.take_recorded() == []


def test_nothing_is_kept_when_nobody_records() -> None:
    bridge = AudioBridge(rate=RATE, source=voice())
    bridge.record(True)
    bridge.incoming(block())
    assert bridge.take_recorded() == []


def test_a_recording_that_nobody_fetches_stays_small() -> None:
    bridge = AudioBridge(rate=RATE, source=voice(), recorded=True)
    bridge.record(True)
    for number in range(600):
        bridge.incoming(block(number))
    frames = bridge.take_recorded()
    assert (len(frames), int(frames[0][0])) == (500, 100)


def test_the_rings_report_together_and_clear_together() -> None:
    rings = RingPair(rate=RATE)
    for _ in range(2):
        rings.microphone.write(block())
    rings.speaker.write(block())
    assert rings.fill_ms == (40.0, 20.0)
    for _ in range(3):
        rings.microphone.read(FRAME)
    for _ in range(8):
        rings.speaker.write(block())
    assert (rings.underruns, rings.overruns) == (1, 1)
    rings.clear()
    assert rings.fill_ms == (0.0, 0.0)
