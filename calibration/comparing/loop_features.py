"""What people read off a current-voltage loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.loops import Loop
from hil.types import FloatArray

READ_V = 0.1
"""Device voltage at which the conductance of a loop is read off."""

_NEAR_ZERO_V = 0.02  # below it a conductance is mostly noise
_RESET_RATIO = 0.7  # a conductance that falls less has not been RESET


@dataclass(frozen=True)
class LoopFeatures:
    """Figures of one loop; NaN where the loop does not show them.

    Attributes:
        energy_j: dissipated in the device, the integral of V I dt.
        set_v: largest device voltage: where the device gives way, and the resistor takes over.
        reset_v: device voltage at which the conductance has come half way down, on a logarithmic
            scale, between its largest and its last value while the source falls to its minimum;
            NaN if that is less than 30 %.
        g_before_siemens: conductance at 0.1 V on the device while the source rises.
        g_after_siemens: the same while the source falls.
    """

    energy_j: float
    set_v: float
    reset_v: float
    g_before_siemens: float
    g_after_siemens: float


UNITS = {
    "energy_j": "J",
    "set_v": "V",
    "reset_v": "V",
    "g_before_siemens": "S",
    "g_after_siemens": "S",
}


def loop_features(loop: Loop) -> LoopFeatures:
    """Return the figures of a loop; it begins near its rising zero crossing."""
    v_v, i_a = _closed(loop, loop.v_device_v), _closed(loop, loop.i_a)
    power_w = v_v * i_a
    t_s = loop.t_s
    if loop.is_periodic and loop.frequency_hz:
        t_s = np.append(t_s, t_s[0] + 1 / loop.frequency_hz)
    top = int(np.argmax(loop.v_source_v))
    rising, falling = slice(0, top + 1), slice(top, None)
    return LoopFeatures(
        energy_j=float((power_w[1:] + power_w[:-1]) @ np.diff(t_s) / 2),
        set_v=float(loop.v_device_v[: top + 1].max(initial=-np.inf)),
        reset_v=_reset_v(loop, top),
        g_before_siemens=_read(loop.v_device_v[rising], loop.i_a[rising]),
        g_after_siemens=_read(loop.v_device_v[falling], loop.i_a[falling]),
    )


def _reset_v(loop: Loop, top: int) -> float:
    bottom = top + int(np.argmin(loop.v_source_v[top:]))
    down = np.arange(top, bottom + 1)
    down = down[loop.v_device_v[down] < -_NEAR_ZERO_V]
    v_v, g = loop.v_device_v[down], loop.i_a[down] / loop.v_device_v[down]
    if not len(down) or not (g > 0).all():
        return float("nan")
    first = int(np.argmax(g))
    low = np.flatnonzero(g[first:] <= np.sqrt(g[first] * g[-1]))
    return float(v_v[first + low[0]]) if g[-1] < _RESET_RATIO * g[first] else float("nan")


def _closed(loop: Loop, values: FloatArray) -> FloatArray:
    return np.append(values, values[0]) if loop.is_periodic else values


def _read(v_v: FloatArray, i_a: FloatArray) -> float:
    """Return the conductance where the voltage first passes READ_V, between two points."""
    above = v_v >= READ_V
    passes = np.flatnonzero(above[1:] != above[:-1])
    if not len(passes):
        return float("nan")
    k = int(passes[0])
    share = (READ_V - v_v[k]) / (v_v[k + 1] - v_v[k])
    return float((i_a[k] + share * (i_a[k + 1] - i_a[k])) / READ_V)
