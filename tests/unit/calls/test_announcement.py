"""What callers are played, and where it leads on to."""

from __future__ import annotations

import pytest

from engine.calls.causes import Outcome, Reason
from engine.calls.directory import Put, Queue
from engine.calls.events import FromAgent, FromTrunk
from engine.calls.log import CallAnswered, CallRouted
from engine.calls.onward import MAX_STEPS
from engine.calls.routing import Feature, NoRoute, Route, ToAgent, ToEcho, ToFeature, ToPlay, ToQueue
from engine.calls.sound_rules import SoundRules
from engine.ids import AgentName, LegId, QueueName, TrunkName
from engine.media.commands import Sound, StopPlay, Tone
from engine.media.events import PlayFinished
from engine.speech.library import Library
from engine.speech.phrases import parse
from tests.support.call_rig import Rig

LIBRARY = Library(
    sounds={
        "en": {name: f"/en/{name}.wav" for name in ("hi", "digits/1", "digits/2", "digits/10")},
        "de": {name: f"/de/{name}.wav" for name in ("hi", "digits/1-and", "digits/20")},
    }
)
RULES = SoundRules(library=LIBRARY, country="fr", music={"jazz": ("/jazz/a.wav", "/jazz/b.wav")})
TO_SALES = ToQueue(queue=QueueName("sales"))


def play(*items: str, **keys: object) -> ToPlay:
    fixed = {"name": f"play:{items[0]}", "context": "world", "origin": FromTrunk(trunk=TrunkName("pbx"))}
    return ToPlay(items=tuple(map(parse, items)), **{**fixed, **keys})  # type: ignore[arg-type]


def rig_for(route: Route, by_number: dict[str, Route] | None = None) -> Rig:
    rig = Rig(route, sounds=RULES)
    rig.router.by_number = by_number or {}
    return rig


def up(rig: Rig, called: str = "100") -> LegId:
    leg = rig.call_in(called)
    rig.confirm(leg)
    return leg


def ends(rig: Rig, leg: LegId) -> None:
    rig.media.finish_playing(leg)
    rig.pump()


def heard(rig: Rig, leg: LegId) -> list[str]:
    """What the leg is played, in words."""
    listed = rig.media.players[leg].playlist
    return [s.file or (f"{s.tone} {s.country}" if s.tone else f"{s.silence_ms} ms") for s in listed]


def test_all_items_are_played_in_their_order_and_then_the_call_ends() -> None:
    rig = rig_for(play("hi", "number:10", "digits:{called}", "tone:busy", "silence:40", "own.wav", "gone"))
    leg = up(rig, "12")
    digits = ["/en/digits/1.wav", "/en/digits/2.wav"]
    assert heard(rig, leg) == ["/en/hi.wav", "/en/digits/10.wav", *digits, "busy fr", "40 ms", "own.wav"]
    command = rig.media.players[leg]
    assert (command.loop, command.gain_db, command.stop_digits) == (False, 0, "")
    ends(rig, leg)
    assert rig.end().cause.reason is Reason.COMPLETED
    assert rig.bodies(CallRouted) == [CallRouted(destination="play:hi")]
    rig.assert_clean()


def test_language_country_loop_gain_and_keys_are_those_of_the_extension() -> None:
    keys = {"language": "de", "country": "it", "loop": True, "gain_db": -6.0, "stop_digits": "1#"}
    rig = rig_for(play("hi", "number:21", "tone:dial", **keys))
    leg = up(rig)
    assert heard(rig, leg) == ["/de/hi.wav", "/de/digits/1-and.wav", "/de/digits/20.wav", "dial it"]
    command = rig.media.players[leg]
    assert (command.loop, command.gain_db, command.stop_digits) == (True, -6.0, "1#")


def test_arguments_fill_blanks_and_go_before_the_numbers_of_the_call() -> None:
    rig = rig_for(play("number:{n}", "digits:{called}", "digits:{caller}", arguments={"n": "2", "called": "1"}))
    leg = rig.call_in("12", number="22")
    rig.confirm(leg)
    assert heard(rig, leg) == [f"/en/digits/{digit}.wav" for digit in "2122"]


def test_what_was_played_leads_on_to_a_queue_as_if_it_had_been_dialled() -> None:
    rig = rig_for(play("hi", then="600"), {"600": TO_SALES})
    leg = up(rig)
    ends(rig, leg)
    assert rig.router.asked[-1] == ("world", "600")
    assert heard(rig, leg) == ["/music/default.wav"]
    assert [call.phase for call in rig.manager.snapshot()] == ["waiting"]
    assert rig.bodies(CallRouted) == [
        CallRouted(destination="play:hi"),
        CallRouted(destination="queue:sales", number="600"),
    ]
    assert len(rig.bodies(CallAnswered)) == 1
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.rows()[0].destination == "queue:sales"
    rig.assert_clean()


@pytest.mark.parametrize(("key", "number"), [("1", "601"), ("2", "602"), ("9", "600")])
def test_a_key_ends_it_and_leads_where_it_says(key: str, number: str) -> None:
    wanted = play("hi", loop=True, stop_digits="129", on_digit={"1": "601", "2": "602"}, then="600")
    rig = rig_for(wanted, dict.fromkeys(("600", "601", "602"), TO_SALES))
    leg = up(rig)
    rig.media.stop_by(leg, "5")
    rig.pump()
    assert heard(rig, leg) == ["/en/hi.wav"]
    rig.media.stop_by(leg, key)
    rig.pump()
    assert rig.router.asked[-1] == ("world", number)
    assert heard(rig, leg) == ["/music/default.wav"]


def test_a_key_beside_the_sound_ends_it_too() -> None:
    rig = rig_for(play("hi", stop_digits="1", then="600"), {"600": TO_SALES})
    leg = up(rig)
    rig.legs.far_key(leg, "1")
    rig.pump()
    assert StopPlay(leg=leg, digit="1") in rig.media.sent
    assert rig.router.asked[-1] == ("world", "600")


def test_a_key_beside_the_sound_is_told_to_media_only_while_something_is_played() -> None:
    rig = Rig()
    caller, _agent, _ = rig.talking()
    rig.media.sent.clear()
    rig.legs.far_key(caller, "1")
    rig.pump()
    assert not any(isinstance(command, StopPlay) for command in rig.media.sent)


def test_a_key_without_a_number_is_an_end_like_any_other() -> None:
    rig = rig_for(play("hi", stop_digits="#"))
    leg = up(rig)
    rig.media.stop_by(leg, "#")
    rig.pump()
    assert rig.end().cause.reason is Reason.COMPLETED
    rig.assert_clean()


def test_its_time_comes_to_an_end() -> None:
    rig = rig_for(play("tone:busy", loop=True, for_s=10.0))
    leg = up(rig)
    rig.wait(9.9)
    assert heard(rig, leg) == ["busy fr"]
    rig.wait(0.2)
    assert rig.end().cause.reason is Reason.COMPLETED
    rig.assert_clean()


def test_what_ends_in_time_has_no_end_by_the_clock() -> None:
    rig = rig_for(play("hi", for_s=10.0, then="600"), {"600": TO_SALES})
    leg = up(rig)
    ends(rig, leg)
    rig.wait(20)
    assert heard(rig, leg) == ["/music/default.wav"]


def test_time_that_was_for_the_one_is_not_for_the_next() -> None:
    rig = rig_for(play("hi", for_s=10.0, then="601"), {"601": play("number:1", loop=True)})
    leg = up(rig)
    ends(rig, leg)
    rig.wait(20)
    assert heard(rig, leg) == ["/en/digits/1.wav"]


def test_when_its_time_is_over_nothing_of_it_is_heard_any_more() -> None:
    rig = rig_for(play("tone:busy", loop=True, for_s=10.0, then="601"), {"601": ToEcho()})
    leg = up(rig)
    rig.wait(11)
    assert rig.media.players == {}
    assert rig.media.edges == {(leg, leg)}


def test_a_caller_is_led_on_with_the_rights_with_which_he_came_there() -> None:
    anna = FromAgent(agent=AgentName("anna"))
    rig = rig_for(play("hi", then="600", origin=anna), {"600": TO_SALES})
    leg = up(rig)
    assert isinstance(rig.router.origins[-1], FromTrunk)
    ends(rig, leg)
    assert rig.router.origins[-1] == anna


def test_the_end_of_the_one_is_not_the_end_of_the_next() -> None:
    rig = rig_for(play("hi", for_s=5.0, then="601"), {"601": play("number:1", then="600"), "600": TO_SALES})
    leg = up(rig)
    before = rig.media.players[leg].player
    rig.wait(5.1)
    assert heard(rig, leg) == ["/en/digits/1.wav"]
    rig.manager.media_event(PlayFinished(leg=leg, player=before), rig.now)
    rig.pump()
    assert heard(rig, leg) == ["/en/digits/1.wav"]


def test_who_is_led_on_to_a_phone_hears_it_ring_and_then_talks() -> None:
    rig = rig_for(play("hi", then="100"), {"800": play("hi", then="100")})
    rig.router.answer = ToAgent(agent=AgentName("anna"), ring_timeout_s=30)
    leg = up(rig, "800")
    ends(rig, leg)
    assert heard(rig, leg) == ["ringback fr"]
    assert rig.media.players[leg].loop
    (far,) = rig.legs.placed()
    rig.legs.far_answer(far)
    rig.pump()
    assert rig.media.players == {}
    assert rig.media.edges == {(leg, far), (far, leg)}
    rig.legs.far_hang_up(far)
    rig.pump()
    rig.assert_clean()


def test_who_is_led_on_to_nowhere_is_let_go() -> None:
    rig = rig_for(play("hi", then="999"), {"999": NoRoute(explanation="nothing")})
    leg = up(rig)
    ends(rig, leg)
    assert rig.end().cause.reason is Reason.NO_ROUTE
    rig.assert_clean()


@pytest.mark.parametrize("item", ["own.wav", "gone"])
def test_without_its_sounds_a_caller_is_led_on_all_the_same(item: str) -> None:
    rig = rig_for(play(item, then="600"), {"600": TO_SALES})
    rig.media.bad_files = {"own.wav"}
    leg = up(rig)
    assert heard(rig, leg) == ["/music/default.wav"]


def test_without_its_sounds_and_without_a_next_it_is_our_fault() -> None:
    rig = rig_for(play("gone"))
    up(rig)
    assert rig.end().cause.outcome is Outcome.SERVER
    rig.assert_clean()


def test_a_round_that_plays_nothing_comes_to_an_end() -> None:
    rig = rig_for(play("gone", then="600"))
    up(rig)
    assert rig.end().cause.outcome is Outcome.SERVER
    assert len(rig.router.asked) == MAX_STEPS + 1
    rig.assert_clean()


def test_music_by_name_is_a_playlist_and_falls_back() -> None:
    rig = rig_for(TO_SALES)
    rig.directory.apply(Put(entity=Queue(name=QueueName("sales"), music="jazz")))
    leg, _ = rig.queued()
    assert heard(rig, leg) == ["/jazz/a.wav", "/jazz/b.wav"]
    assert rig.media.players[leg].loop
    rig.media.bad_files = {"/jazz/a.wav", "/jazz/b.wav"}
    second, _ = rig.queued()
    assert heard(rig, second) == ["/music/default.wav"]


def test_the_engines_own_tones_are_those_of_its_country() -> None:
    assert RULES.tone(Tone.BUSY) == Sound(tone=Tone.BUSY, country="fr")
    assert SoundRules().tone(Tone.BUSY).country == "us"
    rig = rig_for(ToFeature(feature=Feature.AVAILABLE))
    leg = rig.call_in("*11", agent="anna")
    rig.confirm(leg)
    assert heard(rig, leg) == ["confirm fr"]


def test_who_is_transferred_hears_the_ringback_of_the_country() -> None:
    rig = rig_for(TO_SALES, {"200": ToAgent(agent=AgentName("bert"), ring_timeout_s=30)})
    caller, anna, _ = rig.talking()
    rig.legs.far_transfer(anna, "200")
    rig.pump()
    assert heard(rig, caller) == ["ringback fr"]
