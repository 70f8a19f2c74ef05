"""SIP and tel URIs: parsed, compared and printed so that nothing a user part holds can leave its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from engine.sip.errors import LocalSipError
from engine.sip.grammar import ABSOLUTE_URI, EXTRA_COLON, HOSTNAME, IPV4, SIP_URI
from engine.sip.limits import MAX_HOST_LENGTH
from engine.sip.memory import remember
from engine.sip.names import refuse

_USER_SAFE: Final = "!~*'()&=+$,;?/"
_PASSWORD_SAFE: Final = "!~*'()&=+$,"
_PARAM_SAFE: Final = "!~*'()[]/:&+$"
_HEADER_SAFE: Final = "!~*'()[]/?:+$"
SIP_SCHEMES: Final = frozenset({"sip", "sips"})
_ALWAYS_COMPARED: Final = ("user", "ttl", "method", "maddr")
"""Parameters that never match where only one of two URIs has them (RFC 3261 19.1.4)."""

NO_PARAMS: Final[Mapping[str, str | None]] = MappingProxyType({})
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class SipUri:
    """A sip, sips or tel URI; in From, To and Contact also another scheme, opaque. Values are unescaped here and
    escaped by `str()`. Raises LocalSipError for a host that no URI can hold (RFC 3261 19.1)."""

    scheme: str = "sip"
    user: str | None = None
    """User part, unescaped; the number of a tel URI; the opaque part of a foreign scheme, as it came."""
    password: str | None = None
    host: str
    """Host name or address, lower case or as written, IPv6 without brackets; empty for tel and foreign schemes."""
    port: int | None = None
    params: Mapping[str, str | None] = field(default_factory=lambda: NO_PARAMS, hash=False)
    """Names in lower case, values unescaped; None where there is no "="."""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, hash=False)

    def __post_init__(self) -> None:
        if self.scheme in SIP_SCHEMES and not is_host(self.host):
            raise LocalSipError(f"{self.host!r} is neither a host name nor an address")

    def __str__(self) -> str:
        if self.scheme not in SIP_SCHEMES:
            return self._opaque()
        parts = [self.scheme, ":"]
        if self.user:
            parts.append(_escape(self.user, _USER_SAFE))
            if self.password is not None:
                parts += (":", _escape(self.password, _PASSWORD_SAFE))
            parts.append("@")
        parts.append(f"[{self.host}]" if ":" in self.host else self.host)
        if self.port is not None:
            parts.append(f":{self.port}")
        if self.params:
            parts.append(_print_params(self.params))
        if self.headers:
            pairs = (f"{_escape(k, _HEADER_SAFE)}={_escape(v, _HEADER_SAFE)}" for k, v in self.headers.items())
            parts.append("?" + "&".join(pairs))
        return "".join(parts)

    def _opaque(self) -> str:
        text = f"{self.scheme}:{self.user or ''}{_print_params(self.params)}"
        if ABSOLUTE_URI.fullmatch(text) is None:
            raise LocalSipError(f"{text!r} cannot be written as a URI")
        return text

    @property
    def is_sip(self) -> bool:
        """True for sip and sips: what a request can be sent to, and a Contact must be."""
        return self.scheme in SIP_SCHEMES

    def equivalent(self, other: SipUri) -> bool:
        """Whether both name the same resource (RFC 3261 19.1.4): user part by case, the rest not; a port that is left
        out differs from the same port written out; parameters that only one has are passed over but for four."""
        if self.scheme != other.scheme or self.user != other.user or self.password != other.password:
            return False
        if self.host.lower() != other.host.lower() or self.port != other.port:
            return False
        mine, theirs = self.params, other.params
        for name in mine.keys() & theirs.keys():
            if (mine[name] or "").lower() != (theirs[name] or "").lower():
                return False
        if any((name in mine) is not (name in theirs) for name in _ALWAYS_COMPARED):
            return False
        return {k.lower(): v for k, v in self.headers.items()} == {k.lower(): v for k, v in other.headers.items()}


def address_of(scheme: str, user: str | None, host: str) -> str:
    """What `str()` makes of a `SipUri` that has nothing else. The host is taken as it is, IPv6 without brackets."""
    where = f"[{host}]" if ":" in host else host
    return f"{scheme}:{where}" if not user else f"{scheme}:{_escape(user, _USER_SAFE)}@{where}"


def quote_user(user: str) -> str:
    """A user part as it stands in a URI."""
    return _escape(user, _USER_SAFE)


def is_host(text: str) -> bool:
    """Whether the text is a host name, an IPv4 address or an IPv6 address without brackets (RFC 3261 25.1)."""
    return len(text) <= MAX_HOST_LENGTH and _is_host(text)


@lru_cache(maxsize=1024)
def _is_host(text: str) -> bool:
    # Remembered, for peers are few and every message names three hosts.
    if ":" in text:
        try:
            IPv6Address(text)
        except AddressValueError:
            return False
        return "%" not in text
    if text[-1:].isdigit() and IPV4.fullmatch(text):
        return True
    return HOSTNAME.fullmatch(text) is not None


def read_reference(text: str) -> str:
    """The address in an IPv6reference, brackets taken off. RFC 3261's own grammar makes three colons before an embedded
    IPv4 address, and RFC 5118 4.10 wants them read as two."""
    return EXTRA_COLON.sub("::", text[1:-1])


def parse_uri(text: str) -> SipUri:
    """A Request-URI. Raises RemoteSipError: 416 for a scheme other than sip, sips and tel (RFC 3261 8.2.2.1), 400 for
    what is no URI."""
    uri = parse_any_uri(text)
    if uri.scheme not in SIP_SCHEMES and uri.scheme != "tel":
        raise refuse(416, f"URI scheme {uri.scheme[:40]!r} is not known here")
    return uri


@remember(1024, 128)
def parse_any_uri(text: str) -> SipUri:
    """A URI of From, To, Contact or Route, where any scheme may stand. Raises RemoteSipError(400)."""
    match = SIP_URI.fullmatch(text)
    if match is None:
        return _parse_foreign(text)
    scheme, user, password, host, port, params, headers = match.groups()
    if host[0] == "[":
        host = read_reference(host)
    number = int(port) if port else None
    if number is not None and number > 65535:
        raise refuse(400, f"port {number} is out of range")
    try:
        return SipUri(
            scheme=scheme.lower(),
            user=_unescape(user) if user else None,
            password=_unescape(password) if password else password,
            host=host,
            port=number,
            params=_read_params(params) if params else NO_PARAMS,
            headers=_read_headers(headers) if headers else NO_HEADERS,
        )
    except LocalSipError as error:
        raise refuse(400, str(error)) from None


def _parse_foreign(text: str) -> SipUri:
    match = ABSOLUTE_URI.fullmatch(text)
    if match is None or match[1].lower() in SIP_SCHEMES:
        raise refuse(400, f"not a URI: {text[:80]!r}")
    scheme, opaque = match[1].lower(), match[2]
    if scheme != "tel":
        return SipUri(scheme=scheme, user=opaque, host="")
    number, semicolon, params = opaque.partition(";")
    return SipUri(scheme=scheme, user=number, host="", params=_read_params(semicolon + params))


def _read_params(text: str) -> dict[str, str | None]:
    params: dict[str, str | None] = {}
    for item in text.split(";")[1:]:
        name, equals, value = item.partition("=")
        key = _unescape(name).lower()
        if not key or key in params:
            raise refuse(400, f"URI parameter {key[:40]!r} is empty or there twice")
        params[key] = _unescape(value) if equals else None
    return params


def _read_headers(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in text.split("&"))
    return {_unescape(name): _unescape(value) for name, _, value in pairs}


def _print_params(params: Mapping[str, str | None]) -> str:
    # A value that is empty cannot be written (RFC 3261 25.1: 1*paramchar).
    return "".join(
        f";{_escape(name, _PARAM_SAFE)}={_escape(value, _PARAM_SAFE)}" if value else f";{_escape(name, _PARAM_SAFE)}"
        for name, value in params.items()
    )


def _escape(text: str, safe: str) -> str:
    # Most are names and numbers.
    if text.isalnum() and text.isascii():
        return text
    try:
        return quote(text, safe)
    except UnicodeEncodeError as error:
        raise LocalSipError(f"text for a URI cannot be written: {error.reason}") from None


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise refuse(400, f"escaped octets are not UTF-8: {text[:80]!r}") from None
