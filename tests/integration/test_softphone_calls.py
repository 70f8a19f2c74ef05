"""Two real softphones call each other directly on the loopback address."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until
from tests.support.softphone_process import Phone, start_phone
from tests.support.stalls import StallWitness
from tests.support.tones import (
    Audio,
    away_s,
    gaps,
    held_dbfs,
    line_dbfs,
    onset_s,
    read_wav,
    rms_dbfs,
    sine,
    tone_dbfs,
    write_wav,
)

pytestmark = pytest.mark.integration
require("pjsua2")

CALLER_HZ, CALLER_DBFS = 1004.0, -20.0
CALLED_HZ, CALLED_DBFS = 440.0, -12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A caller and a called phone, and where each keeps what it hears."""

    caller: Phone
    called: Phone
    at_caller: Path
    at_called: Path

    def dial(self) -> None:
        self.caller.tell("dial", uri=f"sip:called@{self.called.address}")

    def connect(self) -> None:
        self.dial()
        self.caller.wait_for("answered")
        self.called.wait_for("answered")

    def heard(self) -> tuple[Audio, Audio]:
        """End both phones; what the caller and what the called one heard."""
        assert (self.caller.quit(), self.called.quit()) == (0, 0)
        return read_wav(self.at_caller), read_wav(self.at_called)


def start_pair(procs: Processes, ports: PortPool, tmp_path: Path, *called: str, rate: str = "16000") -> Pair:
    at_caller, at_called = tmp_path / "caller.wav", tmp_path / "called.wav"
    tone = ("--audio", "tone", "--no-register", "--rate", rate, "--report-interval", "0.2")
    caller = start_phone(
        *(procs, ports, "caller", *tone, "--user", "caller", "--record-received", str(at_caller)),
        *("--tone-hz", str(CALLER_HZ), "--tone-dbfs", str(CALLER_DBFS)),
    )
    other = start_phone(
        *(procs, ports, "called", *tone, "--user", "called", "--record-received", str(at_called)),
        *("--tone-hz", str(CALLED_HZ), "--tone-dbfs", str(CALLED_DBFS), *called),
    )
    caller.wait_for("ready")
    return Pair(caller=caller, called=other, at_caller=at_caller, at_called=at_called)


def talk(pair: Pair, seconds: float) -> None:
    """Let the call go on: as many level reports as fit."""
    said = len(pair.caller.events("level"))
    pair.caller.wait_for("level", count=said + round(seconds / 0.2), timeout=seconds + 10)


@pytest.mark.timing
@pytest.mark.parametrize("rate", ["16000", "48000"])
def test_each_hears_the_others_tone_at_its_level_without_a_gap(
    procs: Processes, ports: PortPool, tmp_path: Path, rate: str, machine: StallWitness
) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer", rate=rate)
    pair.connect()
    assert pair.caller.wait_for("answered")["codec"] == "PCMU/8000"
    talk(pair, 5.5)
    quality = pair.caller.wait_for("quality")
    assert quality["lost"] == 0
    assert quality["received"] > 200
    at_caller, at_called = pair.heard()
    for audio, hz, dbfs in ((at_caller, CALLED_HZ, CALLED_DBFS), (at_called, CALLER_HZ, CALLER_DBFS)):
        assert audio.rate == int(rate)
        begin = onset_s(audio, hz)
        assert begin is not None
        talked = audio.between(begin + 0.3, begin + 4.3)
        assert held_dbfs(talked, hz) == pytest.approx(dbfs, abs=1.0)
        assert away_s(talked, hz) <= machine.stalled_s()


@pytest.mark.timing(stall_ms=200)
def test_hanging_up_ends_both_and_both_are_ready_for_the_next_call(
    procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer")
    pair.connect()
    pair.called.tell("hangup")
    assert pair.caller.wait_for("ended", timeout=2)["code"] == 200
    assert pair.called.wait_for("ended", timeout=2)["call"] == 1
    pair.dial()
    assert pair.called.wait_for("answered", count=2)["call"] == 2
    pair.caller.tell("hangup")
    pair.called.wait_for("ended", count=2, timeout=2)
    pair.heard()


def test_answer_and_reject_by_hand(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    pair = start_pair(procs, ports, tmp_path)
    pair.dial()
    incoming = pair.called.wait_for("incoming")
    assert incoming["from"].startswith("sip:caller@")
    assert pair.caller.wait_for("ringing")["code"] == 180
    pair.called.tell("reject")
    assert pair.caller.wait_for("ended")["code"] == 603
    pair.dial()
    pair.called.wait_for("incoming", count=2)
    pair.called.tell("answer")
    pair.caller.wait_for("answered")
    pair.heard()


def test_a_call_given_up_while_it_rings(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    pair = start_pair(procs, ports, tmp_path)
    pair.dial()
    pair.caller.wait_for("ringing")
    pair.caller.tell("hangup")
    assert pair.called.wait_for("ended")["code"] == 487
    assert pair.caller.wait_for("ended")["code"] == 487
    pair.heard()


def test_hold_and_mute_silence_the_other_side_and_end_again(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer")
    pair.connect()
    talk(pair, 1.0)
    for command, told, back, told_back in (
        ("hold", "held", "resume", "resumed"),
        ("mute", "muted", "unmute", "unmuted"),
    ):
        pair.caller.tell(command)
        pair.caller.wait_for(told)
        talk(pair, 1.6)
        pair.caller.tell(back)
        pair.caller.wait_for(told_back)
        talk(pair, 1.0)
    assert pair.called.wait_for("held")["by"] == "remote"
    at_caller, at_called = pair.heard()
    silent = gaps(
        at_called.between(0.3, at_called.seconds - 0.3), CALLER_HZ, longer_than_ms=1000, expected_dbfs=CALLER_DBFS
    )
    assert len(silent) == 2
    for gap in silent:
        quiet = at_called.between(0.3 + gap.start_s + 0.3, 0.3 + gap.start_s + gap.length_s - 0.3)
        assert rms_dbfs(quiet) < CALLER_DBFS - 60
    # Muting is one-sided; on hold neither hears the other.
    assert (
        len(
            gaps(
                at_caller.between(0.3, at_caller.seconds - 0.3),
                CALLED_HZ,
                longer_than_ms=1000,
                expected_dbfs=CALLED_DBFS,
            )
        )
        == 1
    )


def test_digits_arrive(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer")
    pair.connect()
    talk(pair, 0.5)
    pair.caller.tell("dtmf", digits="1*#D")
    pair.called.wait_for("dtmf", count=4)
    assert "".join(event["digit"] for event in pair.called.events("dtmf")) == "1*#D"
    pair.heard()


def test_a_second_caller_is_busy_and_the_first_call_hears_nothing_of_it(
    procs: Processes, ports: PortPool, tmp_path: Path
) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer")
    pair.connect()
    third = start_phone(procs, ports, "third", "--no-register", "--audio", "tone", "--tone-hz", "700")
    third.wait_for("ready")
    third.tell("dial", uri=f"sip:called@{pair.called.address}")
    assert third.wait_for("ended")["code"] == 486
    assert pair.called.wait_for("refused")["code"] == 486
    talk(pair, 1.0)
    assert third.quit() == 0
    _, at_called = pair.heard()
    assert line_dbfs(at_called.between(0.3, at_called.seconds), 700) < CALLER_DBFS - 60


@pytest.mark.timing
def test_a_wav_file_is_played_in_a_loop(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    prompt, heard = tmp_path / "prompt.wav", tmp_path / "heard.wav"
    write_wav(prompt, Audio(rate=8000, samples=sine(800, seconds=0.5, rate=8000, dbfs=-15)))
    player = start_phone(
        procs, ports, "player", "--no-register", "--audio", "file", "--file", str(prompt), "--auto-answer"
    )
    listener = start_phone(
        procs, ports, "listener", "--no-register", "--audio", "null", "--record-received", str(heard)
    )
    listener.wait_for("ready")
    listener.tell("dial", uri=f"sip:player@{player.address}")
    listener.wait_for("level", count=3)
    assert (listener.quit(), player.quit()) == (0, 0)
    audio = read_wav(heard)
    assert tone_dbfs(audio.between(0.5, 2.0), 800) == pytest.approx(-15, abs=1.0)


@pytest.mark.timing(stall_ms=200)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_call_and_the_phone(
    procs: Processes, ports: PortPool, tmp_path: Path, number: signal.Signals
) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer")
    pair.connect()
    pair.called.process.send_signal(number)
    assert pair.called.process.wait(timeout=6) == 0
    assert pair.called.events()[-1] == {"event": "bye"}
    assert pair.caller.wait_for("ended", timeout=2)["code"] == 200
    assert pair.caller.quit() == 0


def test_the_end_of_input_ends_the_phone(procs: Processes, ports: PortPool) -> None:
    command = [sys.executable, "-m", "softphone", "--headless", "--no-register", "--audio", "null"]
    process = procs.start("no-input", [*command, "--bind", "127.0.0.1", "--local-port", str(ports.one())])
    assert process.wait(timeout=10) == 0
    assert [line for line in process.lines() if '"bye"' in line]


def test_over_tcp(procs: Processes, ports: PortPool) -> None:
    tcp = ("--no-register", "--audio", "null", "--transport", "tcp")
    called = start_phone(procs, ports, "called", *tcp, "--auto-answer")
    caller = start_phone(procs, ports, "caller", *tcp)
    caller.wait_for("ready")
    caller.tell("dial", uri=f"sip:called@{called.address};transport=tcp")
    caller.wait_for("answered")
    caller.tell("hangup")
    assert called.wait_for("ended")["code"] == 200
    assert (caller.quit(), called.quit()) == (0, 0)


def test_bad_input_is_answered_and_the_phone_goes_on(procs: Processes, ports: PortPool) -> None:
    phone = start_phone(procs, ports, "phone", "--no-register", "--audio", "null")
    lines = [
        "nonsense",
        '{"cmd":"fly"}',
        '{"cmd":"answer"}',
        "",
        '{"cmd":"dial","uri":"sip:"}',
        "\udcff\udcfe",
        "x" * 9999,
    ]
    phone.wait_for("ready")
    stdin = phone.process._popen.stdin
    assert stdin is not None
    for line in lines:
        stdin.write(line.encode("utf-8", "surrogateescape") + b"\n")
    stdin.flush()
    phone.wait_for("error", count=len(lines) - 1)
    host, port = phone.address.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for datagram in (b"", b"\0" * 500, b"INVITE sip:x SIP/2.0\r\n\r\n", b"\xff" * 1400, b"SIP/2.0 200 OK\r\n\r\n"):
            stranger.sendto(datagram, (host, int(port)))
    phone.tell("status")
    assert phone.wait_for("status")["call"] is None
    assert phone.quit() == 0


def test_a_port_that_is_taken_is_one_line_and_status_1(procs: Processes, ports: PortPool) -> None:
    port = ports.one()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", port))
        command = [sys.executable, "-m", "softphone", "--headless", "--no-register", "--audio", "null"]
        process = procs.start("late", [*command, "--bind", "127.0.0.1", "--local-port", str(port)])
        assert process.wait(timeout=10) == 1
    message = process.err.read_text()
    assert f"udp port {port}" in message
    assert message.count("\n") == 1


@pytest.mark.timing(stall_ms=200)
def test_a_window_that_dies_takes_the_phone_with_it(procs: Processes, ports: PortPool, tmp_path: Path) -> None:
    pair = start_pair(procs, ports, tmp_path, "--auto-answer")
    pair.connect()
    stdin = pair.called.process._popen.stdin
    assert stdin is not None
    stdin.close()
    wait_until(lambda: not pair.called.process.running, timeout=6, what="the phone ends when its input does")
    assert pair.called.process.returncode == 0
    pair.caller.wait_for("ended", timeout=2)
    assert pair.caller.quit() == 0


def test_on_a_terminal_it_speaks_in_words(ports: PortPool) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "softphone", "--headless", "--no-register", "--audio", "null"]
    command += ["--bind", "127.0.0.1", "--local-port", str(ports.one())]
    with open(ours, "wb", buffering=0) as keyboard:
        with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as phone:
            os.close(theirs)
            keyboard.write(b"Status\nfly\nquit\n")
            said, complaints = phone.communicate(timeout=10)
        assert phone.returncode == 0
    lines = said.decode().splitlines()
    assert lines[0].startswith("ready: address 127.0.0.1:")
    assert lines[1].startswith("status: registration (status off")
    assert lines[2].startswith('error: code command, message unknown command "fly"; allowed: answer,')
    assert lines[3:] == ["bye"]
    assert complaints == b""


def test_a_prompt_that_is_missing_is_one_line_and_status_1(procs: Processes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "softphone", "--headless", "--no-register", "--audio", "file"]
    process = procs.start("no-prompt", [*command, "--file", tmp_path / "gone.wav"])
    assert process.wait(timeout=10) == 1
    assert process.err.read_text().count("\n") == 1
    assert "gone.wav: cannot be read as a 16-bit PCM WAV file" in process.err.read_text()
    assert [event["code"] for event in Phone(process).events("error")] == ["audio_file"]
