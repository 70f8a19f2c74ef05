"""Keys of SRTP in a session description (SDES, RFC 4568): lines `a=crypto`, read and written.

Whoever reads the description can listen, so keys are for signalling over TLS. Nothing here shows a key in its `repr`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["Crypto", "CryptoSuite", "Secured", "Srtp", "crypto_line", "read_crypto"]

_MAX_LIFETIME: Final = 2**48
"""Packets that one key may protect (RFC 3711 9.2)."""
_MAX_MKI_OCTETS: Final = 128
_MIN_WINDOW: Final = 64
"""RFC 4568 6.3.6."""


class Srtp(StrEnum):
    """Whether the media of a leg is encrypted."""

    OFF = "off"
    OPTIONAL = "optional"
    """Where the peer can do it. We offer RTP/AVP with keys, which who knows none passes over."""
    REQUIRED = "required"
    """Or there is no call. We offer RTP/SAVP."""


class CryptoSuite(StrEnum):
    """The suites that we have, strongest first (RFC 4568 6.2, RFC 7714 14.2)."""

    AEAD_AES_256_GCM = "AEAD_AES_256_GCM"
    AEAD_AES_128_GCM = "AEAD_AES_128_GCM"
    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_CM_128_HMAC_SHA1_32 = "AES_CM_128_HMAC_SHA1_32"

    @property
    def key_octets(self) -> int:
        """Of the master key and the master salt together."""
        return _KEY_OCTETS[self]


_KEY_OCTETS: Final = {
    CryptoSuite.AEAD_AES_256_GCM: 32 + 12,
    CryptoSuite.AEAD_AES_128_GCM: 16 + 12,
    CryptoSuite.AES_CM_128_HMAC_SHA1_80: 16 + 14,
    CryptoSuite.AES_CM_128_HMAC_SHA1_32: 16 + 14,
}
_SUITES: Final = {suite.value: suite for suite in CryptoSuite}


class Crypto(NamedTuple):
    """One line: a key for what its writer sends."""

    tag: int
    """Names the line within its description; the answer repeats it."""
    suite: CryptoSuite
    key: bytes
    """Master key and master salt."""
    mki_octets: int = 0
    """Length of the key's name in every packet; 0 where there is none."""

    def __repr__(self) -> str:
        return f"Crypto({self.tag}, {self.suite})"


class Secured(NamedTuple):
    """What offer and answer came to."""

    suite: CryptoSuite
    tag: int
    ours: bytes
    """Key and salt of what we send."""
    theirs: bytes
    mki_octets: int
    """Of the name of their key in what they send; ours has none."""
    savp: bool
    """The stream is RTP/SAVP; else RTP/AVP, by those who encrypt where they can."""

    def __repr__(self) -> str:
        return f"Secured({self.suite}, savp={self.savp})"


def crypto_line(crypto: Crypto) -> str:
    """One of ours: one key without a name, for as long as it may last."""
    return f"a=crypto:{crypto.tag} {crypto.suite} inline:{b64encode(crypto.key).decode()}\r\n"


def read_crypto(value: str) -> Crypto | None:
    """What follows `a=crypto:`. None where it is malformed or asks for what we have not: another suite, several keys,
    a key derivation rate, packets that are not encrypted or not authenticated, or any session parameter that is not
    known. Such a line is passed over (RFC 4568 6.3, 7.1.2), for there may be another."""
    words = value.split()
    if len(words) < 3:
        return None
    tag, name, keys, *parameters = words
    suite = _SUITES.get(name)
    method, _, info = keys.partition(":")
    if suite is None or not _is_number(tag) or method.lower() != "inline":
        return None
    if not all(_may_be_ignored(parameter) for parameter in parameters):
        return None
    text, *rest = info.split("|")
    key = _decoded(text)
    mki = _mki_octets(rest)
    return None if mki is None or key is None or len(key) != suite.key_octets else Crypto(int(tag), suite, key, mki)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _may_be_ignored(parameter: str) -> bool:
    """A hint of the replay window, for ours is larger than the smallest; and what says so itself by a dash (6.3.7)."""
    name, _, value = parameter.partition("=")
    return name.startswith("-") or (name.upper() == "WSH" and _is_number(value) and int(value) >= _MIN_WINDOW)


def _decoded(text: str) -> bytes | None:
    """Base64, with its padding or without (6.1)."""
    bare = text.rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _mki_octets(rest: list[str]) -> int | None:
    """What stands behind the key: `lifetime`, `mki:length`, or both in this order. None where it cannot be."""
    if rest and ":" not in rest[0] and not _is_lifetime(rest.pop(0)):
        return None
    if not rest:
        return 0
    name, _, length = rest[0].partition(":")
    if len(rest) > 1 or not (name.isascii() and name.isdigit()) or not _is_number(length):
        return None
    return int(length) if 0 < int(length) <= _MAX_MKI_OCTETS else None


def _is_lifetime(text: str) -> bool:
    """Packets, "2^20" or "1048576". We need not count them: whoever encrypts changes his key in time."""
    if text.startswith("2^"):
        return _is_number(text[2:]) and int(text[2:]) <= 48
    return text.isascii() and text.isdigit() and len(text) <= 15 and 0 < int(text) <= _MAX_LIFETIME
