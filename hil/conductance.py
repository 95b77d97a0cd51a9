"""From a current and a voltage at the terminals to the conductance of the device behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.correction import Correction
from hil.coverage import coverage_factor
from hil.types import FloatArray, IndexArray


@dataclass(frozen=True)
class Conductance:
    """Result of ``conductance``; arrays of the shape of the readings.

    Attributes:
        v_device_v: voltage across the device.
        g_siemens: conductance at that voltage.
        g_expanded_siemens: expanded uncertainty, k = 2: half of the interval that holds the truth
            with a probability of 95.45 %.
    """

    v_device_v: FloatArray
    g_siemens: FloatArray
    g_expanded_siemens: FloatArray


def conductance(
    v_source_v: FloatArray,
    i_a: FloatArray,
    device_index: IndexArray,
    correction: Correction,
    nplc: float,
) -> Conductance:
    """Correct readings, and take out what is in series and in parallel: G = I / (V - I R) - G_load.

    All contributions are propagated to first order (GUM, JCGM 100:2008, 5.1 and 5.2); the factor
    for the interval follows from the shape of their sum (``coverage_factor``). First order is good
    while the result is below some 10 % of the conductance. An open device gives 0 S within its
    uncertainty, of either sign. A short gives inf with uncertainty inf: no voltage is left for the
    device, or less than none where the resistor is smaller than it says.

    Args:
        v_source_v: voltage as the instrument reported it.
        i_a: current as the instrument reported it.
        device_index: which device of the board each reading is of.
        correction: what is known of instrument and board.
        nplc: integration time of the readings, in power line cycles.
    """
    offset, gain = correction.i_offset(i_a), correction.gain(i_a)
    path = correction.path(device_index)
    load = np.full_like(path, len(correction.names) - 1)
    values = correction.values
    v_v = v_source_v - values[0]
    i_true_a = (i_a - values[offset]) / values[gain]
    v_device_v = v_v - i_true_a * values[path]
    is_short = (i_true_a != 0) & (v_device_v * v_v <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        g_total = np.where(is_short, np.inf, np.where(i_true_a == 0, 0.0, i_true_a / v_device_v))
        by_i = v_v / v_device_v**2 / values[gain]
        by_v = -i_true_a / v_device_v**2
        quantities = np.stack([np.zeros_like(offset), offset, gain, path, load], axis=1)
        sensitivity = np.stack(
            [-by_v, -by_i, -by_i * i_true_a, g_total**2, -np.ones_like(i_a)], axis=1
        )
        sensitivity[is_short] = 0.0
        noise = (by_v * correction.noise_v(nplc)) ** 2
        noise += (by_i * correction.noise_a(i_a, nplc)) ** 2
    covariance = correction.covariance[quantities[:, :, None], quantities[:, None, :]]
    variance = np.einsum("rj,rjk,rk->r", sensitivity, covariance, sensitivity) + noise
    each = sensitivity**2 * correction.variances[quantities]
    fourth = (each**2 * correction.excess_kurtosis[quantities]).sum(axis=1)
    kurtosis = np.divide(fourth, variance**2, out=np.zeros_like(fourth), where=variance**2 > 0)
    expanded = np.where(is_short, np.inf, coverage_factor(kurtosis) * np.sqrt(variance))
    return Conductance(v_device_v, g_total - values[load], expanded)


def device_voltage(
    v_source_v: FloatArray, i_a: FloatArray, device_index: IndexArray, correction: Correction
) -> FloatArray:
    """Return the voltage across the device for readings as the instrument reported them."""
    values = correction.values
    i_true_a = (i_a - values[correction.i_offset(i_a)]) / values[correction.gain(i_a)]
    v_device_v: FloatArray = (
        v_source_v - values[0] - i_true_a * values[correction.path(device_index)]
    )
    return v_device_v
