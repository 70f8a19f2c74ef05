"""A PulseAudio of its own with null sinks: a sound card without hardware, whose every end can be played and recorded.

A null sink has a monitor, the source that repeats what is played into it. So a telephone whose speaker is the sink
`ear` and whose microphone is `mouth.monitor` is heard by recording `ear`, and spoken to by playing into `mouth`.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.support.procs import Process, Processes, WaitedInVain, wait_until
from tests.support.tones import Audio, Samples, from_pcm16, to_pcm16

RATE = 48_000
"""Samples a second of the sinks, one channel."""


class Recording:
    """What a sink plays, from now on."""

    def __init__(self, process: Process, *, rate: int) -> None:
        self._process = process
        self._rate = rate

    def so_far(self) -> Audio:
        """What has been recorded by now."""
        return Audio(rate=self._rate, samples=from_pcm16(self._process.out.read_bytes()))

    def stop(self) -> Audio:
        """End the recording and return all of it."""
        self._process.stop(with_signal=signal.SIGINT)
        return self.so_far()


class Playback:
    """A sound that is being played into a sink."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def wait(self, *, timeout: float = 60.0) -> None:
        """Return when it has been played to its end."""
        status = self._process.wait(timeout=timeout)
        if status != 0:
            raise WaitedInVain(f"pacat ended with {status}: {self._process.tail()}")

    def stop(self) -> None:
        """Fall silent now."""
        self._process.stop()


class Pulse:
    """One PulseAudio server; use it as a context manager."""

    def __init__(self, procs: Processes, sinks: Sequence[str], *, rate: int = RATE) -> None:
        self._procs = procs
        self._sinks = tuple(sinks)
        self._rate = rate
        self._process: Process | None = None
        self._numbers = itertools.count(1)
        self._cleanup = ExitStack()
        # A Unix socket's path holds about 100 characters, which pytest's temporary directories can exceed.
        self.directory = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="hearthline-pulse-")))

    @property
    def env(self) -> dict[str, str]:
        """Environment that makes a program use this server and no other."""
        return {
            "PULSE_SERVER": f"unix:{self.directory}/native",
            "PULSE_RUNTIME_PATH": str(self.directory),
            "XDG_RUNTIME_DIR": str(self.directory),
            "PULSE_COOKIE": str(self.directory / "cookie"),
        }

    def env_for(self, *, speaker: str, microphone: str) -> dict[str, str]:
        """Environment for a telephone that plays into the sink `speaker` and hears what is played into `microphone`."""
        return {**self.env, "PULSE_SINK": speaker, "PULSE_SOURCE": f"{microphone}.monitor"}

    def __enter__(self) -> Pulse:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, timeout: float = 10.0) -> None:
        """Start the server and return when it answers."""
        loads = [f"--load=module-native-protocol-unix auth-anonymous=1 socket={self.directory}/native"]
        # Without rewinds a sink moves in steps of 50 ms; with them it would sleep for 2 s before a recording begins.
        loads += [
            f"--load=module-null-sink sink_name={name} rate={self._rate} channels=1 norewinds=1" for name in self._sinks
        ]
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--system=false"]
        command += ["--realtime=no", "--use-pid-file=no", "--disable-shm=yes", *loads]
        self._process = self._procs.start("pulseaudio", command, env=self.env, merge=True)
        process = self._process

        def ready() -> bool:
            if not process.running:
                raise WaitedInVain(f"PulseAudio ended with {process.returncode}:\n{process.tail()}")
            listing = self.control("list", "short", "sinks")
            return all(f"\t{name}\t" in listing for name in self._sinks)

        wait_until(ready, timeout=timeout, what="PulseAudio's sinks")

    def stop(self) -> None:
        """End the server. Harmless when it has ended."""
        try:
            if self._process is not None:
                self._process.stop()
        finally:
            self._cleanup.close()

    def control(self, *arguments: str) -> str:
        """What `pactl` prints for these arguments; empty when the server does not answer."""
        done = subprocess.run(
            ["pactl", *arguments],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
        return done.stdout

    def play(self, sink: str, samples: Samples) -> Playback:
        """Play `samples` (at this server's rate) into `sink`."""
        path = self.directory / f"{next(self._numbers)}-{sink}.raw"
        path.write_bytes(to_pcm16(samples))
        command = ["pacat", "--playback", f"--device={sink}", *self._format(latency_ms=200), str(path)]
        return Playback(self._procs.start(f"pacat-{sink}", command, env=self.env))

    def record(self, sink: str, *, timeout: float = 10.0) -> Recording:
        """Record what is played into `sink`; returns when the recording runs."""
        command = ["parec", f"--device={sink}.monitor", *self._format(latency_ms=20)]
        process = self._procs.start(f"parec-{sink}", command, env=self.env)
        wait_until(lambda: process.out.stat().st_size > 0, timeout=timeout, what=f"a recording of {sink}")
        return Recording(process, rate=self._rate)

    def _format(self, *, latency_ms: int) -> list[str]:
        # Playing has time: its onset is found in a recording. Recording is cut off at its end by what is under way.
        return ["--raw", "--format=s16le", f"--rate={self._rate}", "--channels=1", f"--latency-msec={latency_ms}"]
