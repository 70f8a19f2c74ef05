"""A telephone of pjsua2 (`tests.support.pjsua_agent`) in a process of its own, by commands and what it tells."""

from __future__ import annotations

import sys

from tests.support.live_centre import LiveCentre
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until


class PjsuaPhone:
    """An agent of queue `demo` with such a telephone, registered. `options` are of `pjsua_agent`."""

    def __init__(
        self,
        centre: LiveCentre,
        procs: Processes,
        ports: PortPool,
        name: str,
        *,
        port: int | None = None,
        **options: object,
    ) -> None:
        """`port` is where the engine listens, if not for UDP."""
        centre.add_agent(name, "demo")
        self.name = name
        self._server = f"127.0.0.1:{port or centre.engine.sip_port}"
        self.rtp_ports = ports.block(8, even=True)
        words = [self._server, name, centre.secret_of(name), str(ports.one()), str(self.rtp_ports.start)]
        words += [f"{option}={value}" for option, value in options.items()]
        command = [sys.executable, "-m", "tests.support.pjsua_agent", *words]
        self.process: Process = procs.start(name, command, stdin=True)
        self.told("registered")

    def told(self, line: str) -> None:
        """Return once it has said this, such as `up 0`, `down 0` or `transfer 200`."""

        def said() -> bool:
            assert self.process.running, self.process.tail()
            return line in self.process.out.read_text().splitlines()

        wait_until(said, timeout=15, what=f"{line!r} of {self.name}")

    def call(self, number: str) -> None:
        self.process.send_line(f"call sip:{number}@{self._server}")

    def transfer(self, number: str) -> None:
        """Send the other side of its first call there, blindly."""
        self.process.send_line(f"xfer sip:{number}@{self._server}")

    def join(self) -> None:
        """Transfer the other side of its first call to that of its second (Replaces)."""
        self.process.send_line("join")

    def tell(self, word: str) -> None:
        """Of its latest call: `hold`, `resume`, `rekey` or `hangup`."""
        self.process.send_line(word)

    def quit(self) -> int:
        """End it; its exit status."""
        self.process.send_line("quit")
        return self.process.wait(timeout=10)
