"""Loops of twin devices whose parameters are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from calibration.fitting.device_record import SWITCHED_OFF
from calibration.fitting.fit_parameters import HELD
from calibration.loops import Loop
from calibration.sine import SineFit
from hil.types import Dopant, FloatArray
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.waveforms import Sine

M1_LIKE: dict[str, float] = {
    "r_on_ohm": 2880.0,
    "r_off_ohm": 2.6e5,
    "n_on_per_v": 1.2,
    "c_forward_ratio": 0.5,
    "b_forward_per_v": 14.0,
    "b_reverse_per_v": 4.0,
    "v_on_v": 0.30,
    "v_off_v": 0.145,
    "a_on_v": -0.06,
    "a_off_v": 0.54,
    "v_t_on_v": 0.017,
    "v_t_off_v": 0.065,
    "tau_on_s": 3.0e-4,
    "tau_off_s": 7.8e-5,
}
"""About what fits to measured W loops give; rounded, so that nobody takes it for one."""


def sine_loop(
    r_ohm: float, frequency_hz: float, amplitude_v: float = 0.8, n: int = 200, device: str = "P1"
) -> Loop:
    """Return a loop with a source and no current yet."""
    t_s = np.arange(n) / (n * frequency_hz)
    return Loop(
        device=device,
        dopant=Dopant.W,
        run_id="planted",
        r_series_ohm=r_ohm,
        t_s=t_s,
        v_source_v=amplitude_v * np.sin(2 * np.pi * frequency_hz * t_s),
        v_device_v=np.zeros(n),
        i_a=np.zeros(n),
        is_periodic=True,
        frequency_hz=frequency_hz,
        amplitude_v=amplitude_v,
        sha256="0" * 64,
        label=f"{r_ohm / 1e3:g} kOhm {amplitude_v:g} V {frequency_hz:g} Hz",
        sine=SineFit(amplitude_v, frequency_hz, 0.0, 0.0, 0.0),
    )


def twin_devices(values: Mapping[str, FloatArray | float], n_devices: int) -> GmssDevices:
    """Return devices of the accurate model, nearly OFF, without relaxation and spread."""
    rest = HELD | SWITCHED_OFF
    r_init = 0.95 * np.asarray(values["r_off_ohm"])
    every = {**rest, **values, "r_init_ohm": r_init}
    return GmssDevices(
        GmssParameters.broadcast(n_devices, **{k: every[k] for k in GmssParameters.names()})
    )


def twin_currents_a(
    loops: Sequence[Loop], values: Mapping[str, FloatArray | float], periods: int = 2
) -> FloatArray:
    """Return the current of accurate twins under the sines of loops, (n_loops, n_points).

    Args:
        loops: of equal numbers of points, each driven on a device of its own.
        values: parameters, scalars or one for each loop.
        periods: that are driven; the last one counts.
    """
    n_loops, n = len(loops), len(loops[0].t_s)
    devices = twin_devices(values, n_loops)
    index = np.arange(n_loops)
    frequency = np.array([loop.frequency_hz or 0.0 for loop in loops])
    amplitude = np.array([loop.amplitude_v for loop in loops])
    r_ohm = np.array([loop.r_series_ohm for loop in loops])
    i_a = np.zeros((n_loops, n))
    for _ in range(periods):
        for k in range(n):  # ends at point k + 1, or at 0 after the last one
            wave = Sine(amplitude, frequency, 0.0, 2 * np.pi * k / n)
            response = devices.drive(
                index, wave, 1 / (n * frequency), r_ohm, np.full(n_loops, np.inf)
            )
            i_a[:, (k + 1) % n] = response.i_end_a
    return i_a


def with_current(loops: Sequence[Loop], i_a: FloatArray) -> list[Loop]:
    """Return loops with currents, shape (n_loops, n_points), and the device voltage they leave."""
    return [
        replace(loop, i_a=row, v_device_v=loop.v_source_v - row * loop.r_series_ohm)
        for loop, row in zip(loops, i_a, strict=True)
    ]
