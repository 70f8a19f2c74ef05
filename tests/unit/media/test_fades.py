"""Golden audio of live changes: nothing steps, whoever comes, goes, is turned up or down, or served in another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.media import fleet, hearings, plan
from engine.media import step as step_module
from engine.media.codecs import decode, encode
from engine.media.commands import (
    CloseLeg,
    Codec,
    Connect,
    Disconnect,
    JoinConference,
    LeaveConference,
    Play,
    Sound,
    StopPlay,
)
from engine.media.leg import Leg
from engine.media.matrix import Route
from engine.media.prompts import Clip
from tests.support.media_fakes import Bench, Sent, Speaker

PEAK = 8000
HUM = 50.0
"""Hz. Slow, so that the sound itself moves little from sample to sample: by 314 at this peak."""
STEP = 2 * np.pi * HUM / 8000 * PEAK
MOST = 1.25 * STEP + 260
"""The greatest step from one sample to the next that is no click: the sound's own, a ramp's 50, and what mu-law rounds
at such levels (its steps are 256 wide there)."""


def wave(samples: int = 160) -> np.ndarray:
    return np.rint(PEAK * np.cos(2 * np.pi * HUM * np.arange(samples) / 8000)).astype(np.int16)


class Scene:
    """Legs whose peers hum from the beginning to the end, each a packet a tick."""

    def __init__(self, names: str, *, codec: Codec = Codec.PCMU) -> None:
        self.bench = Bench()
        self.speakers = {name: Speaker(self.bench.leg(name, codec=codec), ssrc=ord(name)) for name in names}
        for speaker in self.speakers.values():
            speaker.payload_type = speaker.leg.payload_type
        # Each frame begins and ends at the crest: what begins or ends with one and is not faded steps by all of it.
        self.frames = [encode(wave(), codec).tobytes()]

    def leg(self, name: str) -> Leg:
        return self.speakers[name].leg

    def go_on(self, ticks: int) -> None:
        for _ in range(ticks):
            for speaker in self.speakers.values():
                if speaker.leg.name in self.bench.board.legs:
                    self.bench.speak(speaker, self.frames[0])
            self.bench.pass_tick()

    def heard(self, name: str) -> np.ndarray:
        """Samples sent to this leg since the last time."""
        return sound(self.bench.heard(self.leg(name)), self.leg(name).codec)


def sound(packets: list[Sent], codec: Codec = Codec.PCMU) -> np.ndarray:
    return decode(np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8), codec).astype(int)


def step(samples: np.ndarray, *, over: bool = False) -> int:
    """The greatest; where the sound is over, silence follows."""
    return int(np.abs(np.diff([*samples, 0] if over else samples)).max())


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(2 * np.mean(samples.astype(float) ** 2)))


def edge(gain_db: float = 0.0) -> Connect:
    return Connect(source="a", sink="z", gain_db=gain_db)


def changed(
    before: Callable[[Bench], None], change: Callable[[Bench], None], *, names: str = "abcdyz"
) -> tuple[np.ndarray, bool]:
    """What z hears of a change after 21 ticks and of 20 more; whether it hears nothing any more then."""
    scene = Scene(names)
    # y hears all, so that every row is there and has sounded.
    scene.bench.do(*(Connect(source=name, sink="y", gain_db=-20.0) for name in names if name not in "yz"))
    before(scene.bench)
    scene.go_on(21)
    change(scene.bench)
    scene.go_on(20)
    return scene.heard("z"), scene.leg("z").route is not Route.MIX


ROOM = [JoinConference(leg=name, conference="room") for name in "abcdz"]
QUIET = -12.0


@pytest.mark.parametrize(
    ("before", "change", "levels"),
    [
        pytest.param([edge(QUIET)], [edge(-1.0)], (QUIET, -1.0), id="louder"),
        pytest.param([edge(-1.0)], [edge(QUIET)], (-1.0, QUIET), id="softer"),
        pytest.param([edge(-1.0)], [Disconnect(source="a", sink="z")], (-1.0, None), id="disconnected"),
        pytest.param([], [edge(-1.0)], (None, -1.0), id="connected"),
        pytest.param([edge(-1.0)], [CloseLeg(leg="a")], (-1.0, None), id="closed"),
        pytest.param(
            [edge(-12.0)], [Connect(source="b", sink="z", gain_db=-12.0)], (-12.0, -6.0), id="another connected"
        ),
        pytest.param(
            [edge(-12.0), Connect(source="b", sink="z", gain_db=-12.0)],
            [Disconnect(source="b", sink="z")],
            (-6.0, -12.0),
            id="another disconnected",
        ),
        pytest.param(ROOM[1:], [JoinConference(leg="a", conference="room")], None, id="joins a conference"),
        pytest.param(ROOM, [LeaveConference(leg="a")], None, id="leaves a conference"),
        pytest.param(ROOM, [CloseLeg(leg="a")], None, id="closed in a conference"),
        pytest.param(ROOM, [JoinConference(leg="a", conference="room", speaks=False)], None, id="muted"),
        pytest.param(
            [*ROOM[1:], JoinConference(leg="a", conference="room", speaks=False)],
            [JoinConference(leg="a", conference="room")],
            None,
            id="speaks again",
        ),
        pytest.param(ROOM, [JoinConference(leg="a", conference="room", gain_db=-20.0)], None, id="softer in a room"),
        pytest.param(ROOM, [LeaveConference(leg="z")], None, id="leaves oneself"),
        pytest.param(ROOM[:4], [JoinConference(leg="z", conference="room")], None, id="joins oneself"),
        pytest.param(ROOM, [JoinConference(leg="z", conference="room", hears=False)], None, id="hears no more"),
    ],
)
def test_no_sample_steps(before: list[object], change: list[object], levels: tuple[float | None, ...] | None) -> None:
    """Four in phase are four times as loud, and so is the greatest step."""
    heard, over = changed(lambda bench: bench.do(*before), lambda bench: bench.do(*change))  # type: ignore[arg-type]

    assert len(heard) > 19 * 160
    assert level(heard) > 300
    many = 4 if levels is None else 1
    if len(heard) < 30 * 160 and not over:
        heard = np.append(np.zeros(160 * 11, int), heard)  # it heard nothing before
    assert step(heard[160 * 10 :], over=over) < many * MOST
    if levels is not None:
        halves = (heard[160 * 10 : 160 * 20], heard[-160 * 10 :])
        for half, gain_db in zip(halves, levels, strict=True):
            if gain_db is not None and len(heard) > 30 * 160:
                assert level(half) == pytest.approx(PEAK * 10 ** (gain_db / 20), rel=0.05)


def test_without_ramps_it_would_click() -> None:
    """The bound is worth something: the hum cut off at its crest steps by far more."""
    assert step(wave().astype(int), over=True) > 4 * MOST


def test_a_voice_that_comes_into_a_mix_begins_softly() -> None:
    """From pass-through to mixing the sound pauses for the depth of the jitter buffer, and then it is faded in."""
    scene = Scene("abz")
    scene.bench.do(Connect(source="a", sink="z"))
    scene.go_on(21)
    assert scene.leg("z").route is Route.RELAY
    scene.heard("z")
    scene.bench.do(Connect(source="b", sink="z"))
    scene.go_on(30)

    heard = scene.heard("z")
    silent = np.flatnonzero(heard)[0] / 8
    assert silent <= 100, "ms"
    assert step(heard) < 2 * MOST


def test_a_mix_that_gives_way_to_a_passed_on_voice_ends_softly_and_that_begins_softly() -> None:
    scene = Scene("abz")
    scene.bench.do(Connect(source="a", sink="z"), Connect(source="b", sink="z"))
    scene.go_on(21)
    scene.heard("z")
    scene.bench.do(Disconnect(source="b", sink="z"))
    assert scene.leg("z").route is Route.MIX
    scene.go_on(20)

    assert scene.leg("z").route is Route.RELAY
    packets = scene.bench.heard(scene.leg("z"))
    assert [packet.seq - packets[0].seq & 0xFFFF for packet in packets] == list(range(len(packets)))
    assert [packet.marker for packet in packets].count(True) == 1
    heard = sound(packets)
    assert step(heard) < 2 * MOST
    assert level(heard[-1600:]) == pytest.approx(PEAK, rel=0.03)
    assert bytes(packets[-1].payload) == scene.frames[0], "untouched from the second packet on"


def test_a_supervisor_who_comes_and_goes_leaves_one_stream() -> None:
    """Passed on, mixed, passed on: numbers without a gap, no pause longer than the jitter buffer's."""
    scene = Scene("abs")
    scene.bench.bridge("a", "b")
    scene.go_on(21)
    scene.bench.do(
        *(Connect(source=source, sink=sink) for source, sink in ("as", "bs", "sa", "sb")),
    )
    scene.go_on(41)
    assert scene.leg("a").route is Route.MIX
    scene.bench.do(CloseLeg(leg="s"))
    scene.go_on(21)
    assert scene.leg("a").route is Route.RELAY
    for name in "ab":
        packets = scene.bench.heard(scene.leg(name))
        assert len({packet.ssrc for packet in packets}) == 1
        assert [packet.seq - packets[0].seq & 0xFFFF for packet in packets] == list(range(len(packets)))
        assert 80 <= len(packets) <= 84
        stamps = [packet.stamp - packets[0].stamp & 0xFFFFFFFF for packet in packets]
        assert stamps == sorted(set(stamps))
        heard = sound(packets)
        sounding = np.flatnonzero(np.abs(heard) > 100)
        assert np.diff(sounding).max() / 8 <= 100, "ms"


def test_what_is_played_beside_a_voice_ends_softly_when_it_is_stopped() -> None:
    scene = Scene("az")
    scene.speakers.pop("a")
    scene.bench.do(edge(-1.0))
    scene.bench.files.clips["hum.wav"] = Clip(wave(8000))
    scene.bench.do(Play(leg="z", player="p", playlist=(Sound(file="hum.wav"),), gain_db=-1.0))
    scene.go_on(10)
    scene.bench.do(StopPlay(leg="z"))
    scene.go_on(10)

    heard = scene.heard("z")
    assert level(heard[: 160 * 9]) > 6000
    assert not heard[160 * 12 :].any()
    assert step(heard) < MOST


def test_a_tick_of_many_is_done_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more legs than a piece has are sent anything between two looks at the sockets."""
    for module in (fleet, plan, step_module):
        monkeypatch.setattr(module, "PIECE", 3)
    monkeypatch.setattr(hearings, "SHARE", 3)
    monkeypatch.setattr(plan, "SHARE", 3)
    scene = Scene("abcdefghijklmno")
    bench = scene.bench
    bench.do(*(JoinConference(leg=name, conference="room") for name in scene.speakers))
    scene.go_on(10)
    for _ in range(2):
        bench.board.step.dirty = True
        sent, looks = [], 0
        for _ in bench.board.tick(bench.tick, bench.now):
            sent.append(sum(len(bench.heard(leg)) for leg in bench.board.legs.values()))
            looks += 1
        bench.tick += 1
        assert sum(sent[:-1]) + sent[-1] >= 15
        assert max(sent[1:]) <= 3
        assert looks >= 15


def test_a_row_is_given_back_when_its_last_sound_is_faded_out() -> None:
    scene = Scene("abz")
    scene.bench.do(edge(-1.0))
    scene.go_on(10)
    assert scene.bench.board.table.rows == 1
    scene.bench.do(CloseLeg(leg="a"))
    assert scene.bench.board.table.rows == 1
    scene.go_on(2)
    assert scene.bench.board.table.rows == 0
    assert not scene.bench.board.step.due
