"""Asterisk's app_queue in the signalling benchmark: the configuration of tests/bench/asterisk, in the tests' root."""

from __future__ import annotations

import string
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from engine.media.codecs import encode
from engine.media.commands import Codec
from tests.bench.signalling_load import CALLERS
from tests.bench.signalling_server import QUEUE, RTP_PORTS, agent_names
from tests.support.asterisk import REPOSITORY, Asterisk, AsteriskPorts
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until

_CONFIGURATION: Final = Path(__file__).parent / "asterisk"
_MUSIC: Final = REPOSITORY / "dialplans/sounds/hold-music.wav"
_MODULES: Final = ("app_queue", "cdr_csv")


class _QueueAsterisk(Asterisk):
    """Started without a manager connection, whose events would cost it."""

    def command(self, line: str) -> str:
        """What its console prints to one line."""
        asked = self._procs.start(f"{self.name}-rx", [*self._program, "-rx", line], merge=True)
        asked.wait()
        return asked.text()

    def start(self, *, timeout: float = 30.0) -> None:
        self._process = self._procs.start(self.name, [*self._program, "-f"], merge=True)
        wait_until(
            lambda: "fully booted" in self.command("core waitfullybooted"), timeout=timeout, what=f"{self.name} is up"
        )

    @property
    def _program(self) -> list[str | Path]:
        return ["chroot", self._root, "/usr/sbin/asterisk", "-C", f"{self._inside}/etc/asterisk.conf"]

    @property
    def inside(self) -> str:
        """Its directory, as it sees it."""
        return self._inside

    @property
    def modules(self) -> str:
        """Where its modules are, as it sees it."""
        (directory,) = self._root.glob("usr/lib/*/asterisk/modules")
        return f"/{directory.relative_to(self._root)}"


class AppQueueServer:
    """See the module."""

    name = "app_queue"

    def __init__(self, procs: Processes, ports: PortPool, *, agents: tuple[str, int], count: int) -> None:
        taken = AsteriskPorts(
            sip=ports.one(), manager=ports.one(), rtp=RTP_PORTS, engine=ports.one(), tester=ports.one()
        )
        self._asterisk = _QueueAsterisk(procs, taken, name="app-queue")
        self._agents = agents
        self._count = count

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._asterisk.ports.sip

    @property
    def _cdr_file(self) -> Path:
        return self._asterisk.directory / "log/cdr-csv/Master.csv"

    def start(self) -> None:
        self._asterisk.configure(modules=_MODULES, extra=self._configuration())
        self._cdr_file.parent.mkdir()
        music = self._asterisk.directory / "music"
        music.mkdir()
        (music / "hold-music.ulaw").write_bytes(_music())
        self._asterisk.start()
        members = self._asterisk.command(f"queue show {QUEUE}")
        assert members.count("Not in use") == self._count, members

    @property
    def process(self) -> Process:
        return self._asterisk.process

    def cdrs(self) -> int:
        """Calls, not lines: a caller who was offered to several agents has a line for each."""
        if not self._cdr_file.exists():
            return 0
        callers = {line.rsplit(",", 1)[-1] for line in self._cdr_file.read_text(encoding="utf-8").splitlines()}
        return len(callers)

    def stop(self) -> None:
        self._asterisk.stop()

    def _configuration(self) -> Mapping[str, str]:
        """The shipped files with this run's addresses, and one endpoint, contact and membership an agent."""
        values = {
            "run": self._asterisk.inside,
            "modules": self._asterisk.modules,
            "sip_port": str(self._asterisk.ports.sip),
            "caller_address": CALLERS,
            "music_directory": f"{self._asterisk.inside}/music",
        }
        files = {
            file.name: string.Template(file.read_text(encoding="utf-8")).substitute(values)
            for file in _CONFIGURATION.glob("*.conf")
        }
        names = agent_names(self._count)
        host, port = self._agents
        files["pjsip_agents.conf"] = "\n".join(
            f"[{name}](phone)\naors = {name}\n[{name}]\ntype = aor\ncontact = sip:{name}@{host}:{port}"
            for name in names
        )
        files["queue_members.conf"] = "\n".join(f"member => PJSIP/{name}" for name in names)
        return files


def _music() -> bytes:
    """The engine's music in the callers' codec, so that Asterisk has nothing to transcode."""
    with wave.open(str(_MUSIC)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return encode(samples, Codec.PCMU).tobytes()
