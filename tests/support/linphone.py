"""linphonec: a telephone of another make, told by its standard input. In place of a sound card it has files: it says a
sine tone and records what it hears. Every second it sends a CRLFCRLF (RFC 5626 3.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, WaitedInVain, wait_until
from tests.support.tones import Audio, from_pcm16, read_wav, sine, tone_dbfs, write_wav

_CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port={port}
sip_tls_port={tls}
verify_server_certs=1
verify_server_cn=1
keepalive_period=1000
guess_hostname=0
use_ipv6=0
[net]
firewall_policy=0
[rtp]
audio_rtp_port={rtp}
[sound]
echocancellation=0
[video]
enabled=0
"""


class Linphone:
    """One telephone."""

    def __init__(
        self,
        procs: Processes,
        ports: PortPool,
        directory: Path,
        user: str,
        *,
        tone: int,
        ca: Path | None = None,
        sip: Sequence[str] = (),
    ) -> None:
        """`ca` holds who may vouch for a server by TLS; without, it believes none. `sip` are further settings of that
        section, such as `media_encryption=srtp`."""
        directory.mkdir(parents=True)
        self._directory, self._user = directory, user
        self.rtp_ports = ports.block(2, even=True)
        config = _CONFIG.format(port=ports.one(), tls=ports.one(), rtp=self.rtp_ports.start)
        further = [*sip, *([] if ca is None else [f"root_ca={ca}"])]
        config = config.replace("[sip]\n", "".join(f"{line}\n" for line in ("[sip]", *further)))
        (directory / "linphonerc").write_text(config, encoding="utf-8")
        write_wav(directory / "said.wav", Audio(rate=8000, samples=sine(tone, seconds=20)))
        # Without the directory of its database it never takes the network for being up.
        (directory / ".local/share/linphone").mkdir(parents=True)
        home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory / ".local/share")}
        command = ["linphonec", "-c", str(directory / "linphonerc")]
        self.process: Process = procs.start(f"linphonec-{user}", command, env=home, stdin=True, merge=True)
        self.wait_for("linphonec>")
        self.tell("soundcard use files")

    def tell(self, command: str) -> None:
        """Give a command of linphonec's own."""
        self.process.send_line(command)

    def register(self, server: str, password: str) -> None:
        """At host:port, perhaps with `;transport=tcp`. It says nothing of how that went."""
        host = server.partition(":")[0]
        self.tell(f"register sip:{self._user}@{host} sip:{server} {password}")

    def speak(self) -> None:
        """Within a call: say the tone, and record anew."""
        (self._directory / "heard.wav").unlink(missing_ok=True)
        self.tell(f"record {self._directory / 'heard.wav'}")
        self.tell(f"play {self._directory / 'said.wav'}")

    def recorded(self) -> int:
        """Bytes of the recording so far."""
        path = self._directory / "heard.wav"
        return path.stat().st_size if path.exists() else 0

    def hear_itself(self, tone: int) -> None:
        """Within an echo test: speak, and return once there is half a second of our own tone at the recording's end.
        What linphone is told before its stream has begun it forgets, and each file but the first that it opens stays
        mute every other time (its packets are silence then): so it is told again."""
        path = self._directory / "heard.wav"

        def there() -> bool:
            sound = from_pcm16(path.read_bytes()[44:]) if self.recorded() > 10_000 else np.zeros(0)
            return tone_dbfs(Audio(rate=8000, samples=sound[-4000:]), tone) > -30

        for _ in range(15):
            self.speak()
            with suppress(WaitedInVain):
                wait_until(there, timeout=1.5, what="an echo")
                return
        raise WaitedInVain(f"no {tone} Hz in {path}")

    def heard(self) -> Audio:
        """The recording of the last call, once that is over."""
        return read_wav(self._directory / "heard.wav")

    def wait_for(self, *words: str, timeout: float = 15.0) -> None:
        """Return once it has said all of these."""

        def said() -> bool:
            return all(word in self.process.text() for word in words)

        wait_until(said, timeout=timeout, what=f"linphonec to say {' '.join(words)}")

    def quit(self) -> int:
        self.tell("quit")
        return self.process.wait(timeout=15)
