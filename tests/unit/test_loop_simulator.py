from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.fitting.fit_parameters import HELD
from calibration.fitting.loop_simulator import NO_PARASITICS, LoopSimulator, Parasitics
from calibration.loops import Loop
from hil.types import FloatArray
from tests.support.planted_loops import (
    M1_LIKE,
    sine_loop,
    twin_currents_a,
    twin_devices,
    with_current,
)
from twin.waveforms import Constant

VALUES = HELD | M1_LIKE
ONE = {name: np.array([value]) for name, value in VALUES.items()}


def simulate(loops: list[Loop], steps: int, parasitics: Parasitics = NO_PARASITICS) -> FloatArray:
    return np.array([i_a[0] for i_a in LoopSimulator(loops, parasitics, steps).current_a(ONE)])


def test_agrees_with_the_accurate_device() -> None:
    loops = [sine_loop(r, f, n=50) for r, f in ((5e3, 10.0), (5e3, 1e3), (47e3, 100.0))]
    accurate_a = twin_currents_a(loops, VALUES)
    peak_a = np.abs(accurate_a).max(axis=1, keepdims=True)
    error = np.abs(simulate(loops, 27) - accurate_a) / peak_a
    assert np.median(error) < 1e-6
    assert error.max() < 2e-3  # beside an abrupt RESET
    coarse = np.abs(simulate(loops, 3) - accurate_a) / peak_a
    assert np.median(coarse) < 1e-4
    assert np.quantile(coarse, 0.95) < 1e-2


def test_a_staircase_agrees_with_the_accurate_device() -> None:
    n, r_ohm, settle_s, aperture_s, step_s = 60, 10e3, 1e-3, 2e-3, 10e-3
    level_v = 0.8 * np.sin(2 * np.pi * np.arange(1, n + 1) / n)
    devices, one = twin_devices(VALUES, 1), np.arange(1)
    devices.x = np.array([0.01])
    i_a = np.empty(n)
    for k in range(n):
        parts = []
        for dt_s in (settle_s, aperture_s, step_s - settle_s - aperture_s):
            wave, inf = Constant(level_v[k : k + 1]), np.array([np.inf])
            parts.append(devices.drive(one, wave, np.array([dt_s]), np.array([r_ohm]), inf))
        i_a[k] = parts[1].charge_c[0] / aperture_s
    loop = replace(
        sine_loop(r_ohm, 1 / (n * step_s), n=n),
        t_s=np.arange(n, dtype=float) * step_s,
        v_source_v=level_v,
        is_periodic=False,
        sine=None,
        reading_window_s=(settle_s, settle_s + aperture_s),
    )
    simulated = LoopSimulator([loop], steps_per_point=9).current_a(ONE, np.array([[0.01]]))[0][0]
    error = np.abs(simulated - i_a) / np.abs(i_a).max()
    assert np.median(error) < 1e-3
    assert np.quantile(error, 0.9) < 1e-2


def test_lanes_do_not_touch_each_other() -> None:
    loops = [sine_loop(5e3, 100.0, n=50), sine_loop(47e3, 10.0, n=40)]
    lanes = {name: np.full(3, value) for name, value in VALUES.items()}
    lanes["v_on_v"] = np.array([0.25, VALUES["v_on_v"], 0.4])
    together = LoopSimulator(loops).current_a(lanes)
    alone = simulate([loops[0]], 3)[0], simulate([loops[1]], 3)[0]
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(many[1], one, rtol=1e-12, atol=1e-18)
        assert np.abs(many[0] - many[2]).max() > 0.05 * np.abs(one).max()


def test_load_and_capacitance_lie_parallel_to_the_device() -> None:
    loop = sine_loop(47e3, 1000.0, amplitude_v=0.05, n=50)  # inside the dead band: nothing switches
    bare, loaded, slow = (
        simulate([loop], 9, p)[0]
        for p in (NO_PARASITICS, Parasitics(g_load_siemens=1e-6), Parasitics(c_board_f=180e-12))
    )
    source_v, r_ohm = loop.v_source_v, loop.r_series_ohm
    g_siemens = bare / (source_v - r_ohm * bare + 1e-30)
    expected_a = source_v / (r_ohm + 1 / (g_siemens + 1e-6))
    np.testing.assert_allclose(loaded[1:], expected_a[1:], rtol=0.01, atol=1e-11)
    admittance = np.median(g_siemens) + 2j * np.pi * 1000 * 180e-12
    phasor = np.fft.rfft(slow)[1] / np.fft.rfft(source_v)[1]
    assert phasor.imag == pytest.approx((1 / (r_ohm + 1 / admittance)).imag, rel=0.1)
    assert np.fft.rfft(bare)[1] / np.fft.rfft(source_v)[1] == pytest.approx(
        1 / (r_ohm + 1 / np.median(g_siemens)), rel=0.1
    )


def test_parameters_out_of_all_sense_do_not_raise() -> None:
    lanes = {name: np.array([value]) for name, value in VALUES.items()}
    lanes["b_forward_per_v"] = np.array([1e4])
    loops = with_current([sine_loop(5e3, 10.0, n=20)], np.zeros((1, 20)))
    LoopSimulator(loops).current_a(lanes)
