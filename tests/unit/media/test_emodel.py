"""The E-model against published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media.emodel import (
    CONCEALED,
    PLAIN,
    burst_ratio,
    delay_impairment,
    equipment_impairment,
    mos,
    rating,
)


def test_with_every_default_the_rating_is_the_recommendations() -> None:
    """G.107 7.7: R = 93.2; annex B: MOS 4.41."""
    assert rating(loss=0.0) == pytest.approx(93.2, abs=0.05)
    assert mos(rating(loss=0.0)) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_scores_are_those_of_table_b1(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(("r", "score"), [(-5, 1.0), (0, 1.0), (3, 1.0), (100, 4.5), (129, 4.5)])
def test_scores_stay_within_their_scale(r: float, score: float) -> None:
    assert mos(r) == score


@pytest.mark.parametrize(
    ("percent", "plain", "concealed"),
    [(0, 0, 0), (1, 18, 4), (2, 30, 7), (3, 39, 10), (5, 51, 16), (10, 66, 27), (20, 78, 42)],
)
def test_loss_costs_what_the_planning_values_say(percent: float, plain: float, concealed: float) -> None:
    """Ie,eff of random loss with Bpl 4.3 and 25.1 (G.113 table I.4)."""
    assert equipment_impairment(percent / 100, 1.0, PLAIN) == pytest.approx(plain, abs=0.6)
    assert equipment_impairment(percent / 100, 1.0, CONCEALED) == pytest.approx(concealed, abs=0.6)


@pytest.mark.parametrize(("ta", "idd"), [(150, 0.2), (200, 3.0), (300, 14.7), (400, 24.1)])
def test_delay_beyond_a_tenth_of_a_second_costs_more_and_more(ta: float, idd: float) -> None:
    """Idd alone (7-27): what is left of Id at 100 ms is echo."""
    at_100 = delay_impairment(100.0)
    assert delay_impairment(ta) - at_100 >= idd - 0.1
    assert delay_impairment(ta) == pytest.approx(idd + at_100, abs=0.1 + 0.035 * (ta - 100))


def test_no_delay_costs_nothing_but_the_listeners_echo_of_the_defaults() -> None:
    assert delay_impairment(0.0) == pytest.approx(0.15, abs=0.01)
    assert delay_impairment(-10.0) == delay_impairment(0.0)


def test_losses_that_come_together_are_worse() -> None:
    assert burst_ratio(10, 10, 1000) == 1.0
    assert burst_ratio(30, 10, 1000) == pytest.approx(2.91)
    assert burst_ratio(5, 10, 1000) == 1.0
    assert burst_ratio(0, 0, 0) == burst_ratio(-3, 1, 100) == burst_ratio(3, 0, 100) == 1.0
    assert rating(loss=0.05, burst_ratio=3.0) < rating(loss=0.05) - 1.5


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1, 20), st.floats(0, 2000), st.floats(0, 2000))
def test_more_loss_and_more_delay_never_help(
    loss: float, more_loss: float, bursts: float, delay: float, more: float
) -> None:
    better = rating(loss=loss, burst_ratio=bursts, delay_ms=delay)
    assert rating(loss=min(1.0, loss + more_loss), burst_ratio=bursts, delay_ms=delay) <= better + 1e-9
    # The model itself rises by a tenth over the first milliseconds.
    assert rating(loss=loss, burst_ratio=bursts, delay_ms=delay + more) <= better + 0.1
    assert 0.0 <= better < 93.3
    assert 1.0 <= mos(better) <= 4.5


def test_the_wideband_scale_would_put_both_kinds_of_legs_elsewhere() -> None:
    """What the module says of G.107.1: R of up to 129, 13 less for G.722, over 1.29; that of G.711 stays 93."""
    assert mos((129.0 - 13.0) / 1.29) == pytest.approx(4.34, abs=0.005)
    assert mos(rating(loss=0.0) / 1.29) == pytest.approx(3.7, abs=0.02)
