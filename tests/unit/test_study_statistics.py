from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from procedures.studies.statistics import Interval, difference, mean_interval

finite = st.floats(-1e6, 1e6)


def test_three_values_by_hand() -> None:
    # mean 2, standard deviation 1, t(0.975, 2) = 4.302653, 4.302653 / sqrt(3) = 2.484138
    interval = mean_interval([1.0, 2.0, 3.0])
    assert interval.n == 3
    assert interval.mean == pytest.approx(2.0)
    assert interval.low == pytest.approx(2.0 - 2.484138, abs=1e-6)
    assert interval.high == pytest.approx(2.0 + 2.484138, abs=1e-6)
    assert interval.half_width == pytest.approx(2.484138, abs=1e-6)


@given(st.lists(finite, min_size=2, max_size=30).filter(lambda x: np.std(x) > 1e-3))
def test_it_is_the_interval_of_scipy(values: list[float]) -> None:
    interval = mean_interval(values)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert interval.low == pytest.approx(expected.low, rel=1e-6, abs=1e-6)
    assert interval.high == pytest.approx(expected.high, rel=1e-6, abs=1e-6)


def test_of_no_value_nothing_is_known() -> None:
    interval = mean_interval([])
    assert (interval.n, interval.low, interval.high) == (0, -math.inf, math.inf)
    assert math.isnan(interval.mean)
    assert not interval.is_above_zero
    assert not interval.is_below_zero


def test_one_value_has_an_infinite_interval() -> None:
    interval = mean_interval([3.0])
    assert (interval.n, interval.mean) == (1, 3.0)
    assert interval.half_width == math.inf
    assert not interval.is_above_zero


def test_equal_values_have_no_width() -> None:
    interval = mean_interval([0.5, 0.5, 0.5])
    assert (interval.low, interval.high) == (0.5, 0.5)
    assert interval.is_above_zero


def test_a_value_that_is_missing_decides_nothing() -> None:
    interval = mean_interval([1.0, math.nan, 2.0])
    assert math.isnan(interval.mean)
    assert not interval.is_above_zero
    assert not interval.is_below_zero


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [(0.1, 0.2, True, False), (-0.2, -0.1, False, True), (-0.1, 0.1, False, False)],
)
def test_which_side_of_zero(low: float, high: float, above: bool, below: bool) -> None:
    interval = Interval((low + high) / 2, low, high, 5)
    assert (interval.is_above_zero, interval.is_below_zero) == (above, below)
    edge = Interval(0.0, 0.0, 0.0, 5)
    assert (edge.is_above_zero, edge.is_below_zero) == (False, False)


def test_differences_are_taken_seed_by_seed() -> None:
    # 9, 18, 27: mean 18, standard deviation 9
    interval = difference({1: 10.0, 2: 20.0, 3: 30.0}, {3: 3.0, 1: 1.0, 2: 2.0})
    assert interval == mean_interval([9.0, 18.0, 27.0])
    assert interval.half_width == pytest.approx(9 * 2.484138, abs=1e-5)


def test_seeds_that_only_one_side_has_do_not_count() -> None:
    assert difference({1: 5.0, 2: 6.0, 9: 100.0}, {1: 4.0, 2: 4.0, 7: -100.0}) == mean_interval(
        [1.0, 2.0]
    )
    assert difference({1: 5.0}, {2: 5.0}).n == 0


def test_what_seeds_share_cancels() -> None:
    shared = np.random.default_rng(1).normal(0.0, 100.0, 20)
    own = np.random.default_rng(2).normal(1.0, 0.1, 20)
    minuend = {k: float(shared[k] + own[k]) for k in range(20)}
    subtrahend = {k: float(shared[k]) for k in range(20)}
    assert difference(minuend, subtrahend).is_above_zero
    assert not mean_interval(list(minuend.values())).is_above_zero


@pytest.mark.parametrize("n", [2, 5, 20])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(20261125 + n)
    n_studies = 2000
    intervals = [mean_interval(rng.normal(3.0, 2.0, n).tolist()) for _ in range(n_studies)]
    covered = sum(interval.low <= 3.0 <= interval.high for interval in intervals)
    # four standard errors of a share of 95 %
    margin = 4 * math.sqrt(0.95 * 0.05 / n_studies)
    assert covered / n_studies == pytest.approx(0.95, abs=margin)
