"""SRTP and SRTCP (RFC 3711, RFC 7714) of one leg, by libsrtp: what it sends is sealed, what it hears is opened.

Both hang on the leg as callables around its socket's own (`Leg.point`, `Leg.hear`), so that the rest of the plane sees
plain RTP only, and a plain leg pays nothing. Keys are those of `SetRemote`; each direction keeps its rollover counter
and its list of packets seen for as long as its own key stays (`Shield.renewed`).

RTP is given to libsrtp in place, by the functions that pylibsrtp binds: its own methods copy twice and make three
objects a packet, which is half the time that an encrypted packet takes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

from engine.media.commands import SrtpKeys, SrtpSuite
from engine.media.reception import ReceiveInto
from engine.media.rollover import Rollover
from engine.media.rtp import HEADER_SIZE
from engine.media.transmission import Send

MAX_OPENED: Final = 1500
"""Octets of a packet that libsrtp is given."""

MAX_SSRCS: Final = 64
"""Streams that one key of a peer may have: each is a record in libsrtp, kept so that nothing can be played again."""

_PROFILES: Final = {
    SrtpSuite.AEAD_AES_256_GCM: (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    SrtpSuite.AEAD_AES_128_GCM: (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    SrtpSuite.AES_CM_128_HMAC_SHA1_80: (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    SrtpSuite.AES_CM_128_HMAC_SHA1_32: (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
}
"""libsrtp's name, and the octets of key and salt."""
_TAGS: Final = {SrtpSuite.AES_CM_128_HMAC_SHA1_80: (10, 10), SrtpSuite.AES_CM_128_HMAC_SHA1_32: (4, 10)}
"""Octets behind the key's name in RTP and in RTCP (RFC 3711 3.1, RFC 4568 6.2); with AEAD there are none."""
_protect: Final = lib.srtp_protect
_unprotect: Final = lib.srtp_unprotect
_MAX_TRAILER: Final = 16 + 128
"""Octets that sealing may add: the tag, and libsrtp's room for a key's name."""
_SSRC_IN_RTCP: Final = 4
_SSRC_IN_RTP: Final = 8


class BadKeys(Exception):
    """Keys that no packet can be protected with; the text shows none."""


class NotSealed(OSError):
    """A packet that must not go out: its number was used before or is too old, or it is too long."""


class Sealer:
    """One direction: ours."""

    def __init__(self, suite: SrtpSuite, key: str) -> None:
        """Raises BadKeys."""
        self.told = suite, key
        self._session = _session(suite, key, Policy.SSRC_ANY_OUTBOUND)
        self._rtp = self._session._srtp[0]
        self._room = bytearray(MAX_OPENED + _MAX_TRAILER)
        self._view = memoryview(self._room)
        self._octets = ffi.from_buffer(self._room)
        self._size = ffi.new("int *")

    def rtp(self, packet: memoryview) -> memoryview:
        """What is to be sent, until the next call. Raises NotSealed."""
        size = len(packet)
        if not HEADER_SIZE < size <= MAX_OPENED:
            raise NotSealed(f"a packet of {size} octets")
        length = self._size
        self._view[:size] = packet
        length[0] = size
        status = _protect(self._rtp, self._octets, length)
        if status:
            raise NotSealed(f"libsrtp says {status}")
        return self._view[: length[0]]

    def rtcp(self, packet: bytes) -> bytes:
        """Raises NotSealed."""
        try:
            return self._session.protect_rtcp(packet)
        except (Error, ValueError) as error:
            raise NotSealed(str(error)) from error


class Opener:
    """The other direction: the peer's."""

    def __init__(self, suite: SrtpSuite, key: str, mki_octets: int, *, resumed: bool = False) -> None:
        """`resumed` is that of SrtpKeys. Raises BadKeys."""
        self.told = suite, key, mki_octets
        self.failed = 0
        """Packets that were not the peer's, or played again."""
        self._session = _session(suite, key, Policy.SSRC_ANY_INBOUND)
        self._mki = mki_octets
        self._rtp_tag, self._rtcp_tag = _TAGS.get(suite, (0, 0))
        self._ssrcs: set[bytes] = set()
        self._ssrc = b""
        """Of the last packet."""
        self._rtp_session = self._session
        self._rtp = self._rtp_session._srtp[0]
        self._size = ffi.new("int *")
        self._buffer: bytearray | None = None
        self._octets: object = None
        self._rollover = Rollover(lambda direction: _session(suite, key, direction)) if resumed else None
        """Until the first packet of a key that was in use elsewhere could be opened."""

    def rtp(self, buffer: bytearray, size: int) -> int:
        """Open `buffer[:size]` in place. The size of what it was, or 0: not authentic, played again, or no SRTP."""
        if not HEADER_SIZE < size <= MAX_OPENED:
            return 0
        if self._mki:
            nameless = self._nameless(bytes(memoryview(buffer)[:size]), self._rtp_tag)
            size = len(nameless)
            buffer[:size] = nameless
        ssrc = buffer[_SSRC_IN_RTP:HEADER_SIZE]
        if ssrc != self._ssrc and bytes(ssrc) not in self._ssrcs and len(self._ssrcs) >= MAX_SSRCS:
            return 0
        if buffer is not self._buffer:
            self._buffer, self._octets = buffer, ffi.from_buffer(buffer)
        length = self._size
        length[0] = size
        if self._rollover is not None:
            length[0] = self._resume(self._rollover, buffer, size)
        elif _unprotect(self._rtp, self._octets, length):
            length[0] = 0
        opened: int = length[0]
        if not opened:
            self.failed += 1
            return 0
        if ssrc != self._ssrc:
            self._ssrc = bytes(ssrc)
            self._ssrcs.add(self._ssrc)
        return opened

    def _resume(self, rollover: Rollover, buffer: bytearray, size: int) -> int:
        """Open the packet if its round can be found; from then on libsrtp counts by itself."""
        plain = rollover.opened(bytes(memoryview(buffer)[:size]))
        if plain:
            buffer[: len(plain)] = plain
            self._rollover, self._rtp_session = None, rollover.session
            self._rtp = self._rtp_session._srtp[0]
        return len(plain)

    def rtcp(self, packet: bytes) -> bytes:
        """What it was, or nothing."""
        if len(packet) < HEADER_SIZE or len(packet) > MAX_OPENED:
            return b""
        packet = self._nameless(packet, self._rtcp_tag)
        ssrc = packet[_SSRC_IN_RTCP : _SSRC_IN_RTCP + 4]
        if ssrc not in self._ssrcs and len(self._ssrcs) >= MAX_SSRCS:
            return b""
        try:
            plain = self._session.unprotect_rtcp(packet)
        except Error:
            self.failed += 1
            return b""
        self._ssrcs.add(ssrc)
        return plain

    def _nameless(self, packet: bytes, tag: int) -> bytes:
        """Without the key's name (MKI), which is not authenticated: there is one key only."""
        if not self._mki:
            return packet
        end = len(packet) - tag
        return packet[: max(0, end - self._mki)] + packet[end:]


class Shield:
    """Both directions of one leg."""

    __slots__ = ("opener", "sealer")

    def __init__(self, sealer: Sealer, opener: Opener) -> None:
        self.sealer = sealer
        self.opener = opener

    @classmethod
    def renewed(cls, old: Shield | None, keys: SrtpKeys | None) -> Shield | None:
        """The shield for these keys. A direction whose key stays goes on as it was: to begin again would encrypt two
        packets alike (RFC 3711 9.1), and let in what was heard before. Raises BadKeys."""
        if keys is None:
            return None
        suite = keys.suite
        sealer, opener = (None, None) if old is None else (old.sealer, old.opener)
        if sealer is None or sealer.told != (suite, keys.ours):
            sealer = Sealer(suite, keys.ours)
        if opener is None or opener.told != (suite, keys.theirs, keys.mki_octets):
            before = 0 if opener is None else opener.failed
            opener = Opener(suite, keys.theirs, keys.mki_octets, resumed=keys.resumed)
            opener.failed = before
        return cls(sealer, opener)

    def sending(self, send: Send) -> Send:
        """`send` of what is sealed."""
        seal = self.sealer.rtp
        return lambda packet: send(seal(packet))

    def receiving(self, receive: ReceiveInto) -> ReceiveInto:
        """`receive` of what was opened. What cannot be opened is an empty packet, which nobody takes."""
        opened = self.opener.rtp
        return lambda buffer: opened(buffer, receive(buffer))


def _session(suite: SrtpSuite, key: str, direction: int) -> Session:
    profile, octets = _PROFILES[suite]
    try:
        raw = b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != octets:
        raise BadKeys(f"a key of {suite} must be {octets} octets in Base64")
    try:
        return Session(Policy(key=raw, ssrc_type=direction, srtp_profile=profile))
    except Error as error:
        raise BadKeys(f"{suite} cannot be had: {error}") from error
