"""Zero shifting: weights are counted from the point at which SET and RESET steps are alike.

Alternating pulses take a device to that point, its symmetric point; a reference device would be
programmed to it. Here the reference is read once and subtracted in floating point: memory of the
size of the weights, which a real reference array has in its devices.

Source: Kim et al., Zero-shifting technique for deep neural network training on resistive
cross-point arrays, arXiv 1907.10228 (2019); assumption 4 of arXiv 2510.02516.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hil.errors import UsageError
from hil.tiles import Products, PulseArray, SummedProducts, Tile, TileCounts, TileMaker, WeightArray

_N_READS = 4  # of the last pairs, from which the reference is averaged


class ShiftedTile:
    """A tile whose weights are counted from its symmetric points; implements ``hil.tiles.Tile``.

    Making one costs its pulses on every device and some reads of all of it. It cannot go back to an
    earlier state.

    Args:
        tile: any.
        n_pairs: SET and RESET pulses on each device.
    """

    def __init__(self, tile: Tile, n_pairs: int) -> None:
        self._tile = tile
        ones = np.ones(tile.shape, np.int32)
        every = np.arange(tile.shape[1])
        reads = []
        for k in range(n_pairs):
            for pulses in (ones, -ones):
                tile.pulse(pulses)
                if k >= n_pairs - _N_READS:
                    reads.append(tile.read_columns(every))
        self._reference: WeightArray = np.mean(reads, axis=0, dtype=np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns)."""
        return self._tile.shape

    @property
    def dw_min(self) -> float:
        """Step of a mean device."""
        return self._tile.dw_min

    @property
    def counts(self) -> TileCounts:
        """What has been done so far, the shifting included."""
        return self._tile.counts

    @property
    def tile(self) -> Tile:
        """The tile without its reference."""
        return self._tile

    @property
    def reference(self) -> WeightArray:
        """The weights that count as 0, (n_rows, n_columns)."""
        return self._reference

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse outer products; see ``Tile.update``."""
        self._tile.update(x, d, rate)

    def pulse(self, n_pulses: PulseArray) -> None:
        """Give every cell pulses; see ``Tile.pulse``."""
        self._tile.pulse(n_pulses)

    def pulse_columns(self, columns: NDArray[np.intp], n_pulses: PulseArray) -> None:
        """Give the cells of some columns pulses; see ``Tile.pulse_columns``."""
        self._tile.pulse_columns(columns, n_pulses)

    def read_column(self, column: int) -> WeightArray:
        """Read one column, (n_rows,)."""
        return self._tile.read_column(column) - self._reference[:, column]

    def read_columns(self, columns: NDArray[np.intp]) -> WeightArray:
        """Read some columns, (n_rows, k)."""
        return self._tile.read_columns(columns) - self._reference[:, columns]

    def read_row(self, row: int) -> WeightArray:
        """Read one row, (n_columns,)."""
        weights: WeightArray = self._tile.read_row(row) - self._reference[row]
        return weights

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return x W^T."""
        y: WeightArray = self._tile.matvec(x) - x @ self._reference.T
        return y

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return d W."""
        back: WeightArray = self._tile.matvec_transposed(d) - d @ self._reference
        return back

    def stacked(self, others: Sequence[Tile], gains: Sequence[float]) -> Products:
        """Return products with the sum; see ``Tile.stacked``."""
        shifted = [tile for tile in others if isinstance(tile, ShiftedTile)]
        if len(shifted) != len(others):
            return SummedProducts([self, *others], gains)
        base = self._tile.stacked([tile.tile for tile in shifted], gains)
        reference = np.zeros(self.shape, np.float32)
        for gain, tile in zip(gains, [self, *shifted], strict=True):
            reference += np.float32(gain) * tile.reference
        return _ShiftedProducts(base, reference)


class _ShiftedProducts:
    """Products less those of a reference."""

    def __init__(self, base: Products, reference: WeightArray) -> None:
        self._base, self._reference = base, reference

    def matvec(self, x: WeightArray) -> WeightArray:
        y: WeightArray = self._base.matvec(x) - x @ self._reference.T
        return y

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        back: WeightArray = self._base.matvec_transposed(d) - d @ self._reference
        return back


def shifting(make_tile: TileMaker, n_pairs: int) -> TileMaker:
    """Return what makes shifted tiles out of a maker's.

    Raises:
        UsageError: fewer pairs than are read at the end.
    """
    if n_pairs < _N_READS:
        raise UsageError(f"{n_pairs} pairs of pulses: zero shifting takes {_N_READS} or more")
    return lambda shape, seed: ShiftedTile(make_tile(shape, seed), n_pairs)
