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
from engine.calls.decoding import Asked, Decoding
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
from engine.calls.recordings import Recordings
from engine.calls.timers import Timers
from engine.calls.toll_guard import TollGuard
from engine.calls.turns import Turns
from engine.calls.twin_keys import Twins
from engine.ids import AgentName, CallId, IdSource, LegId, OfferId, TrunkName
from engine.media.commands import CloseLeg, Codec, Direction, OpenLeg, Play, SetRemote
from engine.media.events import Quality, Way

if TYPE_CHECKING:
    from engine.calls.call import Call
    from engine.calls.conference import Conference
    from engine.calls.onward import Onward
    from engine.calls.queued import Queued
    from engine.calls.relatch import Relatch
    from engine.calls.supervision import Supervision


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
    quality: Quality | None = None
    """How it sounded when the media process told so last."""
    one_way: frozenset[Way] = frozenset()
    """Ways in which nothing passes."""
    destination: Destination | None = None
    """Whom it was placed to; None for one that came in."""
    party: Party | None = None
    """Who is on it, where it came here from another call."""
    awaits: Play | None = None
    """What it is to be played when it has a codec that we can encode."""
    decodable: Asked = Asked.NO
    """Whether its peer was asked for one."""
    follows: Asked = Asked.NO
    """Whether its peer was asked for the codec that the other leg cannot leave."""
    relatch: Relatch | None = None
    """What was done for it to be heard again; None where nothing was."""
    twins: Twins | None = None
    """What is known of its keys; None where none came."""

    @property
    def trunk(self) -> TrunkName | None:
        """The line that it goes over; None where it is an agent's phone."""
        kind, _, name = self.who.partition(":")
        return TrunkName(name) if kind == "trunk" else None

    @property
    def keeps_undecoded(self) -> bool:
        """Whether it is in a codec that we cannot decode, and its peer has refused any other."""
        return self.decodable is Asked.REFUSED and self.remote is not None and self.remote.codec is Codec.OPAQUE

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
    codec: str
    """What it had at the end; empty: it never was up, and its quality is not worth a record."""
    who: str = ""


class Switchboard:
    """Ports and tables. Calls and destinations change the tables through the methods here only."""

    onward: Onward
    """Leads a caller on to another number; set by the manager, who knows the router."""

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
        self.decoding = Decoding(legs)
        self.recordings = Recordings(media, directory, journal, config.recording, self.calls, self.decoding)
        self.owners: dict[LegId, tuple[Call, CallLeg]] = {}
        self.queued: dict[CallId, Queued] = {}
        """Calls that the ACD knows: those who wait, and those it has put through."""
        self.offers: dict[OfferId, Queued] = {}
        self.claims: dict[LegId, tuple[TrunkName, bool]] = {}
        """Legs that take a place on a trunk, and whether we placed them there."""
        self.conferences: dict[str, dict[CallId, Conference]] = {}
        """Who is in each or on the way there, in the order in which they came; none is empty."""
        self.supervised: dict[CallId, list[Supervision]] = {}
        """Supervisors, by the call that they hear."""
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
        beside = call.beside if leg is call.caller else call.caller.id
        tag = f"{call.id}:{leg.role}:{call.started:.3f}:{leg.agent or ''}"
        self.media.open(OpenLeg(leg=leg.id, tag=tag), beside)

    def place(
        self,
        leg: CallLeg,
        destination: Destination,
        caller: Party,
        alike: CallLeg | None,
        now: float,
        *,
        carried: Carried = NOTHING_CARRIED,
    ) -> None:
        """Call the far side of a leg whose port is open, if it can be in the codec of the leg that it is to talk with
        (`alike`); None: in one that we can decode."""
        assert leg.port is not None, "a leg is placed when its port is known"
        leg.dialog, leg.destination = True, destination
        media = LocalMedia(port=leg.port, alike=None if alike is None else alike.id)
        self.legs.place(leg.id, destination, caller, media, now, carried=carried)

    def set_remote(self, leg: CallLeg, remote: RemoteMedia) -> None:
        """Tell media what was agreed with the peer, first or again."""
        leg.remote = remote
        if remote.codec is not Codec.OPAQUE:
            leg.decodable = Asked.NO
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
                srtp=remote.srtp,
                opaque=remote.opaque,
                clock_rate=remote.clock_rate,
                ptime_ms=remote.ptime_ms,
                heard_as=remote.heard_as,
                dtmf_heard_as=remote.dtmf_heard_as,
                dtmf_clock_rate=remote.dtmf_clock_rate,
                cn_payload_type=remote.cn_payload_type,
                dialog=remote.dialog,
                inband=remote.inband,
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
            self.closing[leg.id] = Closing(call, "" if leg.remote is None else leg.remote.codec_name, leg.who)
            self.media.send(CloseLeg(leg=leg.id))

    def claim(self, leg: CallLeg, trunk: TrunkName, *, placed: bool) -> None:
        """The leg takes a place on this trunk, ours (`placed`) or its own, as long as it lives, in whatever call."""
        self.claims[leg.id] = (trunk, placed)

    def forget(self, leg: CallLeg, now: float) -> None:
        """No event about this leg reaches its call any more, and its place on a trunk is free."""
        self.owners.pop(leg.id, None)
        if self.decoding.waits:
            self.decoding.forget(leg)
        claim = self.claims.pop(leg.id, None)
        if claim is None:
            return
        trunk, placed = claim
        if placed:
            self.lines.ended_out(trunk)
            self.toll.ended(leg.id, now)
        else:
            self.lines.ended_in(trunk)
