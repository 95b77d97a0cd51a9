from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting.covariance import uncertainty
from calibration.fitting.cross_validation import jackknife, leave_one_out, predict, r2_left_out
from calibration.fitting.device_record import Provenance, data_sha256, device_record
from calibration.fitting.fit import LoopFit, fit_loops
from calibration.fitting.fit_parameters import HELD, FitSpace
from calibration.fitting.fit_words import identifiability
from calibration.fitting.loop_simulator import LoopSimulator
from calibration.fitting.noise import estimate, noise_floor_a
from calibration.fitting.priors import READ_SHAPE, off_shape
from calibration.fitting.profiles import profile, worst
from calibration.fitting.quality import r2, r2_by_resistor
from calibration.loops import Loop
from hil.errors import UsageError
from hil.records import load_record, write_record
from tests.support.planted_loops import M1_LIKE, sine_loop, with_current

CONDITIONS = ((5e3, 10.0), (5e3, 1000.0), (47e3, 100.0))
STEP_V = 0.34e-3


def noisy_loops(seed: int, n: int = 50, steps: int = 9) -> list[Loop]:
    loops = [sine_loop(r_ohm, f_hz, n=n) for r_ohm, f_hz in CONDITIONS]
    values = {name: np.array([value]) for name, value in (HELD | M1_LIKE).items()}
    i_a = np.array(
        [row[0] for row in LoopSimulator(loops, steps_per_point=steps).current_a(values)]
    )
    noise_a = np.array([[STEP_V / loop.r_series_ohm] for loop in loops])
    rng = np.random.default_rng(seed)
    return with_current(loops, i_a + noise_a * rng.standard_normal(i_a.shape))


@pytest.fixture(scope="module")
def fits() -> list[LoopFit]:
    return [fit_loops(noisy_loops(seed), priors=(), n_starts=1) for seed in range(3)]


@pytest.fixture(scope="module")
def fit(fits: list[LoopFit]) -> LoopFit:
    return fits[1]


def test_planted_truth_is_within_the_stated_uncertainty(fits: list[LoopFit]) -> None:
    truth = FitSpace.of("gmss").coordinates(M1_LIKE)
    z = []
    for found in fits:
        known = uncertainty(found)
        z.append((found.coordinates - truth) / np.sqrt(np.diag(known.covariance)))
        assert known.verdicts.count("good") >= 10
    assert (np.abs(np.array(z)) <= 2).mean() > 0.85
    assert 0.5 < np.sqrt(np.mean(np.square(z))) < 1.5


def test_the_same_seed_gives_the_same_start() -> None:
    space = FitSpace.of("gmss")
    first, again = (space.draw(np.random.default_rng(3), 5) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    low, high = space.bounds
    assert (first > low).all()
    assert (first < high).all()


def test_noise_explains_what_is_left_of_a_right_model(fit: LoopFit) -> None:
    assert fit.r2 > 0.999
    assert fit.misfit.discrepancy_ratio < 2e-3
    expected_a = [STEP_V / r_ohm for r_ohm, _ in CONDITIONS]
    np.testing.assert_allclose(fit.misfit.noise_a, expected_a, rtol=0.35)


def test_noise_floor_is_that_of_white_noise() -> None:
    loop = sine_loop(5e3, 10.0)
    smooth_a = 1e-4 * np.sin(2 * np.pi * np.arange(200) / 200)
    rng = np.random.default_rng(0)
    noisy = replace(loop, i_a=smooth_a + 1e-6 * rng.standard_normal(200))
    assert noise_floor_a(noisy) == pytest.approx(1e-6, rel=0.25)
    stepped = replace(loop, i_a=np.round(smooth_a / 1e-5) * 1e-5)
    assert noise_floor_a(stepped) >= 1e-5 / np.sqrt(12)


def test_discrepancy_and_its_correlation_are_found() -> None:
    loops = noisy_loops(0)
    wave = np.sin(2 * np.pi * np.arange(50) / 20)
    fitted = [loop.i_a - 0.05 * np.abs(loop.i_a).max() * wave for loop in loops]
    misfit = estimate(loops, fitted, 10)
    assert misfit.discrepancy_ratio == pytest.approx(0.05 / np.sqrt(2), rel=0.2)
    assert misfit.correlated_points > 3
    white = estimate(loops, [loop.i_a for loop in loops], 10)
    assert white.discrepancy_ratio == 0


def test_a_plain_switch_is_fitted_worse() -> None:
    plain = fit_loops(noisy_loops(1), "mss", n_starts=1)
    assert plain.values["tau_on_s"] == plain.values["tau_off_s"]
    assert 0.8 < plain.r2 < 0.999
    assert plain.misfit.correlated_points > 1.5  # what is left is no white noise


def test_what_cannot_be_told_is_said(fit: LoopFit) -> None:
    one = [loop for loop in fit.loops if loop.r_series_ohm == 47e3]
    few = fit_loops(one, priors=READ_SHAPE, n_starts=1)
    known, better = uncertainty(few), uncertainty(fit)
    assert known.verdicts.count("good") < better.verdicts.count("good")
    assert "dentified" in " ".join(identifiability(known)) or known.trade_offs()
    np.testing.assert_allclose(np.diag(better.correlation), 1.0)
    assert np.abs(better.correlation).max() <= 1 + 1e-9
    values = {name: np.array([value]) for name, value in few.values.items()}
    assert abs(float(off_shape(values, 0.1)[0]) - READ_SHAPE[0].value) < 0.3


def test_left_out_conditions_are_predicted(fit: LoopFit) -> None:
    pair = replace(fit, problem=replace(fit.problem, loops=fit.loops[:2], _simulators={}))
    results = leave_one_out(pair, n_starts=1)
    assert [result.label for result in results] == [loop.label for loop in fit.loops[:2]]
    assert r2_left_out(results) < fit.r2
    assert set(jackknife(results, fit.problem.space)) == set(fit.problem.space.names)
    own = predict(fit, fit.loops)
    assert r2(fit.loops, own) == pytest.approx(fit.r2, abs=1e-3)


def test_profile_rises_as_the_uncertainty_says(fit: LoopFit) -> None:
    known = uncertainty(fit)
    found = profile(fit, known, "v_on_v")
    assert found.rise.min() == 0
    low, high = found.interval
    k = known.names.index("v_on_v")
    assert (high - low) / 4 == pytest.approx(known.standard[k], rel=0.5)
    assert len(worst(known, fit, 3)) == 3
    with pytest.raises(UsageError, match="was not fitted"):
        profile(fit, known, "v_dead_on_v")


def test_record_holds_values_uncertainties_and_provenance(fit: LoopFit, tmp_path: object) -> None:
    known = uncertainty(fit)
    origin = Provenance({"board": "made up"}, ("a.csv",), "Nobody, made up")
    record = device_record(fit, known, "p1-1", origin, supersedes="p1-0", tests={"x y": 0.5})
    assert record.head.subject == "P1"
    assert record.head.supersedes == "p1-0"
    assert record.data is not None
    assert record.data.sha256 == data_sha256(fit.loops)
    assert record.data.n_points == 150
    assert record.conditions.series_resistor_ohm == [5e3, 47e3]
    assert record.quality["r2_all"] == pytest.approx(fit.r2, abs=1e-4)
    assert record.quality["predicted_r2_x_y"] == 0.5
    quantity = record.quantity("tau_on_s")
    assert quantity.standard_uncertainty == pytest.approx(known.standard[12], rel=1e-3)
    assert record.quantity("v_dead_on_v").status == "assumed"
    path = write_record(record, str(tmp_path))
    assert path.name == "p1-1.toml"
    assert load_record("p1-1", [str(tmp_path)]).sha256 == record.sha256
    assert list(r2_by_resistor(fit.loops, fit.currents_a)) == [5e3, 47e3]


def test_loops_of_two_devices_are_refused() -> None:
    mixed = [*noisy_loops(0), sine_loop(5e3, 10.0, device="P2")]
    with pytest.raises(UsageError, match="2 devices"):
        fit_loops(mixed)
    with pytest.raises(UsageError, match="no loops"):
        fit_loops([])
    with pytest.raises(UsageError, match="no device model"):
        FitSpace.of("magic")
    with pytest.raises(UsageError, match="cannot hold"):
        FitSpace.of("gmss", {"v_onn_v": 1.0})
