"""Requests of ours outside of dialogs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.sip.carried import ANONYMOUS, NOTHING, Carried
from engine.sip.dialog import follow
from engine.sip.errors import LocalSipError
from engine.sip.grammar import quote
from engine.sip.identity import ALLOW
from engine.sip.message import Headers, Request
from engine.sip.session_id import NIL
from engine.sip.stack import Stack, Target
from engine.sip.uri import SipUri, address_of, is_host, quote_user

MAX_FORWARDS: Final = 70
"""RFC 3261 8.1.1.6."""


def invite_request(
    stack: Stack,
    target: Target,
    *,
    tag: str,
    from_user: str,
    from_display: str,
    from_host: str | None = None,
    to_user: str | None,
    sdp: bytes | None,
    headers: Sequence[tuple[str, str]],
    carried: Carried = NOTHING,
    max_forwards: int = MAX_FORWARDS,
) -> Request:
    """The INVITE of a new session (RFC 3261 13.2.1). Raises LocalSipError for what cannot be written."""
    fields = _fields(
        stack,
        target,
        "INVITE",
        tag=tag,
        from_user=from_user,
        from_display=from_display,
        from_host=from_host,
        to_user=to_user,
    )
    uri = f"{target.uri.scheme}:"
    # Written for the flow as soon as there is one.
    fields["Contact"] = f"<{uri}>" if target.flow is None else stack.identity.of(target.flow).contact_for(uri)
    fields["Max-Forwards"] = str(max_forwards)
    fields["Allow"] = ALLOW
    fields.update(stack.invite_fields)
    if sdp:
        fields["Content-Type"] = "application/sdp"
    request = Request("INVITE", target.uri, Headers.of(fields), sdp or b"")
    if target.routes:
        _route(request, target)
    if headers:
        request.headers.extend(headers)
    if carried is not NOTHING:
        _take_along(request, carried, tag)
    return request


def _take_along(request: Request, carried: Carried, tag: str) -> None:
    if carried.anonymous:
        request.headers.set("From", f"{ANONYMOUS};tag={tag}")
    if carried.session:
        # We stand for the caller, and whom we call has not told us a UUID yet (RFC 7989 6, 7).
        request.headers.add("Session-ID", f"{carried.session};remote={NIL}")
    request.headers.extend(carried.fields())


def options_request(stack: Stack, target: Target) -> Request:
    """An OPTIONS that asks whether anybody is there (RFC 3261 11.1)."""
    fields = _fields(
        stack, target, "OPTIONS", tag=stack.ids.token(), from_user=None, from_display="", to_user=target.uri.user
    )
    fields["Accept"] = "application/sdp"
    request = Request("OPTIONS", target.uri, Headers.of(fields))
    if target.routes:
        _route(request, target)
    return request


def register_request(
    stack: Stack,
    target: Target,
    *,
    address: SipUri,
    contact_user: str,
    instance: str,
    call_id: str,
    number: int,
    expires: int,
) -> Request:
    """A REGISTER of ours (RFC 3261 10.2) for an address; with `instance` by outbound (RFC 5626 4.2). Raises
    LocalSipError for what cannot be written."""
    fields = _fields(stack, target, "REGISTER", tag=stack.ids.token(), from_user=None, from_display="", to_user=None)
    who = f"<{address}>"
    user = quote_user(contact_user)
    contact = f"<sip:{user}@>" if target.flow is None else stack.identity.of(target.flow).contact_of(user)
    if instance:
        contact += f';+sip.instance="<{instance}>";reg-id=1'
    fields |= {
        "From": f"{who};tag={stack.ids.token()}",
        "To": who,
        "Call-ID": call_id,
        "CSeq": f"{number} REGISTER",
        "Contact": contact,
        "Expires": str(expires),
        "Supported": "path, outbound" if instance else "path",
    }
    request = Request("REGISTER", target.uri, Headers.of(fields))
    if target.routes:
        _route(request, target)
    return request


def _route(request: Request, target: Target) -> None:
    request.request_uri, routes = follow(target.routes, request.request_uri)
    request.headers.extend([("Route", route) for route in routes])


def message_request(stack: Stack, target: Target, *, from_user: str | None, from_display: str, body: bytes) -> Request:
    """A text for somebody (RFC 3428 5). Raises LocalSipError for what cannot be written."""
    tag = stack.ids.token()
    to_user = target.uri.user
    fields = _fields(stack, target, "MESSAGE", tag=tag, from_user=from_user, from_display=from_display, to_user=to_user)
    fields["Content-Type"] = "text/plain"
    return Request("MESSAGE", target.uri, Headers.of(fields), body)


def _fields(
    stack: Stack,
    target: Target,
    method: str,
    *,
    tag: str,
    from_user: str | None,
    from_display: str,
    from_host: str | None = None,
    to_user: str | None,
) -> dict[str, str]:
    uri = target.uri
    via, host = "", uri.host
    if target.flow is not None:
        local = stack.identity.of(target.flow)
        via = local.via + stack.ids.token()
        if target.account is None:
            host = local.address.host
    if from_host and not is_host(from_host):
        raise LocalSipError(f"{from_host[:80]!r} is neither a host name nor an address")
    # Who has an account is known there by an address of its domain (RFC 3261 8.1.1.3).
    caller = f"<{address_of('sip', from_user, from_host or host)}>;tag={tag}"
    called = address_of(uri.scheme, to_user or uri.user, uri.host) if uri.is_sip else str(uri)
    fields = {
        "Via": via,
        "Max-Forwards": str(MAX_FORWARDS),
        "From": f"{quote(from_display)} {caller}" if from_display else caller,
        "To": f"<{called}>",
        "Call-ID": stack.ids.token(),
        "CSeq": f"1 {method}",
    }
    if stack.config.server_name:
        fields["User-Agent"] = stack.config.server_name
    return fields
