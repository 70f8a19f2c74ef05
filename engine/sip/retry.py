"""Refusals of an INVITE of ours that another INVITE answers: a longer session interval (422, RFC 4028 7.3), an
extension that we have (421), and other addresses (3xx, RFC 3261 8.1.3.4) where the layer above lets them be
followed."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from engine.sip.attempts import copy_of
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.flow import Address, Flow, Transport
from engine.sip.headers import NameAddr
from engine.sip.limits import MAX_REDIRECTED, MAX_WISHES
from engine.sip.message import Request, Response
from engine.sip.session_headers import min_se_of, session_expires_of
from engine.sip.stack import Stack, Target
from engine.sip.uri import parse_uri

RETRIED: Final = frozenset({300, 301, 302, 305, 421, 422})
"""Statuses that may be answered so."""
_DEFAULT_PORT: Final = 5060


class Retries:
    """Those of one session."""

    __slots__ = ("_redirects", "_stack", "_tried", "_tries", "_waiting")

    def __init__(self, stack: Stack, redirects: int) -> None:
        self._stack = stack
        self._redirects = redirects
        """3xx that may still be followed."""
        self._tries = 0
        self._tried: set[str] = set()
        """Request-URIs, so that two servers cannot send us to and fro."""
        self._waiting: list[tuple[str, Flow | None]] = []
        """Addresses of the last 3xx that were not tried yet, the best first."""

    def after(self, response: Response, request: Request, flow: Flow) -> tuple[Request, Target] | None:
        """What to send instead, and where; None where the refusal stands."""
        self._tried.add(request.request_uri)
        try:
            if response.status in (421, 422):
                fields = self._wish(response, request)
                return None if fields is None else self._again(request, request.request_uri, fields, flow)
            if response.status in RETRIED:
                self._note_addresses(response, flow)
            elif response.status >= 600:
                return None
        except (LocalSipError, RemoteSipError):
            return None
        if not self._waiting or len(self._tried) > MAX_REDIRECTED:
            return None
        uri, way = self._waiting.pop(0)
        return self._again(request, uri, {}, way)

    def _wish(self, response: Response, request: Request) -> dict[str, str] | None:
        self._tries += 1
        if self._tries > MAX_WISHES:
            return None
        if response.status == 421:
            wanted = set(response.require)
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
        ways = [(_target_of(each), _way_to(each, flow)) for each in contacts if _may_follow(each, flow)]
        self._waiting = [each for each in ways if each[0] not in self._tried] + self._waiting

    def _again(self, request: Request, uri: str, fields: dict[str, str], flow: Flow | None) -> tuple[Request, Target]:
        """The request with the next CSeq number and another branch (RFC 3261 8.1.3.5), and where it goes."""
        again = copy_of(request, number=request.cseq.number + 1)
        again.request_uri = uri
        for name in ("Authorization", "Proxy-Authorization"):
            again.headers.remove(name)
        for name, value in fields.items():
            again.headers.set(name, value)
        if flow is not None:
            again.headers.set_first("Via", self._stack.identity.of(flow).via + self._stack.ids.token())
        return again, Target(uri=parse_uri(uri), flow=flow, account=request.account, pinned=request.pinned)


def _preference(contact: NameAddr) -> float:
    text = contact.params.get("q") or "1"
    try:
        return float(text)
    except ValueError:
        return 0.0


def _target_of(contact: NameAddr) -> str:
    return str(contact.uri).partition("?")[0]


def _may_follow(contact: NameAddr, flow: Flow) -> bool:
    """Whether we speak what is wanted there: SIP, as safe as it is now, by the same transport."""
    uri = contact.uri
    if not uri.is_sip or (uri.scheme == "sips") is not (flow.transport is Transport.TLS):
        return False
    transport = (uri.params.get("transport") or "").upper()
    return (not transport or transport == flow.transport) and not _is_for_many(uri.host)


def _way_to(contact: NameAddr, flow: Flow) -> Flow | None:
    """The flow to an address given in numbers; None for a name, which is to be located."""
    host = contact.uri.host.strip("[]")
    remote = Address(host, contact.uri.port or _DEFAULT_PORT)
    if remote == flow.remote:
        return flow
    try:
        ip_address(host)
    except ValueError:
        return None
    return flow._replace(remote=remote, connection=0)


def _is_for_many(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_multicast
    except ValueError:
        return False
