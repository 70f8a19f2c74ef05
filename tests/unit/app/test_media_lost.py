"""What becomes of calls when a media process is lost, or drains."""

from __future__ import annotations

import pytest

from engine.app.media_moves import HOMELESS_S, SETTLED_S
from engine.media.commands import (
    CloseLeg,
    OpenLeg,
    Play,
    Sound,
    SrtpKeys,
    SrtpSuite,
)
from engine.media.events import Latched, LegClosed, LegFailed, Spares
from tests.support.planes_bench import PlanesBench, apart, hear_each_other, remote


def test_the_loss_of_one_ends_its_legs_and_leaves_the_other_side_alone() -> None:
    bench = apart()
    assert bench.die(1) == ["bert"]
    assert bench.hears("anna") == set()
    assert bench.own_legs() == []
    bench.media.send(CloseLeg(leg="anna"))
    bench.pump()
    assert bench.counted() == [0, 0]


def test_who_has_come_from_the_lost_process_lives_on() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    leg, _ = bench.answer()
    old = 1 - bench.home(leg)
    assert bench.die(old) == []
    assert hear_each_other(bench)
    assert bench.own_legs() == []
    bench.come(old)
    assert bench.media._old == set(), "of a process that is gone nothing is waited for"


def test_who_was_asked_to_go_to_a_process_that_is_lost_then_ends_if_he_agrees() -> None:
    bench = apart()
    bench.media.planes[1].load.legs += 5
    bench.wait(SETTLED_S)
    (asked,) = bench.asked
    assert asked[0] == "bert"
    bench.die(0)
    assert bench.media.moves.answered(*asked, bench.now)
    bench.pump()
    assert bench.told[-1] == LegFailed(
        leg="bert", command="SetRemote", reason="the media process to which it moved was lost"
    )


def test_by_policy_the_legs_of_a_lost_process_are_put_up_in_another_with_all_that_they_had() -> None:
    bench = PlanesBench(reestablish=True)
    bench.leg("anna", 0)
    bench.leg("bert", 0)
    bench.connect("anna", "bert")
    bench.leg("waits", 0)
    music = Play(leg="waits", player="music", playlist=(Sound(file="/m.wav"),), loop=True)
    bench.media.send(music)
    bench.media.open(OpenLeg(leg="rings", tag="c:agent:1"), "waits")
    bench.pump()
    assert bench.die(0) == ["rings"], "who has no peer yet cannot be asked"
    assert sorted(leg for leg, _ in bench.asked) == ["anna", "bert", "waits"]
    for index in range(3):
        bench.answer(index=index)
    assert hear_each_other(bench)
    assert bench.fakes[1].players == {"waits": music}
    assert {bench.fakes[1].remotes[leg].port for leg in ("anna", "bert", "waits")} == {6000}
    assert bench.counted() == [0, 3]


def test_who_was_being_closed_is_not_put_up_again() -> None:
    bench = PlanesBench(reestablish=True)
    bench.leg("anna", 0)
    bench.media.send(CloseLeg(leg="anna"))
    assert bench.media.lost(0, bench.now) == ["anna"]
    bench.wait(1)
    assert bench.asked == []


def test_what_was_to_be_closed_in_a_process_that_is_lost_is_not_waited_for() -> None:
    """Else the end of a leg of the same name there would be taken for that of the old one."""
    bench = apart()
    bench.wait(SETTLED_S)
    leg, _ = bench.answer()
    old = 1 - bench.home(leg)
    bench.media.told(bench.home(leg), Latched(leg=leg, address="192.0.2.9", port=6000), bench.now)
    bench.die(old)
    bench.come(old)
    other = ({"anna", "bert"} - {leg}).pop()
    for name in (leg, other):
        bench.media.send(CloseLeg(leg=name))
    bench.pump()
    bench.leg(leg, old)
    bench.media.send(CloseLeg(leg=leg))
    bench.pump()
    assert [event.leg for event in bench.told if isinstance(event, LegClosed)].count(leg) == 2


def test_with_one_process_they_wait_for_the_one_that_comes_in_its_place() -> None:
    bench = PlanesBench(1, reestablish=True)
    bench.leg("anna")
    bench.leg("bert")
    bench.connect("anna", "bert")
    assert bench.die(0) == []
    bench.media.send(remote("anna", port=7000))
    assert bench.asked == []
    bench.come(0)
    assert len(bench.asked) == 2
    bench.answer(index=0)
    bench.answer(index=1)
    assert hear_each_other(bench)


def test_who_refuses_or_finds_no_process_in_time_ends() -> None:
    bench = PlanesBench(1, reestablish=True)
    bench.leg("anna")
    bench.leg("bert")
    bench.die(0)
    bench.wait(HOMELESS_S)
    assert [(event.leg, event.command) for event in bench.told[-2:] if isinstance(event, LegFailed)] == [
        ("anna", "SetRemote"),
        ("bert", "SetRemote"),
    ]
    bench = PlanesBench(reestablish=True)
    bench.leg("anna", 0)
    bench.die(0)
    assert bench.media.moves.refused(*bench.asked[0], 488, bench.now)
    bench.pump()
    failed = bench.told[-1]
    assert isinstance(failed, LegFailed)
    assert "refused to be moved (488)" in failed.reason
    bench.media.send(CloseLeg(leg="anna"))
    bench.pump()
    assert isinstance(bench.told[-1], LegFailed)
    assert bench.told[-1].command == "CloseLeg", "as of a leg that is not there"
    assert bench.counted() == [0, 0]


# --- draining ---


@pytest.mark.parametrize("stays", [False, True])
def test_a_process_that_drains_ends_when_its_last_leg_is_gone(stays: bool) -> None:
    bench = PlanesBench()
    if stays:
        bench.leg("anna", 0)
    bench.fakes[0].sent.clear()
    bench.media.drain(0)
    ended = [type(command).__name__ for command in bench.media.take(0)]
    assert ended == ([] if stays else ["Drain"])
    if stays:
        bench.media.send(CloseLeg(leg="anna"))
        for command in bench.media.take(0):
            bench.fakes[0].send(command)
        bench.media.told(0, bench.fakes[0].events.pop(), bench.now)
        assert [type(command).__name__ for command in bench.media.take(0)] == ["Drain"]


def test_spare_pairs_of_one_process_are_none_of_anothers() -> None:
    bench = PlanesBench(spares=0)
    bench.media.told(1, Spares(ports=(40000,)), 0.0)
    bench.fakes[1].spares.add(40000)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    assert (bench.fakes[0].ports["anna"] != 40000, bench.fakes[1].ports["bert"]) == (True, 40000)


def test_phones_of_a_process_that_drains_are_asked_to_go_those_of_a_call_to_the_same() -> None:
    keys = SrtpKeys(suite=SrtpSuite.AES_CM_128_HMAC_SHA1_80, ours="a", theirs="b")
    bench = PlanesBench(3)
    bench.leg("anna", 0)
    bench.leg("bert", 0, srtp=keys)
    bench.connect("anna", "bert")
    bench.media.open(OpenLeg(leg="ringing", tag="", port=None), beside="anna")
    bench.pump()
    bench.leg("cleo", 0)
    bench.media.drain(0, move=True)
    bench.pump()
    assert sorted(leg for leg, _ in bench.asked) == ["anna", "bert", "cleo"]
    for index, leg in enumerate(("anna", "bert", "cleo")):
        assert bench.answer(index=index)[0] == leg
    for leg in ("anna", "bert", "cleo"):
        bench.latch(leg)
    assert bench.home("anna") == bench.home("bert") != 0
    assert bench.home("cleo") not in (0, bench.home("anna")), "calls are shared out"
    assert hear_each_other(bench)
    assert bench.own_legs() == []
    bench.media.send(CloseLeg(leg="ringing"))
    assert [type(command).__name__ for command in bench.media.take(0)] == ["CloseLeg"]
    bench.fakes[0].send(CloseLeg(leg="ringing"))
    bench.media.told(0, bench.fakes[0].events.pop(), bench.now)
    assert [type(command).__name__ for command in bench.media.take(0)] == ["Drain"]
