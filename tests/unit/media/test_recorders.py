"""What is recorded of the tick, on stand-ins: tapes in memory, a clock that the test turns."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from engine.media.codecs import PEAK_0DBM0
from engine.media.commands import (
    AimRecording,
    Beep,
    CloseLeg,
    Codec,
    Connect,
    Direction,
    PauseRecording,
    Play,
    RecordingFormat,
    RecordingKey,
    ResumeRecording,
    SendDtmf,
    Sound,
    StopRecording,
    TidyRecordings,
    Tone,
)
from engine.media.events import RecordingFailed
from engine.media.matrix import Route
from engine.media.reception import Reception
from engine.media.recorders import MAX_SKIPPED
from tests.support.media_fakes import Bench, Speaker, remote, sine_frames
from tests.support.recordings import expected, level_db, recorded, snr_db, start

FRAME = 160


def talk(bench: Bench, *voices: tuple[Speaker, list[bytes]], ticks: int) -> None:
    """So many frames of each voice, one a tick."""
    for index in range(ticks):
        for speaker, frames in voices:
            bench.speak(speaker, frames[index % len(frames)])
        bench.pass_tick()


def relayed_pair(bench: Bench) -> tuple[Speaker, Speaker]:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    return Speaker(a), Speaker(b)


def test_both_voices_are_recorded_apart_and_at_their_times() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    low = sine_frames(437, frames=100, peak=8000, codec=Codec.PCMU)
    high = sine_frames(1250, frames=100, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, low), (b, high), ticks=100)
    bench.do(StopRecording(recording="r"))
    tape = recorded(bench)
    assert tape.finished
    assert tape.rate == 8000
    assert len(tape.sound) == 100 * FRAME
    delay = FRAME  # the jitter buffer
    for side, frames in ((0, low), (1, high)):
        reference = expected(frames, Codec.PCMU)[: len(tape.sound) - delay]
        assert not tape.sound[:delay, side].any()
        assert snr_db(tape.sound[delay:, side], reference) > 100


def test_a_recorded_leg_stays_relayed_and_nothing_that_it_sends_changes() -> None:
    plain, taped = Bench(), Bench()
    sent = []
    for bench in (plain, taped):
        a, b = relayed_pair(bench)
        if bench is taped:
            bench.do(start())
        voice = sine_frames(700, frames=40, peak=8000, codec=Codec.PCMU)
        talk(bench, (a, voice), (b, voice), ticks=40)
        if bench is taped:
            bench.do(StopRecording(recording="r"))
        talk(bench, (a, voice), (b, voice), ticks=10)
        assert bench.board.legs["a"].route is Route.RELAY
        sent.append(bench.heard(bench.board.legs["b"]))
    assert len(sent[0]) == 50
    assert sent[0] == sent[1]
    assert taped.board.table.rows == 0


def test_codecs_of_the_two_legs_may_differ() -> None:
    bench = Bench()
    a, b = Speaker(bench.leg("a")), Speaker(bench.leg("b", codec=Codec.PCMA), payload_type=8)
    bench.bridge("a", "b")
    bench.do(start())
    one = sine_frames(437, frames=60, peak=8000, codec=Codec.PCMU)
    other = sine_frames(1250, frames=60, peak=8000, codec=Codec.PCMA)
    talk(bench, (a, one), (b, other), ticks=60)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound[FRAME:]
    # The first frame is faded in for who hears it mixed.
    assert snr_db(sound[FRAME:, 0], expected(one, Codec.PCMU)[FRAME : len(sound)]) > 100
    assert snr_db(sound[FRAME:, 1], expected(other, Codec.PCMA)[FRAME : len(sound)]) > 100


def test_a_leg_alone_is_recorded_with_what_it_hears() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.leg("c")
    c = Speaker(bench.board.legs["c"])
    bench.do(start(other=None))
    voices = [sine_frames(hertz, frames=60, peak=4000, codec=Codec.PCMU) for hertz in (437, 1250, 2100)]
    talk(bench, *zip((a, b, c), voices, strict=True), ticks=30)
    bench.do(Connect(source="c", sink="a", gain_db=-6.0))
    talk(bench, *zip((a, b, c), [frames[30:] for frames in voices], strict=True), ticks=30)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound
    one, two, three = (expected(frames, Codec.PCMU).astype(float) for frames in voices)
    assert snr_db(sound[FRAME:, 0], one[: len(sound) - FRAME].astype(np.int16)) > 100
    assert snr_db(sound[FRAME : 29 * FRAME, 1], two[: 28 * FRAME].astype(np.int16)) > 100
    # A third is heard from when its own sound arrives in the table.
    both = two[38 * FRAME : 56 * FRAME] + three[38 * FRAME : 56 * FRAME] * 10 ** (-6 / 20)
    assert snr_db(sound[40 * FRAME : 58 * FRAME, 1], both.astype(np.int16)) > 55
    assert bench.board.legs["b"].route is Route.RELAY


def test_a_recording_of_two_may_become_one_of_what_a_leg_hears_and_the_other_way_round() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start(other=None), AimRecording(recording="r", leg="a", other="b"))
    assert (a.leg.recorded, a.leg.overheard, b.leg.recorded) == (1, 0, 1)
    bench.do(AimRecording(recording="r", leg="b", other=None))
    assert (a.leg.recorded, b.leg.recorded, b.leg.overheard) == (0, 1, 1)
    voice = sine_frames(437, frames=50, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), ticks=20)
    bench.do(StopRecording(recording="r"))
    assert level_db(recorded(bench).sound[10 * FRAME :, 1]) > -20


def test_music_that_a_leg_hears_alone_is_recorded_as_it_is_played() -> None:
    bench = Bench()
    bench.leg("a")
    bench.do(
        start(other=None), Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True, gain_db=-10)
    )
    bench.pass_tick(60)
    assert bench.board.legs["a"].route is Route.PLAYER
    bench.do(StopRecording(recording="r"))
    played = expected([packet.payload for packet in bench.heard(bench.board.legs["a"])[-60:]], Codec.PCMU)
    sound = recorded(bench).sound
    assert not sound[:, 0].any()
    assert snr_db(sound[:, 1], played) > 35


def test_music_mixed_with_a_voice_is_recorded_too() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(
        start(other=None), Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True, gain_db=-10)
    )
    voice = sine_frames(437, frames=60, peak=4000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=60)
    bench.do(StopRecording(recording="r"))
    played = expected([packet.payload for packet in bench.heard(a.leg)[-60:]], Codec.PCMU)
    assert bench.board.legs["a"].route is Route.MIX
    assert snr_db(recorded(bench).sound[:, 1], played) > 30


def test_a_pause_is_silence_of_the_right_length_and_hides_digits() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    voice = sine_frames(437, frames=50, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=50)
    bench.do(PauseRecording(recording="r"))
    keys = sine_frames(1336, frames=40, peak=8000, codec=Codec.PCMU)  # digits in the sound
    talk(bench, (a, keys), (b, voice), ticks=40)
    bench.do(ResumeRecording(recording="r"))
    talk(bench, (a, voice), (b, voice), ticks=30)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound
    assert len(sound) == 120 * FRAME
    assert not sound[50 * FRAME : 90 * FRAME].any()
    assert level_db(sound[45 * FRAME : 50 * FRAME, 0]) > -20
    assert level_db(sound[92 * FRAME : 95 * FRAME, 1]) > -20


def test_digits_as_events_are_in_no_recording() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    voice = [b"\xff" * 160]
    talk(bench, (a, voice), (b, voice), ticks=10)
    bench.do(SendDtmf(leg="a", digits="5"))
    a.payload_type = 101
    for _ in range(10):
        bench.speak(a, b"\x05\x0a\x03\x20")
        bench.pass_tick()
    bench.do(StopRecording(recording="r"))
    assert not recorded(bench).sound.any()


def test_silence_on_the_line_and_ticks_left_out_keep_the_length() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    voice = sine_frames(437, frames=50, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=70)
    bench.tick += 65  # the machine was stopped
    bench.now += 1.3
    talk(bench, (a, voice), (b, voice), ticks=5)
    bench.pass_tick(60)
    bench.do(StopRecording(recording="r"))
    assert len(recorded(bench).sound) == (70 + 65 + 5 + 60) * FRAME
    assert not recorded(bench).sound[70 * FRAME : 135 * FRAME].any()


def test_a_machine_that_slept_for_hours_fills_no_disk_with_silence() -> None:
    bench = Bench()
    relayed_pair(bench)
    bench.do(start())
    bench.pass_tick(5)
    bench.tick += 3600 * 50
    bench.pass_tick(5)
    bench.do(StopRecording(recording="r"))
    assert len(recorded(bench).sound) == (5 + MAX_SKIPPED + 5) * FRAME


def test_ticks_before_a_recording_do_not_count() -> None:
    bench = Bench()
    relayed_pair(bench)
    bench.do(start())
    bench.pass_tick(10)
    bench.tick += 20
    bench.do(start(recording="s", stem="/recordings/s"))
    bench.pass_tick(5)
    bench.do(StopRecording(recording="r"), StopRecording(recording="s"))
    assert len(recorded(bench).sound) == 35 * FRAME
    assert len(recorded(bench, "s").sound) == 5 * FRAME


def test_many_recordings_do_not_go_to_their_tapes_in_one_tick() -> None:
    bench = Bench()
    bench.wire.free = list(range(20002, 20200, 2))
    names = [f"r{index}" for index in range(20)]
    for name in names:
        bench.leg(f"leg {name}")
        bench.do(start(leg=f"leg {name}", other=None, recording=name, stem=f"/recordings/{name}"))
    most = 0
    before = 0
    for _ in range(100):
        bench.pass_tick()
        now = sum(len(recorded(bench, name).chunks) for name in names)
        most, before = max(most, now - before), now
    assert most == 1
    assert before == 40
    for name in names:
        bench.do(StopRecording(recording=name))
        assert len(recorded(bench, name).sound) == 100 * FRAME


def test_hold_is_silent_and_a_leg_that_closes_leaves_the_other() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    voice = sine_frames(437, frames=50, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=20)
    bench.do(remote("a", direction=Direction.SENDONLY))
    talk(bench, (a, voice), (b, voice), ticks=20)
    bench.do(CloseLeg(leg="a"))
    talk(bench, (b, voice), ticks=20)
    assert not recorded(bench).finished
    bench.do(CloseLeg(leg="b"))
    tape = recorded(bench)
    assert tape.finished
    assert len(tape.sound) == 60 * FRAME
    assert not tape.sound[20 * FRAME :, 0].any()
    assert level_db(tape.sound[50 * FRAME :, 1]) > -20
    bench.pass_tick()
    assert not bench.board.step.due
    assert bench.board.table.rows == 0


def test_what_a_held_leg_does_not_hear_is_not_recorded() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start(other=None))
    voice = sine_frames(437, frames=50, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=20)
    bench.do(remote("a", direction=Direction.RECVONLY))
    talk(bench, (a, voice), (b, voice), ticks=20)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound
    assert level_db(sound[10 * FRAME : 20 * FRAME, 1]) > -20
    assert not sound[20 * FRAME :, 1].any()
    assert level_db(sound[30 * FRAME :, 0]) > -20


def test_a_transferred_call_is_recorded_on() -> None:
    bench = Bench()
    a, _ = relayed_pair(bench)
    c = Speaker(bench.leg("c"))
    bench.do(start())
    bench.pass_tick(10)
    bench.do(AimRecording(recording="r", leg="a", other="c"), CloseLeg(leg="b"))
    bench.bridge("a", "c")
    voice = sine_frames(437, frames=50, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (c, voice), ticks=20)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound
    assert len(sound) == 30 * FRAME
    assert level_db(sound[15 * FRAME :, 1]) > -20
    bench.pass_tick()
    assert bench.board.table.rows == 0


@pytest.mark.parametrize(("every_s", "expected_starts"), [(2.0, [0, 100, 200]), (0.0, [0])])
def test_both_parties_hear_the_beep_and_are_relayed_again_after_it(every_s: float, expected_starts: list[int]) -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start(beep=Beep(at_start=True, every_s=every_s, dbm0=-20)))
    starts = []
    heard = []
    quiet = [b"\xff" * 160]
    for index in range(250):
        before = bench.board.legs["a"].overlay
        talk(bench, (a, quiet), (b, quiet), ticks=1)
        if before is None and bench.board.legs["a"].overlay is not None:
            starts.append(index)
        if index == 5:
            assert bench.board.legs["b"].route is Route.MIX
        heard += bench.heard(a.leg)
    assert starts == expected_starts
    assert bench.board.legs["b"].route is Route.RELAY
    assert bench.board.legs["a"].route is Route.RELAY
    sound = expected([packet.payload for packet in heard], Codec.PCMU)
    loud = np.abs(sound) > 100
    peak = PEAK_0DBM0 * 10 ** (-20 / 20)
    assert abs(np.abs(sound).max() / peak - 1) < 0.05
    assert loud.sum() / (0.2 * 8000 * len(starts)) == pytest.approx(0.96, abs=0.05)
    burst = sound[int(np.argmax(loud)) :][:1600]
    spectrum = np.abs(np.fft.rfft(burst * np.hanning(len(burst))))
    assert np.argmax(spectrum) * 8000 / 1600 == pytest.approx(1400, abs=5)
    assert not recorded(bench).sound.any()  # voices alone are recorded


def test_the_first_beep_may_be_later_and_a_pause_has_none() -> None:
    bench = Bench()
    relayed_pair(bench)
    bench.do(start(beep=Beep(at_start=False, every_s=2.0, dbm0=-20)))
    bench.pass_tick(50)
    assert bench.heard(bench.board.legs["a"])[1:] == []
    bench.do(PauseRecording(recording="r"))
    bench.pass_tick(60)
    assert bench.heard(bench.board.legs["a"]) == []
    bench.do(ResumeRecording(recording="r"))
    bench.pass_tick(101)
    assert len(bench.heard(bench.board.legs["a"])) >= 10


def test_a_beep_is_in_the_recording_of_what_a_leg_hears_and_told_to_whom_it_hears() -> None:
    bench = Bench()
    relayed_pair(bench)
    bench.do(start(other=None, beep=Beep(at_start=True, every_s=0, dbm0=-20)))
    bench.pass_tick(30)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound
    assert level_db(sound[160:1600, 1]) == pytest.approx(-26.1, abs=0.5)
    assert not sound[:, 0].any()
    assert bench.heard(bench.board.legs["b"])


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (start(leg="x"), "unknown leg 'x'"),
        (start(other="a"), "both channels are the same leg"),
        (start(stem="r"), "stem 'r' is no absolute path"),
        (start(recording="taken"), "recording 'taken' runs already"),
        (start(beep=Beep(at_start=True, every_s=1, dbm0=-20)), "a beep every 1 s; at least 2.0 must lie between"),
        (start(key=RecordingKey(key="c2hvcnQ=")), "the recording key must be 32 octets in Base64"),
        (StopRecording(recording="none"), "unknown recording 'none'"),
        (PauseRecording(recording="none"), "unknown recording 'none'"),
        (AimRecording(recording="taken", leg="x", other=None), "unknown leg 'x'"),
    ],
)
def test_what_cannot_be_done_is_told(command: object, reason: str) -> None:
    bench = Bench()
    relayed_pair(bench)
    bench.do(start(recording="taken"))
    bench.told()
    bench.do(command)  # type: ignore[arg-type]
    (event,) = bench.told()
    assert isinstance(event, RecordingFailed)
    assert event.command == type(command).__name__
    assert event.reason.startswith(reason)
    assert bench.board.step.recorders.get("taken") is not None
    assert bench.board.legs["a"].recorded == 1


def test_a_tape_that_cannot_be_had_ends_its_recording_only() -> None:
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    bench.tapes.failures["r"]()
    bench.tapes.failures["r"]()
    assert not bench.board.step.recorders
    assert bench.board.table.rows == 0
    voice = sine_frames(437, frames=5, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=5)
    assert len(bench.heard(bench.board.legs["b"])) == 5


def test_tidying_goes_to_the_tapes() -> None:
    bench = Bench()
    command = TidyRecordings(directory="/recordings", format=RecordingFormat.FLAC)
    bench.do(command)
    assert bench.tapes.tidied == [command]


def receptions() -> int:
    return sum(isinstance(each, Reception) for each in gc.get_objects())


def test_a_recorded_leg_that_is_closed_is_freed_at_once() -> None:
    """The garbage collector does not run in the loop."""
    gc.collect()
    before = receptions()
    bench = Bench()
    a, b = relayed_pair(bench)
    bench.do(start())
    voice = sine_frames(437, frames=5, peak=8000, codec=Codec.PCMU)
    talk(bench, (a, voice), (b, voice), ticks=5)
    assert receptions() == before + 2
    gc.disable()
    try:
        del a, b
        bench.do(CloseLeg(leg="a"), CloseLeg(leg="b"))
        bench.pass_tick(60)
        assert receptions() == before
    finally:
        gc.enable()
