"""The algorithms of digest (RFC 7616 3.2, RFC 8760 2): their names, their functions, and the secret of a session.

SHA-512-256 is no part of the standard library but of the OpenSSL that it is mostly built with: where that has it, it is
there. The server's side offers SHA-256 and MD5, which phones know; a client answers what it is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from engine.sip.errors import LocalSipError

_SESSION: Final = "-SESS"


def _sha512_256(data: bytes, *, usedforsecurity: bool) -> hashlib._Hash:
    return hashlib.new("sha512_256", data, usedforsecurity=usedforsecurity)


OFFERED: Final = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""What phones may be asked for, the preferred first."""
_HASHES: Final[dict[str, Callable[..., hashlib._Hash]]] = {
    **({"SHA-512-256": _sha512_256} if "sha512_256" in hashlib.algorithms_available else {}),
    **OFFERED,
}
NAMES: Final = {each.upper(): each for name in _HASHES for each in (name, f"{name}-sess")}
"""What we can answer, the preferred first: the key in capitals, as it is compared; the value as RFC 7616 writes it."""


def is_session(algorithm: str) -> bool:
    """Whether its secret is made for a session, of both nonces."""
    return algorithm.upper().endswith(_SESSION)


def hash_of(algorithm: str, data: bytes) -> str:
    """In hex; a session's algorithm hashes as the plain one. Raises LocalSipError for an algorithm that is not here."""
    make = _HASHES.get(algorithm.upper().removesuffix(_SESSION))
    if make is None:
        raise LocalSipError(f"digest algorithm {algorithm!r} is not supported")
    return make(data, usedforsecurity=False).hexdigest()


def session_secret(secret: str, algorithm: str, nonce: str, cnonce: str) -> str:
    """A1 of a session, hashed: H(H(user:realm:password):nonce:cnonce) (RFC 7616 3.4.2), with both nonces of its first
    request. Of another algorithm, the secret."""
    return hash_of(algorithm, f"{secret}:{nonce}:{cnonce}".encode()) if is_session(algorithm) else secret
