"""The guard against toll fraud: who may call where, how many calls at once, for how much money a day.

A thief with one stolen password telephones abroad at the house's cost, all weekend, on as many lines as there are. So
every call to a trunk is judged before it is placed, or sent elsewhere by a 3xx, and counted while it is up:

- the number, as dialled and, where a trunk's rules make a foreign one of it, as sent, by the agent's and the trunk's
  list of destinations; without a list an agent reaches no country but ours. What a service code before it hides, or a
  trunk's rule uncovers, is judged too (`Numbering.hidden`);
- the agent's calls at once (a trunk's are in `trunk_load`);
- the day's money of the agent and of the trunk: what is spent, what the calls that are up have cost so far, and one
  minute of the new one must fit. Where a limit is set and the number has no price, there is no call.

A call that is up when the money is spent is ended, unless `end_calls` is off. Emergency numbers are never refused. What
was spent is kept in the CDRs (`cost`), from which the day's sum is told at the next start.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from engine.calls.directory import Agent, Directory
from engine.calls.prices import Price, PriceList
from engine.calls.timers import Timers
from engine.calls.toll_rules import Destinations, Numbering
from engine.calls.trunk import Trunk
from engine.calls.trunk_records import CallRated, TollRefusal
from engine.ids import AgentName, LegId, TrunkName

_LISTS = 1024
"""Lists of destinations that are kept ready; agents mostly share a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TollRules:
    """What the operator sets for the whole house."""

    numbering: Numbering = field(default_factory=Numbering)
    prices: PriceList = field(default_factory=PriceList)
    end_calls: bool = True
    """End calls that are up when the day's money is spent; else only refuse new ones."""
    today: Callable[[], int] = lambda: 0
    """The number of the day it is now, where the centre is: spending begins anew with it."""
    day_age_s: Callable[[], float] = lambda: 0.0
    """Seconds since it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TollYes:
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TollNo:
    why: TollRefusal
    detail: str
    """In words for the log and the caller's phone; no amounts of others in it."""
    final: bool
    """True: it is the caller's limit; on another trunk it would be the same."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Call:
    """A call that is being placed, or up."""

    payers: tuple[str, str]
    """Who called, and the trunk: both are charged."""
    price: Price | None
    since: float | None = None
    """When it was put through, or the day began; None before."""


class TollGuard:
    """See the module. Times are monotonic seconds; payers are named "agent:NAME" and "trunk:NAME"."""

    def __init__(self, directory: Directory, rules: TollRules) -> None:
        self._directory = directory
        self._rules = rules
        self._calls: dict[LegId, _Call] = {}
        self._at_once: Counter[str] = Counter()
        self._settled: defaultdict[str, float] = defaultdict(float)
        self._day = rules.today()
        self._judged: Price | None = None
        self._timers: Timers[str] = Timers()
        self._list = lru_cache(_LISTS)(lambda entries: Destinations(entries, rules.numbering))

    # --- what is asked ---

    def judge(self, origin: str, trunk: Trunk, number: str, sent: str, now: float) -> TollYes | TollNo:
        """Whether `origin` may call this number on this trunk, which sends it as `sent`. `begin` follows a yes."""
        self._roll(now)
        numbering = self._rules.numbering
        canonical = numbering.canonical(number)
        if canonical in numbering.emergency or number in numbering.emergency:
            self._judged = None
            return TollYes(emergency=True)
        as_sent = numbering.canonical(sent)
        forms = (canonical, as_sent) if numbering.abroad(as_sent, *_home(trunk.called_out)) else (canonical,)
        self._judged = self._rules.prices.price(canonical) or self._rules.prices.price(as_sent)
        hidden = numbering.hidden(number)
        if sent != number:
            hidden = (*hidden, as_sent, *numbering.hidden(sent))
        return (
            self._judge_agent(origin, forms, now)
            or self._judge_hidden(origin, trunk, hidden)
            or self._judge_trunk(trunk, forms, now)
            or TollYes()
        )

    def _judge_hidden(self, origin: str, trunk: Trunk, hidden: tuple[str, ...]) -> TollNo | None:
        """Those that a switch behind us may find in the number."""
        agent = self._agent(origin)
        for form in hidden:
            foreign = self._rules.numbering.abroad(form, *_home(trunk.called_out))
            if agent is not None and not self._list(agent.destinations).lets(form, abroad=foreign):
                return _no(TollRefusal.DESTINATION, f"agent {agent.name} may not call {form}", final=True)
            if not self._list(trunk.destinations).lets(form, abroad=False):
                return _no(TollRefusal.DESTINATION, f"{form} may not be called on trunk {trunk.name}", final=False)
        return None

    def _judge_agent(self, origin: str, forms: tuple[str, ...], now: float) -> TollNo | None:
        agent = self._agent(origin)
        if agent is None:
            return None
        allowed = self._list(agent.destinations)
        for form in forms:
            verdict = allowed.allow(form)
            if verdict is False:
                return _no(TollRefusal.DESTINATION, f"agent {agent.name} may not call {form}", final=True)
            if verdict is None and self._rules.numbering.abroad(form):
                return _no(TollRefusal.ABROAD, f"agent {agent.name} may not call abroad ({form})", final=True)
        others = self._at_once[origin]
        if 0 < agent.max_outbound <= others:
            return _no(TollRefusal.CONCURRENCY, f"agent {agent.name} has {others} calls on trunks", final=True)
        return self._judge_budget(origin, agent.daily_spend, forms[0], now, final=True)

    def _agent(self, origin: str) -> Agent | None:
        kind, _, name = origin.partition(":")
        return self._directory.agents.get(AgentName(name)) if kind == "agent" else None

    def _judge_trunk(self, trunk: Trunk, forms: tuple[str, ...], now: float) -> TollNo | None:
        allowed = self._list(trunk.destinations)
        for form in forms:
            if allowed.allow(form) is False:
                return _no(TollRefusal.DESTINATION, f"{form} may not be called on trunk {trunk.name}", final=False)
        return self._judge_budget(f"trunk:{trunk.name}", trunk.daily_spend, forms[0], now, final=False)

    def _judge_budget(self, payer: str, limit: float, number: str, now: float, *, final: bool) -> TollNo | None:
        if not limit:
            return None
        who = payer.replace(":", " ", 1)
        if self._judged is None:
            return _no(TollRefusal.NO_PRICE, f"{number} has no price, and {who} has a daily limit", final=final)
        if self._spent(payer, now) + self._judged.first_minute() > limit:
            return _no(TollRefusal.BUDGET, f"the daily budget of {who} does not allow this call", final=final)
        return None

    def spent(self, payer: str, now: float) -> float:
        """What this agent's calls, or those on this trunk, have cost today, also those that are up."""
        self._roll(now)
        return self._spent(payer, now)

    def _spent(self, payer: str, now: float) -> float:
        return self._settled.get(payer, 0.0) + sum(
            _running(call, now) for call in self._calls.values() if payer in call.payers
        )

    def all_spent(self, now: float) -> Mapping[str, float]:
        """The same for everybody at once."""
        self._roll(now)
        found = self._settled.copy()
        for call in self._calls.values():
            cost = _running(call, now)
            for payer in call.payers:
                found[payer] += cost
        return found

    # --- what is told ---

    def begin(self, leg: LegId, origin: str, trunk: TrunkName) -> None:
        """The call that was judged last is placed on this trunk, as this leg."""
        self._at_once[origin] += 1
        self._calls[leg] = _Call(payers=(origin, f"trunk:{trunk}"), price=self._judged)

    def redirect(self, leg: LegId, trunk: Trunk, number: str, now: float) -> TollYes | TollNo:
        """Whether a call that was begun may go to another number, to which the trunk sends it; with a yes it has that
        number's price."""
        found = self._calls.get(leg)
        if found is None:
            return _no(TollRefusal.DESTINATION, "the call is over", final=True)
        origin = found.payers[0]
        self._at_once[origin] -= 1  # it is counted already, and would be one too many
        verdict = self.judge(origin, trunk, number, number, now)
        self._at_once[origin] += 1
        if isinstance(verdict, TollYes):
            found.price = self._judged
        return verdict

    def connected(self, leg: LegId, now: float) -> CallRated | None:
        """It was put through and costs money from now on. What it costs; None for nothing."""
        self._roll(now)
        found = self._calls.get(leg)
        if found is None or found.price is None or not found.price.first_minute():
            return None
        found.since = now
        origin, trunk = found.payers
        for payer in found.payers:
            self._settled[payer] += found.price.per_call
            self._arm(payer, now)
        return CallRated(
            trunk=TrunkName(trunk.removeprefix("trunk:")),
            agent=AgentName(origin.removeprefix("agent:")) if origin.startswith("agent:") else None,
            per_call=found.price.per_call,
            per_minute=found.price.per_minute,
        )

    def ended(self, leg: LegId, now: float) -> None:
        """It is over; nothing happens when it was never begun."""
        found = self._calls.get(leg)
        if found is None:
            return
        self._roll(now)
        del self._calls[leg]
        self._at_once[found.payers[0]] -= 1
        if not self._at_once[found.payers[0]]:
            del self._at_once[found.payers[0]]
        if found.since is not None:
            for payer in found.payers:
                self._settled[payer] += _running(found, now)
                self._arm(payer, now)

    def recall(self, spent: Mapping[str, float]) -> None:
        """What was spent today before this start, by payer."""
        self._settled.update(spent)

    def directory_changed(self, now: float) -> None:
        """Limits may be other ones now."""
        for payer in {payer for call in self._calls.values() for payer in call.payers}:
            self._arm(payer, now)

    # --- time ---

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def handle_deadline(self, now: float) -> list[tuple[str, TrunkName, LegId, str]]:
        """The calls that must end now because somebody's money is spent: who called, the trunk, its leg, a word why."""
        over: dict[LegId, tuple[str, TrunkName, LegId, str]] = {}
        due = self._timers.next_deadline()
        if due is None or due > now:
            return []
        self._roll(now)
        while (payer := self._timers.pop_due(now)) is not None:
            limit = self._limit(payer)
            # To a ten thousandth of what may be spent: floats do not add up to the very limit.
            if not limit or self._spent(payer, now) < limit * 0.9999:
                self._arm(payer, now)
                continue
            for name, call in self._calls.items():
                if payer in call.payers and call.since is not None:
                    trunk = TrunkName(call.payers[1].removeprefix("trunk:"))
                    over[name] = (
                        call.payers[0],
                        trunk,
                        name,
                        f"the daily budget of {payer.replace(':', ' ', 1)} is used up",
                    )
        return list(over.values())

    def _roll(self, now: float) -> None:
        """With a new day everybody has spent nothing, and calls that are up begin anew."""
        day = self._rules.today()
        if day == self._day:
            return
        self._day = day
        self._settled.clear()
        # Nobody may have asked since midnight: what was talked from then on is this day's.
        began = now - self._rules.day_age_s()
        for call in self._calls.values():
            if call.since is not None:
                call.since = max(call.since, began)
        self.directory_changed(now)

    def _arm(self, payer: str, now: float) -> None:
        """Be there when this payer's money is spent, if all goes on as it does."""
        limit = self._limit(payer)
        a_minute = self._rate(payer) if limit and self._rules.end_calls else 0.0
        if not a_minute:
            self._timers.cancel(payer)
            return
        left = max(0.0, limit - self._spent(payer, now))
        self._timers.set(payer, now + 60 * left / a_minute)

    def _rate(self, payer: str) -> float:
        """What this payer's calls that are up cost a minute."""
        up = [call for call in self._calls.values() if payer in call.payers and call.since is not None]
        return sum(call.price.per_minute for call in up if call.price is not None)

    def _limit(self, payer: str) -> float:
        kind, _, name = payer.partition(":")
        if kind == "agent":
            agent = self._directory.agents.get(AgentName(name))
            return 0.0 if agent is None else agent.daily_spend
        trunk = self._directory.trunks.get(TrunkName(name))
        return 0.0 if trunk is None else trunk.daily_spend


def _no(why: TollRefusal, detail: str, *, final: bool) -> TollNo:
    return TollNo(why=why, detail=detail, final=final)


def _running(call: _Call, now: float) -> float:
    """What a call has cost by the minute since it was put through, or since the day began."""
    return 0.0 if call.since is None or call.price is None else call.price.of(now - call.since)


@lru_cache(_LISTS)
def _home(rules: tuple[str, ...]) -> tuple[str, ...]:
    """The countries that a trunk's rules for called numbers are about: what they make of a number dialled at home."""
    named = [rule.partition(":")[2] for rule in rules if rule.startswith(("e164:", "prefix:+"))]
    return tuple(name.removeprefix("+") for name in named if name.removeprefix("+"))
