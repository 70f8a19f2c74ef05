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
from tests.torture.guided import CONSTANT_S, MISSING, PUMP_EVERY, PUMPED, TooSlow, Watch, guided, pumped

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


@pytest.fixture
def judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.torture.guided._REPEATS", 1)


class Growing:
    """A target whose time grows with the length's square, or in proportion to it; 30 us a byte at PUMPED."""

    def __init__(self, power: int) -> None:
        self._power = power

    def seeds(self) -> Sequence[bytes]:
        return [b"x"]

    def fuzz(self, data: bytes) -> None:
        until = time.process_time() + 30e-6 * PUMPED * (len(data) / PUMPED) ** self._power
        while time.process_time() < until:
            pass


@pytest.mark.usefixtures("judged_at_once")
def test_a_long_input_whose_time_grows_with_its_square_fails(tmp_path: Path) -> None:
    with pytest.raises(TooSlow, match="for 320"):
        Watch(Growing(2), tmp_path / "failure").long(b"0123456789", 1)
    assert len((tmp_path / "failure").read_bytes()) >= PUMPED


@pytest.mark.usefixtures("judged_at_once")
def test_a_long_input_may_take_long_in_proportion(tmp_path: Path) -> None:
    watch = Watch(Growing(1), tmp_path / "failure")
    watch.long(b"0123456789", 1)
    assert watch.slowest.length >= PUMPED


@pytest.mark.usefixtures("judged_at_once")
def test_every_few_inputs_a_long_one_is_run(tmp_path: Path) -> None:
    watch = Watch(Growing(2), tmp_path / "failure")
    for _ in range(PUMP_EVERY - 1):
        watch.one(b"0123456789")
    with pytest.raises(TooSlow):
        watch.one(b"0123456789")


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
        assert 1000 <= len(pumped(b"abcdefgh", chance, 1000)) < 1300


def test_a_stream_is_not_taken_for_the_same_when_an_item_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = iter([[b"x: y\r\n"], [b"x: z\r\n"]])
    monkeypatch.setattr(fuzz_stream, "_items", lambda pieces: ([next(cut)], ""))
    with pytest.raises(AssertionError, match="instead of"):
        fuzz_stream.fuzz(b"\0\0OPTIONS")
