"""How a good message becomes a bad one: by the slips of broken software, of lossy copies and of people who attack."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b'"', b"\\", b"<", b">", b";", b",", b":", b"@", b" ", b"\t", b"%00", b"=", b"()"),
    *(b"-1", b"0", b"4294967296", b"99999999999999999999", b"\xff\xfe", "\N{SNOWMAN}".encode(), b"A" * 300, b"SIP/2.0"),
    *(b"Via: SIP/2.0/UDP 127.0.0.1", b"Content-Length: 5", b";tag=x", b";rport;received=::1", b"sip:", b"tel:", b"*"),
)
_METHODS = (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"REGISTER", b"OPTIONS", b"UPDATE", b"PRACK", b"REFER", b"XYZZY", b"")


def mutated(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One message of the corpus with one to four things wrong with it."""
    data = chance.choice(corpus)
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice(_SLIPS)(chance, data, corpus)
    return data[:65000]


def _flip(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    out = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 2, 16))):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def _insert(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) + data[at:]


def _cut_out(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 2, 10, 60)) :]


def _truncate(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _splice(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = chance.choice(corpus)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _lines(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """Leave out, double, multiply or exchange header lines."""
    lines = data.split(b"\r\n")
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at:at] = [lines[at]] * chance.choice((10, 300))
        case _:
            lines[at], lines[other] = lines[other], lines[at]
    return b"\r\n".join(lines)


def _method(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    return chance.choice(_METHODS) + b" " + data.partition(b" ")[2]


def _long(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.choice(b"a1 ,;<\x80")]) * chance.choice((500, 5000, 40000)) + data[at:]


Slip = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
_SLIPS: tuple[Slip, ...] = (_flip, _insert, _cut_out, _truncate, _splice, _lines, _method, _long)


def rtp(chance: random.Random) -> bytes:
    """A packet that looks more or less like RTP (RFC 3550 5.1)."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.choice((0, 1, 11, 12, 13, 172, 1500, 9000)))
    first = chance.choice((0x80, 0x80, 0x80, 0x90, 0xA0, 0xB0, 0x8F, 0x00, 0x40, 0xC0))
    payload_type = chance.choice((0, 0, 8, 101, 13, 18, 72, 127, 128, 229))
    header = struct.pack(
        "!BBHII", first, payload_type, chance.getrandbits(16), chance.getrandbits(32), chance.choice((1, 2**32 - 1, 77))
    )
    return header + chance.randbytes(chance.choice((0, 1, 4, 80, 160, 160, 161, 320, 1460)))


def rtcp(chance: random.Random) -> bytes:
    """A compound that looks more or less like RTCP (RFC 3550 6)."""
    packets = []
    for _ in range(chance.choice((1, 1, 2, 30))):
        body = chance.randbytes(4 * chance.choice((0, 1, 6, 7, 13)))
        length = chance.choice((len(body) // 4, len(body) // 4, 0, 0xFFFF))
        kind = chance.choice((200, 200, 201, 202, 203, 204, 205, 206, 199, 0, 255))
        packets.append(struct.pack("!BBH", chance.choice((0x80, 0x81, 0x9F, 0xA1, 0x40)), kind, length) + body)
    return b"".join(packets)[: chance.choice((8, 100, 1500, 9000))]
