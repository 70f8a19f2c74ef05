"""Our media process with the calls of a load, commanded as control would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path as File

import psutil

from engine.media.commands import (
    Codec,
    Command,
    Connect,
    Direction,
    Play,
    RecordingFormat,
    SetRemote,
    Sound,
    SrtpKeys,
    SrtpSuite,
    StartRecording,
)
from tests.bench.media_keys import fresh_key
from tests.bench.media_paths import MUSIC, Bridged, Load, Path
from tests.bench.media_traffic import End, Keys
from tests.support.media_plane import Control, open_leg, start_plane
from tests.support.ports import PortPool
from tests.support.procs import Processes

ADDRESS = "127.0.0.2"
SUITE = SrtpSuite.AES_CM_128_HMAC_SHA1_80


@dataclass(slots=True)
class _Setting:
    """What the paths set calls up with."""

    control: Control
    ports: PortPool
    directory: File
    ends: list[End]

    def leg(self, *, group: str = "", codec: Codec = Codec.PCMU, keys: Keys | None = None, speaks: bool = True) -> str:
        """A leg whose far end is ours."""
        name, port = str(len(self.ends)), self.ports.one()
        peer = ("127.0.0.1", open_leg(self.control, name))
        self.ends.append(End(port=port, peer=peer, group=group, codec=codec, srtp=keys, speaks=speaks))
        self.control.send(remote(name, port, codec, keys))
        return name

    def bridge(self, one: str, other: str) -> None:
        self.control.send(Connect(source=one, sink=other), Connect(source=other, sink=one))

    def silent(self) -> str:
        """A leg on which nobody speaks: who hears it too is mixed for."""
        open_leg(self.control, "silent")
        self.control.send(remote("silent", self.ports.one(), Codec.PCMU, None))
        return "silent"


def _relayed(it: _Setting, calls: int) -> None:
    for _ in range(calls):
        it.bridge(it.leg(), it.leg())


def _mixed(it: _Setting, calls: int, group: str = "") -> None:
    silent = it.silent()
    for _ in range(calls):
        one, other = it.leg(group=group), it.leg(group=group)
        it.bridge(one, other)
        it.control.send(Connect(source=silent, sink=one), Connect(source=silent, sink=other))


def _transcoded(it: _Setting, calls: int) -> None:
    for _ in range(calls):
        it.bridge(it.leg(), it.leg(codec=Codec.PCMA))


def _srtp(it: _Setting, calls: int) -> None:
    for _ in range(calls):
        it.bridge(it.leg(keys=Keys(ours=fresh_key(), theirs=fresh_key())), it.leg())


def _music(it: _Setting, calls: int) -> None:
    for _ in range(calls):
        name = it.leg(speaks=False)
        it.control.send(Play(leg=name, player=name, playlist=(Sound(file=str(MUSIC)),), loop=True))


def _recorded(it: _Setting, calls: int) -> None:
    for number in range(calls):
        one, other = it.leg(), it.leg()
        it.bridge(one, other)
        stem = str(it.directory / "recordings" / str(number))
        it.control.send(
            StartRecording(recording=str(number), leg=one, other=other, stem=stem, format=RecordingFormat.WAV)
        )


def _conference(it: _Setting, calls: int) -> None:
    for _ in range(calls):
        legs = [it.leg(speaks=number == 0) for number in range(3)]
        it.ends[-3] = replace(it.ends[-3], group="speaker")
        for number in (-2, -1):
            it.ends[number] = replace(it.ends[number], group="listener")
        commands: list[Command] = [
            Connect(source=source, sink=sink) for source in legs for sink in legs if source != sink
        ]
        it.control.send(*commands)


_PATHS: dict[Path, Callable[[_Setting, int], None]] = {
    Path.RELAYED: _relayed,
    Path.MIXED: _mixed,
    Path.TRANSCODED: _transcoded,
    Path.SRTP: _srtp,
    Path.MUSIC: _music,
    Path.CONFERENCE: _conference,
    Path.RECORDED: _recorded,
}


@contextmanager
def hearthline(procs: Processes, ports: PortPool, directory: File, load: Load) -> Iterator[Bridged]:
    """Our media process. Mixed: every leg also hears a third one, which is silent, so that nothing is passed on."""
    legs = 3 * load.calls + load.beside + 4
    block = ports.block(2 * legs + 64, even=True)
    plane = start_plane(procs, directory, port_min=block[0], port_max=block[-2])
    control = plane.control()
    process = psutil.Process(plane.process.pid)
    before = process.memory_info().rss
    it = _Setting(control, ports, directory, [])
    try:
        if load.path is Path.BESIDE:
            for _ in range(load.calls):
                it.bridge(it.leg(group="relayed"), it.leg(group="relayed"))
            _mixed(it, load.beside // 2, "mixed")
        else:
            _PATHS[load.path](it, load.calls)
        control.collect(0.3)
        added = (process.memory_info().rss - before) / len(it.ends)
        yield Bridged(process=process, address=ADDRESS, ends=it.ends, rss_per_leg=added, control=control)
    finally:
        control.close()
        plane.process.stop()


def remote(leg: str, port: int, codec: Codec, keys: Keys | None) -> SetRemote:
    """Where a far end is, and what it speaks. Its own key is what we hear."""
    srtp = None if keys is None else SrtpKeys(suite=SUITE, ours=keys.theirs, theirs=keys.ours)
    return SetRemote(
        leg=leg,
        address=ADDRESS,
        port=port,
        flow_address=ADDRESS,
        codec=codec,
        payload_type=0 if codec is Codec.PCMU else 8,
        dtmf_payload_type=101,
        direction=Direction.SENDRECV,
        srtp=srtp,
    )
