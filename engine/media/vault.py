"""Encrypted recordings: a file that only grows, each chunk of which says "these octets stand at this place".

`docs/recording-format.md` has the layout. A chunk is sealed with AES-256-GCM under a key of the file's own (HKDF of the
operator's key with the file's random salt); its nonce is its number, which no two chunks of a file share, and it
authenticates the head of the file and the chunk before it. A file that was cut off opens up to its last whole chunk.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import EngineError
from engine.media.commands import RecordingKey

MAGIC: Final = b"HLREC\x01\r\n"
KEY_SIZE: Final = 32
SALT_SIZE: Final = 32
TAG_SIZE: Final = 16
MAX_CHUNK: Final = 1 << 20
"""Octets in one chunk: who reads need not trust the file for more."""

_HEAD: Final = struct.Struct("!8s32s8s8s8x")
"""Magic, salt, name of the key, ending of what is inside."""
HEAD_SIZE: Final = _HEAD.size
_CHUNK: Final = struct.Struct("!IIQ")
"""Number, octets, and where they stand. No octets: the end, and how long the content is."""
_INFO: Final = b"hearthline recording 1"
_MAX_NUMBER: Final = 0xFFFFFFFF


class VaultError(EngineError):
    """An encrypted recording cannot be read or written; the message says why."""

    code = "recording_vault"


def master(key: RecordingKey) -> bytes:
    """The octets of a key. Raises VaultError, which shows nothing of it."""
    try:
        octets = base64.b64decode(key.key.strip(), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != KEY_SIZE:
        raise VaultError(f"the recording key must be {KEY_SIZE} octets in Base64, as `openssl rand -base64 32` makes")
    return octets


def _name(key: bytes) -> bytes:
    """What tells keys apart and nothing about them."""
    return hashlib.sha256(b"hearthline recording key" + key).digest()[:8]


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=salt, info=_INFO).derive(key))


class Sealer:
    """Writes one file: `head` first, then chunks in the order in which they were sealed and `kept`."""

    def __init__(self, key: bytes, salt: bytes, ending: str) -> None:
        """`salt`: 32 random octets that no other file has. `ending`: of the content, at most 8 letters."""
        self.head = _HEAD.pack(MAGIC, salt, _name(key), ending.encode())
        self._cipher = _cipher(key, salt)
        self._number = 0
        self._before = bytes(TAG_SIZE)

    def seal(self, at: int, octets: bytes) -> bytes:
        """One chunk that is to be written behind the last one that was kept. A number is spent even where it is not:
        another attempt never shares a nonce with this one. Raises VaultError after four thousand million chunks."""
        self._number += 1
        if self._number > _MAX_NUMBER or len(octets) > MAX_CHUNK:
            raise VaultError("the file is full")
        chunk = _CHUNK.pack(self._number, len(octets), at)
        return chunk + self._cipher.encrypt(_nonce(self._number), octets, self.head + chunk + self._before)

    def kept(self, chunk: bytes) -> None:
        """The chunk is in the file."""
        self._before = chunk[-TAG_SIZE:]


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class Opener:
    """Reads one file. `ending` tells what is inside; `complete` is known when `chunks` is at its end."""

    def __init__(self, read: Callable[[int], bytes], key: bytes) -> None:
        """`read(n)` gives the next n octets, fewer at the end of the file. Raises VaultError."""
        self._read = read
        head = read(HEAD_SIZE)
        if len(head) < HEAD_SIZE or head[: len(MAGIC)] != MAGIC:
            raise VaultError("not an encrypted recording of Hearthline")
        _, salt, name, ending = _HEAD.unpack(head)
        if name != _name(key):
            raise VaultError("encrypted with another key")
        self.ending: str = ending.rstrip(b"\0").decode("ascii", "replace")
        self.complete = False
        """The file was closed in order: nothing is missing at its end."""
        self.size = 0
        """Octets of the content, as far as it is known."""
        self._head = head
        self._cipher = _cipher(key, salt)

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """(place, octets) in the order in which they were written; later ones replace earlier ones. Ends where the file
        was cut off. Raises VaultError where it was changed."""
        number, before = 0, bytes(TAG_SIZE)
        while True:
            chunk = self._read(_CHUNK.size)
            if len(chunk) < _CHUNK.size:
                return
            found, length, at = _CHUNK.unpack(chunk)
            if length > MAX_CHUNK or found <= number:
                raise VaultError(f"damaged after chunk {number}")
            sealed = self._read(length + TAG_SIZE)
            if len(sealed) < length + TAG_SIZE:
                return
            try:
                octets = self._cipher.decrypt(_nonce(found), sealed, self._head + chunk + before)
            except InvalidTag as error:
                raise VaultError(f"damaged or changed after chunk {number}") from error
            number, before = found, sealed[-TAG_SIZE:]
            if not octets:
                self.complete = True
                self.size = at
                return
            self.size = max(self.size, at + length)
            yield at, octets
