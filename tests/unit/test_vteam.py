from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hil.errors import UsageError
from hil.types import FloatArray
from twin.devices.base import DeviceModel, Waveform
from twin.devices.vteam import VteamDevices, VteamParameters
from twin.waveforms import Constant, Sine

VALUES = {
    "r_on_ohm": 2e3,
    "r_off_ohm": 1e5,
    "r_init_ohm": 9e4,
    "v_set_v": 0.25,
    "v_reset_v": 0.1,
    "alpha_set_ratio": 3.0,
    "alpha_reset_ratio": 1.5,
    "tau_set_s": 2e-3,
    "tau_reset_s": 4e-3,
    "window_ratio": 2.0,
}
"""Chosen for these tests."""

ONE = np.arange(1)


def device(x: float, **changes: float) -> VteamDevices:
    return VteamDevices(VteamParameters.broadcast(1, **VALUES | changes), x=[x])


def rate_hz(x: float, v_v: float) -> float:
    if v_v > 0.25:
        return float((v_v / 0.25 - 1) ** 3 * (1 - x**4) / 2e-3)
    if v_v < -0.1:
        return float(-((-v_v / 0.1 - 1) ** 1.5) * (1 - (1 - x) ** 4) / 4e-3)
    return 0.0


@pytest.mark.parametrize(
    ("level_v", "x0", "r_ohm"), [(0.8, 0.0, 5e3), (0.5, 0.3, 0.0), (-0.6, 0.9, 5e3)]
)
def test_pulse_agrees_with_radau(level_v: float, x0: float, r_ohm: float) -> None:
    def derivatives(t_s: float, y: FloatArray) -> list[float]:
        r_device = 1e5 - 98e3 * y[0]
        i_a = level_v / (r_device + r_ohm)
        return [rate_hz(y[0], i_a * r_device), i_a * i_a * r_device * 1e6]

    want = solve_ivp(derivatives, (0, 5e-3), [x0, 0.0], "Radau", rtol=1e-11, atol=1e-14).y[:, -1]
    devices = device(x0)
    got = devices.drive(
        ONE, Constant(level_v), np.array([5e-3]), np.array([r_ohm]), np.array([np.inf])
    )
    np.testing.assert_allclose(devices.x[0], want[0], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(got.device_j[0] * 1e6, want[1], rtol=1e-5)


@pytest.mark.parametrize("waveform", [Sine(1.0, 100.0), Constant(1.0), Constant(-2.0)])
def test_the_state_stays_in_bounds_and_energy_is_conserved(waveform: Waveform) -> None:
    devices = device(0.5)
    got = devices.drive(ONE, waveform, np.array([0.02]), np.array([5e3]), np.array([50e-6]))
    assert 0 <= devices.x[0] <= 1
    assert abs(got.i_end_a[0]) <= 50e-6
    assert got.source_j[0] == got.device_j[0] + got.resistors_j[0]


def test_it_leaves_either_end_and_keeps_its_state_at_rest() -> None:
    for x0, level_v, sign in ((0.0, 0.8, 1), (1.0, -0.8, -1)):
        devices: DeviceModel = device(x0)
        devices.drive(ONE, Constant(level_v), np.array([1e-3]), np.array([100.0]), np.array([1.0]))
        moved = devices.x[0]
        assert sign * (moved - x0) > 0
        devices.rest(ONE, 1e9)
        assert devices.x[0] == moved
        assert not devices.is_volatile


def test_conductances() -> None:
    devices = device(0.5)
    devices.adopt_conductance(ONE, 1e-4)
    np.testing.assert_allclose(devices.conductance_siemens(ONE, 0.1), 1e-4, rtol=1e-12)
    np.testing.assert_allclose(devices.x, (1e5 - 1e4) / 98e3, rtol=1e-12)
    devices.adopt_conductance(ONE, 0.0)
    assert devices.x[0] == 0
    as_delivered = VteamDevices(VteamParameters.broadcast(1, **VALUES))
    np.testing.assert_allclose(as_delivered.conductance_siemens(ONE), 1 / 9e4, rtol=1e-12)


def test_exponents_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match=r"alpha_set_ratio = 0\.5"):
        VteamParameters.broadcast(1, **VALUES | {"alpha_set_ratio": 0.5})
