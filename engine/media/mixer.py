"""Adding up: a plan of edges over rows of PCM, and the sums of all sinks at once.

Minus own comes of itself: a conference is the edges between all pairs but no leg's edge to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The nth edge of every sink that has so many."""

    sources: NDArray[np.intp]
    """Row of the PCM array for sinks 0, 1, 2 ..."""
    gains: NDArray[np.float32]
    """Factor of each edge [edges, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What some sinks hear, laid out for adding."""

    layers: tuple[Layer, ...]
    plain: bool
    """Every gain is 0 dB: whole numbers are enough."""


def sums(heard: Sequence[Sequence[tuple[int, float]]]) -> Sums:
    """`heard[sink]`: (row, gain in dB) of each thing that this sink hears, one at least. Sinks that hear most come
    first: then every layer is a prefix of the sinks, and adding it is one operation that gathers no targets."""
    layers = []
    for depth in range(len(heard[0])):
        edges = [sink[depth] for sink in heard if len(sink) > depth]
        factors = np.array([10 ** (gain_db / 20) for _, gain_db in edges], np.float32)
        layers.append(Layer(sources=np.array([row for row, _ in edges], np.intp), gains=factors[:, np.newaxis]))
    return Sums(layers=tuple(layers), plain=all(gain_db == 0 for sink in heard for _, gain_db in sink))


def mix(pcm: NDArray[np.int16], plan: Sums) -> NDArray[np.int16]:
    """What each sink hears: int16 [sinks, 160] from int16 [rows, 160], clipped at full scale."""
    first, *more = plan.layers
    heard = pcm[first.sources]
    if plan.plain:
        if not more:
            return heard
        total = heard.astype(np.int32)
        for layer in more:
            total[: len(layer.sources)] += pcm[layer.sources]
        return np.clip(total, -32768, 32767, out=total).astype(np.int16)
    scaled = heard * first.gains
    for layer in more:
        scaled[: len(layer.sources)] += pcm[layer.sources] * layer.gains
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -32768, 32767, out=scaled).astype(np.int16)
