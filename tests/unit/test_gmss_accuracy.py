"""The generalised device against Radau on the written-out equations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.gmss import M1, M2, QUIET
from tests.support.gmss_reference import GmssReference
from twin.devices.base import Response, Waveform
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.waveforms import Constant, Ramp, Sine

ONE = np.arange(1)
VALUES = {"m1": M1 | QUIET, "m2": M2 | QUIET}


def device(name: str, x0: float) -> GmssDevices:
    return GmssDevices(GmssParameters.broadcast(1, **VALUES[name]), x=[x0])


def drive(
    devices: GmssDevices, waveform: Waveform, dt_s: float, r_ohm: float, limit_a: float = math.inf
) -> Response:
    return devices.drive(ONE, waveform, np.array([dt_s]), np.array([r_ohm]), np.array([limit_a]))


@pytest.mark.parametrize(
    ("name", "level_v", "width_s", "x0", "r_ohm", "limit_a"),
    [
        ("m1", 0.6, 20e-3, 1e-3, 10e3, 1e-3),
        ("m1", 1.0, 20e-6, 1e-6, 10e3, 1e-3),
        ("m1", -0.6, 1e-4, 0.4, 10e3, 1e-3),
        ("m1", 1.0, 1e-3, 1e-3, 5e3, 60e-6),  # through the current limit
        ("m1", 0.45, 1e-3, 0.01, 0.0, 1e-3),
        ("m2", 0.4, 20e-3, 1e-3, 10e3, 1e-3),
        ("m2", -0.8, 1e-4, 0.3, 10e3, 1e-3),
        ("m2", -1.0, 1e-3, 0.3, 5e3, 30e-6),
        ("m2", 0.8, 1e-3, 0.01, 47e3, 1e-3),
    ],
)
def test_pulse_agrees_with_radau(
    name: str, level_v: float, width_s: float, x0: float, r_ohm: float, limit_a: float
) -> None:
    devices = device(name, x0)
    got = drive(devices, Constant(level_v), width_s, r_ohm, limit_a)
    reference = GmssReference(VALUES[name], lambda t: level_v, r_ohm, limit_a)
    want = reference.solve(x0, 0.0, width_s)
    np.testing.assert_allclose(devices.x[0], want[0], rtol=1e-6, atol=1e-12)
    energies = np.array([got.device_j[0], got.resistors_j[0], got.source_j[0]])
    np.testing.assert_allclose(energies * 1e6, want[1:], rtol=2e-6, atol=1e-12)
    if math.isinf(limit_a):
        np.testing.assert_allclose(got.source_j, level_v * got.charge_c, rtol=1e-9)


@pytest.mark.parametrize(("name", "r_ohm"), [("m1", 10e3), ("m2", 0.0)])
def test_sine_agrees_with_radau(name: str, r_ohm: float) -> None:
    def sine_v(t_s: float) -> float:
        return math.sin(2 * math.pi * 100 * t_s)

    reference = GmssReference(VALUES[name], sine_v, r_ohm, math.inf)
    devices, y = device(name, 1e-2), 1e-2
    for start_s, stop_s in ((0.0, 2.5e-3), (2.5e-3, 5.5e-3)):
        y = reference.solve(y, start_s, stop_s)[0]
        phase_rad = 2 * math.pi * 100 * start_s
        drive(devices, Sine(1.0, 100.0, phase_rad=phase_rad), stop_s - start_s, r_ohm)
        np.testing.assert_allclose(devices.x[0], y, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("rate_v_per_s", [1e-3, 10.0])
def test_slow_ramp_slides_along_the_edge_of_the_dead_band(rate_v_per_s: float) -> None:
    # With SET possible at the edge of the band already, and the resistor large: SET lowers the
    # voltage into the band, the source raises it out again, and X moves so that it stays.
    p = VALUES["m1"] | {"v_on_v": 0.15}
    edge_v, r_ohm = p["v_dead_on_v"], 100e3
    devices = GmssDevices(GmssParameters.broadcast(1, **p), x=[0.02])
    g_siemens = devices.conductance_siemens(ONE, edge_v)[0]
    at_edge_v = edge_v * (1 + r_ohm * g_siemens)
    got = drive(devices, Ramp(at_edge_v - 0.1, rate_v_per_s), 0.5 / rate_v_per_s, r_ohm)
    want_siemens = ((at_edge_v + 0.4) / edge_v - 1) / r_ohm
    np.testing.assert_allclose(devices.conductance_siemens(ONE, edge_v), want_siemens, rtol=1e-9)
    np.testing.assert_allclose(got.v_device_end_v, edge_v, rtol=1e-9)
