"""The main job with real sound streams: a caller in Asterisk and an agent who speaks and hears by a sound card.

The card is two null sinks of PulseAudio: what is played into `mouth` is the agent's microphone, what stands in `ear` is
what the agent hears. Between them and the caller are sounddevice, pjsua2, the engine and Asterisk, as in real life.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.asterisk import Asterisk, Asterisks
from tests.support.live_centre import LiveCentre
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.pulse import RATE, Pulse
from tests.support.softphone_process import Phone, start_phone
from tests.support.tones import Audio, envelope, gaps, line_dbfs, onset_s, sine, to_dbfs, tone_dbfs

pytestmark = [pytest.mark.integration, pytest.mark.audio]

CALLER_HZ, AGENT_HZ = 1004.0, 440.0
AGENT_DBFS = -15.0
TALK_S = 6.0


@pytest.fixture
def asterisk(centres: Callable[..., LiveCentre], asterisks: Asterisks) -> tuple[LiveCentre, Asterisk]:
    """An engine and an Asterisk whose trunks lead to each other."""
    require("pjsua2", "pulseaudio", "portaudio")
    centre = centres()
    asterisk = asterisks.start(engine_port=centre.engine.sip_port)
    centre.trunk("asterisk", "127.0.0.1", port=asterisk.ports.sip, match_port=True)
    asterisk.wait_for_trunk()
    return centre, asterisk


def faults_of(audio: Audio, hz: float, dbfs: float, other: float) -> list[str]:
    """What is wrong with a recording of a tone, in words; empty when nothing is."""
    begin = onset_s(audio, hz)
    if begin is None:
        return [f"{hz} Hz is not there"]
    talk = audio.between(begin + 1.0, begin + TALK_S - 1.0)
    faults: list[str] = []
    # The median is the level of the tone where it is there, and does not mind the sound clocks' drift being taken up.
    level = to_dbfs(float(np.median(envelope(talk, hz))))
    if abs(level - dbfs) > 1.0:
        faults.append(f"{hz} Hz at {level:.1f} dBFS, not {dbfs:.1f}")
    if (crosstalk := line_dbfs(talk, other)) > dbfs - 40:
        faults.append(f"{other} Hz is heard too, at {crosstalk:.1f} dBFS")
    missing = sum(gap.length_s for gap in gaps(talk, hz, longer_than_ms=20, expected_dbfs=dbfs))
    if missing > 0.05 * talk.seconds:
        faults.append(f"{hz} Hz is missing for {missing:.2f} s of {talk.seconds:.1f}")
    return faults


def one_call(asterisk: Asterisk, pulse: Pulse, agent: Phone) -> list[str]:
    """Call through dialplan and queue, talk, hang up; what was wrong with what each side heard."""
    at_agent = pulse.record("ear")
    call = asterisk.originate("Local/6000@to-hearthline/n")
    agent.wait_for("answered")
    pulse.play("mouth", sine(AGENT_HZ, seconds=TALK_S, rate=RATE, dbfs=AGENT_DBFS)).wait()
    call.hang_up()
    agent.wait_for("ended")
    said = call.said()
    caller_dbfs = tone_dbfs(said.between(said.seconds - 4, said.seconds - 1), CALLER_HZ)
    return [
        *faults_of(at_agent.stop(), CALLER_HZ, caller_dbfs, AGENT_HZ),
        *faults_of(call.heard(), AGENT_HZ, AGENT_DBFS, CALLER_HZ),
    ]


@pytest.mark.timing
def test_caller_and_agent_hear_each_other_through_sound_streams(
    asterisk: tuple[LiveCentre, Asterisk], pulse: Pulse, procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    centre, pbx = asterisk
    centre.add_agent("alice", "demo")
    secret = tmp_path / "secret"
    secret.write_text(centre.secret_of("alice"))
    alice = start_phone(
        *(procs, ports, "alice", "--server", centre.engine.server, "--user", "alice"),
        *("--password-file", str(secret), "--audio", "device", "--auto-answer", "0.5"),
        env=pulse.env_for(speaker="ear", microphone="mouth"),
    )
    alice.wait_for("registered")
    assert one_call(pbx, pulse, alice) == []
    level = alice.events("level")[-1]
    assert 0 <= level["ring_fill_ms"] <= 120
    assert alice.events("error") == []
    assert alice.quit() == 0
    (cdr,) = centre.engine.wait_for_cdrs(1)
    assert (cdr["queue"], cdr["agent"], cdr["reason"]) == ("demo", "alice", "caller_hangup")
    assert centre.engine.stop() == 0
