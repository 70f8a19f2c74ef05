"""A room heard as one sum less one's own share, against the same edges added one by one."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.media.mixer import Change, Edge, Hears, Mixer, Rooms, Swell, Voice, factor

CHANCE = np.random.default_rng(1)


def noise(rows: int, samples: int = 160, peak: int = 3000) -> np.ndarray:
    return CHANCE.integers(-peak, peak, (rows, samples)).astype(np.int16)


def heard(pcm: np.ndarray, sinks: list[Hears], rooms: list[list[Voice]] | None = None, cut: int = 1000) -> np.ndarray:
    """What each sink hears, in the order of `sinks`, worked out in parts of `cut` sinks."""
    added = Rooms(rooms or [])
    added.add_up(pcm)
    mixer = Mixer(sinks, added)
    parts = [mixer.part(pcm, at, min(at + cut, len(sinks))) for at in range(0, len(sinks), cut)]
    out = np.zeros((len(sinks), pcm.shape[1]), np.int16)
    out[mixer.order] = np.concatenate(parts)
    return out


@pytest.mark.parametrize("size", [4, 17, 64])
@pytest.mark.parametrize("cut", [1, 7, 1000])
@pytest.mark.parametrize("peak", [3000, 32000])
def test_a_room_is_exactly_the_edges_between_all_pairs(size: int, cut: int, peak: int) -> None:
    pcm = noise(size + 3, peak=peak)
    gains = [factor(gain_db) for gain_db in CHANCE.choice([0.0, -3.0, 4.5], size)]
    places = CHANCE.permutation(size + 3)[:size]
    voices = [Voice(row=int(row), gain=gain) for row, gain in zip(places, gains, strict=True)]
    by_room = [Hears(room=0, own=own) for own in range(size)] + [Hears(room=0)]
    by_edges = [
        Hears(edges=tuple(Edge(row=voice.row, gain=voice.gain) for voice in voices if voice is not voices[own]))
        for own in range(size)
    ] + [Hears(edges=tuple(Edge(row=voice.row, gain=voice.gain) for voice in voices))]

    assert np.array_equal(heard(pcm, by_room, [voices], cut), heard(pcm, by_edges, cut=cut))


def test_rooms_edges_and_copies_side_by_side() -> None:
    pcm = noise(9)
    rooms = [[Voice(row=row) for row in range(4)], [Voice(row=row) for row in range(4, 8)]]
    sinks = [
        Hears(edges=(Edge(row=8),)),
        Hears(room=1, own=2),
        Hears(edges=(Edge(row=0), Edge(row=1)), room=1),
        Hears(edges=(Edge(row=8, gain=0.5),)),
        Hears(room=0, own=0, edges=(Edge(row=8),)),
    ]
    whole = pcm.astype(int)
    expected = [
        whole[8],
        whole[[4, 5, 7]].sum(0),
        whole[[0, 1, 4, 5, 6, 7]].sum(0),
        np.rint(whole[8] * 0.5),
        whole[[1, 2, 3, 8]].sum(0),
    ]

    for cut in (1, 2, 3, 1000):
        assert np.array_equal(heard(pcm, sinks, rooms, cut), np.array(expected))


def test_sixty_four_cost_little_more_than_edges_of_a_bridge() -> None:
    """16 times the work would show if each pair were added."""
    pcm = noise(64)
    room = [[Voice(row=row) for row in range(64)]]
    members = [Hears(room=0, own=own) for own in range(64)]
    bridges = [Hears(edges=(Edge(row=row), Edge(row=row ^ 1))) for row in range(64)]

    def cost(sinks: list[Hears], rooms: list[list[Voice]]) -> float:
        added = Rooms(rooms)
        mixer = Mixer(sinks, added)

        def once() -> float:
            begun = time.perf_counter()
            added.add_up(pcm)
            mixer.part(pcm, 0, 64)
            return time.perf_counter() - begun

        return min(once() for _ in range(20))

    assert cost(members, room) < 8 * cost(bridges, [])


# --- changes ---


LOUD = np.full((2, 160), 20_000, np.int16)
SMALL_STEP = 20_000 / 160 + 1


def steps(before: float, frame: np.ndarray) -> float:
    """The greatest step from one sample to the next, that of the last frame's last one among them."""
    return float(np.abs(np.diff(frame.astype(int), prepend=before)).max())


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 0.0), (0.5, 1.0), (1.0, 0.25)])
def test_a_change_of_an_edge_takes_one_frame(start: float, end: float) -> None:
    edges = (Edge(row=0, gain=end),) if end else ()
    frame = heard(LOUD, [Hears(edges=edges, changes=(Change(row=0, start=start, end=end),))])[0]

    assert steps(20_000 * start, frame) <= SMALL_STEP
    assert frame[-1] == 20_000 * end


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 0.0)])
def test_all_that_a_sink_hears_begins_and_ends_in_one_frame(start: float, end: float) -> None:
    quarter = factor(-12)
    edges = (Edge(row=0, gain=quarter), Edge(row=1, gain=quarter))
    sinks = [Hears(edges=edges, swell=Swell(start=start, end=end)), Hears(edges=edges)]
    frame, other = heard(LOUD, sinks)

    assert steps(int(other[0]) * start, frame) <= SMALL_STEP
    assert frame[-1] == other[0] * end
    assert (other == other[0]).all()


def test_a_voice_of_a_room_changes_for_all_and_its_own_share_with_it() -> None:
    pcm = np.full((4, 160), 4000, np.int16)
    voices = [Voice(row=0, was=0.0), Voice(row=1, gain=0.0, was=1.0), Voice(row=2), Voice(row=3)]
    frames = heard(pcm, [Hears(room=0, own=own) for own in range(4)], [voices]).astype(int)

    assert np.array_equal(frames[2], np.full(160, 8000))
    assert np.array_equal(frames[0] - frames[2], np.rint(4000 * (1 - np.arange(1, 161) / 160)))
    assert steps(12_000, frames[0]) <= 4000 + 26
    assert frames[0][-1] == 8000
    assert frames[1][-1] == 12_000


def test_an_added_voice_alone_in_the_array_is_limited_and_a_copied_one_is_not() -> None:
    pcm = np.full((1, 160), 32_000, np.int16)
    copied, louder = heard(pcm, [Hears(edges=(Edge(row=0),)), Hears(edges=(Edge(row=0, gain=2.0),))])

    assert (copied == 32_000).all()
    assert (louder == louder[0]).all()
    assert 28_000 < louder[0] < 32_767
