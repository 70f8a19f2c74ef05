"""Conferences whose members live in several media processes."""

from __future__ import annotations

import pytest

from engine.app.media_moves import AGAIN_S, SETTLED_S, TRIES
from engine.media.commands import CloseLeg, Codec, Connect, JoinConference, LeaveConference, SetRemote
from engine.media.events import DtmfDigit, LegFailed, RtpTimeout, Spares
from tests.support.planes_bench import PlanesBench, remote


def apart(**options: int) -> PlanesBench:
    """Anna sits in process 0; Bert, who lives in process 1, comes."""
    bench = PlanesBench(**options)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.sit("bert")
    return bench


def refuse(bench: PlanesBench, status: int) -> None:
    assert bench.media.moves.refused(*bench.asked[-1], status, bench.now)
    bench.pump()


BOTH = {"anna": True, "bert": True}


@pytest.mark.parametrize("spares", [32, 0])
def test_who_comes_from_another_process_sits_there_at_once_by_a_chair(spares: int) -> None:
    bench = apart(spares=spares)
    assert bench.room() == BOTH
    assert bench.asked == [], "not yet"
    assert (len(bench.own_legs()), bench.counted()) == (2, [2, 2])


def test_a_moment_later_he_is_moved_and_sits_down_himself() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    assert [leg for leg, _ in bench.asked] == ["bert"]
    assert bench.room() == BOTH, "meanwhile he keeps the chair"
    bench.answer()
    assert bench.fakes[0].conferences == {"team": BOTH}
    assert bench.own_legs() == []
    bench.latch("bert")
    assert bench.places("bert") == [0]
    for leg in ("anna", "bert"):
        bench.media.send(CloseLeg(leg=leg))
    bench.pump()
    assert bench.counted() == [0, 0]
    bench.leg("cleo", 1)
    bench.sit("cleo")
    assert bench.fakes[1].conferences == {"team": {"cleo": True}}, "it is a new one"


def test_who_refuses_to_be_moved_keeps_his_chair() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    refuse(bench, 488)
    bench.wait(60.0)
    assert bench.room() == BOTH
    assert len(bench.asked) == 1, "he is not asked again"
    assert not [event for event in bench.told if isinstance(event, LegFailed)]
    assert bench.counted() == [2, 2]


def test_who_was_asked_at_a_bad_moment_is_asked_again() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    for _ in range(TRIES - 1):
        refuse(bench, 491)
        bench.wait(AGAIN_S)
    assert len(bench.asked) == TRIES
    bench.answer()
    assert bench.fakes[0].conferences == {"team": BOTH}


def test_who_is_muted_is_so_on_his_chair_and_after_his_move() -> None:
    bench = apart()
    pointed = len([each for each in bench.fakes[0].sent if isinstance(each, SetRemote)])
    bench.sit("bert", speaks=False)
    assert bench.room() == {"anna": True, "bert": False}
    assert len([each for each in bench.fakes[0].sent if isinstance(each, SetRemote)]) == pointed
    bench.wait(SETTLED_S)
    bench.answer()
    assert bench.fakes[0].conferences == {"team": {"anna": True, "bert": False}}


def test_another_codec_of_the_member_is_that_of_the_chair() -> None:
    bench = apart()
    bench.media.send(remote("bert", port=7000, codec=Codec.G722))
    bench.pump()
    assert bench.room() == BOTH
    codecs = {each.codec for fake in bench.fakes for name, each in fake.remotes.items() if "~" in name}
    assert codecs == {Codec.G722}


def test_the_chair_goes_with_the_member_and_with_his_leaving() -> None:
    bench = apart()
    bench.media.send(LeaveConference(leg="bert"))
    bench.pump()
    assert (bench.room(), bench.own_legs()) == ({"anna": True}, [])
    assert not [each for each in bench.fakes[1].sent if isinstance(each, LeaveConference)], "he sat elsewhere"
    bench.sit("bert")
    bench.media.send(CloseLeg(leg="bert"))
    bench.pump()
    assert (bench.room(), bench.own_legs(), bench.counted()) == ({"anna": True}, [], [1, 0])


def test_who_goes_to_another_conference_leaves_the_first() -> None:
    bench = apart()
    bench.sit("bert", conference="others")
    assert (bench.room(), bench.room("others")) == ({"anna": True}, {"bert": True})
    assert bench.own_legs() == []


def test_a_conference_is_one_also_in_a_process_that_drains() -> None:
    bench = PlanesBench()
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.media.drain(0)
    bench.sit("bert")
    assert bench.room() == BOTH
    bench.wait(SETTLED_S)
    assert bench.asked == [], "nobody is moved to where all are to leave"


def test_who_sits_in_a_conference_leaves_a_process_that_drains_and_is_heard_all_the_way() -> None:
    bench = PlanesBench(3)
    names = ("anna", "bert", "cleo")
    for name in names:
        bench.leg(name, 0)
        bench.sit(name)
    everybody = dict.fromkeys(names, True)
    bench.media.drain(0, move=True)
    bench.pump()
    for index in range(3):
        bench.answer(index=index)
        assert bench.room() == everybody
    for name in names:
        bench.latch(name)
    (place,) = {bench.home(name) for name in names}
    assert place != 0
    assert bench.fakes[place].conferences == {"team": everybody}
    assert bench.own_legs() == []


def test_a_conference_moves_on_when_its_last_resident_has_left() -> None:
    bench = apart()
    bench.leg("cleo", 1)
    bench.sit("cleo")
    bench.media.send(CloseLeg(leg="anna"))
    bench.pump()
    assert bench.fakes[1].conferences == {"team": {"bert": True, "cleo": True}}
    assert (bench.own_legs(), bench.counted()) == ([], [0, 2])


def test_members_of_a_lost_hub_are_gone_and_who_sat_there_by_chairs_sit_on_together() -> None:
    bench = PlanesBench(3)
    for place, name in enumerate(("anna", "bert", "cleo")):
        bench.leg(name, place)
        bench.sit(name)
    assert bench.die(0) == ["anna"]
    bench.come(0)
    assert bench.room() == {"bert": True, "cleo": True}
    assert bench.fakes[0].ports == {}
    assert bench.counted() == [0, 2, 2], "of which one for the door and one for the chair of one of them"


def test_who_is_put_up_elsewhere_after_a_loss_sits_where_he_sat() -> None:
    bench = PlanesBench(2, reestablish=True)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.sit("bert")
    assert bench.die(1) == []
    assert bench.room() == {"anna": True}
    bench.answer()
    assert bench.fakes[0].conferences == {"team": BOTH}
    assert bench.own_legs() == []


def test_while_a_lost_hub_is_made_up_for_the_others_sit_on_without_it() -> None:
    bench = PlanesBench(2, reestablish=True)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.sit("bert")
    assert bench.die(0) == []
    bench.come(0)
    assert bench.fakes[1].conferences == {"team": {"bert": True}}
    bench.sit("anna", speaks=False)
    assert bench.room() == {"bert": True}
    bench.answer()
    assert bench.fakes[1].conferences == {"team": {"anna": False, "bert": True}}
    assert bench.fakes[0].sent == [], "the fresh process knows nothing of her"


def test_who_is_muted_while_he_arrives_sits_down_so() -> None:
    bench = apart()
    bench.wait(SETTLED_S)
    (asked,) = bench.asked
    assert bench.media.moves.answered(*asked, bench.now)
    bench.sit("bert", speaks=False)
    bench.media.send(remote("bert", port=6000))
    bench.pump()
    assert bench.fakes[0].conferences == {"team": {"anna": True, "bert": False}}


def test_who_is_muted_before_his_chair_has_a_port_sits_down_so() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.fakes[0].held = True
    bench.sit("bert")
    bench.sit("bert", speaks=False)
    assert bench.room() == {"anna": True}
    bench.fakes[0].release()
    bench.pump()
    assert bench.room() == {"anna": True, "bert": False}


def test_a_chair_does_not_speak_a_codec_that_cannot_be_mixed() -> None:
    bench = apart()
    bench.media.send(remote("bert", codec=Codec.OPAQUE))
    bench.pump()
    codecs = {each.codec for fake in bench.fakes for name, each in fake.remotes.items() if "~" in name}
    assert codecs == {Codec.PCMA}


def test_who_leaves_and_comes_again_is_told_to_leave_once() -> None:
    bench = apart()
    bench.media.send(LeaveConference(leg="anna"))
    bench.pump()
    assert bench.fakes[1].conferences == {"team": {"bert": True}}, "nobody lives any more where it was"
    bench.sit("anna")
    assert bench.room() == BOTH
    assert len([each for each in bench.fakes[0].sent if isinstance(each, LeaveConference)]) == 1


def test_the_first_who_goes_to_another_conference_takes_nobody_along() -> None:
    bench = apart()
    bench.sit("anna", conference="others")
    assert bench.fakes[1].conferences == {"team": {"bert": True}}
    assert bench.room("others") == {"anna": True}


def test_who_sits_in_a_conference_is_moved_rather_than_who_listens_to_him() -> None:
    bench = PlanesBench(3)
    for place, name in enumerate(("boss", "bert", "anna")):
        bench.leg(name, place)
    for name in ("cleo", "dora", "emma"):
        bench.leg(name, 2)  # so that it would be less work for the listener's process to lose him
    bench.sit("anna")
    bench.sit("bert")
    bench.media.send(Connect(source="bert", sink="boss"))
    bench.pump()
    bench.wait(SETTLED_S)
    assert bench.media.moves.bound_for(bench.media._legs["bert"]) is bench.media.planes[2]
    assert "boss" not in [leg for leg, _ in bench.asked]


def test_a_port_that_was_given_to_a_chair_is_not_given_again() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.fakes[0].held = True
    bench.sit("bert")
    (chair,) = [name for name in bench.fakes[0].ports if name.endswith("chair")]
    bench.media.told(0, Spares(ports=(bench.fakes[0].ports[chair],)), bench.now)
    bench.fakes[0].release()
    bench.pump()
    bench.leg("cleo", 0)
    assert len(set(bench.fakes[0].ports.values())) == len(bench.fakes[0].ports)


def test_what_fails_of_a_chair_that_is_taken_away_is_no_harm() -> None:
    bench = apart()
    bench.fakes[0].held = True
    bench.media.send(LeaveConference(leg="bert"))
    bench.pump()
    bench.fakes[0].events.append(LegFailed(leg="bert~1chair", command="SetRemote", reason="unknown leg"))
    bench.pump()
    bench.fakes[0].release()
    bench.pump()
    assert not [event for event in bench.told if isinstance(event, LegFailed)]
    assert bench.counted() == [1, 1]


def test_a_chair_without_a_port_is_told_as_a_seat_that_there_is_not() -> None:
    bench = PlanesBench(spares=0)
    bench.leg("anna", 0)
    bench.leg("bert", 1)
    bench.sit("anna")
    bench.fakes[0].held = True
    bench.media.send(JoinConference(leg="bert", conference="team"))
    bench.pump()
    (chair,) = [name for name in bench.fakes[0].ports if name.endswith("chair")]
    del bench.fakes[0].ports[chair]
    bench.fakes[0].waiting.clear()
    bench.fakes[0].events.append(LegFailed(leg=chair, command="OpenLeg", reason="no port left"))
    bench.pump()
    failed = bench.told[-1]
    assert isinstance(failed, LegFailed)
    assert (failed.leg, failed.reason) == ("bert", "between two media processes: no port left")
    assert (bench.own_legs(), bench.counted()) == ([], [1, 1])


def test_what_doors_and_chairs_say_of_themselves_is_not_for_calls() -> None:
    bench = apart()
    before = len(bench.told)
    for fake, name in ((bench.fakes[0], "chair"), (bench.fakes[1], "door")):
        fake.events.append(RtpTimeout(leg=f"bert~1{name}", silent_s=30.0))
        fake.events.append(DtmfDigit(leg=f"bert~1{name}", digit="5", duration_ms=100))
    bench.pump()
    assert len(bench.told) == before
