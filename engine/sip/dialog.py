"""Dialogs: what two user agents remember of each other between requests (RFC 3261 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from engine.ids import IdSource
from engine.sip.errors import RemoteSipError
from engine.sip.flow import NOWHERE, Address, Flow, Transport
from engine.sip.grammar import IPV4
from engine.sip.headers import NameAddr, parse_name_addr_list
from engine.sip.identity import Identity
from engine.sip.limits import MAX_ROUTES
from engine.sip.memory import remember
from engine.sip.message import Headers, Request, Response
from engine.sip.names import refuse
from engine.sip.outbox import Outbox
from engine.sip.session_id import SessionIds, read_session_id
from engine.sip.transaction import ClientTransaction
from engine.sip.uri import SipUri, parse_any_uri

_DEFAULT_PORT: Final = 5060
_TLS_PORT: Final = 5061

DialogKey = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""


class DialogUser(Protocol):
    """The usage that a dialog belongs to."""

    def request_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        """A request within the dialog, its CSeq checked and no repetition. Raises RemoteSipError to refuse it."""

    def ack_received_for(self, number: int, ack: Request, now: float) -> None:
        """ACK of a 2xx to the INVITE with this CSeq number."""


class _Gone:
    """The usage of a dialog that is over."""

    def request_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        raise refuse(481, "the dialog is over")

    def ack_received_for(self, number: int, ack: Request, now: float) -> None: ...


GONE: Final = _Gone()


def dialog_name(call_id: str, local_tag: str, remote_tag: str) -> str:
    """One word for each dialog (RFC 3261 12), for those who have to know it again: none of the three has a space."""
    return f"{call_id} {local_tag} {remote_tag}"


class Dialog:
    """One dialog, early or confirmed. Its header texts are made once."""

    __slots__ = (
        "account",
        "allow",
        "call_id",
        "confirmed",
        "flow",
        "home_flow",
        "local_party",
        "local_sequence",
        "local_tag",
        "pinned",
        "remote_party",
        "remote_sequence",
        "remote_tag",
        "remote_target",
        "routes",
        "session_ids",
        "user",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local_party: str,
        local_tag: str,
        local_sequence: int,
        remote_party: str,
        remote_tag: str,
        remote_target: str,
        routes: tuple[str, ...],
        allow: str,
        flow: Flow,
        user: DialogUser,
        account: str | None = None,
        pinned: bool = False,
    ) -> None:
        self.pinned = pinned
        """The flow is the only way to the peer, as `Target.pinned`."""
        self.account = account
        """Whose login answers a challenge to our requests."""
        self.allow = allow
        """The peer's Allow as it came, "" where it said nothing."""
        self.call_id = call_id
        self.local_party = local_party
        """Our From in requests, with the tag."""
        self.local_tag = local_tag
        self.local_sequence = local_sequence
        self.remote_party = remote_party
        self.remote_tag = remote_tag
        self.remote_sequence: int | None = None
        """CSeq number of the peer's last request; None before the first."""
        self.remote_target = remote_target
        """URI of the peer's Contact."""
        self.routes = routes
        """Route header values, nearest first."""
        self.flow = flow
        """Where requests go: the way the peer's last request came. Never what its Contact says, which behind a home
        router names an address that we cannot reach."""
        self.home_flow = flow
        """Where it began; a stream connection that is made on demand is made again from this one."""
        self.user = user
        self.confirmed = False
        self.session_ids: SessionIds | None = None
        """Where an end of the session has a UUID (RFC 7989)."""

    @property
    def key(self) -> DialogKey:
        return self.call_id, self.local_tag, self.remote_tag

    def take_sequence(self, request: Request) -> None:
        """Note the CSeq number of a request of the peer. Raises RemoteSipError(500) where it does not rise
        (RFC 3261 12.2.2)."""
        number = request.cseq.number
        if self.remote_sequence is not None and number <= self.remote_sequence:
            raise refuse(500, f"CSeq {number} comes after {self.remote_sequence}")
        self.remote_sequence = number

    @property
    def next_hop(self) -> str:
        """The URI that a request is sent to: of the nearest route, or of the peer (RFC 3261 8.1.2)."""
        return self.routes[0][1:-1] if self.routes else self.remote_target

    @property
    def takes_update(self) -> bool:
        """Whether the peer has said that it takes UPDATE (RFC 3311 4)."""
        return "UPDATE" in self.allow

    def route_by(self, response: Response) -> bool:
        """Take target and route set of a response to our INVITE: of the first that must be acted on while the dialog is
        early, and of the 2xx (RFC 3261 13.2.2.4). False where its Contact is missing or of no use, or its Record-Route
        is: what remains is the best way there is to end the call, and no more."""
        sound = True
        try:
            contact = contact_of(response)
            if contact is None:
                sound = False
            else:
                self.remote_target = contact
        except RemoteSipError:
            sound = False
        try:
            self.routes = _routes(response)[::-1]
        except RemoteSipError:
            sound = False
        self.allow = response.headers.first.get("Allow") or self.allow
        if self.session_ids is not None:
            self.session_ids.hear(response.headers.first.get("Session-ID"))
        return sound

    def refresh_target(self, message: Request | Response) -> None:
        """Take over the Contact of a re-INVITE or UPDATE or of its 2xx (RFC 3261 12.2, RFC 3311 5); none leaves the old
        one."""
        contact = contact_of(message)
        if contact is not None:
            self.remote_target = contact
        self.allow = message.headers.first.get("Allow") or self.allow
        if self.session_ids is not None:
            self.session_ids.hear(message.headers.first.get("Session-ID"))


class Dialogs:
    """Every dialog of the endpoint, and the requests that go out on them."""

    __slots__ = ("_identity", "_ids", "_outbox", "_table")

    def __init__(self, identity: Identity, outbox: Outbox, ids: IdSource) -> None:
        self._identity = identity
        self._outbox = outbox
        self._ids = ids
        self._table: dict[DialogKey, Dialog] = {}

    def __len__(self) -> int:
        return len(self._table)

    def add(self, dialog: Dialog) -> None:
        self._table[dialog.key] = dialog

    def remove(self, dialog: Dialog) -> None:
        """Nothing reaches its usage any more, which is let go."""
        self._table.pop(dialog.key, None)
        dialog.user = GONE

    def find(self, request: Request) -> Dialog | None:
        """The dialog that a request of the peer is within."""
        to_tag = request.to_tag
        return None if to_tag is None else self._table.get((request.call_id, to_tag, request.from_tag or ""))

    def named(self, key: DialogKey) -> Dialog | None:
        """The dialog that a header field names (RFC 3891, 4538)."""
        return self._table.get(key)

    def of_ours(self, request: Request) -> Dialog | None:
        """The dialog that a request of ours is within."""
        to_tag = request.to_tag
        return None if to_tag is None else self._table.get((request.call_id, request.from_tag or "", to_tag))

    def request(
        self,
        dialog: Dialog,
        method: str,
        *,
        number: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> Request:
        """A request within the dialog (RFC 3261 12.2.1.1), with the next CSeq number or, for ACK, the given one."""
        if number is None:
            dialog.local_sequence = number = dialog.local_sequence + 1
        local = self._identity.of(dialog.flow)
        fields = {
            "Via": local.via + self._ids.token(),
            "Max-Forwards": "70",
            "From": dialog.local_party,
            "To": dialog.remote_party,
            "Call-ID": dialog.call_id,
            "CSeq": f"{number} {method}",
        }
        if method in ("INVITE", "UPDATE"):
            fields["Contact"] = local.contact_for(dialog.remote_target)
        if dialog.session_ids is not None:
            fields["Session-ID"] = str(dialog.session_ids)
        if body:
            fields["Content-Type"] = content_type
        request = Request(method, dialog.remote_target, Headers.of(fields), body)
        request.account, request.pinned = dialog.account, dialog.pinned
        if dialog.routes:
            request.request_uri, routes = follow(dialog.routes, dialog.remote_target)
            request.headers.extend([("Route", route) for route in routes])
        if headers:
            request.headers.extend(headers)
        return request

    def flow_for(self, dialog: Dialog) -> Flow:
        """Where a request goes now: a connection that is gone is replaced by one made on demand, where the dialog began
        with such a one. NOWHERE where the nearest route is to be located anew instead (RFC 3261 8.1.2): the proxy
        before a phone. The phone itself is not: its Contact names an address behind a home router, or the port that it
        called from, and it comes back by itself."""
        if not self._outbox.reaches(dialog.flow):
            if dialog.home_flow.connection == 0:
                dialog.flow = dialog.home_flow
            elif dialog.routes:
                return NOWHERE
        return dialog.flow

    def moved(self, request: Request, flow: Flow) -> None:
        """A request of ours was located anew: what follows it in its dialog goes there too."""
        dialog = self.of_ours(request)
        if dialog is not None:
            dialog.flow = flow

    def next_hop(self, request: Request) -> SipUri:
        """Where a request of ours goes by its dialog. Raises RemoteSipError where that cannot be read."""
        dialog = self.of_ours(request)
        return parse_any_uri(request.request_uri if dialog is None else dialog.next_hop)


def of_request(request: Request, local_tag: str, flow: Flow, user: DialogUser) -> Dialog:
    """The dialog of an INVITE that came in (RFC 3261 12.1.1). Raises RemoteSipError where Contact or Record-Route
    cannot be used."""
    target = contact_of(request)
    if target is None:
        raise refuse(400, "INVITE without Contact")
    to = request.headers.first.get("To", "")
    dialog = Dialog(
        call_id=request.call_id,
        local_party=f"{to};tag={local_tag}",
        local_tag=local_tag,
        local_sequence=0,
        remote_party=request.headers.first.get("From", ""),
        remote_tag=request.from_tag or "",
        remote_target=target,
        routes=_routes(request),
        allow=request.headers.first.get("Allow", ""),
        flow=flow,
        user=user,
    )
    dialog.remote_sequence = request.cseq.number
    return dialog


def of_response(invite: ClientTransaction, local_tag: str, response: Response, user: DialogUser) -> Dialog:
    """The dialog that a response to our INVITE makes (RFC 3261 12.1.2). It takes requests; for those that it sends it
    has the INVITE's target and routes until `Dialog.route_by`."""
    request = invite.request
    dialog = Dialog(
        call_id=request.headers.first.get("Call-ID", ""),
        local_party=request.headers.first.get("From", ""),
        local_tag=local_tag,
        local_sequence=invite.number,
        remote_party=response.headers.first.get("To", ""),
        remote_tag=response.to_tag or "",
        remote_target=request.request_uri,
        routes=tuple(request.headers.get_all("Route")) if "Route" in request.headers.first else (),
        allow=response.headers.first.get("Allow", ""),
        flow=invite.flow,
        user=user,
        account=request.account,
        pinned=request.pinned,
    )
    if "Session-ID" in request.headers.first:
        dialog.session_ids = SessionIds(read_session_id(request.headers.first["Session-ID"]))
        dialog.session_ids.hear(response.headers.first.get("Session-ID"))
    return dialog


def contact_of(message: Request | Response) -> str | None:
    """The URI of the one Contact, or None where there is none. Raises RemoteSipError(400) for several, and for what no
    request could be sent to (RFC 3261 8.1.1.8)."""
    headers = message.headers
    text = headers.first.get("Contact")
    if text is None or (text == "*" and message.contact_star):
        return None
    if headers.repeats and len(headers.get_all("Contact")) > 1:
        raise refuse(400, "Contact must be one SIP URI")
    return _read_contact(text)


@remember(1024, 256)
def _read_contact(text: str) -> str:
    contacts = parse_name_addr_list(text)
    if len(contacts) > 1 or not contacts[0].uri.is_sip:
        raise refuse(400, "Contact must be one SIP URI")
    return _target(contacts[0])


def _target(address: NameAddr) -> str:
    uri = address.uri
    text = str(uri)
    if "method" in uri.params:
        # No part of a Request-URI (RFC 3261 19.1.1), nor is what follows the "?".
        return str(
            replace(uri, params={key: value for key, value in uri.params.items() if key != "method"}, headers={})
        )
    return text.partition("?")[0] if uri.headers else text


def _routes(message: Request | Response) -> tuple[str, ...]:
    if "Record-Route" not in message.headers.first:
        return ()
    addresses = message.record_routes
    if len(addresses) > MAX_ROUTES:
        raise refuse(400, f"{len(addresses)} Record-Route")
    if not all(address.uri.is_sip for address in addresses):
        raise refuse(400, "Record-Route must be SIP URIs")
    return tuple(f"<{_target(address)}>" for address in addresses)


def way_back(dialog: Dialog, flow: Flow, tls_name: str) -> Flow:
    """Where requests go to a line that called by a connection, once that is gone: to the address it called from, at the
    port and by the transport that its nearest route or its Contact names. A dialog does not end with a connection
    (RFC 3261 18), and servers close idle ones. Never to another host, which may be one that only they can reach. Its
    certificate must be for `tls_name`; where none is set, for the host named there."""
    uri = parse_any_uri(dialog.next_hop)
    named = (uri.params.get("transport") or "").upper()
    transport = Transport.TLS if uri.scheme == "sips" else Transport.__members__.get(named, flow.transport)
    port = uri.port or (_TLS_PORT if transport is Transport.TLS else _DEFAULT_PORT)
    name = tls_name or ("" if IPV4.fullmatch(uri.host) or ":" in uri.host else uri.host)
    return Flow(transport, flow.local, Address(flow.remote.host, port), name=name if transport is Transport.TLS else "")


def answers_way(request: Request, flow: Flow, tls_name: str) -> Flow:
    """Where answers go once the connection that the request came by is gone (RFC 3261 18.2.2)."""
    tls = flow.transport is Transport.TLS
    port = request.via.port or (_TLS_PORT if tls else _DEFAULT_PORT)
    return Flow(flow.transport, flow.local, Address(flow.remote.host, port), name=tls_name if tls else "")


def follow(routes: tuple[str, ...], target: str) -> tuple[str, tuple[str, ...]]:
    """Request-URI and Route of a request: loose routers leave the target in the Request-URI, a strict one (RFC 2543)
    wants to be it (RFC 3261 12.2.1.1)."""
    first = routes[0][1:-1]
    # Behind the last "@", since a user part may hold semicolons.
    params = first.lower().rpartition("@")[2].split(";")[1:]
    if any(param == "lr" or param.startswith("lr=") for param in params):
        return target, routes
    return first, (*routes[1:], f"<{target}>")
