"""Whatever text comes from outside (API, dialplan, directory, the other leg), what leaves is one message with the
fields that are meant, and a text that cannot be written is an error of ours with nothing sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.sip.carried import Carried
from engine.sip.endpoint import Target
from engine.sip.errors import LocalSipError
from engine.sip.events import InviteReceived, ReferReceived
from engine.sip.headers import NameAddr
from engine.sip.message import Request, Response
from engine.sip.parser import parse_datagram
from engine.sip.uri import SipUri, parse_uri
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import RawPeer, answering, pair, session_of
from tests.support.wire import EndpointStation, Wire

EVIL = [
    "\r\n",
    "\r",
    "\n",
    "\0",
    "\x0b",
    "\x7f",
    "\x85",
    "\u2028",
    '"',
    "\\",
    "<",
    ">",
    "%0d%0a",
    "%00",
    "%",
    ";tag=evil",
    ",",
    "@",
    "?Replaces=x",
    ";lr",
    ":",
    " ",
    "\t",
    "é",
    "\ud800",
    "Via: SIP/2.0/UDP evil",
    "\r\n\r\n",
    "Content-Length: 0",
]
texts = st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=3)), max_size=6).map("".join)
Act = Callable[[EndpointStation, RawPeer, Wire, str], None]


def aim(station: EndpointStation, raw: RawPeer, user: str | None = "100") -> Target:
    return Target(uri=SipUri(user=user, host="192.0.2.1"), flow=station.flow_to(raw))


def invite(station: EndpointStation, raw: RawPeer, wire: Wire, **options: object) -> None:
    given_target = options.pop("target", None) or aim(station, raw)
    options = {"from_user": "x", "sdp": SDP, **options}
    station.endpoint.invite(given_target, now=wire.now, **options)  # type: ignore[arg-type]


def ring(station: EndpointStation, raw: RawPeer, wire: Wire) -> None:
    raw.ask("INVITE")
    wire.run(0.1)


def refer(station: EndpointStation, raw: RawPeer, wire: Wire) -> ReferReceived:
    tag = raw.responses()[-1].to_tag
    raw.ask("REFER", number=2, to_tag=tag, fields=[("Refer-To", "<sip:200@192.0.2.9>")])
    wire.run(0.1)
    event = station.told(ReferReceived)[-1]
    assert isinstance(event, ReferReceived)
    return event


def invite_with(name: str) -> Act:
    def act(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
        invite(station, raw, wire, **{name: text})

    return act


def to_target(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    invite(station, raw, wire, target=aim(station, raw, text))


def to_params(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    uri = SipUri(user="1", host="192.0.2.1", params={"x": text, "y": None})
    invite(station, raw, wire, target=Target(uri=uri, flow=station.flow_to(raw)))


def with_header(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    invite(station, raw, wire, headers=[("X-Queue", text)])


def with_carried(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    diverted = NameAddr(text, SipUri(user=text, host="h.example"), {"reason": text})
    invite(
        station, raw, wire, carried=Carried(diversion=(diverted,), user_to_user=(text,), others=(("X-Other", text),))
    )


def refused(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    ring(station, raw, wire)
    station.endpoint.reject(session_of(station), 486, text, now=wire.now)


def refused_with_header(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    ring(station, raw, wire)
    station.endpoint.reject(session_of(station), 486, "", [("Reason", text)], now=wire.now)


def rung(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    ring(station, raw, wire)
    station.endpoint.progress(session_of(station), 180, text, now=wire.now)


def cancelled(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    number = station.endpoint.invite(aim(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[-1], 180)
    wire.run(0.1)
    station.endpoint.cancel(number, now=wire.now, reason_header=text)


def messaged(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    station.endpoint.send_message(aim(station, raw, text), from_user=text, from_display=text, text=text, now=wire.now)


def up(station: EndpointStation, raw: RawPeer, wire: Wire) -> None:
    station.on_event = lambda event, now: answering(station, event, now)
    raw.ask("INVITE")
    wire.run(0.1)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)


def hung_up(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    up(station, raw, wire)
    station.endpoint.bye(session_of(station), now=wire.now, reason_header=text)


def referred(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    up(station, raw, wire)
    to = SipUri(user=text, host="h.example")
    station.endpoint.refer(session_of(station), to, referred_by=text, now=wire.now)


def told_of_refer(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    up(station, raw, wire)
    number = refer(station, raw, wire).refer
    station.endpoint.accept_refer(number, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("NOTIFY")[-1], 200)
    station.endpoint.tell_refer(number, 486, text, now=wire.now)


def refused_refer(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    up(station, raw, wire)
    station.endpoint.refuse_refer(refer(station, raw, wire).refer, 603, text, now=wire.now)


def offered(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    up(station, raw, wire)
    station.endpoint.offer(session_of(station), SDP + f"a=x:{text}\r\n".encode("utf-8", "surrogatepass"), now=wire.now)


def refused_offer(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    up(station, raw, wire)
    raw.ask("INVITE", number=5, to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    station.endpoint.refuse_offer(session_of(station), 488, text, now=wire.now)


def described(station: EndpointStation, raw: RawPeer, wire: Wire, text: str) -> None:
    ring(station, raw, wire)
    station.endpoint.accept(session_of(station), SDP_ANSWER + text.encode("utf-8", "surrogatepass"), now=wire.now)


ACTS: dict[str, Act] = {
    "from_user": invite_with("from_user"),
    "from_display": invite_with("from_display"),
    "from_host": invite_with("from_host"),
    "to_user": invite_with("to_user"),
    "target": to_target,
    "params": to_params,
    "header": with_header,
    "carried": with_carried,
    "reject": refused,
    "reject_header": refused_with_header,
    "progress": rung,
    "cancel": cancelled,
    "message": messaged,
    "bye": hung_up,
    "refer": referred,
    "tell_refer": told_of_refer,
    "refuse_refer": refused_refer,
    "offer": offered,
    "refuse_offer": refused_offer,
    "accept": described,
}


def shape(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Method or status and the names of the fields; the datagram is one whole message and nothing more."""
    message = parse_datagram(data)
    assert isinstance(message, Request | Response)
    message.check()
    assert message.to_bytes() == data
    head = data.partition(b"\r\n\r\n")[0]
    assert b"\0" not in head
    kind = message.method if isinstance(message, Request) else str(message.status)
    return kind, tuple(name for name, _ in message.headers.items())


@lru_cache(maxsize=64)
def run(name: str, text: str) -> list[tuple[str, tuple[str, ...]]] | None:
    """The shapes of what was sent; None where the text was refused, and nothing of it left."""
    station, raw, wire = pair()
    try:
        ACTS[name](station, raw, wire, text)
    except LocalSipError:
        wire.run(0.1)
        assert not any(b"evil" in each.data for each in wire.log)
        return None
    wire.run(0.1)
    return [shape(each.data) for each in wire.log if each.source == station.address]


@pytest.mark.parametrize("name", ACTS)
@settings(max_examples=25, deadline=None)
@given(text=texts)
@example(text="\r\nVia: evil")
@example(text='"\\<>;tag=evil')
@example(text="\0")
def test_what_leaves_is_one_message_with_the_fields_that_are_meant(name: str, text: str) -> None:
    found = run(name, text)
    if found is not None:
        # An empty text may leave its field out, and a body has its type.
        plain, none = run(name, "plain"), run(name, "")
        assert plain is not None
        allowed = {(kind, *sorted(names)) for kind, names in [*plain, *(none or [])]}
        assert {(kind, *sorted(names)) for kind, names in found} <= allowed


@settings(max_examples=100, deadline=None)
@given(user=texts, display=texts, to_user=texts)
def test_names_come_back_as_they_were_given(user: str, display: str, to_user: str) -> None:
    station, raw, wire = pair()
    try:
        invite(station, raw, wire, from_user=user, from_display=display, target=aim(station, raw, to_user or "x"))
    except LocalSipError:
        return
    wire.run(0.1)
    (request,) = raw.requests("INVITE")
    assert request.from_.uri.user == user or not user
    assert request.from_.display == "".join(char for char in display if char >= " " and char != "\x7f")
    assert set(request.from_.params) == {"tag"}
    assert request.uri.user == (to_user or "x")
    assert (request.uri.host, request.uri.params, request.uri.headers) == ("192.0.2.1", {}, {})
    assert request.to.uri.user == (to_user or "x")
    assert request.to.params == {}


@pytest.mark.parametrize("user", ["1%20Via: evil", "x%3e%3btag=1", "%22", "a%40evil.example", "1%3bphone"])
def test_a_number_that_a_peer_escaped_stays_one_user_part_on_the_next_leg(user: str) -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", uri=f"sip:{user.replace(' ', '%20')}@192.0.2.9")
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    called = received.to_user
    invite(station, raw, wire, target=aim(station, raw, called), from_user=called, to_user=called)
    wire.run(0.1)
    (request,) = raw.requests("INVITE")
    assert parse_uri(request.request_uri).user == called == request.from_.uri.user == request.to.uri.user
    assert (request.uri.host, request.uri.params) == ("192.0.2.1", {})


def test_a_field_with_nul_goes_no_further() -> None:
    station, raw, wire = pair(settings={"pass_headers": ("X-Other",)})
    plain = raw.request("INVITE", fields=[("X-Other", "a_b"), ("User-To-User", "c_d")]).to_bytes()
    raw.send(plain.replace(b"a_b", b"a\0b").replace(b"c_d", b"c\0d"))
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    invite(station, raw, wire, carried=received.carried)
    wire.run(0.1)
    (request,) = raw.requests("INVITE")
    assert b"\0" not in request.to_bytes()
    assert "X-Other" not in request.headers
