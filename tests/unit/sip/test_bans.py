from __future__ import annotations

from engine.sip.bans import Bans


def bans(bound: int = 100) -> Bans:
    return Bans(first_s=60.0, longest_s=86_400.0, bound=bound)


def test_a_ban_ends_by_itself() -> None:
    it = bans()
    ban = it.impose("192.0.2.1", None, "flood", 100.0)
    assert (ban.until, ban.times, ban.reason) == (160.0, 1, "flood")
    assert it.stands("192.0.2.1", None, 159.9)
    assert not it.stands("192.0.2.1", None, 160.0)
    assert not it.stands("192.0.2.2", None, 101.0)


def test_each_further_one_is_twice_as_long_up_to_the_longest() -> None:
    it, now, lasted = bans(), 0.0, []
    for _ in range(14):
        ban = it.impose("192.0.2.1", None, "flood", now)
        lasted.append(ban.until - now)
        now = ban.until + 10
    assert lasted[:5] == [60.0, 120.0, 240.0, 480.0, 960.0]
    assert lasted[-2:] == [86_400.0, 86_400.0]


def test_a_hundred_thousand_bans_overflow_nothing() -> None:
    it, now = bans(), 0.0
    for _ in range(2000):
        now = it.impose("192.0.2.1", None, "flood", now).until
    assert it.stands("192.0.2.1", None, now - 1)


def test_who_keeps_quiet_for_the_longest_is_forgotten() -> None:
    it = bans()
    it.impose("192.0.2.1", None, "flood", 0.0)
    assert it.impose("192.0.2.1", None, "flood", 60.0 + 86_400.0).times == 2
    it = bans()
    it.impose("192.0.2.1", None, "flood", 0.0)
    assert it.impose("192.0.2.1", None, "flood", 60.1 + 86_400.0).times == 1


def test_a_user_name_is_banned_at_one_source_only() -> None:
    it = bans()
    it.impose("192.0.2.1", "ann", "auth_failures", 0.0)
    assert it.stands("192.0.2.1", "ann", 1.0)
    assert not it.stands("192.0.2.1", "bob", 1.0)
    assert not it.stands("192.0.2.1", None, 1.0)
    assert not it.stands("192.0.2.2", "ann", 1.0)


def test_lifting() -> None:
    it = bans()
    it.impose("192.0.2.1", None, "flood", 0.0)
    it.impose("192.0.2.1", "ann", "auth_failures", 0.0)
    assert it.lift("192.0.2.1", None)
    assert not it.lift("192.0.2.1", None)
    assert not it.stands("192.0.2.1", None, 1.0)
    assert it.stands("192.0.2.1", "ann", 1.0)
    assert it.impose("192.0.2.1", None, "flood", 1.0).times == 1


def test_the_table_is_bounded() -> None:
    it = bans(bound=10)
    for number in range(50):
        it.impose(f"192.0.2.{number}", None, "flood", float(number))
    assert len(it) == 10
    assert [ban.source for ban in it.standing(50.0)] == [f"192.0.2.{number}" for number in range(49, 39, -1)]


def test_those_over_are_not_shown() -> None:
    it = bans()
    it.impose("192.0.2.1", None, "flood", 0.0)
    it.impose("192.0.2.2", None, "flood", 30.0)
    assert [ban.source for ban in it.standing(70.0)] == ["192.0.2.2"]
