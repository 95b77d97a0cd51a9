"""The weights seam: what a learning algorithm may ask of a tile, simulated or on a board."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

WeightArray = NDArray[np.float32]
PulseArray = NDArray[np.int32]


@dataclass
class TileCounts:
    """What has been done to a tile since it was made.

    Attributes:
        n_pulses: pulses that reached a cell, SET and RESET together.
        n_slots: times at which lines could have fired together; a slot lasts one pulse.
        n_updates: vectors that were pulsed into it.
        n_reads: columns or rows that were read.
        n_products: vectors that were multiplied with it, either way.
        energy_j: of all of these.
        time_s: that they took on the tile.
    """

    n_pulses: int = 0
    n_slots: int = 0
    n_updates: int = 0
    n_reads: int = 0
    n_products: int = 0
    energy_j: float = 0.0
    time_s: float = 0.0


class Products(Protocol):
    """A matrix of weights to multiply with: one tile, or several that add up."""

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return x W^T of each input, (k, n_columns) to (k, n_rows)."""
        ...

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return d W of each vector of errors, (k, n_rows) to (k, n_columns)."""
        ...


class SummedProducts:
    """Products of several tiles, each by itself, added in floating point.

    Args:
        parts: of one shape.
        gains: one for each part.
    """

    def __init__(self, parts: Sequence[Products], gains: Sequence[float]) -> None:
        self._parts = list(parts)
        self._gains = [np.float32(gain) for gain in gains]

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return the sum of gain x W^T."""
        return self._summed([part.matvec(x) for part in self._parts])

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return the sum of gain d W."""
        return self._summed([part.matvec_transposed(d) for part in self._parts])

    def _summed(self, products: Sequence[WeightArray]) -> WeightArray:
        total = self._gains[0] * products[0]
        for gain, product in zip(self._gains[1:], products[1:], strict=True):
            total += gain * product
        return total


@runtime_checkable
class Restorable(Protocol):
    """What can go on from an earlier state; real devices cannot."""

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes: numbers, text, arrays, and dicts and lists of these."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the snapshot of one that was made with the same arguments, bit for bit.

        Raises:
            UsageError: it is of something else.
        """
        ...


@runtime_checkable
class Settable(Protocol):
    """A tile of a simulator, which can be given weights without pulses."""

    def set_weights(self, weights: WeightArray) -> None:
        """Put weights into the devices, (n_rows, n_columns), clipped to what each can hold."""
        ...


class Tile(Products, Protocol):
    """An array of cells that hold weights, changed by pulses. Weights have no unit.

    Rows are outputs, columns inputs: ``matvec`` maps (k, n_columns) to (k, n_rows).
    """

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns): outputs and inputs."""
        ...

    @property
    def dw_min(self) -> float:
        """Change of a mean cell by one pulse at weight 0."""
        ...

    @property
    def counts(self) -> TileCounts:
        """What has been done so far."""
        ...

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse outer products into the tile, so that on average W changes by -rate d^T x.

        Samples are pulsed one after the other, as stochastic trains on all lines at once. Wears
        every cell where two lines fire together.

        Args:
            x: on the columns, shape (k, n_columns).
            d: on the rows, shape (k, n_rows).
            rate: learning rate.
        """
        ...

    def pulse(self, n_pulses: PulseArray) -> None:
        """Give every cell a number of pulses, shape (n_rows, n_columns); negative ones are RESET.

        Costs as many slots as the largest number, one row after the other.
        """
        ...

    def pulse_columns(self, columns: NDArray[np.intp], n_pulses: PulseArray) -> None:
        """Give the cells of some columns a number of pulses each; see ``pulse``.

        Args:
            columns: different ones, shape (k,).
            n_pulses: shape (n_rows, k); negative ones are RESET.
        """
        ...

    def read_column(self, column: int) -> WeightArray:
        """Read the weights of one column, shape (n_rows,)."""
        ...

    def read_columns(self, columns: NDArray[np.intp]) -> WeightArray:
        """Read the weights of some columns, one after the other, shape (n_rows, k)."""
        ...

    def read_row(self, row: int) -> WeightArray:
        """Read the weights of one row, shape (n_columns,)."""
        ...

    def stacked(self, others: Sequence[Tile], gains: Sequence[float]) -> Products:
        """Return products with the sum of this tile and others of its shape.

        Where the hardware can, currents are added before one converter.

        Args:
            others: added to this one.
            gains: of this tile and the others.
        """
        ...


TileMaker = Callable[[tuple[int, int], int], Tile]
"""Makes a tile of a shape (n_rows, n_columns) with a seed."""
