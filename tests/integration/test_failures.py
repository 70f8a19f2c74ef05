"""Parts that die: phones, the media process, the control process, the disk. Each time it is said what became of the
calls, nothing is left behind, and the next call is served."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.errors import EngineError
from tests.support.engine import Engine
from tests.support.live_centre import LiveCentre, running_centre
from tests.support.parts import require
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.softphone_process import Phone, start_phone
from tests.support.stalls import StallWitness
from tests.support.tones import Audio, away_s, held_dbfs, read_wav, sine, write_wav

pytestmark = pytest.mark.integration

AUDIO_LIVES_S = 10.0


DIALPLAN = """
[context.from-trunk]
[[context.from-trunk.extension]]
number = "600"
queue = "demo"
[[context.from-trunk.extension]]
number = "601"
echo = true
[[context.from-trunk.extension]]
number = "602"
announcement = "announcement.wav"
[context.agents]
include = ["from-trunk"]
"""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the dialplan, the music for callers who wait and an announcement stand."""
    directory = tmp_path_factory.mktemp("sounds")
    (directory / "dialplan.toml").write_text(DIALPLAN)
    write_sounds(directory)
    return directory


def write_sounds(directory: Path) -> None:
    for name in ("music", "announcement"):
        write_wav(directory / f"{name}.wav", Audio(rate=8000, samples=sine(440, seconds=0.5)))


@pytest.fixture(scope="module")
def shared(session_ports: PortPool, tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> Iterator[LiveCentre]:
    """Silence of two seconds ends a call, a phone rings for two seconds."""
    media = {"dead_s": 2.0, "music": str(sounds / "music.wav")}
    plan = {"file": str(sounds / "dialplan.toml")}
    with running_centre(session_ports, tmp_path_factory.mktemp("failures"), media=media, dialplan=plan) as centre:
        centre.queue(ring_timeout_s=2)
        yield centre


@pytest.fixture
def centre(shared: LiveCentre) -> Iterator[LiveCentre]:
    """The engine that most of these tests share: after each it must serve the next call."""
    yield shared
    for agent in shared.engine.api.get("/api/v1/agents")["items"]:
        shared.engine.api.delete(f"/api/v1/agents/{agent['name']}")
    shared.prove_a_call()
    shared.at_rest()


@pytest.fixture
def softphones(procs: Processes, ports: PortPool, tmp_path: Path) -> Callable[..., Phone]:
    """Starts real softphones of agents."""
    require("pjsua2")

    def start(centre: LiveCentre, name: str, *options: str) -> Phone:
        secret = tmp_path / f"{name}.secret"
        secret.write_text(centre.secret_of(name))
        server = ("--server", centre.engine.server, "--user", name, "--password-file", str(secret))
        phone = start_phone(procs, ports, name, *server, *options)
        phone.wait_for("registered")
        return phone

    return start


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def media_pid(centre: LiveCentre) -> int:
    return int(centre.engine.api.get("/api/v1/media")["pid"])


def how(cdr: dict[str, Any]) -> tuple[str, str, str]:
    return cdr["outcome"], cdr["reason"], cdr["ended_by"]


# --- phones ---


def test_a_phone_that_dies_while_it_rings_costs_the_caller_a_ring_timeout(
    centre: LiveCentre, softphones: Callable[..., Phone]
) -> None:
    centre.add_agent("alice", "demo")
    alice = softphones(centre, "alice", "--audio", "null")
    caller = centre.caller()
    talk = caller.call("600")
    talk.wait(200)
    alice.wait_for("incoming")
    alice.process.kill()
    bob = centre.agent("bob", "demo")
    centre.hear_each_other(caller, bob)
    assert centre.engine.agent("alice")["status_reason"].startswith("rona")
    assert bob.talk().hang_up().status == 200
    talk.wait_bye()
    cdr = centre.cdr(talk)
    assert (cdr["agent"], *how(cdr)) == ("bob", "success", "agent_hangup", "agent")


def test_a_phone_that_dies_while_talking_ends_the_call_by_its_silence(
    centre: LiveCentre, softphones: Callable[..., Phone]
) -> None:
    centre.add_agent("alice", "demo")
    alice = softphones(centre, "alice", "--audio", "tone", "--auto-answer", "0")
    caller = centre.caller()
    talk = caller.call("600")
    alice.wait_for("answered")
    wait_until(lambda: caller.voice.packets > 20, timeout=5, what="the agent's voice")
    alice.process.kill()
    assert talk.wait_bye(timeout=8)["reason"]
    assert how(centre.cdr(talk)) == ("upstream", "media_timeout", "engine")


# --- the media process ---


def test_the_media_process_dies_and_everybody_is_told_why(centre: LiveCentre) -> None:
    alice, bob = centre.agent("alice", "demo"), centre.agent("bob")
    talking, waiting = centre.caller(), centre.caller("5552000")
    talk, other = centre.connect(talking, alice)
    bob.behaviour = "ring"
    centre.engine.api.put("/api/v1/members/demo/bob", {})
    queued = waiting.call("600")
    queued.wait(200)
    ringing = bob.talk()
    pid = media_pid(centre)
    kill(pid)
    for each in (talk, other, queued):
        assert "media" in each.wait_bye()["reason"].lower()
    wait_until(lambda: ringing.cancelled is not None, timeout=5, what="a CANCEL to the phone that rings")
    for call in (talk, queued):
        assert how(centre.cdr(call)) == ("server", "media_lost", "engine")
    wait_until(lambda: centre.engine.api.get("/api/v1/media")["up"], timeout=10, what="another media process")
    assert media_pid(centre) != pid
    assert not psutil.pid_exists(pid), "the dead process is reaped"
    (lost,) = centre.engine.records("MediaLost")
    assert lost["body"]["legs"] == 4
    again, _ = centre.connect(centre.caller("5553000"), alice)
    assert again.hang_up().status == 200


def test_a_call_that_comes_while_there_is_no_media_process_is_refused(centre: LiveCentre) -> None:
    caller = centre.caller()
    kill(media_pid(centre))
    wait_until(lambda: not centre.engine.api.get("/api/v1/media")["up"], timeout=5, what="the loss to be seen")
    refused = caller.call("601").wait(503)
    assert int(refused["retry-after"]) > 0
    assert centre.not_ready() == ["media down"]
    wait_until(lambda: not centre.not_ready(), timeout=10, what="a ready engine")
    assert "media_lost" in {cdr["reason"] for cdr in centre.engine.wait_for_cdrs(1)}


# --- the control process ---


@pytest.mark.timing
def test_people_go_on_talking_when_the_control_process_is_killed(
    centres: Callable[..., LiveCentre], softphones: Callable[..., Phone], tmp_path: Path, machine: StallWitness
) -> None:
    """The whole of it: the audio, the log up to a second before, the call's cause, the media process, the ports."""
    centre = centres(media={"dead_s": 2.0})
    engine = centre.engine
    for name, queue in (("alice", "demo"), ("bob", "sales"), ("carol", "sales")):
        centre.queue(queue)
        centre.add_agent(name, queue)
    wav = {name: tmp_path / f"{name}.wav" for name in ("alice", "bob")}
    alice = softphones(
        *(centre, "alice", "--audio", "tone", "--tone-hz", "440", "--auto-answer", "0"),
        *("--record-received", str(wav["alice"])),
    )
    bob = softphones(
        *(centre, "bob", "--audio", "tone", "--tone-hz", "1004", "--record-received", str(wav["bob"])),
    )
    bob.tell("dial", uri=f"sip:600@127.0.0.1:{engine.sip_port}")
    bob.wait_for("answered")
    alice.wait_for("answered")
    others = one_who_waits_and_one_who_rings(centre)
    told = statuses_told(centre, "carol", seconds=1.5)
    pid, port_holders = media_pid(centre), rtp_sockets(engine)
    killed = time.time()
    engine.process.kill()

    time.sleep(AUDIO_LIVES_S)
    assert psutil.pid_exists(pid)
    assert rtp_sockets(engine) == port_holders

    engine.start()
    assert media_pid(centre) == pid, "the media process was found again"
    assert_nothing_older_than_a_second_is_lost(engine, told, killed)
    cdrs = engine.wait_for_cdrs(3)
    assert {how(cdr) for cdr in cdrs} == {("indeterminate", "engine_restart", "engine")}
    queue_log = [line.split("|")[1:] for line in (engine.state / "log" / "queue_log").read_text().splitlines()]
    ends = {fields[0]: fields[1:6] for fields in queue_log if fields[3] not in ("ENTERQUEUE", "QUEUESTART")}
    waited = {cdr["call"]: cdr["caller"] for cdr in cdrs if cdr["caller"] != "bob"}
    assert {waited[call]: end for call, end in ends.items() if call in waited} == {
        "5551": ["demo", "NONE", "WITHDRAW", "1", "1"],
        "5552": ["demo", "NONE", "WITHDRAW", "2", "2"],
    }, "nobody waits for ever in the reports"
    (cdr,) = [cdr for cdr in cdrs if cdr["caller"] == "bob"]
    assert cdr["agent"] == "alice"
    assert cdr["talked_s"] <= killed - cdr["connected"] + 0.1
    wait_until(lambda: media_legs(engine) == 4, timeout=3, what="the end of the one who waited alone")
    for other in others:
        other.vanish()
    what = "the end of who waits and who rings, not of those two who talk: they are not cut off by the restart"
    wait_until(lambda: media_legs(engine) == 2, timeout=6, what=what)

    for phone in (alice, bob):
        phone.tell("hangup")
    centre.no_legs(timeout=8)
    # By itself the phone would do so within 40 s: its server has forgotten it, and cannot tell it.
    alice.tell("unregister")
    alice.wait_for("unregistered")
    alice.tell("register")
    alice.wait_for("registered", count=2)
    bob.tell("dial", uri=f"sip:600@127.0.0.1:{engine.sip_port}")
    alice.wait_for("answered", count=2)
    bob.tell("hangup")
    engine.wait_for_cdrs(4)
    for phone in (alice, bob):
        assert phone.quit() == 0
    for name, hertz in (("alice", 1004), ("bob", 440)):
        talk = read_wav(wav[name]).between(1.0, 2.0 + AUDIO_LIVES_S)
        assert held_dbfs(talk, hertz) == pytest.approx(-20, abs=1)
        assert away_s(talk, hertz) <= machine.stalled_s(), f"what {name} heard while there was no control"
    assert engine.stop() == 0


def one_who_waits_and_one_who_rings(centre: LiveCentre) -> list[PlainPhone]:
    """Two further callers: a phone rings for the first, the second has nobody yet. Their phones."""
    dave, first, second = centre.agent("dave", "demo"), centre.caller("5551"), centre.caller("5552")
    dave.behaviour = "ring"
    first.call("600").wait(200)
    dave.talk()
    second.call("600").wait(200)
    return [dave, first, second]


def statuses_told(centre: LiveCentre, agent: str, *, seconds: float) -> list[tuple[float, str]]:
    """Change an agent's status as fast as the API takes it; when each change was confirmed, and its reason."""
    told: list[tuple[float, str]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reason = f"change {len(told)}"
        centre.engine.api.put(f"/api/v1/agents/{agent}/status", {"status": "break", "reason": reason})
        told.append((time.time(), reason))
    return told


def assert_nothing_older_than_a_second_is_lost(engine: Engine, told: list[tuple[float, str]], killed: float) -> None:
    kept = [record["body"]["reason"] for record in engine.records("AgentStatusChanged")]
    due = [reason for at, reason in told if at < killed - 1.0]
    assert due, "the test changed nothing early enough"
    assert kept[: len(due)] == due
    seqs = [record["seq"] for record in engine.records()]
    assert seqs == list(range(1, len(seqs) + 1)), "no number is missing or given twice"


def media_legs(engine: Engine) -> int:
    """Legs of the media process, ours or not, as it told last."""
    return int(engine.api.get("/api/v1/media")["legs"])


def rtp_sockets(engine: Engine) -> list[int]:
    """Ports of the engine's RTP range that anybody holds."""
    held = {each.laddr.port for each in psutil.net_connections("udp4") if each.laddr}
    return sorted(held & set(engine.rtp_ports))


def test_ctrl_c_hangs_up_on_everybody_and_keeps_every_record(centres: Callable[..., LiveCentre]) -> None:
    centre = centres()
    engine = centre.engine
    alice = centre.agent("alice", "demo")
    caller, waiting = centre.caller(), centre.caller("5552000")
    talk, other = centre.connect(caller, alice)
    queued = waiting.call("600")
    queued.wait(200)
    pid = media_pid(centre)
    assert engine.stop() == 0
    for each in (talk, other, queued):
        assert each.bye is not None
    assert not psutil.pid_exists(pid), "a clean stop ends the media process"
    with closing(sqlite3.connect(engine.state / "hearthline.db")) as store:
        cdrs = store.execute("SELECT reason, outcome FROM cdrs").fetchall()
        types = [kind for (kind,) in store.execute("SELECT type FROM events ORDER BY seq")]
    assert cdrs == [("shutdown", "server")] * 2
    assert types[-1] == "EngineStopped"
    assert types.count("CallEnded") == types.count("CallStarted") == 2
    ends = [line.split("|")[3:] for line in (engine.state / "log" / "queue_log").read_text().splitlines()]
    assert ["NONE", "WITHDRAW", "1", "1"] in [line[:4] for line in ends], "who waited was hung up on by us"
    assert "ABANDON" not in [line[1] for line in ends]


# --- files ---


def test_a_sound_file_that_is_gone_costs_no_call(centre: LiveCentre, sounds: Path) -> None:
    write_sounds(sounds)
    caller, alice = centre.caller(), centre.agent("alice", "demo")
    before = caller.call("602")
    before.wait(200)
    before.wait_bye()
    assert how(centre.cdr(before)) == ("success", "completed", "engine")
    (sounds / "announcement.wav").unlink()
    (sounds / "music.wav").write_bytes(b"RIFF\0\0\0\0WAVEnoise")
    gone = caller.call("602")
    gone.wait(200)
    gone.wait_bye()
    assert how(centre.cdr(gone)) == ("server", "completed", "engine")
    alice.behaviour = "ring"
    talk = caller.call("600")
    talk.wait(200)
    packets = caller.voice.packets
    wait_until(lambda: caller.voice.packets > packets + 20, timeout=5, what="another sound in place of the music")
    alice.pick_up(alice.talk())
    centre.hear_each_other(caller, alice)
    assert talk.hang_up().status == 200


# --- the disk ---


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """What the state directory of the engine called `engine` stands on."""
    with small_disk(tmp_path / "engine" / "state", megabytes=12) as disk:
        yield disk


def until_nothing_can_be_stored(centre: LiveCentre, disk: SmallDisk) -> int:
    """Fill the disk until no retry of the store finds room any more: it makes some by shortening its own files. Returns
    how many calls that took."""
    for calls in range(1, 30):
        disk.fill()
        centre.prove_a_call()
        until = time.monotonic() + 1.5
        while time.monotonic() < until and (calls == 1 or centre.not_ready()):
            disk.fill()
            time.sleep(0.02)
        if centre.not_ready():
            return calls
    raise AssertionError("the disk does not become full")


def refused_for_want_of_room(centre: LiveCentre, disk: SmallDisk) -> str:
    """What who changes a setting is told. One or another still fits where the store's files have room within."""
    for number in range(50):
        disk.fill()
        try:
            centre.engine.api.put(f"/api/v1/queues/another-{number}", {})
        except EngineError as error:
            return str(error)
    raise AssertionError("settings can be changed on a full disk without end")


def test_a_full_disk_costs_no_call_and_no_record(
    disk: SmallDisk, centres: Callable[..., LiveCentre], procs: Processes
) -> None:
    centre = centres()
    engine = centre.engine
    alice = centre.agent("alice", "demo")
    before, _ = centre.connect(centre.caller("5550001"), alice)
    calls = until_nothing_can_be_stored(centre, disk)
    (reason,) = centre.not_ready()
    assert "store degraded" in reason
    # SQLite says the second when what it cannot write is its own shared memory.
    assert "full" in reason or "disk I/O error" in reason
    wait_until(lambda: centre.metric("hearthline_store_degraded") == 1, timeout=3, what="the metric")
    assert centre.metric("hearthline_store_pending_events") > 0

    for _ in range(3):
        centre.prove_a_call()
    assert before.hang_up().status == 200
    during, _ = centre.connect(centre.caller("5550002"), alice)
    waiting = engine.api.get("/api/v1/status")["engine"]
    assert waiting["store"]["pending"] > 15
    assert re.search(r"full|disk I/O error", refused_for_want_of_room(centre, disk))

    disk.make_room()
    wait_until(lambda: not centre.not_ready(), timeout=10, what="a store that works")
    wait_until(lambda: centre.metric("hearthline_store_degraded") == 0, timeout=3, what="the metric")
    assert during.hang_up().status == 200
    centre.at_rest()
    records = engine.records()
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1)), "all, and in order"
    started = [record["call"] for record in records if record["type"] == "CallStarted"]
    ended = [record["call"] for record in records if record["type"] == "CallEnded"]
    cdrs = {cdr["call"] for cdr in engine.wait_for_cdrs(min(50, len(started)))}
    assert len(started) == calls + 5
    assert sorted(started) == sorted(ended)
    assert cdrs <= set(started)
    assert engine.stop() == 0

    disk.fill()
    process = procs.start("on-a-full-disk", [sys.executable, "-m", "engine", "run", "--config", str(engine.config)])
    assert process.wait(timeout=30) == 1
    process.wait_for_line("^hearthline: unavailable: the store cannot be used now: ")
    assert "Traceback" not in process.text()
