from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hil.errors import UsageError
from hil.types import FloatArray
from tests.support.gmss import M1, QUIET, gmss
from twin.devices.arithmetic import ARRAY, SCALAR
from twin.devices.base import DeviceModel, Response
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_circuit import DiodeCircuit
from twin.devices.gmss_memory import Memory
from twin.devices.mss import MssDevices
from twin.devices.mss_parameters import MssParameters
from twin.waveforms import Constant, Sine

ONE = np.arange(1)
R_OHM = 10e3


def drive(devices: DeviceModel, level_v: float, dt_s: float, limit_a: float = 1e-3) -> Response:
    n = devices.n_devices
    full = (np.full(n, value) for value in (dt_s, R_OHM, limit_a))
    return devices.drive(np.arange(n), Constant(level_v), *full)


def quiet(n_devices: int = 1, **changes: float) -> GmssDevices:
    return GmssDevices(gmss(n_devices, **QUIET | changes))


# --- conduction ---------------------------------------------------------------------------------


def test_the_conductance_at_a_voltage_is_that_of_the_equation() -> None:
    devices = GmssDevices(gmss(), x=[0.2])
    for v_v in (0.1, -0.1, 0.3):
        off = M1["c_forward_ratio"] * np.expm1(16.0 * v_v) / 16.0
        off += (1 - M1["c_forward_ratio"]) * -np.expm1(-4.8 * v_v) / 4.8
        i_a = 0.2 * v_v * (1 + 1.6 * abs(v_v)) / 2857.0 + 0.8 * off / 294e3
        np.testing.assert_allclose(devices.conductance_siemens(ONE, v_v), i_a / v_v, rtol=1e-12)
    small = devices.conductance_siemens(ONE)
    np.testing.assert_allclose(small, 0.2 / 2857.0 + 0.8 / 294e3, rtol=1e-12)
    np.testing.assert_allclose(devices.conductance_siemens(ONE, 1e-9), small, rtol=1e-7)


@pytest.mark.parametrize("v_v", [0.0, 0.1, -0.1])
def test_a_conductance_is_adopted_and_read_back(v_v: float) -> None:
    devices = GmssDevices(gmss(2), x=[0.5, 0.5])
    devices.adopt_conductance(np.array([1]), 50e-6, v_v)
    np.testing.assert_allclose(devices.conductance_siemens(np.array([1]), v_v), 50e-6, rtol=1e-12)
    assert devices.x[0] == 0.5
    devices.adopt_conductance(np.arange(2), [1.0, 0.0], v_v)
    assert devices.x.tolist() == [1.0, 0.0]
    with pytest.raises(UsageError, match="nan S"):
        devices.adopt_conductance(ONE, np.nan)


def test_an_adopted_state_is_settled_and_leaves_the_others_fresh() -> None:
    devices = GmssDevices(gmss(2, **QUIET | {"fresh_ratio": 0.3}))
    drive(devices, 0.6, 5e-3)
    devices.adopt_conductance(ONE, 50e-6)
    assert devices.fresh[0] == 0
    assert devices.fresh[1] > 0


@pytest.mark.parametrize("v_source_v", [1e-9, 0.1, 2.0, 20.0, -1e-9, -0.1, -2.0, -20.0, 0.0])
@pytest.mark.parametrize("x", [0.0, 1e-6, 0.3, 1.0])
@pytest.mark.parametrize("limit_a", [np.inf, 1e-3, 1e-7])
def test_the_operating_point_solves_the_circuit(
    v_source_v: float, x: float, limit_a: float
) -> None:
    for r_ohm in (0.0, 75.0, 1e4, 1e7):
        if r_ohm == 0 and abs(v_source_v) > 2:
            continue
        p = 350e-6, 3.4e-6, 1.6, 0.9 / 20, 20.0, 0.1 / 4.8, 4.8, r_ohm, limit_a
        at = DiodeCircuit(*p).solve(x, v_source_v, SCALAR)
        if at.limited:
            assert abs(at.i_a) == limit_a
            assert abs(at.v_v + r_ohm * at.i_a) < abs(v_source_v)
        else:
            assert at.v_v + r_ohm * at.i_a == pytest.approx(v_source_v, rel=1e-12)
        h = 0.9 / 20 * np.expm1(20 * at.v_v) - 0.1 / 4.8 * np.expm1(-4.8 * at.v_v)
        i_a = x * 350e-6 * at.v_v * (1 + 1.6 * abs(at.v_v)) + (1 - x) * 3.4e-6 * h
        assert at.i_a == pytest.approx(i_a, rel=1e-9)
        many = DiodeCircuit(*(np.full(3, value) for value in p))
        rows = many.solve(np.full(3, x), np.full(3, v_source_v), ARRAY)
        np.testing.assert_allclose(rows.v_v, at.v_v, rtol=1e-11)


@pytest.mark.parametrize("v_source_v", [0.7, -0.7])
@pytest.mark.parametrize("limit_a", [np.inf, 2e-5])
def test_slopes_are_derivatives(v_source_v: float, limit_a: float) -> None:
    circuit = DiodeCircuit(350e-6, 3.4e-6, 1.6, 0.9 / 16, 16.0, 0.1 / 4.8, 4.8, 1e4, limit_a)
    x, d = 0.3, 1e-5

    def slopes(x: float, v_v: float) -> FloatArray:
        return np.array(circuit.slopes(circuit.solve(x, v_v, SCALAR), 1.0, SCALAR))

    def point(x: float, v_v: float) -> FloatArray:
        at = circuit.solve(x, v_v, SCALAR)
        return np.array([at.v_v, at.i_a])

    v_x, v_t, i_x, i_t, v_xx = slopes(x, v_source_v)
    by_x = (point(x + d, v_source_v) - point(x - d, v_source_v)) / (2 * d)
    by_t = (point(x, v_source_v + d) - point(x, v_source_v - d)) / (2 * d)
    np.testing.assert_allclose([v_x, i_x], by_x, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose([v_t, i_t], by_t, rtol=1e-6, atol=1e-12)
    bend = (slopes(x + d, v_source_v)[0] - slopes(x - d, v_source_v)[0]) / (2 * d)
    np.testing.assert_allclose(v_xx, bend, rtol=1e-5)


# --- switching ----------------------------------------------------------------------------------


def test_ohmic_and_symmetric_it_is_the_metastable_switch() -> None:
    # Far from the other threshold, where the reverse transitions of the switch do not count.
    shared = {"r_on_ohm": 2237.0, "r_off_ohm": 80.8e3, "r_init_ohm": 8e4}
    bands = {"v_dead_on_v": 0.12, "v_dead_off_v": 0.08}
    plain = {"n_on_per_v": 0.0, "b_forward_per_v": 1e-6, "b_reverse_per_v": 1e-6}
    plain |= {"a_on_v": 0.0, "a_off_v": 0.0, "v_t_on_v": 0.0257, "v_t_off_v": 0.0257}
    plain |= {"v_on_v": 0.348, "v_off_v": 0.226, "tau_on_s": 5.6e-5, "tau_off_s": 5.6e-5}
    mss = MssDevices(
        MssParameters.broadcast(
            1, **shared, **bands, v_on_v=0.348, v_off_v=0.226, tau_s=5.6e-5, v_t_v=0.0257,
            n_switches=1.0,
        ),
        x=[0.01],
    )  # fmt: skip
    generalised = GmssDevices(gmss(1, **QUIET | shared | bands | plain), x=[0.01])
    for level_v, rtol in ((0.8, 1e-4), (-0.6, 2e-3)):
        for devices in (mss, generalised):
            drive(devices, level_v, 2e-4)
        np.testing.assert_allclose(generalised.x, mss.x, rtol=rtol)


def test_set_never_lowers_and_reset_never_raises() -> None:
    for level_v, sign in ((0.6, 1), (-0.3, -1)):
        devices = GmssDevices(gmss(20, **QUIET), x=np.linspace(0.01, 0.99, 20))
        before = devices.x
        drive(devices, level_v, 1e-3)
        assert (sign * (devices.x - before) >= 0).all()


def test_one_device_and_many_give_the_same() -> None:
    rng = np.random.default_rng(3)
    n = 40
    p = GmssDevices(gmss(n), device_spread=True, seed=5).parameters
    x0, level_v = rng.uniform(0, 1, n), rng.uniform(-0.8, 1.0, n)
    dt_s, i_limit_a = 10 ** rng.uniform(-5, -2, n), rng.choice([np.inf, 50e-6], n)
    together, alone = (GmssDevices(p, x=x0, seed=1) for _ in range(2))
    got = together.drive(np.arange(n), Constant(level_v), dt_s, np.full(n, R_OHM), i_limit_a)
    together.rest(np.arange(n), 2e-3)
    for k in range(n):
        one = np.array([k])
        part = alone.drive(one, Constant(level_v[k]), dt_s[one], np.array([R_OHM]), i_limit_a[one])
        alone.rest(one, 2e-3)
        np.testing.assert_allclose(part.device_j[0], got.device_j[k], rtol=1e-8)
        np.testing.assert_allclose(part.i_end_a[0], got.i_end_a[k], rtol=1e-8)
    np.testing.assert_allclose(alone.x, together.x, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(alone.fresh, together.fresh, rtol=1e-8, atol=1e-12)


def test_n_equal_pulses_are_one_long_pulse_if_no_time_passes_in_between() -> None:
    many, once = (GmssDevices(gmss(), seed=2) for _ in range(2))
    energy_j = sum(drive(many, 0.6, 4e-4).source_j[0] for _ in range(25))
    got = drive(once, 0.6, 1e-2)
    np.testing.assert_allclose(many.x, once.x, rtol=1e-6)
    np.testing.assert_allclose(many.fresh, once.fresh, rtol=1e-6)
    np.testing.assert_allclose(energy_j, got.source_j[0], rtol=1e-6)


# --- memory -------------------------------------------------------------------------------------


def test_part_of_what_a_pulse_adds_is_lost_and_no_more() -> None:
    devices = quiet(fresh_ratio=0.3)
    x0 = devices.x
    drive(devices, 0.6, 1e-2)
    driven = devices.x
    np.testing.assert_allclose(devices.fresh, 0.3 * (driven - x0), rtol=1e-12)
    devices.rest(ONE, 0.02)  # one time constant
    expected = driven - 0.3 * (driven - x0) * (1 - np.exp(-1))
    np.testing.assert_allclose(devices.x, expected, rtol=1e-12)
    devices.rest(ONE, 3600.0)
    np.testing.assert_allclose(devices.x, driven - 0.3 * (driven - x0), rtol=1e-12)


def test_the_fresh_share_falls_with_the_state() -> None:
    devices = quiet(fresh_ratio=0.3)
    drive(devices, 0.6, 1e-2)
    share = devices.fresh / devices.x
    drive(devices, -0.25, 1e-4)
    np.testing.assert_allclose(devices.fresh / devices.x, share, rtol=1e-9)


def test_a_low_state_rises_to_its_floor_and_a_high_one_holds() -> None:
    devices = GmssDevices(gmss(2), x=[1e-4, 0.2])
    devices.rest(np.arange(2), 3600.0)
    np.testing.assert_allclose(devices.x, [0.004 - 0.0039 * np.exp(-1), 0.2], rtol=1e-12)


def test_time_at_rest_may_be_cut_anywhere() -> None:
    memory = Memory(np.full(4, 0.02), np.full(4, 0.2), np.array([5.0, 0.02, 1e-3, 5.0]))
    x, fresh = np.array([0.3, 0.25, 0.1, 0.21]), np.array([0.2, 0.2, 0.1, 0.0])
    at_once = memory.after(x, fresh, np.full(4, 0.3))
    in_parts = (x, fresh)
    for dt_s in (0.001, 0.009, 0.05, 0.0, 0.24):
        in_parts = memory.after(*in_parts, np.full(4, dt_s))
    np.testing.assert_allclose(in_parts[0], at_once[0], rtol=1e-10)
    np.testing.assert_allclose(in_parts[1], at_once[1], rtol=1e-10)


def test_the_memory_follows_its_equation() -> None:
    tau_s, floor, rise_s = 0.02, 0.2, 0.05
    memory = Memory(*(np.full(1, value) for value in (tau_s, floor, rise_s)))
    x, fresh, h = 0.3, 0.25, 1e-6
    for _ in range(100_000):  # midpoint rule
        mid = x + 0.5 * h * (-fresh / tau_s + max(floor - x, 0) / rise_s)
        half = fresh * np.exp(-0.5 * h / tau_s)
        x += h * (-half / tau_s + max(floor - mid, 0) / rise_s)
        fresh *= np.exp(-h / tau_s)
    got = memory.after(np.array([0.3]), np.array([0.25]), np.array([0.1]))
    np.testing.assert_allclose([got[0][0], got[1][0]], [x, fresh], rtol=1e-7)


def test_a_read_relaxes_for_its_length_and_tells_the_mean() -> None:
    devices, resting = quiet(fresh_ratio=0.5), quiet(fresh_ratio=0.5)
    for each in (devices, resting):
        drive(each, 0.6, 1e-2)
    rows = np.linspace(0, 0.02, 4001)
    i_a = []
    for at_s in rows:
        each = quiet(fresh_ratio=0.5)
        each.x = resting.x - resting.fresh * -np.expm1(-at_s / 0.02)
        i_a.append(drive(each, 0.1, 0.0).i_end_a[0])
    got = drive(devices, 0.1, 0.02)
    resting.rest(ONE, 0.02)
    np.testing.assert_allclose(devices.x, resting.x, rtol=1e-12)
    np.testing.assert_allclose(got.charge_c[0], np.trapezoid(i_a, rows), rtol=1e-7)
    np.testing.assert_allclose(got.source_j, 0.1 * got.charge_c, rtol=1e-10)
    np.testing.assert_allclose(got.i_end_a[0], i_a[-1], rtol=1e-10)


def test_volatile_or_not_is_told_by_the_parameters() -> None:
    assert not quiet().is_volatile
    assert quiet(fresh_ratio=0.1).is_volatile
    assert quiet(x_rest=0.1).is_volatile
    devices = quiet()
    drive(devices, 0.6, 1e-3)
    before = devices.x
    devices.rest(ONE, 1e9)
    assert devices.x.tolist() == before.tolist()


# --- cycle to cycle, device to device -----------------------------------------------------------


def test_thresholds_are_drawn_anew_with_each_half_cycle_only() -> None:
    devices = GmssDevices(gmss(1, fresh_ratio=0.0, x_rest=0.0), seed=4)
    after = []
    for _ in range(30):
        drive(devices, -1.0, 1e-2)
        r_off = float(1 / devices.conductance_siemens(ONE)[0])
        drive(devices, 0.1, 1e-2)  # a read begins nothing
        drive(devices, -1.0, 1e-2)
        assert 1 / devices.conductance_siemens(ONE)[0] == pytest.approx(r_off, rel=1e-3)
        drive(devices, 0.5, 1e-2)
        after.append((r_off, devices.x[0]))
    r_off_ohm, x = np.array(after).T
    assert 0.1 < np.log(r_off_ohm).std() < 0.35  # 0.2 by the record
    assert x.std() / x.mean() > 0.02
    wear = devices.wear(ONE)
    assert (wear.n_set_half_cycles[0], wear.n_reset_half_cycles[0]) == (30, 30)


def test_draws_do_not_depend_on_who_else_is_driven() -> None:
    def cycle(devices: GmssDevices, index: list[int]) -> None:
        for level_v in (-1.0, 0.5):
            n = len(index)
            args = (np.full(n, value) for value in (1e-2, R_OHM, 1e-3))
            devices.drive(np.array(index), Constant(level_v), *args)

    first, second = (GmssDevices(gmss(3), seed=7) for _ in range(2))
    for _ in range(3):
        cycle(first, [0, 1, 2])
    for order in ([2], [2, 1], [0], [1, 0], [2], [1, 0]):
        cycle(second, order)
    np.testing.assert_allclose(first.x, second.x, rtol=1e-9)
    assert len(set(first.x.round(9))) == 3
    moved = GmssDevices(gmss(1), seed=7, numbers=[2])
    for _ in range(3):
        cycle(moved, [0])
    np.testing.assert_allclose(moved.x[0], first.x[2], rtol=1e-9)


def test_devices_spread_as_stated() -> None:
    n = 4000
    devices = GmssDevices(gmss(n), seed=8, device_spread=True)
    p = devices.parameters
    assert np.log(p.r_on_ohm).std() == pytest.approx(0.1, rel=0.05)
    assert np.log(p.r_off_ohm).std() == pytest.approx(0.3, rel=0.05)
    assert p.v_on_v.std() == pytest.approx(0.02, rel=0.05)
    assert p.v_off_v.mean() == pytest.approx(0.145, abs=2e-3)
    np.testing.assert_allclose(p.x_init, gmss().x_init[0], rtol=1e-9)
    again = GmssDevices(gmss(2), seed=8, device_spread=True, numbers=[3999, 17]).parameters
    np.testing.assert_array_equal(again.r_on_ohm, p.r_on_ohm[[3999, 17]])
    same = GmssDevices(gmss(2), seed=8).parameters
    assert same.r_on_ohm[0] == same.r_on_ohm[1]


# --- wear ---------------------------------------------------------------------------------------


def test_wear_is_counted_for_each_device() -> None:
    devices = quiet(2)
    charge_c = np.zeros(2)
    peak_a = np.zeros(2)
    for level_v in (0.6, 0.7, 0.1, 0.6, -0.05, -0.5, -0.5, 0.6):
        got = drive(devices, level_v, 1e-3)
        charge_c += abs(got.charge_c)
        peak_a = np.maximum(peak_a, abs(got.i_end_a))
    devices.drive(
        ONE, Sine(0.5, 100.0), np.array([0.02]), np.array([R_OHM]), np.array([np.inf])
    )  # SET goes on, then RESET
    wear = devices.wear(np.arange(2))
    assert wear.n_set_half_cycles.tolist() == [3, 2]
    assert wear.n_reset_half_cycles.tolist() == [2, 1]
    np.testing.assert_allclose(wear.charge_c[1], charge_c[1], rtol=1e-12)
    assert (wear.i_peak_a >= peak_a).all()
    assert devices.wear(np.array([1])).charge_c.shape == (1,)


def test_a_driven_device_that_never_was_has_no_wear() -> None:
    wear = quiet(3).wear(np.array([2, 0]))
    assert wear.n_set_half_cycles.tolist() == [0, 0]
    assert wear.i_peak_a.tolist() == [0, 0]


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("v_dead_off_v", 0.0, "above 0"),
        ("n_on_per_v", -0.1, "negative"),
        ("c_forward_ratio", 1.1, "from 0 to 1"),
        ("fresh_ratio", -0.1, "from 0 to 1"),
        ("tau_relax_s", 0.0, "above 0"),
        ("r_off_ohm", 100.0, "above r_on_ohm"),
        ("c2c_v_on_v", np.nan, "finite"),
    ],
)
def test_parameters_that_make_no_device(field: str, value: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(gmss(), **{field: np.array([value])})
