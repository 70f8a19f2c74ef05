"""Requests and responses: raw header fields, typed values on demand, and bytes in which nothing can be injected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.grammar import TOKEN
from engine.sip.headers import (
    CSeq,
    Hop,
    NameAddr,
    Via,
    parse_cseq,
    parse_name_addr,
    parse_name_addr_list,
    parse_option_tags,
    parse_tokens,
    parse_via,
    parse_via_list,
    read_hop,
    split_list,
)
from engine.sip.multimap import Headers
from engine.sip.names import METHODS, REASONS, refuse
from engine.sip.plain_values import (
    SDP,
    parse_call_id,
    parse_content_type,
    parse_max_forwards,
    parse_retry_after,
    parse_seconds,
)
from engine.sip.session_id import SessionIds
from engine.sip.uri import SipUri, parse_uri

__all__ = ["Headers", "Message", "Request", "Response"]

_FORMS_DIALOG: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
_ECHOED: Final = ("Via", "From", "To", "Call-ID", "CSeq")


class Message:
    """What requests and responses share. The typed properties parse at first access and raise RemoteSipError, with the
    status that a request is answered with, where the field is malformed, or missing though the RFC demands it."""

    __slots__ = ("_hop", "body", "headers", "octets")

    headers: Headers
    body: bytes
    octets: bytes
    """As it came over the wire. Set by the parser alone: there is none of a message that we make."""
    _hop: Hop | None

    @property
    def start_line(self) -> str:
        """The first line, without its end."""
        raise LocalSipError("a message is a Request or a Response")

    def to_bytes(self) -> bytes:
        """The message as it goes out, Content-Length last and right. Raises LocalSipError where the start line or a
        value holds a line break or cannot be written in UTF-8."""
        fields = self.headers.items()
        lines = [self.start_line, *map(": ".join, fields), f"Content-Length: {len(self.body)}\r\n\r\n"]
        text = "\r\n".join(lines)
        breaks = len(fields) + 3
        # One pass over the finished text, instead of one over each part, is what keeps line breaks out by construction.
        if text.count("\n") != breaks or text.count("\r") != breaks:
            raise LocalSipError("line break inside the start line or a header field")
        try:
            return text.encode() + self.body
        except UnicodeEncodeError as error:
            raise LocalSipError(f"header text cannot be written: {error.reason}") from None

    @property
    def call_id(self) -> str:
        return self.headers.one("Call-ID", parse_call_id)

    @property
    def cseq(self) -> CSeq:
        # Each message is asked several times.
        cseq: CSeq | None = self.headers.typed.get("CSeq")
        return self.headers.one("CSeq", parse_cseq) if cseq is None else cseq

    @property
    def via(self) -> Via:
        """The topmost Via: the hop that the message comes from, or that a response goes to."""
        return self.headers.top("Via", parse_via)

    @property
    def hop(self) -> Hop:
        """What look-ups ask of the topmost Via; where the message came from makes no difference to it. Read once."""
        if self._hop is None:
            self._hop = read_hop(self.headers.one_text("Via"))
        return self._hop

    @property
    def vias(self) -> tuple[Via, ...]:
        return self.headers.each("Via", parse_via_list)

    @property
    def from_(self) -> NameAddr:
        return self.headers.one("From", parse_name_addr)

    @property
    def to(self) -> NameAddr:
        return self.headers.one("To", parse_name_addr)

    @property
    def from_tag(self) -> str | None:
        """The tag of From without parsing the address, for look-ups."""
        return _tag_of(self, "From")

    @property
    def to_tag(self) -> str | None:
        """The tag of To without parsing the address, for look-ups."""
        return _tag_of(self, "To")

    @property
    def contact_star(self) -> bool:
        """Whether Contact is "*": all bindings (RFC 3261 10.2.2). Raises RemoteSipError where more stand beside."""
        values = self.headers.get_all("Contact")
        if "*" not in values:
            return False
        if len(values) > 1:
            raise refuse(400, "Contact * stands beside others")
        return True

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """Every Contact; empty for none and for "*"."""
        return () if self.contact_star else self.headers.each("Contact", parse_name_addr_list)

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        return self.headers.each("Route", parse_name_addr_list)

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        return self.headers.each("Record-Route", parse_name_addr_list)

    @property
    def path(self) -> tuple[NameAddr, ...]:
        return self.headers.each("Path", parse_name_addr_list)

    @property
    def max_forwards(self) -> int | None:
        """0-255; None where absent (RFC 2543 peers), which counts as 70 (RFC 3261 16.3)."""
        return self.headers.maybe("Max-Forwards", parse_max_forwards)

    @property
    def expires(self) -> int | None:
        """Seconds, at most 2**32-1."""
        return self.headers.maybe("Expires", parse_seconds)

    @property
    def min_expires(self) -> int | None:
        return self.headers.maybe("Min-Expires", parse_seconds)

    @property
    def retry_after(self) -> int | None:
        """Seconds, without the comment and parameters that may follow (RFC 3261 20.33)."""
        return self.headers.maybe("Retry-After", parse_retry_after)

    @property
    def content_type(self) -> str | None:
        """type/subtype in lower case, without parameters."""
        return self.headers.maybe("Content-Type", parse_content_type)

    @property
    def require(self) -> tuple[str, ...]:
        """Option tags as they are written, for `Unsupported` repeats them; `requires` asks without case."""
        return self.headers.each("Require", parse_tokens)

    def requires(self, tag: str) -> bool:
        """Whether Require has the tag, given in lower case (RFC 3261 7.3.1: case means nothing)."""
        return any(each.lower() == tag for each in self.require)

    @property
    def proxy_require(self) -> tuple[str, ...]:
        return self.headers.each("Proxy-Require", parse_tokens)

    @property
    def supported(self) -> tuple[str, ...]:
        """Option tags, lower case."""
        return self.headers.each("Supported", parse_option_tags)

    @property
    def allow(self) -> tuple[str, ...]:
        """Methods, case as written (they are case-sensitive)."""
        return self.headers.each("Allow", parse_tokens)

    def check(self) -> None:
        """Parses everything that this class knows by name. Raises RemoteSipError for the first that is malformed."""
        for name in _CHECKED:
            getattr(self, name)


def _tag_of(message: Message, key: str) -> str | None:
    text = message.headers.first.get(key)
    if text is None:
        raise refuse(400, f"{key} is missing")
    if text[-1:] == ">":
        return None
    _, found, tag = text.rpartition(">;tag=")
    if found and tag and (tag.isalnum() or _is_plain(tag)):
        return tag
    return message.headers.one(key, parse_name_addr).tag


def _is_plain(tag: str) -> bool:
    return tag.isprintable() and not any(char in tag for char in '; ">')


_CHECKED: Final = (
    *("call_id", "cseq", "vias", "via", "from_", "to", "from_tag", "to_tag", "contacts", "routes", "record_routes"),
    *("max_forwards", "expires", "min_expires", "retry_after", "content_type"),
    *("require", "proxy_require", "supported", "allow", "path"),
)


class Request(Message):
    """A request (RFC 3261 7.1)."""

    __slots__ = ("_uri", "account", "method", "pinned", "request_uri", "session_ids")

    def __init__(self, method: str, uri: SipUri | str, headers: Headers | None = None, body: bytes = b"") -> None:
        self.method = method
        self.request_uri = str(uri)
        """As it came or goes out."""
        self.account: str | None = None
        """Of a request of ours: whose login answers a challenge to it."""
        self.pinned = False
        """Of a request of ours: its flow is the only way to the peer, whatever its length."""
        self.session_ids: SessionIds | None = None
        """Of a request of a peer: what its answers name the session (RFC 7989 6)."""
        self._uri: SipUri | None = None
        self._hop = None
        self.headers = headers if headers is not None else Headers()
        self.body = body

    @classmethod
    def build(
        cls,
        method: str,
        uri: SipUri | str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """A request of ours; a body without a type is SDP. Raises LocalSipError for a method that is no token, a URI
        with white space, and what `Headers.add` refuses."""
        if method not in METHODS and TOKEN.fullmatch(method) is None:
            raise LocalSipError(f"method {method!r} is not a token")
        request = cls(method, uri, Headers(headers), body)
        if not request.request_uri or " " in request.request_uri or "\t" in request.request_uri:
            raise LocalSipError(f"white space in Request-URI {request.request_uri!r}")
        _type_body(request, content_type)
        return request

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        mine = (self.method, self.request_uri, self.body, self.headers)
        return mine == (other.method, other.request_uri, other.body, other.headers)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.request_uri}>"

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.request_uri} SIP/2.0"

    @property
    def uri(self) -> SipUri:
        """The Request-URI. Raises RemoteSipError, 416 for a foreign scheme (RFC 3261 8.2.2.1)."""
        if self._uri is None:
            self._uri = parse_uri(self.request_uri)
        return self._uri

    @property
    def credentials(self) -> list[tuple[str, str]]:
        """What an ACK repeats of its INVITE, since nobody may challenge it (RFC 3261 22.1)."""
        first = self.headers.first
        names = [name for name in ("Authorization", "Proxy-Authorization") if name in first]
        return [(name, value) for name in names for value in self.headers.get_all(name)]

    def check(self) -> None:
        uri = self.uri
        if uri.headers:
            raise refuse(400, "header fields in the Request-URI (RFC 3261 19.1.1)")
        super().check()

    def note_source(self, host: str, port: int) -> None:
        """Writes `received` and `rport` into the topmost Via, from which every response is copied (RFC 3261 18.2.1,
        RFC 3581 4). Raises RemoteSipError where the Via is malformed."""
        _, sent = self.hop
        text = self.headers.first["Via"]
        if sent.untouched:
            if sent.asks_rport:
                text = text.replace(";rport", f";rport={port}", 1)
            elif host == sent.host:
                return
            self.headers.set_first("Via", f"{text};received={host}")
            return
        via = self.via.with_source(host, port)
        if via is not self.via:
            rest = split_list(text)[1:] if "," in text else []
            if "\0" in text:  # which we could not write back, as every answer would have to
                raise refuse(400, "NUL in Via")
            self.headers.set_first("Via", ", ".join([str(via), *rest]))


class Response(Message):
    """A response (RFC 3261 7.2). Its builder is `build`, since `to` is the header field."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str = "", headers: Headers | None = None, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self._hop = None
        self.headers = headers if headers is not None else Headers()
        self.body = body

    @classmethod
    def build(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        to_tag: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Response:
        """The response to a request (RFC 3261 8.2.6.2): every Via, From, To, Call-ID and CSeq copied, `to_tag` put on a
        To that has none (never on 100), Record-Route copied where the answer forms a dialog (12.1.1), Timestamp into
        100 (8.2.6.1). A body without a type is SDP. Raises LocalSipError for a status out of range and what
        `Headers.add` refuses."""
        if not 100 <= status <= 699:
            raise LocalSipError(f"status {status} is out of range")
        fields = _echo(request, status, to_tag)
        if headers:
            fields.extend(headers)
        response = cls(status, REASONS.get(status, "Unknown") if reason is None else reason, fields, body)
        if body or content_type is not None:
            _type_body(response, content_type)
        return response

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Response):
            return NotImplemented
        mine = (self.status, self.reason, self.body, self.headers)
        return mine == (other.status, other.reason, other.body, other.headers)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"


def _echo(request: Request, status: int, to_tag: str | None) -> Headers:
    """What a response repeats. Of From, To, Call-ID and CSeq the first alone: a request with two is being refused."""
    headers = request.headers
    first = headers.first
    echo = {key: first[key] for key in _ECHOED if key in first}
    if to_tag is not None and status != 100 and "To" in echo and _may_lack_tag(request):
        echo["To"] += f";tag={to_tag}"
    if status == 100 and "Timestamp" in first:
        echo["Timestamp"] = first["Timestamp"]
    if request.session_ids is not None:
        echo["Session-ID"] = str(request.session_ids)
    routed = "Record-Route" in first and 100 < status < 300 and request.method in _FORMS_DIALOG
    if not routed and not headers.repeats:
        return Headers.of(echo)
    fields = [("Via", via) for via in headers.get_all("Via")]
    if routed:
        fields += [("Record-Route", route) for route in headers.get_all("Record-Route")]
    return Headers.of_all([*fields, *(field for field in echo.items() if field[0] != "Via")])


def _may_lack_tag(request: Request) -> bool:
    if request.headers.first["To"][-1:] == ">":
        return True
    try:
        return request.to_tag is None
    except RemoteSipError:
        # A To that cannot be read is being refused; a tag behind it is the best that can be done (RFC 3261 8.2.6.2).
        return True


def _type_body(message: Message, content_type: str | None) -> None:
    if content_type is not None:
        message.headers.set("Content-Type", content_type)
    elif message.body and "Content-Type" not in message.headers:
        message.headers.add("Content-Type", SDP)
