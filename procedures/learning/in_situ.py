"""In-situ learning: which pulse each device gets next, from the sign of its gradient alone.

No conductance is a target here, and none is verified: the network's own outputs give the error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.types import Dopant, FloatArray
from procedures.learning.inference import Response
from procedures.learning.mapping import WeightMap
from procedures.learning.network import LEAK, SHARPNESS


def gradient(
    response: Response, images: FloatArray, labels: NDArray[np.int64], last: FloatArray
) -> FloatArray:
    """Return the gradient of the mean logistic loss from what the board answered, shape (30,).

    Args:
        response: of the board to ``images``.
        images: shape (n_images, 9).
        labels: 0 or 1.
        last: weights of the output neuron as they are on the board, shape (3,).
    """
    error = (1 + np.tanh(SHARPNESS * response.output / 2)) / 2 - labels
    active = (response.hidden > 0) & (response.hidden < 1)
    back = error[:, None] * last[None, :] * np.where(active, 1.0, LEAK)
    of_hidden = images.T @ back
    summed = np.concatenate([of_hidden.ravel(), response.hidden.T @ error])
    return summed / len(images)


class Accumulator:
    """Adds up gradients in the controller until they are worth a pulse.

    Args:
        n_weights: how many.
        threshold: sum of gradients at which a weight gets a pulse.
        growth_ratio: by how much of itself the threshold grows with every batch, so that the noise
            of late batches moves less and less.
    """

    def __init__(self, n_weights: int, threshold: float, growth_ratio: float = 0.0) -> None:
        self._sums = np.zeros(n_weights)
        self._threshold = threshold
        self._growth = threshold * growth_ratio

    def directions(self, gradients: FloatArray) -> NDArray[np.int64]:
        """Return +1 where a weight has to rise, -1 where it has to fall, 0 where it may stay.

        What has led to a pulse is forgotten. The closer the network is to its labels, the rarer
        pulses become.
        """
        self._sums += gradients
        self._threshold += self._growth
        due = np.abs(self._sums) > self._threshold
        wanted = np.where(due, -np.sign(self._sums), 0.0).astype(np.int64)
        self._sums[due] = 0.0
        return wanted


V_HOLD_V = {Dopant.W: 0.21, Dopant.CR: 0.185, Dopant.C: 0.125}
"""What stays across a device after a SET of 20 ms: medians of twins with recorded spread (Cr and C
assumed). On a bench it is read off a few pulses: amplitude / (1 + R G)."""

_LEVEL_MAX = 1.3
_LEVEL_INIT = 0.5


class PulseLadder:
    """The level of every device: it knows which amplitude each had last, and no conductance.

    A SET takes an SDC device to the conductance that its amplitude and the series resistor allow,
    amplitude = V_hold (1 + R G); a RESET runs away once it has begun. So a weight rises by a SET of
    the next larger amplitude, and falls by a RESET and a SET of the next smaller one. Levels are
    even in the weight that a device with this V_hold would carry; where another one ends up, the
    outputs of the network tell.

    Args:
        weight_map: weights on conductances.
        v_hold_v: left across a device after a SET.
        n_levels: from weight -1 to 1; some are left beyond either end.
        n_devices: how many.
        rng: of the levels to begin with, from -0.5 to 0.5.
    """

    def __init__(
        self,
        weight_map: WeightMap,
        v_hold_v: float,
        n_levels: int,
        n_devices: int,
        rng: np.random.Generator,
    ) -> None:
        self._map = weight_map
        self._v_hold_v = v_hold_v
        self._step = 2 / n_levels
        self._levels = rng.uniform(-_LEVEL_INIT, _LEVEL_INIT, n_devices)

    @property
    def set_v(self) -> FloatArray:
        """SET amplitude of every device, shape (n_devices,)."""
        return self._amplitudes_v(self._levels)

    @property
    def set_max_v(self) -> float:
        """Largest amplitude that there can be."""
        return float(self._amplitudes_v(np.array([_LEVEL_MAX]))[0])

    def step(self, wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Move levels one step; return which devices get pulses: those that moved.

        Args:
            wanted: +1, -1 or 0 for each device, shape (n_devices,).
        """
        moved = np.clip(self._levels + wanted * self._step, -_LEVEL_MAX, _LEVEL_MAX)
        moves: NDArray[np.bool_] = moved != self._levels
        self._levels = moved
        return moves

    def _amplitudes_v(self, levels: FloatArray) -> FloatArray:
        m = self._map
        branch = m.reference_siemens + levels * m.half_width_siemens
        # 1 + R G = 1 / (1 - R b), with b the conductance of the branch
        taken = np.clip(branch * m.r_path_ohm, 0.0, _MOST_TAKEN)
        amplitudes_v: FloatArray = self._v_hold_v / (1 - taken)
        return amplitudes_v


_MOST_TAKEN = 0.9
"""Share of the amplitude that the series resistor takes at most."""
