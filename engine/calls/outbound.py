"""A call to a number outside: on one trunk, or on whichever trunk of a group takes it.

Each try is a leg of its own. Where a trunk cannot carry the call, the next of the group is tried, as long as the caller
has heard nothing but his own phone's ringback:

    skipped       down by OPTIONS, circuit open, full, too fast, or the number is not allowed on it
    silent        no sign within `patience_s`, or no connection
    slow          a first sign, but no ringing within `setup_s`
    failed        408, 430, 500, 502, 503, 504

What is said of the number or the person (404, 486, 603 ...) is the end of the call. Every trunk that did not carry it
leaves a TrunkTried; the CDR has them in order. The last answer that a trunk gave is what the caller is told.

The guard against toll fraud is asked first for the caller, then for each trunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.calls.call import CANCELLED, ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.direct import Direct, Target
from engine.calls.events import Party
from engine.calls.final_status import line_at_fault
from engine.calls.number_rules import NumberRules, dialable
from engine.calls.ports import TrunkNumber
from engine.calls.routing import ToGroup, ToTrunk
from engine.calls.switchboard import CallLeg, Role
from engine.calls.toll_guard import TollNo
from engine.calls.trunk import Trunk
from engine.calls.trunk_records import TollRefused, TrunkFailure, TrunkTried
from engine.ids import TrunkName

_NO_TRUNK: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.NO_ROUTE, sip_code=404)
_NO_NUMBER: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.NO_ROUTE, sip_code=484)
_TOLL: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.TOLL_LIMIT, sip_code=403)
_FULL: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.TRUNK_FULL, sip_code=503)
_DEAD: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)
_NOTHING_TRIED: Final = {
    TrunkFailure.FULL: _FULL,
    TrunkFailure.TOO_FAST: _FULL,
    TrunkFailure.TOLL: _TOLL,
    TrunkFailure.NUMBER: _NO_NUMBER,
}
"""What the caller is told where no trunk was even asked, by why the first was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """The trunk that is to carry the call now, and what it is sent."""

    trunk: Trunk
    number: str
    caller: Party


class Outbound(Direct):
    """See the module."""

    def __init__(self, call: Call, route: ToTrunk | ToGroup) -> None:
        who = f"group:{route.group}" if isinstance(route, ToGroup) else f"trunk:{route.trunk}"
        line = TrunkNumber(trunk=TrunkName(who), number=route.number)
        super().__init__(call, Target(destination=line, ring_timeout_s=route.ring_timeout_s))
        self.name = f"{who}/{route.number}"
        self._route = route
        self._number = ""
        self._left: list[TrunkName] = []
        self._try: _Try | None = None
        self._ring_until: float | None = None
        self._rang = False
        self._last: EndCause | None = None
        """How the last trunk that was asked failed."""
        self._skipped: TrunkFailure | None = None
        """Why the first was not asked."""
        self._why_not = ""

    # --- which trunk ---

    def start(self, now: float) -> None:
        board, route = self.call.board, self._route
        if isinstance(route, ToGroup):
            self._left = board.lines.of_group(route.group, now)
        elif route.trunk in board.directory.trunks:
            self._left = [route.trunk]
        if not self._left:
            self._give_up(_NO_TRUNK, ENGINE, now)
            return
        number = dialable(route.number)
        if number is None:
            self._give_up(_NO_NUMBER, ENGINE, now)
            return
        loop = self._refuse_loop()
        if loop is not None:
            self._give_up(loop, ENGINE, now)
            return
        if self.call.connected_at is None:
            self.call.waiting_since = now
        self._number = number
        self._next(now)

    def _next(self, now: float) -> None:
        """Try the next trunk that can take the call; end the call where there is none."""
        while self._left:
            trunk = self.call.board.directory.trunks.get(self._left.pop(0))
            if trunk is None:
                continue
            made = _prepared(trunk, self._number, self.call.party)
            why = TrunkFailure.NUMBER if made is None else self._hindered(made, now)
            if made is not None and why is None:
                self._begin(made, now)
                return
            assert why is not None
            self._skipped = self._skipped or why
            self._tell_tried(trunk.name, why, now)
        cause = self._last or _NOTHING_TRIED.get(self._skipped or TrunkFailure.DOWN, _DEAD)
        retry = self.call.board.config.retry_after_s if cause is _FULL else None
        self._give_up(cause, ENGINE if self._last is None else Role.CALLED, now, retry_after_s=retry)

    def _hindered(self, made: _Try, now: float) -> TrunkFailure | None:
        board, trunk = self.call.board, made.trunk
        verdict = board.toll.judge(self._payer(), trunk, self._number, made.number, now)
        if isinstance(verdict, TollNo):
            self._why_not = verdict.detail
            self._tell_refused(trunk, self._number, verdict, now)
            if verdict.final:
                self._left.clear()
            return TrunkFailure.TOLL
        return board.lines.begin_out(trunk, now, urgent=verdict.emergency)

    def _may_redirect(self, number: str, now: float) -> bool:
        """Whether the trunk, which says that the number is elsewhere (3xx), may send the call there."""
        plain, far, tried = dialable(number), self._far, self._try
        if plain is None or far is None or tried is None:
            return False
        verdict = self.call.board.toll.redirect(far.id, tried.trunk, plain, now)
        if isinstance(verdict, TollNo):
            self._tell_refused(tried.trunk, plain, verdict, now)
        return not isinstance(verdict, TollNo)

    def _tell_refused(self, trunk: Trunk, number: str, verdict: TollNo, now: float) -> None:
        refused = TollRefused(
            origin=self._payer(), trunk=trunk.name, number=number, why=verdict.why, detail=verdict.detail
        )
        self.call.board.log(self.call.id, refused, now)

    def _begin(self, made: _Try, now: float) -> None:
        self._try, self._rang = made, False
        if self._ring_until is None:
            self._ring_until = now + self._target.ring_timeout_s
            self.call.open_caller(now)
        self._far = self.call.add_far(Role.CALLED, f"trunk:{made.trunk.name}", None)
        self.call.board.claim(self._far, made.trunk.name, placed=True)
        self.call.board.toll.begin(self._far.id, self._payer(), made.trunk.name)

    def _payer(self) -> str:
        """Who calls, and pays: the caller, or who wants him transferred."""
        attempt = self.call.attempt
        return self.call.caller.who if attempt is None else attempt.referrer.who

    def _give_up(self, cause: EndCause, ended_by: str, now: float, *, retry_after_s: int | None = None) -> None:
        self._leave_turn()
        if self.call.attempt is not None:
            self.call.unreached(cause, ended_by, now)
        else:
            self.call.finish(cause, ended_by, now, text=self._why_not, retry_after_s=retry_after_s)

    def _failed(self, why: TrunkFailure, cause: EndCause, now: float) -> None:
        """The trunk that was tried could not; another may."""
        tried = self._try
        assert tried is not None, "what failed was tried"
        self.call.board.lines.failed(tried.trunk, now, cause.retry_after_s or 0)
        self._last = cause
        self._tell_tried(tried.trunk.name, why, now, cause.sip_code)
        self._next(now)

    def _tell_tried(self, trunk: TrunkName, why: TrunkFailure, now: float, status: int | None = None) -> None:
        self.call.board.log(self.call.id, TrunkTried(trunk=trunk, why=why, status=status), now)

    # --- what happens ---

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        call, far, tried = self.call, self._far, self._try
        if far is None or far.port is None or call.caller.port is None or tried is None or far.dialog:
            return
        self._set_deadline(now)
        trunk = tried.trunk
        patience_s = trunk.patience_s if self._left else 0.0
        wanted = TrunkNumber(
            trunk=trunk.name, number=tried.number, patience_s=patience_s, may_redirect=self._may_redirect
        )
        call.board.place(far, wanted, tried.caller, call.caller, now, carried=call.carried)

    def _set_deadline(self, now: float) -> None:
        assert self._ring_until is not None, "a call has begun to ring when it is placed"
        tried = self._try
        slow = tried is not None and self._left and tried.trunk.setup_s and not self._rang
        at = min(self._ring_until, now + tried.trunk.setup_s) if tried is not None and slow else self._ring_until
        self.call.board.timers.set(self.call.id, at)

    def far_ringing(self, leg: CallLeg, now: float) -> None:
        self._works(now)
        self._rang = True
        self._set_deadline(now)
        super().far_ringing(leg, now)

    def _works(self, now: float) -> None:
        if self._try is not None:
            self.call.board.lines.went_well(self._try.trunk.name, now)

    def caller_up(self, now: float) -> None:
        self._works(now)
        super().caller_up(now)
        assert self._far is not None, "the caller is answered after the far side"
        rated = self.call.board.toll.connected(self._far.id, now)
        if rated is not None:
            self.call.board.log(self.call.id, rated, now)

    def far_ended(self, leg: CallLeg, cause: EndCause, now: float) -> None:
        if self._try is None or leg.answered or not line_at_fault(cause):
            if self._try is not None and cause.sip_code is not None:
                self._works(now)
            super().far_ended(leg, cause, now)
            return
        if leg.early:
            # He has heard something of this trunk: another would begin anew in the middle.
            self._left.clear()
        self._failed(TrunkFailure.SILENT if cause.sip_code is None else TrunkFailure.STATUS, cause, now)

    def expired(self, now: float) -> None:
        assert self._ring_until is not None, "a deadline is set when the call is placed"
        if now >= self._ring_until or not self._left or self._far is None:
            super().expired(now)
            return
        self.call.drop(self._far, CANCELLED, now)
        self._failed(TrunkFailure.SLOW, _DEAD, now)


def _prepared(trunk: Trunk, number: str, caller: Party) -> _Try | None:
    """The call as this trunk wants it; None where its rules leave no number."""
    called = dialable(NumberRules.of(trunk.called_out, callers=False).number(number)) if trunk.called_out else number
    if called is None:
        return None
    shown = NumberRules.of(trunk.caller_out).party(caller) if trunk.caller_out else caller
    return _Try(trunk=trunk, number=called, caller=shown)
