"""Pulse responses: how much one pulse changes a weight, by the weight.

Every response is given for SET (up) and RESET (down). Source: definitions of the device models in
the documentation of aihwkit 0.9 (``aihwkit.simulator.configs.devices``), which the published
results of arXiv 2510.02516 were obtained with; M-SDC: this project's device models.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hil.errors import UsageError

FloatArray = NDArray[np.float32]


class Law(IntEnum):
    """Which formula the kernels evaluate."""

    LINEAR = 0
    EXPONENTIAL = 1
    POWER = 2
    TABLE = 3


@dataclass(frozen=True)
class Response:
    """What all devices of a tile have in common, and how they spread.

    Attributes:
        dw_min: change of a mean device by one pulse at weight 0.
        w_max: upper bound.
        w_min: lower bound, negative.
        dw_min_dtod: relative spread of the step from device to device.
        w_max_dtod: relative spread of the upper bound.
        w_min_dtod: relative spread of the lower bound.
        dw_min_std: standard deviation of a step from pulse to pulse, relative.
        up_down: asymmetry of up and down steps; 0 for none.
        up_down_dtod: its spread.
        is_log_normal: whether the spread of the step is log-normal.
        write_noise_std: of the weight that is seen around the one that is held, in steps; drawn
            anew at every pulse.
    """

    dw_min: float = 0.001
    w_max: float = 0.6
    w_min: float = -0.6
    dw_min_dtod: float = 0.3
    w_max_dtod: float = 0.3
    w_min_dtod: float = 0.3
    dw_min_std: float = 0.3
    up_down: float = 0.0
    up_down_dtod: float = 0.01
    is_log_normal: bool = False
    write_noise_std: float = 0.0

    def __post_init__(self) -> None:
        if not (self.dw_min > 0 and self.w_min < self.w_max):
            raise UsageError(
                f"a step of {self.dw_min:g} between bounds of {self.w_min:g} and {self.w_max:g}: "
                f"steps are positive and bounds apart"
            )

    @property
    def n_states(self) -> float:
        """Range over step: the nominal number of states. Nothing snaps to a grid."""
        return (self.w_max - self.w_min) / self.dw_min


@dataclass(frozen=True)
class ConstantStep(Response):
    """w += s."""


@dataclass(frozen=True)
class LinearStep(Response):
    """w += s (1 - gamma w / w_max), and mirrored.

    Attributes:
        gamma_up: slope of up steps.
        gamma_down: slope of down steps.
        gamma_dtod: its spread, relative to the mean bound.
        is_additive: noise does not shrink with the step.
    """

    gamma_up: float = 0.0
    gamma_down: float = 0.0
    gamma_dtod: float = 0.05
    is_additive: bool = False


@dataclass(frozen=True)
class SoftBounds(Response):
    """w += s (1 - w / w_max): steps vanish at the own bound of each device."""


@dataclass(frozen=True)
class SoftBoundsReference(Response):
    """w += s (1 - (w + r) / w_max), seen against a reference device; noise is additive.

    Attributes:
        reference_std: spread of the reference r.
        subtracts_symmetry_point: r begins as the point where up and down steps are equal.
    """

    reference_std: float = 0.0
    subtracts_symmetry_point: bool = False


@dataclass(frozen=True)
class ExpStep(Response):
    """w += s max(0, 1 - A exp(gamma z)), z = 2 a w / (w_max - w_min) + b.

    Attributes:
        a_up: A of up steps.
        a_down: A of down steps, for -z.
        gamma_up: exponent of up steps.
        gamma_down: of down steps.
        a: scale of z.
        b: shift of z.
    """

    a_up: float = 0.00081
    a_down: float = 0.36833
    gamma_up: float = 12.44625
    gamma_down: float = 12.78785
    a: float = 0.244
    b: float = 0.2425


@dataclass(frozen=True)
class PowStep(Response):
    """w += s ((w_max - w) / (w_max - w_min))^gamma, and mirrored.

    Attributes:
        gamma_up: exponent of up steps.
        gamma_down: exponent of down steps.
    """

    gamma_up: float = 1.0
    gamma_down: float = 1.0


@dataclass(frozen=True)
class TabulatedStep(Response):
    """w += s c(w), with c from a table over equal parts of the own range of each device.

    Attributes:
        curve_up: c of up steps from the lower bound to the upper, in steps of ``dw_min``.
        curve_down: c of down steps, positive.
    """

    curve_up: tuple[float, ...] = (1.0, 1.0)
    curve_down: tuple[float, ...] = (1.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.curve_up) != len(self.curve_down) or len(self.curve_up) < 2:
            raise UsageError(
                f"curves of {len(self.curve_up)} and {len(self.curve_down)} points: both have the "
                f"same number, two at least"
            )


@dataclass(frozen=True)
class Cells:
    """The devices of a tile as the kernels take them; float32 arrays of shape (n_rows, n_columns).

    LINEAR: a step is a + b w, down steps negative. EXPONENTIAL: s y(z). POWER: s (share)^gamma.
    TABLE: s times a curve over equal parts of the range.

    Attributes:
        law: which of these.
        up: a or s of up steps.
        up_slope: b of up steps; of EXPONENTIAL and POWER unused, shape (1, 1).
        down: of down steps, negative.
        down_slope: of down steps.
        low: lower bound of each device.
        high: upper bound.
        noise_up: what additive noise is relative to, up; None for noise relative to the step.
        noise_down: the same, down.
        constants: of the law, shape (n,): EXPONENTIAL a_up, gamma_up, a_down, gamma_down, a, b;
            POWER gamma_up, gamma_down; TABLE the two curves one after the other.
        sigma: standard deviation of the noise.
        write_sigma: of the weight that is seen around the one that is held.
        dw_min: step of a mean device.
    """

    law: Law
    up: FloatArray
    up_slope: FloatArray
    down: FloatArray
    down_slope: FloatArray
    low: FloatArray
    high: FloatArray
    noise_up: FloatArray | None
    noise_down: FloatArray | None
    constants: FloatArray
    sigma: float
    write_sigma: float
    dw_min: float


def draw_cells(response: Response, shape: tuple[int, int], rng: np.random.Generator) -> Cells:
    """Draw the devices of a tile.

    Args:
        response: what they have in common.
        shape: (n_rows, n_columns).
        rng: of everything that differs from device to device.
    """

    def spread(ratio: float) -> NDArray[np.float64]:
        return 1 + ratio * rng.standard_normal(shape)

    high = np.maximum(response.w_max * spread(response.w_max_dtod), 0.0)
    low = np.minimum(response.w_min * spread(response.w_min_dtod), 0.0)
    gain = spread(response.dw_min_dtod)
    if response.is_log_normal:
        gain = np.exp(gain - 1)
    shift = response.up_down_dtod * rng.standard_normal(shape)
    up = np.abs(min(response.up_down, 0.0) + gain + shift) * response.dw_min
    down = -np.abs(-max(response.up_down, 0.0) + gain - shift) * response.dw_min
    return _cells(response, _Drawn(up, down, low, high), rng)


@dataclass(frozen=True)
class _Drawn:
    """Steps and bounds of devices."""

    up: NDArray[np.float64]
    down: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


_NONE = np.zeros(0)


def _cells(response: Response, drawn: _Drawn, rng: np.random.Generator) -> Cells:
    if isinstance(response, ExpStep):
        constants = (
            response.a_up,
            response.gamma_up,
            response.a_down,
            response.gamma_down,
            response.a,
            response.b,
        )
        return _packed(response, Law.EXPONENTIAL, drawn, constants=np.array(constants))
    if isinstance(response, PowStep):
        constants_of_power = np.array([response.gamma_up, response.gamma_down])
        return _packed(response, Law.POWER, drawn, constants=constants_of_power)
    if isinstance(response, TabulatedStep):
        curves = np.array([*response.curve_up, *response.curve_down])
        return _packed(response, Law.TABLE, drawn, constants=curves)
    return _linear(response, drawn, rng)


def _linear(response: Response, drawn: _Drawn, rng: np.random.Generator) -> Cells:
    up, down = drawn.up, drawn.down
    slopes = np.zeros_like(up), np.zeros_like(up)
    is_additive = False
    if isinstance(response, LinearStep):
        gammas = [
            np.abs(gamma + response.gamma_dtod * rng.standard_normal(up.shape))
            for gamma in (response.gamma_up, response.gamma_down)
        ]
        slopes = -gammas[0] * up / response.w_max, -gammas[1] * down / response.w_min
        is_additive = response.is_additive
    elif isinstance(response, SoftBounds | SoftBoundsReference):
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = (
                np.where(drawn.high > 0, -up / drawn.high, 0.0),
                np.where(drawn.low < 0, -down / drawn.low, 0.0),
            )
        # A device without any range does not move.
        up, down = np.where(drawn.high > 0, up, 0.0), np.where(drawn.low < 0, down, 0.0)
    if isinstance(response, SoftBoundsReference):
        is_additive = True
        reference = response.reference_std * rng.standard_normal(up.shape)
        if response.subtracts_symmetry_point:
            denominator = slopes[1] + slopes[0]
            reference = reference - np.divide(
                up + down, denominator, out=np.zeros_like(up), where=denominator != 0
            )
        moved = _Drawn(
            up + slopes[0] * reference,
            down + slopes[1] * reference,
            drawn.low - reference,
            drawn.high - reference,
        )
        return _packed(response, Law.LINEAR, moved, slopes, (up, down))
    noise = (up, down) if is_additive else None
    return _packed(response, Law.LINEAR, _Drawn(up, down, drawn.low, drawn.high), slopes, noise)


def _packed(
    response: Response,
    law: Law,
    drawn: _Drawn,
    slopes: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    noise: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    constants: NDArray[np.float64] = _NONE,
) -> Cells:
    unused = np.zeros((1, 1))
    up_slope, down_slope = slopes or (unused, unused)

    def single(values: NDArray[np.float64]) -> FloatArray:
        return np.ascontiguousarray(values, dtype=np.float32)

    return Cells(
        law=law,
        up=single(drawn.up),
        up_slope=single(up_slope),
        down=single(drawn.down),
        down_slope=single(down_slope),
        low=single(drawn.low),
        high=single(drawn.high),
        noise_up=None if noise is None else single(noise[0]),
        noise_down=None if noise is None else single(noise[1]),
        constants=single(constants),
        sigma=response.dw_min_std,
        write_sigma=response.write_noise_std * response.dw_min,
        dw_min=response.dw_min,
    )
