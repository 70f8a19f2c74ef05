"""Two real softphones with real sounddevice streams: a tone into one's microphone is heard from the other's speaker."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.pulse import RATE, Pulse
from tests.support.softphone_process import Phone, start_phone
from tests.support.tones import Audio, envelope, gaps, line_dbfs, onset_s, sine, to_dbfs

pytestmark = [pytest.mark.integration, pytest.mark.audio]
require("pjsua2", "pulseaudio", "portaudio")

A_HZ, B_HZ = 1004.0, 440.0
DBFS = -15.0
TALK_S = 7.0


def start_device_phone(procs: Processes, ports: PortPool, pulse: Pulse, name: str, rate: str, *more: str) -> Phone:
    env = pulse.env_for(speaker=f"ear-{name}", microphone=f"mouth-{name}")
    return start_phone(procs, ports, name, "--no-register", "--audio", "device", "--rate", rate, *more, env=env)


def carried(procs: Processes, ports: PortPool, rate: str) -> tuple[Audio, Audio, list[Phone]]:
    """What A and B hear while tones are played into both microphones."""
    with Pulse(procs, ["ear-a", "mouth-a", "ear-b", "mouth-b"]) as pulse:
        a = start_device_phone(procs, ports, pulse, "a", rate)
        b = start_device_phone(procs, ports, pulse, "b", rate, "--auto-answer")
        a.wait_for("ready")
        a.tell("dial", uri=f"sip:b@{b.address}")
        a.wait_for("answered")
        at_a, at_b = pulse.record("ear-a"), pulse.record("ear-b")
        pulse.play("mouth-b", sine(B_HZ, seconds=TALK_S, rate=RATE, dbfs=DBFS))
        pulse.play("mouth-a", sine(A_HZ, seconds=TALK_S, rate=RATE, dbfs=DBFS)).wait()
        a.wait_for("level", count=round(TALK_S) + 1, timeout=20)
        heard = at_a.stop(), at_b.stop()
        assert (a.quit(), b.quit()) == (0, 0)
    return *heard, [a, b]


def faults_of(audio: Audio, hz: float, other: float) -> list[str]:
    """What is wrong with a recording of a tone, in words; empty when nothing is."""
    begin = onset_s(audio, hz)
    if begin is None:
        return [f"{hz} Hz is not there"]
    talked = audio.between(begin + 2.0, begin + TALK_S - 1.0)
    faults: list[str] = []
    # The median is the level of the tone where it is there, and does not mind the ring bending it by 0.6 %.
    level = to_dbfs(float(np.median(envelope(talked, hz))))
    if abs(level - DBFS) > 1.0:
        faults.append(f"{hz} Hz at {level:.1f} dBFS")
    if line_dbfs(talked, other) > DBFS - 40:
        faults.append(f"{other} Hz is heard too")
    missing = sum(gap.length_s for gap in gaps(talked, hz, longer_than_ms=20, expected_dbfs=DBFS))
    if missing > 0.05 * talked.seconds:
        faults.append(f"{hz} Hz is missing for {missing:.2f} s of {talked.seconds:.1f}")
    return faults


@pytest.mark.timing
@pytest.mark.parametrize("rate", ["16000", "48000"])
def test_sound_cards_carry_a_tone_each_way(procs: Processes, ports: PortPool, rate: str) -> None:
    at_a, at_b, phones = carried(procs, ports, rate)
    for phone in phones:
        last = phone.events("level")[-1]
        assert 0 <= last["ring_fill_ms"] <= 120
        assert 0 <= last["mic_fill_ms"] <= 120
        assert phone.events("error") == []
    assert faults_of(at_a, B_HZ, A_HZ) + faults_of(at_b, A_HZ, B_HZ) == []
