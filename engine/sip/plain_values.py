"""Values of header fields that are a number or a text, and need no type of their own."""

from __future__ import annotations

from typing import Final

from engine.sip.headers import parse_media_type, read_number
from engine.sip.limits import MAX_DELTA_SECONDS
from engine.sip.names import refuse

SDP: Final = "application/sdp"


def parse_call_id(text: str) -> str:
    """A Call-ID. Raises RemoteSipError(400)."""
    # Any printable ASCII but white space: what the grammar asks of words is passed over, since some peers use "=" and
    # "," and nothing is split at them here (RFC 3261 25.1, callid).
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise refuse(400, f"not a Call-ID: {text[:80]!r}")
    return text


def parse_max_forwards(text: str) -> int:
    """Max-Forwards, 0 to 255 (RFC 3261 20.22). Raises RemoteSipError(400)."""
    hops = read_number(text, 256)
    if hops is None or hops > 255:
        raise refuse(400, f"not a Max-Forwards: {text[:80]!r}")
    return hops


def parse_seconds(text: str) -> int:
    """Delta-seconds. Raises RemoteSipError(400)."""
    seconds = read_number(text, MAX_DELTA_SECONDS)
    if seconds is None:
        raise refuse(400, f"not a number of seconds: {text[:80]!r}")
    return seconds


def parse_retry_after(text: str) -> int:
    """Retry-After without its comment and parameters (RFC 3261 20.33). Raises RemoteSipError(400)."""
    digits = text.partition(";")[0].partition("(")[0].rstrip(" \t")
    return parse_seconds(digits)


def parse_content_type(text: str) -> str:
    """type/subtype in lower case, without parameters. Raises RemoteSipError(400)."""
    return SDP if text == SDP else parse_media_type(text)[0]
