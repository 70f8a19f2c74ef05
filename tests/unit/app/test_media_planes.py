from __future__ import annotations

from dataclasses import replace

from engine.app.media_planes import MediaPlanes
from engine.media.commands import CloseLeg, ListLegs, OpenLeg, Play, Sound, Tone
from engine.media.events import LegClosed, LegFailed, LegOpened, Rebound, Spares, Welcome
from tests.support.fake_media import quality
from tests.support.plane_stats import STATS


def planes(count: int = 2) -> MediaPlanes:
    """All connected, each with spare pairs of its own."""
    media = MediaPlanes(count)
    for index in range(count):
        come(media, index)
    return media


def come(media: MediaPlanes, index: int) -> None:
    first = 20000 + 1000 * index
    media.opened(index, Welcome(version=4, pid=10 + index, port_min=first, port_max=first + 998, legs=0))
    media.told(index, Spares(ports=tuple(range(first, first + 64, 2))), 0.0)


def open_leg(media: MediaPlanes, leg: str, beside: str | None = None) -> int | None:
    """The process that the leg was opened in, by its port."""
    media.open(OpenLeg(leg=leg, tag="t"), beside)
    opened = media.take_events(0.0)
    return (opened[0].port - 20000) // 1000 if opened else None


def test_calls_go_in_turns_to_equal_processes() -> None:
    media = planes()
    assert [open_leg(media, f"a{number}") for number in range(4)] == [0, 1, 0, 1]


def test_the_second_leg_of_a_call_is_placed_where_its_first_lives() -> None:
    media = planes()
    homes = {f"a{number}": open_leg(media, f"a{number}") for number in range(4)}
    for leg, home in homes.items():
        assert open_leg(media, f"{leg}-far", beside=leg) == home


def test_the_process_that_is_loaded_less_gets_the_next_call() -> None:
    media = planes()
    for second in range(10):
        media.told(0, replace(STATS, legs=10, cpu_s=0.5 * second, lateness_p50_ms=0.0), second)
        media.told(1, replace(STATS, legs=10, cpu_s=0.1 * second, lateness_p50_ms=0.0), second)
    media.planes[0].load.legs = media.planes[1].load.legs = 10
    assert [open_leg(media, f"a{number}") for number in range(3)] == [1, 1, 1]


def test_a_busy_process_gets_a_call_only_where_all_are() -> None:
    media = planes()
    media.planes[0].load.busy = "ticks take 70% of their time"
    assert [open_leg(media, f"a{number}") for number in range(3)] == [1, 1, 1]
    assert media.busy() == "", "one of them takes calls"
    media.planes[1].load.busy = "it takes 90% of a core"
    assert media.busy() == "media 0: ticks take 70% of their time; media 1: it takes 90% of a core"
    assert open_leg(media, "agent", beside="a0") == 1, "who waits is served"
    assert media.ready()


def test_a_process_that_drains_gets_no_legs_and_is_no_reason_to_say_yes() -> None:
    media = planes()
    open_leg(media, "a")
    media.planes[0].draining = True
    assert open_leg(media, "b", beside="a") == 1
    media.planes[1].load.busy = "it takes 90% of a core"
    assert media.busy() == "media 1: it takes 90% of a core"
    media.lost(1, 0.0)
    assert not media.ready()
    assert open_leg(media, "c") is None
    come(media, 0)
    assert media.ready(), "the one that came in its place takes legs"


def test_commands_go_to_the_process_of_their_leg() -> None:
    media = planes()
    open_leg(media, "a"), open_leg(media, "b")
    play = Play(leg="b", player="p", playlist=(Sound(tone=Tone.BUSY),))
    media.send(play)
    media.send(Play(leg="unknown", player="p", playlist=(Sound(tone=Tone.BUSY),)))
    assert list(media.take(0)) == []
    assert list(media.take(1)) == [OpenLeg(leg="b", tag="t", port=21000), play]
    media.send_to(0, ListLegs())
    assert list(media.take(0)) == [OpenLeg(leg="a", tag="t", port=20000), ListLegs()]


def test_a_leg_counts_until_it_is_closed_or_was_never_opened() -> None:
    media = planes(1)
    open_leg(media, "a"), open_leg(media, "b")
    assert media.planes[0].load.legs == 2
    media.send(CloseLeg(leg="a"))
    assert media.planes[0].load.legs == 2
    media.told(0, LegClosed(leg="a", quality=quality("a")), 0.0)
    media.told(0, LegFailed(leg="b", command="Play", reason="no such file"), 0.0)
    assert media.planes[0].load.legs == 1
    media.told(0, LegFailed(leg="b", command="OpenLeg", reason="no port left"), 0.0)
    assert media.planes[0].load.legs == 0
    media.told(0, LegClosed(leg="b", quality=quality("b")), 0.0)
    assert media.planes[0].load.legs == 0, "of what is no leg of ours nothing is counted"


def test_a_process_that_is_lost_takes_only_its_own_legs() -> None:
    media = planes()
    homes = {leg: open_leg(media, leg) for leg in ("a", "b", "c", "d")}
    assert media.lost(0, 0.0) == [leg for leg, home in homes.items() if home == 0]
    assert media.ready()
    assert open_leg(media, "e") == 1
    media.send(CloseLeg(leg="a"))
    assert CloseLeg(leg="a") not in [*media.take(0), *media.take(1)]
    come(media, 0)
    assert open_leg(media, "f") == 0, "it is empty again"


def test_a_port_that_was_given_in_answer_is_none_of_the_others() -> None:
    media = planes()
    media.told(1, LegOpened(leg="x", port=21000), 0.0)
    open_leg(media, "a")
    media.open(OpenLeg(leg="b", tag="t"))
    assert media.take_events(0.0) == [LegOpened(leg="b", port=21002)]
    media.told(1, Rebound(leg="b", port=21004), 0.0)
    media.open(OpenLeg(leg="c", tag="t"), "b")
    assert media.take_events(0.0) == [LegOpened(leg="c", port=21006)]
