"""RTCP (RFC 3550 section 6): reports out and in, as bytes. When to send them is in `rounds`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.media.reception import Interval, Reception
from engine.media.transmission import Transmission

SR: Final = 200
RR: Final = 201
SDES: Final = 202
BYE: Final = 203

INTERVAL_S: Final = 5.0
"""RFC 3550 6.2: the minimum interval; with two members the bandwidth never asks for a longer one."""
REDUCED: Final = 360.0
"""RFC 3550 6.2: it may be so many seconds over the session's bandwidth in kbit/s, where that is less."""
FIRST_WITHIN_S: Final = 1.0
"""RFC 3550 6.2: the first report of a unicast session need not wait at all; not all of a process come at once."""
COMPENSATION: Final = 1.21828
"""e - 3/2, RFC 3550 6.3.1."""

_SENDER: Final = struct.Struct("!BBHIIIIII")
_RECEIVER: Final = struct.Struct("!BBHI")
_BLOCK: Final = struct.Struct("!IIIIII")
_PADDED: Final = 0x20
_EPOCH: Final = 2_208_988_800
"""NTP counts from 1900 (RFC 3550 4)."""

Random = Callable[[], float]
"""A number from [0, 1)."""


def report_delay(random: Random, *, first: bool, kbps: float) -> float:
    """Seconds to the next report in a session of this bandwidth: the interval, spread over [0.5, 1.5] (RFC 3550
    6.3.1)."""
    if first:
        return FIRST_WITHIN_S * random()
    return min(INTERVAL_S, REDUCED / kbps) * (0.5 + random()) / COMPENSATION


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    ssrc: int
    ntp_middle: int
    """The middle 32 bits of its NTP time, to be returned as LSR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlock:
    """What a peer says of one stream that it hears."""

    ssrc: int
    lost: int
    highest: int
    """Sequence number, extended: grows with what reaches the peer."""
    jitter: int
    last_sr: int
    delay: int
    """Since that SR, in units of 1/65536 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    ssrc: int


Report = SenderReport | ReportBlock | Bye


def parse(data: bytes) -> list[Report] | None:
    """The reports of a compound packet, or None when it is not one (RFC 3550 A.2: version, first type, no padding but
    at the end, lengths that add up).

    Other packet types are stepped over.
    """
    reports: list[Report] = []
    at = 0
    while at < len(data):
        if at + 8 > len(data) or data[at] >> 6 != 2:
            return None
        count, kind = data[at] & 0x1F, data[at + 1]
        end = at + 4 * ((data[at + 2] << 8 | data[at + 3]) + 1)
        if end > len(data) or (at == 0 and (kind not in (SR, RR) or data[0] & _PADDED)):
            return None
        if kind in (SR, RR):
            blocks = _report(data, at, end, kind, count)
            if blocks is None:
                return None
            reports += blocks
        elif kind == BYE and count:
            reports.append(Bye(ssrc=int.from_bytes(data[at + 4 : at + 8])))
        at = end
    return reports if data else None


def _report(data: bytes, at: int, end: int, kind: int, count: int) -> list[Report] | None:
    reports: list[Report] = []
    at_blocks = at + (_SENDER.size if kind == SR else _RECEIVER.size)
    if at_blocks + count * _BLOCK.size > end:
        return None
    if kind == SR:
        ssrc, seconds, fraction = struct.unpack_from("!III", data, at + 4)
        reports.append(SenderReport(ssrc=ssrc, ntp_middle=(seconds & 0xFFFF) << 16 | fraction >> 16))
    for index in range(count):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(data, at_blocks + index * _BLOCK.size)
        lost = loss & 0xFFFFFF
        lost -= (lost & 0x800000) << 1
        reports.append(ReportBlock(ssrc=ssrc, lost=lost, highest=highest, jitter=jitter, last_sr=last_sr, delay=delay))
    return reports


def ntp(wall: float) -> tuple[int, int]:
    """Seconds since 1900 and the fraction, 32 bits each."""
    seconds = int(wall)
    return (seconds + _EPOCH) & 0xFFFFFFFF, int((wall - seconds) * 4294967296) & 0xFFFFFFFF


class RtcpSession:
    """The RTCP side of one leg."""

    __slots__ = (
        "_cname",
        "_peer_middle",
        "_peer_report_at",
        "_peer_ssrc",
        "_reported_before",
        "_reported_packets",
        "due",
        "remote_jitter",
        "remote_lost",
        "round_trip",
    )

    def __init__(self, cname: bytes) -> None:
        """`cname`: at most 255 octets, the same for every stream of this process, telling nothing (RFC 7022)."""
        self._cname = cname
        self._peer_middle = 0
        self._peer_report_at = 0.0
        self._peer_ssrc = -1
        """Whose report that was."""
        self._reported_packets = 0
        self._reported_before = 0
        """Packets that we had sent at the report before the last."""
        self.due = 0.0
        """Monotonic seconds of the next report; 0 while the leg has no remote."""
        self.remote_lost: int | None = None
        self.remote_jitter: int | None = None
        """Timestamp units."""
        self.round_trip: float | None = None
        """Seconds."""

    def compound(self, tx: Transmission, rx: Reception, now: float, wall: float, *, bye: bool = False) -> bytes:
        """A whole compound packet: SR if we sent since the report before the last (RFC 3550 6.3.8), else RR, with a
        block if anything was heard since the last one (6.4.1); SDES; and BYE at the end of a leg."""
        sending = tx.packets != self._reported_before or (bye and tx.packets > 0)
        self._reported_before, self._reported_packets = self._reported_packets, tx.packets
        block = self._block(rx, now) if rx.ssrc >= 0 and rx.received != rx.received_prior else b""
        blocks = 1 if block else 0
        length = (len(block) + (_SENDER.size if sending else _RECEIVER.size)) // 4 - 1
        if sending:
            seconds, fraction = ntp(wall)
            stamp = (tx.stamp + round((now - tx.stamp_at) * tx.rate)) & 0xFFFFFFFF
            head = _SENDER.pack(
                0x80 | blocks,
                SR,
                length,
                tx.ssrc,
                seconds,
                fraction,
                stamp,
                tx.packets & 0xFFFFFFFF,
                tx.octets & 0xFFFFFFFF,
            )
        else:
            head = _RECEIVER.pack(0x80 | blocks, RR, length, tx.ssrc)
        tail = struct.pack("!BBHI", 0x81, BYE, 1, tx.ssrc) if bye else b""
        return head + block + self._sdes(tx.ssrc) + tail

    def _block(self, rx: Reception, now: float) -> bytes:
        interval: Interval = rx.interval()
        middle = self._peer_middle if self._peer_ssrc == rx.ssrc else 0
        delay = min(0xFFFFFFFF, round((now - self._peer_report_at) * 65536)) if middle else 0
        return _BLOCK.pack(
            rx.ssrc,
            interval.fraction_lost << 24 | interval.cumulative_lost & 0xFFFFFF,
            interval.highest_sequence,
            interval.jitter,
            middle,
            delay,
        )

    def _sdes(self, ssrc: int) -> bytes:
        """One chunk with CNAME, ended by at least one zero octet and filled to 32 bits (RFC 3550 6.5)."""
        items = struct.pack("!IBB", ssrc, 1, len(self._cname)) + self._cname
        items += bytes(4 - len(items) % 4)
        return struct.pack("!BBH", 0x81, SDES, len(items) // 4) + items

    def heard(self, reports: list[Report], own_ssrc: int, now: float, wall: float) -> None:
        """Take in what the peer reported. Round trip: A - LSR - DLSR (RFC 3550 6.4.1, figure 2)."""
        for report in reports:
            if isinstance(report, SenderReport):
                self._peer_ssrc, self._peer_middle = report.ssrc, report.ntp_middle
                self._peer_report_at = now
            elif isinstance(report, ReportBlock) and report.ssrc == own_ssrc:
                self.remote_lost = report.lost
                self.remote_jitter = report.jitter
                if report.last_sr:
                    seconds, fraction = ntp(wall)
                    middle = (seconds & 0xFFFF) << 16 | fraction >> 16
                    trip = (middle - report.last_sr - report.delay) & 0xFFFFFFFF
                    # A peer whose DLSR is a little too large makes the difference negative; nonsense is left out.
                    if trip < 60 << 16:
                        self.round_trip = trip / 65536
                    elif trip > 0xFFFF0000:
                        self.round_trip = 0.0
