"""What a control process that is new here hears of recordings that run."""

from __future__ import annotations

from engine.media.commands import (
    AimRecording,
    CloseLeg,
    ListLegs,
    PauseRecording,
    RecordingFormat,
    RecordingKey,
    StopRecording,
)
from engine.media.events import Legs, RecordingInfo
from engine.media.framing import decode, encode
from tests.support.media_fakes import Bench
from tests.support.recordings import start

KEY = RecordingKey(key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")


def listed(bench: Bench) -> tuple[RecordingInfo, ...]:
    bench.do(ListLegs())
    told = bench.events[-1]
    assert isinstance(told, Legs)
    assert decode(encode(told)[4:]) == told
    return told.recordings


def test_all_that_run_are_listed_with_what_they_record() -> None:
    bench = Bench()
    for name in "abc":
        bench.leg(name)
    assert listed(bench) == ()
    bench.do(start(recording="c1", stem="/tapes/c1", format=RecordingFormat.FLAC))
    began = bench.now
    bench.now += 5.0
    bench.do(start(recording="c2-1", leg="c", other=None, stem="/tapes/c2", format=RecordingFormat.OPUS, key=KEY))
    bench.do(PauseRecording(recording="c2-1"))
    first = RecordingInfo(recording="c1", path="/tapes/c1.flac", leg="a", other="b", started=began)
    second = RecordingInfo(
        recording="c2-1", path="/tapes/c2.opus.hlr", leg="c", other=None, started=began + 5.0, paused=True
    )
    assert listed(bench) == (first, second)
    bench.do(AimRecording(recording="c1", leg="a", other="c"), CloseLeg(leg="a"))
    assert [(info.leg, info.other) for info in listed(bench)] == [("", "c"), ("c", None)]
    bench.do(StopRecording(recording="c2-1"))
    assert [info.recording for info in listed(bench)] == ["c1"]
