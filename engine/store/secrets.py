"""Makes the secrets that phones and API clients prove themselves with, and the digests that are kept of them.

A SIP secret is generated, shown once, and kept as HA1 (RFC 7616 3.4.2, `H(user ":" realm ":" password)`) for the
engine's realm and each algorithm: what a thief finds in the store opens this engine's realm at most.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from math import ceil, log2
from typing import Final

_LETTERS: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without 0, O, 1, l, I and o: the secret may have to be typed into a phone by hand."""

SECRET_BITS: Final = 128
_SECRET_LENGTH: Final = ceil(SECRET_BITS / log2(len(_LETTERS)))

TOKEN_PREFIX: Final = "hl_"
"""Lets scanners of repositories and logs recognise a token that leaked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ha1Pair:
    md5: str
    sha256: str


def new_secret() -> str:
    """A SIP secret of at least 128 random bits, 22 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LENGTH))


def new_token() -> str:
    """An API token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def ha1_pair(user: str, realm: str, password: str) -> Ha1Pair:
    """HA1 in lower-case hex for both algorithms (RFC 7616 3.4.2, RFC 8760)."""
    text = f"{user}:{realm}:{password}".encode()
    return Ha1Pair(
        md5=hashlib.md5(text, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(text).hexdigest(),
    )


def token_digest(token: str) -> str:
    """SHA-256 in hex: enough for a random token, which nobody can guess from a list."""
    return hashlib.sha256(token.encode()).hexdigest()
