"""The main job, end to end: a caller in Asterisk reaches a home agent through a queue, and both hear each other.

Every part is the real one: Asterisk with the shipped trunk and dialplan, the engine as an operator starts it,
softphones that register with digest over UDP. What is heard is measured by tone, level and time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.asterisk import Asterisk, Asterisks, PlacedCall
from tests.support.engine import Engine
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone
from tests.support.stalls import StallWitness
from tests.support.tones import Audio, away_s, held_dbfs, line_dbfs, read_wav, rms_dbfs, sine, tone_dbfs, write_wav

pytestmark = pytest.mark.integration

CALLER_HZ = 1004
AGENT_HZ = 440
OTHER_HZ = 700
MUSIC_HZ = 2100
AGENT_DBFS = -20.0
TALK_S = 11.0
HANG_UP_S = 0.2

DIALPLAN = """
[context.from-trunk]
[[context.from-trunk.extension]]
number = "600"
queue = "demo"
[[context.from-trunk.extension]]
number = "610"
queue = "other"
[context.agents]
include = ["from-trunk"]
"""


@pytest.fixture
def engine(engines: Callable[..., Engine], tmp_path: Path) -> Engine:
    """Queues `demo` and `other`, dialled as 600 and 610; whoever waits hears a tone of 2,100 Hz."""
    require("pjsua2")
    (tmp_path / "dialplan.toml").write_text(DIALPLAN)
    write_wav(tmp_path / "music.wav", Audio(rate=8000, samples=sine(MUSIC_HZ, seconds=1, dbfs=-20)))
    return engines(
        dialplan={"file": str(tmp_path / "dialplan.toml")},
        media={"music": str(tmp_path / "music.wav")},
    )


@pytest.fixture
def asterisk(asterisks: Asterisks, engine: Engine, ports: PortPool) -> Iterator[Asterisk]:
    """Asterisk whose trunk leads to the running engine, and the engine with a trunk back."""
    port = ports.one()
    for queue in ("demo", "other"):
        engine.command("queue", "add", queue, "--wrap-up", "1")
    engine.command("trunk", "add", "asterisk", "--host", "127.0.0.1", "--port", str(port), "--match-port")
    engine.start()
    asterisk = asterisks.start(engine_port=engine.sip_port, sip_port=port)
    asterisk.wait_for_trunk()
    yield asterisk
    assert engine.stop() == 0


@pytest.fixture
def agents(engine: Engine, procs: Processes, ports: PortPool, tmp_path: Path) -> Callable[..., Phone]:
    """Makes an agent with a phone that registers, answers by itself after a second and speaks a tone."""

    def start(name: str, queue: str, tone_hz: int, *more: str) -> Phone:
        secret = engine.add_agent(name, queue)
        phone = start_phone(
            procs,
            ports,
            name,
            *("--server", engine.server, "--user", name, "--password-file", str(secret), "--auto-answer", "1"),
            *("--audio", "tone", "--tone-hz", str(tone_hz), "--tone-dbfs", str(AGENT_DBFS)),
            *("--record-received", str(tmp_path / f"{name}.wav"), *more),
        )
        phone.wait_for("registered")
        return phone

    return start


def talk_part(audio: Audio, frequency: float) -> Audio:
    """The ten seconds from where the tone begins, without the edge."""
    levels = [
        tone_dbfs(audio.between(at / 10, at / 10 + 0.1), frequency, block_s=0.1)
        for at in range(int(audio.seconds * 10))
    ]
    first = next(at for at, level in enumerate(levels) if level > max(levels) - 3)
    return audio.between(first / 10 + 0.2, first / 10 + 10.2)


def through_the_dialplan(asterisk: Asterisk) -> PlacedCall:
    return asterisk.originate("Local/6000@to-hearthline/n", caller_id="Anna <5551000>")


@pytest.mark.timing
def test_caller_and_agent_hear_each_other_and_nobody_else(
    engine: Engine, asterisk: Asterisk, agents: Callable[..., Phone], tmp_path: Path, machine: StallWitness
) -> None:
    alice = agents("alice", "demo", AGENT_HZ)
    agents("bob", "other", OTHER_HZ)
    engine.command("agent", "status", "alice", "break", "coffee")
    call = through_the_dialplan(asterisk)
    other = asterisk.originate(
        "PJSIP/610@hearthline", exten="playtones", variables={"PROBE_TONE": str(OTHER_HZ)}, caller_id="<5552000>"
    )
    call.wait_answered()
    other.wait_answered()
    time.sleep(2.5)
    assert alice.events("incoming") == [], "an agent on a break is not rung"
    engine.command("agent", "status", "alice", "available")
    alice.wait_for("answered")
    time.sleep(TALK_S)
    asked, since = time.time(), time.monotonic()
    ended = call.hang_up()
    alice.wait_for("ended")
    at_phone_s, stalled_s = time.time() - asked, machine.stalled_s(since=since)
    assert at_phone_s < HANG_UP_S + stalled_s + 0.1, "the agent's phone was told late (0.1 s is for looking)"
    assert ended.at - asked < HANG_UP_S + stalled_s
    other.hang_up()
    (cdr,) = [cdr for cdr in engine.wait_for_cdrs(2) if cdr["queue"] == "demo"]
    wait_until(lambda: engine.api.get("/api/v1/media")["legs"] == 0, timeout=5, what="the end of the media legs")
    sent = engine.api.get("/api/v1/media")["packets_sent"]
    time.sleep(1.5)
    media = engine.api.get("/api/v1/media")
    assert (media["legs"], media["packets_sent"]) == (0, sent), "after the end no packet is sent"

    assert alice.quit() == 0
    assert_levels(call.heard(), call.said(), read_wav(tmp_path / "alice.wav"), machine.stalled_s())
    assert_talk_is_in_the_books(engine, cdr)


def assert_levels(heard: Audio, said: Audio, phone: Audio, stalled_s: float) -> None:
    """`heard` and `said` at the caller's side, `phone` what the agent heard; `stalled_s` of it may be away."""
    music, talk = heard.between(0.5, 2.3), talk_part(heard, AGENT_HZ)
    assert held_dbfs(music, MUSIC_HZ) == pytest.approx(-20, abs=1), "music while waiting"
    assert held_dbfs(talk, AGENT_HZ) == pytest.approx(AGENT_DBFS, abs=1)
    assert line_dbfs(music, AGENT_HZ) < AGENT_DBFS - 60, "before the answer the caller does not hear the agent"
    assert line_dbfs(talk, MUSIC_HZ) < -70, "the music has ended"
    assert line_dbfs(talk, OTHER_HZ) < AGENT_DBFS - 60
    assert away_s(talk, AGENT_HZ) <= stalled_s
    caller_dbfs = held_dbfs(said.between(3, 8), CALLER_HZ)
    at_phone = talk_part(phone, CALLER_HZ)
    assert held_dbfs(at_phone, CALLER_HZ) == pytest.approx(caller_dbfs, abs=1)
    assert line_dbfs(at_phone, OTHER_HZ) < caller_dbfs - 60
    assert away_s(at_phone, CALLER_HZ) <= stalled_s
    assert rms_dbfs(at_phone) < caller_dbfs + 1, "nothing but the caller's tone"


def assert_talk_is_in_the_books(engine: Engine, cdr: dict[str, object]) -> None:
    """Who, when, how long and why, in the CDR and as queue_log has it."""
    assert cdr["caller"] == "5551000"
    assert (cdr["called"], cdr["queue"], cdr["agent"]) == ("600", "demo", "alice")
    assert (cdr["outcome"], cdr["reason"], cdr["ended_by"]) == ("success", "caller_hangup", "caller")
    assert cdr["talked_s"] == pytest.approx(TALK_S, abs=0.5)
    assert cdr["waited_s"] == pytest.approx(cdr["total_s"] - cdr["talked_s"], abs=0.3)  # type: ignore[operator]
    lines = [line.split("|") for line in engine.command("queue-log").stdout.splitlines()]
    mine = [line for line in lines if line[1] == cdr["call"]]
    assert [line[4] for line in mine] == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]
    assert mine[0][6] == "5551000"
    assert mine[1][3] == "alice"
    assert int(mine[2][6]) == pytest.approx(TALK_S, abs=1.5)


@pytest.mark.timing
def test_the_agent_hangs_up_and_asterisk_knows_at_once(
    engine: Engine, asterisk: Asterisk, agents: Callable[..., Phone]
) -> None:
    alice = agents("alice", "demo", AGENT_HZ)
    call = through_the_dialplan(asterisk)
    alice.wait_for("answered")
    time.sleep(1)
    asked = time.time()
    alice.tell("hangup")
    ended = call.wait_ended()
    assert ended.at - asked < HANG_UP_S
    (cdr,) = engine.wait_for_cdrs(1)
    assert (cdr["reason"], cdr["ended_by"]) == ("agent_hangup", "agent")
    engine.wait_for_state("alice", "wrap_up")
    engine.wait_for_state("alice", "idle")
    wait_until(lambda: asterisk.channels() == [], timeout=5, what="the end of Asterisk's channels")


def test_an_agent_who_does_not_answer_is_set_to_a_break_and_told_why(
    engine: Engine, asterisk: Asterisk, agents: Callable[..., Phone]
) -> None:
    engine.command("queue", "set", "demo", "--ring-timeout", "2")
    alice = agents("alice", "demo", AGENT_HZ, "--auto-answer", "60")
    call = through_the_dialplan(asterisk)
    alice.wait_for("incoming")
    alice.wait_for("ended")
    seen = engine.agent("alice")
    assert seen["status"] == "break"
    assert seen["status_reason"].startswith("rona")
    assert "rona" in engine.command("agent", "list").stdout
    assert "rona" in engine.command("status").stdout
    bob = agents("bob", "demo", OTHER_HZ)
    bob.wait_for("answered")
    call.hang_up()
    (cdr,) = engine.wait_for_cdrs(1)
    assert cdr["agent"] == "bob"
