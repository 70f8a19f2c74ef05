"""All calls of the engine: events of legs, of media and of queues come in here and reach the call that they are about.

The manager decides only whether a call is taken at all. Everything after that is the matter of the call's destination
(`destinations.py`); what all calls share is in `call.py`; who implements the ports is in `ports.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.calls.call import ENGINE, Call, who
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.conferences import Conferences
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
    LocalMedia,
    Moved,
    MoveRefused,
    Offered,
    Origin,
    Ringing,
    Strayed,
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
    MediaLost,
    MediaStarted,
    TextSent,
)
from engine.calls.media_reports import MediaReports
from engine.calls.onward import Onward
from engine.calls.ports import AgentStatusPort, LegPort, MediaPort, QueueEffect, QueuePort, TransferPort
from engine.calls.reject import Reject, overloaded
from engine.calls.relatch import Relatching
from engine.calls.routing import Route, Router, ToGroup, ToTrunk
from engine.calls.snapshot import LiveCall, live_call
from engine.calls.supervisors import Supervisors
from engine.calls.switchboard import LiveCounts, Role, Switchboard
from engine.calls.takeover import Takeover
from engine.calls.toll_guard import TollGuard, TollRules
from engine.calls.transfers import Transfers
from engine.calls.trunk_records import TollCutOff, TrunkRegistrationChanged, TrunkStateChanged
from engine.errors import NotFound
from engine.ids import CallId, IdSource, LegId, TrunkName
from engine.media import events as media_plane
from engine.media.events import MediaEvent

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
        self._board.onward = Onward(router)
        self._reports = MediaReports(self._board)
        self._transfers = Transfers(self._board, router)
        self._relatching = Relatching(self._board)
        self.recordings = self._board.recordings
        self.conferences = Conferences(self._board)
        self.supervisors = Supervisors(self._board, self._unavailable)
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

    def all_spent(self, now: float) -> Mapping[str, float]:
        """The same by payer, for everybody who has spent something."""
        return self._board.toll.all_spent(now)

    def next_deadline(self) -> float | None:
        if self._board.decoding.waits:
            return 0.0
        board = self._board
        times = (board.timers.next_deadline(), board.toll.next_deadline(), self._reports.next_deadline())
        return min([at for at in times if at is not None], default=None)

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
            case Moved():
                call.leg_moved(leg, event, now)
                self._relatching.outcome(leg, event)
            case MoveRefused():
                call.leg_not_moved(leg, event, now)
                self._relatching.outcome(leg, event)
            case Strayed():
                self._relatching.strayed(leg, now)
            case Ended(cause=cause, early=early):
                leg.early = early
                call.leg_ended(leg, cause, now)
            case KeyPressed():
                self._reports.signalled(call, leg, event.digit, event.duration_ms, now)

    def _offered(self, event: Offered, now: float) -> None:
        board = self._board
        if self._store_full:
            self.refused_store_full += 1
            board.legs.reject(event.leg, 503, "", now, retry_after_s=board.config.retry_after_s)
            return
        context, event, caller, trunk = entrance(board.directory, event)
        unavailable = self._unavailable(event)
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

    def _unavailable(self, event: Offered) -> Reason | None:
        """Why this call, whomever it is for, is not taken now. What the load forbids are only new calls from outside:
        one that takes a leg's place brings no load, and an agent makes one at a time, maybe for help."""
        if self._store_full:
            return Reason.STORE_FULL
        if self._draining:
            return Reason.DRAINING
        if not self._board.media.ready():
            return Reason.MEDIA_LOST
        if len(self._board.calls) >= self._board.config.max_calls:
            return Reason.NO_MEDIA_PORT
        if isinstance(event.origin, FromTrunk) and event.replaces is None and self._board.media.busy():
            return Reason.MEDIA_BUSY
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
        """Something happened in the media process. What measures the whole of it (PlaneStats) is not for calls."""
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
                    found[0].destination.play_finished(found[1], event.player, event.digit, now)
            case (
                media_plane.Quality() | media_plane.DtmfDigit() | media_plane.OneWayAudio() | media_plane.SoundSkipped()
            ):
                self._reports.media_event(event, now)
            case media_plane.RtpStopped() | media_plane.Rebound():
                self._relatching.media_event(event, now)
            case media_plane.RtpTimeout():
                self._silent(LegId(event.leg), now)
            case _:
                self._board.recordings.media_event(event, now)

    def _leg_closed(self, event: media_plane.LegClosed, now: float) -> None:
        closing = self._board.closing.pop(LegId(event.leg), None)
        if closing is not None and closing.codec:
            self._reports.closed(closing, event, now)

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
            case "Rebind":
                self._relatching.media_event(event, now)
            case "SetRemote" | "Connect" | "JoinConference":
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

    def move_media(self, leg_id: LegId, port: int, now: float) -> None:
        """Another media process has opened this port for a leg: have its peer asked to send there. `Moved` or
        `MoveRefused` follow."""
        found = self._board.owners.get(leg_id)
        if found is not None:
            call, leg = found
            other = call.destination.other(leg)
            alike = None if other is None else other.id
            self._board.legs.move(leg.id, LocalMedia(port=port, alike=alike, elsewhere=True), now)

    def media_ready(self, pid: int, port_min: int, port_max: int, now: float, plane: int = 0) -> None:
        """A media process takes legs, for the first time or again."""
        self._journal.append(MediaStarted(pid=pid, port_min=port_min, port_max=port_max, plane=plane), now=now)

    def media_lost(self, now: float, detail: str, legs: Sequence[str] | None = None, plane: int = 0) -> None:
        """A media process is gone, and these legs with it: their calls end. None: every leg that there is."""
        board = self._board
        if legs is None:
            legs = [*(leg.id for _, leg in board.owners.values() if leg.media), *board.closing]
        for leg in map(LegId, legs):
            found = board.owners.get(leg)
            if found is not None:
                found[0].finish(_LOST, ENGINE, now)
        for leg in map(LegId, legs):
            # After the calls: that their legs be closed was asked of nobody who could.
            board.closing.pop(leg, None)
        board.recordings.media_lost(legs, now)
        self._journal.append(MediaLost(detail=detail, legs=len(legs), plane=plane), now=now)

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
        self._board.decoding.send(now)
        self._reports.handle_deadline(now)
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
