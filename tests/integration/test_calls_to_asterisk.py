"""The other direction: an agent dials out, and the engine places the call to Asterisk, with the shipped fragments."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.asterisk import Asterisk, Asterisks
from tests.support.engine import Engine
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone
from tests.support.stalls import StallWitness
from tests.support.tones import away_s, held_dbfs, onset_s, read_wav

pytestmark = pytest.mark.integration

MILLIWATT_DBFS = -3.0
VOICE_DBFS = -20.0
VOICE_HZ = 440


@pytest.fixture
def engine(engines: Callable[..., Engine]) -> Engine:
    """The demo dialplan: agents reach Asterisk with a 9 in front."""
    require("pjsua2")
    return engines()


@pytest.fixture
def asterisk(asterisks: Asterisks, engine: Engine) -> Iterator[Asterisk]:
    asterisk = asterisks.start(engine_port=engine.sip_port)
    engine.command("trunk", "add", "asterisk", "--host", "127.0.0.1", "--port", str(asterisk.ports.sip), "--match-port")
    engine.start()
    yield asterisk
    assert engine.stop() == 0


@pytest.fixture
def phone(engine: Engine, asterisk: Asterisk, procs: Processes, ports: PortPool, tmp_path: Path) -> Phone:
    """A registered agent who speaks 440 Hz and keeps what is heard in heard.wav."""
    secret = engine.add_agent("alice")
    phone = start_phone(
        procs,
        ports,
        "alice",
        *("--server", engine.server, "--user", "alice", "--password-file", str(secret)),
        *("--audio", "tone", "--tone-hz", str(VOICE_HZ), "--tone-dbfs", str(VOICE_DBFS)),
        *("--record-received", str(tmp_path / "heard.wav")),
    )
    phone.wait_for("registered")
    wait_until(lambda: engine.api.get("/api/v1/trunks/asterisk")["up"], timeout=10, what="the trunk to be up")
    return phone


@pytest.mark.timing
def test_an_agent_calls_a_number_in_asterisk_and_hears_it(
    engine: Engine, asterisk: Asterisk, phone: Phone, tmp_path: Path, machine: StallWitness
) -> None:
    phone.tell("dial", uri="9702")
    phone.wait_for("answered")
    engine.wait_for_state("alice", "in_call")
    time.sleep(2.5)
    phone.tell("hangup")
    phone.wait_for("ended")
    wait_until(lambda: asterisk.channels() == [], timeout=5, what="the end of Asterisk's channels")
    (cdr,) = engine.wait_for_cdrs(1)
    assert (cdr["direction"], cdr["origin"], cdr["destination"]) == ("outbound", "agent:alice", "trunk:asterisk/702")
    assert (cdr["reason"], cdr["ended_by"]) == ("caller_hangup", "caller")
    engine.wait_for_state("alice", "idle")
    assert phone.quit() == 0
    heard = read_wav(tmp_path / "heard.wav")
    begin = onset_s(heard, 1004)
    assert begin is not None
    tone = heard.between(begin + 0.2, begin + 2.2)
    assert held_dbfs(tone, 1004) == pytest.approx(MILLIWATT_DBFS, abs=1)
    assert away_s(tone, 1004) <= machine.stalled_s()


@pytest.mark.timing
def test_both_directions_carry_sound(engine: Engine, asterisk: Asterisk, phone: Phone, tmp_path: Path) -> None:
    phone.tell("dial", uri="9700")
    phone.wait_for("answered")
    time.sleep(2.5)
    phone.tell("hangup")
    phone.wait_for("ended")
    assert phone.quit() == 0
    heard = read_wav(tmp_path / "heard.wav")
    begin = onset_s(heard, VOICE_HZ)
    assert begin is not None
    assert held_dbfs(heard.between(begin + 0.2, begin + 1.7), VOICE_HZ) == pytest.approx(VOICE_DBFS, abs=1)


def test_asterisks_refusal_reaches_the_agent(engine: Engine, asterisk: Asterisk, phone: Phone) -> None:
    phone.tell("dial", uri="9999999")
    ended = phone.wait_for("ended")
    assert ended["code"] == 404
    (cdr,) = engine.wait_for_cdrs(1)
    assert cdr["sip_code"] == 404
    assert cdr["outcome"] in {"upstream", "client"}
