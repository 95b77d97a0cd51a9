from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from hil.errors import UnmodelledError, UsageError
from twin.devices.arithmetic import ARRAY, SCALAR, phi_functions
from twin.devices.base import DeviceModel
from twin.devices.mss import MssDevices
from twin.devices.mss_parameters import MssParameters
from twin.devices.mss_stochastic import StochasticMssDevices
from twin.parameters import load_record, stack_records
from twin.waveforms import Constant, Ramp, Sine

ALL = ("w-m1", "w-m2", "cr-assumed", "c-assumed")
ONE = np.arange(1)
R_OHM = np.array([10e3])
FREE_A = np.array([np.inf])


def parameters(*record_ids: str) -> MssParameters:
    return stack_records([load_record(record_id) for record_id in record_ids])


def volatile(record_id: str) -> MssParameters:
    nothing = np.zeros(1)
    return dataclasses.replace(parameters(record_id), v_dead_on_v=nothing, v_dead_off_v=nothing)


def test_both_models_are_device_models() -> None:
    models: list[DeviceModel] = [
        MssDevices(parameters("w-m1")),
        StochasticMssDevices(parameters("w-m1"), np.random.default_rng(1)),
    ]
    assert [model.n_devices for model in models] == [1, 1]


def test_conductance_at_rest_is_that_of_r_init() -> None:
    p = parameters(*ALL)
    g_siemens = MssDevices(p).conductance_siemens(np.arange(4))
    np.testing.assert_allclose(g_siemens, 1 / p.r_init_ohm, rtol=1e-12)


@pytest.mark.parametrize("level_v", [0.1, 0.05, -0.04])
def test_read_inside_the_dead_band_changes_nothing_and_costs_what_ohm_says(level_v: float) -> None:
    x = np.array([0.1, 0.5, 0.9, 1.0])
    devices = MssDevices(parameters(*ALL), x=x)
    g = devices.conductance_siemens(np.arange(4))
    got = devices.drive(
        np.arange(4), Constant(level_v), np.full(4, 0.02), np.full(4, 10e3), np.full(4, np.inf)
    )
    assert (devices.x == x).all()
    i = level_v * g / (1 + 10e3 * g)
    np.testing.assert_allclose(got.i_end_a, i, rtol=1e-12)
    np.testing.assert_allclose(got.device_j, i * i / g * 0.02, rtol=1e-12)
    np.testing.assert_allclose(got.source_j, level_v * i * 0.02, rtol=1e-12)


def test_state_is_kept_at_rest() -> None:
    devices = MssDevices(parameters(*ALL), x=[0.1, 0.2, 0.3, 0.4])
    devices.rest(np.arange(4), 3600.0)
    assert devices.x.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_without_a_dead_band_the_fitted_rows_forget() -> None:
    devices = MssDevices(volatile("w-m2"), x=[0.5])
    devices.rest(ONE, 0.1)
    assert devices.x[0] < 0.01
    p = devices.parameters
    off_rate = 1 / (1 + np.exp(p.v_off_v / p.v_t_v)) / p.tau_s
    on_rate = 1 / (1 + np.exp(p.v_on_v / p.v_t_v)) / p.tau_s
    expected = on_rate / (on_rate + off_rate)
    expected = expected + (0.5 - expected) * np.exp(-(on_rate + off_rate) * 0.1)
    np.testing.assert_allclose(devices.x, expected, rtol=1e-12)


def test_drive_at_zero_volt_is_rest_without_a_dead_band() -> None:
    driven, rested = MssDevices(volatile("w-m1"), x=[0.5]), MssDevices(volatile("w-m1"), x=[0.5])
    got = driven.drive(ONE, Constant(0.0), np.array([0.3]), R_OHM, FREE_A)
    rested.rest(ONE, 0.3)
    np.testing.assert_allclose(driven.x, rested.x, rtol=1e-12)
    assert got.source_j[0] == 0.0


def test_frozen_voltage_is_exact_in_any_number_of_steps() -> None:
    p = parameters("w-m1")
    devices = MssDevices(p, x=[0.01])
    devices.drive(ONE, Constant(0.35), np.array([1e-4]), np.zeros(1), FREE_A)
    on = 1 / (1 + math.exp(-(0.35 - p.v_on_v[0]) / p.v_t_v[0]))
    off = 1 / (1 + math.exp((0.35 + p.v_off_v[0]) / p.v_t_v[0]))
    x_inf = on / (on + off)
    expected = x_inf + (0.01 - x_inf) * math.exp(-(on + off) * 1e-4 / p.tau_s[0])
    np.testing.assert_allclose(devices.x, expected, rtol=1e-12)


@pytest.mark.parametrize("level_v", [0.5, -0.3])
def test_n_equal_pulses_are_one_long_pulse(level_v: float) -> None:
    many, once = (MssDevices(parameters("w-m1"), x=[0.2]) for _ in range(2))
    energy_j = 0.0
    for _ in range(25):
        energy_j += many.drive(ONE, Constant(level_v), np.array([4e-6]), R_OHM, FREE_A).source_j[0]
        many.rest(ONE, 1e-3)
    got = once.drive(ONE, Constant(level_v), np.array([1e-4]), R_OHM, FREE_A)
    np.testing.assert_allclose(many.x, once.x, rtol=1e-6)
    np.testing.assert_allclose(energy_j, got.source_j[0], rtol=1e-6)


def test_terminal_energy_is_level_times_charge() -> None:
    devices = MssDevices(parameters("w-m1"))
    got = devices.drive(ONE, Constant(0.7), np.array([5e-3]), R_OHM, FREE_A)
    np.testing.assert_allclose(got.source_j, 0.7 * got.charge_c, rtol=1e-12)


def test_one_device_and_many_give_the_same() -> None:
    rng = np.random.default_rng(3)
    n = 40
    p = stack_records([load_record(ALL[k % 4]) for k in range(n)])
    x0 = rng.uniform(0, 1, n)
    level_v = rng.uniform(-0.8, 1.0, n)
    dt_s = 10 ** rng.uniform(-5, -2, n)
    i_limit_a = rng.choice([np.inf, 50e-6], n)
    together = MssDevices(p, x=x0)
    got = together.drive(np.arange(n), Constant(level_v), dt_s, np.full(n, 10e3), i_limit_a)
    alone = MssDevices(p, x=x0)
    for k in range(n):
        one = alone.drive(
            np.array([k]), Constant(level_v[k]), dt_s[k : k + 1], R_OHM, i_limit_a[k : k + 1]
        )
        np.testing.assert_allclose(one.device_j[0], got.device_j[k], rtol=1e-9)
    np.testing.assert_allclose(alone.x, together.x, rtol=1e-9)


def test_devices_that_are_not_driven_stay() -> None:
    devices = MssDevices(parameters(*ALL), x=[0.1, 0.1, 0.1, 0.1])
    index = np.array([2, 0])
    devices.drive(index, Constant([1.0, 0.0]), np.full(2, 1e-3), np.full(2, 10e3), np.full(2, 1e-3))
    assert devices.x[[0, 1, 3]].tolist() == [0.1, 0.1, 0.1]
    assert devices.x[2] > 0.2


def test_no_time_no_change() -> None:
    devices = MssDevices(parameters("w-m1"), x=[0.1])
    got = devices.drive(ONE, Constant(1.0), np.zeros(1), R_OHM, FREE_A)
    assert devices.x[0] == 0.1
    assert got.source_j[0] == 0.0
    assert got.i_end_a[0] > 0


def test_nan_is_refused_not_integrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.devices.integrator._MAX_TRIALS", 1000)
    devices = MssDevices(parameters("w-m1"), x=[0.1])
    with pytest.raises(UnmodelledError, match="finite"):
        devices.drive(ONE, Constant(np.nan), np.array([1e-3]), R_OHM, FREE_A)
    assert devices.x[0] == 0.1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tau_s", 0.0, "above 0"),
        ("r_off_ohm", 100.0, "above r_on_ohm"),
        ("v_dead_on_v", 0.0, "both"),
        ("v_dead_off_v", -0.1, "negative"),
        ("r_init_ohm", 1e9, "r_on_ohm to r_off_ohm"),
        ("v_on_v", np.nan, "finite"),
        ("n_switches", 10.5, "integer"),
    ],
)
def test_parameters_that_make_no_device(field: str, value: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(parameters("w-m1"), **{field: np.array([value])})


def test_state_outside_its_range_is_refused() -> None:
    devices = MssDevices(parameters("w-m1"))
    with pytest.raises(UsageError, match=r"1\.5"):
        devices.x = np.array([1.5])
    with pytest.raises(UsageError, match="shape"):
        devices.x = np.zeros(2)


def test_phi_functions_against_their_series() -> None:
    z = np.array([-700.0, -20.0, -1.0, -0.999, -1e-9, 0.0, 0.5, 1.0, 3.0])
    for k, values in enumerate(phi_functions(z, ARRAY), start=1):
        for value, at in zip(values, z, strict=True):
            nodes, weights = np.polynomial.legendre.leggauss(60)
            if at < -100:  # the integrand is a boundary layer: leading terms instead
                expected = sum(-1 / math.factorial(k - j) / at**j for j in range(1, k + 1))
            else:
                s = 0.5 * (nodes + 1)
                f = np.exp((1 - s) * at) * s ** (k - 1) / math.factorial(k - 1)
                expected = 0.5 * float(weights @ f)
            assert math.isclose(value, expected, rel_tol=2e-13)
            assert math.isclose(phi_functions(float(at), SCALAR)[k - 1], value, rel_tol=1e-13)


def test_waveforms_agree_with_their_slopes_and_corners() -> None:
    t_s = np.linspace(0, 0.02, 201)
    dt_s = 1e-8
    for waveform in (Sine(0.8, 100.0, 0.1, 0.3), Ramp(-0.2, 5.0), Constant(0.3)):
        change = waveform.value_v(t_s + dt_s) - waveform.value_v(t_s - dt_s)
        np.testing.assert_allclose(
            waveform.slope_v_per_s(t_s), change / (2 * dt_s), rtol=1e-5, atol=1e-5
        )
        until = waveform.monotonic_until_s(t_s)
        assert (until > t_s).all()
        middle = 0.5 * (t_s + np.minimum(until, 0.03))
        same = waveform.slope_v_per_s(middle) * waveform.slope_v_per_s(t_s)
        assert (same >= -1e-9).all()


def test_waveform_of_some_devices() -> None:
    part = Sine(np.array([1.0, 2.0, 3.0]), 50.0).take(np.array([2, 0]))
    np.testing.assert_allclose(part.value_v(np.full(2, 5e-3)), [3.0, 1.0])


def test_stochastic_mean_follows_the_mean_field() -> None:
    n, n_switches = 400, 2000
    p = dataclasses.replace(
        MssParameters.broadcast(n, **load_record("w-m1").values()),
        n_switches=np.full(n, float(n_switches)),
    )
    for level_v, x0 in ((0.5, 0.0), (-0.3, 0.5)):
        mean_field = MssDevices(p, x=np.full(n, x0))
        noisy = StochasticMssDevices(p, np.random.default_rng(7), x=np.full(n, x0))
        args = (Constant(level_v), np.full(n, 2e-4), np.full(n, 10e3), np.full(n, np.inf))
        want = mean_field.drive(np.arange(n), *args)
        got = noisy.drive(np.arange(n), *args)
        # standard error of the mean of binomials, and the drift of V_T / 10 in a frozen step
        x = mean_field.x[0]
        tolerance = 5 * math.sqrt(x * (1 - x) / n_switches / n) + 0.01 * x
        assert abs(noisy.x.mean() - x) < tolerance
        assert 0 < noisy.x.std() < 3 * math.sqrt(x * (1 - x) / n_switches)
        np.testing.assert_allclose(got.source_j.mean(), want.source_j[0], rtol=0.02)
        np.testing.assert_allclose(got.device_j + got.resistors_j, got.source_j, rtol=1e-12)


def test_stochastic_transitions_are_binomial_at_frozen_voltage() -> None:
    n, n_switches = 4000, 50
    p = dataclasses.replace(
        MssParameters.broadcast(n, **load_record("w-m1").values()),
        n_switches=np.full(n, float(n_switches)),
    )
    noisy = StochasticMssDevices(p, np.random.default_rng(8), x=np.zeros(n))
    noisy.drive(np.arange(n), Constant(0.35), np.full(n, 5e-5), np.zeros(n), np.full(n, np.inf))
    exact = MssDevices(p, x=np.zeros(n))
    exact.drive(np.arange(n), Constant(0.35), np.full(n, 5e-5), np.zeros(n), np.full(n, np.inf))
    x = exact.x[0]
    variance = x * (1 - x) / n_switches
    assert abs(noisy.x.mean() - x) < 5 * math.sqrt(variance / n)
    assert abs(noisy.x.var() / variance - 1) < 5 * math.sqrt(2 / n)


def test_stochastic_read_and_rest_change_nothing_and_draw_nothing() -> None:
    rng = np.random.default_rng(9)
    devices = StochasticMssDevices(parameters("w-m1"), rng, x=[0.5])
    devices.drive(ONE, Constant(0.1), np.array([0.02]), R_OHM, FREE_A)
    devices.rest(ONE, 3600.0)
    assert devices.n_on.tolist() == [5000]


def test_stochastic_runs_repeat_with_their_seed() -> None:
    runs = []
    for _ in range(2):
        devices = StochasticMssDevices(parameters("w-m2"), np.random.default_rng(10), x=[0.1])
        devices.drive(ONE, Sine(0.8, 1000.0), np.array([3e-4]), R_OHM, FREE_A)
        runs.append(devices.n_on[0])
    assert runs[0] == runs[1]
