from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gmss import M1, M2
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_memory import Memory
from twin.devices.gmss_parameters import GmssParameters
from twin.waveforms import Constant, Ramp, Sine

VALUES = st.sampled_from([M1, M2])
X = st.floats(0, 1)
LEVELS_V = st.floats(-2, 2)
WIDTHS_S = st.floats(1e-7, 0.02)
RESISTORS_OHM = st.sampled_from([0.0, 75.0, 5e3, 47e3, 1e6])
LIMITS_A = st.sampled_from([np.inf, 1e-3, 50e-6, 1e-7])
ONE = np.arange(1)


@settings(deadline=None, max_examples=25)
@given(VALUES, X, LEVELS_V, LEVELS_V, WIDTHS_S, RESISTORS_OHM, LIMITS_A)
def test_energy_is_conserved_and_the_state_stays_in_bounds(
    values: dict[str, float],
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
        devices = GmssDevices(GmssParameters.broadcast(1, **values), x=[x])
        got = devices.drive(ONE, waveform, np.array([dt_s]), np.array([r_ohm]), np.array([limit_a]))
        assert 0 <= devices.fresh[0] <= devices.x[0] <= 1
        assert got.device_j[0] >= 0
        assert got.resistors_j[0] >= 0
        total = got.device_j[0] + got.resistors_j[0]
        assert abs(got.source_j[0] - total) <= 1e-12 * total
        assert abs(got.i_end_a[0]) <= limit_a * (1 + 1e-12)
        if isinstance(waveform, Constant) and limit_a == np.inf:
            assert abs(got.source_j[0] - start_v * got.charge_c[0]) <= 1e-7 * total
        assert devices.wear(ONE).i_peak_a[0] >= abs(got.i_end_a[0])


@settings(deadline=None, max_examples=60)
@given(X, X, X, st.floats(1e-4, 1e3), st.floats(1e-4, 1e5), st.floats(0, 1e4), st.floats(0, 1))
def test_rest_may_be_cut_anywhere_and_stays_in_bounds(
    x: float, share: float, floor: float, relax_s: float, rise_s: float, dt_s: float, cut: float
) -> None:
    memory = Memory(*(np.full(1, value) for value in (relax_s, floor, rise_s)))
    state = np.full(1, x), np.full(1, share * x)
    at_once = memory.after(*state, np.full(1, dt_s))
    in_parts = memory.after(
        *memory.after(*state, np.full(1, cut * dt_s)), np.full(1, dt_s - cut * dt_s)
    )
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-7, atol=1e-10)
    assert 0 <= at_once[1][0] <= at_once[0][0] + 1e-12
    assert at_once[0][0] <= max(x, floor) + 1e-12


@settings(deadline=None, max_examples=60)
@given(VALUES, X, st.floats(-0.2, 0.2))
def test_what_is_adopted_is_what_is_read(values: dict[str, float], x: float, v_v: float) -> None:
    devices = GmssDevices(GmssParameters.broadcast(1, **values), x=[x])
    g_siemens = devices.conductance_siemens(ONE, v_v)
    devices.x = np.array([0.5])
    devices.adopt_conductance(ONE, g_siemens, v_v)
    np.testing.assert_allclose(devices.x, x, rtol=1e-9, atol=1e-9)
