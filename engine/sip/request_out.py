"""Requests of ours outside of dialogs."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sip.headers import NameAddr
from engine.sip.identity import ALLOW
from engine.sip.message import Request
from engine.sip.stack import Stack, Target
from engine.sip.uri import SipUri


def invite_request(
    stack: Stack,
    target: Target,
    *,
    tag: str,
    from_user: str,
    from_display: str,
    to_user: str | None,
    sdp: bytes | None,
    headers: Sequence[tuple[str, str]],
) -> Request:
    """The INVITE of a new session (RFC 3261 13.2.1). Raises LocalSipError for what cannot be written."""
    fields = _fields(stack, target, "INVITE", tag=tag, from_user=from_user, from_display=from_display, to_user=to_user)
    fields.append(("Contact", stack.identity.of(target.flow).contact))
    fields.append(("Allow", ALLOW))
    fields.extend(headers)
    return Request.build("INVITE", target.uri, fields, sdp or b"")


def options_request(stack: Stack, target: Target) -> Request:
    """An OPTIONS that asks whether anybody is there (RFC 3261 11.1)."""
    fields = _fields(
        stack, target, "OPTIONS", tag=stack.ids.token(), from_user=None, from_display="", to_user=target.uri.user
    )
    fields.append(("Accept", "application/sdp"))
    return Request.build("OPTIONS", target.uri, fields)


def _fields(
    stack: Stack,
    target: Target,
    method: str,
    *,
    tag: str,
    from_user: str | None,
    from_display: str,
    to_user: str | None,
) -> list[tuple[str, str]]:
    local = stack.identity.of(target.flow)
    uri = target.uri
    caller = NameAddr(from_display, SipUri(user=from_user, host=local.address.host))
    called = uri if not uri.is_sip else SipUri(scheme=uri.scheme, user=to_user or uri.user, host=uri.host)
    return [
        ("Via", local.via + stack.ids.token()),
        ("Max-Forwards", "70"),
        ("From", f"{caller};tag={tag}"),
        ("To", f"<{called}>"),
        ("Call-ID", stack.ids.token()),
        ("CSeq", f"1 {method}"),
        ("User-Agent", stack.config.server_name),
    ]
