"""RTP by hand: 20 ms packets of one octet each, by which the ends of a call know who speaks to them.

A marked packet passes mu-law decoding and encoding unchanged, so that it does not matter whether the engine relays or
mixes.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import defaultdict
from heapq import heappop, heappush
from itertools import pairwise
from random import Random

import numpy as np

from engine.media.codecs import decode, encode
from engine.media.commands import Codec
from tests.support.tones import Audio, sine

_HEADER = struct.Struct("!BBHII")
_EVENT_TYPE = 101
_KEYS = "0123456789*#ABCD"
PTIME_S = 0.02
_SAMPLES = 160


class Voice:
    """One end's RTP socket. Driven by whoever owns it: `due`, `send_due`, `receive`."""

    def __init__(self, host: str, port: int, mark: int) -> None:
        self.address = (host, port)
        self.mark = mark
        self.peer: tuple[str, int] | None = None
        """Where to send; None while there is no call."""
        self.muted = False
        self.loses = 0.0
        """Part of our packets that the network drops, by chance ..."""
        self.delays_s = 0.0
        """... and by how much it delays the others at most."""
        self._chance = Random(1)
        self._under_way: list[tuple[float, bytes]] = []
        """What the network has not brought yet, and until when."""
        self.says = bytes([mark]) * _SAMPLES
        """20 ms of what we say: our mark, or a tone (`hum`)."""
        self.heard: dict[int, list[float]] = defaultdict(list)
        """When packets came, by their mark, monotonic seconds."""
        self.payload_type = 0
        """Of what we say."""
        self.types: list[int] = []
        """Payload numbers of what came, each when it was another than before."""
        self.packets = 0
        """How many packets of any kind came."""
        self.sound = bytearray()
        """The payload of all packets of speech."""
        self.digits: list[str] = []
        """Digits that were heard to their end (RFC 4733), once each."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(self.address)
        self._sequence = 1
        self._ssrc = 0x1000 + port
        self._timestamp = 0
        self._next = 0.0
        self._pressing: list[tuple[int, int]] = []
        self._pressed_at = 0
        self._last_event = -1

    def rebound(self, host: str, port: int) -> socket.socket:
        """Send from another socket, of which the SDP says nothing (a home router that gives the stream another port);
        the one before, which is the caller's to close."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind((host, port))
        before, self.socket = self.socket, made
        return before

    def close(self) -> None:
        self.socket.close()

    def press(self, digits: str) -> None:
        """Send these digits, each for 100 ms, between the packets of speech."""
        for digit in digits:
            code = _KEYS.index(digit)
            self._pressing += [(code, step) for step in range(5)] + [(code, 5)] * 3

    def hum(self, frequency: int, dbfs: float = -16.0) -> None:
        """Say a tone from now on; a multiple of 50 Hz, so that a packet holds whole periods."""
        samples = np.rint(32768 * sine(frequency, seconds=PTIME_S, dbfs=dbfs)).astype(np.int16)
        self.says = encode(samples, Codec.PCMU).tobytes()

    def audio(self) -> Audio:
        """What was heard since `sound` was emptied."""
        codes = np.frombuffer(bytes(self.sound), np.uint8)
        return Audio(rate=8000, samples=decode(codes, Codec.PCMU) / 32768)

    def due(self) -> float | None:
        """When the next packet is to go."""
        if self.peer is None:
            return None
        return min(self._next, self._under_way[0][0]) if self._under_way else self._next

    def send_due(self, now: float) -> None:
        """Send what is due."""
        if self.peer is None:
            return
        while self._under_way and self._under_way[0][0] <= now:
            self.send_raw(heappop(self._under_way)[1])
        if now - self._next > 1.0:
            self._next = now
        while self._next <= now:
            self._next += PTIME_S
            self._timestamp += _SAMPLES
            if self._pressing:
                self._send_event(*self._pressing.pop(0))
            elif not self.muted:
                self._send(self.payload_type, self._timestamp, self.says)

    def _send_event(self, code: int, step: int) -> None:
        end = step == 5
        if step == 0:
            self._pressed_at = self._timestamp
        payload = struct.pack("!BBH", code, (0x80 if end else 0) | 10, min(step + 1, 5) * _SAMPLES)
        self._send(_EVENT_TYPE | (0x80 if step == 0 else 0), self._pressed_at, payload)

    def _send(self, payload_type: int, timestamp: int, payload: bytes) -> None:
        header = _HEADER.pack(0x80, payload_type, self._sequence & 0xFFFF, timestamp & 0xFFFFFFFF, self._ssrc)
        self._sequence += 1
        if self._chance.random() < self.loses:
            return
        if self.delays_s:
            heappush(self._under_way, (time.monotonic() + self._chance.random() * self.delays_s, header + payload))
        else:
            self.send_raw(header + payload)

    def send_raw(self, data: bytes) -> None:
        """Send any octets from our RTP port to where our RTP goes."""
        if self.peer is not None:
            try:
                self.socket.sendto(data, self.peer)
            except OSError:
                return

    def receive(self) -> None:
        """Note what has come."""
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return
            except OSError:
                continue
            self.packets += 1
            if len(data) > 12 and self.types[-1:] != [data[1] & 0x7F]:
                self.types.append(data[1] & 0x7F)
            if len(data) > 12 and data[1] & 0x7F == 0:
                self.sound += data[12:]
            size = len(self.says)
            if len(data) == 12 + size and data.count(data[12:13], 12) == size:
                self.heard[data[12]].append(time.monotonic())
            elif len(data) == 16 and data[1] & 0x7F == _EVENT_TYPE:
                self._hear_event(data)

    def _hear_event(self, data: bytes) -> None:
        started = _HEADER.unpack_from(data)[3]
        if data[13] & 0x80 and data[12] < len(_KEYS) and started != self._last_event:
            self._last_event = started
            self.digits.append(_KEYS[data[12]])

    def heard_since(self, mark: int, at: float) -> int:
        """How many packets of that mark came after the time."""
        return sum(when >= at for when in self.heard[mark])

    def longest_gap(self, mark: int, start: float, end: float) -> float:
        """The longest time within [start, end] in which nothing of that mark was heard."""
        times = [start, *(when for when in self.heard[mark] if start <= when <= end), end]
        return max(later - earlier for earlier, later in pairwise(times))
