"""The RTP packet (RFC 3550 5.1): its fixed header, what is valid, and where the payload lies."""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = struct.Struct("!BBHII")
"""V/P/X/CC, M/PT, sequence number, timestamp, SSRC."""

HEADER_SIZE: Final = 12
PLAIN: Final = 0x80
"""First octet of a header of version 2 without padding, extension or CSRC: nearly every packet of telephony."""

MARKER: Final = 0x80

MAX_PACKET: Final = 1500
"""Longest datagram taken for voice; 200 ms of G.711 is 1,612, which no telephone sends in one packet."""


def payload_span(packet: bytes | bytearray | memoryview, size: int) -> tuple[int, int] | None:
    """Where the payload begins and ends in `packet[:size]`, or None when this is not valid RTP.

    Steps over CSRCs and one header extension and takes padding off (RFC 3550 5.1, 5.3.1). A payload may be empty.
    """
    if not HEADER_SIZE <= size <= MAX_PACKET:
        return None
    first = packet[0]
    if first >> 6 != 2:
        return None
    start = HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > size:
            return None
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    end = size
    if first & 0x20:
        padding = packet[size - 1]
        if not padding:
            return None
        end -= padding
    return (start, end) if start <= end else None


def flatten(packet: bytearray, size: int) -> int:
    """Move the payload of `packet[:size]` to directly behind the fixed header and drop what stood between.

    Returns the new size, or 0 when this is not valid RTP. Afterwards the first octet is PLAIN.
    """
    span = payload_span(packet, size)
    if span is None:
        return 0
    start, end = span
    packet[HEADER_SIZE : HEADER_SIZE + end - start] = packet[start:end]
    packet[0] = PLAIN
    return HEADER_SIZE + end - start
