"""Typed values of header fields: addresses, Via, CSeq, parameters, lists. Each has a parser, which raises
RemoteSipError(400), and a `str()` that gives the field back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine.sip.errors import LocalSipError
from engine.sip.grammar import (
    AUTH_PARAM,
    AUTH_SCHEME,
    CSEQ,
    LIST_ELEMENT,
    MEDIA_TYPE,
    NAME_ADDR,
    PARAM,
    PLAIN_PARAMS_ONLY,
    TOKEN,
    TOKEN_LIST,
    VALUE,
    VIA,
    VIA_PLAIN,
    quote,
    unquote,
)
from engine.sip.limits import MAX_CSEQ, MAX_DELTA_SECONDS
from engine.sip.memory import remember
from engine.sip.names import METHODS, refuse
from engine.sip.uri import NO_PARAMS, SipUri, is_host, parse_any_uri, read_reference

MAGIC_COOKIE: Final = "z9hG4bK"
"""A branch that starts so is unique over space and time (RFC 3261 8.1.1.7)."""

DEFAULT_EXPIRES: Final = 3600
"""What a malformed expires parameter counts as (RFC 3261 20.10)."""


@dataclass(frozen=True, slots=True)
class NameAddr:
    """From, To, Contact, Route, Record-Route: a display name, a URI and the header's parameters (RFC 3261 20.10)."""

    display: str
    """Unquoted; empty where there is none. Control characters of quoted pairs are left out."""
    uri: SipUri
    params: Mapping[str, str | None] = field(default_factory=lambda: NO_PARAMS, hash=False)
    """Header parameters, names in lower case, values unquoted."""

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{print_params(self.params)}"

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    @property
    def expires(self) -> int | None:
        """Seconds of a Contact's expires parameter, at most 2**32-1; malformed counts as 3600 (RFC 3261 20.10)."""
        text = self.params.get("expires")
        if text is None:
            return None
        seconds = read_number(text, MAX_DELTA_SECONDS)
        return DEFAULT_EXPIRES if seconds is None else seconds


class Via(NamedTuple):
    """One hop of a response's way back (RFC 3261 20.42). A tuple, since every message makes one."""

    transport: str
    """Upper case: UDP, TCP, TLS, or what the peer made up."""
    host: str
    """IPv6 without brackets."""
    port: int | None = None
    params: Mapping[str, str | None] = NO_PARAMS

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {host}{port}{print_params(self.params)}"

    @property
    def branch(self) -> str | None:
        return self.params.get("branch")

    @property
    def has_magic_cookie(self) -> bool:
        """Whether the branch alone identifies the transaction; a bare cookie does not (RFC 3261 17.2.3)."""
        branch = self.params.get("branch") or ""
        return len(branch) > len(MAGIC_COOKIE) and branch.startswith(MAGIC_COOKIE)

    @property
    def rport(self) -> int | None:
        """The port that was filled in; None where absent or still empty: `"rport" in via.params` tells (RFC 3581)."""
        text = self.params.get("rport")
        return None if text is None else read_number(text, 65535)

    @property
    def received(self) -> str | None:
        """Source address, without brackets."""
        text = self.params.get("received")
        return text[1:-1] if text and text[0] == "[" and text[-1] == "]" else text

    @property
    def sent_by(self) -> str:
        """host:port in lower case, the port as written: part of the transaction key (RFC 3261 17.2.3)."""
        return f"{self.host.lower()}:{'' if self.port is None else self.port}"

    def with_source(self, host: str, port: int) -> Via:
        """The Via as a server notes it on arrival: `received` always, where it differs from sent-by or rport was asked
        for, and `rport` filled in where it was asked for (RFC 3261 18.2.1, RFC 3581 4)."""
        params = dict(self.params)
        if "rport" in params:
            params["rport"] = str(port)
        elif host == self.host:
            return self
        params["received"] = host
        return self._replace(params=params)


class SentBy(NamedTuple):
    """What a Via says but for its branch."""

    host: str
    port: int | None
    text: str
    """As `Via.sent_by`."""
    asks_rport: bool
    """Whether there is an rport, filled in or not."""
    untouched: bool
    """No `received` yet, and rport at most as an empty flag: the source can be added to the text as it stands."""


Hop = tuple[str, SentBy]
"""What a look-up asks of the topmost Via: its branch (empty where there is none) and the rest."""


class CSeq(NamedTuple):
    """Number and method of a transaction (RFC 3261 20.16). A tuple, since every message makes one."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def read_number(text: str, ceiling: int) -> int | None:
    """Digits to a number, everything past `ceiling` counting as it; None for what is not all digits."""
    if not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0")
    return min(int(digits or "0"), ceiling) if len(digits) <= 20 else ceiling


def parse_name_addr(text: str) -> NameAddr:
    """One address with its parameters. Raises RemoteSipError(400)."""
    match = NAME_ADDR.fullmatch(text)
    if match is not None:
        quoted, bare, uri, rest = match.groups()
        display = _visible(unquote(quoted)) if quoted else bare.rstrip(" \t").replace("\t", " ")
        return NameAddr(display, parse_any_uri(uri), parse_params(rest) if rest else NO_PARAMS)
    # addr-spec without brackets: what follows the first ";" belongs to the header, and the URI may hold neither "?" nor
    # "," (RFC 3261 20.10).
    uri, semicolon, rest = text.partition(";")
    uri = uri.rstrip(" \t")
    if "?" in uri or "," in uri:
        raise refuse(400, f"URI with '?' or ',' outside angle brackets: {text[:80]!r}")
    return NameAddr("", parse_any_uri(uri), parse_params(semicolon + rest) if semicolon else NO_PARAMS)


def parse_name_addr_list(text: str) -> tuple[NameAddr, ...]:
    """The addresses of one field value. Raises RemoteSipError(400)."""
    return tuple(parse_name_addr(element) for element in split_list(text))


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(char for char in text if char >= " " and char != "\x7f")


def parse_via(text: str) -> Via:
    """One via-parm. Raises RemoteSipError(400)."""
    match = VIA_PLAIN.fullmatch(text)
    read = _split_params
    if match is None:
        read = parse_params
        match = VIA.fullmatch(text)
        if match is None:
            raise refuse(400, f"not a Via: {text[:80]!r}")
    transport, host, port, params = match.groups()
    if host[0] == "[":
        host = read_reference(host)
    number = int(port) if port else None
    if number is not None and number > 65535:
        raise refuse(400, f"port {number} is out of range")
    if not is_host(host):
        raise refuse(400, f"{host[:80]!r} is neither a host name nor an address")
    return Via(transport.upper(), host, number, read(params) if params else NO_PARAMS)


def read_hop(text: str) -> Hop:
    """The hop that a Via field begins with. Only the branch changes from message to message, so that the rest is
    remembered. Raises RemoteSipError(400)."""
    before, found, after = text.partition(";branch=")
    branch, semicolon, rest = after.partition(";")
    if found and "," not in text and '"' not in text and (_is_word(branch) or VALUE.fullmatch(branch) is not None):
        return branch, _read_sent_by(before + semicolon + rest)
    via = parse_via(split_list(text)[0])
    return via.branch or "", SentBy(via.host, via.port, via.sent_by, "rport" in via.params, untouched=False)


def _is_word(text: str) -> bool:
    """Letters, digits and hyphens, as most write what they make up: asked before an expression is, which costs more."""
    return text.isascii() and text.replace("-", "").isalnum()


@remember(1024, 256)
def _read_sent_by(text: str) -> SentBy:
    via = parse_via(text)
    params = via.params
    if "branch" in params:
        raise refuse(400, f"a parameter is there twice: {text[:80]!r}")
    untouched = "received" not in params and text.count(";rport") == ("rport" in params) and params.get("rport") is None
    return SentBy(via.host, via.port, via.sent_by, "rport" in params, untouched)


def parse_via_list(text: str) -> tuple[Via, ...]:
    """The hops of one field value, the nearest first. Raises RemoteSipError(400)."""
    return tuple(parse_via(element) for element in split_list(text))


@remember(1024, 24)
def parse_cseq(text: str) -> CSeq:
    """Raises RemoteSipError(400), also for a number of 2**31 or more (RFC 3261 8.1.1.5)."""
    digits, _, method = text.partition(" ")
    if method not in METHODS or len(digits) > 10 or not digits.isdigit() or not digits.isascii():
        match = CSEQ.fullmatch(text)
        if match is None:
            raise refuse(400, f"not a CSeq: {text[:80]!r}")
        digits, method = match.groups()
    number = int(digits)
    if number > MAX_CSEQ:
        raise refuse(400, f"CSeq number {number} is out of range")
    return CSeq(number, method)


def parse_params(text: str) -> dict[str, str | None]:
    """`;name=value;flag` to a dictionary, names in lower case, quoted values unquoted. Raises RemoteSipError(400) for
    an empty or repeated parameter (RFC 3261 7.3.1)."""
    if PLAIN_PARAMS_ONLY.fullmatch(text):
        return _split_params(text)
    params: dict[str, str | None] = {}
    at = count = 0
    while at < len(text):
        match = PARAM.match(text, at)
        if match is None:
            raise refuse(400, f"malformed parameters: {text[at : at + 80]!r}")
        name, plain, quoted = match.groups()
        params[name.lower()] = plain if quoted is None else unquote(quoted)
        at = match.end()
        count += 1
    if len(params) != count:
        raise refuse(400, f"a parameter is there twice: {text[:80]!r}")
    return params


def parse_event(text: str) -> tuple[str, str]:
    """Package in lower case and `id` (empty where there is none) of an Event (RFC 6665 8.2.1). Raises RemoteSipError
    for parameters that cannot be read."""
    package, semicolon, params = text.partition(";")
    number = parse_params(f";{params}").get("id") if semicolon else None
    return package.strip().lower(), number or ""


def _split_params(text: str) -> dict[str, str | None]:
    """Parameters that PLAIN_PARAMS has matched."""
    params: dict[str, str | None] = {}
    items = text.split(";")
    for item in items[1:]:
        name, equals, value = item.partition("=")
        params[name.lower()] = value if equals else None
    if len(params) != len(items) - 1:
        raise refuse(400, f"a parameter is there twice: {text[:80]!r}")
    return params


@dataclass(frozen=True, slots=True)
class AuthParams:
    """What an authentication header says: a challenge or credentials (RFC 3261 20.7, 20.44)."""

    scheme: str
    """Lower case."""
    params: Mapping[str, str] = field(hash=False)
    """Names in lower case, values unquoted."""


def parse_auth(text: str) -> AuthParams:
    """WWW-Authenticate, Authorization and their Proxy- siblings, one field value. Raises RemoteSipError(400)."""
    match = AUTH_SCHEME.match(text)
    if match is None:
        raise refuse(400, f"not an authentication header: {text[:80]!r}")
    params: dict[str, str] = {}
    at = match.end()
    while at < len(text):
        found = AUTH_PARAM.match(text, at)
        if found is None or found[1].lower() in params:
            raise refuse(400, f"malformed authentication parameters: {text[at : at + 80]!r}")
        name, quoted, plain = found.groups()
        params[name.lower()] = unquote(quoted) if quoted is not None else plain
        at = found.end()
    if not params:
        raise refuse(400, f"no authentication parameters: {text[:80]!r}")
    return AuthParams(match[1].lower(), params)


def print_params(params: Mapping[str, str | None]) -> str:
    """The inverse of `parse_params`. Raises LocalSipError for a name that is no token."""
    if not params:
        return ""
    parts = []
    for name, value in params.items():
        if TOKEN.fullmatch(name) is None:
            raise LocalSipError(f"parameter name {name!r} is not a token")
        if value is None:
            parts.append(f";{name}")
        else:
            parts.append(f";{name}={value if VALUE.fullmatch(value) else quote(value)}")
    return "".join(parts)


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated value, commas inside quotes and angle brackets not separating. Raises
    RemoteSipError(400) for an empty element or an unbalanced quote (RFC 3261 7.3.1)."""
    if "," not in text:
        elements = [text]
    elif '"' not in text and "<" not in text:
        elements = [element.strip(" \t") for element in text.split(",")]
    else:
        elements = []
        at = 0
        while True:
            match = LIST_ELEMENT.match(text, at)
            end = match.end() if match else at
            elements.append(text[at:end].strip(" \t"))
            if end == len(text):
                break
            if text[end] != ",":
                raise refuse(400, f"unbalanced quote or bracket: {text[end : end + 80]!r}")
            at = end + 1
    if "" in elements:
        raise refuse(400, f"empty element in a list: {text[:80]!r}")
    return elements


def parse_tokens(text: str) -> tuple[str, ...]:
    """A list of tokens: Allow, Require, Supported. Empty text is an empty list (RFC 3261 20.37). Raises
    RemoteSipError(400)."""
    if not text:
        return ()
    if TOKEN_LIST.fullmatch(text) is None:
        raise refuse(400, f"not a list of tokens: {text[:80]!r}")
    return tuple(TOKEN.findall(text))


def parse_option_tags(text: str) -> tuple[str, ...]:
    """A list of option tags, in lower case. Raises RemoteSipError(400)."""
    return parse_tokens(text.lower())


def parse_media_type(text: str) -> tuple[str, dict[str, str | None]]:
    """Content-Type: "type/subtype" in lower case and its parameters. Raises RemoteSipError(400)."""
    match = MEDIA_TYPE.fullmatch(text)
    if match is None:
        raise refuse(400, f"not a media type: {text[:80]!r}")
    return f"{match[1]}/{match[2]}".lower(), parse_params(match[3])
