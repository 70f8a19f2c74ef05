"""The bench that every call is wired on: the ports of the layer, its tables of legs, its deadlines.

A leg has two halves with lives of their own, a dialog (commanded through `LegPort`) and a media leg (through
`MediaPort`). Both are asked to go at the same moment and report the end later, each in its own time; until then the
leg's id stays in `ending` and in `closing`, so that `live()` is zero only when nothing at all is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from engine.calls.causes import EndCause
from engine.calls.config import CallsConfig
from engine.calls.directory import Directory
from engine.calls.events import NOTHING_CARRIED, Carried, LocalMedia, Party, RemoteMedia
from engine.calls.journal import Journal
from engine.calls.lines import Lines
from engine.calls.log import LogBody
from engine.calls.ports import (
    AgentStatusPort,
    Destination,
    LegPort,
    MakeOffer,
    MediaPort,
    OfferResult,
    QueueEffect,
    QueuePort,
    ReleaseCaller,
    TransferPort,
    WithdrawOffer,
)
from engine.calls.timers import Timers
from engine.calls.toll_guard import TollGuard
from engine.calls.turns import Turns
from engine.ids import AgentName, CallId, IdSource, LegId, OfferId, TrunkName
from engine.media.commands import CloseLeg, Codec, Direction, OpenLeg, SetRemote

if TYPE_CHECKING:
    from engine.calls.call import Call
    from engine.calls.queued import Queued


class Role(StrEnum):
    """Whose side of the call a leg is; also the words of `CallEnded.ended_by`."""

    CALLER = "caller"
    AGENT = "agent"
    CALLED = "called"


@dataclass(slots=True, kw_only=True, eq=False)
class CallLeg:
    """One side of a call, as its call knows it."""

    id: LegId
    role: Role
    who: str
    """"agent:NAME" or "trunk:NAME"."""
    agent: AgentName | None
    dialog: bool
    """A dialog exists, or is being made, and has not been asked to end."""
    answered: bool = False
    """The other side of the dialog was told to be up (by us, or by itself)."""
    media: bool = False
    """The media process was asked for this leg and not yet to close it."""
    port: int | None = None
    """RTP port, once the media process has opened the leg."""
    remote: RemoteMedia | None = None
    """What was agreed with the peer; None until the leg is up."""
    early: bool = False
    """The other side sent tones or words of its own before any answer."""
    playing: str = ""
    """Name of what the leg is played now."""
    destination: Destination | None = None
    """Whom it was placed to; None for one that came in."""
    party: Party | None = None
    """Who is on it, where it came here from another call."""

    @property
    def trunk(self) -> TrunkName | None:
        """The line that it goes over; None where it is an agent's phone."""
        kind, _, name = self.who.partition(":")
        return TrunkName(name) if kind == "trunk" else None

    @property
    def holding(self) -> bool:
        """Whether this leg's phone has put us on hold: it does not want to hear us."""
        return self.remote is not None and self.remote.direction in (Direction.RECVONLY, Direction.INACTIVE)


class LiveCounts(NamedTuple):
    """What the layer holds; all zero when nothing goes on."""

    calls: int
    legs: int
    """Dialogs, also those that were asked to end and have not reported it."""
    media_legs: int
    """The same of media legs."""
    offers: int
    deadlines: int


class Closing(NamedTuple):
    call: CallId
    was_up: bool
    """Its quality is worth a record."""


class Switchboard:
    """Ports and tables. Calls and destinations change the tables through the methods here only."""

    def __init__(
        self,
        *,
        legs: LegPort,
        transfers: TransferPort,
        media: MediaPort,
        queues: QueuePort,
        statuses: AgentStatusPort,
        journal: Journal,
        ids: IdSource,
        directory: Directory,
        config: CallsConfig,
        toll: TollGuard,
    ) -> None:
        self.legs = legs
        self.transfers = transfers
        self.media = media
        self.queues = queues
        self.statuses = statuses
        self.journal = journal
        self.ids = ids
        self.directory = directory
        self.config = config
        self.toll = toll
        self.lines = Lines(directory, journal)
        self.timers: Timers[CallId] = Timers()
        self.turns = Turns()
        self.calls: dict[CallId, Call] = {}
        self.owners: dict[LegId, tuple[Call, CallLeg]] = {}
        self.queued: dict[CallId, Queued] = {}
        """Calls that the ACD knows: those who wait, and those it has put through."""
        self.offers: dict[OfferId, Queued] = {}
        self.claims: dict[LegId, tuple[TrunkName, bool]] = {}
        """Legs that take a place on a trunk, and whether we placed them there."""
        self.ending: set[LegId] = set()
        self.closing: dict[LegId, Closing] = {}

    def live(self) -> LiveCounts:
        dialogs = sum(leg.dialog for _, leg in self.owners.values())
        media = sum(leg.media for _, leg in self.owners.values())
        return LiveCounts(
            calls=len(self.calls),
            legs=dialogs + len(self.ending),
            media_legs=media + len(self.closing),
            offers=len(self.offers),
            deadlines=len(self.timers),
        )

    def log(self, call: CallId, body: LogBody, now: float) -> None:
        self.journal.append(body, now=now, call=call)

    def carry_out(self, effect: QueueEffect, now: float) -> None:
        """Do what the ACD has decided. A decision about what is over meanwhile falls to the ground."""
        match effect:
            case MakeOffer():
                queued = self.queued.get(effect.call)
                if queued is None:
                    self.queues.offer_failed(effect.offer, OfferResult.FAILED, now)
                else:
                    queued.offer(effect, now)
            case WithdrawOffer():
                queued = self.offers.get(effect.offer)
                if queued is not None:
                    queued.withdraw(effect.offer, effect.reason, now)
            case ReleaseCaller():
                queued = self.queued.get(effect.call)
                if queued is not None:
                    queued.release(effect.reason, now)

    def open_media(self, call: Call, leg: CallLeg) -> None:
        """Ask for a port; `leg_opened` or `leg_failed` of the call follow."""
        leg.media = True
        self.owners[leg.id] = (call, leg)
        self.media.send(OpenLeg(leg=leg.id, tag=f"{call.id}:{leg.role}:{call.started:.3f}"))

    def place(
        self,
        leg: CallLeg,
        destination: Destination,
        caller: Party,
        codecs: tuple[Codec, ...],
        now: float,
        *,
        carried: Carried = NOTHING_CARRIED,
        only: bool = False,
    ) -> None:
        """Call the far side of a leg whose port is open; with `only`, in no other codec than these."""
        assert leg.port is not None, "a leg is placed when its port is known"
        leg.dialog, leg.destination = True, destination
        media = LocalMedia(port=leg.port, codecs=codecs, only=only)
        self.legs.place(leg.id, destination, caller, media, now, carried=carried)

    def set_remote(self, leg: CallLeg, remote: RemoteMedia) -> None:
        """Tell media what was agreed with the peer, first or again."""
        leg.remote = remote
        self.media.send(
            SetRemote(
                leg=leg.id,
                address=remote.address,
                port=remote.port,
                flow_address=remote.flow_address,
                codec=remote.codec,
                payload_type=remote.payload_type,
                dtmf_payload_type=remote.dtmf_payload_type,
                direction=remote.direction,
                rtcp_port=remote.rtcp_port,
            )
        )

    def refuse(
        self,
        leg: CallLeg,
        status: int,
        text: str,
        now: float,
        *,
        retry_after_s: int | None = None,
        q850: int | None = None,
    ) -> None:
        """Refuse the caller, who was not answered. The leg has no dialog from here on."""
        leg.dialog = False
        self.legs.reject(leg.id, status, text, now, retry_after_s=retry_after_s, q850=q850)

    def end_dialog(self, leg: CallLeg, cause: EndCause, now: float, *, text: str = "") -> None:
        """Ask the leg's dialog to end; nothing happens when it has none. `text` is for the person at the phone."""
        if leg.dialog:
            leg.dialog = False
            self.ending.add(leg.id)
            self.legs.end(leg.id, cause, now, text=text)

    def close_media(self, call: CallId, leg: CallLeg) -> None:
        """Ask the media process to forget the leg. No command about the leg follows this one."""
        if leg.media:
            leg.media = False
            self.closing[leg.id] = Closing(call, leg.remote is not None)
            self.media.send(CloseLeg(leg=leg.id))

    def claim(self, leg: CallLeg, trunk: TrunkName, *, placed: bool) -> None:
        """The leg takes a place on this trunk, ours (`placed`) or its own, as long as it lives, in whatever call."""
        self.claims[leg.id] = (trunk, placed)

    def forget(self, leg: CallLeg, now: float) -> None:
        """No event about this leg reaches its call any more, and its place on a trunk is free."""
        self.owners.pop(leg.id, None)
        claim = self.claims.pop(leg.id, None)
        if claim is None:
            return
        trunk, placed = claim
        if placed:
            self.lines.ended_out(trunk)
            self.toll.ended(leg.id, now)
        else:
            self.lines.ended_in(trunk)
