"""The short form of the soak of the media plane (`make soak`): half a minute of everything that may happen to calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.soak_media import soak
from tests.bench.soak_stories import STORIES
from tests.bench.soak_tapes import check_tapes
from tests.bench.soak_town import Size
from tests.bench.soak_watch import Held, Look, growth, left_over

HELD = Held(rss=60.0, pss=40.0, private=30.0, descriptors=60, threads=3)
QUIET = Look(at_s=0.0, processes={"media": HELD}, ports=64, calls=0, legs=0, cpu_s=1.0, load=0.5, mixed=0)


@pytest.mark.integration
def test_half_a_minute_of_everything_leaves_nothing_behind(tmp_path: Path) -> None:
    size = Size(agents=30, calls=20, new_per_s=2.0)
    outcome = asyncio.run(soak(tmp_path, size, seconds=20.0, warm_up_s=5.0, seed=5, every_s=2.0, flat=None))
    assert outcome.problems == []
    told = outcome.told
    assert told["calls"] >= 40
    assert len(STORIES.keys() & told["begun"].keys()) >= 6
    assert max(look.legs for look in outcome.looks) >= 15
    assert told["telephones"]["calls that heard"] >= 0.9 * told["telephones"]["calls that could hear"]
    assert told["telephones"]["sealed packets that open"] == told["telephones"]["sealed packets"] > 0
    assert sum(told["recordings"].values()) >= 2


def test_growth_is_that_of_the_line_through_all_looks() -> None:
    looks = [
        replace(QUIET, at_s=10.0 * n, processes={"media": replace(HELD, private=100 + n + (-1) ** n * 0.001)})
        for n in range(11)
    ]
    found = growth(looks, "media", "private")
    assert found["mean_mib"] == pytest.approx(105, abs=0.01)
    assert found["growth_percent"] == pytest.approx(100 * 10 / 105, abs=0.02)
    assert growth(looks, "converter", "private") == {}


def test_what_is_left_over_is_told() -> None:
    assert left_over(QUIET, QUIET, planes=1) == []
    more = replace(HELD, descriptors=200, threads=9)
    after = replace(QUIET, processes={"media": more, "converter": HELD}, ports=66, legs=1)
    assert len(left_over(QUIET, after, planes=1)) == 5


def test_recordings_that_are_not_whole_are_told(tmp_path: Path) -> None:
    for name in ("a.flac.part", "b.running.wav", "c.flac", "d.flac.hlr"):
        (tmp_path / name).write_bytes(b"no sound")
    kinds, seconds, wrong = check_tapes(tmp_path, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert kinds == {".flac": 1, ".flac.hlr": 1}
    assert seconds == 0
    assert len(wrong) == 4
