"""Two who live in different media processes come together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.app.media_moves import AGAIN_S, SETTLED_S, TRIES, UNHEARD_S
from engine.media.commands import (
    CloseLeg,
    Play,
    Sound,
    SrtpKeys,
    SrtpSuite,
    StopPlay,
    Tone,
)
from engine.media.events import LegClosed, LegFailed, PlayFinished, RtpTimeout
from tests.support.planes_bench import PlanesBench, apart, hear_each_other, remote


def test_who_talks_for_a_moment_across_two_is_moved_by_asking_his_peer() -> None:
    bench = apart()
    bench.wait(SETTLED_S / 2)
    assert bench.asked == []
    bench.wait(SETTLED_S / 2)
    (asked,) = bench.asked
    leg = asked[0]
    assert bench.places(leg) == [0, 1]
    assert bench.fakes[1 - bench.home(leg)].ports[leg] == asked[1]
    assert hear_each_other(bench), "nothing has changed for them yet"


def test_the_peer_is_spoken_to_from_there_at_once_and_heard_at_both_until_his_first_packet() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    leg, _ = bench.answer()
    other = "anna" if leg == "bert" else "bert"
    assert bench.home(leg) == bench.home(other)
    assert bench.places(leg) == [0, 1]
    assert bench.hears(leg) == {other}
    assert bench.fakes[1 - bench.home(leg)].hears(leg) == set(), "the old place sends nothing any more"
    assert bench.hears(other) == {leg}
    assert len(bench.own_legs()) == 2, "the span that carries what still comes to the old port"
    bench.latch(leg)
    assert hear_each_other(bench)
    assert bench.places(leg) == [bench.home(other)]
    assert (bench.own_legs(), sorted(bench.counted())) == ([], [0, 2])
    assert not any(isinstance(event, LegClosed) for event in bench.told), "the leg lives"


def test_of_two_the_one_moves_that_frees_the_process_with_more_to_do() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0)
    for name in ("bert", "cleo", "dora", "emil"):
        bench.leg(name, 1)
    bench.connect("anna", "bert")
    bench.wait(SETTLED_S)
    assert [leg for leg, _ in bench.asked] == ["bert"]


def test_nobody_is_moved_to_a_process_that_drains() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0)
    for name in ("bert", "cleo", "dora"):
        bench.leg(name, 1)
    bench.connect("anna", "bert")
    bench.media.drain(0)
    bench.wait(SETTLED_S)
    assert [leg for leg, _ in bench.asked] == ["anna"], "process 1 has more to do, and takes legs"


def test_who_talks_with_people_in_two_processes_stays_and_the_others_come() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0)
    bench.leg("cleo", 0)
    bench.leg("bert", 1)
    bench.connect("anna", "bert")
    bench.connect("anna", "cleo")
    bench.wait(SETTLED_S)
    assert [leg for leg, _ in bench.asked] == ["bert"]


def test_a_silent_peer_is_waited_for_but_not_for_ever() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    leg, _ = bench.answer()
    bench.wait(UNHEARD_S / 2)
    assert bench.places(leg) == [0, 1]
    bench.wait(UNHEARD_S / 2)
    assert bench.places(leg) == [bench.home(leg)]
    assert hear_each_other(bench)
    assert bench.own_legs() == []


def test_a_peer_that_refuses_is_left_where_he_is_and_the_other_is_asked_once() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    for refusing in ("bert", "anna"):
        assert bench.asked[-1][0] == refusing
        assert bench.media.moves.refused(*bench.asked[-1], 488, bench.now)
        bench.pump()
        assert len(bench.places(refusing)) == 1
        assert hear_each_other(bench)
        assert bench.counted() == [3, 3]
        bench.wait(SETTLED_S)
    bench.connect("anna", "bert")
    bench.wait(10.0)
    assert len(bench.asked) == 2
    assert bench.media.next_deadline() is None


def test_after_a_bad_moment_he_is_asked_again_but_not_for_ever() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    for tried in range(1, TRIES + 1):
        assert [leg for leg, _ in bench.asked] == ["bert"] * tried
        assert bench.media.moves.refused(*bench.asked[-1], 491, bench.now)
        bench.pump()
        bench.wait(AGAIN_S)
    assert [leg for leg, _ in bench.asked] == ["bert"] * TRIES + ["anna"], "the other may still come"


def test_without_a_port_there_he_stays() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.connect("anna", "bert")
    for fake in bench.fakes:
        fake.free_ports = 3
    bench.wait(SETTLED_S)
    assert bench.asked == []
    assert hear_each_other(bench)
    assert bench.counted() == [3, 3]
    assert not any(isinstance(event, LegFailed) for event in bench.told)


def test_a_port_that_comes_later_is_asked_for_later() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.connect("anna", "bert")
    for fake in bench.fakes:
        fake.held = True
    bench.wait(SETTLED_S)
    assert bench.asked == []
    for fake in bench.fakes:
        fake.release()
    bench.pump()
    assert len(bench.asked) == 1


KEYS = SrtpKeys(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80, ours="a", theirs="b")


@pytest.mark.parametrize(
    ("theirs", "suite", "resumed"),
    [
        ("b", KEYS.suite, True),
        ("another", KEYS.suite, False),
        ("b", SrtpSuite.AES_CM_128_HMAC_SHA1_32, False),
    ],
)
def test_an_encrypted_leg_moves_and_a_key_that_its_peer_keeps_is_told_as_such(
    theirs: str, suite: SrtpSuite, resumed: bool
) -> None:
    bench = PlanesBench()
    bench.leg("anna", 0, srtp=KEYS)
    bench.leg("bert", 1)
    bench.leg("more", 0)
    bench.connect("anna", "bert")
    assert hear_each_other(bench), "by spans, in the clear, which the bench looks at"
    bench.wait(SETTLED_S)
    fresh = replace(KEYS, ours="fresh", theirs=theirs, suite=suite)
    assert bench.answer(srtp=fresh)[0] == "anna"
    assert bench.places("anna") == [0, 1]
    assert bench.fakes[0].remotes["anna"].srtp == KEYS, "what still comes there is opened as before"
    assert bench.fakes[1].remotes["anna"].srtp == replace(fresh, resumed=resumed)
    bench.latch("anna")
    assert (bench.places("anna"), hear_each_other(bench), bench.own_legs()) == ([1], True, [])
    bench.media.send(remote("anna", srtp=fresh))
    bench.pump()
    assert bench.fakes[1].remotes["anna"].srtp == fresh, "he has arrived"


def test_an_encrypted_leg_whose_peer_refuses_is_joined_by_spans() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0, srtp=KEYS)
    bench.leg("bert", 1)
    bench.leg("more", 0)
    bench.connect("anna", "bert")
    bench.wait(SETTLED_S)
    assert bench.media.moves.refused(*bench.asked[-1], 488, bench.now)
    bench.pump()
    assert (bench.places("anna"), hear_each_other(bench)) == ([0], True)
    assert bench.fakes[0].remotes["anna"].srtp == KEYS


def test_what_a_leg_is_played_goes_on_where_it_moves_to() -> None:
    bench = apart()
    bench.media.send(Play(leg="anna", player="over", playlist=(Sound(tone=Tone.BUSY),)))
    bench.media.send(StopPlay(leg="anna"))
    music = Play(leg="bert", player="music", playlist=(Sound(file="/m.wav"),), loop=True)
    bench.media.send(music)
    bench.media.send(StopPlay(leg="bert", digit="5"))  # a key that is not for it
    bench.media.planes[1].load.legs += 5
    bench.wait(SETTLED_S)
    assert bench.asked[0][0] == "bert"
    bench.answer()
    assert bench.fakes[0].players == {"bert": music}
    bench.fakes[1].events.append(PlayFinished(leg="bert", player="music"))
    bench.latch("bert")
    assert bench.fakes[0].players == {"bert": music}
    assert not [event for event in bench.told if isinstance(event, PlayFinished)], "it is not over"
    assert bench.media._legs["bert"].playing == music


def test_what_is_over_is_not_played_again_where_the_leg_moves_to() -> None:
    bench = apart()
    for leg, place in (("anna", 0), ("bert", 1)):
        bench.media.send(Play(leg=leg, player="hello", playlist=(Sound(file="/hello.wav"),)))
        bench.pump()
        bench.fakes[place].players.clear()
        bench.fakes[place].events.append(PlayFinished(leg=leg, player="hello"))
    bench.wait(SETTLED_S)
    bench.answer()
    assert [fake.players for fake in bench.fakes] == [{}, {}]
    assert len([event for event in bench.told if isinstance(event, PlayFinished)]) == 2


def test_a_call_that_ends_amid_a_move_closes_both_places() -> None:
    for stage in ("asked", "answered"):
        bench = apart()
        bench.wait(SETTLED_S)
        if stage == "answered":
            bench.answer()
        for leg in ("anna", "bert"):
            bench.media.send(CloseLeg(leg=leg))
        bench.pump()
        assert (bench.counted(), bench.own_legs()) == ([0, 0], [])
        closed = [event.leg for event in bench.told if isinstance(event, LegClosed)]
        assert sorted(closed) == ["anna", "bert"], "each is told once"
        assert bench.media.next_deadline() is None


def test_the_figures_of_a_leg_that_has_moved_are_those_of_both_places() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    leg, _ = bench.answer()
    bench.latch(leg)
    bench.media.send(CloseLeg(leg=leg))
    bench.pump()
    (closed,) = [event for event in bench.told if isinstance(event, LegClosed)]
    assert (closed.quality.packets_received, closed.quality.lost, closed.quality.jitter_ms) == (200, 2, 2.0)


def test_the_silence_of_the_old_place_is_not_told_once_it_is_old() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    leg, _ = bench.answer()
    old = 1 - bench.home(leg)
    bench.latch(leg)
    before = len(bench.told)
    bench.fakes[old].events.append(RtpTimeout(leg=leg, silent_s=30.0))
    bench.pump()
    assert len(bench.told) == before
