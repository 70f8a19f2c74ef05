"""What a media process says of itself, every field with a number of its own."""

from __future__ import annotations

from engine.media.events import PlaneStats

STATS = PlaneStats(
    legs=1,
    relayed_edges=2,
    mixed_legs=3,
    ticks=50,
    late_ticks=4,
    lateness_p50_ms=0.1,
    lateness_p999_ms=0.3,
    lateness_max_ms=0.4,
    packets_received=10,
    packets_sent=11,
    ports_taken=5,
    cpu_s=0.5,
    tick_p50_ms=0.6,
    tick_p99_ms=0.7,
    collections=8,
)
