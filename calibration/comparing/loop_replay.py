"""What a device model does under the voltages of measured loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calibration.loops import Loop
from hil.types import FloatArray, IndexArray
from twin.devices.base import DeviceModel
from twin.waveforms import Ramp

_MAX_PERIODS = 20
_SETTLED_RATIO = 1e-3  # of the conductance from one period to the next
START_V = 0.12
"""Up to here on the device, the first points of a loop tell the state that it began in."""


def replay_loops(loops: Sequence[Loop], devices: DeviceModel) -> list[Loop]:
    """Return for each loop what a device of the model does under the same source voltage.

    The source goes straight from point to point. A periodic loop is driven until the conductance
    at its start repeats within 0.1 %, 20 periods at most; any other one begins with the conductance
    that its first points show. Costs some 0.1 s of CPU per loop and period.

    Args:
        loops: measured; all of them with the same number of points.
        devices: one device for each loop; left in the state in which the loops end.
    """
    index = np.arange(len(loops))
    dt_s = np.array([_steps_s(loop) for loop in loops]).T
    v_v = np.array([loop.v_source_v for loop in loops]).T
    r_ohm = np.array([loop.r_series_ohm for loop in loops])
    periodic = np.array([loop.is_periodic for loop in loops])
    start = np.array([start_siemens(loop) for loop in loops])
    devices.adopt_conductance(index, np.minimum(start, 1.0), START_V)
    i_a = _once(devices, index, v_v, dt_s, r_ohm)
    for _ in range(_MAX_PERIODS if periodic.any() else 0):
        before = devices.conductance_siemens(index[periodic])
        part = index[periodic]
        i_a[:, part] = _once(devices, part, v_v[:, part], dt_s[:, part], r_ohm[part])
        moved = np.abs(devices.conductance_siemens(part) / before - 1)
        if moved.max() < _SETTLED_RATIO:
            break
    return [
        replace(loop, i_a=i_a[:, k], v_device_v=loop.v_source_v - i_a[:, k] * loop.r_series_ohm)
        for k, loop in enumerate(loops)
    ]


def start_siemens(loop: Loop) -> float:
    """Return the conductance that the first points of a loop show, up to 0.12 V on the device."""
    beyond = np.flatnonzero(np.abs(loop.v_device_v) > START_V)
    first = slice(0, max(int(beyond[0]) if len(beyond) else len(loop.i_a), 2))
    v_v, i_a = loop.v_device_v[first], loop.i_a[first]
    power = float(v_v @ v_v)
    return max(float(v_v @ i_a) / power, 0.0) if power else 0.0


def _steps_s(loop: Loop) -> FloatArray:
    """Time from each point to the next; of a periodic loop also from the last to the first."""
    steps_s = np.diff(loop.t_s)
    if not loop.is_periodic or not loop.frequency_hz:
        return np.append(steps_s, 0.0)
    return np.append(steps_s, 1 / loop.frequency_hz - steps_s.sum())


def _once(
    devices: DeviceModel, index: IndexArray, v_v: FloatArray, dt_s: FloatArray, r_ohm: FloatArray
) -> FloatArray:
    """Drive from the first point once round; return the current at each point."""
    i_a = np.empty_like(v_v)
    no_limit = np.full(len(index), np.inf)
    at_once = devices.drive(
        index, Ramp(v_v[0], np.zeros(len(index))), np.zeros(len(index)), r_ohm, no_limit
    )
    i_a[0] = at_once.i_end_a
    for k in range(1, len(v_v) + 1):
        from_v, to_v, step_s = v_v[k - 1], v_v[k % len(v_v)], dt_s[k - 1]
        rate = np.divide(to_v - from_v, step_s, out=np.zeros_like(from_v), where=step_s > 0)
        response = devices.drive(index, Ramp(from_v, rate), step_s, r_ohm, no_limit)
        if k < len(v_v):
            i_a[k] = response.i_end_a
    return i_a
