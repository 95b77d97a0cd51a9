"""How many slots a sample gets, and how values become chances to fire.

Source: update management and bit-length management of Gokmen and Vlasov (Front. Neurosci. 10:333,
2016) and Gokmen, Onen, Haensch (Front. Neurosci. 11:538, 2017), as aihwkit documents them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.errors import UsageError
from hil.tiles import WeightArray

MAX_SLOTS = 31
"""Slots of a sample at most: a train is one word of 32 bits."""


class TrainPlan(NamedTuple):
    """For each of k samples.

    Attributes:
        n_slots: shape (k,); 0 where nothing is to be done.
        x_scales: chance of a column to fire for a value of 1.
        d_scales: of a row.
    """

    n_slots: NDArray[np.int64]
    x_scales: WeightArray
    d_scales: WeightArray


@dataclass(frozen=True)
class Management:
    """How trains are planned.

    Attributes:
        max_slots: at most; without ``fits_slots`` always as many.
        fits_slots: as few slots as the largest product needs (bit-length management).
        balances: rows and columns get equal largest chances (update management).

    Raises:
        UsageError: more slots than a train has bits.
    """

    max_slots: int = MAX_SLOTS
    fits_slots: bool = True
    balances: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.max_slots <= MAX_SLOTS:
            raise UsageError(f"{self.max_slots} slots: a train has 1 to {MAX_SLOTS}")

    def plan(self, x: WeightArray, d: WeightArray, rate: float, dw_min: float) -> TrainPlan:
        """Plan trains so that n_slots p_x p_d dw_min = rate |x| |d| on average.

        Chances above 1 are cut: without balancing large values are lost, with it only what would
        need more than ``max_slots`` pulses.
        """
        x_most, d_most = (np.abs(v).max(axis=1, initial=0.0).astype(np.float64) for v in (x, d))
        n_pulses = rate * x_most * d_most / dw_min  # on the cell with most
        is_used = n_pulses > 0
        n_slots = np.full(len(x), self.max_slots)
        if self.fits_slots:
            n_slots = np.clip(np.ceil(n_pulses), 1, self.max_slots).astype(np.int64)
        n_slots[~is_used] = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            share = rate / (dw_min * n_slots)  # of x d that is a chance
            if self.balances:
                x_scales = np.sqrt(share * d_most / x_most)
                x_scales = np.where(n_pulses > self.max_slots, 1 / x_most, x_scales)
            else:
                x_scales = np.sqrt(share)
            d_scales = share / x_scales
        x_scales, d_scales = (np.where(is_used, v, 0.0) for v in (x_scales, d_scales))
        return TrainPlan(n_slots, x_scales.astype(np.float32), d_scales.astype(np.float32))
