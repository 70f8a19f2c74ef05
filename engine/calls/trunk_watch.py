"""Whether the lines are alive: who is to be asked when, and what the answers mean. Knows no protocol.

A trunk is asked every `ping_s`, counted from the last answer, so that one question at most is under way. One that is
down is asked more often, for whoever waits for it wants to know soon. `ping_s` 0 asks nothing and takes it for up;
only for a trunk that is put later that is news, told like the first answer of another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from engine.calls.directory import Trunk
from engine.calls.events import TrunkDown, TrunkUp
from engine.calls.timers import Timers
from engine.ids import TrunkName

RETRY_S: Final = 5.0
"""Seconds between questions to a trunk that is down, or `ping_s` where that is less."""

Ask = Callable[[Trunk, float], Hashable | None]
"""Send the question. A key that the answer will carry, or None where there is no way to send."""


@dataclass(slots=True, kw_only=True)
class TrunkHealth:
    """What is known of one trunk."""

    trunk: Trunk
    up: bool | None = None
    """None before the first answer."""
    round_trip_s: float | None = None
    """Of the last answer."""


class TrunkWatch:
    """The trunks' health and the times of the next questions. Trunks given at the start are due at once."""

    def __init__(self, trunks: Iterable[Trunk], ask: Ask) -> None:
        self._ask = ask
        self._asked: dict[Hashable, Trunk] = {}
        self._timers: Timers[TrunkName] = Timers()
        self._health: dict[TrunkName, TrunkHealth] = {}
        for trunk in trunks:
            self._health[trunk.name] = _unknown(trunk)
            if trunk.ping_s > 0:
                self._timers.set(trunk.name, 0.0)

    def put(self, trunk: Trunk, now: float) -> None:
        """A trunk is there, or was changed: what was known of it is forgotten."""
        self._health[trunk.name] = _unknown(trunk)
        self._timers.set(trunk.name, now)

    def drop(self, trunk: TrunkName) -> None:
        """The trunk is gone; an answer that still comes is passed over."""
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
        """Ask every trunk whose time has come; those that cannot be asked are down, and those that want no question are
        up. None is due again before its answer."""
        news: list[TrunkUp | TrunkDown] = []
        while (name := self._timers.pop_due(now)) is not None:
            trunk = self._health[name].trunk
            if trunk.ping_s == 0:
                news.append(TrunkUp(trunk=name, round_trip_s=None))
                continue
            key = self._ask(trunk, now)
            if key is not None:
                self._asked[key] = trunk
            else:
                news += self._silent(self._health[name], "no way to send", now)
        return news

    def answered(self, key: Hashable, round_trip_s: float | None, now: float) -> list[TrunkUp | TrunkDown]:
        """The answer to a question, None when none came. What is news about it; nothing for a trunk that was changed
        since it was asked."""
        trunk = self._asked.pop(key, None)
        health = None if trunk is None else self._health.get(trunk.name)
        if health is None or health.trunk is not trunk:
            return []
        if round_trip_s is None:
            return [*self._silent(health, "no answer", now)]
        return [*self._heard(health, round_trip_s, now)]

    def _heard(self, health: TrunkHealth, round_trip_s: float, now: float) -> list[TrunkUp]:
        self._timers.set(health.trunk.name, now + health.trunk.ping_s)
        news = not health.up
        health.up, health.round_trip_s = True, round_trip_s
        return [TrunkUp(trunk=health.trunk.name, round_trip_s=round_trip_s)] if news else []

    def _silent(self, health: TrunkHealth, reason: str, now: float) -> list[TrunkDown]:
        self._timers.set(health.trunk.name, now + min(health.trunk.ping_s, RETRY_S))
        news = health.up is not False
        health.up = False
        return [TrunkDown(trunk=health.trunk.name, reason=reason)] if news else []


def _unknown(trunk: Trunk) -> TrunkHealth:
    return TrunkHealth(trunk=trunk, up=None if trunk.ping_s > 0 else True)
