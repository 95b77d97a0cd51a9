"""The mean-field device against Radau on the written-out equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hil.types import FloatArray
from twin.devices.base import Response, Waveform
from twin.devices.mss import MssDevices
from twin.parameters import load_record, stack_records
from twin.waveforms import Constant, Ramp, Sine

ONE = np.arange(1)


def drive(
    devices: MssDevices,
    waveform: Waveform,
    dt_s: float,
    r_ohm: float = 10e3,
    i_limit_a: float = math.inf,
) -> Response:
    return devices.drive(ONE, waveform, np.array([dt_s]), np.array([r_ohm]), np.array([i_limit_a]))


def radau(
    p: dict[str, float],
    v_source_v: Callable[[float], float],
    y: FloatArray,
    span_s: tuple[float, float],
    r_ohm: float,
    i_limit_a: float,
) -> FloatArray:
    """State and, if y has room, energies of device, resistor and source in microjoule."""

    def point(t: float, x: float) -> tuple[float, float]:
        g = x / p["r_on_ohm"] + (1 - x) / p["r_off_ohm"]
        i = v_source_v(t) * g / (1 + r_ohm * g)
        i = max(-i_limit_a, min(i_limit_a, i))
        return i / g, i

    def rhs(switching: bool, t: float, y: FloatArray) -> list[float]:
        v, i = point(t, y[0])
        on = 1 / (1 + math.exp(-(v - p["v_on_v"]) / p["v_t_v"]))
        off = 1 / (1 + math.exp((v + p["v_off_v"]) / p["v_t_v"]))
        rate = (on * (1 - y[0]) - off * y[0]) / p["tau_s"] if switching else 0.0
        return [rate, v * i * 1e6, i * i * r_ohm * 1e6, (v + i * r_ohm) * i * 1e6][: len(y)]

    t, stop = span_s
    while t < stop:
        v, _ = point(t, y[0])
        if min(abs(v - p["v_dead_on_v"]), abs(v + p["v_dead_off_v"])) < 1e-9:
            v, _ = point(t + 1e-9 * (stop - t), y[0])
        switching = not -p["v_dead_off_v"] < v < p["v_dead_on_v"]

        def edge(t: float, y: FloatArray) -> float:
            v, _ = point(t, y[0])
            return min(p["v_dead_on_v"] - v, v + p["v_dead_off_v"])

        edge.terminal = True  # type: ignore[attr-defined]  # solve_ivp's interface
        edge.direction = 1.0 if switching else -1.0  # type: ignore[attr-defined]
        part = solve_ivp(
            partial(rhs, switching),
            (t, stop),
            y,
            method="Radau",
            rtol=1e-10,
            atol=[1e-40, 1e-16, 1e-16, 1e-16][: len(y)],
            events=edge,
            first_step=min(1e-9, (stop - t) / 10),
        )
        assert part.success
        t, y = float(part.t[-1]), part.y[:, -1]
    return y


def check(got: Response, devices: MssDevices, want: FloatArray, x_tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(devices.x[0], want[0], rtol=x_tolerance)
    energies = [got.device_j[0], got.resistors_j[0], got.source_j[0]]
    np.testing.assert_allclose(np.array(energies) * 1e6, want[1:], rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("record_id", "level_v", "width_s", "x0"),
    [
        ("w-m1", 0.6, 20e-3, 1e-3),
        ("w-m1", -0.6, 1e-4, 0.4),
        ("w-m2", 0.9, 20e-6, 1e-3),
        ("w-m2", -0.2, 20e-3, 0.4),
        ("cr-assumed", 0.6, 1e-3, 1e-3),
        ("c-assumed", -0.3, 1e-4, 0.4),
    ],
)
def test_pulse_agrees_with_radau(record_id: str, level_v: float, width_s: float, x0: float) -> None:
    record = load_record(record_id)
    devices = MssDevices(stack_records([record]), x=[x0])
    got = drive(devices, Constant(level_v), width_s, 10e3, 1e-3)
    start = np.array([x0, 0.0, 0.0, 0.0])
    want = radau(record.values(), lambda t: level_v, start, (0.0, width_s), 10e3, 1e-3)
    check(got, devices, want)


def test_pulse_through_the_current_limit_agrees_with_radau() -> None:
    record = load_record("w-m1")
    devices = MssDevices(stack_records([record]), x=[1e-3])
    got = drive(devices, Constant(1.0), 1e-3, 5e3, 60e-6)
    start = np.array([1e-3, 0.0, 0.0, 0.0])
    want = radau(record.values(), lambda t: 1.0, start, (0.0, 1e-3), 5e3, 60e-6)
    assert got.i_end_a[0] == 60e-6
    assert got.source_j[0] < 1.0 * got.charge_c[0] * (1 - 1e-3)  # terminal below programmed level
    check(got, devices, want)


@pytest.mark.parametrize(("record_id", "r_ohm"), [("w-m1", 10e3), ("w-m2", 0.0)])
def test_sine_of_ten_periods_agrees_with_radau(record_id: str, r_ohm: float) -> None:
    record = load_record(record_id)
    devices = MssDevices(stack_records([record]), x=[1e-3])
    drive(devices, Sine(1.0, 100.0), 0.09, r_ohm)
    y = devices.x
    for quarters in ((0, 1), (1, 3), (3, 4)):
        span_s = (quarters[0] * 2.5e-3, quarters[1] * 2.5e-3)
        y = radau(record.values(), _sine_v, y, span_s, r_ohm, math.inf)
    at_once = MssDevices(stack_records([record]), x=[1e-3])
    drive(at_once, Sine(1.0, 100.0), 0.1, r_ohm)
    np.testing.assert_allclose(at_once.x[0], y[0], rtol=1e-6)


def _sine_v(t_s: float) -> float:
    return math.sin(2 * math.pi * 100 * t_s)


@pytest.mark.parametrize("rate_v_per_s", [1e-3, 10.0])
def test_slow_ramp_slides_along_the_edge_of_the_dead_band(rate_v_per_s: float) -> None:
    record = load_record("w-m1")
    p = record.values()
    g_off = 1 / p["r_off_ohm"]
    dg = 1 / p["r_on_ohm"] - g_off
    at_edge_v = p["v_dead_on_v"] * (1 + 100e3 * (g_off + 0.02 * dg))
    devices = MssDevices(stack_records([record]), x=[0.02])
    got = drive(devices, Ramp(at_edge_v - 0.1, rate_v_per_s), 0.5 / rate_v_per_s, 100e3)
    g_end = ((at_edge_v + 0.4) / p["v_dead_on_v"] - 1) / 100e3
    np.testing.assert_allclose(devices.x[0], (g_end - g_off) / dg, rtol=1e-9)
    np.testing.assert_allclose(got.v_device_end_v, p["v_dead_on_v"], rtol=1e-9)


def test_fast_ramp_leaves_the_edge_of_the_dead_band() -> None:
    devices = MssDevices(stack_records([load_record("w-m1")]), x=[0.02])
    got = drive(devices, Ramp(0.27, 100.0), 5e-3, 100e3)
    assert got.v_device_end_v[0] > 0.15
