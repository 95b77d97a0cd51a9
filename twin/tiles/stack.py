"""Simulated tiles whose currents are added with gains before one converter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hil.errors import UsageError
from hil.tiles import WeightArray


class Part(Protocol):
    """What a stack asks of each of its tiles."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns)."""
        ...

    @property
    def weights(self) -> WeightArray:
        """The weights themselves."""
        ...

    @property
    def n_changes(self) -> int:
        """How often the weights may have changed."""
        ...

    def count_products(self, n_products: int) -> None:
        """Count products of which this tile gives a part."""
        ...

    def product(self, x: WeightArray, matrix: WeightArray) -> WeightArray:
        """Multiply with a matrix through the converters of this tile, counted."""
        ...


class SimulatedStack:
    """Products with the sum of tiles, gains included; implements ``hil.tiles.Products``.

    The sum is kept until a tile changes, so that a product costs as much as that of one tile. Each
    tile counts it as its own. Converters and their noise are those of the first tile, once for all.

    Args:
        tiles: of one shape.
        gains: one for each tile.

    Raises:
        UsageError: tiles of different shapes, or another number of gains.
    """

    def __init__(self, tiles: Sequence[Part], gains: Sequence[float]) -> None:
        if len(gains) != len(tiles) or len({tile.shape for tile in tiles}) != 1:
            shapes = ", ".join(str(tile.shape) for tile in tiles)
            raise UsageError(f"{len(gains)} gains for tiles of {shapes}: tiles of one shape")
        self._tiles = list(tiles)
        self._gains = [np.float32(gain) for gain in gains]
        self._sum = np.zeros(tiles[0].shape, np.float32)
        self._rest, self._part = self._sum.copy(), self._sum.copy()
        self._known = [-1] * len(tiles)

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return x (sum of gain W)^T, (k, n_columns) to (k, n_rows)."""
        return self._product(x, self.weights.T)

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return d (sum of gain W), (k, n_rows) to (k, n_columns)."""
        return self._product(d, self.weights)

    @property
    def weights(self) -> WeightArray:
        """The sum itself, not to be written to: a simulator knows."""
        last, n_changes = self._tiles[-1], [tile.n_changes for tile in self._tiles]
        if n_changes[:-1] != self._known[:-1]:
            self._rest.fill(0)
            for tile, gain in zip(self._tiles[:-1], self._gains, strict=False):
                np.multiply(tile.weights, gain, out=self._part)
                self._rest += self._part
        if n_changes != self._known:
            np.multiply(last.weights, self._gains[-1], out=self._part)
            np.add(self._rest, self._part, out=self._sum)
            self._known = n_changes
        return self._sum

    def _product(self, x: WeightArray, matrix: WeightArray) -> WeightArray:
        first, *others = self._tiles
        for tile in others:
            tile.count_products(len(x))
        return first.product(x, matrix)
