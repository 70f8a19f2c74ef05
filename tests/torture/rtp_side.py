"""One media process of the fuzzer of RTP, in virtual time: legs of every kind that packets are thrown at, and
bystanders of every kind that must not notice."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

from engine.media.commands import (
    Codec,
    Connect,
    Direction,
    JoinConference,
    OpenLeg,
    PauseRecording,
    Rebind,
    RecordingFormat,
    ResumeRecording,
    SendDtmf,
    SetRemote,
    SrtpKeys,
    SrtpSuite,
    StartRecording,
)
from engine.media.leg import Address, Leg
from engine.media.srtp import Sealer
from tests.support.media_fakes import HEADER, PAYLOAD_TYPES, remote
from tests.support.media_sockets import Wired

PEER: Final = ("192.0.2.1", 4000)
_OPUS: Final = {"opaque": "opus/48000/2", "clock_rate": 48_000, "payload_type": 111}
_KEY_OCTETS: Final = {
    SrtpSuite.AES_CM_128_HMAC_SHA1_80: 30,
    SrtpSuite.AES_CM_128_HMAC_SHA1_32: 30,
    SrtpSuite.AEAD_AES_128_GCM: 28,
    SrtpSuite.AEAD_AES_256_GCM: 44,
}
_OCTETS: Final = {Codec.L16: 320, Codec.L16_16K: 640, Codec.OPAQUE: 60}
"""Of a packet of 20 ms; 160 of all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A leg as it is set up."""

    codec: Codec = Codec.PCMU
    ptime_ms: int = 20
    suite: SrtpSuite | None = None
    behind_nat: bool = False
    inband: bool = False
    cn: int | None = None

    def remote(self, name: str) -> SetRemote:
        changes: dict[str, object] = {"ptime_ms": self.ptime_ms, "inband": self.inband, "cn_payload_type": self.cn}
        if self.suite is not None:
            changes["srtp"] = keys_of(self.suite)
        if self.behind_nat:
            changes |= {"address": "10.0.0.5", "flow_address": "198.51.100.7"}
        if self.inband:
            changes["dtmf_payload_type"] = None
        if self.codec is Codec.OPAQUE:
            changes |= _OPUS
        return remote(name, codec=self.codec, **changes)


_SEALED: Final = {
    "sealed": Part(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80),
    "short": Part(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_32),
    "gcm": Part(suite=SrtpSuite.AEAD_AES_256_GCM),
    "gcm-128": Part(suite=SrtpSuite.AEAD_AES_128_GCM),
}
SEALED: Final = tuple(_SEALED)
"""Those of the victims that are encrypted and passed on, so that each packet of their peers can be followed."""

VICTIMS: Final = {
    **_SEALED,
    "passed": Part(),
    "mixed": Part(codec=Codec.PCMA),
    "mixed and sealed": Part(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80),
    "digits": Part(),
    "ears": Part(inband=True),
    "unlatched": Part(),
    "natted": Part(behind_nat=True),
    "moving": Part(),
    "recorded": Part(),
    "opaque": Part(codec=Codec.OPAQUE),
    "wide": Part(codec=Codec.G722),
    "linear": Part(codec=Codec.L16_16K),
    "quick": Part(ptime_ms=10),
    "slow": Part(ptime_ms=60),
    "noise": Part(cn=13),
    "seat 1": Part(),
    "seat 2": Part(codec=Codec.G722),
    "seat 3": Part(suite=SrtpSuite.AEAD_AES_256_GCM),
    "echo": Part(codec=Codec.PCMA),
}
"""What packets are thrown at: legs of every codec, passed on, mixed, encrypted, recorded, in a conference, that press
keys or sound them, that nobody was heard on yet, behind NAT or not, and one with a second pair."""
_MIXED: Final = ("mixed", "mixed and sealed", "ears", "wide", "linear", "quick", "slow", "noise")

BYSTANDERS: Final = {
    "one": Part(),
    "other": Part(),
    "shut": Part(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_32),
    "tight": Part(suite=SrtpSuite.AEAD_AES_128_GCM),
    "hidden": Part(codec=Codec.OPAQUE),
    "veiled": Part(codec=Codec.OPAQUE),
    "soft": Part(),
    "loud": Part(codec=Codec.PCMA, ptime_ms=40),
    "broad": Part(codec=Codec.G722, ptime_ms=10),
    "narrow": Part(codec=Codec.L16, ptime_ms=60),
    "chair": Part(),
    "clerk": Part(codec=Codec.G722),
    "guest": Part(codec=Codec.PCMA, suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80),
}
"""Pairs that are passed on to each other: plain, encrypted, undecoded; pairs that are mixed, of which the first is
recorded; and a conference of three."""
_PASSED: Final = (("one", "other"), ("shut", "tight"), ("hidden", "veiled"))
_TOGETHER: Final = (("soft", "loud"), ("broad", "narrow"))
_TAPE: Final = "of soft and loud"


def keys_of(suite: SrtpSuite) -> SrtpKeys:
    octets = _KEY_OCTETS[suite]
    return SrtpKeys(suite=suite, ours=b64encode(b"o" * octets).decode(), theirs=b64encode(b"t" * octets).decode())


class Side:
    """One media process: bystanders, and victims who hear each other."""

    def __init__(self) -> None:
        self.wired = Wired()
        self.bench = self.wired.bench
        hearers = {f"{name}-hearer": Part(codec=part.codec) for name, part in VICTIMS.items()}
        self.parts = {**BYSTANDERS, **VICTIMS, **hearers}
        for name, part in self.parts.items():
            self.bench.do(OpenLeg(leg=name, tag=""), part.remote(name))
        for one, other in _PASSED:
            self.bench.bridge(one, other)
        for one, other in _TOGETHER:
            self.bench.bridge(one, other, gain_db=-3.0)
        for name in ("chair", "clerk", "guest"):
            self.bench.do(JoinConference(leg=name, conference="quiet"))
        for name in VICTIMS:
            gain = -3.0 if name in _MIXED else 0.0
            self.bench.do(Connect(source=name, sink=f"{name}-hearer", gain_db=gain))
        for one, other in pairwise(_MIXED):
            self.bench.do(Connect(source=one, sink=other))
        for name in ("seat 1", "seat 2", "seat 3"):
            self.bench.do(JoinConference(leg=name, conference="wild"))
        self.bench.do(Connect(source="echo", sink="echo", gain_db=-3.0))
        self._record("of the recorded", "recorded", None)
        self._record(_TAPE, "soft", "loud")
        self.sealers = {
            name: Sealer(part.suite, keys_of(part.suite).theirs)
            for name, part in self.parts.items()
            if part.suite is not None
        }
        self.ports = {name: self.wired.leg(name).port for name in (*BYSTANDERS, *VICTIMS)}
        for name in self.ports.keys() - {"unlatched", "natted"}:
            self.say(name, 0)
        self.bench.do(Rebind(leg="moving"))

    def _record(self, name: str, leg: str, other: str | None) -> None:
        form = RecordingFormat.WAV
        self.bench.do(StartRecording(recording=name, leg=leg, other=other, stem=f"/tapes/{leg}", format=form))

    def say(self, name: str, number: int) -> bytes:
        """The peer of this leg sends its next packet, if the leg is encrypted sealed; that packet."""
        codec = self.wired.leg(name).codec
        kind = 111 if codec is Codec.OPAQUE else PAYLOAD_TYPES.get(codec, 96)
        sound = bytes([(number * 7 + len(name)) & 0x7F | 0x80]) * _OCTETS.get(codec, 160)
        step = {Codec.OPAQUE: 960, Codec.L16_16K: 320}.get(codec, 160)
        data = HEADER.pack(0x80, kind, number & 0xFFFF, number * step & 0xFFFFFFFF, 7) + sound
        sealer = self.sealers.get(name)
        if sealer is not None:
            data = bytes(sealer.rtp(memoryview(bytearray(data))))
        self.wired.packet(self.wired.leg(name).port, PEER, data)
        return data

    def report(self, name: str, plain: bytes) -> bytes:
        """The peer of this encrypted leg sends a report; that packet."""
        data = self.sealers[name].rtcp(plain)
        self.wired.packet(self.wired.leg(name).port + 1, PEER, data)
        return data

    def second_port(self, leg: Leg) -> int:
        """Of a leg that moves; it is asked to where it has arrived."""
        if leg not in self.wired.sockets._seconds:
            self.bench.do(Rebind(leg=leg.name))
        return self.wired.sockets._seconds[leg].port

    def meddle(self, chance: Random) -> None:
        """What control does with victims meanwhile."""
        name = chance.choice(("passed", "mixed", "digits", "wide", "slow"))
        match chance.randrange(4):
            case 0:
                direction = chance.choice(tuple(Direction))
                part = self.parts[name].remote(name)
                self.bench.do(
                    SetRemote(**{each: getattr(part, each) for each in part.__slots__} | {"direction": direction})
                )
            case 1:
                self.bench.do(SendDtmf(leg=name, digits=chance.choice("0123456789*#")))
            case 2:
                paused = PauseRecording if chance.random() < 0.5 else ResumeRecording
                self.bench.do(paused(recording="of the recorded"))
            case _:
                self.bench.do(JoinConference(leg="seat 1", conference="wild", speaks=chance.random() < 0.5))

    def bystanders_heard(self) -> tuple[list[list[tuple[bytes, Address]]], list[bytes]]:
        """What they were sent, and what was recorded of them, since the last time; the rest is forgotten."""
        ports = {self.ports[name] for name in BYSTANDERS}
        heard = [list(each.sent) for each in self.wired.pairs.made if each.port in ports]
        made = self.wired.pairs.made
        made[:] = [each for each in made if not each.closed]
        for each in made:
            each.sent.clear()
        tapes = self.bench.tapes.tapes
        taped = list(tapes[_TAPE].chunks)
        for tape in tapes.values():
            tape.chunks.clear()
        self.wired.reports.clear()
        self.wired.pairs.released.clear()
        return heard, taped
