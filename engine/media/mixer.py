"""Adding up: a plan of edges over rows of PCM, and the sums of all sinks at once.

Minus own comes of itself: a conference is the edges between all pairs but no leg's edge to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Edges in the order of their sinks, every sink with at least one."""

    sources: NDArray[np.intp]
    """Row of the PCM array that each edge takes."""
    gains: NDArray[np.float32] | None
    """Factor of each edge [edges, 1]; None when all are 1."""
    starts: NDArray[np.intp] | None
    """Index of each sink's first edge; None when every sink has exactly one edge."""


def edges(heard: Sequence[Sequence[tuple[int, float]]]) -> Edges:
    """`heard[sink]`: (row, gain in dB) of each thing that this sink hears."""
    flat = [edge for sink in heard for edge in sink]
    counts = [len(sink) for sink in heard]
    plain = all(gain_db == 0 for _, gain_db in flat)
    factors = np.array([10 ** (gain_db / 20) for _, gain_db in flat], np.float32)
    return Edges(
        sources=np.array([row for row, _ in flat], np.intp),
        gains=None if plain else factors[:, np.newaxis],
        starts=None if all(count == 1 for count in counts) else np.cumsum([0, *counts[:-1]]),
    )


def mix(pcm: NDArray[np.int16], plan: Edges) -> NDArray[np.int16]:
    """What each sink hears: int16 [sinks, 160] from int16 [rows, 160], clipped at full scale."""
    heard = pcm[plan.sources]
    if plan.gains is None:
        if plan.starts is None:
            return heard
        total = np.add.reduceat(heard, plan.starts, axis=0, dtype=np.int32)
        return np.clip(total, -32768, 32767).astype(np.int16)
    scaled = heard * plan.gains
    if plan.starts is not None:
        scaled = np.add.reduceat(scaled, plan.starts, axis=0)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -32768, 32767, out=scaled).astype(np.int16)
