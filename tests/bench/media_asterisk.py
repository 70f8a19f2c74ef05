"""Asterisk 22 with the calls of a load, set up by SIP. Its configuration is that of the integration tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path as File

import psutil

from engine.media.commands import Codec
from tests.bench.media_keys import fresh_key
from tests.bench.media_paths import MUSIC, Bridged, Load, Path
from tests.bench.media_sip import ADDRESS, Leg, TinyPhone
from tests.bench.media_traffic import End, Keys
from tests.support.asterisk import Asterisks
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until

SECURE_ADDRESS = "127.0.0.3"
"""Where the callers with SRTP are known by."""

EXTENSIONS = """
[from-tester](+)
exten => bridge,1,Dial(PJSIP/tester)
exten => hooked,1,Set(VOLUME(TX)=1)
 same => n,Set(VOLUME(RX)=1)
 same => n,Dial(PJSIP/tester)
exten => alaw,1,Dial(PJSIP/alaw)
exten => music,1,Answer()
 same => n,MusicOnHold()
exten => recorded,1,MixMonitor(bench-${UNIQUEID}.wav,br(bench-r-${UNIQUEID}.wav)t(bench-t-${UNIQUEID}.wav))
 same => n,Dial(PJSIP/tester)
exten => _room.,1,Answer()
 same => n,ConfBridge(${EXTEN:4},bare,bare_user)
"""
"""Bridge: Dial without any option, so that bridge_native_rtp takes it. Hooked: the same with a volume hook of factor 1,
so that every frame is decoded and encoded, though nothing is added up."""

PJSIP = """
[alaw]
type = aor
contact = sip:127.0.0.2:{tester}

[alaw]
type = endpoint
aors = alaw
context = from-tester
disallow = all
allow = alaw

[secure]
type = identify
endpoint = secure
match = {secure}

[secure]
type = endpoint
context = from-tester
media_encryption = sdes
disallow = all
allow = ulaw
"""

CONFBRIDGE = """
[general]

[bare]
type = bridge
mixing_interval = 20
internal_sample_rate = 8000

[bare_user]
type = user
quiet = yes
announce_join_leave = no
music_on_hold_when_empty = no
dsp_drop_silence = no
denoise = no
jitterbuffer = no
"""

_MODULES = ("app_confbridge", "res_srtp")


class _Setting:
    """What the paths set calls up with."""

    def __init__(self, ports: PortPool, phone: TinyPhone, secure: TinyPhone) -> None:
        self.ports = ports
        self.phone = phone
        self.secure = secure
        self.ends: list[End] = []

    def bridge(self, extension: str, *, answer_in: Codec = Codec.PCMU) -> None:
        self.add(self.phone.call(extension, self.ports.one(), answer_on=self.ports.one(), answer_in=answer_in))

    def bridge_secure(self) -> None:
        keys = Keys(ours=fresh_key(), theirs="")
        port, answer_on = self.ports.one(), self.ports.one()
        self.add(self.secure.call("bridge", port, answer_on=answer_on, keys=keys, answering=self.phone))

    def alone(self, extension: str, *, speaks: bool = True, group: str = "") -> None:
        self.add(self.phone.call(extension, self.ports.one()), speaks=speaks, group=group)

    def room(self, number: int) -> None:
        for place in range(3):
            self.alone(f"room{number}", speaks=place == 0, group="speaker" if place == 0 else "listener")

    def add(self, legs: list[Leg], *, speaks: bool = True, group: str = "") -> None:
        self.ends += [
            End(
                port=leg.port,
                peer=("127.0.0.1", leg.peer_port),
                codec=leg.codec,
                srtp=leg.keys,
                speaks=speaks,
                group=group,
            )
            for leg in legs
        ]


_PATHS: dict[Path, Callable[[_Setting, int], None]] = {
    Path.RELAYED: lambda it, _: it.bridge("bridge"),
    Path.MIXED: lambda it, _: it.bridge("hooked"),
    Path.TRANSCODED: lambda it, _: it.bridge("alaw", answer_in=Codec.PCMA),
    Path.SRTP: lambda it, _: it.bridge_secure(),
    Path.MUSIC: lambda it, _: it.alone("music", speaks=False),
    Path.RECORDED: lambda it, _: it.bridge("recorded"),
    Path.CONFERENCE: lambda it, number: it.room(number),
}
"""Sets up the call of this number."""


@contextmanager
def asterisk(procs: Processes, ports: PortPool, directory: File, load: Load) -> Iterator[Bridged]:
    """Asterisk with the calls of a load that are up."""
    with Asterisks(procs, ports) as asterisks, ExitStack() as last:
        rival = asterisks.start(
            engine_port=ports.one(),
            rtp_ports=6 * load.calls + 8,
            modules=_MODULES,
            extra={
                "extensions_extra.conf": EXTENSIONS,
                "confbridge.conf": CONFBRIDGE,
                "logger.conf": "[general]\n[logfiles]\nconsole => error\n",
            },
        )
        extra = PJSIP.format(tester=rival.ports.tester, secure=SECURE_ADDRESS)
        (rival.etc / "pjsip_extra.conf").write_text(extra)
        rival.ami.command("module reload res_pjsip.so")
        wait_until(lambda: "secure" in rival.ami.command("pjsip show endpoints"), timeout=10, what="the endpoints")
        moh = rival.etc / "moh"
        moh.mkdir()
        shutil.copy(MUSIC, moh / "music.wav")
        (rival.etc / "musiconhold.conf").write_text(
            f"[default]\nmode = files\ndirectory = /{moh.relative_to(rival.root)}\n"
        )
        rival.ami.command("module reload res_musiconhold.so")
        process = psutil.Process(rival.process.pid)
        before = process.memory_info().rss
        phone = TinyPhone(port=rival.ports.tester, asterisk_port=rival.ports.sip)
        last.callback(phone.close)
        secure = TinyPhone(port=rival.ports.tester, asterisk_port=rival.ports.sip, address=SECURE_ADDRESS)
        last.callback(secure.close)
        it = _Setting(ports, phone, secure)
        for number in range(load.calls):
            _PATHS[load.path](it, number)
        added = (process.memory_info().rss - before) / len(it.ends)
        notes = {"bridges": rival.ami.command("bridge show all")[-2000:]}
        yield Bridged(process=process, address=ADDRESS, ends=it.ends, rss_per_leg=added, notes=notes)
