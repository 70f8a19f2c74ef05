"""The Reason header: why a message was sent, in the causes of SIP and of the telephone network (RFC 3326)."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.sip.errors import RemoteSipError
from engine.sip.headers import parse_params, read_number, split_list
from engine.sip.limits import MAX_REASON
from engine.sip.message import Request, Response

_Q850_MAX: Final = 127
"""Causes have seven bits (ITU-T Q.850 2.2.5)."""


class Causes(NamedTuple):
    """What a Reason header says; None for a protocol that it does not name."""

    q850: int | None
    sip: int | None


NO_CAUSES: Final = Causes(None, None)


def reason_of(message: Request | Response) -> str:
    """The Reason header (RFC 3326), every field of it, shortened."""
    return ", ".join(message.headers.get_all("Reason"))[:MAX_REASON] if "Reason" in message.headers.first else ""


def read_reasons(text: str) -> Causes:
    """The causes of one field, the first of each protocol. What cannot be read says nothing: no call fails for it."""
    if not text:
        return NO_CAUSES
    found: dict[str, int] = {}
    try:
        for value in split_list(text):
            protocol, semicolon, params = value.partition(";")
            cause = read_number(parse_params(semicolon + params).get("cause") or "", 1000)
            if cause is not None:
                found.setdefault(protocol.strip().lower(), cause)
    except RemoteSipError:
        return NO_CAUSES
    q850, sip = found.get("q.850"), found.get("sip")
    return Causes(
        q850 if q850 is not None and 0 < q850 <= _Q850_MAX else None,
        sip if sip is not None and 100 <= sip <= 699 else None,
    )
