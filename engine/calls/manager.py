"""All calls of the engine: events of legs, of media and of queues come in here and reach the call that they are about.

The manager decides only whether a call is taken at all. Everything after that is the matter of the call's destination
(`destinations.py`); what all calls share is in `call.py`; who implements the ports is in `ports.py`.
"""

from __future__ import annotations

from engine.calls.call import ENGINE, Call, codecs_of, who
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.config import CallsConfig, MediaTimeoutPolicy
from engine.calls.destinations import destination_for
from engine.calls.directory import Change, Directory
from engine.calls.entrance import entrance
from engine.calls.events import (
    NOTHING_CARRIED,
    Answered,
    Ended,
    FromAgent,
    FromTrunk,
    KeyPressed,
    LegEvent,
    Offered,
    Origin,
    Ringing,
    TextRelayed,
    TransferAsked,
    TrunkDown,
    TrunkRegistration,
    TrunkUp,
    Updated,
)
from engine.calls.journal import Journal
from engine.calls.lines import LineState
from engine.calls.log import (
    CallCarried,
    CallDirection,
    CallRouted,
    CallStarted,
    DigitReceived,
    LegClosed,
    MediaLost,
    MediaStarted,
    TextSent,
)
from engine.calls.ports import AgentStatusPort, LegPort, MediaPort, QueueEffect, QueuePort, TransferPort
from engine.calls.reject import Reject, overloaded
from engine.calls.routing import Route, Router, ToGroup, ToTrunk
from engine.calls.snapshot import LiveCall, live_call
from engine.calls.switchboard import CallLeg, LiveCounts, Role, Switchboard
from engine.calls.takeover import Takeover
from engine.calls.toll_guard import TollGuard, TollRules
from engine.calls.transfers import Transfers
from engine.calls.trunk_records import TollCutOff, TrunkRegistrationChanged, TrunkStateChanged
from engine.errors import NotFound
from engine.ids import CallId, IdSource, LegId, TrunkName
from engine.media import commands as media_plane
from engine.media.commands import MediaEvent

_LOST = EndCause(outcome=Outcome.SERVER, reason=Reason.MEDIA_LOST)
_SHUTDOWN = EndCause(outcome=Outcome.SERVER, reason=Reason.SHUTDOWN)
_MONEY_SPENT = EndCause(outcome=Outcome.CLIENT, reason=Reason.TOLL_LIMIT)
_UNKNOWN_ORIGIN = EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=403)


class CallManager:
    """See the module. Every input takes `now` in monotonic seconds. After every input the driver carries the effects of
    queues (`queue_effect`) and of legs back and forth until none is left, then asks for `next_deadline`."""

    def __init__(
        self,
        *,
        router: Router,
        legs: LegPort,
        transfers: TransferPort,
        media: MediaPort,
        queues: QueuePort,
        statuses: AgentStatusPort,
        journal: Journal,
        ids: IdSource,
        directory: Directory,
        config: CallsConfig,
        toll: TollGuard | None = None,
    ) -> None:
        self._router = router
        self._journal = journal
        self._board = Switchboard(
            legs=legs,
            transfers=transfers,
            media=media,
            queues=queues,
            statuses=statuses,
            journal=journal,
            ids=ids,
            directory=directory,
            config=config,
            toll=toll or TollGuard(directory, TollRules()),
        )
        self._transfers = Transfers(self._board, router)
        self._media_lost = False
        self._draining = False
        self._store_full = False
        self.refused_store_full = 0
        """Calls refused because the log had no room; they leave no record, so they are counted here."""

    # --- what others ask ---

    def live(self) -> LiveCounts:
        """Sizes of the tables; all zero when no call is left, nor any leg of one."""
        return self._board.live()

    def call_of(self, leg: LegId) -> CallId | None:
        """The live call that a leg is of."""
        found = self._board.owners.get(leg)
        return None if found is None else found[0].id

    def snapshot(self) -> tuple[LiveCall, ...]:
        """All live calls, oldest first."""
        return tuple(live_call(call) for call in self._board.calls.values())

    def line(self, trunk: TrunkName) -> LineState:
        """How a trunk stands: its calls, and whether it gets more."""
        return self._board.lines.state(trunk)

    def spent(self, payer: str, now: float) -> float:
        """What "agent:NAME" or "trunk:NAME" has spent today."""
        return self._board.toll.spent(payer, now)

    def next_deadline(self) -> float | None:
        deadline, toll = self._board.timers.next_deadline(), self._board.toll.next_deadline()
        return deadline if toll is None else toll if deadline is None else min(deadline, toll)

    # --- legs ---

    def leg_event(self, event: LegEvent, now: float) -> None:
        """Something happened on a leg. Events about legs that no call knows any more are dropped."""
        if isinstance(event, Offered):
            self._offered(event, now)
            return
        if isinstance(event, TransferAsked):
            self._transfers.asked(event, now)
            return
        found = self._board.owners.get(event.leg)
        if found is None:
            if isinstance(event, Ended):
                self._board.ending.discard(event.leg)
            return
        call, leg = found
        match event:
            case Ringing():
                call.leg_ringing(leg, now)
            case Answered(media=remote):
                call.leg_answered(leg, remote, now)
            case Updated(media=remote):
                call.leg_updated(leg, remote, now)
            case Ended(cause=cause, early=early):
                leg.early = early
                call.leg_ended(leg, cause, now)
            case KeyPressed():
                self._key_pressed(call, leg, event, now)

    def _key_pressed(self, call: Call, leg: CallLeg, event: KeyPressed, now: float) -> None:
        """A key beside the sound counts like one in it, and is passed on to who can hear none there."""
        digit = DigitReceived(leg=leg.id, digit=event.digit, duration_ms=event.duration_ms)
        self._board.log(call.id, digit, now)
        other = call.destination.other(leg)
        if other is not None and other.remote is not None and other.remote.dtmf_payload_type is None:
            self._board.legs.key(other.id, event.digit, event.duration_ms, now)

    def _offered(self, event: Offered, now: float) -> None:
        board = self._board
        if self._store_full:
            self.refused_store_full += 1
            board.legs.reject(event.leg, 503, "", now, retry_after_s=board.config.retry_after_s)
            return
        context, event, caller, trunk = entrance(board.directory, event)
        unavailable = self._unavailable()
        if unavailable is None and trunk is not None and board.lines.begin_in(trunk, now) is not None:
            unavailable, trunk = Reason.TRUNK_FULL, None
        refusal = None if unavailable is None else overloaded(unavailable)
        route: Route | None = None
        if context is None:
            refusal = _UNKNOWN_ORIGIN
        elif refusal is None and event.replaces is not None:
            refusal = self._transfers.may_replace(event.origin, event.replaces)
        elif refusal is None:
            route = self._router.route(context=context, called=event.called, origin=event.origin)
        call = Call(board, event, caller, _direction(event.origin, route), now)
        if trunk is not None and refusal is None:
            board.claim(call.caller, trunk.name, placed=False)
            call.codecs = codecs_of(trunk) if trunk.codecs else ()
        self._log_start(call, event, context or "", now)
        if event.replaces is not None and refusal is None:
            call.destination = Takeover(call, event.replaces)
        elif route is None:
            assert refusal is not None, "a call is either routed or refused"
            retry = None if unavailable is None else board.config.retry_after_s
            call.destination = Reject(call, refusal, retry_after_s=retry)
        else:
            call.destination = destination_for(call, route)
        board.log(call.id, CallRouted(destination=call.destination.name), now)
        call.destination.start(now)

    def _unavailable(self) -> Reason | None:
        """Why no call at all is taken now."""
        if self._draining:
            return Reason.DRAINING
        if self._media_lost or not self._board.media.ready():
            return Reason.MEDIA_LOST
        if len(self._board.calls) >= self._board.config.max_calls:
            return Reason.NO_MEDIA_PORT
        return None

    def _log_start(self, call: Call, event: Offered, context: str, now: float) -> None:
        started = CallStarted(
            direction=call.direction,
            leg=event.leg,
            origin=who(event.origin),
            context=context,
            called=event.called,
            caller=call.party.number,
            caller_display=call.party.display,
            protocol_id=event.protocol_id,
        )
        self._board.log(call.id, started, now)
        carried = call.carried
        if carried is not NOTHING_CARRIED:
            told = CallCarried(
                session=carried.session,
                diverted_from=carried.diverted_from,
                diversion_reason=carried.diversion_reason,
                user_to_user=carried.user_to_user,
                hidden=carried.hidden,
            )
            self._board.log(call.id, told, now)

    # --- media ---

    def media_event(self, event: MediaEvent, now: float) -> None:
        """Something happened in the media process. What only measures it (Quality, PlaneStats ...) is not for calls."""
        match event:
            case media_plane.LegOpened():
                found = self._board.owners.get(LegId(event.leg))
                if found is not None:
                    found[0].leg_opened(found[1], event.port, now)
            case media_plane.LegClosed():
                self._leg_closed(event, now)
            case media_plane.LegFailed():
                self._leg_failed(event, now)
            case media_plane.PlayFinished():
                found = self._board.owners.get(LegId(event.leg))
                if found is not None and found[1].playing == event.player:
                    found[1].playing = ""
                    found[0].destination.play_finished(found[1], event.player, now)
            case media_plane.DtmfDigit():
                found = self._board.owners.get(LegId(event.leg))
                if found is not None:
                    digit = DigitReceived(leg=found[1].id, digit=event.digit, duration_ms=event.duration_ms)
                    self._board.log(found[0].id, digit, now)
            case media_plane.RtpTimeout():
                self._silent(LegId(event.leg), now)
            case _:
                pass

    def _leg_closed(self, event: media_plane.LegClosed, now: float) -> None:
        closing = self._board.closing.pop(LegId(event.leg), None)
        if closing is None or not closing.was_up:
            return
        measured = event.quality
        record = LegClosed(
            leg=LegId(event.leg),
            packets_received=measured.packets_received,
            packets_sent=measured.packets_sent,
            lost=measured.lost,
            jitter_ms=measured.jitter_ms,
            remote_lost=measured.remote_lost,
            round_trip_ms=measured.round_trip_ms,
        )
        self._board.log(closing.call, record, now)

    def _leg_failed(self, event: media_plane.LegFailed, now: float) -> None:
        leg_id = LegId(event.leg)
        found = self._board.owners.get(leg_id)
        if found is None:
            # Asked to close before we heard that it never opened, or unknown to media: no LegClosed comes. What else
            # could not be done on a leg that is closing by now has no bearing on that.
            if event.command in ("OpenLeg", "CloseLeg"):
                self._board.closing.pop(leg_id, None)
            return
        call, leg = found
        match event.command:
            case "OpenLeg":
                call.leg_not_opened(leg, now)
            case "Play":
                call.destination.play_failed(leg, now)
            case "SetRemote" | "Connect":
                call.finish(_LOST, ENGINE, now)
            case _:
                pass

    def _silent(self, leg_id: LegId, now: float) -> None:
        found = self._board.owners.get(leg_id)
        if found is None or self._board.config.media_timeout is not MediaTimeoutPolicy.END:
            return
        call, leg = found
        if leg.holding:
            return
        if call.attempt is not None and leg is call.attempt.referrer:
            # Whoever has asked for a transfer may fall silent: the caller is not his any more.
            return
        outcome = Outcome.CLIENT if leg.role is Role.CALLER else Outcome.UPSTREAM
        call.finish(EndCause(outcome=outcome, reason=Reason.MEDIA_TIMEOUT), ENGINE, now)

    def media_ready(self, pid: int, port_min: int, port_max: int, now: float) -> None:
        """A media process takes legs, for the first time or again."""
        self._media_lost = False
        self._journal.append(MediaStarted(pid=pid, port_min=port_min, port_max=port_max), now=now)

    def media_lost(self, now: float, detail: str) -> None:
        """The media process is gone, and every leg with it: every call ends, and none is taken until `media_ready`."""
        self._media_lost = True
        legs = self._board.live().media_legs
        for call in tuple(self._board.calls.values()):
            call.finish(_LOST, ENGINE, now)
        self._board.closing.clear()
        self._journal.append(MediaLost(detail=detail, legs=legs), now=now)

    # --- queues and lines ---

    def queue_effect(self, effect: QueueEffect, now: float) -> None:
        """The ACD has decided something."""
        self._board.carry_out(effect, now)

    def trunk_event(self, event: TrunkUp | TrunkDown | TrunkRegistration, now: float) -> None:
        """A line came or went: it gets calls, or none. Live calls on it end by themselves if it is true."""
        if isinstance(event, TrunkRegistration):
            told = TrunkRegistrationChanged(trunk=event.trunk, registered=event.registered, detail=event.detail)
            self._journal.append(told, now=now)
            return
        self._board.lines.trunk_event(event)
        match event:
            case TrunkUp(round_trip_s=taken_s):
                detail = "not asked" if taken_s is None else f"answered in {taken_s * 1000:.0f} ms"
                self._journal.append(TrunkStateChanged(trunk=event.trunk, up=True, detail=detail), now=now)
            case TrunkDown():
                self._journal.append(TrunkStateChanged(trunk=event.trunk, up=False, detail=event.reason), now=now)

    def text_relayed(self, event: TextRelayed, now: float) -> None:
        """A text for an agent came: a record, nothing else."""
        sent = TextSent(sender=event.sender, agent=event.to, size=event.size, delivered=event.delivered)
        self._journal.append(sent, now=now)

    def directory_changed(self, change: Change, now: float) -> None:
        """A trunk, a group or somebody's limits were changed; calls that are up go on."""
        self._board.lines.directory_changed(change)
        self._board.toll.directory_changed(now)

    # --- time and the operator ---

    def handle_deadline(self, now: float) -> None:
        """Do everything whose time has come."""
        for payer, trunk, leg, detail in self._board.toll.handle_deadline(now):
            found = self._board.owners.get(leg)
            if found is not None:
                self._board.log(found[0].id, TollCutOff(origin=payer, trunk=trunk, detail=detail), now)
                found[0].finish(_MONEY_SPENT, ENGINE, now)
        while (call_id := self._board.timers.pop_due(now)) is not None:
            self._board.calls[call_id].destination.expired(now)

    def hang_up(self, call: CallId, now: float, by: str) -> None:
        """End a call because a person says so; `by` names the way ("api", "cli"). Raises NotFound."""
        found = self._board.calls.get(call)
        if found is None:
            raise NotFound(f"no live call {call!r} (asked to hang up by {by})")
        outcome = Outcome.SERVER if found.connected_at is None else Outcome.SUCCESS
        found.finish(EndCause(outcome=outcome, reason=Reason.OPERATOR), ENGINE, now)

    def drain(self) -> None:
        """Take no more calls; those that live go on."""
        self._draining = True

    def store_full(self, full: bool) -> None:
        """Whether the log has no room for another call's records; then new calls are refused and leave none."""
        self._store_full = full

    def shut_down(self, now: float) -> None:
        """End every call now."""
        self._draining = True
        for call in tuple(self._board.calls.values()):
            call.finish(_SHUTDOWN, ENGINE, now)


def _direction(origin: Origin, route: Route | None) -> CallDirection:
    match origin:
        case FromTrunk():
            return CallDirection.INBOUND
        case FromAgent():
            return CallDirection.OUTBOUND if isinstance(route, ToTrunk | ToGroup) else CallDirection.INTERNAL
