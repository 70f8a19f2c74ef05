"""A real Asterisk 22 on loopback ports, with the trunk and the dialplan that operators use.

It runs by `chroot` in the root directory that `make system-deps` made. Everything of one instance (configuration,
control socket, recordings, logs) is one directory inside that root, so nothing has to be mounted; stopping removes it.
The shipped files go in unchanged; `pjsip_hearthline_local.conf`, which is there for that, gets this run's addresses.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from tests.support.ami import Ami, AmiError, AmiEvent
from tests.support.asterisk_modules import MODULES
from tests.support.parts import asterisk_root
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, WaitedInVain, wait_until
from tests.support.tones import Audio, read_wav

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).resolve().parent / "asterisk_etc"
TRUNK = REPOSITORY / "config/asterisk/pjsip_hearthline.conf"
TRUNK_LOCAL = REPOSITORY / "config/asterisk/pjsip_hearthline_local.conf"
DIALPLAN = REPOSITORY / "dialplans/asterisk/extensions_hearthline.conf"

_SECRET = "loopback-only"
_RUNS = "run/hearthline-tests"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskPorts:
    """Where one Asterisk listens, all on 127.0.0.1, and where it sends calls."""

    sip: int
    manager: int
    rtp: range
    engine: int
    """UDP port of the engine, the trunk's other end."""
    tester: int
    """UDP port on 127.0.0.2 where calls to PJSIP/tester go."""


def local_trunk(shipped: str, ports: AsteriskPorts) -> str:
    """The shipped pjsip_hearthline_local.conf with this run's addresses in the place of the default ones."""
    for default, here in (
        ("contact = sip:127.0.0.1:5080\n", f"contact = sip:127.0.0.1:{ports.engine}\n"),
        ("match = 127.0.0.1:5080\n", f"match = 127.0.0.1:{ports.engine}\n"),
        ("bind = 0.0.0.0:5060\n", f"bind = 127.0.0.1:{ports.sip}\n"),
    ):
        if shipped.count(default) != 1:
            raise ValueError(f"{TRUNK_LOCAL.name} has no line {default.strip()!r}")
        shipped = shipped.replace(default, here)
    return shipped


@dataclass(slots=True, kw_only=True)
class PlacedCall:
    """A call that Asterisk placed and on which a `probe` extension plays and records."""

    asterisk: Asterisk
    channel_id: str
    recording: Path
    """Without ending; `-heard.wav` is what came from the far end, `-said.wav` what went there, from the answer on."""
    first_event: int

    def wait_answered(self, *, timeout: float = 20.0) -> AmiEvent:
        """The event of success. Raises `AmiError` with the reason when refused, `WaitedInVain` when late."""
        event = self.asterisk.ami.wait_for(
            "OriginateResponse", timeout=timeout, since=self.first_event, ActionID=self.channel_id
        )
        if event.fields["Response"] != "Success":
            raise AmiError(f"call was not answered, reason {event.fields.get('Reason')}")
        return event

    def wait_ended(self, *, timeout: float = 20.0) -> AmiEvent:
        """The channel's Hangup event, with `Cause` (Q.850) and `at`."""
        return self.asterisk.ami.wait_for("Hangup", timeout=timeout, since=self.first_event, Uniqueid=self.channel_id)

    def hang_up(self, *, timeout: float = 20.0) -> AmiEvent:
        """End it from Asterisk's side and wait until it has ended."""
        with contextlib.suppress(AmiError):  # it may have ended by itself in this moment
            self.asterisk.ami.act("Hangup", {"Channel": self.channel_name(), "Cause": "16"})
        return self.wait_ended(timeout=timeout)

    def channel_name(self) -> str:
        event = self.asterisk.ami.wait_for("Newchannel", since=self.first_event, Uniqueid=self.channel_id)
        return event.fields["Channel"]

    def heard(self) -> Audio:
        """After the end: what came from the far end."""
        return self._read("heard")

    def said(self) -> Audio:
        """After the end: what was sent to the far end, in step with `heard`."""
        return self._read("said")

    def _read(self, which: str) -> Audio:
        path = self.recording.with_name(f"{self.recording.name}-{which}.wav")
        # MixMonitor writes in a thread of its own, which ends a little after the call.
        wait_until(lambda: path.exists() and not self.asterisk.has_open(path.name), timeout=5, what=f"end of {path}")
        return read_wav(path)


class Asterisk:
    """One instance; `Asterisks.start` makes it."""

    def __init__(self, procs: Processes, ports: AsteriskPorts, *, name: str) -> None:
        self.name = name
        self.ports = ports
        self._procs = procs
        self._root = asterisk_root()
        self._inside = f"/{_RUNS}/{os.getpid()}-{next(_numbers)}-{name}"
        self.directory = self._root / self._inside.lstrip("/")
        """This instance's directory, seen from outside."""
        self._process: Process | None = None
        self._ami: Ami | None = None
        self._calls = itertools.count(1)

    @property
    def ami(self) -> Ami:
        assert self._ami is not None, "Asterisk is not running"
        return self._ami

    @property
    def process(self) -> Process:
        assert self._process is not None, "Asterisk is not running"
        return self._process

    @property
    def root(self) -> Path:
        """What it takes for `/`."""
        return self._root

    @property
    def etc(self) -> Path:
        """Its configuration directory, seen from outside."""
        return self.directory / "etc"

    def __enter__(self) -> Asterisk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def configure(self, *, modules: Sequence[str] = (), extra: Mapping[str, str] | None = None) -> None:
        """Write the configuration directory; `extra` adds or replaces files by name."""
        _remove_stale_runs(self._root / _RUNS)
        for part in ("etc", "db", "spool/monitor", "run", "log", "cache", "recordings"):
            (self.directory / part).mkdir(parents=True)
        (module_directory,) = self._root.glob("usr/lib/*/asterisk/modules")
        values = {
            "run": self._inside,
            "modules": f"/{module_directory.relative_to(self._root)}",
            "name": self.name,
            "tester_port": str(self.ports.tester),
            "rtp_first": str(self.ports.rtp.start),
            "rtp_last": str(self.ports.rtp.stop - 1),
            "manager_port": str(self.ports.manager),
            "manager_secret": _SECRET,
            "loads": "\n".join(f"load = {module}.so" for module in (*MODULES, *modules)),
        }
        for template in TEMPLATES.glob("*.conf"):
            text = string.Template(template.read_text(encoding="utf-8")).substitute(values)
            (self.etc / template.name).write_text(text, encoding="utf-8")
        for shipped in (TRUNK, DIALPLAN):
            shutil.copy(shipped, self.etc / shipped.name)
        local = local_trunk(TRUNK_LOCAL.read_text(encoding="utf-8"), self.ports)
        (self.etc / TRUNK_LOCAL.name).write_text(local, encoding="utf-8")
        for name, text in (extra or {}).items():
            (self.etc / name).write_text(text, encoding="utf-8")

    def start(self, *, timeout: float = 20.0) -> None:
        """Start it and return once it takes calls."""
        arguments = ("/usr/sbin/asterisk", "-f", "-C", f"{self._inside}/etc/asterisk.conf")
        self._process = self._procs.start(self.name, ["chroot", self._root, *arguments], merge=True)
        process = self._process

        def connected() -> bool:
            if not process.running:
                raise WaitedInVain(f"Asterisk ended with {process.returncode}:\n{self.log()[-4000:]}")
            try:
                self._ami = Ami(self.ports.manager, secret=_SECRET)
            except OSError:
                return False
            return True

        wait_until(connected, timeout=timeout, what="Asterisk's manager interface")
        self.ami.wait_for("FullyBooted", timeout=timeout)

    def stop(self) -> None:
        """End it, and remove its directory. Harmless when it has ended."""
        if self._ami is not None:
            self._ami.close()
            self._ami = None
        try:
            if self._process is not None:
                self._process.stop(timeout=10)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """Everything it has logged, with the steps of the dialplan."""
        full = self.directory / "log/full"
        text = full.read_text(encoding="utf-8", errors="replace") if full.exists() else ""
        return text or (self._process.text() if self._process is not None else "")

    def originate(
        self,
        channel: str,
        *,
        exten: str = "tone",
        context: str = "probe",
        variables: Mapping[str, str] | None = None,
        caller_id: str = "Caller <5551000>",
        ring_timeout_s: float = 60.0,
    ) -> PlacedCall:
        """Call `channel` (`PJSIP/600@hearthline`, or `Local/6000@to-hearthline/n` to go through the dialplan).

        Once answered, `exten` of `context` runs on it: `tone` plays 1004 Hz at 0 dBm0, `silence` nothing, `playtones`
        the variable PROBE_TONE ("440" or "700/1000,!0/500", see Asterisk's indications.conf); all three record.
        """
        channel_id = f"call-{next(self._calls)}"
        recording = f"{self._inside}/recordings/{channel_id}"
        first_event = len(self.ami.drain())
        fields: dict[str, str] = {
            "Channel": channel,
            "Context": context,
            "Exten": exten,
            "Priority": "1",
            "CallerID": caller_id,
            "Timeout": str(round(ring_timeout_s * 1000)),
            "Async": "true",
            "ChannelId": channel_id,
        }
        if channel.startswith("Local/"):
            fields["OtherChannelId"] = f"{channel_id}-far"
        probe = {"PROBE_FILE": recording, **(variables or {})}
        self.ami.act("Originate", fields, action_id=channel_id, variables=probe)
        outside = self._root / recording.lstrip("/")
        return PlacedCall(asterisk=self, channel_id=channel_id, recording=outside, first_event=first_event)

    def channels(self) -> list[str]:
        """Names of the channels there are."""
        return [line.split("!", 1)[0] for line in self.channel_lines()]

    def channel_lines(self) -> list[str]:
        """One line a channel: its name, context, number, priority, state, application and more, with "!" between."""
        return [line for line in self.ami.command("core show channels concise").splitlines() if "!" in line]

    def wait_for_trunk(self, *, up: bool = True, timeout: float = 20.0) -> None:
        """Return once Asterisk has found that the engine answers its OPTIONS, or with `up=False` that it does not.

        Start the engine first. Asterisk's own first OPTIONS goes out at a moment of chance within 15 s of its start,
        and one that nobody heard takes the trunk down three seconds later, though a later one was answered.
        """
        self.ami.act("PJSIPQualify", {"Endpoint": "hearthline"})  # at once, not at that moment of chance
        wanted = " Avail " if up else " Unavail "

        def found() -> bool:
            contacts = self.ami.command("pjsip show contacts").splitlines()
            return any("hearthline/" in line and wanted in line for line in contacts)

        wait_until(found, timeout=timeout, what=f"a trunk that is {wanted.strip()}")

    def has_open(self, file_name: str) -> bool:
        """Whether Asterisk still has a file of that name open."""
        return any(Path(target).name == file_name for target in _open_files(self.process.pid))


def _open_files(pid: int) -> Iterator[str]:
    directory = Path(f"/proc/{pid}/fd")
    for descriptor in directory.iterdir() if directory.exists() else ():
        with contextlib.suppress(FileNotFoundError):  # closed in this moment
            yield os.readlink(descriptor)


def _remove_stale_runs(runs: Path) -> None:
    """Directories of test runs that were killed before they could remove them."""
    for directory in runs.glob("*-*-*"):
        owner = directory.name.split("-", 1)[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(directory, ignore_errors=True)


class Asterisks:
    """The instances of one test; leaving the context stops them all."""

    def __init__(self, procs: Processes, ports: PortPool) -> None:
        self._procs = procs
        self._ports = ports
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Asterisks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def start(
        self,
        *,
        engine_port: int,
        name: str = "asterisk",
        sip_port: int | None = None,
        tester_port: int | None = None,
        rtp_ports: int = 64,
        modules: Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
    ) -> Asterisk:
        """Configure and start an Asterisk whose trunk `hearthline` leads to 127.0.0.1:`engine_port`.

        `extra` maps file names to contents: `extensions_extra.conf` and `pjsip_extra.conf` are included at the end of
        theirs, any other name adds or replaces a file. A call needs two RTP ports a leg.
        """
        ports = AsteriskPorts(
            sip=sip_port or self._ports.one(),
            manager=self._ports.one(),
            rtp=self._ports.block(rtp_ports, even=True),
            engine=engine_port,
            tester=tester_port or self._ports.one(),
        )
        asterisk = self._running.enter_context(Asterisk(self._procs, ports, name=name))
        asterisk.configure(modules=modules, extra=extra)
        asterisk.start()
        return asterisk
