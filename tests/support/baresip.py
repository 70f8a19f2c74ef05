"""baresip, headless: a telephone of another make. It says what it hears, so that who calls it hears himself through it
both ways; or, with a tone, it says that and records what it hears. It is told what to do over its control connection
(module ctrl_tcp: JSON in netstrings)."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until
from tests.support.tones import Audio, read_wav, sine, write_wav

MODULES = Path("/usr/lib/baresip/modules")

_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
audio_source {source}
audio_player {player}
audio_alert aubridge,nobody
ringback_disabled yes
audio_level no
rtp_ports {rtp_first}-{rtp_last}
net_interface {host}
{ca}
ctrl_tcp_listen 127.0.0.1:{control}
module_path {modules}
{loads}
module_tmp uuid.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
"""
_LOADS = """\
module g711.so
module g722.so
module aubridge.so
module srtp.so"""


class Baresip:
    """One telephone. `account` are further parameters of its account, such as `;outbound="sip:...;lr"`."""

    def __init__(
        self,
        procs: Processes,
        ports: PortPool,
        directory: Path,
        user: str,
        server: str,
        *,
        password: str = "",
        host: str = "127.0.0.1",
        transport: str = "udp",
        account: str = "",
        ca: Path | None = None,
        tone: int | None = None,
    ) -> None:
        """`server` is host:port. With `password` it registers; without, it calls from its address alone. `ca` holds who
        may vouch for the server by TLS. It can do SRTP with keys in SDP (`;mediaenc=srtp-mand` says that it must)."""
        directory.mkdir(parents=True)
        self._server, self._directory = server, directory
        control = ports.one()
        rtp = ports.block(8, even=True)
        self.rtp_ports = rtp
        values = {"host": host, "port": ports.block(2).start, "modules": MODULES}
        values |= {"source": "aubridge,mirror", "player": "aubridge,mirror", "loads": _LOADS}
        if tone is not None:
            write_wav(directory / "said.wav", Audio(rate=8000, samples=sine(tone, seconds=60)))
            values |= {"source": f"aufile,{directory}/said.wav", "player": "aubridge,nobody"}
            values["loads"] = f"{_LOADS}\nmodule aufile.so\nmodule sndfile.so\nsnd_path {directory}"
        values["ca"] = "" if ca is None else f"sip_cafile {ca}"
        config = _CONFIG.format(**values, control=control, rtp_first=rtp.start, rtp_last=rtp.stop - 1)
        (directory / "config").write_text(config, encoding="utf-8")
        registering = f";auth_pass={password};regint=60" if password else ";regint=0"
        line = f"<sip:{user}@{server};transport={transport}>{registering};audio_codecs=PCMU/8000/1{account}\n"
        (directory / "accounts").write_text(line, encoding="utf-8")
        (directory / "contacts").write_text("", encoding="utf-8")
        self.process: Process = procs.start(f"baresip-{user}", ["baresip", "-4", "-f", str(directory)], merge=True)
        self._socket = self._connect(control)
        self._buffer = b""
        self._heard: list[dict[str, Any]] = []

    def tell(self, command: str, parameters: str = "") -> None:
        """Give a command, such as ("dial", "sip:601@127.0.0.1:5080") or ("hangup", "")."""
        text = json.dumps({"command": command, "params": parameters}).encode()
        self._socket.sendall(str(len(text)).encode() + b":" + text + b",")

    def dial(self, number: str) -> None:
        self.tell("dial", f"sip:{number}@{self._server}")

    def events(self, type_: str | None = None) -> list[dict[str, Any]]:
        """What it said of itself so far, such as REGISTER_OK, CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED."""
        with suppress(BlockingIOError):
            while data := self._socket.recv(65536):
                self._buffer += data
        while (colon := self._buffer.find(b":")) > 0:
            end = colon + 1 + int(self._buffer[:colon])
            if len(self._buffer) <= end:
                break
            self._heard.append(json.loads(self._buffer[colon + 1 : end]))
            self._buffer = self._buffer[end + 1 :]
        events = [each for each in self._heard if each.get("event")]
        return [each for each in events if type_ in (None, each["type"])]

    def wait_for(self, type_: str, *, count: int = 1, timeout: float = 10.0) -> dict[str, Any]:
        """Return the `count`th event of that type."""
        what = f"{type_} of baresip; it said {[each['type'] for each in self.events()]}\n{self.process.tail()}"
        wait_until(lambda: len(self.events(type_)) >= count, timeout=timeout, what=what)
        return self.events(type_)[count - 1]

    def heard(self, call: int = -1) -> Audio:
        """What it heard in that of its calls that are over, the last by default; of a phone with a tone."""
        return read_wav(sorted(self._directory.glob("dump-*-dec.wav"))[call])

    def quit(self) -> int:
        """End it, which takes leave of the registrar first; its exit status."""
        self._socket.close()
        return self.process.stop(timeout=8)

    def _connect(self, port: int) -> socket.socket:
        made: list[socket.socket] = []

        def connected() -> bool:
            assert self.process.running, self.process.tail()
            with suppress(OSError):
                made.append(socket.create_connection(("127.0.0.1", port), timeout=2))
            return bool(made)

        wait_until(connected, timeout=10, what="baresip's control connection")
        made[0].setblocking(False)
        return made[0]
