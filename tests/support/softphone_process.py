"""Real softphones for integration tests: started headless, told what to do in JSON, asked what they saw."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, WaitedInVain, wait_until


class PhoneCrashed(Exception):
    """A phone died of a signal. No assertion of a test, so that no stall of the machine excuses it."""


class Phone:
    """One `python -m softphone --headless` process."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def tell(self, command: str, **fields: str) -> None:
        """Give a command."""
        self.process.send_line(json.dumps({"cmd": command, **fields}))

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """Everything it has said so far, or its events of one name. Each line has to be JSON."""
        text = self.process.out.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        said = [json.loads(line) for line in whole.splitlines()]
        return [event for event in said if name is None or event["event"] == name]

    def wait_for(self, name: str, *, timeout: float = 20.0, count: int = 1) -> dict[str, Any]:
        """Return the `count`th event of that name, waiting for it."""
        with contextlib.suppress(WaitedInVain):
            wait_until(lambda: len(self.events(name)) >= count or not self.process.running, timeout=timeout, what=name)
        found = self.events(name)
        if len(found) < count:
            raise WaitedInVain(f"{self.process.name}: no {name!r} in {timeout:g} s; it said:\n{self.process.tail()}")
        return found[count - 1]

    @property
    def address(self) -> str:
        """host:port where it listens for SIP."""
        return str(self.wait_for("ready")["address"])

    def quit(self, *, timeout: float = 6.0) -> int:
        """Ask it to end and return its exit status."""
        self.tell("quit")
        status = self.process.wait(timeout=timeout)
        if status < 0:
            raise PhoneCrashed(
                f"{self.process.name} was ended by {signal.Signals(-status).name}; it said:\n{self.process.tail()}"
            )
        return status


def start_phone(
    procs: Processes, ports: PortPool, name: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Phone:
    """Start a phone on loopback ports of its own; `arguments` say the rest (server and user, or --no-register)."""
    command = [
        sys.executable,
        *("-m", "softphone", "--headless", "--bind", "127.0.0.1"),
        *("--local-port", str(ports.one())),
        *("--rtp-port", str(ports.block(8, even=True).start)),
        *arguments,
    ]
    return Phone(procs.start(name, command, env=env, stdin=True))
