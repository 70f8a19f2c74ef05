"""What was measured on one leg, as control hears of it."""

from __future__ import annotations

from engine.media.codecs import RATE
from engine.media.commands import Quality
from engine.media.leg import Leg

COUNTERS_S = 5.0
"""Plain counters grow with every packet; alone they are news this often."""

JITTER_STEP_MS = 5.0
"""Less changes from second to second on any machine that does other work too."""


def quality(leg: Leg) -> Quality:
    """The figures of one leg up to now."""
    leg.settle()
    rx, tx, rtcp = leg.rx, leg.tx, leg.rtcp
    return Quality(
        leg=leg.name,
        packets_received=rx.earlier_received + rx.received,
        packets_sent=tx.packets,
        octets_received=rx.octets,
        lost=rx.lost,
        jitter_ms=round(rx.jitter * 1000 / RATE, 1),
        remote_lost=rtcp.remote_lost,
        remote_jitter_ms=None if rtcp.remote_jitter is None else round(rtcp.remote_jitter * 1000 / RATE, 1),
        round_trip_ms=None if rtcp.round_trip is None else round(rtcp.round_trip * 1000, 1),
        strangers=rx.strangers,
        refused=tx.refused,
    )


def news(old: Quality | None, new: Quality, age: float) -> bool:
    """Whether `new` says more than `old`, told `age` seconds ago: anything but counters and a little
    jitter, or counters that are COUNTERS_S old. A leg on which nothing came yet has none."""
    if old is None:
        return bool(new.packets_received or new.strangers or new.refused or new.remote_lost is not None)
    if old == new:
        return False
    if age >= COUNTERS_S:
        return True
    return (
        abs(old.jitter_ms - new.jitter_ms) >= JITTER_STEP_MS
        or (old.lost, old.remote_lost, old.strangers, old.refused)
        != (new.lost, new.remote_lost, new.strangers, new.refused)
        or (old.round_trip_ms is None) != (new.round_trip_ms is None)
        or abs((old.round_trip_ms or 0) - (new.round_trip_ms or 0)) >= 5
    )
