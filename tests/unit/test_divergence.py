from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.boards.divergence import Comparison, Score, Tally
from hil.boards.model_uncertainty import (
    ASSUMED_RATIO,
    SIMULATED_RATIO,
    UNKNOWN,
    model_uncertainty,
)
from hil.types import Source


def comparison(
    difference: float, expanded: float = 1.0, device: str = "W01", quantity: str = "conductance"
) -> Comparison:
    return Comparison(device, quantity, 10.0 + difference, 10.0, difference, expanded, "S", 0.0)


def test_a_difference_is_judged_by_its_expanded_uncertainty() -> None:
    assert comparison(0.5).ratio == comparison(-0.5).ratio == 0.5
    assert not comparison(1.0).diverges
    assert comparison(-1.01).diverges


def test_no_uncertainty_at_all_makes_any_difference_count() -> None:
    assert comparison(0.0, 0.0).ratio == 0.0
    assert comparison(1e-30, 0.0).diverges


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_known_is_not_counted(bad: float) -> None:
    tally = Tally()
    assert tally.add([comparison(bad), comparison(0.1, bad)]) == []
    assert tally.n_compared == 0
    assert tally.rows() == []


def test_one_value_beyond_four_standard_uncertainties_names_its_device_and_no_other() -> None:
    tally = Tally()
    near = [comparison(0.3, device=name) for name in ("W01", "W02", "W03")]
    assert tally.add([*near, comparison(2.1, device="W02", quantity="energy")]) == [
        comparison(2.1, device="W02", quantity="energy")
    ]
    assert tally.devices == ["W01", "W02", "W03"]
    assert tally.drifted == ["W02"]


def test_one_value_a_little_outside_is_chance_and_many_are_not() -> None:
    score = Score()
    for _ in range(20):
        score.add(comparison(0.1))
    score.add(comparison(1.2))
    assert (score.n_compared, score.n_diverged, score.has_drifted) == (21, 1, False)
    for _ in range(4):
        score.add(comparison(1.2))
    assert score.has_drifted


def test_the_worst_is_the_largest_in_units_of_its_uncertainty() -> None:
    tally = Tally()
    tally.add([comparison(0.9, 1.0), comparison(5.0, 10.0)])
    (row,) = tally.rows()
    assert row["worst_difference"] == 0.9
    assert row["worst_ratio"] == 0.9


@pytest.mark.parametrize("n", [1, 5, 20, 100])
def test_chance_names_about_one_honest_score_in_a_hundred(n: int) -> None:
    rng = np.random.default_rng(n)
    named = 0
    for _ in range(2000):
        score = Score()
        for value in rng.normal(0, 0.5, n):  # U is two standard deviations
            score.add(comparison(float(value)))
        named += score.has_drifted
    assert named / 2000 < 0.03


@given(st.lists(st.floats(-3, 3), max_size=50))
def test_the_tally_counts_what_it_is_given(differences: list[float]) -> None:
    tally = Tally()
    diverged = tally.add([comparison(d) for d in differences])
    assert tally.n_compared == len(differences)
    assert tally.n_diverged == len(diverged) == sum(abs(d) > 1 for d in differences)


def test_a_record_may_state_the_uncertainty_of_its_model() -> None:
    stated = model_uncertainty({"model_uncertainty_ratio": 0.07, "r2": 0.5}, {})
    assert stated.ratio == 0.07
    assert stated.towards(Source.BENCH) == 0.07


@pytest.mark.parametrize(
    ("quality", "r2"),
    [
        ({"r2_all": 0.99, "r2_47_kohm": 0.9}, 0.99),
        ({"r2_5_kohm": 0.98, "r2_47_kohm": 0.96}, 0.96),
        ({"r2_all": 0.99, "left_out_r2_all": 0.95, "left_out_r2_loop": 0.4}, 0.95),
    ],
)
def test_or_it_follows_from_the_fit(quality: dict[str, float], r2: float) -> None:
    assert model_uncertainty(quality, {}).ratio == pytest.approx(math.sqrt(1 - r2))


def test_nothing_stated_is_assumed_and_says_so() -> None:
    nothing = model_uncertainty({"n_points": 200.0}, {})
    assert nothing.ratio == UNKNOWN.ratio == ASSUMED_RATIO
    assert "assumed" in nothing.basis


def test_a_simulated_device_is_what_its_record_says_but_for_its_cycles() -> None:
    fitted = model_uncertainty({"r2": 0.9}, {"v_on_v": 0.3})
    assert fitted.towards(Source.TWIN) == SIMULATED_RATIO
    cycles = model_uncertainty(
        {"r2": 0.9}, {"v_on_v": 0.3, "c2c_v_on_v": 0.03, "c2c_r_off_ratio": 0.2}
    )
    assert cycles.cycle_ratio == pytest.approx(math.hypot(0.1, 0.2))
    assert cycles.towards(Source.TWIN) == SIMULATED_RATIO
    assert cycles.towards(Source.BENCH) == pytest.approx(math.sqrt(0.1))


def test_one_half_cycle_is_no_drift_of_a_device_that_draws_anew_in_each() -> None:
    def drawn(ratio: float, cycle: int) -> Comparison:
        return replace(comparison(ratio), cycle=cycle, is_drawn=True)

    score = Score()
    for _ in range(20):
        score.add(drawn(3.0, 1))
    for cycle in range(2, 5):
        score.add(drawn(0.1, cycle))
    assert not score.has_drifted
    score.add(drawn(3.0, 5))
    assert score.has_drifted


def test_apart_in_one_half_cycle_is_undecided_where_thresholds_are_drawn() -> None:
    tally = Tally()
    tally.add(_apart("D1", cycle=0) for _ in range(20))
    assert (tally.drifted, tally.undecided) == ([], ["D1"])
    tally.add(_apart("D1", cycle=1) for _ in range(20))
    assert (tally.drifted, tally.undecided) == (["D1"], [])


def _apart(device: str, cycle: int) -> Comparison:
    return Comparison(
        device, "conductance", 2e-5, 1e-5, 1e-5, 4e-6, "S", 0.0, cycle=cycle, is_drawn=True
    )
