"""Refusals of an INVITE of ours that another INVITE answers: a longer session interval (422, RFC 4028 7.3), an
extension that we have (421), and other addresses (3xx, RFC 3261 8.1.3.4) where the layer above lets them be
followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Final, NamedTuple

from engine.sip.attempts import copy_of
from engine.sip.dialog import follow
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.flow import Address, Flow, Transport
from engine.sip.headers import NameAddr
from engine.sip.limits import MAX_REDIRECTED, MAX_WISHES
from engine.sip.message import Request, Response
from engine.sip.session_headers import min_se_of, session_expires_of
from engine.sip.stack import Stack, Target
from engine.sip.uri import NO_HEADERS, SipUri, parse_uri

MayFollow = Callable[[SipUri, float], bool]
"""Whether a call may be sent to this address, which a 3xx names, now."""


class _Way(NamedTuple):
    """An address of a 3xx."""

    uri: str
    flow: Flow | None
    """None where it is to be located."""
    proxy: bool
    """305: the same is to be asked, by way of this address (RFC 3261 21.3.4)."""


RETRIED: Final = frozenset({300, 301, 302, 305, 421, 422})
"""Statuses that may be answered so."""
_DEFAULT_PORT: Final = 5060
_TLS_PORT: Final = 5061
_FOR_THEM: Final = ("P-Asserted-Identity",)
"""What is told to those that are trusted, and to nobody whom they name (RFC 3325 5)."""


class Retries:
    """Those of one session."""

    __slots__ = ("_may_follow", "_redirects", "_stack", "_tried", "_tries", "_waiting")

    def __init__(self, stack: Stack, redirects: int, may_follow: MayFollow | None = None) -> None:
        self._stack = stack
        self._may_follow = may_follow
        self._redirects = redirects
        """3xx that may still be followed."""
        self._tries = 0
        self._tried: set[str] = set()
        """Request-URIs, so that two servers cannot send us to and fro."""
        self._waiting: list[_Way] = []
        """Addresses of the last 3xx that were not tried yet, the best first."""

    def after(self, response: Response, request: Request, flow: Flow, now: float) -> tuple[Request, Target] | None:
        """What to send instead, and where; None where the refusal stands."""
        self._tried.add(request.request_uri)
        try:
            if response.status in (421, 422):
                fields = self._wish(response, request)
                here = _Way(request.request_uri, flow, False)
                return None if fields is None else self._again(request, here, fields)
            if response.status in RETRIED:
                self._note_addresses(response, flow)
            elif response.status >= 600:
                return None
        except (LocalSipError, RemoteSipError):
            return None
        while self._waiting and len(self._tried) <= MAX_REDIRECTED:
            way = self._waiting.pop(0)
            self._tried.add(way.uri)
            to = parse_uri(way.uri)
            if way.proxy:
                to = replace(to, user=request.uri.user)
            if self._may_follow is None or self._may_follow(to, now):
                return self._again(request, way, {})
        return None

    def _wish(self, response: Response, request: Request) -> dict[str, str] | None:
        self._tries += 1
        if self._tries > MAX_WISHES:
            return None
        if response.status == 421:
            wanted = {each.lower() for each in response.require}
            offered = set(request.supported)
            if not wanted - offered or not wanted <= self._stack.understood:
                return None
            return {"Supported": ", ".join(sorted(offered | wanted))}
        least, asked = min_se_of(response), session_expires_of(request)
        if least is None or (asked is not None and asked.seconds >= least):
            return None
        return {"Session-Expires": str(least), "Min-SE": str(least)}

    def _note_addresses(self, response: Response, flow: Flow) -> None:
        if self._redirects <= 0:
            self._waiting.clear()
            return
        self._redirects -= 1
        # sorted() is stable: of the same preference the first stays first (RFC 3261 20.10).
        contacts = sorted(response.contacts, key=_preference, reverse=True)
        proxy = response.status == 305
        ways = [_Way(_target_of(each), _way_to(each, flow), proxy) for each in contacts if _may_follow(each, flow)]
        self._waiting = [each for each in ways if each.uri not in self._tried] + self._waiting

    def _again(self, request: Request, way: _Way, fields: dict[str, str]) -> tuple[Request, Target]:
        """The request with the next CSeq number and another branch (RFC 3261 8.1.3.5), and where it goes."""
        again = copy_of(request, number=request.cseq.number + 1)
        to = parse_uri(way.uri)
        routes: tuple[str, ...] = ()
        if way.proxy:
            routes = (f"<{way.uri}>",)
            again.headers.remove("Route")
            again.request_uri, left = follow(routes, request.request_uri)
            again.headers.extend([("Route", route) for route in left])
        else:
            again.request_uri = way.uri
        at_home = _of_one_domain(to.host, request.uri.host)
        for name in ("Authorization", "Proxy-Authorization", *(() if at_home else _FOR_THEM)):
            again.headers.remove(name)
        for name, value in fields.items():
            again.headers.set(name, value)
        flow = way.flow
        if flow is not None:
            local = self._stack.identity.of(flow)
            again.headers.set_first("Via", local.via + self._stack.ids.token())
            again.headers.set_first("Contact", local.contact_like(request.headers.first.get("Contact", "")))
        account = request.account if at_home else None
        return again, Target(uri=again.uri, flow=flow, routes=routes, account=account, pinned=request.pinned)


def _of_one_domain(host: str, other: str) -> bool:
    """Whether two hosts are the same, or two names in one domain: nobody else is shown what only the trunk may know,
    nor proofs of its account's password to guess at."""
    host, other = host.lower(), other.lower()
    if host == other:
        return True
    parent = host.partition(".")[2]
    return "." in parent and parent == other.partition(".")[2] and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _preference(contact: NameAddr) -> float:
    text = contact.params.get("q") or "1"
    try:
        return float(text)
    except ValueError:
        return 0.0


def _target_of(contact: NameAddr) -> str:
    """The Request-URI that a Contact asks for: without header fields, and without the method, which is no part of one
    (RFC 3261 19.1.5)."""
    uri = contact.uri
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return str(replace(uri, params=params, headers=NO_HEADERS))


def _may_follow(contact: NameAddr, flow: Flow) -> bool:
    """Whether we speak what is wanted there: an INVITE of SIP, as safe as it is now."""
    uri = contact.uri
    if not uri.is_sip or (uri.params.get("method") or "INVITE") != "INVITE" or _is_for_many(uri.host):
        return False
    transport = _transport_of(contact, flow)
    return transport is not None and (transport is Transport.TLS) is (flow.transport is Transport.TLS)


def _transport_of(contact: NameAddr, flow: Flow) -> Transport | None:
    """By what the address is reached; None for what we do not have."""
    named = (contact.uri.params.get("transport") or "").upper()
    if contact.uri.scheme == "sips":
        return Transport.TLS if named in ("", "TCP", "TLS") else None
    if not named:
        # Of a server that is reached by TLS, an address that does not say so is another, less safe.
        return Transport.UDP if flow.transport is Transport.TLS else flow.transport
    return Transport(named) if named in Transport.__members__ else None


def _way_to(contact: NameAddr, flow: Flow) -> Flow | None:
    """The flow to an address given in numbers; None for a name, which is to be located."""
    host = contact.uri.host.strip("[]")
    transport = _transport_of(contact, flow) or flow.transport
    remote = Address(host, contact.uri.port or (_TLS_PORT if transport is Transport.TLS else _DEFAULT_PORT))
    if remote == flow.remote and transport is flow.transport:
        return flow
    return flow._replace(transport=transport, remote=remote, connection=0) if _is_address(host) else None


def _is_for_many(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_multicast
    except ValueError:
        return False
