"""Arithmetic of the report of arXiv 2408.14680, on numbers that were made up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from procedures.learning.tasks import bayes_accuracy, make_task
from procedures.reports.eslami import paper
from procedures.reports.eslami.accuracy import RECORDED, accuracy_rows
from procedures.reports.eslami.dopants import PARTS, tuning_time_s
from procedures.reports.eslami.error import cost_of_error
from procedures.reports.eslami.gather import Provenance, Study, busy_s
from procedures.reports.eslami.handwriting import losses
from procedures.reports.eslami.headline import candidates, fastest, thriftiest
from procedures.reports.eslami.in_situ import (
    Trajectory,
    first_reach,
    match,
    mean_curve,
    trajectory,
)
from procedures.reports.eslami.noise import FLIP, SIGMA, levels, optimum, plateau
from procedures.reports.eslami.reasons import contradicts, supports
from procedures.reports.eslami.sensitivity import Draw, draws, influences, shares
from procedures.studies.figures import Results, training_energy_j
from procedures.studies.statistics import Interval, mean_interval
from procedures.studies.tasks import StudyTask
from tests.support.eslami import ENERGY_J, EPOCHS, RESET_J, RESET_S, TIME_S, results, variant_of

NAN = float("nan")


def study_of(**found: Results) -> Study:
    """Return a study of some questions; underscores are dashes in their names."""
    provenance = Provenance("x.sqlite", (1, 2), 0, 0, (), 0, 0.0, 0.0, {}, 1, "", "")
    return Study({name.replace("_", "-"): r for name, r in found.items()}, {}, provenance)


def row(seed: int, point: dict[str, Any], epochs: Any = (), **metrics: float) -> dict[str, Any]:
    kept = {name: [[1.0, value]] for name, value in metrics.items()}
    return {"seed": seed, "point": point, "results": {"metrics": kept, "epochs": list(epochs)}}


# --- the paper ----------------------------------------------------------------------------------


def test_what_follows_from_the_figures_of_the_paper() -> None:
    assert pytest.approx(0.080) == paper.TIME_PER_MEMRISTOR_S
    assert pytest.approx(0.63e-3) == paper.ENERGY_PER_MEMRISTOR_J
    assert pytest.approx(7.875e-3) == paper.POWER_W
    assert paper.loop_ohm(1.0) == pytest.approx(127.0, rel=1e-3)
    assert paper.loop_ohm(5.0) == pytest.approx(3174.6, rel=1e-4)
    assert pytest.approx(6.0) == paper.RESETS_S
    assert paper.RESETS_S > paper.TIME_S
    assert pytest.approx(0.6) == paper.CONTROLLER_J


def test_the_pulse_that_would_fit_into_the_time_of_the_paper() -> None:
    ours = paper.Ours(n_pulses=10, n_reads=20, pulse_s=0.02)
    assert paper.pulse_width_s(ours) == pytest.approx((0.080 - 20 * 1e-4) / 10)
    assert paper.pulses_in_time(ours) == pytest.approx(0.080 / 0.0201)
    assert paper.pulse_width_s(paper.Ours(10, 1000, 0.02)) < 0


def test_everything_that_is_known_has_a_source() -> None:
    assert {known.tag for known in paper.KNOWN} <= set(paper.TAGS)
    secondary = [known.value for known in paper.KNOWN if known.is_secondary]
    assert any("15 %" in value for value in secondary)
    assert any("200 ms" in value for value in secondary)


# --- accuracy, noise, error -----------------------------------------------------------------------


def test_accuracy_stands_beside_its_bayes_limit() -> None:
    rows = accuracy_rows(results("accuracy"))
    assert {row.task for row in rows} == {"T/L", "X/O", "bars"}
    ours = next(row for row in rows if row.task == "T/L" and row.variation == RECORDED)
    assert ours.bayes[0.05] == bayes_accuracy(make_task("T/L"), 0.05)
    assert ours.noisy[0.05].mean == pytest.approx(0.98 - 0.0015)
    assert ours.noisy[0.05].n == 2
    assert accuracy_rows(Results([])) == []


def test_the_best_training_noise_and_its_gain_seed_by_seed() -> None:
    at = {0.0: (0.80, 0.90), 0.1: (0.85, 0.96), 0.4: (0.70, 0.85)}
    found = Results(
        [
            row(seed, {FLIP: noise}, **{"accuracy_flip_0.1": value, "accuracy_clean": 1.0})
            for noise, values in at.items()
            for seed, value in enumerate(values, start=1)
        ]
    )
    best, gain = optimum(found, FLIP, 0.1)
    assert best == 0.1
    assert gain.mean == pytest.approx(0.055)
    assert gain == mean_interval([0.85 - 0.80, 0.96 - 0.90])
    assert levels(found, FLIP) == [0.1]
    # two seeds: the intervals of 0 % and 40 % reach over zero
    assert plateau(found, FLIP, 0.1) == [0.0, 0.1, 0.4]


def test_tested_levels_are_read_off_the_metrics() -> None:
    assert levels(results("training-noise"), FLIP) == [0.05, 0.1, 0.15, 0.2, 0.3]
    assert levels(results("gaussian-noise"), SIGMA) == [0.2, 0.4, 0.6]


def test_what_an_error_costs_against_none() -> None:
    found = results("conductance-error")
    assert cost_of_error(found, "W", 0.3).mean == pytest.approx(-0.4)
    assert cost_of_error(found, "W", 0.1).mean == pytest.approx(0.0)
    assert cost_of_error(found, "W", 0.123).n == 0


# --- time and energy ------------------------------------------------------------------------------


def test_the_parts_of_the_energy_are_all_of_it() -> None:
    for one in results("dopant").rows:
        parts = [value(one["results"]) for value, _ in PARTS.values()]
        assert np.nansum(parts) == pytest.approx(training_energy_j(one["results"]))
        reset = one["point"]["reset"]
        assert tuning_time_s(one["results"]) == pytest.approx(
            one["results"]["metrics"]["training_time_s"][-1][1] - RESET_S * reset
        )
        assert RESET_J in parts or not reset


def test_the_best_configuration_is_accurate_first() -> None:
    def spoil(task: StudyTask, metrics: dict[str, float]) -> None:
        if variant_of(task).dopant == "Cr":
            metrics["accuracy_flip_0.05"] = 0.9

    good = candidates(study_of(dopant=results("dopant")))
    assert fastest(good).dopant == thriftiest(good).dopant == "Cr"
    assert fastest(good).time.mean == pytest.approx(TIME_S["Cr"] * 1.015)
    assert thriftiest(good).energy.mean == pytest.approx(ENERGY_J["Cr"] * 1.015)
    assert fastest(good).ours == paper.Ours(10.0, 12.0, 0.02)
    spoilt = candidates(study_of(dopant=results("dopant", change=spoil)))
    assert fastest(spoilt).dopant == "W"


# --- sensitivity ----------------------------------------------------------------------------------


def test_who_is_first_draw_by_draw() -> None:
    found = [
        Draw({"W": 1.0, "Cr": 2.0, "C": 3.0}),
        Draw({"W": 3.0, "Cr": 2.0, "C": 1.0}),
        Draw({"W": 3.0, "Cr": 1.0, "C": 2.0}),
        Draw({"W": 4.0, "Cr": 1.0, "C": 2.0}),
    ]
    assert shares(found) == {"W": 0.25, "Cr": 0.5, "C": 0.25}


def test_draws_need_all_three_dopants_at_one_seed() -> None:
    drawn, nominal = results("sensitivity", (1, 2, 3)), results("dopant", (1, 2))
    study = study_of(sensitivity=drawn, dopant=nominal)
    found = draws(study, training_energy_j)
    assert len(found) == 4  # two draws of two seeds: the third has no W
    assert all(set(one.costs) == {"W", "Cr", "C"} for one in found)


def test_the_parameter_that_decides_is_found() -> None:
    found = influences(results("sensitivity", range(1, 13)))
    driver = [i for i in found if i.parameter == "tau_on_s"]
    assert len(driver) == 4  # Cr and C, time and energy
    assert all(i.rho > 0.9 and i.is_certain for i in driver)
    assert influences(results("sensitivity", (1, 2))) == []


# --- in-situ --------------------------------------------------------------------------------------


def test_a_trajectory_holds_what_was_last_tested() -> None:
    one = trajectory(EPOCHS, "Training time (s)")
    assert list(one.spent) == [10.0, 30.0]
    assert math.isnan(one.at(9.9))
    assert [one.at(x) for x in (10.0, 29.9, 30.0, 1e9)] == [0.6, 0.6, 0.9, 0.9]


def test_tests_that_were_not_made_are_none() -> None:
    rows: list[dict[str, Any]] = [{"Training time (s)": 1.0, "Noisy accuracy": None}, *EPOCHS]
    assert list(trajectory(rows, "Training time (s)").spent) == [10.0, 30.0]


def test_the_mean_curve_takes_each_seed_at_the_same_abscissa() -> None:
    one = Trajectory(np.array([1.0, 3.0]), np.array([0.5, 0.9]))
    other = Trajectory(np.array([2.0, 4.0]), np.array([0.7, 0.8]))
    curve = mean_curve([one, other], [0.5, 1.0, 2.0, 3.0, 4.0])
    assert [interval.n for interval in curve] == [0, 1, 2, 2, 2]
    assert [interval.mean for interval in curve[1:]] == pytest.approx([0.5, 0.6, 0.8, 0.85])
    assert first_reach([one, other], 0.8) == 3.0
    assert math.isnan(first_reach([one, other], 0.95))
    assert math.isnan(first_reach([], 0.5))


def test_equal_time_and_equal_energy_are_paired_by_seed() -> None:
    spent = {1: (12.0, 40e-6), 2: (31.0, 9e-6), 3: (2.0, 50e-6), 4: (50.0, 50e-6)}
    write_verify = Results(
        [
            row(
                seed,
                {},
                training_time_s=time_s,
                verify_j=energy_j,
                **{"accuracy_flip_0.1": 0.8},
            )
            for seed, (time_s, energy_j) in spent.items()
        ]
    )
    in_situ = Results([row(seed, {}, EPOCHS) for seed in (1, 2, 3)])
    time = match(in_situ, write_verify, "time")
    assert time.n_untested == 1  # seed 3 was programmed before the first test
    assert time.gain == mean_interval([0.6 - 0.8, 0.9 - 0.8])
    assert time.spent.mean == pytest.approx((12.0 + 31.0) / 2)
    assert time.n_ended == 1
    energy = match(in_situ, write_verify, "energy")
    assert energy.gain == mean_interval([0.9 - 0.8, 0.6 - 0.8, 0.9 - 0.8])
    assert (energy.n_untested, energy.n_ended, energy.n_compared) == (0, 2, 3)


# --- handwriting ----------------------------------------------------------------------------------


def test_the_loss_is_split_without_a_remainder() -> None:
    found = losses(results("handwriting"))
    assert [(loss.digits, loss.pixels) for loss in found][:2] == [
        ("0/1", "grey"),
        ("1/0", "binary"),
    ]
    for loss in found:
        steps = [interval.mean for interval in loss.steps.values()]
        assert steps == pytest.approx([0.002, 0.005, 0.003])
        assert loss.total.mean == pytest.approx(sum(steps))
        assert loss.is_within_margin


def test_a_loss_of_three_points_is_not_within_two() -> None:
    def lose(task: StudyTask, metrics: dict[str, float]) -> None:
        metrics["accuracy_clean"] -= 0.03

    assert not any(loss.is_within_margin for loss in losses(results("handwriting", change=lose)))


# --- evidence, provenance -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "interval", "is_for", "is_against"),
    [
        ("a", Interval(0.975, 0.96, 0.99, 5), True, False),
        ("a", Interval(0.95, 0.93, 0.98, 5), False, False),
        ("a", Interval(0.9, 0.89, 0.91, 5), False, True),
        ("b1", Interval(0.01, -0.01, 0.03, 5), False, False),
        ("c1", Interval(-0.01, -0.015, -0.005, 5), True, False),
        ("c1", Interval(-0.04, -0.05, -0.03, 5), False, True),
        ("c2", Interval(-0.04, -0.05, -0.03, 5), True, False),
        ("d", Interval(-1, -2, -0.5, 5), False, True),
    ],
)
def test_evidence_is_for_or_against_or_neither(
    claim: str, interval: Interval, is_for: bool, is_against: bool
) -> None:
    assert (supports(claim, interval), contradicts(claim, interval)) == (is_for, is_against)


def test_time_with_a_run_going_counts_no_moment_twice() -> None:
    day = "2026-11-25T12:00:{:02d}+00:00"
    spans = [(0, 10), (5, 12), (6, 7), (20, 21)]
    assert busy_s([(day.format(a), day.format(b)) for a, b in spans]) == 13.0
