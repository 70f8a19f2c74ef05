"""What the grammar allows is read, printed and read again to the same; what lies a character beside it has no other
effect than RemoteSipError. The texts come from `abnf`, by the rules of RFC 3261 25.1 and of the extensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.sip import refer_out, session_headers
from engine.sip.bodies import check_answerable
from engine.sip.carried import read_carried
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.headers import parse_auth, parse_name_addr_list, parse_via_list
from engine.sip.message import Request, Response
from engine.sip.parser import ParseError, parse_datagram
from engine.sip.reason import read_reasons
from engine.sip.refer import _refer_to
from engine.sip.replaces import parse_replaces
from engine.sip.session_id import read_session_id
from engine.sip.uri import parse_any_uri
from tests.torture import abnf
from tests.torture.fuzz_message import look_into

QUICK = settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Without shrinking, which takes minutes for texts of so many parts; a failure shows the text, which is short."""

FIELDS = {
    "Via": "SIP/2.0/UDP h;branch=z9hG4bK1",
    "From": "<sip:a@h>;tag=1",
    "To": "<sip:b@h>",
    "Call-ID": "c",
    "CSeq": "1 INVITE",
}


def written(name: str, value: str, *, start: str = "INVITE sip:b@h SIP/2.0", body: str = "") -> bytes:
    """A message with this field, beside or instead of those that must be there."""
    fields = {**FIELDS, name: value}
    return "\r\n".join([start, *(f"{key}: {text}" for key, text in fields.items()), "", body]).encode()


def request(name: str, value: str, **more: str) -> Request:
    message = parse_datagram(written(name, value, **more))
    assert isinstance(message, Request)
    return message


def same_again(message: Request | Response) -> None:
    assert parse_datagram(message.to_bytes()) == message


def printed_again(values: object, parse: Callable[[str], object]) -> None:
    """The values of a list, printed as one field."""
    assert isinstance(values, tuple)
    assert values
    try:
        text = ", ".join(map(str, values))
    except LocalSipError:
        # A foreign scheme keeps what it came with, which may be more than we write.
        assert any(not value.uri.is_sip for value in values)
        return
    assert parse(text) == values


Reader = Callable[[Request], object]


def attribute(name: str) -> Reader:
    return lambda message: getattr(message, name)


def carried(attribute: str, field: str) -> Reader:
    """What is long or holds a tab is left out: nothing is lost by it but what accompanies a call."""

    def read(message: Request) -> object:
        found = getattr(read_carried(message, agent=None, trusted=True, passed=()), attribute)
        text = message.headers.first[field]
        assert found or len(text) > 512 or not text.isprintable(), text
        return found

    return read


def read_event(message: Request) -> str:
    kind = (message.headers.get("Event") or "").partition(";")[0].strip()
    assert kind in {"refer", "dialog", "message-summary", "presence.winfo"}
    return kind


def read_state(message: Request) -> float:
    state, _, params = (message.headers.get("Subscription-State") or "").partition(";")
    seconds = refer_out._seconds(params)
    assert state.strip() in {"active", "pending", "terminated", "x"}
    return seconds


RULES: dict[str, tuple[abnf.Text, Reader]] = {
    "Via": (abnf.via, attribute("vias")),
    "From": (abnf.with_tag, attribute("from_")),
    "To": (abnf.with_tag, attribute("to")),
    "Call-ID": (abnf.call_id, attribute("call_id")),
    "Contact": (abnf.contact, attribute("contacts")),
    "Route": (abnf.routes, attribute("routes")),
    "Record-Route": (abnf.routes, attribute("record_routes")),
    "Path": (abnf.routes, attribute("path")),
    "Max-Forwards": (st.integers(0, 255).map(str), attribute("max_forwards")),
    "Expires": (abnf.delta_seconds, attribute("expires")),
    "Min-Expires": (abnf.delta_seconds, attribute("min_expires")),
    "Retry-After": (abnf.retry_after, attribute("retry_after")),
    "Content-Type": (abnf.media_type, attribute("content_type")),
    "Require": (abnf.tokens, attribute("require")),
    "Proxy-Require": (abnf.tokens, attribute("proxy_require")),
    "Supported": (abnf.maybe(abnf.tokens), attribute("supported")),
    "Allow": (abnf.maybe(abnf.tokens), attribute("allow")),
    "Accept": (abnf.of("application/sdp", abnf.comma, abnf.media_type), check_answerable),
    "WWW-Authenticate": (abnf.challenge, lambda message: parse_auth(message.headers.get("WWW-Authenticate") or "")),
    "Authorization": (abnf.credentials, lambda message: parse_auth(message.headers.first["Authorization"])),
    "Replaces": (abnf.replaces, lambda message: parse_replaces(message.headers.first["Replaces"])),
    "Session-Expires": (abnf.session_expires, session_headers.session_expires_of),
    "Min-SE": (abnf.session_expires, session_headers.min_se_of),
    "RAck": (abnf.rack, session_headers.rack_of),
    "Reason": (abnf.reason, lambda message: read_reasons(message.headers.first["Reason"])),
    "Refer-To": (abnf.refer_to, _refer_to),
    "Session-ID": (abnf.session_id, lambda message: read_session_id(message.headers.get("Session-ID"))),
    "History-Info": (abnf.history_info, carried("history", "History-Info")),
    "Diversion": (abnf.of(abnf.name_addr, abnf.generic_params), carried("diversion", "Diversion")),
    "P-Asserted-Identity": (abnf.asserted, carried("asserted", "P-Asserted-Identity")),
    "User-to-User": (abnf.user_to_user, carried("user_to_user", "User-to-User")),
    "Event": (abnf.event, read_event),
    "Subscription-State": (abnf.subscription_state, read_state),
}
"""By the name of the field: its rule, and how we read it."""
LISTS: dict[str, Callable[[str], object]] = {
    "Via": parse_via_list,
    **dict.fromkeys(("Contact", "Route", "Record-Route", "Path"), parse_name_addr_list),
}


@pytest.mark.parametrize("name", RULES)
@QUICK
@given(data=st.data())
def test_what_the_grammar_allows(name: str, data: st.DataObject) -> None:
    rule, read = RULES[name]
    message = request(name, data.draw(rule))
    value = read(message)
    same_again(message)
    message.check()
    if name in LISTS and not message.contact_star:
        printed_again(value, LISTS[name])
    if name in ("From", "To"):
        printed_again((value,), parse_name_addr_list)
    if name == "Replaces":
        assert parse_replaces(str(value)) == value


@pytest.mark.parametrize("name", RULES)
@QUICK
@given(data=st.data())
def test_a_character_beside_the_grammar(name: str, data: st.DataObject) -> None:
    text = data.draw(RULES[name][0])
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 2))
    more = data.draw(st.sampled_from(['"', "<", ">", "\\", ";", ",", "%", "=", "[", "\0", "\x7f", "é", " ", ""]))
    try:
        message = parse_datagram(written(name, text[:at] + more + text[at + cut :]))
    except ParseError:
        return
    assert isinstance(message, Request)
    look_into(message)


@QUICK
@given(abnf.sip_uri_with_headers | abnf.absolute_uri)
def test_uris(text: str) -> None:
    uri = parse_any_uri(text)
    if uri.is_sip:
        assert parse_any_uri(str(uri)) == uri
        assert uri.equivalent(parse_any_uri(str(uri)))


@QUICK
@given(abnf.method, abnf.sip_uri, st.integers(0, 2**31 - 1), abnf.lws)
def test_requests(method: str, uri: str, number: int, white: str) -> None:
    message = request("CSeq", f"{number}{white}{method}", start=f"{method} {uri} SIP/2.0")
    assert (message.method, message.cseq) == (method, (number, method))
    message.check()
    same_again(message)


@QUICK
@given(st.integers(100, 699), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), abnf.rseq)
def test_responses(status: int, phrase: str, number: str) -> None:
    start = f"SIP/2.0 {status} {phrase}"
    message = parse_datagram(written("RSeq", number, start=start).replace(b"RSeq:", b"Require: 100rel\r\nRSeq:"))
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (status, phrase)
    assert session_headers.rseq_of(message) == int(number)
    message.check()
    same_again(message)


@QUICK
@given(abnf.sipfrag)
def test_fragments(text: str) -> None:
    message = request("Content-Type", "message/sipfrag;version=2.0", body=text)
    status, phrase = refer_out._read_sipfrag(message)
    assert f"SIP/2.0 {status} {phrase}".strip() == text.strip()


@QUICK
@given(st.data())
def test_a_character_beside_a_uri(data: st.DataObject) -> None:
    text: Any = data.draw(abnf.sip_uri_with_headers)
    at = data.draw(st.integers(0, len(text)))
    try:
        uri = parse_any_uri(text[:at] + data.draw(st.sampled_from(list('"<>;,%=@:[]? \0é'))) + text[at + 1 :])
    except RemoteSipError:
        return
    if uri.is_sip:
        assert parse_any_uri(str(uri)) == uri
