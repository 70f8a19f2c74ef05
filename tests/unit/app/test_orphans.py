from __future__ import annotations

from engine.app.orphans import Orphans
from engine.media.commands import CloseLeg, LegClosed, LegInfo, Legs, Quality, RtpTimeout


def legs(*names: str, call: str = "c1") -> Legs:
    return Legs(legs=tuple(LegInfo(leg=name, tag=f"{call}:caller:1.000", port=20002) for name in names))


def closed(name: str) -> LegClosed:
    quality = Quality(
        leg=name,
        packets_received=0,
        packets_sent=0,
        octets_received=0,
        lost=0,
        jitter_ms=0,
        remote_lost=None,
        remote_jitter_ms=None,
        round_trip_ms=None,
        strangers=0,
        refused=0,
    )
    return LegClosed(leg=name, quality=quality)


def test_orphans_live_until_nothing_is_heard() -> None:
    orphans = Orphans()
    assert orphans.media_event(legs("a", "b")) == []
    assert [info.leg for info in orphans.legs()] == ["a", "b"]
    assert orphans.media_event(RtpTimeout(leg="a", silent_s=10)) == [CloseLeg(leg="a")]
    assert orphans.media_event(RtpTimeout(leg="a", silent_s=20)) == [], "it is asked once"
    assert orphans.media_event(closed("a")) == [CloseLeg(leg="b")], "who is left has nobody to talk to"
    assert orphans.media_event(closed("b")) == []
    assert orphans.legs() == ()


def test_who_waited_alone_is_not_left_with_the_music() -> None:
    orphans = Orphans()
    talking, waiting = legs("a", "b"), legs("w", call="c2")
    assert orphans.media_event(Legs(legs=(*talking.legs, *waiting.legs))) == [CloseLeg(leg="w")]
    assert orphans.media_event(closed("w")) == []
    assert [info.leg for info in orphans.legs()] == ["a", "b"]


def test_silence_of_a_leg_of_ours_is_not_the_orphans_matter() -> None:
    assert Orphans().media_event(RtpTimeout(leg="ours", silent_s=10)) == []


def test_after_a_lost_connection_our_own_legs_are_closed_and_orphans_stay() -> None:
    orphans = Orphans()
    orphans.media_event(legs("old", "older"))
    orphans.connection_lost()
    assert orphans.media_event(legs("old", "older", "ours")) == [CloseLeg(leg="ours")]
    assert len(orphans) == 2
