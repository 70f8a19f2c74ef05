"""What a REGISTER asks for: read and checked whole before anything is changed (RFC 3261 10.3, 3327 5.3, 5626 6)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.sip.binding import Q_ONE, Binding
from engine.sip.errors import RemoteSipError
from engine.sip.flow import Flow, Transport
from engine.sip.grammar import IPV4
from engine.sip.headers import NameAddr, read_number
from engine.sip.limits import MAX_CONTACTS, MAX_KEPT_TEXT, MAX_PATH, MAX_REG_ID
from engine.sip.message import Request
from engine.sip.names import refuse
from engine.sip.refusal import Refusal
from engine.sip.stack import EndpointConfig
from engine.sip.uri import NO_HEADERS, SipUri

UNDERSTOOD: Final = frozenset({"path", "outbound"})
"""What a REGISTER may require. GRUU is not offered: calls to a phone come through us, by its user's name."""


# qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
_QVALUE: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one Contact asks for."""

    contact: SipUri
    expires: int
    """Seconds that are granted; 0 removes."""
    known: Binding | None
    """The binding that it means; None for a new one."""
    instance: str | None
    reg_id: int | None
    q: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the whole REGISTER asks for."""

    star: bool
    """All bindings are to go."""
    each: tuple[Change, ...]
    path: tuple[str, ...]
    tells_path: bool
    """The phone knows Path and wants to see it (RFC 3327 5.3)."""
    outbound: bool
    """The phone keeps this flow alive and counts on us to use it and no other (RFC 5626)."""
    user_agent: str


def read_changes(
    request: Request, flow: Flow, bindings: Sequence[Binding], config: EndpointConfig, *, full: bool
) -> Changes:
    """What the REGISTER of a user with these bindings asks for. `full` says that there is no room for a new phone.
    Raises RemoteSipError or Refusal: 400, 420, 423, 439, 500 and 503."""
    _check_required(request)
    path = _read_path(request)
    supported = request.supported if "Supported" in request.headers.first else ()
    star = request.contact_star
    if star:
        if request.expires != 0:
            raise refuse(400, "Contact * without Expires: 0")
        for binding in bindings:
            _check_order(binding, request)
    brief = _brief(request, flow, config) if not path else 0
    each = () if star else _read_contacts(request, flow, bindings, config, brief)
    if full and any(change.known is None and change.expires for change in each):
        raise refuse(503, "too many phones")
    numbered = any(change.instance is not None and change.reg_id is not None for change in each)
    outbound = numbered and "outbound" in supported
    if outbound and not _first_hop_knows(request, path):
        raise Refusal(439, "the first hop knows no outbound", ())
    return Changes(
        star=star,
        each=each,
        path=path,
        tells_path=bool(path) and "path" in supported,
        outbound=outbound,
        user_agent="".join(filter(str.isprintable, (request.headers.get("User-Agent") or "")[:MAX_KEPT_TEXT])),
    )


def _check_required(request: Request) -> None:
    if "Require" in request.headers.first:
        unknown = ", ".join(tag for tag in request.require if tag.lower() not in UNDERSTOOD)
        if unknown:
            raise Refusal(420, "extensions are required", (("Unsupported", unknown),))


def _read_path(request: Request) -> tuple[str, ...]:
    """The proxies between us and the phone, ours first. A phone that does not say that it knows Path is served too:
    RFC 3327 5.3 leaves that to us, and proxies add it on behalf of phones that never heard of it."""
    if "Path" not in request.headers.first:
        return ()
    addresses = request.path
    if len(addresses) > MAX_PATH:
        raise refuse(400, f"{len(addresses)} Path")
    for address in addresses:
        if not address.uri.is_sip or "lr" not in address.uri.params or len(str(address.uri)) > MAX_KEPT_TEXT:
            raise refuse(400, "Path must be loose routers' SIP URIs")
    return tuple(f"<{address.uri}>" for address in addresses)


def _first_hop_knows(request: Request, path: tuple[str, ...]) -> bool:
    """RFC 5626 6: we are the first hop, or the first hop, which is the last that put itself into Path, says `ob`."""
    if len(request.vias) == 1:
        return True
    return bool(path) and "ob" in request.path[-1].uri.params


def _brief(request: Request, flow: Flow, config: EndpointConfig) -> int:
    """Seconds that a phone behind NAT is granted at most, so that its refreshes keep the way open (RFC 3261 has no word
    on that; a home router forgets an idle UDP flow after 30 to 180 s); 0 for no such bound. A phone that keeps its flow
    alive itself is granted what it asks for."""
    if not config.nat_expires_s or flow.transport is not Transport.UDP:
        return 0
    _, sent = request.hop
    bound = max(config.nat_expires_s, config.min_expires_s)
    return bound if sent.host != flow.remote.host else -bound


def _read_contacts(
    request: Request, flow: Flow, bindings: Sequence[Binding], config: EndpointConfig, brief: int
) -> tuple[Change, ...]:
    contacts = request.contacts
    if len(contacts) > MAX_CONTACTS:
        raise refuse(400, f"{len(contacts)} contacts")
    try:
        common = request.expires
    except RemoteSipError:
        common = None
    changes = []
    for contact in contacts:
        if not contact.uri.is_sip:
            raise refuse(400, "Contact must be a SIP URI")
        asked = contact.expires
        expires = asked if asked is not None else common if common is not None else config.default_expires_s
        if 0 < expires < config.min_expires_s:
            raise Refusal(423, f"{expires} s is too brief", (("Min-Expires", str(config.min_expires_s)),))
        instance, reg_id = _instance(contact), _reg_id(contact)
        bound = config.max_expires_s
        if brief and reg_id is None and (brief > 0 or _is_elsewhere(contact.uri, flow)):
            bound = min(bound, abs(brief))
        known = next((each for each in bindings if each.meant_by(contact.uri, instance, reg_id)), None)
        if known is not None:
            _check_order(known, request)
        # Header fields in a URI are for whoever clicks on it, not for a Request-URI (RFC 3261 19.1.1).
        uri = replace(contact.uri, headers=NO_HEADERS) if contact.uri.headers else contact.uri
        changes.append(
            Change(
                contact=uri,
                expires=min(expires, bound),
                known=known,
                instance=instance,
                reg_id=reg_id,
                q=_q(contact),
            )
        )
    if sum(change.reg_id is not None and change.expires > 0 for change in changes) > 1:
        raise refuse(400, "several contacts with a reg-id (RFC 5626 6)")
    return tuple(changes)


def _is_elsewhere(contact: SipUri, flow: Flow) -> bool:
    """Whether the Contact is an address other than that which the request came from."""
    is_address = ":" in contact.host or IPV4.fullmatch(contact.host) is not None
    return is_address and contact.host != flow.remote.host


def _check_order(binding: Binding, request: Request) -> None:
    """RFC 3261 10.3 steps 6 and 7: under one Call-ID the CSeq must rise, or the whole update fails."""
    if binding.call_id == request.call_id and request.cseq.number <= binding.sequence:
        raise refuse(500, f"REGISTER {request.cseq.number} comes after {binding.sequence}")


def _instance(contact: NameAddr) -> str | None:
    text = contact.params.get("+sip.instance")
    if text is not None and (len(text) > MAX_KEPT_TEXT or not text.isprintable()):
        raise refuse(400, "+sip.instance is too long, or no text")
    return text or None


def _reg_id(contact: NameAddr) -> int | None:
    """RFC 5626 4.2: 1 to 2**31 - 1. It means nothing without an instance."""
    text = contact.params.get("reg-id")
    if text is None or not contact.params.get("+sip.instance"):
        return None
    number = read_number(text, MAX_REG_ID)
    if not number:
        raise refuse(400, f"reg-id {text[:40]!r} is no positive number")
    return number


def _q(contact: NameAddr) -> int:
    text = contact.params.get("q")
    if text is None:
        return Q_ONE
    if _QVALUE.fullmatch(text) is None:
        raise refuse(400, f"q {text[:40]!r} is not 0 to 1")
    return round(float(text) * Q_ONE)
