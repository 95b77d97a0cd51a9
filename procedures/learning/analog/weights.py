"""The weights of one layer, as a network sees them, and the two simplest kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from hil.tiles import Settable, Tile, TileMaker, WeightArray


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

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes but the tiles; see ``hil.tiles.Restorable``."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
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

    def snapshot(self) -> dict[str, Any]:
        """Return the weights."""
        return {"weights": self._w.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up weights."""
        self._w[...] = state["weights"]


class AnalogSGD:
    """One tile that takes every gradient as pulses.

    Args:
        make_tile: of the layer's shape.
        weights: to begin with: programmed as near as pulses come, see ``program``.
        seed: of the tile.
    """

    def __init__(self, make_tile: TileMaker, weights: WeightArray, seed: int) -> None:
        self._tile = make_tile(_shape(weights), seed)
        begin_with([self._tile], [1.0], weights)

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

    def snapshot(self) -> dict[str, Any]:
        """Return nothing: all is in the tile."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up nothing."""


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
        begin_with([self._tile], [1.0], weights)
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

    def snapshot(self) -> dict[str, Any]:
        """Return the sum and the minibatches so far."""
        return {"sum": self._sum.copy(), "n_batches": self._n_batches}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._sum[...] = state["sum"]
        self._n_batches = int(state["n_batches"])


def begin_with(tiles: Sequence[Tile], gains: Sequence[float], weights: WeightArray) -> None:
    """Let tiles of falling gain begin with weights.

    A simulated tile takes them as they are, as in the code of arXiv 2510.02516: all on the first
    one. Real tiles are programmed, each with what those before it have left; see ``program``.
    """
    if isinstance(tiles[0], Settable):
        tiles[0].set_weights(weights / np.float32(gains[0]))
        return
    rest = weights.astype(np.float32)
    for tile, gain in zip(tiles, gains, strict=True):
        program(tile, rest / np.float32(gain))
        rest = rest - np.float32(gain) * read_all(tile)


def read_all(tile: Tile) -> WeightArray:
    """Return the weights of a tile, (n_rows, n_columns), a read for each column."""
    return tile.read_columns(np.arange(tile.shape[1]))


def program(tile: Tile, weights: WeightArray, n_rounds: int = 5) -> None:
    """Bring a tile near to weights by pulses and reads: as near as half a step, where it can.

    Costs a read of every column and its pulses in each round.
    """
    for _ in range(n_rounds):
        n_pulses = np.rint((weights - read_all(tile)) / np.float32(tile.dw_min)).astype(np.int32)
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
