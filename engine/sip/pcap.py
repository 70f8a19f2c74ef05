"""A trace as a pcap file (libpcap format 2.4), for Wireshark and its like.

What is kept are messages, not packets, so headers are made for each, with the addresses and ports of both ends: IPv4 or
IPv6, UDP or TCP. A connection's messages are its octets: the numbers of its segments go on from message to message in
both directions, and begin with 1, as if its beginning had been captured before. Of TLS what was encrypted is written,
as TCP: nobody who reads the file has the keys.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from engine.sip.flow import Address, Transport
from engine.sip.ladder import LocalAddress
from engine.sip.recorder import IN
from engine.sip.trace_text import Passed

MEDIA_TYPE: Final = "application/vnd.tcpdump.pcap"

_MAGIC: Final = 0xA1B2C3D4
_LINKTYPE_RAW: Final = 101
"""Packets begin with their IP header."""
_SNAPLEN: Final = 65_535
_TCP: Final = 6
_UDP: Final = 17
_TTL: Final = 64
_DATAGRAM: Final = 65_535 - 40 - 8
"""Octets of a message that one packet holds; what is longer came on a stream."""
_SEGMENT: Final = 65_535 - 40 - 20
_DATA_OFFSET: Final = 5 << 4
"""A header without options, in words of 32 bits (RFC 9293 3.1)."""
_PUSH_ACK: Final = 0x18
_WINDOW: Final = 65_535


def pcap(messages: Sequence[Passed], *, ours: LocalAddress) -> bytes:
    """The messages as a file."""
    parts = [struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW)]
    said: dict[tuple[Address, Address], int] = {}
    """Octets of connections from one end to the other. A connection that was made anew goes on where the one before it
    ended, for it has the same two ends here."""
    for message in messages:
        flow = message.flow
        here, there = ours(flow), flow.remote
        source, target = (there, here) if message.way == IN else (here, there)
        micros = round(message.at * 1_000_000)
        if flow.transport is Transport.UDP:
            packets = iter([_datagram(source, target, message.data[:_DATAGRAM])])
        else:
            sent = said.get((source, target), 0)
            packets = _segments(source, target, message.data, sent, said.get((target, source), 0))
            said[source, target] = sent + len(message.data)
        for packet in packets:
            parts += (struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(packet), len(packet)), packet)
    return b"".join(parts)


def _datagram(source: Address, target: Address, data: bytes) -> bytes:
    """RFC 768."""
    length = 8 + len(data)
    head, pseudo = _ip(source, target, _UDP, length)
    udp = struct.pack("!HHHH", source.port, target.port, length, 0)
    # A sum of zero is written as its other form, since zero says that there is none.
    checksum = _checksum(pseudo + udp + data) or 0xFFFF
    return head + udp[:6] + struct.pack("!H", checksum) + data


def _segments(source: Address, target: Address, data: bytes, sent: int, heard: int) -> Iterator[bytes]:
    """RFC 9293 3.1. `sent` and `heard` are the octets before these of either side."""
    for start in range(0, len(data), _SEGMENT):
        part = data[start : start + _SEGMENT]
        head, pseudo = _ip(source, target, _TCP, 20 + len(part))
        number, acknowledged = (1 + sent + start) % 2**32, (1 + heard) % 2**32
        ports = struct.pack("!HHII", source.port, target.port, number, acknowledged)
        tcp = ports + struct.pack("!BBHHH", _DATA_OFFSET, _PUSH_ACK, _WINDOW, 0, 0)
        yield head + tcp[:16] + struct.pack("!H", _checksum(pseudo + tcp + part)) + tcp[18:] + part


def _ip(source: Address, target: Address, protocol: int, length: int) -> tuple[bytes, bytes]:
    """The header before so many octets of the protocol (RFC 791, 8200), and what goes into their checksum of it."""
    sender, receiver = ip_address(source.host.partition("%")[0]), ip_address(target.host.partition("%")[0])
    if sender.version != receiver.version:
        sender, receiver = _six(sender), _six(receiver)
    both = sender.packed + receiver.packed
    if sender.version == 6:
        head = struct.pack("!IHBB", 6 << 28, length, protocol, _TTL) + both
        return head, both + struct.pack("!IBBBB", length, 0, 0, 0, protocol)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, _TTL, protocol, 0) + both
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:], both + struct.pack("!BBH", 0, protocol, length)


def _six(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address


def _checksum(data: bytes) -> int:
    """RFC 1071: the complement of the one's complement sum of 16 bit words."""
    padded = data if len(data) % 2 == 0 else data + b"\0"
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
