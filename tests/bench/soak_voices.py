"""The sound of all telephones of the media soak: one socket pair each, one clock of 10 ms for all of them.

Sockets are read only when a call is over: what comes meanwhile waits in a small buffer and the rest is dropped by the
kernel, so that hearing costs this process nothing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Iterable
from random import Random
from typing import Final

from engine.media.srtp import Opener, Sealer
from tests.bench.soak_kit import EVENTS, Agreement, Kit
from tests.bench.soak_sound import Sound, sounds

SLOT_S: Final = 0.01
_WHEEL: Final = 64
_BUFFER: Final = 8192
_HEADER: Final = struct.Struct("!BBHII")
_REPORT_SLOTS: Final = 400
"""A sender report every four seconds."""
_KEYS: Final = "0123456789*#ABCD"
_SPEAKS, _TURN = 200, 500
"""Slots: who sends nothing in pauses speaks two of five seconds."""
_REST_S: Final = 4.0
"""Before the sockets serve another call: what is under way still belongs to the last."""


class End:
    """One telephone's sound in one call."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.rtp, self.rtcp = (_bound(host, port + offset) for offset in (0, 1))
        self.kit = Kit()
        self.agreed: Agreement | None = None
        self.muted = False
        self.on_air = False
        self.due = False
        """It stands on the wheel, where it stays until its turn also when its call is over before."""
        self.sound: Sound | None = None
        self.sealer: Sealer | None = None
        self.seq = self.stamp = self.ssrc = self.slots = self.at = self.spoke = self.packets = self.octets = 0
        self.marked = True
        self.events: int = EVENTS
        self.pressing: deque[tuple[int, int, int]] = deque()
        self.tone = b""
        self.began = 0.0

    def begin(self, kit: Kit, agreed: Agreement, sound: Sound, chance: Random) -> None:
        """Speak from now on; another agreement in the middle of a call goes on in the same stream."""
        ptime = 20 if agreed.coding.name.startswith("L16") else kit.ptime_ms
        if agreed.suite is not None and (self.agreed is None or self.agreed.own_key != agreed.own_key):
            self.sealer = Sealer(agreed.suite, agreed.own_key)
        if not self.on_air:
            self.seq, self.stamp, self.ssrc = (chance.getrandbits(bits) for bits in (16, 32, 32))
            self.at, self.muted, self.began = chance.randrange(500), False, time.monotonic()
        self.kit, self.agreed, self.sound, self.slots = kit, agreed, sound, ptime // 10
        self.octets = int(sound.per_ms * ptime)

    def press(self, digit: str) -> None:
        """A key for 100 ms: an event, or a tone where the telephone has no events."""
        assert self.sound is not None
        if self.kit.events:
            code, step = _KEYS.index(digit), 10 * self.slots
            count = max(2, 100 // step)
            self.pressing.extend((code, number, count) for number in (*range(count), count, count, count))
        elif self.sound.digits:
            self.tone = self.sound.digits[digit]

    def end(self) -> None:
        """Be quiet, and forget keys."""
        self.on_air, self.agreed, self.sealer = False, None, None
        self.pressing.clear()
        self.tone = b""

    def heard(self) -> list[bytes]:
        """What waits in the socket, as it came."""
        found = []
        while len(found) < 256:
            try:
                found.append(self.rtp.recv(2048))
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP message of what we sent
        return found

    def opens(self, packets: Iterable[bytes]) -> int:
        """How many of the packets are authentic."""
        assert self.agreed is not None
        assert self.agreed.suite is not None
        opener, count = Opener(self.agreed.suite, self.agreed.their_key, 0), 0
        for packet in packets:
            count += opener.rtp(bytearray(packet), len(packet)) > 0
        return count

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class Voices:
    """All ends of this process: lends them to calls and has them speak on time."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._sounds = sounds()
        self._free: dict[str, deque[tuple[float, End]]] = {}
        self._ends: list[End] = []
        self._wheel: list[list[End]] = [[] for _ in range(_WHEEL)]
        self._late: list[list[tuple[End, bytes]]] = [[] for _ in range(_WHEEL)]
        self._slot = 0
        self._open = True
        self.sent: Counter[str] = Counter()
        """Packets by what they are, and what the network of the telephones did to them."""
        self.late_s = 0.0
        """By how much this process was behind its clock at most."""

    def make(self, host: str, ports: range) -> None:
        """Bind a pair on every second port."""
        made = [End(host, port) for port in ports[::2]]
        self._ends += made
        self._free.setdefault(host, deque()).extend((0.0, end) for end in made)

    def lend(self, host: str) -> End:
        """A pair that has rested, else the one that did so longest. Raises IndexError when there is none."""
        _, end = self._free[host].popleft()
        end.heard()
        return end

    def begin(self, end: End, kit: Kit, agreed: Agreement, events: int | None) -> None:
        """Speak as agreed; again after a re-INVITE."""
        end.begin(kit, agreed, self._sounds[agreed.coding.name], self._chance)
        end.events = events or EVENTS
        if not end.on_air:
            end.on_air = True
        if not end.due:
            end.due = True
            self._wheel[(self._slot + 1 + self._chance.randrange(end.slots)) % _WHEEL].append(end)

    def give_back(self, end: End) -> None:
        end.end()
        self._free[end.host].append((time.monotonic(), end))

    @property
    def speaking(self) -> int:
        return sum(end.on_air for end in self._ends)

    async def run(self) -> None:
        """Speak until `close`."""
        due = time.monotonic()
        while self._open:
            due += SLOT_S
            wait = due - time.monotonic()
            self.late_s = max(self.late_s, -wait)
            if wait < -1.0:
                due -= wait
            await asyncio.sleep(max(0.0, wait))
            self._turn()

    def close(self) -> None:
        self._open = False
        for end in self._ends:
            end.close()

    def _turn(self) -> None:
        self._slot += 1
        here = self._slot % _WHEEL
        ends, self._wheel[here] = self._wheel[here], []
        for end in ends:
            end.due = end.on_air
            if end.on_air:
                # The list again first: who raises must not fall silent.
                self._wheel[(self._slot + end.slots) % _WHEEL].append(end)
                self._speak(end)
        late, self._late[here] = self._late[here], []
        for end, data in late:
            self._put(end, data)

    def _speak(self, end: End) -> None:
        agreed, sound = end.agreed, end.sound
        if agreed is None or sound is None or not end.slots:
            return
        step = end.slots * 10
        end.stamp = end.stamp + step * sound.ticks_per_ms & 0xFFFFFFFF
        end.packets += 1
        if end.muted:
            return
        if (self._slot + end.port) % _REPORT_SLOTS < end.slots:
            self._report(end, agreed)
        if agreed.silent:
            return
        if end.pressing:
            code, number, count = end.pressing.popleft()
            over = number == count
            ticks = min(number + 1, count) * step * 8
            payload = struct.pack("!BBH", code, (0x80 if over else 0) | 10, ticks)
            if number == 0:
                end.spoke = end.stamp
            self.sent["events"] += 1
            self._packet(end, end.events | (0x80 if number == 0 else 0), end.spoke, payload)
            return
        if end.kit.sparing and (self._slot + end.port * 7) % _TURN >= _SPEAKS and not end.tone:
            end.marked = True
            return
        size = end.octets
        if end.tone:
            payload, end.tone = end.tone[:size], end.tone[size:]
            payload += sound.octets[: size - len(payload)]
        else:
            at = end.packets * size % (len(sound.octets) // 2)
            payload = sound.octets[at : at + size]
        kind = agreed.coding.number | (0x80 if end.marked else 0)
        end.marked = False
        self._packet(end, kind, end.stamp, payload)

    def _packet(self, end: End, kind: int, stamp: int, payload: bytes) -> None:
        end.seq = end.seq + 1 & 0xFFFF
        data = _HEADER.pack(0x80, kind, end.seq, stamp, end.ssrc) + payload
        if end.sealer is not None:
            data = bytes(end.sealer.rtp(memoryview(data)))
            self.sent["sealed"] += 1
        kit, chance = end.kit, self._chance
        if kit.loss and chance.random() < kit.loss:
            self.sent["lost"] += 1
        elif kit.swaps and chance.random() < kit.swaps:
            self.sent["late"] += 1
            self._late[(self._slot + end.slots + 1) % _WHEEL].append((end, data))
        elif kit.jitter_ms:
            self.sent["jittered"] += 1
            self._late[(self._slot + chance.randrange(1, kit.jitter_ms // 10 + 1)) % _WHEEL].append((end, data))
        else:
            self._put(end, data)

    def _put(self, end: End, data: bytes) -> None:
        if end.agreed is None:
            return
        self.sent["packets"] += 1
        try:
            end.rtp.sendto(data, end.agreed.peer)
        except OSError:
            self.sent["refused"] += 1

    def _report(self, end: End, agreed: Agreement) -> None:
        """SR and SDES (RFC 3550 6.4.1, 6.5)."""
        now = time.time() + 2_208_988_800
        whole = int(now)
        report = struct.pack(
            "!BBHIIIIII",
            0x80,
            200,
            6,
            end.ssrc,
            whole & 0xFFFFFFFF,
            int((now - whole) * 2**32),
            end.stamp,
            end.packets & 0xFFFFFFFF,
            0,
        ) + struct.pack("!BBHIBB6s", 0x81, 202, 3, end.ssrc, 1, 4, b"soak\0\0")
        if end.sealer is not None:
            report = end.sealer.rtcp(report)
        self.sent["reports"] += 1
        host, port = agreed.peer
        try:
            end.rtcp.sendto(report, (host, port + 1))
            while True:
                end.rtcp.recv(2048)
        except OSError:
            return


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    made.setblocking(False)
    made.bind((host, port))
    return made
