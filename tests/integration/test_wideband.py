"""Sound at 16 kHz between the engine and programs that others made: pjsua2 as an agent's phone, Asterisk as a trunk;
either side or both in G.722, tones both ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.asterisk import TRUNK, Asterisk, Asterisks
from tests.support.engine import Engine
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone
from tests.support.stalls import StallWitness
from tests.support.tones import DIGITAL_MILLIWATT_DBFS, Audio, away_s, held_dbfs, onset_s, read_wav

pytestmark = pytest.mark.integration

VOICE_DBFS = -12.0


@pytest.fixture
def engine(engines: Callable[..., Engine]) -> Engine:
    require("pjsua2")
    return engines()


@pytest.fixture
def asterisk(asterisks: Asterisks, engine: Engine) -> Iterator[Asterisk]:
    shipped = TRUNK.read_text(encoding="utf-8")
    wide = shipped.replace("allow = ulaw,alaw", "allow = g722,ulaw,alaw")
    assert wide != shipped
    asterisk = asterisks.start(engine_port=engine.sip_port, modules=("codec_g722",), extra={TRUNK.name: wide})
    engine.command("trunk", "add", "asterisk", "--host", "127.0.0.1", "--port", str(asterisk.ports.sip), "--match-port")
    engine.start()
    wait_until(lambda: engine.api.get("/api/v1/trunks/asterisk")["up"], timeout=10, what="the trunk to be up")
    yield asterisk
    assert engine.stop() == 0


@pytest.mark.timing
@pytest.mark.parametrize(
    ("phone_codec", "trunk_codec", "voice_hz"),
    [("G722", "PCMU", 700), ("PCMA", "G722", 700), ("G722", "G722", 5200)],
)
def test_a_phone_and_a_trunk_hear_each_other_in_their_own_codecs(
    engine: Engine,
    asterisk: Asterisk,
    procs: Processes,
    ports: PortPool,
    tmp_path: Path,
    phone_codec: str,
    trunk_codec: str,
    voice_hz: int,
    machine: StallWitness,
) -> None:
    secret, heard = engine.add_agent("alice"), tmp_path / "heard.wav"
    engine.api.patch("/api/v1/agents/alice", {"codecs": [phone_codec]})
    engine.api.patch("/api/v1/trunks/asterisk", {"codecs": [trunk_codec]})
    phone: Phone = start_phone(
        *(procs, ports, "alice", "--server", engine.server, "--user", "alice", "--password-file", str(secret)),
        *("--audio", "tone", "--tone-hz", str(voice_hz), "--tone-dbfs", str(VOICE_DBFS), "--codec", phone_codec),
        *("--record-received", str(heard)),
    )
    phone.wait_for("registered")
    phone.tell("dial", uri="9702")  # Asterisk's 1004 Hz at 0 dBm0
    assert phone.wait_for("answered")["codec"].startswith(phone_codec)
    time.sleep(2.0)
    assert trunk_codec.lower().replace("pcmu", "ulaw") in asterisk.ami.command("core show channel " + channel(asterisk))
    phone.tell("hangup")
    phone.wait_for("ended")

    phone.tell("dial", uri="9700")  # what the phone says comes back
    phone.wait_for("answered", count=2)
    time.sleep(2.5)
    media = engine.api.get("/api/v1/media")
    assert media["relayed_edges"] == (2 if phone_codec == trunk_codec else 0)
    phone.tell("hangup")
    phone.wait_for("ended", count=2)
    assert phone.quit() == 0
    sound, stalled_s = read_wav(heard), machine.stalled_s()
    level(sound, 1004, DIGITAL_MILLIWATT_DBFS, stalled_s)
    level(sound, voice_hz, VOICE_DBFS, stalled_s)


def channel(asterisk: Asterisk) -> str:
    (name,) = asterisk.channels()
    return name


def level(heard: Audio, pitch: int, dbfs: float, stalled_s: float) -> None:
    """The tone is there, as loud as it was said, and away no longer than the machine stood still."""
    begin = onset_s(heard, pitch)
    assert begin is not None, f"no {pitch} Hz"
    tone = heard.between(begin + 0.3, begin + 1.5)
    assert held_dbfs(tone, pitch) == pytest.approx(dbfs, abs=1)
    assert away_s(tone, pitch) <= stalled_s
