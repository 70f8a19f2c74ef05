"""RTP as it passes over the loopback interface, for tests that must see that nobody could have listened.

It needs the right to look at an interface (root, or CAP_NET_RAW); `require("capture")` says so.
"""

from __future__ import annotations

import socket
import threading
from typing import NamedTuple

import numpy as np

from engine.media.codecs import decode
from engine.media.commands import Codec
from engine.media.rtp import HEADER_SIZE
from tests.support.procs import wait_until
from tests.support.tones import Audio, rms_dbfs, tone_dbfs

_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_UDP = 17
_PCMU_OCTETS = 160
_JUDGED = 40
"""Packets of each direction."""


class Passed(NamedTuple):
    """One RTP packet."""

    source: int
    """Port."""
    sink: int
    data: bytes


class Capture:
    """Notes the RTP packets to and from these ports of the loopback interface. Use it as a context manager."""

    def __init__(self, *ports: int) -> None:
        self.ports = frozenset(ports)
        self.packets: list[Passed] = []
        """In order; RTCP is not among them."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
        self._socket.bind(("lo", _ETH_P_IP))
        self._socket.settimeout(0.05)
        self._open = True
        self._thread = threading.Thread(target=self._serve, name="capture", daemon=True)
        self._thread.start()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    def both(self) -> tuple[list[bytes], list[bytes]]:
        """What went to the ports, and what came from them."""
        packets = list(self.packets)
        there = [each.data for each in packets if each.sink in self.ports]
        return there, [each.data for each in packets if each.source in self.ports]

    def _serve(self) -> None:
        while self._open:
            try:
                data, address = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if address[2] != _PACKET_OUTGOING:  # each is seen twice: as it leaves, and as it comes
                self._take(data)

    def _take(self, packet: bytes) -> None:
        start = (packet[0] & 15) * 4
        if packet[9] != _UDP or len(packet) < start + 8 + HEADER_SIZE:
            return
        source, sink = int.from_bytes(packet[start : start + 2]), int.from_bytes(packet[start + 2 : start + 4])
        data = packet[start + 8 :]
        if not self.ports.isdisjoint((source, sink)) and data[0] >> 6 == 2 and not 200 <= data[1] <= 207:
            self.packets.append(Passed(source, sink, data))

    def secret(self, said: int, heard: int) -> int | None:
        """By how many octets each packet is longer than a plain one, where in neither direction the tone can be heard
        that is there: what the ports `said` and `heard`. None where both can be heard. Judges packets from now on."""
        self.packets.clear()
        wait_until(lambda: min(map(len, self.both())) >= _JUDGED, timeout=8, what=f"RTP of {sorted(self.ports)}")
        there, back = self.both()
        open_ones = tells(back, said), tells(there, heard)
        assert len(set(open_ones)) == 1, f"one direction is encrypted, the other is not: {open_ones}"
        lengths = {len(each) - HEADER_SIZE - _PCMU_OCTETS for each in there + back}
        assert len(lengths) == 1, f"packets are longer than plain ones by {lengths}"
        return None if open_ones[0] else lengths.pop()


def as_pcmu(packets: list[bytes]) -> Audio:
    """What somebody would hear who takes the packets for 20 ms of plain PCMU each."""
    codes = b"".join(each[HEADER_SIZE : HEADER_SIZE + _PCMU_OCTETS] for each in packets)
    return Audio(rate=8000, samples=decode(np.frombuffer(codes, np.uint8), Codec.PCMU) / 32768)


def tells(packets: list[bytes], pitch: int) -> bool:
    """Whether the tone is to be heard in them by who has no key. Encrypted, they are as noise; a tone is then 25 dB
    below all of it together."""
    sound = as_pcmu(packets)
    behind = rms_dbfs(sound) - tone_dbfs(sound, pitch)
    assert behind < 3 or behind > 15, f"neither a tone nor noise: the tone is {behind:.0f} dB under all"
    return behind < 3
