"""How good a conversation sounds, from what was measured of it: the E-model (ITU-T G.107, 06/2015).

    R = Ro - Is - Id - Ie,eff + A

Everything that no packet tells stands at the default of G.107 table 2, so that Ro - Is is a constant and A is 0. What
is left is the delay impairment Id (7.4: talker echo, listener echo, absolute delay) and the effective equipment
impairment of lost packets (7-29),

    Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl)

with Ppl in per cent and BurstR the mean length of a burst of losses over that of random loss (7-30). Ie and Bpl of a
codec come from G.113 appendix I, table I.4; MOS is G.107 annex B.

Wideband sound (G.722, L16 of 16 kHz) is rated on this narrowband scale as if it were G.711, so that 4.41 is the best
that any leg can have, and MOS says what loss and delay have cost. ITU-T G.107.1 has a scale of its own for wideband: R
of up to 129, from which the codec takes Ie,WB (G.113 appendix IV: 13 for G.722 at 64 kbit/s), and R / 1.29 in annex B.
On that one G.722 without loss has 4.34, and G.711, whose 93 is the same 93 there, 3.7. Figures of two scales cannot be
compared, and one call often has a leg of each: hence one scale. Nor is there a Bpl,WB of a concealment like ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, log2, log10, sqrt
from typing import Final

RO: Final = 94.77
"""Basic signal-to-noise ratio with every default (G.107 7.2)."""
IS: Final = 1.41
"""Simultaneous impairment with every default (7.3)."""
TELR_DB: Final = 65.0
"""Talker echo loudness rating."""
WEPL_DB: Final = 110.0
"""Weighted echo path loss."""
UNNOTICED_MS: Final = 100.0
"""mT: absolute delay up to this is not noticed (table 1, default class)."""

BEST: Final = 4.5
"""MOS is not higher, whatever R."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """What a codec loses by itself, and how well it bears loss (G.113 table I.4)."""

    ie: float
    bpl: float


CONCEALED: Final = Robustness(ie=0.0, bpl=25.1)
"""G.711 with packet loss concealment (G.711 appendix I), random loss."""
PLAIN: Final = Robustness(ie=0.0, bpl=4.3)
"""G.711 without it."""


def rating(*, loss: float, burst_ratio: float = 1.0, delay_ms: float = 0.0, of: Robustness = CONCEALED) -> float:
    """R, at least 0. `loss`: the part of packets that was not played, 0 to 1; `delay_ms`: from mouth to ear, one way;
    `burst_ratio`: 1 where losses fall at random, more where they come together."""
    return max(0.0, RO - IS - delay_impairment(delay_ms) - equipment_impairment(loss, burst_ratio, of))


def equipment_impairment(loss: float, burst_ratio: float, of: Robustness) -> float:
    """Ie,eff (7-29)."""
    lost = 100.0 * min(1.0, max(0.0, loss))
    return of.ie + (95.0 - of.ie) * lost / (lost / max(1.0, burst_ratio) + of.bpl)


def burst_ratio(lost: int, gaps: int, expected: int) -> float:
    """BurstR (7-30) of `lost` of `expected` packets in `gaps` runs. A run of random losses is 1 / (1 - Ppl) packets
    long; less than random is taken for random."""
    if lost <= 0 or gaps <= 0 or expected <= 0:
        return 1.0
    return max(1.0, lost / gaps * (1.0 - min(1.0, lost / expected)))


def delay_impairment(delay_ms: float) -> float:
    """Id of 7.4, with Ta = T = `delay_ms` and Tr twice that, at the default echo losses."""
    ta = max(0.0, delay_ms)
    return _talker_echo(ta) + _listener_echo(2.0 * ta) + _absolute(ta)


def _talker_echo(t: float) -> float:
    """Idte (7-19 to 7-22). Ro stands for Roe: with the defaults they are the same."""
    terv = TELR_DB - 40.0 * log10((1.0 + t / 10.0) / (1.0 + t / 150.0)) + 6.0 * exp(-0.3 * t * t)
    difference = RO - (80.0 + 2.5 * (terv - 14.0))
    return (difference / 2.0 + sqrt(difference * difference / 4.0 + 100.0) - 1.0) * (1.0 - exp(-t))


def _listener_echo(tr: float) -> float:
    """Idle (7-25, 7-26)."""
    difference = RO - 10.5 * (WEPL_DB + 7.0) / sqrt(sqrt(tr + 1.0))
    return difference / 2.0 + sqrt(difference * difference / 4.0 + 169.0)


def _absolute(ta: float) -> float:
    """Idd (7-27, 7-28) of the default sensitivity, sT = 1."""
    if ta <= UNNOTICED_MS:
        return 0.0
    x = log2(ta / UNNOTICED_MS)
    return 25.0 * (_sixth_root(1.0 + x**6) - 3.0 * _sixth_root(1.0 + (x / 3.0) ** 6) + 2.0)


def _sixth_root(value: float) -> float:
    return exp(log(value) / 6.0)


def mos(r: float) -> float:
    """Mean opinion score of a rating, 1 to 4.5 (G.107 B-4). The formula dips under 1 for R between 0 and 6.5."""
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return BEST
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)
