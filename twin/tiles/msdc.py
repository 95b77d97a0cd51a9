"""M-SDC memristors as cells of a tile: the curve of a pulse from the project's device models.

A weight is a conductance in a window, [g_low, g_high] mapped to [-1, 1]. What one pulse does is
taken from the device model by driving devices in 33 states; in between it is interpolated. A tile
thus has the shape of the real response, at the speed of a table; relaxation, drift and redrawn
thresholds are left out. The spreads of steps and bounds are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.errors import UnmodelledError
from hil.types import FloatArray
from twin.memristors import build_memristors
from twin.parameters import load_record
from twin.tiles.responses import TabulatedStep
from twin.waveforms import Constant

_N_STATES = 33
_READ_V = 0.1


@dataclass(frozen=True)
class PulsePair:
    """How a tile of M-SDC devices is written; assumed until chosen on a bench.

    Attributes:
        set_v: SET amplitude at the source.
        reset_v: RESET amplitude, negative.
        width_s: of either pulse.
        series_ohm: resistor in front of each device.
        low_siemens: conductance of weight -1, read at 0.1 V.
        high_siemens: of weight +1.
    """

    set_v: float = 0.4
    reset_v: float = -0.15
    width_s: float = 1e-6
    series_ohm: float = 1000.0
    low_siemens: float = 20e-6
    high_siemens: float = 120e-6


def msdc_response(
    record_id: str = "w-m2-2", pair: PulsePair | None = None, *, spread: float = 0.3
) -> TabulatedStep:
    """Return the response of a device of a record to a pair of pulses; costs some milliseconds.

    Args:
        record_id: of a calibration record.
        pair: the pulses and the window.
        spread: of steps from device to device and pulse to pulse, and of bounds, relative: assumed.

    Raises:
        UnmodelledError: one of the pulses does nothing in the middle of the window.
        StationError: there is no such record.
    """
    pair = pair or PulsePair()
    g_siemens = np.linspace(pair.low_siemens, pair.high_siemens, _N_STATES)
    span = pair.high_siemens - pair.low_siemens
    curves = [
        2 / span * _changes(record_id, pair, amplitude_v, g_siemens)
        for amplitude_v in (pair.set_v, pair.reset_v)
    ]
    middle = [float(curve[_N_STATES // 2]) for curve in curves]
    if not middle[0] > 0 > middle[1]:
        raise UnmodelledError(
            f"pulses of {pair.set_v:g} V and {pair.reset_v:g} V of {pair.width_s:g} s change the "
            f"middle of the window by {middle[0]:.2g} and {middle[1]:.2g} of its half: choose "
            f"larger or longer ones"
        )
    dw_min = (middle[0] - middle[1]) / 2
    return TabulatedStep(
        dw_min=dw_min,
        w_max=1.0,
        w_min=-1.0,
        dw_min_dtod=spread,
        w_max_dtod=spread,
        w_min_dtod=spread,
        dw_min_std=spread,
        curve_up=tuple((np.maximum(curves[0], 0.0) / dw_min).tolist()),
        curve_down=tuple((np.maximum(-curves[1], 0.0) / dw_min).tolist()),
    )


def _changes(
    record_id: str, pair: PulsePair, amplitude_v: float, g_siemens: FloatArray
) -> FloatArray:
    """Return what one pulse changes at each conductance, in S."""
    index = np.arange(len(g_siemens))
    devices = build_memristors([load_record(record_id)] * len(index), cycle_spread=False)
    devices.adopt_conductance(index, g_siemens, _READ_V)
    before = devices.conductance_siemens(index, _READ_V)
    devices.drive(
        index,
        Constant(np.full(len(index), amplitude_v)),
        np.full(len(index), pair.width_s),
        np.full(len(index), pair.series_ohm),
        np.full(len(index), np.inf),
    )
    changes: FloatArray = devices.conductance_siemens(index, _READ_V) - before
    return changes
