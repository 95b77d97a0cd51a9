"""What is known of a device before its loops are fitted, as a few more data points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hil.types import FloatArray


@dataclass(frozen=True)
class Prior:
    """A quantity that was measured elsewhere.

    Attributes:
        name: for reports.
        value: that was measured.
        standard_uncertainty: of the value, with the scatter between devices.
        source: of the value.
        predict: the quantity as parameters say it, one for each lane.
    """

    name: str
    value: float
    standard_uncertainty: float
    source: str
    predict: Callable[[Mapping[str, FloatArray]], FloatArray]


def off_shape(values: Mapping[str, FloatArray], v_v: float) -> FloatArray:
    """Return G(V)/G(0) of a device in its OFF state, chord conductance."""
    share = values["c_forward_ratio"]
    b_f, b_r = values["b_forward_per_v"], values["b_reverse_per_v"]
    with np.errstate(over="ignore"):
        forward = share * np.expm1(b_f * v_v) / b_f
        reverse = (1 - share) * np.expm1(-b_r * v_v) / b_r
    shape: FloatArray = (forward - reverse) / v_v
    return shape


_READS = (
    "reads of 56 SDC devices of low conductance with 1 kHz triangles (sdpenguin/"
    "memristor-state-characterisation, 06c2617; arXiv 2505.15757), chord conductance over that at "
    "0 V; best fit and a quarter of the published range, which is taken as two deviations each way"
)

READ_SHAPE: tuple[Prior, ...] = (
    Prior("G(+0.1 V)/G(0), OFF", 1.42, 0.09, _READS, lambda values: off_shape(values, 0.1)),
    Prior("G(-0.1 V)/G(0), OFF", 0.91, 0.04, _READS, lambda values: off_shape(values, -0.1)),
)
"""The diode is what loops at 0.8 V hardly tell: there the state moves long before it bends."""


def priors_of(model: str) -> tuple[Prior, ...]:
    """Return the priors that make sense for a model: a plain switch has no diode."""
    return READ_SHAPE if model == "gmss" else ()
