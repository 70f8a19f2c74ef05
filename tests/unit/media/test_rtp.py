from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from engine.media.rtp import MAX_PACKET, flatten, payload_span


def packet(
    *, payload: bytes, csrcs: int = 0, extension: int | None = None, padding: int = 0, version: int = 2
) -> bytes:
    first = version << 6 | (0x20 if padding else 0) | (0x10 if extension is not None else 0) | csrcs
    out = struct.pack("!BBHII", first, 0x80, 7, 160, 99) + b"CSRC" * csrcs
    if extension is not None:
        out += struct.pack("!HH", 0xBEDE, extension) + b"EXTN" * extension
    return out + payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")


@given(
    payload=st.binary(max_size=400),
    csrcs=st.integers(0, 15),
    extension=st.none() | st.integers(0, 20),
    padding=st.integers(0, 40),
)
def test_finds_the_payload_behind_csrcs_extension_and_before_padding(
    payload: bytes, csrcs: int, extension: int | None, padding: int
) -> None:
    data = packet(payload=payload, csrcs=csrcs, extension=extension, padding=padding)
    span = payload_span(data, len(data))

    assert span is not None
    assert data[span[0] : span[1]] == payload


@given(st.binary(max_size=300))
def test_any_octets_give_a_span_within_the_packet_or_none(data: bytes) -> None:
    span = payload_span(data, len(data))

    assert span is None or 12 <= span[0] <= span[1] <= len(data)


def test_refuses_what_is_not_rtp() -> None:
    good = packet(payload=b"x" * 160)

    assert payload_span(good, 172) == (12, 172)
    assert payload_span(good, 11) is None
    assert payload_span(packet(payload=b"x", version=1), 13) is None
    assert payload_span(packet(payload=b"", csrcs=3), 20) is None
    assert payload_span(packet(payload=b"xy", extension=5), 26) is None
    assert payload_span(b"\xa0" + good[1:171] + b"\x00", 172) is None
    assert payload_span(b"\xa0" + good[1:171] + b"\xff", 172) is None
    assert payload_span(bytes([0x80]) + bytes(2000), MAX_PACKET + 1) is None


def test_flatten_leaves_a_plain_header_and_the_payload() -> None:
    data = packet(payload=b"voice", csrcs=2, extension=1, padding=4)
    buffer = bytearray(2048)
    buffer[: len(data)] = data

    size = flatten(buffer, len(data))

    assert bytes(buffer[:size]) == b"\x80" + data[1:12] + b"voice"


def test_flatten_gives_nothing_for_rubbish() -> None:
    assert flatten(bytearray(b"\x00" * 172), 172) == 0
