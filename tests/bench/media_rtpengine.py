"""rtpengine in userspace with the calls of a load, set up by its NG protocol: bencoded dictionaries over UDP, an SDP
offer and an SDP answer for each call."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path as File
from typing import Any

import psutil

from engine.media.commands import Codec
from tests.bench.media_keys import fresh_key
from tests.bench.media_paths import Bridged, Load, Path
from tests.bench.media_traffic import End, Keys
from tests.support.ports import PortPool
from tests.support.procs import Processes

ADDRESS = "127.0.0.2"


class RtpengineError(Exception):
    """It refused a call."""


def bencode(value: Any) -> bytes:
    """What NG speaks: strings, lists and dictionaries."""
    match value:
        case str():
            return bencode(value.encode())
        case bytes():
            return b"%d:%s" % (len(value), value)
        case list():
            return b"l" + b"".join(map(bencode, value)) + b"e"
        case dict():
            return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    raise TypeError(f"cannot bencode {value!r}")


class Ng:
    """The control connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(0.5)
        self._numbers = count(1)

    def ask(self, command: str, **fields: Any) -> str:
        """The answer, as it came. Raises RtpengineError."""
        cookie = b"bench%d " % next(self._numbers)
        request = cookie + bencode({"command": command} | {name.replace("_", "-"): v for name, v in fields.items()})
        for _ in range(20):
            try:
                self._socket.send(request)
                answer = self._socket.recv(65536)
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.1)
                continue
            if answer.startswith(cookie):
                text = answer.decode()
                if "5:error" in text:
                    raise RtpengineError(text)
                return text
        raise RtpengineError(f"no answer to {command}")

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    port: int
    codec: Codec = Codec.PCMU
    keys: Keys | None = None

    def sdp(self) -> str:
        number = 0 if self.codec is Codec.PCMU else 8
        crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{self.keys.ours}\r\n" if self.keys else ""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {ADDRESS}\r\ns=-\r\nc=IN IP4 {ADDRESS}\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/{'SAVP' if crypto else 'AVP'} {number}\r\n"
            f"a=rtpmap:{number} {self.codec}/8000\r\na=ptime:20\r\na=sendrecv\r\n{crypto}"
        )

    def end(self, said: str) -> End:
        """This side's far end, when rtpengine has said where it listens for it."""
        port = re.search(r"m=audio (\d+) ", said)
        assert port is not None, said
        keys = self.keys
        if keys is not None:
            key = re.search(r"a=crypto:\S+ \S+ inline:([^|\s]+)", said)
            assert key is not None, said
            keys = replace(keys, theirs=key[1])
        return End(port=self.port, peer=("127.0.0.1", int(port[1])), codec=self.codec, srtp=keys)


def _call(ng: Ng, number: int, path: Path, ports: PortPool) -> list[End]:
    keys = Keys(ours=fresh_key(), theirs="") if path is Path.SRTP else None
    caller = _Side(port=ports.one(), keys=keys)
    called = _Side(port=ports.one(), codec=Codec.PCMA if path is Path.TRANSCODED else Codec.PCMU)
    wishes: dict[str, Any] = {"ICE": "remove", "flags": ["no-rtcp-attribute"]}
    if path is Path.TRANSCODED:
        wishes["codec"] = {"mask": ["PCMU"], "transcode": ["PCMA"]}
    names = {"call_id": f"call{number}", "from_tag": "a"}
    offered = ng.ask("offer", sdp=caller.sdp(), transport_protocol="RTP/AVP", **names, **wishes)
    answered = ng.ask("answer", sdp=called.sdp(), to_tag="b", **names, ICE="remove")
    return [caller.end(answered), called.end(offered)]


@contextmanager
def rtpengine(procs: Processes, ports: PortPool, directory: File, load: Load) -> Iterator[Bridged]:
    """Debian's rtpengine without its kernel module, one process with as many threads as it wants."""
    control = ports.one()
    block = ports.block(4 * load.calls + 64, even=True)
    daemon = procs.start(
        "rtpengine",
        [
            *("rtpengine", "--foreground", "--log-stderr", "--log-level=3", "--table=-1", "--interface=127.0.0.1"),
            *(f"--listen-ng=127.0.0.1:{control}", f"--port-min={block[0]}", f"--port-max={block[-1]}"),
            *("--config-file=none", f"--pidfile={directory / 'rtpengine.pid'}"),
        ],
    )
    ng = Ng(control)
    try:
        ng.ask("ping")
        process = psutil.Process(daemon.pid)
        before = process.memory_info().rss
        ends = [end for number in range(load.calls) for end in _call(ng, number, load.path, ports)]
        added = (process.memory_info().rss - before) / len(ends)
        yield Bridged(process=process, address=ADDRESS, ends=ends, rss_per_leg=added)
    finally:
        ng.close()
        daemon.stop()


@contextmanager
def floor(procs: Processes, ports: PortPool, directory: File, load: Load) -> Iterator[Bridged]:
    """`media_floor`: what receiving and sending alone cost."""
    block = ports.block(4 * load.calls)
    ways = list(zip(block[::2], block[1::2], strict=True))
    ends = [End(port=far, peer=("127.0.0.1", near)) for near, far in ways]
    pairs = [f"{near}:{far}" for near, far in ways]
    daemon = procs.start("floor", [sys.executable, "-m", "tests.bench.media_floor", ADDRESS, "0.001", *pairs])
    daemon.wait_for_line("ready")
    try:
        yield Bridged(process=psutil.Process(daemon.pid), address=ADDRESS, ends=ends, rss_per_leg=0.0)
    finally:
        daemon.stop()
