"""Packets sealed and opened by keys that are made of a number."""

from __future__ import annotations

from base64 import b64encode
from random import Random

from engine.media.commands import SrtpKeys, SrtpSuite
from engine.media.srtp import Opener, Sealer
from tests.support.media_fakes import HEADER

OCTETS = {
    SrtpSuite.AEAD_AES_256_GCM: 44,
    SrtpSuite.AEAD_AES_128_GCM: 28,
    SrtpSuite.AES_CM_128_HMAC_SHA1_80: 30,
    SrtpSuite.AES_CM_128_HMAC_SHA1_32: 30,
}
TRAILER = {
    SrtpSuite.AEAD_AES_256_GCM: 16,
    SrtpSuite.AEAD_AES_128_GCM: 16,
    SrtpSuite.AES_CM_128_HMAC_SHA1_80: 10,
    SrtpSuite.AES_CM_128_HMAC_SHA1_32: 4,
}
"""Octets that RTP grows by."""
SHA80 = SrtpSuite.AES_CM_128_HMAC_SHA1_80
REPORT = bytes.fromhex("80c9 0001 00001234 81ca 0003 00001234 0101 6100 0000 0000".replace(" ", ""))


def text(suite: SrtpSuite, seed: int) -> str:
    return b64encode(Random(seed).randbytes(OCTETS[suite])).decode()


def keys(
    suite: SrtpSuite = SHA80, ours: int = 1, theirs: int = 2, mki_octets: int = 0, *, resumed: bool = False
) -> SrtpKeys:
    own, peers = text(suite, ours), text(suite, theirs)
    return SrtpKeys(suite=suite, ours=own, theirs=peers, mki_octets=mki_octets, resumed=resumed)


def packet(seq: int, payload: bytes = b"\x55" * 160, *, ssrc: int = 0x1234, first: int = 0x80) -> bytes:
    return HEADER.pack(first, 0, seq & 0xFFFF, 160 * seq & 0xFFFFFFFF, ssrc) + payload


def opened(opener: Opener, data: bytes) -> bytes:
    buffer = bytearray(2048)
    buffer[: len(data)] = data
    return bytes(buffer[: opener.rtp(buffer, len(data))])


def sealed(sealer: Sealer, data: bytes) -> bytes:
    return bytes(sealer.rtp(memoryview(data)))
