"""The media processes as the API shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.api.views import MediaView, PlaneView
from engine.app.media_plane import MediaPlane
from engine.app.media_planes import MediaPlanes
from engine.media.events import PlaneStats

_NOTHING: Final = PlaneStats(
    legs=0,
    relayed_edges=0,
    mixed_legs=0,
    ticks=0,
    late_ticks=0,
    lateness_p50_ms=0.0,
    lateness_p999_ms=0.0,
    lateness_max_ms=0.0,
    packets_received=0,
    packets_sent=0,
    ports_taken=0,
    cpu_s=0.0,
)
"""What a process has measured that is not there."""


def media_view(media: MediaPlanes) -> MediaView:
    """All media processes as they told last."""
    planes = [plane_view(plane) for plane in media.planes]
    up = [plane for plane in planes if plane.up]
    return MediaView(
        up=bool(up),
        pid=up[0].pid if up else 0,
        port_min=min((plane.port_min for plane in up), default=0),
        port_max=max((plane.port_max for plane in up), default=0),
        legs=sum(plane.legs for plane in up),
        relayed_edges=sum(plane.relayed_edges for plane in up),
        mixed_legs=sum(plane.mixed_legs for plane in up),
        lateness_p50_ms=max((plane.lateness_p50_ms for plane in up), default=0.0),
        lateness_p999_ms=max((plane.lateness_p999_ms for plane in up), default=0.0),
        lateness_max_ms=max((plane.lateness_max_ms for plane in up), default=0.0),
        packets_received=sum(plane.packets_received for plane in up),
        packets_sent=sum(plane.packets_sent for plane in up),
        ports_taken=sum(plane.ports_taken for plane in up),
        cpu_s=sum(plane.cpu_s for plane in up),
        planes=tuple(planes),
    )


def plane_view(plane: MediaPlane) -> PlaneView:
    """One of them."""
    welcome, stats = plane.welcome, plane.load.stats
    if stats is None:
        stats = replace(_NOTHING, legs=0 if welcome is None else welcome.legs)
    return PlaneView(
        plane=plane.index,
        up=welcome is not None,
        state=_state(plane),
        pid=0 if welcome is None else welcome.pid,
        port_min=0 if welcome is None else welcome.port_min,
        port_max=0 if welcome is None else welcome.port_max,
        legs=stats.legs,
        relayed_edges=stats.relayed_edges,
        mixed_legs=stats.mixed_legs,
        tick_p50_ms=stats.tick_p50_ms,
        tick_p99_ms=stats.tick_p99_ms,
        lateness_p50_ms=stats.lateness_p50_ms,
        lateness_p999_ms=stats.lateness_p999_ms,
        lateness_max_ms=stats.lateness_max_ms,
        packets_received=stats.packets_received,
        packets_sent=stats.packets_sent,
        ports_taken=stats.ports_taken,
        cpu_s=stats.cpu_s,
        cpu_share=round(plane.load.cpu_share, 4),
        collections=stats.collections,
    )


def _state(plane: MediaPlane) -> str:
    if plane.welcome is None:
        return "down"
    if plane.draining:
        return "draining"
    return f"busy: {plane.load.busy}" if plane.load.busy else "ready"
