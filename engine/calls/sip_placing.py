"""Calls that go out: to the destination's phones, one after the other, for as long as each has something to say."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Directory
from engine.calls.leg import LegState
from engine.calls.leg_book import LegBook
from engine.calls.ports import TrunkNumber
from engine.calls.sip_carried import SipCarrying
from engine.calls.sip_leg_record import SipLeg
from engine.calls.sip_targets import SipTargets
from engine.calls.sip_words import Wanted, allowed, words
from engine.calls.timers import Timers
from engine.ids import LegId
from engine.sip.endpoint import Endpoint
from engine.sip.errors import LocalSipError
from engine.sip.events import SessionId
from engine.sip.sdes import Srtp
from engine.sip.stack import Target

UNREACHABLE: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE)

PATIENCE_S: Final = 2.5
"""How long a phone may be silent before the agent's next one is tried: three INVITEs (at 0, T1 and 3*T1) and a second
for the answer. A phone sends 100 or 180 at once."""


class SipPlacing:
    """Sends the INVITEs of legs that have somebody to call."""

    def __init__(
        self,
        endpoint: Endpoint,
        directory: Directory,
        book: LegBook[SipLeg, SessionId],
        targets: SipTargets,
        carrying: SipCarrying,
    ) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._book = book
        self._targets = targets
        self._carrying = carrying
        self._patience: Timers[LegId] = Timers()

    def next_deadline(self) -> float | None:
        """When a phone has been silent for too long."""
        return self._patience.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Give up on phones that have been."""
        while (unheard := self._patience.pop_due(now)) is not None:
            leg = self._book.find(unheard)
            if leg is not None and leg.state is LegState.PLACING:
                self._out_of_patience(leg, now)

    def try_next(self, leg: SipLeg, now: float) -> bool:
        """Call the destination's next phone that was not tried; False where there is none."""
        wanted = leg.wanted
        assert wanted is not None, "a leg that we placed has somebody to call"
        left = [target for target in self._targets.of(wanted.destination) if target not in wanted.tried]
        for others, target in zip(reversed(range(len(left))), left, strict=True):
            wanted.tried.append(target)
            leg.media.insists = False
            try:
                self._book.bind(leg, self._invite(leg, wanted, target, now))
            except LocalSipError:
                continue
            self._be_patient(leg, wanted, others, now)
            return True
        return False

    def try_encrypted(self, leg: SipLeg, now: float) -> bool:
        """Call the phone again that does not take what it was offered, and may want RTP/SAVP: one that insists on
        encryption refuses plain RTP, also with keys. False where that is no use."""
        wanted = leg.wanted
        if wanted is None or leg.media.srtp is not Srtp.OPTIONAL or leg.media.insists:
            return False
        leg.media.insists = True
        target = wanted.tried[-1]
        try:
            self._book.bind(leg, self._invite(leg, wanted, target, now))
        except LocalSipError:
            return False
        others = [each for each in self._targets.of(wanted.destination) if each not in wanted.tried]
        self._be_patient(leg, wanted, len(others), now)
        return True

    def _be_patient(self, leg: SipLeg, wanted: Wanted, others: int, now: float) -> None:
        if patience_s := PATIENCE_S if others else wanted.destination.patience_s:
            self._patience.set(leg.id, now + patience_s)

    def _invite(self, leg: SipLeg, wanted: Wanted, target: Target, now: float) -> SessionId:
        to, caller = wanted.destination, wanted.caller
        said = words(self._directory, to, caller)
        redirects = self._targets.redirects(to)
        return self._endpoint.invite(
            target,
            carried=allowed(self._directory, to, self._carrying.towards(to, target, caller, wanted.carried)),
            from_user=said.from_user,
            from_display=said.from_display,
            from_host=said.from_host,
            to_user=said.to_user,
            sdp=leg.media.first_offer(self._targets.likely_flow(target)),
            headers=(*said.headers, *((("Referred-By", by),) if (by := wanted.carried.referred_by) else ())),
            max_forwards=wanted.carried.hops - 1,
            redirects=redirects,
            may_follow=self._targets.may_follow(to) if redirects and isinstance(to, TrunkNumber) else None,
            now=now,
        )

    def _out_of_patience(self, leg: SipLeg, now: float) -> None:
        """Nothing was heard of it: take the call back, however late it answers, and try the next, or let the call."""
        silent = self._book.session(leg)
        if self._endpoint.replied(silent):
            return
        others = self.try_next(leg, now)
        if others or (leg.wanted is not None and leg.wanted.destination.patience_s):
            with suppress(LocalSipError):
                self._endpoint.cancel(silent, now=now)
            if not others:
                self._book.gone(leg, UNREACHABLE)
