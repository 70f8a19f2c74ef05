"""What the stack tells the layer above. A **session** is one INVITE usage, from the first INVITE to its end, in or out;
exactly one of InviteFailed, InviteCancelled, SessionEnded closes every session that was announced or asked for, except
an inbound one that we ourselves rejected (nothing follows `reject`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from engine.sip.carried import NOTHING, Carried
from engine.sip.flow import Flow
from engine.sip.uri import SipUri

SessionId = NewType("SessionId", int)
PingId = NewType("PingId", int)
ReferId = NewType("ReferId", int)
MessageId = NewType("MessageId", int)
LocateKey = NewType("LocateKey", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPeer:
    """The request proved by digest that it comes from this agent."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkPeer:
    """The request came from an address of this trunk."""

    name: str


Peer = AgentPeer | TrunkPeer


class EndedBy(StrEnum):
    """Who or what ended an established session."""

    REMOTE = "remote"
    """BYE from the peer."""
    LOCAL = "local"
    """Our BYE was answered (or went unanswered until Timer F): the dialog is gone."""
    ACK_TIMEOUT = "ack_timeout"
    """No ACK for our 2xx within 64*T1 (RFC 3261 13.3.1.4); the stack has sent BYE."""
    SESSION_EXPIRED = "session_expired"
    """Nobody refreshed the session within the agreed interval (RFC 4028 10); the stack has sent BYE."""
    DIALOG_GONE = "dialog_gone"
    """481 or 408 to a request within the dialog (RFC 3261 12.2.1.2); the stack has sent BYE."""
    CONNECTION_LOST = "connection_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteReceived:
    """A new call for us, from an authenticated agent or a trunk. 100 Trying goes out unless it is answered at once."""

    session: SessionId
    peer: Peer
    flow: Flow
    call_id: str
    """The SIP Call-ID, for logs and traces."""
    to_user: str
    """User part of the Request-URI, unescaped: the number that was called."""
    from_user: str
    from_display: str
    sdp: bytes | None
    """The offer; None asks us for one (late offer, RFC 3261 13.2.1)."""
    carried: Carried = NOTHING
    """What the call brings along for its next leg."""
    replaces: SessionId | None = None
    """The session whose place the call is to take (RFC 3891). Whether this peer may have it is for us to decide."""
    hops: int = 70
    """Max-Forwards: how many more switches the call may pass. A call that goes on from us has one less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteCancelled:
    """The caller gave up before our final answer (CANCEL answered, 487 sent), or its connection was lost."""

    session: SessionId
    reason: str = ""
    """Text of the Reason header, if any (RFC 3326)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AckReceived:
    """Our 2xx is acknowledged. `sdp` is the answer to a late offer, else None."""

    session: SessionId
    flow: Flow
    """The way that the peer speaks to us by now."""
    sdp: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReceived:
    """A provisional answer other than 100 to our INVITE."""

    session: SessionId
    status: int
    sdp: bytes | None
    reliable: bool = False
    """It came by RFC 3262: `sdp` then is the answer to our offer, or, where we made none, an offer, which waits for
    `answer_offer`."""
    dialog: str = field(default="", compare=False)
    """The peer's tag: which place that a proxy forked the call to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteAccepted:
    """2xx to our INVITE; ACK has been sent. Further 2xx of other forks are acknowledged and ended by the stack."""

    session: SessionId
    flow: Flow
    sdp: bytes | None
    """The answer to our offer: that of the reliable provisional response where there was one, else that of the 2xx,
    else what this place last said before it. Where `invite` had no offer, the offer of the 2xx, if it was not settled
    before."""
    dialog: str = field(default="", compare=False)
    """The peer's tag: which of several places it is that answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteFailed:
    """Our INVITE ended without a call: final 3xx-6xx, timeout (408), no way to send (503), or 487 after `cancel`."""

    session: SessionId
    status: int
    reason: str
    retry_after: int | None = None
    timed_out: bool = False
    """True where no peer answered (Timer B, or no final answer in time after CANCEL): the status is then ours."""
    reason_header: str = ""
    """Text of the Reason header of the response, if any (RFC 6432)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """An established session is over; nothing more can be done with it."""

    session: SessionId
    by: EndedBy
    reason: str = ""
    """Text of the Reason header of a BYE, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReceived:
    """re-INVITE, UPDATE or PRACK with an offer from the peer, before the call is answered too (RFC 3311); answer at
    once with `answer_offer` or `refuse_offer`. None asks us for an offer."""

    session: SessionId
    flow: Flow
    """The way that it came, which may be another than before: phones change networks."""
    sdp: bytes | None
    dialog: str = field(default="", compare=False)
    """The peer's tag: which of several places asks, while the call is not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAnswered:
    """2xx to our re-INVITE or UPDATE, or the PRACK that answers the offer of a provisional response."""

    session: SessionId
    sdp: bytes | None
    flow: Flow | None = field(default=None, compare=False)
    """The way that our request went; None of a PRACK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRefused:
    """Our re-INVITE or UPDATE was refused; the session stays as it was (RFC 3261 14.1). 491 has been retried by the
    stack."""

    session: SessionId
    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMoved:
    """The phone of a session that is up has registered from another address; what we send in the session goes there
    from now on."""

    session: SessionId
    flow: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingAdded:
    """A phone registered for the user (a refresh on the same flow and contact is not told)."""

    user: str
    contact: str
    flow: Flow
    expires_s: int
    user_agent: str
    source: str = field(default="")
    """"host:port" that the REGISTER came from, for logs and the API."""


class BindingEnd(StrEnum):
    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    CONNECTION_LOST = "connection_lost"
    REPLACED = "replaced"
    """The same contact came by another flow; BindingAdded follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRemoved:
    user: str
    contact: str
    why: BindingEnd
    left: int
    """Bindings that the user still has; 0 means unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingAnswered:
    """Outcome of `ping`: any final answer shows a living peer; None means Timer F or no connection."""

    ping: PingId
    status: int | None
    round_trip_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferReceived:
    """A party of a call asks that the other one be called by, or joined with, somebody (RFC 3515); answer with
    `accept_refer` or `refuse_refer`, then tell by `tell_refer` how it goes."""

    session: SessionId
    refer: ReferId
    to_user: str
    """User part of Refer-To, unescaped: the number to call."""
    to_uri: str
    """Refer-To, without the header fields in it."""
    replaces_asked: bool
    """Refer-To names a dialog that the new call is to take the place of."""
    replaces: SessionId | None
    """The session with that dialog; None where we have no such one."""
    referred_by: str
    """Referred-By (RFC 3892), for the new call; empty where there is none that can be read."""
    by: str | None
    """Who has proved by digest to be asking; None where it came from where the dialog lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferAnswered:
    """The peer has taken (2xx) or refused our REFER; nothing follows a refusal."""

    refer: ReferId
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferNotified:
    """What the peer says about the call that we have asked it for."""

    refer: ReferId
    status: int | None
    """Of that call; None where it was not said."""
    reason: str
    over: bool
    """Nothing more comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived:
    """A key, by INFO."""

    session: SessionId
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A text (RFC 3428); answer with `answer_message`."""

    message: MessageId
    peer: Peer | None
    """Who sent it; None within a call, whose peer is known."""
    within: SessionId | None
    """The call that it came within."""
    to_user: str
    from_user: str
    from_display: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAnswered:
    """Outcome of `send_message`; None where nobody answered."""

    message: MessageId
    status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationUp:
    """A registrar knows us now, or names another way to it (`Endpoint.register_at`); a refresh is not told."""

    name: str
    expires_s: int
    """What it granted."""
    flow: Flow
    """The way by which it did."""
    service_routes: tuple[str, ...]
    """Route header values for requests to it (RFC 3608), for `Target.routes`; mostly none."""
    answers: bool = False
    """Whether it promised to answer on the flow (RFC 5626 6: `Require: outbound`, Flow-Timer), which is kept alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationDown:
    """A registrar does not know us (any more); it is tried again, unless it was we who left. Told when that is news."""

    name: str
    status: int | None
    """What it answered, 408 for nothing and 503 for no way; None where we left."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateWanted:
    """A request goes to a URI whose flows are not known (`Target.flow` None): find them (RFC 3263) and call
    `Endpoint.located` with them in the order of trying, also where there is none."""

    key: LocateKey
    uri: SipUri
    """The next hop: the first route, else the target."""


@dataclass(frozen=True, slots=True)
class AbandonedEnded:
    """A peer has hung up in a dialog that `Endpoint.abandoned` names; answered already."""

    dialog: str


SipEvent = (
    InviteReceived
    | InviteCancelled
    | AckReceived
    | ProgressReceived
    | InviteAccepted
    | InviteFailed
    | SessionEnded
    | OfferReceived
    | OfferAnswered
    | OfferRefused
    | FlowMoved
    | BindingAdded
    | BindingRemoved
    | PingAnswered
    | ReferReceived
    | ReferAnswered
    | ReferNotified
    | DtmfReceived
    | MessageReceived
    | MessageAnswered
    | LocateWanted
    | RegistrationUp
    | RegistrationDown
    | AbandonedEnded
)
