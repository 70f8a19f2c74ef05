from __future__ import annotations

from typing import Any

from engine.app.orphans import OrphanRules, Orphans
from engine.media.commands import CloseLeg, WatchLeg
from engine.media.events import LegClosed, LegInfo, Legs, RtpTimeout
from tests.support.fake_media import quality

NOW = 500.0


def info(leg: str, *, call: str = "c1", role: str = "caller", started: str = "100.000", dialog: str = "") -> LegInfo:
    return LegInfo(leg=leg, tag=f"{call}:{role}:{started}", port=20002, dialog=dialog)


def legs(*names: str, call: str = "c1") -> Legs:
    return Legs(legs=tuple(info(name, call=call) for name in names))


def closed(name: str) -> LegClosed:
    return LegClosed(leg=name, quality=quality(name))


def closes(orders: Any) -> list[tuple[int, str]]:
    """Where which leg is to be closed."""
    return [(plane, order.leg) for plane, order in orders if isinstance(order, CloseLeg)]


def test_orphans_live_until_nothing_is_heard_of_one_side() -> None:
    orphans = Orphans(rules=OrphanRules(silence_s=7.0))
    watched = orphans.media_event(legs("a", "b"), NOW)
    assert list(watched) == [(0, WatchLeg(leg=leg, silent_s=7.0)) for leg in ("a", "b")]
    assert [sorted(leg for _, leg in call.legs) for call in orphans.calls()] == [["a", "b"]]
    assert closes(orphans.media_event(RtpTimeout(leg="a", silent_s=7), NOW)) == [(0, "a"), (0, "b")]
    assert orphans.media_event(RtpTimeout(leg="b", silent_s=7), NOW) == [], "it is asked once"
    assert orphans.media_event(closed("a"), NOW) == []
    assert len(orphans) == 1
    assert orphans.media_event(closed("b"), NOW) == []
    assert orphans.calls() == ()


def test_who_waited_alone_is_not_left_with_the_music() -> None:
    orphans = Orphans()
    talking, waiting = legs("a", "b"), legs("w", call="c2")
    assert closes(orphans.media_event(Legs(legs=(*talking.legs, *waiting.legs)), NOW)) == [(0, "w")]
    assert orphans.media_event(closed("w"), NOW) == []
    assert [call.call for call in orphans.calls()] == ["c1"]


def test_who_is_left_alone_has_nobody_to_talk_to() -> None:
    orphans = Orphans()
    orphans.media_event(legs("a", "b"), NOW)
    assert closes(orphans.media_event(closed("a"), NOW)) == [(0, "b")]


def test_silence_of_a_leg_of_ours_is_not_the_orphans_matter() -> None:
    assert Orphans().media_event(RtpTimeout(leg="ours", silent_s=10), NOW) == []


def test_after_a_lost_connection_our_own_legs_are_closed_and_orphans_stay() -> None:
    orphans = Orphans()
    orphans.media_event(legs("old", "older"), NOW)
    orphans.connection_lost()
    assert orphans.media_event(legs("old", "older", "ours"), NOW) == [(0, CloseLeg(leg="ours"))]
    assert len(orphans) == 2


def test_the_two_sides_of_a_call_may_live_in_two_media_processes() -> None:
    orphans = Orphans(2)
    assert closes(orphans.media_event(legs("a"), NOW, 0)) == [], "the other side may be in the other process"
    assert closes(orphans.media_event(legs("b"), NOW, 1)) == []
    assert len(orphans) == 2
    assert orphans.media_event(RtpTimeout(leg="b", silent_s=10), NOW, 0) == [], "b is not there"
    assert closes(orphans.media_event(RtpTimeout(leg="b", silent_s=10), NOW, 1)) == [(0, "a"), (1, "b")]


def test_once_every_process_has_said_what_it_has_who_waits_alone_is_closed() -> None:
    orphans = Orphans(2)
    orphans.media_event(legs("a"), NOW, 1)
    assert orphans.none_at(0, NOW) == [(1, CloseLeg(leg="a"))]


def test_what_was_lost_with_one_process_is_not_missed_in_another() -> None:
    orphans = Orphans(2)
    orphans.media_event(legs("a", "b"), NOW, 0)
    orphans.media_event(legs("c", "d", call="c2"), NOW, 1)
    orphans.connection_lost(1)
    assert orphans.none_at(1, NOW) == []
    assert [call.call for call in orphans.calls()] == ["c1"]


def test_legs_that_only_carry_a_voice_are_no_people_and_go_with_the_call() -> None:
    orphans = Orphans()
    span = [info(leg, role="span") for leg in ("a~1m", "a~1e")]
    orphans.media_event(Legs(legs=(info("a"), info("b", role="agent"), *span)), NOW)
    (call,) = orphans.calls()
    assert call.roles == ("caller", "agent")
    orders = orphans.media_event(closed("b"), NOW)
    assert closes(orders) == [(0, "a"), (0, "a~1m"), (0, "a~1e")]
    orphans = Orphans()
    assert len(closes(orphans.media_event(Legs(legs=(info("a"), *span)), NOW))) == 3


def test_a_leg_that_was_on_its_way_to_another_process_is_silent_in_one_of_them() -> None:
    orphans = Orphans(2)
    orphans.media_event(legs("a"), NOW, 0)
    orphans.media_event(legs("a", "b"), NOW, 1)
    assert closes(orphans.media_event(RtpTimeout(leg="a", silent_s=10), NOW, 0)) == [(0, "a")]
    assert closes(orphans.media_event(closed("a"), NOW, 0)) == []
    assert len(orphans) == 2
    lonely = Orphans(2)
    lonely.media_event(legs("a"), NOW, 0)
    assert len(closes(lonely.media_event(legs("a"), NOW, 1))) == 2, "one person in two places is alone"


def test_who_hangs_up_amid_a_move_is_known_as_long_as_one_of_the_places_is_open() -> None:
    orphans = Orphans(2)
    orphans.media_event(Legs(legs=(info("a", dialog="d"), info("b"))), NOW, 0)
    orphans.media_event(Legs(legs=(info("a", dialog="d"),)), NOW, 1)
    orphans.media_event(closed("a"), NOW, 0)
    assert closes(orphans.hung_up("d")) == [(0, "b"), (1, "a")]
    orphans.media_event(closed("a"), NOW, 1)
    assert list(orphans.dialogs) == []


def test_a_phone_that_hangs_up_ends_both_sides() -> None:
    orphans = Orphans()
    assert list(orphans.dialogs) == []
    orphans.media_event(Legs(legs=(info("a", dialog="id us them"), info("b", dialog="id2 us them"))), NOW)
    assert "id2 us them" in orphans.dialogs
    assert orphans.hung_up("another") == []
    assert closes(orphans.hung_up("id2 us them")) == [(0, "a"), (0, "b")]
    orphans.media_event(closed("a"), NOW)
    orphans.media_event(closed("b"), NOW)
    assert list(orphans.dialogs) == []


def test_an_operator_ends_one() -> None:
    orphans = Orphans()
    orphans.media_event(legs("a", "b"), NOW)
    assert orphans.end("c7") is None
    orders = orphans.end("c1")
    assert orders is not None
    assert closes(orders) == [(0, "a"), (0, "b")]
    assert orphans.end("c1") == []


def test_none_lasts_for_ever() -> None:
    orphans = Orphans(rules=OrphanRules(max_s=60.0))
    assert orphans.next_deadline() is None
    orphans.media_event(legs("a", "b"), NOW)
    assert orphans.next_deadline() == NOW + 60.0
    assert orphans.handle_deadline(NOW + 59.0) == []
    assert closes(orphans.handle_deadline(NOW + 60.0)) == [(0, "a"), (0, "b")]
    assert orphans.next_deadline() is None


def test_a_call_began_when_its_tag_says_unless_that_cannot_be() -> None:
    orphans = Orphans()
    odd = [
        info("c", call="c2", started="900.0"),
        info("e", call="c3", started="noon"),
        LegInfo(leg="f", tag="", port=2),
    ]
    orphans.media_event(Legs(legs=(info("a"), info("b"), *odd)), NOW)
    assert [(call.call, call.started) for call in orphans.calls()] == [
        ("c1", 100.0),
        ("c2", NOW),
        ("c3", NOW),
        ("f", NOW),
    ]


def of_agent(leg: str, agent: str, *, call: str = "c1") -> LegInfo:
    return LegInfo(leg=leg, tag=f"{call}:agent:100.000:{agent}", port=20002)


def test_an_agent_is_engaged_while_his_phone_is_in_one() -> None:
    orphans = Orphans()
    orphans.media_event(Legs(legs=(info("a"), of_agent("b", "anna"))), NOW)
    assert list(orphans.take_engaged()) == [("anna", "c1", True)]
    assert list(orphans.take_engaged()) == []
    orphans.end("c1")
    assert list(orphans.take_engaged()) == [], "his phone may not have heard of it"
    orphans.media_event(closed("a"), NOW)
    assert list(orphans.take_engaged()) == []
    orphans.media_event(closed("b"), NOW)
    assert list(orphans.take_engaged()) == [("anna", "c1", False)]


def test_an_agent_who_moves_between_processes_is_engaged_once() -> None:
    orphans = Orphans(2)
    orphans.media_event(Legs(legs=(info("a"), of_agent("b", "anna"))), NOW, 0)
    orphans.media_event(Legs(legs=(of_agent("b", "anna"),)), NOW, 1)
    assert list(orphans.take_engaged()) == [("anna", "c1", True)]
    orphans.media_event(closed("b"), NOW, 1)
    assert list(orphans.take_engaged()) == []
    orphans.connection_lost(0)
    orphans.none_at(0, NOW)
    assert list(orphans.take_engaged()) == [("anna", "c1", False)]


def test_what_is_no_tag_is_a_call_of_its_own() -> None:
    orphans = Orphans()
    odd = [
        LegInfo(leg=leg, tag=tag, port=20002) for leg, tag in (("x", ""), ("y", "c:agent:soon:"), ("z", "c:a:1:b:c"))
    ]
    orphans.media_event(Legs(legs=tuple(odd)), NOW)
    assert {call.call: call.started for call in orphans.calls()} == {"x": NOW, "c": NOW}
    assert list(orphans.take_engaged()) == [("b:c", "c", True)]
