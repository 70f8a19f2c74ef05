"""The two that are measured: our media process, and Asterisk beside it, each with N bridged calls set up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from engine.media.commands import Codec, Connect, Direction, SetRemote
from tests.bench.media_sip import ADDRESS, TinyPhone
from tests.support.asterisk import Asterisks
from tests.support.media_plane import Control, open_leg, start_plane
from tests.support.ports import PortPool
from tests.support.procs import Processes

Side = Literal["hearthline", "asterisk"]
Path_ = Literal["relayed", "mixed", "rooms"]

CALLS_IN_ASTERISK = """
[from-tester](+)
exten => bridge,1,Dial(PJSIP/tester)
exten => hooked,1,Set(VOLUME(TX)=1)
 same => n,Set(VOLUME(RX)=1)
 same => n,Dial(PJSIP/tester)
exten => _room.,1,Answer()
 same => n,ConfBridge(${EXTEN:4},bare,bare_user)
"""
"""Relayed: Dial without any option, so that bridge_native_rtp takes it. Mixed: the same with a volume hook of factor 1,
so that every frame is decoded and encoded, though nothing is added up. Rooms: a conference for two, which adds up."""

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


@dataclass(slots=True, kw_only=True)
class Bridged:
    """Calls that are up; what sends and hears is given by `ends`."""

    process: psutil.Process
    address: str
    """Where the far ends are."""
    ends: list[list[object]]
    """[own port, peer address, peer port]; ends 2n and 2n + 1 are one call."""
    rss_per_leg: float
    """Octets of resident memory that the legs have added."""
    control: Control | None = None
    """To our process, for its own figures."""
    notes: dict[str, str] = field(default_factory=dict)


@contextmanager
def hearthline(procs: Processes, ports: PortPool, directory: Path, *, calls: int, path: Path_) -> Iterator[Bridged]:
    """Our media process. Mixed (and rooms): every leg also hears a third one, which is silent, so that
    nothing can be passed through."""
    block = ports.block(4 * calls + 8, even=True)
    plane = start_plane(procs, directory, port_min=block[0], port_max=block[-2])
    control = plane.control()
    process = psutil.Process(plane.process.pid)
    before = process.memory_info().rss
    ends: list[list[object]] = []
    for number in range(2 * calls):
        port = ports.one()
        ends.append([port, "127.0.0.1", open_leg(control, str(number))])
        control.send(_remote(str(number), port))
    if path != "relayed":
        open_leg(control, "silent")
        control.send(_remote("silent", ports.one()))
    for number in range(0, 2 * calls, 2):
        one, other = str(number), str(number + 1)
        control.send(Connect(source=one, sink=other), Connect(source=other, sink=one))
        if path != "relayed":
            control.send(Connect(source="silent", sink=one), Connect(source="silent", sink=other))
    control.collect(0.3)
    try:
        yield Bridged(
            process=process,
            address="127.0.0.1",
            ends=ends,
            rss_per_leg=(process.memory_info().rss - before) / (2 * calls),
            control=control,
        )
    finally:
        control.close()
        plane.process.stop()


def _remote(leg: str, port: int) -> SetRemote:
    return SetRemote(
        leg=leg,
        address="127.0.0.1",
        port=port,
        flow_address="127.0.0.1",
        codec=Codec.PCMU,
        payload_type=0,
        dtmf_payload_type=101,
        direction=Direction.SENDRECV,
    )


@contextmanager
def asterisk(procs: Processes, ports: PortPool, directory: Path, *, calls: int, path: Path_) -> Iterator[Bridged]:
    """Asterisk 22 with the same calls, set up by SIP. Its configuration is that of the integration tests."""
    with Asterisks(procs, ports) as asterisks:
        rival = asterisks.start(
            engine_port=ports.one(),
            rtp_ports=4 * calls + 8,
            modules=("app_confbridge",),
            extra={
                "extensions_extra.conf": CALLS_IN_ASTERISK,
                "confbridge.conf": CONFBRIDGE,
                "logger.conf": "[general]\n[logfiles]\nconsole => error\n",
            },
        )
        process = psutil.Process(rival.process.pid)
        before = process.memory_info().rss
        phone = TinyPhone(port=rival.ports.tester, asterisk_port=rival.ports.sip)
        ends: list[list[object]] = []
        try:
            for number in range(calls):
                if path != "rooms":
                    extension = "bridge" if path == "relayed" else "hooked"
                    legs = phone.call(extension, ports.one(), answer_on=ports.one())
                else:
                    legs = [leg for _ in range(2) for leg in phone.call(f"room{number}", ports.one())]
                ends += [[leg.port, "127.0.0.1", leg.peer_port] for leg in legs]
            yield Bridged(
                process=process,
                address=ADDRESS,
                ends=ends,
                rss_per_leg=(process.memory_info().rss - before) / (2 * calls),
                notes={"bridges": rival.ami.command("bridge show all")[-2000:]},
            )
        finally:
            phone.close()
