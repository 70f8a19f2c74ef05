"""`make fuzz`: one datagram, guided by coverage. Whatever it is, it parses or is refused by RemoteSipError; what parses
prints, and parses again to the same; and every value that we read of it is read, or refused.

    python -m tests.torture.fuzz_message [--seconds 600]
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from engine.sip import bodies, info, refer, refer_out, session_headers, subscription
from engine.sip.carried import NOTHING, read_carried
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.headers import Via, parse_name_addr, parse_via
from engine.sip.limits import MAX_HEAD_BYTES
from engine.sip.message import Request, Response
from engine.sip.parser import KeepAlive, ParseError, parse_datagram
from engine.sip.reason import read_reasons
from engine.sip.replaces import parse_replaces
from engine.sip.session_id import read_session_id
from engine.sip.uri import SipUri, parse_any_uri
from tests.torture.guided import run
from tests.torture.seeds import message_seeds as seeds

__all__ = ["fuzz", "seeds"]

Message = Request | Response


def _referred_replaces(request: Request) -> None:
    for value in refer._refer_to(request).uri.headers.values():
        parse_replaces(value)


def _carried(request: Request, *, agent: str | None) -> None:
    """What is carried can always be written, towards everybody."""
    carried = read_carried(request, agent=agent, trusted=True, passed=("Subject", "X-Id"))
    for told in (
        carried.towards_line(trusted=True, caller="600", called="601", host="192.0.2.100"),
        carried.towards_line(trusted=False, caller="600", called="601", host="192.0.2.100"),
        carried.towards_phone(show_hidden=True),
        carried.diverted("600", "192.0.2.100", "no-answer"),
    ):
        if told != NOTHING:
            Request.build("INVITE", "sip:a@h", told.fields()).to_bytes()


_VALUES: Final = (
    *("call_id", "cseq", "via", "hop", "vias", "from_", "to", "from_tag", "to_tag", "contact_star", "contacts"),
    *("routes", "record_routes", "path", "max_forwards", "expires", "min_expires", "retry_after", "content_type"),
    *("require", "proxy_require", "supported", "allow"),
)
_OF_ANY: Final[tuple[Callable[[Message], object], ...]] = (
    bodies.sdp_of,
    session_headers.session_expires_of,
    session_headers.min_se_of,
    lambda message: read_reasons(message.headers.get("Reason") or ""),
    lambda message: read_session_id(message.headers.get("Session-ID")),
    lambda message: parse_replaces(message.headers.get("Replaces") or ""),
    lambda message: refer_out._seconds(message.headers.get("Subscription-State") or ""),
    lambda message: info._read_key(message.body),
)
_OF_REQUESTS: Final[tuple[Callable[[Request], object], ...]] = (
    session_headers.rack_of,
    bodies.check_body,
    bodies.check_answerable,
    subscription.granted,
    refer._refer_to,
    refer._referred_by,
    refer_out._read_sipfrag,
    _referred_replaces,
    lambda request: _carried(request, agent=None),
    lambda request: _carried(request, agent="alice"),
    lambda request: request.note_source("192.0.2.77", 1024),
)


def fuzz(data: bytes) -> None:
    """One input."""
    try:
        message = parse_datagram(data)
    except ParseError as error:
        if isinstance(error.message, Request):
            Response.build(error.message, error.status_hint, to_tag="x").to_bytes()
        return
    if not isinstance(message, KeepAlive):
        look_into(message)


def look_into(message: Message) -> None:
    """Ask a message that was parsed for everything. Raises AssertionError for what does not survive printing."""
    printed = message.to_bytes()
    if printed.index(b"\r\n\r\n") + 4 <= MAX_HEAD_BYTES:
        assert parse_datagram(printed) == message, printed[:1500]
    with suppress(RemoteSipError):
        message.check()
    for name in _VALUES:
        with suppress(RemoteSipError):
            _survives(getattr(message, name))
    for read in _OF_ANY:
        with suppress(RemoteSipError):
            read(message)
    if isinstance(message, Response):
        with suppress(RemoteSipError):
            session_headers.rseq_of(message)
        return
    with suppress(RemoteSipError):
        _survives(message.uri)
    for take in _OF_REQUESTS:
        with suppress(RemoteSipError):
            take(message)
    Response.build(message, 400, to_tag="x").to_bytes()


def _survives(value: object) -> None:
    """A value that prints is read back the same; one of a foreign scheme may hold what we do not write."""
    for each in value if isinstance(value, tuple) and not isinstance(value, Via) else (value,):
        try:
            printed = str(each)
        except LocalSipError:
            continue
        if isinstance(each, Via):
            assert parse_via(printed) == each, printed
        elif isinstance(each, SipUri):
            assert parse_any_uri(printed) == each, printed
        elif hasattr(each, "display"):
            assert parse_name_addr(printed) == each, printed


if __name__ == "__main__":
    run("fuzz_message")
