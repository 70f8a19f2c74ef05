from __future__ import annotations

import ctypes

import numpy as np
import pytest

from softphone.sip.frames import FrameBuffer, fast_path_works


class FakeVector:
    """Memory laid out as a C++ vector of bytes, as the binding shows it: `this` is where the pointers are."""

    def __init__(self, data: bytes) -> None:
        self.data = ctypes.create_string_buffer(bytes(data), max(1, len(data)))
        begin = ctypes.addressof(self.data)
        self.pointers = (ctypes.c_void_p * 3)(begin, begin + len(data), begin + len(data))
        self.this = ctypes.addressof(self.pointers)
        self.length = len(data)

    def size(self) -> int:
        return self.length

    def __bytes__(self) -> bytes:
        return self.data.raw[: self.length]


class StrangeVector(FakeVector):
    """A library that keeps something else before the pointers."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.pointers = (ctypes.c_void_p * 3)(8, self.pointers[0], self.pointers[1])
        self.this = ctypes.addressof(self.pointers)


class Frame:
    def __init__(self, data: bytes = b"") -> None:
        self._buf = FakeVector(data)
        self.size = len(data)

    @property
    def buf(self) -> FakeVector:
        return self._buf

    @buf.setter
    def buf(self, value: FakeVector) -> None:
        self._buf = FakeVector(bytes(value))  # the binding copies


VOICE = np.arange(-160, 160, dtype=np.int16)


def test_a_known_layout_is_recognised_and_a_strange_one_is_not_touched() -> None:
    assert fast_path_works(FakeVector)
    assert not fast_path_works(StrangeVector)


@pytest.mark.parametrize("fast", [True, False])
def test_samples_survive_both_ways(fast: bool) -> None:
    buffer = FrameBuffer(FakeVector, samples=320, fast=fast)
    frame = Frame()
    buffer.fill(frame, VOICE)
    assert frame.size == 640
    assert bytes(frame.buf) == VOICE.astype("<i2").tobytes()
    heard = buffer.read(frame)
    assert heard is not None
    assert heard.tolist() == VOICE.tolist()


@pytest.mark.parametrize("fast", [True, False])
def test_the_next_frame_does_not_change_the_last(fast: bool) -> None:
    buffer = FrameBuffer(FakeVector, samples=320, fast=fast)
    first, second = Frame(), Frame()
    buffer.fill(first, VOICE)
    heard = buffer.read(first)
    buffer.fill(second, np.zeros(320, dtype=np.int16))
    assert heard is not None
    assert heard.tolist() == VOICE.tolist()
    assert bytes(first.buf) == VOICE.astype("<i2").tobytes()


@pytest.mark.parametrize("data", [b"", bytes(638)])
def test_an_empty_or_short_frame_is_no_voice(data: bytes) -> None:
    assert FrameBuffer(FakeVector, samples=320, fast=True).read(Frame(data)) is None
