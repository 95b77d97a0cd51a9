"""Do the numbers agree with what is said about them?"""

from __future__ import annotations

import numpy as np

from calibration.sine import MAX_RESIDUAL_RATIO, SineFit
from hil.errors import UsageError
from hil.types import FloatArray
from hil.units import text

RESISTOR_TOLERANCE_RATIO = 0.05
"""Chosen: twice the tolerance of a poor resistor, far below the step between two common ones."""

AMPLITUDE_TOLERANCE_RATIO = 0.1
"""Chosen: generators are better than that, and amplitudes are never set so close together."""


def check_resistor(
    v_source_v: FloatArray, v_device_v: FloatArray, i_a: FloatArray, stated_ohm: float, what: str
) -> float:
    """Return the series resistance that voltages and current show, by least squares.

    Refused rather than warned of: a fit that takes the wrong resistor out is wrong throughout,
    and nothing in it shows that. Three standard errors of the estimate are allowed on top of the
    tolerance, so that a small current does not refuse noisy data.

    Raises:
        UsageError: it is not the stated one.
    """
    drop_v = v_source_v - v_device_v
    power = float(i_a @ i_a)
    if power == 0:
        raise UsageError(f"{what}: the current is zero in every row")
    seen_ohm = float(drop_v @ i_a) / power
    rest_v = drop_v - seen_ohm * i_a
    error_ohm = np.sqrt(float(rest_v @ rest_v) / max(len(i_a) - 1, 1) / power)
    if abs(seen_ohm - stated_ohm) > RESISTOR_TOLERANCE_RATIO * stated_ohm + 3 * error_ohm:
        raise UsageError(
            f"{what}: (V_source - V_device) / I is {text(seen_ohm, 'Ohm')}, but the series "
            f"resistor is said to be {text(stated_ohm, 'Ohm')}; correct series_resistor_ohm or "
            "the unit of the current"
        )
    return seen_ohm


def check_sine(sine: SineFit, amplitude_v: float | None, what: str) -> None:
    """Check that the source followed one period of a sine of the amplitude that is stated.

    Raises:
        UsageError: it did not.
    """
    if not sine.is_sine:
        raise UsageError(
            f"{what}: the applied voltage is not one period of a sine (it leaves "
            f"{sine.residual_ratio:.1%} of the amplitude, {MAX_RESIDUAL_RATIO:.0%} are allowed)"
        )
    if amplitude_v and abs(sine.amplitude_v / amplitude_v - 1) > AMPLITUDE_TOLERANCE_RATIO:
        raise UsageError(
            f"{what}: the applied voltage has an amplitude of {text(sine.amplitude_v, 'V')}, but "
            f"it is said to be {text(amplitude_v, 'V')}; correct amplitude_v"
        )
