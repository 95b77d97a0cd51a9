"""AGAD: chopped Tiki-Taka that measures the zero of the fast tile as it goes.

Source: AGAD of Rasch, Carta, Fagbohungbe and Gokmen, Nat. Commun. 15:7133 (2024); details that its
text leaves open as in aihwkit (``DynamicTransferCompound``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import ParameterError
from hil.tiles import TileMaker, WeightArray
from procedures.learning.analog.chopped import ChoppedTransfer, TransferSettings


@dataclass(frozen=True)
class DynamicSettings(TransferSettings):
    """Settings of AGAD.

    Attributes:
        chop_period: reads of a column after which its sign changes.
        tail_weight: over ``chop_period``, the part of a new read in the running mean, 1 at most:
            the more, the more a reference comes from the end of its period.

    Raises:
        ParameterError: a value that cannot be.
    """

    chop_period: int = 10
    tail_weight: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chop_period < 1:
            raise ParameterError(f"chop_period = {self.chop_period}: at least 1")
        if not self.tail_weight > 0:
            raise ParameterError(f"tail_weight = {self.tail_weight:g}: above 0")


class DynamicTikiTaka(ChoppedTransfer):
    """Analog gradient accumulation with dynamic reference (AGAD).

    Signs change in a regular period. What counts of a read is its distance from a reference, the
    running mean of the reads at the last change. There is none in the first period: nothing is
    handed over. Mean, reference and buffer each have the size of the weights.

    Args:
        make_tile: of the layer's shape, called twice.
        weights: to begin with, on the slow tile.
        seed: of the first tile; the second has the next one.
        settings: rates and periods.
    """

    def __init__(
        self,
        make_tile: TileMaker,
        weights: WeightArray,
        seed: int,
        settings: DynamicSettings | None = None,
    ) -> None:
        settings = settings or DynamicSettings()
        super().__init__(make_tile, weights, seed, settings)
        self._period = settings.chop_period
        self._new_ratio = np.float32(min(settings.tail_weight / settings.chop_period, 1.0))
        self._mean, self._reference = np.zeros_like(self._buffer), np.zeros_like(self._buffer)

    def snapshot(self) -> dict[str, Any]:
        """Return the mean and the reference as well."""
        return super().snapshot() | {
            "mean": self._mean.copy(),
            "reference": self._reference.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        super().restore(state)
        self._mean[...] = state["mean"]
        self._reference[...] = state["reference"]

    def _signal(self, read: WeightArray, column: int) -> WeightArray:
        self._mean[:, column] += self._new_ratio * (read - self._mean[:, column])
        if self._n_sweeps < self._period:
            return np.zeros_like(read)
        return read - self._reference[:, column]

    def _is_to_flip(self, column: int) -> bool:
        return (self._n_sweeps + 1) % self._period == 0

    def _flip(self, column: int) -> None:
        super()._flip(column)
        self._reference[:, column] = self._mean[:, column]
