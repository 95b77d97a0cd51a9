from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.devices.mss import MssDevices
from twin.devices.mss_stochastic import StochasticMssDevices
from twin.parameters import load_record, stack_records
from twin.waveforms import Constant, Ramp, Sine

RECORD_IDS = st.sampled_from(["w-m1", "w-m2", "cr-assumed", "c-assumed"])
X = st.floats(0, 1)
LEVELS_V = st.floats(-2, 2)
WIDTHS_S = st.floats(1e-7, 0.02)
RESISTORS_OHM = st.sampled_from([0.0, 75.0, 5e3, 47e3, 1e6])
LIMITS_A = st.sampled_from([np.inf, 1e-3, 50e-6, 1e-7])
ONE = np.arange(1)


@settings(deadline=None, max_examples=30)
@given(RECORD_IDS, X, LEVELS_V, LEVELS_V, WIDTHS_S, RESISTORS_OHM, LIMITS_A)
def test_energy_is_conserved_and_the_state_stays_in_bounds(
    record_id: str,
    x: float,
    start_v: float,
    end_v: float,
    dt_s: float,
    r_ohm: float,
    limit_a: float,
) -> None:
    for waveform in (
        Constant(start_v),
        Ramp(start_v, (end_v - start_v) / dt_s),
        Sine(start_v, 0.8 / dt_s, end_v / 4),
    ):
        devices = MssDevices(stack_records([load_record(record_id)]), x=[x])
        got = devices.drive(ONE, waveform, np.array([dt_s]), np.array([r_ohm]), np.array([limit_a]))
        assert 0 <= devices.x[0] <= 1
        assert got.device_j[0] >= 0
        assert got.resistors_j[0] >= 0
        total = got.device_j[0] + got.resistors_j[0]
        assert abs(got.source_j[0] - total) <= 1e-12 * total
        assert abs(got.i_end_a[0]) <= limit_a
        if isinstance(waveform, Constant) and limit_a == np.inf:
            assert abs(got.source_j[0] - start_v * got.charge_c[0]) <= 1e-9 * total


@settings(deadline=None, max_examples=40)
@given(RECORD_IDS, X, LEVELS_V, WIDTHS_S, RESISTORS_OHM)
def test_set_never_lowers_a_device_below_its_equilibrium_nor_reset_raises(
    record_id: str, x: float, level_v: float, dt_s: float, r_ohm: float
) -> None:
    devices = MssDevices(stack_records([load_record(record_id)]), x=[x])
    devices.drive(ONE, Constant(level_v), np.array([dt_s]), np.array([r_ohm]), np.array([np.inf]))
    moved = devices.x[0] - x
    p = devices.parameters
    g = x / p.r_on_ohm[0] + (1 - x) / p.r_off_ohm[0]
    v = level_v / (1 + r_ohm * g)
    if -p.v_dead_off_v[0] < v < p.v_dead_on_v[0]:
        assert moved == 0
        return
    on = (1 - x) / (1 + np.exp(-(v - p.v_on_v[0]) / p.v_t_v[0]))
    off = x / (1 + np.exp((v + p.v_off_v[0]) / p.v_t_v[0]))
    if moved != 0:  # one-dimensional and autonomous: it moves one way only
        assert np.sign(moved) == np.sign(on - off)


@settings(deadline=None, max_examples=30)
@given(
    RECORD_IDS, X, LEVELS_V, st.floats(1e-6, 1e-4), st.integers(1, 1000), st.integers(0, 2**32 - 1)
)
def test_switch_counts_stay_whole_and_in_range(
    record_id: str, x: float, level_v: float, dt_s: float, n_switches: int, seed: int
) -> None:
    p = dataclasses.replace(
        stack_records([load_record(record_id)]), n_switches=np.array([float(n_switches)])
    )
    devices = StochasticMssDevices(p, np.random.default_rng(seed), x=[x])
    got = devices.drive(
        ONE, Constant(level_v), np.array([dt_s]), np.array([10e3]), np.array([1e-3])
    )
    assert 0 <= devices.n_on[0] <= n_switches
    assert got.source_j[0] >= 0
