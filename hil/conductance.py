"""From a current and a voltage at the terminals to the conductance of the device behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.instruments.accuracy import SmuAccuracy
from hil.types import FloatArray


@dataclass(frozen=True)
class Conductance:
    """Result of ``conductance``; arrays of the shape of the readings.

    Attributes:
        v_device_v: voltage across the device.
        g_siemens: conductance.
        g_expanded_siemens: expanded uncertainty, k = 2.
    """

    v_device_v: FloatArray
    g_siemens: FloatArray
    g_expanded_siemens: FloatArray


def conductance(
    v_source_v: FloatArray,
    i_a: FloatArray,
    r_series_ohm: FloatArray,
    accuracy: SmuAccuracy,
    r_tolerance_ratio: float,
) -> Conductance:
    """Take the series resistance out of a reading: G = I / (V - I R).

    The bounds of the instrument and the tolerance of the resistor are taken as rectangular
    distributions (bound / sqrt 3) and propagated to first order (GUM, JCGM 100:2008, 5.1.2).
    An open device (no current) gives 0 S. A short gives inf with uncertainty inf: no voltage is
    left for the device, or less than none where the resistor is smaller than it says.

    Args:
        v_source_v: measured at the terminals.
        i_a: measured current.
        r_series_ohm: series resistor and switch.
        accuracy: of the instrument that measured.
        r_tolerance_ratio: relative tolerance of the series resistance.
    """
    v_device_v = v_source_v - i_a * r_series_ohm
    with np.errstate(divide="ignore", invalid="ignore"):
        is_short = (i_a != 0) & (v_device_v * np.sign(i_a) <= 0)
        g_siemens = np.where(i_a == 0, 0.0, np.where(is_short, np.inf, i_a / v_device_v))
        from_i = v_source_v / v_device_v**2 * accuracy.measure_a.bound(i_a)
        from_v = i_a / v_device_v**2 * accuracy.measure_v.bound(v_source_v)
        from_r = g_siemens**2 * r_series_ohm * r_tolerance_ratio
        variance = np.where(is_short, np.inf, (from_i**2 + from_v**2 + from_r**2) / 3)
    return Conductance(v_device_v, g_siemens, 2 * np.sqrt(variance))
