"""How loaded one media process is, by its own measurements, and when it is to get no new calls.

What a leg costs is measured, not assumed: processor time a second over legs, drawn towards a usual figure while there
are few. So a process of relayed legs gets more of them than one whose legs are mixed, and of two equal ones the emptier
gets the next call.

A process is busy, and gets no new calls, when its ticks or its processor time near what there is, or when it is kept
from running; it gets them again once it is well below (hysteresis), so that calls are not refused in turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.media.events import PlaneStats

TICK_MS: Final = 20.0
"""What a tick has."""
USUAL_SHARE: Final = 0.002
"""Of a core, for a leg that was not measured yet."""
TRUST_LEGS: Final = 10
"""As many legs of the usual figure are counted beside those that were measured."""
SMOOTHING: Final = 0.3
"""Weight of the last second in the processor's share."""
USUAL_PART: Final = 1 / 3
"""Of the bound for the dearest ticks, that the usual one (the median) is above as well where it is calls that make them
dear. A single tick is, whatever there is to do, when routes are laid anew or others have emptied the caches: to refuse
calls for that helps nobody."""
STARVED_MS: Final = 10.0
"""Half of the ticks begin later than this: the machine gives the process too little time."""
BUSY_AFTER: Final = 2
"""Reports, of one a second."""
FREE_AFTER: Final = 3
EASED: Final = 0.8
"""Of a threshold, below which a busy process counts as eased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """From which load on a media process gets no new calls."""

    tick_share: float = 0.6
    """Of the 20 ms that a tick has, at the 99th percentile of the last seconds, with a median that is a third of it; 0:
    not looked at, nor is how late ticks begin."""
    cpu_share: float = 0.85
    """Of one core; 0: not looked at."""


class PlaneLoad:
    """See the module. Told what the process says of itself once a second."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._rules = rules
        self._before: tuple[float, float] | None = None
        self._above = 0
        self._below = 0
        self.legs = 0
        """Open now, as control counts them."""
        self.stats: PlaneStats | None = None
        """What the process said last."""
        self.cpu_share = 0.0
        """Of one core, smoothed over some seconds."""
        self.busy = ""
        """Why it gets no new calls; empty: it does."""

    @property
    def score(self) -> float:
        """What its legs take of a core, as far as is known: the lower, the sooner it gets the next call."""
        measured = 0 if self.stats is None else self.stats.legs
        a_leg = (self.cpu_share + TRUST_LEGS * USUAL_SHARE) / (measured + TRUST_LEGS)
        return self.legs * a_leg

    def told(self, stats: PlaneStats, now: float) -> bool:
        """Take a report; whether it changed what `busy` says."""
        if self._before is not None and now > self._before[0]:
            share = max(0.0, stats.cpu_s - self._before[1]) / (now - self._before[0])
            self.cpu_share += SMOOTHING * (share - self.cpu_share)
        self._before, self.stats = (now, stats.cpu_s), stats
        return self._judge(stats)

    def gone(self) -> None:
        """The process is no more; another begins anew."""
        self._before, self.stats, self.cpu_share, self.legs = None, None, 0.0, 0
        self._above = self._below = 0
        self.busy = ""

    def _judge(self, stats: PlaneStats) -> bool:
        why = self._above_a_bound(stats, 1.0)
        self._above = self._above + 1 if why else 0
        self._below = 0 if self._above_a_bound(stats, EASED) else self._below + 1
        before = self.busy
        if not before and self._above >= BUSY_AFTER:
            self.busy = why
        elif before and self._below >= FREE_AFTER:
            self.busy = ""
        return bool(before) != bool(self.busy)

    def _above_a_bound(self, stats: PlaneStats, part: float) -> str:
        """Which measurement is above this part of its bound, in words; empty: none."""
        rules, tick_share, usual = self._rules, stats.tick_p99_ms / TICK_MS, stats.tick_p50_ms / TICK_MS
        bound = part * rules.tick_share
        if rules.tick_share and tick_share > bound and usual > bound * USUAL_PART:
            return f"ticks take {tick_share:.0%} of their time"
        if rules.cpu_share and self.cpu_share > part * rules.cpu_share:
            return f"it takes {self.cpu_share:.0%} of a core"
        if rules.tick_share and stats.lateness_p50_ms > part * STARVED_MS:
            return f"ticks begin {stats.lateness_p50_ms:.0f} ms late"
        return ""
