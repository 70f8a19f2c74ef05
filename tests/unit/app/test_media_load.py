from __future__ import annotations

from dataclasses import replace

from engine.app.media_load import BUSY_AFTER, FREE_AFTER, AdmissionRules, PlaneLoad
from engine.media.events import PlaneStats
from tests.support.plane_stats import STATS

CALM = replace(STATS, legs=0, cpu_s=0.0, tick_p50_ms=5.0, tick_p99_ms=5.5, lateness_p50_ms=0.1)


def loaded(*, legs: int, cpu_share: float, seconds: int = 30) -> PlaneLoad:
    """A process that has taken so much of a core for some time."""
    load = PlaneLoad(AdmissionRules(cpu_share=0.0))
    for second in range(seconds):
        load.told(replace(CALM, legs=legs, cpu_s=cpu_share * second), 100.0 + second)
    load.legs = legs
    return load


def test_of_two_unmeasured_ones_the_emptier_is_loaded_less() -> None:
    one, other = PlaneLoad(AdmissionRules()), PlaneLoad(AdmissionRules())
    one.legs, other.legs = 4, 6
    assert one.score < other.score


def test_what_a_leg_costs_is_measured() -> None:
    relayed, mixed = loaded(legs=200, cpu_share=0.15), loaded(legs=100, cpu_share=0.6)
    assert relayed.score < mixed.score, "twice the legs, and still less to do"
    assert 0.55 < mixed.score < 0.65


def test_a_leg_that_is_just_opened_counts_before_it_is_measured() -> None:
    load = loaded(legs=100, cpu_share=0.3)
    before = load.score
    load.legs += 100
    assert load.score == 2 * before


def test_the_processors_share_is_smoothed_and_forgets_nothing_of_a_process_before() -> None:
    load = PlaneLoad(AdmissionRules())
    load.told(replace(CALM, cpu_s=90.0), 10.0)
    assert load.cpu_share == 0.0, "nothing is known from one report"
    load.told(replace(CALM, cpu_s=91.0), 12.0)
    assert 0.1 < load.cpu_share < 0.2
    load.gone()
    assert (load.stats, load.cpu_share, load.legs) == (None, 0.0, 0)
    load.told(replace(CALM, cpu_s=5.0), 13.0)
    assert load.cpu_share == 0.0


def test_a_process_whose_ticks_take_long_is_busy_after_some_reports_and_eased_later() -> None:
    load, now = PlaneLoad(AdmissionRules(tick_share=0.5)), 0.0

    def tell(stats: PlaneStats) -> bool:
        nonlocal now
        now += 1.0
        return load.told(stats, now)

    changes = [tell(replace(CALM, tick_p99_ms=11.0)) for _ in range(BUSY_AFTER)]
    assert changes == [False, True]
    assert load.busy == "ticks take 55% of their time"
    assert [tell(replace(CALM, tick_p99_ms=9.0)) for _ in range(5)] == [False] * 5, "that is not much below"
    assert [tell(replace(CALM, tick_p99_ms=7.0)) for _ in range(FREE_AFTER)] == [False, False, True]
    assert load.busy == ""


def test_one_dear_second_is_no_reason() -> None:
    load = PlaneLoad(AdmissionRules())
    for second in range(10):
        load.told(replace(CALM, tick_p99_ms=19.0 if second % 2 else 1.0), second)
        assert not load.busy


def test_ticks_that_are_dear_now_and_then_while_there_is_little_to_do_are_no_reason() -> None:
    load = PlaneLoad(AdmissionRules(tick_share=0.6))
    for second in range(10):
        load.told(replace(CALM, tick_p50_ms=0.2, tick_p99_ms=19.0), second)
        assert not load.busy
    for second in range(10, 10 + BUSY_AFTER):
        load.told(replace(CALM, tick_p50_ms=4.1, tick_p99_ms=19.0), second)
    assert load.busy == "ticks take 95% of their time"
    for second in range(20, 20 + FREE_AFTER):
        load.told(replace(CALM, tick_p50_ms=0.2, tick_p99_ms=19.0), second)
    assert load.busy == ""


def test_the_processor_and_a_starved_process_count_too() -> None:
    load = PlaneLoad(AdmissionRules(cpu_share=0.8))
    for second in range(30):
        load.told(replace(CALM, cpu_s=0.95 * second), second)
    assert load.busy.startswith("it takes 8"), "as soon as it is above"
    starved = PlaneLoad(AdmissionRules())
    for second in range(3):
        starved.told(replace(CALM, lateness_p50_ms=12.0), second)
    assert starved.busy == "ticks begin 12 ms late"


def test_a_bound_of_0_is_not_looked_at() -> None:
    load = PlaneLoad(AdmissionRules(tick_share=0.0, cpu_share=0.0))
    for second in range(30):
        load.told(replace(CALM, cpu_s=1.0 * second, tick_p99_ms=20.0, lateness_p50_ms=50.0), second)
    assert load.busy == ""
