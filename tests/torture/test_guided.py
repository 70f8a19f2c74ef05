"""The fuzzers guided by coverage, in short; `make fuzz` runs each for ten minutes. And what watches them."""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.sip.errors import RemoteSipError
from tests.torture import fuzz_digest, fuzz_message, fuzz_sdp, fuzz_stream
from tests.torture.guided import CONSTANT_S, MISSING, PUMPED, TooSlow, Watch, guided, pumped

TARGETS = {"message": fuzz_message, "stream": fuzz_stream, "sdp": fuzz_sdp, "digest": fuzz_digest}


class Fake:
    """A target that does what a test says."""

    def __init__(self, cost_s: float = 0.0, fails: bytes = b"\0") -> None:
        self._cost_s = cost_s
        self._fails = fails

    def seeds(self) -> Sequence[bytes]:
        return [b"x"]

    def fuzz(self, data: bytes) -> None:
        if self._fails in data:
            raise RemoteSipError("told", status_hint=400, reason="x")
        until = time.process_time() + self._cost_s
        while time.process_time() < until:
            pass


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.fuzz(seed)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason=MISSING)
def test_guided_by_coverage(name: str) -> None:
    found = guided(f"fuzz_{name}", 2)
    assert found["outcome"] == "ok", found
    assert found["coverage"], found
    assert isinstance(found["executions"], int)
    assert found["executions"] > 50, found


def test_an_input_that_fails_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch(Fake(fails=b"bad"), tmp_path / "failure")
    watch.one(b"good")
    with pytest.raises(RemoteSipError):
        watch.one(b"so bad")
    assert (tmp_path / "failure").read_bytes() == b"so bad"
    assert "RemoteSipError: told; of 6 bytes: b'so bad'" in capsys.readouterr().err


def test_an_input_that_takes_long_fails(tmp_path: Path) -> None:
    with pytest.raises(TooSlow, match="for 10 bytes"):
        Watch(Fake(cost_s=CONSTANT_S * 2), tmp_path / "failure").one(b"0123456789")


def test_the_slowest_is_noted(tmp_path: Path) -> None:
    watch = Watch(Fake(cost_s=1e-3), tmp_path / "failure")
    watch.one(b"x" * 100)
    assert watch.slowest.length == 0
    watch.one(b"x" * 500)
    assert watch.slowest.length == 500
    assert 2e-6 <= watch.slowest.seconds_per_byte < 20e-6


def test_parts_are_repeated() -> None:
    chance = random.Random(1)
    for _ in range(20):
        long = pumped(b"abcdefgh", chance)
        assert PUMPED <= len(long) < PUMPED + 300


def test_a_stream_is_not_taken_for_the_same_when_an_item_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = iter([[b"x: y\r\n"], [b"x: z\r\n"]])
    monkeypatch.setattr(fuzz_stream, "_items", lambda pieces: ([next(cut)], ""))
    with pytest.raises(AssertionError, match="instead of"):
        fuzz_stream.fuzz(b"\0\0OPTIONS")
