"""Legs that speak SIP. With `sip_media.py` and `sip_targets.py` the one place of this layer that imports `engine.sip`.

`SipLegs` turns what the endpoint tells (`handle`) into neutral events (`take_events`), and the commands of `LegPort`
into actions of the endpoint. Every leg runs on the table of `calls/leg.py`; each of its actions is a method here.
Offer and answer (RFC 3264) are made by each leg's `SipMedia`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from engine.calls import events as neutral
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.codec_words import DEFAULT
from engine.calls.directory import Change, Directory
from engine.calls.events import NOTHING_CARRIED, Carried, LegEvent, LocalMedia, Party, PresenceEvent
from engine.calls.final_status import cancel_text, hangup_text, refusal_status
from engine.calls.leg import LegAction, LegInput, LegState
from engine.calls.leg_book import LegBook
from engine.calls.ports import AgentPhone, Destination, MailboxPort, NoMailboxes, TrunkNumber
from engine.calls.q850 import reason_header
from engine.calls.sip_carried import SipCarrying
from engine.calls.sip_codecs import SipCodecs
from engine.calls.sip_ends import came_to_nothing, given_up, over
from engine.calls.sip_leg_record import SipLeg
from engine.calls.sip_media import SipMedia
from engine.calls.sip_moving import SipMoving
from engine.calls.sip_placing import UNREACHABLE, SipPlacing
from engine.calls.sip_presence import SipPresence
from engine.calls.sip_registrations import SipRegistrations
from engine.calls.sip_srtp import Octets, srtp_from, srtp_to
from engine.calls.sip_targets import ListenerFlow
from engine.calls.sip_text import SipTexts
from engine.calls.sip_transfer import SipTransfers
from engine.calls.sip_watch import SipWatch
from engine.calls.sip_words import Wanted
from engine.calls.trunk_watch import TrunkHealth
from engine.ids import AgentName, IdSource, LegId, TrunkName
from engine.sip import events as sip
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import SessionId, SipEvent
from engine.sip.flow import Flow
from engine.sip.offer_answer import NotAcceptable, Offered

_NOTHING_IN_COMMON: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.NOT_ACCEPTABLE, sip_code=488)

_RINGING_STATUSES: Final = frozenset({180, 183})
"""183 with a network's own ringback is ringing to us: nobody is heard before the answer."""

_NOBODY_THERE: Final = frozenset({408, 430, 503})
"""No answer in time, the phone's connection is gone (RFC 5626 11.6, or found so by us): not a word of the person."""

_NOT_ACCEPTABLE: Final = frozenset({406, 488, 606})
"""Said before it rings, of what was offered (RFC 3261 21.4.7, 21.4.26, 21.6.4)."""


class SipLegs:
    """Implements `ports.LegPort` over an endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        directory: Directory,
        *,
        ids: IdSource,
        listener_flow: ListenerFlow,
        media_address: Callable[[Flow], str],
        octets: Octets,
        trusts: Callable[[TrunkName], bool] = lambda _: False,
        show_hidden: bool = False,
        mailboxes: MailboxPort | None = None,
        instance: Callable[[TrunkName], str] = lambda _: "",
        codecs: tuple[str, ...] = DEFAULT,
    ) -> None:
        """`listener_flow` gives the flow from our listener to an address (a trunk), None where there is no way;
        `media_address` the IP address that peers on a flow reach our media at; `octets` draws keys; `trusts` says which
        trunks are told who calls where others are not; `show_hidden` shows agents callers who hide; without `mailboxes`
        nobody has a voice message; `instance` is `SipRegistrations`'; `codecs` are the words of `codec_words` for
        whoever has no list of its own."""
        self._endpoint = endpoint
        self._directory = directory
        self._ids = ids
        self._media_address = media_address
        self._octets = octets
        self._codecs = SipCodecs(directory, codecs)
        self._carrying = SipCarrying(trusts=trusts, show_hidden=show_hidden)
        self._book: LegBook[SipLeg, SessionId] = LegBook()
        self.transfers = SipTransfers(endpoint, self._book)
        """Implements `ports.TransferPort`."""
        self.watch = SipWatch(endpoint, self._book, directory, mailboxes or NoMailboxes())
        texts = SipTexts(endpoint, directory, self._book)
        self._moving = SipMoving(endpoint, self._book)
        self._numbers = 0
        self._presence = SipPresence(endpoint, directory, self._book.tell, listener_flow=listener_flow)
        targets = self._presence.targets
        self._placing = SipPlacing(endpoint, directory, self._book, targets, self._carrying)
        self.registrations = SipRegistrations(endpoint, directory, targets, self._book.tell, instance=instance)
        self._handlers: dict[type[Any], Callable[[Any, float], None]] = {
            sip.InviteReceived: self._invite_received,
            sip.ReferReceived: self.transfers.refer_received,
            sip.DtmfReceived: self.transfers.key_received,
            sip.MessageReceived: texts.received,
            sip.MessageAnswered: texts.answered,
            **self._presence.handlers,
            **self.registrations.handlers,
        }
        self._leg_handlers: dict[type[Any], Callable[[SipLeg, Any, float], None]] = {
            sip.InviteCancelled: self._invite_cancelled,
            sip.AckReceived: self._ack_received,
            sip.ProgressReceived: self._progress_received,
            sip.InviteAccepted: self._invite_accepted,
            sip.InviteFailed: self._invite_failed,
            sip.SessionEnded: self._session_ended,
            sip.OfferReceived: self._offer_received,
            sip.OfferAnswered: self._moving.answered,
            sip.OfferRefused: self._moving.refused,
            sip.FlowMoved: self._moving.strayed,
        }

    # --- the driver's side ---

    def handle(self, event: SipEvent, now: float) -> None:
        """Take one event of the endpoint."""
        on_leg = self._leg_handlers.get(type(event))
        if on_leg is not None:
            leg = self._book.at(event.session)  # type: ignore[union-attr]  # those in the table have one
            if leg is not None:
                on_leg(leg, event, now)
        elif type(event) in self._handlers:
            self._handlers[type(event)](event, now)

    def take_events(self) -> list[LegEvent | PresenceEvent]:
        """Drain what has happened, in order."""
        return self._book.take()

    def next_deadline(self) -> float | None:
        """When a trunk must be asked next, or a phone has been silent for too long."""
        parts = (self._presence, self._placing, self.registrations)
        return min((at for part in parts if (at := part.next_deadline()) is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        self._presence.handle_deadline(now)
        self.registrations.handle_deadline(now)
        self._placing.handle_deadline(now)

    def directory_changed(self, change: Change, now: float) -> None:
        """A trunk was put or dropped; other entities are read when they are needed."""
        self.registrations.directory_changed(change, now)
        self._presence.directory_changed(change, now)

    def trunks(self) -> tuple[TrunkHealth, ...]:
        """Every trunk and what is known of it, for those who look."""
        return self._presence.trunks()

    def live(self) -> int:
        """Legs that are not over."""
        return len(self._book)

    def tell_bound(self, told: Callable[[LegId, SessionId], None]) -> None:
        """Have somebody told of each session that a leg gets."""
        self._book.bound = told

    # --- LegPort ---

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
        by_peer = Reason.AGENT_HANGUP if isinstance(destination, AgentPhone) else Reason.CALLED_HANGUP
        placed = self._new_leg(leg, incoming=False, by_peer=by_peer)
        wanted = Wanted(destination=destination, caller=caller, carried=carried)
        placed.media.local, placed.wanted = media, wanted
        placed.media.srtp = srtp_to(self._directory, destination)
        if isinstance(destination, TrunkNumber):
            placed.media.dtmf = self._dtmf(destination.trunk)
        placed.media.codecs = self._codecs.of_destination(destination)
        placed.media.beside = self._beside(media, passed=False)
        if isinstance(destination, AgentPhone):
            self._book.own(placed, destination.agent, caller)
        self._book.step(placed, LegInput.PLACE)
        if not placed.media.can_be_heard:
            self._book.gone(placed, _NOTHING_IN_COMMON)
        elif not self._placing.try_next(placed, now):
            self._book.gone(placed, UNREACHABLE)

    def _beside(self, media: LocalMedia, *, passed: bool) -> Offered | None:
        """What the leg has that another is to talk with."""
        other = None if media.alike is None else self._book.find(media.alike)
        return None if other is None else other.media.has(passed=passed)

    def join(self, leg: LegId, other: LegId) -> None:
        if (one := self._book.find(leg)) is not None and (far := self._book.find(other)) is not None:
            self._endpoint.name_session(self._book.session(one), self._book.session(far))

    def ring(self, leg: LegId, now: float) -> None:
        if (found := self._book.command(leg, LegInput.RING)) is not None:
            with suppress(LocalSipError):
                self._endpoint.progress(self._book.session(found[0]), 180, now=now)

    def answer(self, leg: LegId, media: LocalMedia, now: float) -> None:
        if (found := self._book.command(leg, LegInput.ANSWER)) is None:
            return
        answered = found[0]
        answered.media.local = media
        if media.alike is not None:
            answered.media.beside = self._beside(media, passed=True)
        try:
            sdp = answered.media.describe()
            with suppress(LocalSipError):
                self._endpoint.accept(self._book.session(answered), sdp, now=now)
        except RemoteSipError as error:
            # Also where something of the INVITE is read only now: the call must not stay behind.
            self._refuse_media(answered, error, now)

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
        if (found := self._book.command(leg, LegInput.REJECT)) is None:
            return
        headers = [] if retry_after_s is None else [("Retry-After", str(retry_after_s))]
        if q850 is not None:
            headers.append(("Reason", reason_header(q850)))
        with suppress(LocalSipError):
            self._endpoint.reject(self._book.session(found[0]), status, reason, headers, now=now)
        self._book.forget(found[0])

    def end(self, leg: LegId, cause: EndCause, now: float, *, text: str = "") -> None:
        if (found := self._book.command(leg, LegInput.END)) is None:
            return
        ended, action = found
        ended.cause, ended.text = cause, text
        match action:
            case LegAction.SEND_CANCEL:
                with suppress(LocalSipError):
                    self._endpoint.cancel(self._book.session(ended), now=now, reason_header=cancel_text(cause, text))
            case LegAction.SEND_HANGUP:
                self._hang_up(ended, now)
            case _:
                with suppress(LocalSipError):
                    self._endpoint.reject(self._book.session(ended), refusal_status(cause), now=now)
                self._book.tell(neutral.Ended(leg=leg, cause=cause))
                self._book.forget(ended)

    def key(self, leg: LegId, digit: str, duration_ms: int, now: float) -> None:
        found = self._book.find(leg)
        if found is not None and found.state is LegState.UP:
            with suppress(LocalSipError):
                self._endpoint.send_key(self._book.session(found), digit, duration_ms, now=now)

    def move(self, leg: LegId, media: LocalMedia, now: float) -> None:
        found = None if media.alike is None else self._book.find(leg)
        if found is not None:
            found.media.beside = self._beside(media, passed=True)
        self._moving.move(leg, media, now)

    # --- sessions ---

    def _invite_received(self, event: sip.InviteReceived, now: float) -> None:
        leg = self._new_leg(LegId(self._ids.token()), incoming=True, by_peer=Reason.CALLER_HANGUP)
        leg.media.flow, leg.media.offer = event.flow, event.sdp
        leg.media.srtp = srtp_from(self._directory, event.peer)
        if isinstance(event.peer, sip.TrunkPeer):
            leg.media.dtmf = self._dtmf(TrunkName(event.peer.name))
        leg.media.codecs = self._codecs.of_peer(event.peer)
        if isinstance(event.peer, sip.AgentPeer):
            self._book.own(leg, AgentName(event.peer.user), Party(number=event.to_user))
        self._book.bind(leg, event.session)
        self._book.step(leg, LegInput.INCOMING)
        offered = self._carrying.offered(leg.id, event)
        if event.replaces is not None:
            replaced = self._book.at(event.replaces)
            offered = replace(offered, replaces=leg.id if replaced is None else replaced.id)
        self._book.tell(offered)

    def _invite_cancelled(self, leg: SipLeg, event: sip.InviteCancelled, now: float) -> None:
        self._book.gone(leg, given_up(event))

    def _ack_received(self, leg: SipLeg, event: sip.AckReceived, now: float) -> None:
        leg.media.flow = event.flow
        if leg.media.offer is not None:
            # The ACK answers the offer that we made in the 2xx.
            try:
                leg.media.take_answer(event.sdp)
            except RemoteSipError as error:
                if leg.state is LegState.ANSWERING:
                    self._unusable(leg, error, now)
                return
        if leg.state is LegState.ANSWERING:
            self._confirmed(leg)
        elif leg.state is LegState.UP:
            self._updated(leg)

    def _progress_received(self, leg: SipLeg, event: sip.ProgressReceived, now: float) -> None:
        leg.early = leg.early or event.sdp is not None
        if event.status in _RINGING_STATUSES and self._book.step(leg, LegInput.FAR_RINGING) is not None:
            self._book.tell(neutral.Ringing(leg=leg.id))

    def _invite_accepted(self, leg: SipLeg, event: sip.InviteAccepted, now: float) -> None:
        leg.media.flow = event.flow
        try:
            leg.media.take_answer(event.sdp, event.dialog)
        except RemoteSipError as error:
            self._unusable(leg, error, now)
            return
        match self._book.step(leg, LegInput.FAR_ANSWERED):
            case LegAction.TELL_ANSWERED:
                leg.media.dialog = self._endpoint.dialog_name_of(event.session)
                self._book.tell(neutral.Answered(leg=leg.id, media=leg.media.tell()))
            case LegAction.SEND_HANGUP:
                self._hang_up(leg, now)
            case _:
                pass

    def _invite_failed(self, leg: SipLeg, event: sip.InviteFailed, now: float) -> None:
        unheard = leg.state is LegState.PLACING and event.status in _NOBODY_THERE
        if event.status == 430 and leg.wanted is not None:
            self._endpoint.binding_failed(leg.wanted.tried[-1])
        if unheard and self._placing.try_next(leg, now):
            return
        refused = leg.state is LegState.PLACING and event.status in _NOT_ACCEPTABLE
        if not (refused and self._placing.try_encrypted(leg, now)):
            self._book.gone(leg, came_to_nothing(event))

    def _session_ended(self, leg: SipLeg, event: sip.SessionEnded, now: float) -> None:
        self._book.gone(leg, over(event, by_peer=leg.by_peer, incoming=leg.incoming))

    def _offer_received(self, leg: SipLeg, event: sip.OfferReceived, now: float) -> None:
        match self._book.step(leg, LegInput.CHANGED):
            case LegAction.TAKE_CHANGE:
                self._take_change(leg, event, now)
            case LegAction.TAKE_EARLY_CHANGE:
                self._take_change(leg, event, now, early=True)
            case LegAction.REFUSE_CHANGE:
                with suppress(LocalSipError):
                    self._endpoint.refuse_offer(event.session, 491, "Request Pending", now=now)
            case _:
                pass

    # --- what the table's actions do ---

    def _confirmed(self, leg: SipLeg) -> None:
        if self._book.step(leg, LegInput.CONFIRMED) is not None:
            leg.media.dialog = self._endpoint.dialog_name_of(self._book.session(leg))
            self._book.tell(neutral.Answered(leg=leg.id, media=leg.media.tell()))

    def _unusable(self, leg: SipLeg, error: RemoteSipError, now: float) -> None:
        """The dialog stands, but its media does not: hang up, and say why."""
        if self._book.step(leg, LegInput.UNUSABLE) is not None:
            outcome = Outcome.CLIENT if leg.incoming else Outcome.UPSTREAM
            if leg.cause is None:
                leg.cause = EndCause(outcome=outcome, reason=Reason.NOT_ACCEPTABLE, sip_code=200)
                leg.text = str(error)
            self._hang_up(leg, now)

    def _take_change(self, leg: SipLeg, event: sip.OfferReceived, now: float, *, early: bool = False) -> None:
        """Answer it. Before the call is answered (`early`) nobody hears anything: it is kept for then."""
        change = leg.media.answer_early if early else leg.media.answer_change
        try:
            answer = change(event.sdp, event.flow, event.dialog)
        except RemoteSipError as error:
            with suppress(LocalSipError):
                self._endpoint.refuse_offer(event.session, error.status_hint, error.reason, now=now)
            return
        self._moving.ask_again(leg, now)
        with suppress(LocalSipError):
            self._endpoint.answer_offer(event.session, answer, now=now)
        if event.sdp is not None and not early:
            self._updated(leg)

    def _updated(self, leg: SipLeg) -> None:
        """Tell a change of media or of the way to the peer; a mere refresh of the session is none."""
        if leg.media.changed:
            self._book.tell(neutral.Updated(leg=leg.id, media=leg.media.tell()))

    def _refuse_media(self, leg: SipLeg, error: RemoteSipError, now: float) -> None:
        """The caller's offer cannot be answered."""
        headers = (("Warning", error.warning),) if isinstance(error, NotAcceptable) else ()
        with suppress(LocalSipError):
            self._endpoint.reject(self._book.session(leg), error.status_hint, error.reason, headers, now=now)
        reason = Reason.NOT_ACCEPTABLE if headers else Reason.PROTOCOL
        self._book.gone(leg, EndCause(outcome=Outcome.CLIENT, reason=reason, sip_code=error.status_hint))

    def _hang_up(self, leg: SipLeg, now: float) -> None:
        assert leg.cause is not None, "whoever hangs up says why"
        with suppress(LocalSipError):
            self._endpoint.bye(self._book.session(leg), now=now, reason_header=hangup_text(leg.cause, leg.text))

    def _dtmf(self, name: TrunkName) -> str:
        """How keys come and go on a trunk."""
        trunk = self._directory.trunks.get(name)
        return "auto" if trunk is None else trunk.dtmf

    def _new_leg(self, leg: LegId, *, incoming: bool, by_peer: Reason) -> SipLeg:
        self._numbers += 1
        media = SipMedia(number=self._numbers, address=self._media_address, octets=self._octets)
        return self._book.add(SipLeg(id=leg, incoming=incoming, by_peer=by_peer, media=media))
