"""The seams of the calls layer: what it asks of legs, of media and of queues, as protocols that others implement.

Nobody calls back into his caller: a port's method only queues effects, and what comes of them arrives later as an
event, so that there is no re-entrancy anywhere in the core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final, Protocol

from engine.calls.causes import EndCause
from engine.calls.directory import AgentStatus
from engine.calls.events import NOTHING_CARRIED, Carried, LocalMedia, Party
from engine.ids import AgentName, CallId, LegId, OfferId, QueueName, TransferId, TrunkName
from engine.media.commands import Command, OpenLeg

# --- legs (implemented by calls/sip_leg.py) ---


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPhone:
    """The agent's phone: the one that registered last, or the next where that one is silent."""

    agent: AgentName
    answers: bool = False
    """It is asked to answer by itself."""
    patience_s: ClassVar[float] = 0.0
    """As that of `TrunkNumber`: there is no other agent to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkNumber:
    trunk: TrunkName
    number: str
    """As the trunk wants it, and safe to be sent (`number_rules.dialable`)."""
    patience_s: float = 0.0
    """Silence after which the leg is given up, because another trunk could take the call; 0: as long as the protocol
    waits."""
    may_redirect: Callable[[str, float], bool] | None = field(default=None, compare=False, repr=False)
    """Whether the trunk may send the call on to this number, now; None: to any. Asked amid an event, as the registrar
    asks for passwords: it answers and takes notes, and commands nobody."""


Destination = AgentPhone | TrunkNumber


class LegPort(Protocol):
    """Commands to legs. Every leg that was offered or placed ends with exactly one `Ended` event, except that nothing
    follows `reject`. Commands to a leg that is over already are ignored: the event that says so is under way."""

    def place(
        self,
        leg: LegId,
        destination: Destination,
        caller: Party,
        media: LocalMedia,
        now: float,
        *,
        carried: Carried = NOTHING_CARRIED,
    ) -> None:
        """Call somebody, with what another leg of the call carried. Ringing, Answered or Ended follow."""
        ...

    def join(self, leg: LegId, other: LegId) -> None:
        """The ends of these two legs, which carry the names of a session, talk to each other from now on: the first is
        told the second's name with whatever it is sent next."""
        ...

    def ring(self, leg: LegId, now: float) -> None:
        """Tell the offered leg that the called side rings."""
        ...

    def answer(self, leg: LegId, media: LocalMedia, now: float) -> None:
        """Take the offered leg. Answered (media known, may flow) or Ended follow."""
        ...

    def reject(
        self,
        leg: LegId,
        status: int,
        reason: str,
        now: float,
        *,
        retry_after_s: int | None = None,
        q850: int | None = None,
    ) -> None:
        """Refuse the offered leg, with the cause that the called side's network told. No event follows."""
        ...

    def end(self, leg: LegId, cause: EndCause, now: float, *, text: str = "") -> None:
        """End the leg in whatever state it is (cancel, refuse or hang up); Ended follows with this cause, or with
        the peer's own if that came first. `text` says to the person at the phone why, where the protocol has a place
        for it."""
        ...

    def key(self, leg: LegId, digit: str, duration_ms: int, now: float) -> None:
        """Send a key to a peer that takes none in the sound; nothing follows."""
        ...

    def move(self, leg: LegId, media: LocalMedia, now: float) -> None:
        """Ask the peer of a leg that is up to send to another port (or address) of ours, with fresh keys where the leg
        is encrypted; or at the old port for other codecs. Moved or MoveRefused follows, unless Ended does. Amid another
        move it waits for that one's outcome; of several that wait the last is done, the others are refused (491), as
        on a leg that is not up. Where the peer changes its media meanwhile, both happen, the peer's first."""
        ...


class TransferPort(Protocol):
    """Answers to `TransferAsked` (implemented by calls/sip_transfer.py). What comes too late is passed over."""

    def accept(self, transfer: TransferId, now: float) -> None:
        """It is tried; `over` is to follow."""
        ...

    def refuse(self, transfer: TransferId, cause: EndCause, now: float) -> None:
        """It is not; nothing follows."""
        ...

    def ringing(self, transfer: TransferId, now: float) -> None:
        """The phone that was called rings."""
        ...

    def over(self, transfer: TransferId, cause: EndCause | None, now: float) -> None:
        """It came to nothing for this cause; None: the other side is put through."""
        ...


# --- media (implemented by engine.app.core over media.client) ---


class MediaPort(Protocol):
    def open(self, command: OpenLeg, beside: LegId | None = None) -> None:
        """Open a leg, in the media process in which the other lives, with whom it will talk. LegOpened or LegFailed
        follow."""
        ...

    def send(self, command: Command) -> None:
        """Queue a command for the media process of its leg. Without one, it is dropped: that the leg is lost is being
        told."""
        ...

    def ready(self) -> bool:
        """Whether a media process is connected and takes legs."""
        ...

    def busy(self) -> str:
        """Why no media process should get another call's legs, by its load; empty where one may."""
        ...


# --- queues (implemented by engine.acd) ---


class OfferResult(StrEnum):
    """How an offer that was not answered ended, seen from the agent's phone."""

    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    """No binding, no transport, no reply at all, or binding lost while ringing."""
    FAILED = "failed"
    """Our own fault: no media port, media process lost."""


class LeaveReason(StrEnum):
    """Why somebody who waited does so no longer."""

    CALLER_GONE = "caller_gone"
    """Hung up, or not heard any more."""
    ENDED = "ended"
    """By us: the media process was lost, an operator or the end of the engine ended the call."""


class QueuePort(Protocol):
    """What the calls layer tells the ACD. Effects come back through `take_effects`."""

    def has_room(self, queue: QueueName) -> bool:
        """Whether the queue takes one more caller now. Raises NotFound for an unknown queue."""
        ...

    def enter(self, call: CallId, queue: QueueName, caller: Party, now: float) -> None:
        """A caller begins to wait; one who finds the queue full is released at once. Raises NotFound for an unknown
        queue."""
        ...

    def leave(self, call: CallId, reason: LeaveReason, now: float) -> None:
        """The caller hung up, or was ended, while waiting or being offered; nothing happens when it is not there."""
        ...

    def offer_ringing(self, offer: OfferId, now: float) -> None: ...

    def offer_answered(self, offer: OfferId, now: float) -> bool:
        """The agent's phone answered. True: caller and agent now belong together. False: too late (withdrawn, taken
        by another): hang the agent's leg up."""
        ...

    def offer_failed(
        self, offer: OfferId, result: OfferResult, now: float, *, retry_after_s: int | None = None
    ) -> None:
        """The agent's leg ended without an answer; where the phone said so, it is not asked again for `retry_after_s`.
        Ignored for an offer that was withdrawn."""
        ...

    def talk_ended(self, call: CallId, now: float) -> None:
        """The conversation that `offer_answered` began is over; the agent goes to wrap-up."""
        ...

    def agent_engaged(self, agent: AgentName, call: CallId, now: float) -> None:
        """The agent's phone is in a call that no queue gave it (own call, direct call): no offers now."""
        ...

    def agent_released(self, agent: AgentName, call: CallId, now: float) -> None: ...

    def take_effects(self) -> list[QueueEffect]:
        """Drain what the ACD has decided since the last time, in order."""
        ...


class MailboxPort(Protocol):
    """Knows the voice messages of agents, for the lamp on their phones."""

    def waiting(self, agent: AgentName) -> tuple[int, int]:
        """Messages that were not heard yet, and that were."""
        ...


class NoMailboxes:
    """There is no voice mail: nobody has a message."""

    def waiting(self, agent: AgentName) -> tuple[int, int]:
        return 0, 0


class WithdrawReason(StrEnum):
    RING_TIMEOUT = "ring_timeout"
    CALLER_LEFT = "caller_left"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    AGENT_UNREACHABLE = "agent_unreachable"
    AGENT_UNAVAILABLE = "agent_unavailable"
    """Went on a break, or was removed, while it rang."""
    QUEUE_TIMEOUT = "queue_timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeOffer:
    """Ring this agent for this caller."""

    offer: OfferId
    call: CallId
    queue: QueueName
    agent: AgentName


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawOffer:
    """Stop ringing; the offer is over for the ACD already."""

    offer: OfferId
    reason: WithdrawReason


class ReleaseReason(StrEnum):
    TIMEOUT = "timeout"
    """The queue's `max_wait_s` is over."""
    FULL = "full"
    QUEUE_REMOVED = "queue_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCaller:
    """The caller is out of the queue without an agent: end the call."""

    call: CallId
    reason: ReleaseReason


QueueEffect = MakeOffer | WithdrawOffer | ReleaseCaller


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatusView:
    """How an agent stands, and by whose choice."""

    status: AgentStatus
    reason: str = ""
    by_engine: bool = False
    """The engine took the agent out because a call was not answered, no person did."""

    def __str__(self) -> str:
        """In words for the agent: "on a break: lunch"."""
        return _STATUS_WORDS[self.status] + (f": {self.reason}" if self.reason else "")


_STATUS_WORDS: Final = {
    AgentStatus.AVAILABLE: "available",
    AgentStatus.BREAK: "on a break",
    AgentStatus.LOGGED_OUT: "logged out",
}


class AgentStatusPort(Protocol):
    """Feature codes ask for and change the agent's own status through this (implemented by engine.acd)."""

    def set_status(
        self, agent: AgentName, available: bool, reason: str, by: str, now: float, *, call: CallId | None = None
    ) -> None:
        """`call` is the one in which the agent asked for it."""
        ...

    def status(self, agent: AgentName) -> AgentStatusView:
        """How the agent stands; an unknown one is logged out."""
        ...
