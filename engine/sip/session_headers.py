"""Header fields of an INVITE session: RSeq and RAck (RFC 3262), Session-Expires and Min-SE (RFC 4028)."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.sip.headers import parse_option_tags, parse_params, read_number
from engine.sip.limits import MAX_CSEQ, MAX_DELTA_SECONDS
from engine.sip.memory import remember
from engine.sip.message import Request, Response
from engine.sip.names import refuse

UAC: Final = "uac"
UAS: Final = "uas"


class RAck(NamedTuple):
    """Which reliable provisional response a PRACK confirms."""

    rseq: int
    cseq: int
    method: str


class SessionExpires(NamedTuple):
    """How long a session lasts without a refresh, and who refreshes it."""

    seconds: int
    refresher: str | None
    """"uac" or "uas", of the request that the field belongs to; None where that is left open."""


def rseq_of(response: Response) -> int | None:
    """The number of a reliable provisional response, None where it is none: without RSeq, or without 100rel in Require
    (RFC 3262 4). Raises RemoteSipError."""
    if "RSeq" not in response.headers.first or not response.requires("100rel"):
        return None
    return response.headers.one("RSeq", _parse_rseq)


def rack_of(request: Request) -> RAck:
    """Raises RemoteSipError(400) where it is missing or malformed."""
    return request.headers.one("RAck", _parse_rack)


def session_expires_of(message: Request | Response) -> SessionExpires | None:
    """Raises RemoteSipError(400)."""
    text = message.headers.first.get("Session-Expires")
    return None if text is None else _parse_session_expires(text)


def min_se_of(message: Request | Response) -> int | None:
    """Raises RemoteSipError(400)."""
    text = message.headers.first.get("Min-SE")
    return None if text is None else _parse_min_se(text)


@remember(256, 256)
def supports_timer(text: str) -> bool:
    """Whether the one Supported field of a message names `timer`. Raises RemoteSipError(400)."""
    return "timer" in parse_option_tags(text)


def _parse_rseq(text: str) -> int:
    number = read_number(text, MAX_CSEQ + 1)
    if not number or number > MAX_CSEQ:
        raise refuse(400, f"not an RSeq: {text[:80]!r}")
    return number


def _parse_rack(text: str) -> RAck:
    parts = text.split()
    if len(parts) != 3:
        raise refuse(400, f"not a RAck: {text[:80]!r}")
    numbers = [read_number(part, MAX_CSEQ + 1) for part in parts[:2]]
    rseq, cseq = numbers
    if not rseq or cseq is None:
        raise refuse(400, f"not a RAck: {text[:80]!r}")
    return RAck(rseq, cseq, parts[2])


@remember(256, 64)
def _parse_session_expires(text: str) -> SessionExpires:
    digits, semicolon, params = text.partition(";")
    refresher = (parse_params(";" + params).get("refresher") or "").lower() if semicolon else ""
    return SessionExpires(_seconds(digits), refresher if refresher in (UAC, UAS) else None)


@remember(64, 64)
def _parse_min_se(text: str) -> int:
    return _seconds(text.partition(";")[0])


def _seconds(text: str) -> int:
    seconds = read_number(text.strip(), MAX_DELTA_SECONDS)
    if not seconds:
        raise refuse(400, f"not a session interval: {text[:80]!r}")
    return seconds
