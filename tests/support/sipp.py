"""SIPp, typed: runs a scenario of tests/integration/sipp/ and returns what it counted and what it sent and received."""

from __future__ import annotations

import csv
import itertools
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.leftovers import sockets_on
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until

SCENARIOS = Path(__file__).resolve().parents[1] / "integration/sipp"

TESTER_ADDRESS = "127.0.0.2"
"""Where SIPp stands: another address than 127.0.0.1, which the trunks of Asterisk and of the engine trust."""

Transport = Literal["u1", "t1", "un", "tn"]
"""SIPp's modes: UDP or TCP (u, t), one socket for all calls or one a call (1, n)."""

_MESSAGE_HEAD = re.compile(
    rb"^-{20,} (?P<date>\S+)[ \t]+(?P<time>[\d:.]+)(?:\t\S+)?\n"
    rb"(?P<transport>UDP|TCP|TLS) message (?P<way>sent|received) .*$\n\n",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SippMessage:
    """One SIP message, as SIPp logged it."""

    sent: bool
    """True when SIPp sent it, False when it received it."""
    time: str
    """Local time of day, `hh:mm:ss.ffffff`."""
    text: str
    """The whole message, header lines separated by newlines."""

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]

    def header(self, name: str) -> str | None:
        """The first value of a header, by its long name in any case; None when there is none."""
        match = re.search(rf"^{re.escape(name)}\s*:\s*(.*)$", self.text, re.MULTILINE | re.IGNORECASE)
        return match.group(1).strip() if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SippResult:
    """What one run came to."""

    status: int
    """SIPp's exit status: 0 all calls good, 1 at least one failed, 99 no call was made."""
    created: int
    successful: int
    failed: int
    retransmissions: int
    statistics: Mapping[str, str]
    """The last line of SIPp's statistics by column, such as `ResponseTime1(C)`."""
    messages: Sequence[SippMessage]
    """Empty unless the run was started with `messages=True`."""
    errors: str
    """What SIPp had to complain about."""


class SippRun:
    """A SIPp that runs."""

    def __init__(self, process: Process, directory: Path) -> None:
        self.process = process
        self._directory = directory

    def wait(self, *, timeout: float = 30.0) -> SippResult:
        """The result once all its calls are done; raises `WaitedInVain` after `timeout` seconds."""
        return self._result(self.process.wait(timeout=timeout))

    def stop(self, *, timeout: float = 10.0) -> SippResult:
        """End it, without new calls and after those that run, and return the result."""
        return self._result(self.process.stop(timeout=timeout, with_signal=signal.SIGUSR1))

    def messages(self) -> list[SippMessage]:
        """What went over the wire so far, in order."""
        return read_messages(_read(self._directory / "messages"))

    def _result(self, status: int) -> SippResult:
        statistics = read_statistics(_read(self._directory / "statistics").decode())
        return SippResult(
            status=status,
            created=int(statistics.get("TotalCallCreated", 0)),
            successful=int(statistics.get("SuccessfulCall(C)", 0)),
            failed=int(statistics.get("FailedCall(C)", 0)),
            retransmissions=int(statistics.get("Retransmissions(C)", 0)),
            statistics=statistics,
            messages=self.messages(),
            errors=_read(self._directory / "errors").decode(errors="replace") + self.process.err.read_text(),
        )


class Sipps:
    """Starts SIPp; the runs of one test."""

    def __init__(self, procs: Processes, ports: PortPool, directory: Path) -> None:
        self._procs = procs
        self._ports = ports
        self._directory = directory
        self._numbers = itertools.count(1)

    def start(
        self,
        scenario: str,
        *,
        local: tuple[str, int] | None = None,
        target: tuple[str, int] | None = None,
        service: str = "service",
        calls: int | None = 1,
        rate: float = 1.0,
        concurrent: int | None = None,
        transport: Transport = "u1",
        pause_ms: int = 0,
        rtp_port: int | None = None,
        rtp_echo: bool = False,
        login: tuple[str, str] | None = None,
        keys: Mapping[str, str] | None = None,
        fill: Mapping[str, str] | None = None,
        messages: bool = True,
        options: Sequence[str] = (),
    ) -> SippRun:
        """Start `scenario` (a file name in tests/integration/sipp without `.xml`, or a path) on the address `local`.

        `local` is the address to bind, by default a free port of 127.0.0.2; `target` is where a caller sends to
        and `service` the number it calls. `calls` is how many it makes or takes before it ends (None: until stopped),
        `rate` calls a second, `concurrent` their limit, `pause_ms` how long each `<pause/>` is. `fill` replaces
        `@name@` anywhere in the scenario, `keys` gives values to its own [keywords], `login` is user and password for
        [authentication]. `rtp_port` is the first of four media ports; with `rtp_echo` what arrives there is sent back.
        `options` goes to SIPp as it is.
        """
        number = next(self._numbers)
        directory = self._directory / f"sipp-{number}"
        directory.mkdir(parents=True)
        address, port = local or (TESTER_ADDRESS, self._ports.one())
        rtp_port = rtp_port or self._ports.block(4, even=True).start
        path = Path(scenario) if scenario.endswith(".xml") else SCENARIOS / f"{scenario}.xml"
        text = path.read_text(encoding="utf-8")
        for key, value in (fill or {}).items():
            text = text.replace(f"@{key}@", value)
        (directory / path.name).write_text(text, encoding="utf-8")
        command = ["sipp", "-sf", path.name, "-i", address, "-p", str(port), "-t", transport, "-s", service]
        command += ["-d", str(pause_ms)]
        command += ["-r", f"{rate:g}"] if rate >= 1 else ["-r", "1", "-rp", str(round(1000 / rate))]
        command += ["-nostdin", "-trace_stat", "-stf", str(directory / "statistics"), "-fd", "1"]
        command += ["-trace_err", "-error_file", str(directory / "errors")]
        command += ["-m", str(calls)] if calls is not None else []
        command += ["-l", str(concurrent)] if concurrent is not None else []
        command += ["-trace_msg", "-message_file", str(directory / "messages")] if messages else []
        command += ["-mi", address, "-mp", str(rtp_port)]
        command += ["-rtp_echo"] if rtp_echo else []
        command += ["-au", login[0], "-ap", login[1]] if login is not None else []
        for key, value in (keys or {}).items():
            command += ["-key", key, value]
        command += [*options, *([f"{target[0]}:{target[1]}"] if target is not None else [])]
        run = SippRun(self._procs.start(f"sipp-{path.stem}", command, cwd=directory), directory)
        if target is None:
            # Whoever calls it next must find it; an INVITE that comes too early is refused by the kernel.
            what = f"SIPp to listen at {address}:{port}"
            wait_until(lambda: not run.process.running or bool(sockets_on([port])), timeout=10, what=what)
        return run


def built_in(name: str, changes: Mapping[str, str] | None = None) -> str:
    """A scenario that SIPp brings with it, with these texts in it replaced. Raises ValueError where one is absent."""
    text = subprocess.run(["sipp", "-sd", name], capture_output=True, text=True, check=False).stdout
    for old, new in (changes or {}).items():
        if old not in text:
            raise ValueError(f"SIPp's {name} has no {old!r}")
        text = text.replace(old, new)
    return text


def read_statistics(text: str) -> dict[str, str]:
    """The last line of a SIPp statistics file, by column name."""
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    return dict(zip(rows[0], rows[-1], strict=False)) if len(rows) > 1 else {}


def read_messages(log: bytes) -> list[SippMessage]:
    """The messages of a SIPp message log."""
    heads = list(_MESSAGE_HEAD.finditer(log))
    ends = [*(head.start() for head in heads[1:]), len(log)][: len(heads)]
    return [
        SippMessage(
            sent=head["way"] == b"sent",
            time=head["time"].decode(),
            text=log[head.end() : end].decode(errors="replace").replace("\r\n", "\n").strip("\n"),
        )
        for head, end in zip(heads, ends, strict=True)
    ]


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
