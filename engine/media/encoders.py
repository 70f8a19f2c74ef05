"""From PCM to payloads, all sinks of one codec at a time: by table, by swapping octets, or one C state a leg."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import ENCODE, FORMS, INDEX
from engine.media.commands import G711, Codec
from engine.media.g722 import G722Encoder

Payloads = Sequence[memoryview | bytes]


class Encoder(Protocol):
    """Some streams of one codec."""

    codec: Codec

    def encode(self, pcm: NDArray[np.int16], begin: int = 0) -> Payloads:
        """The payloads of the streams from `begin` on, as many as `pcm` [streams, samples] has; good until the next
        call."""
        ...


def encoder(codec: Codec, keys: Sequence[Hashable], before: Encoder | None = None) -> Encoder:
    """An encoder of a stream for each key; streams that were in `before` go on."""
    if codec in G711:
        return G711Streams(codec, len(keys))
    if codec is Codec.G722:
        return G722Streams(keys, before if isinstance(before, G722Streams) else None)
    return LinearStreams(codec, len(keys))


class G711Streams:
    """One lookup a sample."""

    def __init__(self, codec: Codec, streams: int) -> None:
        self.codec = codec
        self._table = ENCODE[INDEX[codec]]
        self._codes = np.zeros((streams, FORMS[codec].octets), np.uint8)
        self._views = _views(self._codes)

    def encode(self, pcm: NDArray[np.int16], begin: int = 0) -> Payloads:
        end = begin + len(pcm)
        self._table.take(pcm.view(np.uint16), out=self._codes[begin:end], mode="clip")
        return self._views[begin:end]


class LinearStreams:
    """L16: samples in network byte order."""

    def __init__(self, codec: Codec, streams: int) -> None:
        self.codec = codec
        self._samples = np.zeros((streams, FORMS[codec].samples), ">i2")
        self._views = _views(self._samples.view(np.uint8))

    def encode(self, pcm: NDArray[np.int16], begin: int = 0) -> Payloads:
        end = begin + len(pcm)
        self._samples[begin:end] = pcm
        return self._views[begin:end]


class G722Streams:
    """A coder a stream."""

    codec = Codec.G722

    def __init__(self, keys: Sequence[Hashable], before: G722Streams | None) -> None:
        kept: dict[Hashable, G722Encoder] = {} if before is None else before._coders
        self._coders: dict[Hashable, G722Encoder] = {key: kept.get(key) or G722Encoder() for key in keys}
        self._ordered = list(self._coders.values())

    def encode(self, pcm: NDArray[np.int16], begin: int = 0) -> Payloads:
        return [coder.encode(sound) for coder, sound in zip(self._ordered[begin:], pcm, strict=False)]


def _views(codes: NDArray[np.uint8]) -> list[memoryview]:
    """Each row."""
    whole, octets = codes.reshape(-1).data, codes.shape[1]
    return [whole[at * octets : (at + 1) * octets] for at in range(len(codes))]
