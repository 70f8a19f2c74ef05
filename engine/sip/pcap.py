"""A trace as a pcap file (libpcap format 2.4), for Wireshark and its like.

What is kept are messages, not packets, so headers are made for each: IPv4 or IPv6 and UDP, with the addresses and
ports of both ends. Messages of TCP and TLS are written as UDP too: each is then seen whole and as SIP, also what was
encrypted on the wire (on TCP a reader would want the handshake, and take port 5061 for TLS). The Via tells which it
was.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from engine.sip.flow import Address
from engine.sip.ladder import LocalAddress
from engine.sip.recorder import IN
from engine.sip.trace_text import Passed

MEDIA_TYPE: Final = "application/vnd.tcpdump.pcap"

_MAGIC: Final = 0xA1B2C3D4
_LINKTYPE_RAW: Final = 101
"""Packets begin with their IP header."""
_SNAPLEN: Final = 65_535
_UDP: Final = 17
_TTL: Final = 64
_DATA_BOUND: Final = 65_535 - 40 - 8
"""What is longer came on a stream, and is cut here: one packet holds no more."""


def pcap(messages: Sequence[Passed], *, ours: LocalAddress) -> bytes:
    """The messages as a file."""
    parts = [struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW)]
    for message in messages:
        here, there = ours(message.flow), message.flow.remote
        source, target = (there, here) if message.way == IN else (here, there)
        packet = _packet(source, target, message.data[:_DATA_BOUND])
        micros = round(message.at * 1_000_000)
        parts.append(struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(packet), len(packet)))
        parts.append(packet)
    return b"".join(parts)


def _packet(source: Address, target: Address, data: bytes) -> bytes:
    """IP (RFC 791, 8200) and UDP (RFC 768) around the data, checksums right."""
    sender, receiver = ip_address(source.host.partition("%")[0]), ip_address(target.host.partition("%")[0])
    if sender.version != receiver.version:
        sender, receiver = _six(sender), _six(receiver)
    length = 8 + len(data)
    if sender.version == 4:
        pseudo = sender.packed + receiver.packed + struct.pack("!BBH", 0, _UDP, length)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, _TTL, _UDP, 0) + sender.packed + receiver.packed
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    else:
        pseudo = sender.packed + receiver.packed + struct.pack("!IBBBB", length, 0, 0, 0, _UDP)
        head = struct.pack("!IHBB", 6 << 28, length, _UDP, _TTL) + sender.packed + receiver.packed
    udp = struct.pack("!HHHH", source.port, target.port, length, 0)
    # A sum of zero is written as its other form, since zero says that there is none (RFC 768).
    checksum = _checksum(pseudo + udp + data) or 0xFFFF
    return head + udp[:6] + struct.pack("!H", checksum) + data


def _six(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address


def _checksum(data: bytes) -> int:
    """RFC 1071: the complement of the one's complement sum of 16 bit words."""
    padded = data if len(data) % 2 == 0 else data + b"\0"
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
