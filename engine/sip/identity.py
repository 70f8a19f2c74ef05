"""How we name ourselves on a flow: the host in Via, Contact and From, and the parts of a message that repeat."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from engine.sip.flow import Address, Flow, Transport
from engine.sip.limits import MAX_REMEMBERED_FLOWS

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, REFER, NOTIFY, SUBSCRIBE, INFO, MESSAGE"
"""Within a dialog."""
ALLOW_ALL: Final = f"{ALLOW}, REGISTER"
SUPPORTED: Final = frozenset({"100rel", "norefersub", "replaces", "tdialog", "timer", "uui"})
"""Option tags that we understand (RFC 3262, 4488, 3891, 4538, 4028, 7433): what may stand in Require, and what we say
in Supported. The one place of both."""
ACCEPT: Final = "application/sdp, multipart/mixed"
"""Bodies that we read."""


class Reliable(StrEnum):
    """Which provisional responses are confirmed by PRACK (RFC 3262)."""

    NEVER = "never"
    """Whoever requires it is refused (420)."""
    WHEN_REQUIRED = "when_required"
    """Where the peer requires it. Our own calls offer it after a peer has said that it must be (421)."""
    WHEN_SUPPORTED = "when_supported"
    """Wherever the peer can; our own calls offer it."""
    ALWAYS = "always"
    """A peer that cannot is refused (421); our own calls require it."""


def understood(reliable: Reliable) -> frozenset[str]:
    """The option tags that may stand in Require."""
    return SUPPORTED - {"100rel"} if reliable is Reliable.NEVER else SUPPORTED


def offered(reliable: Reliable) -> str:
    """Supported of our own calls."""
    offers = reliable in (Reliable.WHEN_SUPPORTED, Reliable.ALWAYS)
    return ", ".join(sorted(SUPPORTED if offers else SUPPORTED - {"100rel"}))


BRANCH_COOKIE: Final = "z9hG4bK"


class Local:
    """The strings of one flow, made once."""

    __slots__ = ("_contact_tail", "address", "contact", "secure_contact", "sent_by", "via")

    def __init__(self, flow: Flow, address: Address) -> None:
        self.address = address
        host = f"[{address.host}]" if ":" in address.host else address.host
        sent_by = f"{host}:{address.port}"
        self.sent_by = f"{address.host.lower()}:{address.port}"
        """As `Via.sent_by` writes it."""
        tls = flow.transport is Transport.TLS
        transport = f";transport={flow.transport.lower()}" if flow.transport is not Transport.UDP else ""
        alias = ";alias" if tls else ""
        self.via = f"SIP/2.0/{flow.transport} {sent_by};rport{alias};branch={BRANCH_COOKIE}"
        """Wants only the rest of the branch. rport is asked for on every transport; it is an empty flag (RFC 3581 3).
        With TLS the peer is offered the connection for its own requests (RFC 5923 5)."""
        self._contact_tail = f"{sent_by}{transport}>"
        self.contact = f"<sip:{self._contact_tail}"
        self.secure_contact = f"<sips:{sent_by}>" if tls else self.contact
        """For who called us, or is called, by a `sips:` URI (RFC 5630 5.1.1.1)."""

    def contact_for(self, request_uri: str) -> str:
        """The Contact of a request to this URI, or of the answer to it."""
        return self.secure_contact if request_uri.startswith("sips:") else self.contact

    def contact_of(self, user: str) -> str:
        """A Contact with a user part, which is written as it is."""
        return f"<sip:{user}@{self._contact_tail}"

    def contact_like(self, contact: str) -> str:
        """A Contact of ours on another flow, written for this one: its user part and header parameters stay."""
        head, _, tail = contact.partition(">")
        user, found, _ = head.partition(":")[2].partition("@")
        return (self.contact_of(user) if found else self.contact_for(head[1:])) + tail


class Identity:
    """Finds the strings of a flow."""

    __slots__ = ("_advertise", "_cache")

    def __init__(self, advertise: Callable[[Flow], Address]) -> None:
        self._advertise = advertise
        self._cache: dict[Flow, Local] = {}

    def of(self, flow: Flow) -> Local:
        """What we call ourselves towards the flow's remote."""
        local = self._cache.get(flow)
        if local is None:
            if len(self._cache) >= MAX_REMEMBERED_FLOWS:
                self._cache.clear()
            local = self._cache[flow] = Local(flow, self._advertise(flow))
        return local
