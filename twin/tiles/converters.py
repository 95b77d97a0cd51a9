"""What converters and noise do to a matrix-vector product of a tile.

Source: the input and output model that aihwkit documents (DAC, noise, ADC, noise and bound
management); its default numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.tiles import WeightArray

_LEAST_SCALE = 1 / 1000  # of inputs that are made smaller because outputs clip


@dataclass(frozen=True)
class Converters:
    """DAC before and ADC behind a tile.

    Attributes:
        input_bits: of the DAC; 0 for none.
        output_bits: of the ADC; 0 for none.
        input_bound: full scale of the DAC.
        output_bound: full scale of the ADC.
        output_noise: standard deviation, in units of the output.
        scales_inputs: the largest input of each vector is brought to the bound (noise management).
        halves_inputs: vectors whose output clips are done again with half the input (bound
            management).
    """

    input_bits: int = 7
    output_bits: int = 9
    input_bound: float = 1.0
    output_bound: float = 12.0
    output_noise: float = 0.06
    scales_inputs: bool = True
    halves_inputs: bool = True

    def product(
        self,
        multiply: Callable[[WeightArray], WeightArray],
        x: WeightArray,
        rng: np.random.Generator,
    ) -> WeightArray:
        """Return what comes out for inputs (k, n): noisy, in steps, within the bounds.

        Args:
            multiply: the exact product.
            x: inputs.
            rng: of the noise.
        """
        most = np.abs(x).max(axis=1, keepdims=True)
        scale = np.where(most > 0, most, 1.0) if self.scales_inputs else np.ones_like(most)
        scale = scale.astype(np.float32)
        y = self._once(multiply, (x / scale).astype(np.float32), rng)
        part = 1.0
        while self.halves_inputs and part > _LEAST_SCALE:
            clips = (np.abs(y) >= self.output_bound).any(axis=1)
            if not clips.any():
                break
            part /= 2
            scale[clips] *= 2
            smaller = (x[clips] / scale[clips]).astype(np.float32)
            y[clips] = self._once(multiply, smaller, rng)
        y *= scale
        y[most[:, 0] == 0] = 0
        return y

    def _once(
        self,
        multiply: Callable[[WeightArray], WeightArray],
        x: WeightArray,
        rng: np.random.Generator,
    ) -> WeightArray:
        y = multiply(_converted(x, self.input_bound, self.input_bits))
        if self.output_noise:
            noise = rng.standard_normal(y.shape, dtype=np.float32)
            y = y + np.float32(self.output_noise) * noise
        return _converted(y, self.output_bound, self.output_bits)


def _converted(values: WeightArray, bound: float, n_bits: int) -> WeightArray:
    """Return values in 2^n - 2 steps between the bounds; 0 is one of them."""
    clipped = np.clip(values, -bound, bound)
    if not n_bits:
        return clipped
    step = np.float32(2 * bound / (2**n_bits - 2))
    stepped: NDArray[np.float32] = np.rint(clipped / step) * step
    return stepped.astype(np.float32, copy=False)
