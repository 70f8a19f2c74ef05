"""Mutated packets at a real media process, while two people are passed on to each other in it and two are mixed."""

from __future__ import annotations

import random
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.media.commands import Codec, Connect, JoinConference, RecordingFormat, SrtpSuite, StartRecording
from engine.media.srtp import NotSealed, Sealer
from tests.support.media_listening import latch
from tests.support.media_plane import HEADER, Control, FarEnd, open_leg, start_plane, talk
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.torture.mutate import mutated, rtcp, rtp
from tests.torture.rtp_side import keys_of

RATE: Final = 4000
"""Packets a second."""
_TOGETHER: Final = 8
_SAID: Final = b"\x90" * 160
"""By everybody who talks: a code of mu-law that decoding and encoding leave as it is."""
_FADED: Final = 10
"""Packets in the beginning, of which what is mixed fades in."""
_ALTERED: Final = 0.15
"""Of the packets that are mixed: those that a machine that stalled has kept so long that something else was played."""

_MORE: Final[dict[str, dict[str, object]]] = {
    "plain": {},
    "alaw": {"codec": Codec.PCMA, "payload_type": 8},
    "sealed": {"srtp": keys_of(SrtpSuite.AES_CM_128_HMAC_SHA1_80)},
    "gcm": {"srtp": keys_of(SrtpSuite.AEAD_AES_256_GCM)},
    "wide": {"codec": Codec.G722, "payload_type": 9, "ptime_ms": 10},
    "linear": {"codec": Codec.L16_16K, "payload_type": 96, "clock_rate": 16_000},
    "opaque": {"codec": Codec.OPAQUE, "payload_type": 111, "clock_rate": 48_000, "opaque": "opus/48000/2"},
    "hidden": {"codec": Codec.OPAQUE, "payload_type": 111, "clock_rate": 48_000, "opaque": "opus/48000/2"},
    "ears": {"inband": True, "dtmf_payload_type": None},
    "slow": {"ptime_ms": 60, "cn_payload_type": 13},
}
"""What is agreed on with those at whom packets are thrown."""


@dataclass(slots=True, kw_only=True)
class LiveVoices:
    """What came of it."""

    packets: int = 0
    spoken: int = 0
    """By the two who talk."""
    heard: int = 0
    """Of that, by those who are passed on."""
    altered: int = 0
    """Packets among them that were not said so."""
    mixed_heard: int = 0
    mixed_altered: int = 0
    """The same for those who are mixed."""
    legs: tuple[str, ...] = ()
    """At which packets were thrown."""
    sealed: int = 0
    """Packets that were thrown encrypted, whole or mutated."""
    complaints: tuple[str, ...] = ()
    """Lines of the process that tell of a defect."""

    def problems(self) -> list[str]:
        found = [f"the media process says: {line}" for line in self.complaints]
        if self.heard < self.spoken:
            found.append(f"of {self.spoken} packets between others {self.heard} were heard")
        if self.altered:
            found.append(f"{self.altered} packets between others were not what was said")
        if self.mixed_altered > _ALTERED * self.mixed_heard or self.mixed_heard < (1 - _ALTERED) * self.spoken:
            found.append(f"of {self.mixed_heard} mixed packets {self.mixed_altered} were not what was said")
        return found


def at_a_live_process(directory: Path, *, count: int, seed: int) -> LiveVoices:
    """So many packets, from the peers' own ports, at legs of all kinds."""
    outcome, ports, seconds = LiveVoices(legs=tuple(_MORE)), PortPool(), count / RATE
    block = ports.block(160, even=True)
    talkers = [FarEnd(ports.block(2, even=True).start) for _ in range(5)]
    thrown = {name: FarEnd(ports.block(2, even=True).start) for name in _MORE}
    with Processes(directory) as procs:
        plane = start_plane(procs, directory, port_min=block[0], port_max=block[-2], dead_s=3600.0)
        control = plane.control()
        try:
            _set_up(control, talkers, thrown, directory)
            thrower = threading.Thread(target=_throw, args=(thrown, count, seed, outcome))
            thrower.start()
            heard = talk(talkers[:4], seconds=seconds, payload=_SAID)
            thrower.join()
            outcome.packets = count
            outcome.spoken = 2 * round(seconds / 0.02)
            said = [[packet.payload == _SAID for packet in heard[end][_FADED:]] for end in talkers[:4]]
            outcome.heard = sum(len(heard[end]) for end in talkers[:2])
            outcome.altered = sum(each.count(False) for each in said[:2])
            outcome.mixed_heard = sum(len(heard[end]) for end in talkers[2:4])
            outcome.mixed_altered = sum(each.count(False) for each in said[2:])
            control.settle()
        finally:
            plane.close()
            for end in (*talkers, *thrown.values()):
                end.close()
            plane.process.stop()
        told = plane.process.text().splitlines() + plane.process.tail(1000).splitlines()
        outcome.complaints = tuple({line for line in told if "Traceback" in line or "defect" in line})
    return outcome


def _set_up(control: Control, talkers: list[FarEnd], thrown: dict[str, FarEnd], directory: Path) -> None:
    """Two who are passed on, two who are mixed because each hears a silent one as well; and those at whom packets are
    thrown: mixed, passed on, recorded, in a conference."""
    for number, end in enumerate(talkers):
        open_leg(control, f"talker{number}", end)
    for name, end in thrown.items():
        open_leg(control, name, end, **_MORE[name])
    edges = [(0, 1), (1, 0), (2, 3), (3, 2), (4, 2), (4, 3)]
    control.send(*(Connect(source=f"talker{one}", sink=f"talker{other}") for one, other in edges))
    for one, other in (
        ("plain", "alaw"),
        ("sealed", "plain"),
        ("opaque", "hidden"),
        ("wide", "linear"),
        ("ears", "slow"),
    ):
        control.send(Connect(source=one, sink=other), Connect(source=other, sink=one, gain_db=-3.0 * (one != "opaque")))
    for name in ("gcm", "slow", "wide"):
        control.send(JoinConference(leg=name, conference="wild"))
    tape = {"stem": str(directory / "tape"), "format": RecordingFormat.FLAC}
    control.send(StartRecording(recording="tape", leg="plain", other="alaw", **tape))
    for number, end in enumerate(talkers[:4]):
        latch(control, end, f"talker{number}")


def _throw(ends: dict[str, FarEnd], count: int, seed: int, outcome: LiveVoices) -> None:
    chance = random.Random(seed)
    voice = HEADER.pack(0x80, 0, 100, 16_000, 7) + b"\x55" * 160
    sealers = {name: Sealer(each["srtp"].suite, each["srtp"].theirs) for name, each in _MORE.items() if "srtp" in each}
    began = time.monotonic()
    for number in range(count):
        name = chance.choice(tuple(ends))
        end, kind = ends[name], chance.randrange(3)
        to_rtcp = kind == 1 or chance.random() < 0.1
        if kind == 2 and name in sealers:
            data = _sealed(chance, sealers[name], number, to_rtcp)
            outcome.sealed += 1
        else:
            data = rtp(chance) if kind == 0 else rtcp(chance) if kind == 1 else mutated(chance, [voice])[:1500]
        sender: socket.socket = end.rtcp if to_rtcp else end.rtp
        try:
            sender.sendto(data, ("127.0.0.1", end.leg_port + to_rtcp))
        except OSError:
            continue
        if number % 50 == 0:
            for each in ends.values():
                _drop(each.rtp)
        if number % _TOGETHER == 0:
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))


def _sealed(chance: random.Random, sealer: Sealer, number: int, to_rtcp: bool) -> bytes:
    """A packet of the real peer, or one that was changed on the way."""
    if to_rtcp:
        data = sealer.rtcp(b"\x81\xcb\x00\x01\x00\x00\x00\x07")
    else:
        head = HEADER.pack(0x80, 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, 7)
        try:
            data = bytes(sealer.rtp(memoryview(bytearray(head + b"\x55" * 160))))
        except NotSealed:  # its number lies too far behind
            data = head
    return data if chance.random() < 0.5 else mutated(chance, [data])[:1500]


def _drop(waiting: socket.socket) -> None:
    try:
        while True:
            waiting.recv(2048)
    except OSError:
        return
