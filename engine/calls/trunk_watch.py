"""Whether the lines are alive: who is to be asked when, and what the answers mean. Knows no protocol.

A trunk is asked every `ping_s`, counted from the last answer, so that one question at most is under way; no answer for
ANSWER_S is one that did not come. `down_after` bad answers in a row make it down, `up_after` good ones up again (so
does the first good one of all): one lost packet is nothing. In between, where nobody knows, and when it is down, it
is asked more often. `ping_s` 0 asks nothing and takes it for up; only for a trunk that is put later that is news,
told like the first answer of another.

Five hundred trunks are not asked in the same instant: the first questions are SPREAD_S apart, and every interval is up
to a tenth shorter or longer, by the trunk's name and the count of its questions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from engine.calls.directory import Trunk
from engine.calls.events import TrunkDown, TrunkUp
from engine.calls.timers import Timers
from engine.ids import TrunkName

RETRY_S: Final = 5.0
"""Seconds between questions to a trunk that is down, or `ping_s` where that is less."""
DOUBT_S: Final = 1.0
"""The same while one answer contradicts what was known."""
ANSWER_S: Final = 5.0
"""How long an answer may take: over UDP a question is sent four times until then (at 0, T1, 3*T1 and 7*T1)."""
SPREAD_S: Final = 0.01
JITTER: Final = 0.1

Ask = Callable[[Trunk, float], Hashable | None]
"""Send the question. A key that the answer will carry, or None where there is no way to send."""


@dataclass(slots=True, kw_only=True)
class TrunkHealth:
    """What is known of one trunk."""

    trunk: Trunk
    up: bool | None = None
    """None before it is known."""
    round_trip_s: float | None = None
    """Of the last good answer."""
    reason: str = ""
    """Why the last answer was none, or a bad one; empty after a good one."""
    good: int = 0
    bad: int = 0
    """Answers of this kind in a row."""
    asked: int = 0
    """Questions so far."""
    key: Hashable | None = None
    """Of the question that is under way."""


class TrunkWatch:
    """The trunks' health and the times of the next questions. Trunks given at the start are due at once."""

    def __init__(self, trunks: Iterable[Trunk], ask: Ask) -> None:
        self._ask = ask
        self._asked: dict[Hashable, TrunkHealth] = {}
        self._timers: Timers[TrunkName] = Timers()
        self._health: dict[TrunkName, TrunkHealth] = {}
        for place, trunk in enumerate(trunks):
            self._health[trunk.name] = _unknown(trunk)
            if trunk.ping_s > 0:
                self._timers.set(trunk.name, place * SPREAD_S)

    def put(self, trunk: Trunk, now: float) -> None:
        """A trunk is there, or was changed: what was known of it is forgotten."""
        self._forget_question(trunk.name)
        self._health[trunk.name] = _unknown(trunk)
        self._timers.set(trunk.name, now)

    def drop(self, trunk: TrunkName) -> None:
        """The trunk is gone; an answer that still comes is passed over."""
        self._forget_question(trunk)
        self._health.pop(trunk, None)
        self._timers.cancel(trunk)

    def is_down(self, trunk: TrunkName) -> bool:
        """Whether the trunk was asked and did not answer."""
        health = self._health.get(trunk)
        return health is not None and health.up is False

    def all(self) -> tuple[TrunkHealth, ...]:
        return tuple(self._health.values())

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def handle_deadline(self, now: float) -> list[TrunkUp | TrunkDown]:
        """Ask every trunk whose time has come, and give up questions that nobody answered; those that cannot be asked
        have not answered, and those that want no question are up."""
        news: list[TrunkUp | TrunkDown] = []
        while (name := self._timers.pop_due(now)) is not None:
            health = self._health[name]
            if health.trunk.ping_s == 0:
                news.append(TrunkUp(trunk=name, round_trip_s=None))
            elif health.key is not None:
                self._forget_question(name)
                news += self._bad(health, "no answer", now)
            else:
                news += self._question(health, now)
        return news

    def answered(
        self, key: Hashable, round_trip_s: float | None, now: float, *, fault: str = ""
    ) -> list[TrunkUp | TrunkDown]:
        """The answer to a question, None when none came; `fault` says why an answer is a bad one. What is news about
        it; nothing for a question that was given up, or about a trunk that was changed since."""
        health = self._asked.pop(key, None)
        if health is None:
            return []
        health.key = None
        if round_trip_s is None or fault:
            return [*self._bad(health, fault or "no answer", now)]
        return [*self._good(health, round_trip_s, now)]

    def _question(self, health: TrunkHealth, now: float) -> list[TrunkDown]:
        health.asked += 1
        key = self._ask(health.trunk, now)
        if key is None:
            return self._bad(health, "no way to send", now)
        health.key = key
        self._asked[key] = health
        self._timers.set(health.trunk.name, now + ANSWER_S)
        return []

    def _forget_question(self, trunk: TrunkName) -> None:
        health = self._health.get(trunk)
        if health is not None and health.key is not None:
            self._asked.pop(health.key, None)
            health.key = None

    def _good(self, health: TrunkHealth, round_trip_s: float, now: float) -> list[TrunkUp]:
        health.good, health.bad, health.reason = health.good + 1, 0, ""
        health.round_trip_s = round_trip_s
        news = not health.up and (health.up is None or health.good >= health.trunk.up_after)
        if news:
            health.up = True
        self._ask_again(health, now, DOUBT_S if not health.up else health.trunk.ping_s)
        return [TrunkUp(trunk=health.trunk.name, round_trip_s=round_trip_s)] if news else []

    def _bad(self, health: TrunkHealth, reason: str, now: float) -> list[TrunkDown]:
        health.good, health.bad, health.reason = 0, health.bad + 1, reason
        news = health.up is not False and health.bad >= health.trunk.down_after
        if news:
            health.up = False
        self._ask_again(health, now, RETRY_S if health.up is False else DOUBT_S)
        return [TrunkDown(trunk=health.trunk.name, reason=reason)] if news else []

    def _ask_again(self, health: TrunkHealth, now: float, after_s: float) -> None:
        trunk = health.trunk
        noise = crc32(f"{trunk.name}:{health.asked}".encode()) / 0xFFFFFFFF
        self._timers.set(trunk.name, now + min(after_s, trunk.ping_s) * (1 + JITTER * (2 * noise - 1)))


def _unknown(trunk: Trunk) -> TrunkHealth:
    return TrunkHealth(trunk=trunk, up=None if trunk.ping_s > 0 else True)
