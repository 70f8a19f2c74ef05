"""What was measured on one leg, as control hears of it."""

from __future__ import annotations

from dataclasses import replace

from engine.media.commands import Codec
from engine.media.events import Quality
from engine.media.leg import Leg
from engine.media.table import Table

COUNTERS_S = 5.0
"""Plain counters grow with every packet; alone they are news this often."""

JITTER_STEP_MS = 5.0
"""Less changes from second to second on any machine that does other work too."""

ROUND_TRIP_STEP_MS = 5.0

MOS_STEP = 0.2
"""Less is heard by nobody."""


def measure(leg: Leg, table: Table, now: float, *, closing: bool = False) -> None:
    """What is looked at once a second: MOS, and the loudness of one packet; ask for the next one."""
    rx, row = leg.rx, leg.row
    discarded, depth_ms = leg.health.discarded, 0.0
    if row >= 0:
        discarded, depth_ms = discarded + table.discarded(row), table.depth_ms(row)
    leg.health.meter.look(rx, discarded=discarded, round_trip_s=leg.rtcp.round_trip, depth_ms=depth_ms, closing=closing)
    sample, rx.sample = rx.sample, None
    if sample is not None:
        leg.health.loudness.hear(sample, leg.codec, now)
    if not closing and rx.ssrc >= 0 and leg.codec is not Codec.OPAQUE:
        rx.shut()
        rx.sampling = True


def leave_row(leg: Leg, table: Table) -> None:
    """The leg gives its row back: keep what is counted there."""
    leg.health.discarded += table.discarded(leg.row)
    leg.health.concealed_ms += table.concealed(leg.row)


def quality(leg: Leg, table: Table, now: float) -> Quality:
    """The figures of one leg up to now."""
    leg.settle()
    rx, tx, rtcp, meter, row = leg.rx, leg.tx, leg.rtcp, leg.health.meter, leg.row
    unauthentic = 0 if leg.shield is None else leg.shield.opener.failed
    level = leg.health.loudness.dbm0
    return Quality(
        leg=leg.name,
        packets_received=rx.earlier_received + rx.received,
        packets_sent=tx.packets,
        octets_received=rx.octets,
        lost=rx.lost,
        jitter_ms=round(rx.jitter * 1000 / rx.rate, 1),
        remote_lost=rtcp.remote_lost,
        remote_jitter_ms=None if rtcp.remote_jitter is None else round(rtcp.remote_jitter * 1000 / tx.rate, 1),
        round_trip_ms=None if rtcp.round_trip is None else round(rtcp.round_trip * 1000, 1),
        strangers=max(0, rx.strangers - unauthentic),
        refused=tx.refused,
        unauthentic=unauthentic,
        discarded=leg.health.discarded + (table.discarded(row) if row >= 0 else 0),
        concealed_ms=leg.health.concealed_ms + (table.concealed(row) if row >= 0 else 0),
        mos=_hundredths(meter.mos),
        mos_worst=_hundredths(meter.worst),
        mos_mean=_hundredths(meter.mean),
        level_dbm0=level,
        silent_s=None if level is None else round(now - (leg.health.loudness.loud_at or leg.opened_at), 1),
        one_way=" ".join(sorted(leg.health.one_way.ever)),
    )


def _hundredths(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def sign(leg: Leg, table: Table) -> tuple[object, ...]:
    """What is another whenever two figures of a leg are `news` to each other; it costs a tenth of them."""
    rx, tx, rtcp, health = leg.rx, leg.tx, leg.rtcp, leg.health
    return (
        int(rx.jitter * 2000 / rx.rate / JITTER_STEP_MS),
        rx.lost,
        rtcp.remote_lost,
        rx.strangers,
        tx.refused,
        health.discarded if leg.row < 0 else health.discarded + table.discarded(leg.row),
        None if rtcp.round_trip is None else int(rtcp.round_trip * 2000 / ROUND_TRIP_STEP_MS),
        None if health.meter.mos is None else int(health.meter.mos * 2 / MOS_STEP),
    )


def news(old: Quality | None, new: Quality, age: float) -> bool:
    """Whether `new` says more than `old`, told `age` seconds ago: anything but counters, loudness, and little of
    jitter, delay and MOS; or those, when they are COUNTERS_S old. A leg on which nothing came yet has none."""
    if old is None:
        return bool(new.packets_received or new.strangers or new.refused or new.remote_lost is not None)
    if age >= COUNTERS_S:
        return _counters(old) != _counters(new)
    return (
        abs(old.jitter_ms - new.jitter_ms) >= JITTER_STEP_MS
        or (old.lost, old.remote_lost, old.strangers, old.refused, old.unauthentic, old.discarded)
        != (new.lost, new.remote_lost, new.strangers, new.refused, new.unauthentic, new.discarded)
        or (old.round_trip_ms is None, old.mos is None) != (new.round_trip_ms is None, new.mos is None)
        or abs((old.round_trip_ms or 0) - (new.round_trip_ms or 0)) >= ROUND_TRIP_STEP_MS
        or abs((old.mos or 0) - (new.mos or 0)) >= MOS_STEP
    )


def _counters(told: Quality) -> Quality:
    """Without what goes on by itself where nothing is heard."""
    return replace(told, silent_s=None)
