"""Keys of AES_CM_128_HMAC_SHA1_80 for the benchmark's far ends."""

from __future__ import annotations

import os
from base64 import b64encode


def fresh_key() -> str:
    """Master key and salt, 30 octets in Base64 (RFC 4568 6.2)."""
    return b64encode(os.urandom(30)).decode()
