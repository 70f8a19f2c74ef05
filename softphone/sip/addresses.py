"""Addresses as the SIP stack pjsua2 tells them."""

from __future__ import annotations

import re
from typing import Final

_NAME_ADDR: Final = re.compile(r'^\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^<"]*?))\s*<(?P<uri>[^>]*)>')


def host_of(address: str) -> str:
    """Host of `host:port`; the wheel has no IPv6."""
    return address.rpartition(":")[0]


def split_address(text: str) -> tuple[str, str]:
    """Split `"Name" <sip:a@b>` into address and name, escapes undone (RFC 3261, section 20.10)."""
    match = _NAME_ADDR.match(text)
    if match is None:
        return text.strip(), ""
    quoted = match["quoted"]
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (match["plain"] or "")
    return match["uri"], name
