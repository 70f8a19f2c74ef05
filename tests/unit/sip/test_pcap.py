from __future__ import annotations

import struct

import pytest

from engine.sip.flow import Address, Flow, Transport
from engine.sip.pcap import pcap
from engine.sip.trace_text import Passed

US, ANY, PEER = Address("192.0.2.1", 5060), Address("0.0.0.0", 5060), Address("198.51.100.7", 40001)
US6, PEER6 = Address("2001:db8::1", 5061), Address("2001:db8::2", 5070)


def message(data: bytes, way: str = "in", flow: Flow | None = None, at: float = 1_700_000_000.25) -> Passed:
    flow = flow or Flow(Transport.UDP, ANY, PEER)
    return Passed(at=at, way=way, flow=flow, data=data, call_id="c", again=False, title="", sdp="")


def packets(data: bytes) -> list[tuple[float, bytes]]:
    """Time and bytes of each."""
    magic, major, minor, _, _, _, link = struct.unpack("<IHHiIII", data[:24])
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    found, at = [], 24
    while at < len(data):
        seconds, micros, length, whole = struct.unpack("<IIII", data[at : at + 16])
        assert length == whole
        found.append((seconds + micros / 1e6, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


def sums_to_nothing(data: bytes) -> bool:
    """As a receiver checks it (RFC 1071 1)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


@pytest.mark.parametrize("data", [b"even", b"odd", b"", b"\xff\xff" * 700])
def test_a_datagram_of_ipv4_is_right_to_the_checksum(data: bytes) -> None:
    ((at, packet),) = packets(pcap([message(data)], ours=lambda flow: US))
    assert at == 1_700_000_000.25
    assert packet[0] == 0x45
    assert packet[9] == 17
    assert struct.unpack("!H", packet[2:4])[0] == len(packet)
    assert sums_to_nothing(packet[:20])
    assert (packet[12:16], packet[16:20]) == (bytes([198, 51, 100, 7]), bytes([192, 0, 2, 1]))
    udp = packet[20:]
    assert struct.unpack("!HHH", udp[:6]) == (40001, 5060, 8 + len(data))
    assert sums_to_nothing(packet[12:20] + struct.pack("!HH", 17, len(udp)) + udp)
    assert udp[8:] == data


def test_a_datagram_of_ipv6_is_right_to_the_checksum() -> None:
    flow = Flow(Transport.UDP, US6, PEER6)
    ((_, packet),) = packets(pcap([message(b"hello", "out", flow)], ours=lambda flow: flow.local))
    assert (packet[0] >> 4, packet[6]) == (6, 17)
    udp = packet[40:]
    assert struct.unpack("!H", packet[4:6])[0] == len(udp)
    assert packet[8:24].hex() == "20010db8000000000000000000000001"
    assert struct.unpack("!HH", udp[:4]) == (5061, 5070)
    assert sums_to_nothing(packet[8:40] + struct.pack("!IHBB", len(udp), 0, 0, 17) + udp)


CONNECTIONS = [
    Flow(Transport.TCP, ANY, PEER, 3),
    Flow(Transport.TLS, US6, PEER6, 4),
]


def segments(data: bytes) -> list[tuple[int, int, int, int, int, bytes]]:
    """Both ports, both numbers, flags and data of each, lengths and checksums found right."""
    found = []
    for _, packet in packets(data):
        head = 20 if packet[0] >> 4 == 4 else 40
        tcp = packet[head:]
        if head == 20:
            assert (packet[9], struct.unpack("!H", packet[2:4])[0]) == (6, len(packet))
            assert sums_to_nothing(packet[:20])
            pseudo = packet[12:20] + struct.pack("!HH", 6, len(tcp))
        else:
            assert (packet[6], struct.unpack("!H", packet[4:6])[0]) == (6, len(tcp))
            pseudo = packet[8:40] + struct.pack("!IHBB", len(tcp), 0, 0, 6)
        assert sums_to_nothing(pseudo + tcp)
        source, target, number, acknowledged, offset, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
        assert (offset, window > 0) == (5 << 4, True)
        found.append((source, target, number, acknowledged, flags, tcp[20:]))
    return found


@pytest.mark.parametrize("flow", CONNECTIONS)
def test_a_connection_is_one_run_of_octets_each_way(flow: Flow) -> None:
    us, them = (US.port, PEER.port) if flow.transport is Transport.TCP else (US6.port, PEER6.port)
    passed = [
        message(b"INVITE", "in", flow),
        message(b"100", "out", flow),
        message(b"200", "out", flow._replace(connection=9)),
        message(b"x", "in", Flow(flow.transport, flow.local, Address(flow.remote.host, 7))),
        message(b"ACK", "in", flow),
    ]
    assert segments(pcap(passed, ours=lambda flow: US if flow.local == ANY else flow.local)) == [
        (them, us, 1, 1, 0x18, b"INVITE"),
        (us, them, 1, 7, 0x18, b"100"),
        (us, them, 4, 7, 0x18, b"200"),
        (7, us, 1, 1, 0x18, b"x"),
        (them, us, 7, 7, 0x18, b"ACK"),
    ]


@pytest.mark.parametrize("flow", CONNECTIONS)
def test_what_no_packet_holds_is_several_of_a_connection(flow: Flow) -> None:
    data = bytes(range(256)) * 600
    found = segments(pcap([message(data, "in", flow), message(b"y", "in", flow)], ours=lambda flow: US6))
    assert [len(each[-1]) for each in found] == [65_475, 65_475, len(data) - 2 * 65_475, 1]
    assert b"".join(each[-1] for each in found) == data + b"y"
    assert [each[2] for each in found] == [1, 65_476, 130_951, len(data) + 1]


def test_a_sum_of_zero_is_written_as_ones() -> None:
    # Two octets that bring the sum of this very datagram to zero.
    ((_, packet),) = packets(pcap([message(b"\0\0")], ours=lambda flow: US))
    wanted = packet[26:28]
    ((_, packet),) = packets(pcap([message(wanted)], ours=lambda flow: US))
    assert packet[26:28] == b"\xff\xff"


def test_families_that_differ_become_one_and_a_zone_is_left_out() -> None:
    flow = Flow(Transport.UDP, ANY, Address("fe80::1%eth0", 5060))
    ((_, packet),) = packets(pcap([message(b"x", "in", flow)], ours=lambda flow: US))
    assert packet[8:24].hex() == "fe800000000000000000000000000001"
    assert packet[24:40].hex() == "00000000000000000000ffffc0000201"


def test_what_no_packet_holds_is_cut() -> None:
    ((_, packet),) = packets(pcap([message(bytes(70_000))], ours=lambda flow: US))
    assert len(packet) == 20 + 65_535 - 40
    assert struct.unpack("!H", packet[2:4])[0] == len(packet)
