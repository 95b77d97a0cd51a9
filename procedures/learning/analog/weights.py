"""The weights of one layer, as a network sees them, and the two simplest kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hil.tiles import Tile, TileMaker, WeightArray


class LayerWeights(Protocol):
    """Weights (n_outputs, n_inputs) that are trained by outer products."""

    @property
    def tiles(self) -> Sequence[Tile]:
        """The tiles behind them, the coarsest first; empty if digital."""
        ...

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x W^T, (k, n_inputs) to (k, n_outputs)."""
        ...

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d W, (k, n_outputs) to (k, n_inputs)."""
        ...

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Take a step down the gradient d^T x, summed over samples, of a minibatch.

        Args:
            x: inputs, (k, n_inputs).
            d: errors at the outputs, (k, n_outputs), with the 1 / batch of a mean loss in them.
            rate: learning rate of this step.
        """
        ...


class DigitalWeights:
    """Weights in floating point: the control.

    Args:
        weights: to begin with, (n_outputs, n_inputs).
    """

    tiles: Sequence[Tile] = ()

    def __init__(self, weights: WeightArray) -> None:
        self._w = weights.astype(np.float32)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x W^T."""
        return x @ self._w.T

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d W."""
        return d @ self._w

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Subtract rate d^T x."""
        self._w -= np.float32(rate) * (d.T @ x)


class AnalogSGD:
    """One tile that takes every gradient as pulses.

    Args:
        make_tile: of the layer's shape.
        weights: to begin with: programmed as near as pulses come, see ``program``.
        seed: of the tile.
    """

    def __init__(self, make_tile: TileMaker, weights: WeightArray, seed: int) -> None:
        self._tile = make_tile(_shape(weights), seed)
        program(self._tile, weights)

    @property
    def tiles(self) -> Sequence[Tile]:
        """The one tile."""
        return (self._tile,)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x W^T."""
        return self._tile.matvec(x)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d W."""
        return self._tile.matvec_transposed(d)

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse the gradient into the tile."""
        self._tile.update(x, d, rate)


class MixedPrecision:
    """One tile, and a sum of gradients in floating point that is handed over in whole pulses.

    Source: Nandakumar et al., Front. Neurosci. 14:406 (2020). Digital memory and work of the size
    of the weights.

    Args:
        make_tile: of the layer's shape.
        weights: to begin with.
        seed: of the tile.
        transfer_every: minibatches between two transfers of all that has added up.
    """

    def __init__(
        self, make_tile: TileMaker, weights: WeightArray, seed: int, transfer_every: int = 1
    ) -> None:
        self._tile = make_tile(_shape(weights), seed)
        program(self._tile, weights)
        self._sum = np.zeros(weights.shape, np.float32)
        self._every, self._n_batches = transfer_every, 0

    @property
    def tiles(self) -> Sequence[Tile]:
        """The one tile."""
        return (self._tile,)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x W^T."""
        return self._tile.matvec(x)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d W."""
        return self._tile.matvec_transposed(d)

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Add the gradient up; pulse what is worth a pulse or more, and keep the rest."""
        self._sum -= np.float32(rate) * (d.T @ x)
        self._n_batches += 1
        if self._n_batches % self._every:
            return
        n_pulses = np.trunc(self._sum / np.float32(self._tile.dw_min)).astype(np.int32)
        if n_pulses.any():
            self._tile.pulse(n_pulses)
            self._sum -= n_pulses * np.float32(self._tile.dw_min)


def program(tile: Tile, weights: WeightArray, n_rounds: int = 5) -> None:
    """Bring a tile near to weights by pulses and reads: as near as half a step, where it can.

    Costs a read of every column and its pulses in each round.
    """
    for _ in range(n_rounds):
        found = np.stack([tile.read_column(j) for j in range(tile.shape[1])], axis=1)
        n_pulses = np.rint((weights - found) / np.float32(tile.dw_min)).astype(np.int32)
        if not n_pulses.any():
            return
        tile.pulse(n_pulses)


def transfer_column(source: WeightArray, target: Tile, column: int, rate: float) -> None:
    """Add ``rate`` times a column that was read to the same column of another tile, by pulses."""
    x = np.zeros((1, target.shape[1]), np.float32)
    x[0, column] = 1.0
    target.update(x, -source[None, :], rate)


def _shape(weights: WeightArray) -> tuple[int, int]:
    n_rows, n_columns = weights.shape
    return n_rows, n_columns
