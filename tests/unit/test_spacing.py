from __future__ import annotations

import math

import numpy as np
import pytest

from procedures.spacing import log_counts, log_times_s


def test_three_counts_a_decade_are_the_usual_ones() -> None:
    assert log_counts(1000, 3) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert log_counts(60, 3) == [1, 2, 5, 10, 20, 50, 60]


@pytest.mark.parametrize("n_per_decade", [1, 2, 3, 4, 10, 37])
@pytest.mark.parametrize("n_last", [1, 2, 9, 10, 11, 1234])
def test_counts_rise_from_one_to_the_last(n_last: int, n_per_decade: int) -> None:
    counts = log_counts(n_last, n_per_decade)
    assert counts == sorted(set(counts))
    assert (counts[0], counts[-1]) == (1, n_last)
    if n_last >= 10:
        assert 10 in counts


@pytest.mark.parametrize("n_per_decade", [1, 3, 7])
def test_a_longer_series_begins_like_a_shorter_one(n_per_decade: int) -> None:
    short, long = log_counts(300, n_per_decade), log_counts(70_000, n_per_decade)
    assert long[: len(short) - 1] == short[:-1]


@pytest.mark.parametrize("n_per_decade", [1, 3, 10])
def test_times_are_as_dense_as_asked_and_hit_both_ends(n_per_decade: int) -> None:
    times_s = log_times_s(0.5, 3600.0, n_per_decade)
    assert times_s[0] == pytest.approx(0.5)
    assert times_s[-1] == pytest.approx(3600.0)
    steps = np.diff(np.log10(times_s))
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert steps[0] <= 1 / n_per_decade + 1e-9
    assert len(times_s) == math.ceil(n_per_decade * math.log10(7200)) + 1


def test_whole_decades_get_no_time_too_many() -> None:
    assert log_times_s(1.0, 1000.0, 1) == pytest.approx([1, 10, 100, 1000])
    assert log_times_s(5.0, 5.0, 3) == [5.0]
