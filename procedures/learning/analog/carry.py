"""Residual tiles with a closed-loop carry: what fills the finest tile is moved up and checked.

Ours, not of arXiv 2510.02516: its cascade hands down open loop, what is handed over is neither
checked nor taken off. Here gradients pulse the finest tile alone as well; columns are visited in
turn, and where an entry of the finest tile has grown, the composite weight is written anew, from
the coarse tiles to the fine ones, each verified by a read. One visit's columns are all that is ever
stored digitally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import ParameterError
from hil.tiles import Tile, TileMaker, WeightArray
from procedures.learning.analog.weights import begin_with

Columns = NDArray[np.intp]


@dataclass(frozen=True)
class CarrySettings:
    """How residual tiles carry.

    Attributes:
        n_tiles: two or more.
        gamma: gain of each tile over that of the one before it, in (0, 1).
        fast_rate: of the finest tile, so that the composite follows the learning rate of the step
            times this; 1 for as it is.
        visit_every: minibatches between two visits.
        n_columns: in a visit, in turn.
        threshold: of an entry of the finest tile, from which its weight is written anew.
        rest: that a tile leaves to the next one at most, as an entry of that; a larger one is
            worth pulses.
        n_rounds: of pulses and a read, at most, on each tile.

    Raises:
        ParameterError: a value that cannot be.
    """

    n_tiles: int = 4
    gamma: float = 0.3
    fast_rate: float = 1.0
    visit_every: int = 4
    n_columns: int = 32
    threshold: float = 0.5
    rest: float = 0.4
    n_rounds: int = 3

    def __post_init__(self) -> None:
        if self.n_tiles < 2:
            raise ParameterError(f"n_tiles = {self.n_tiles}: a carry needs two tiles or more")
        if not 0 < self.gamma < 1:
            raise ParameterError(f"gamma = {self.gamma:g}: the gain of the next tile is in (0, 1)")
        for name in ("visit_every", "n_columns", "n_rounds"):
            if getattr(self, name) < 1:
                raise ParameterError(f"{name} = {getattr(self, name)}: at least 1")
        for name in ("fast_rate", "threshold", "rest"):
            if not getattr(self, name) > 0:
                raise ParameterError(f"{name} = {getattr(self, name):g}: above 0")


class CarriedWeights:
    """Composite weights of one layer, kept in range by a carry.

    Args:
        make_tile: of the layer's shape, called for every tile.
        weights: to begin with; see ``begin_with``.
        seed: of the coarsest tile; the others have the next ones.
        settings: gains, visits, thresholds.
    """

    def __init__(
        self,
        make_tile: TileMaker,
        weights: WeightArray,
        seed: int,
        settings: CarrySettings | None = None,
    ) -> None:
        self._settings = settings or CarrySettings()
        n_tiles, shape = self._settings.n_tiles, (weights.shape[0], weights.shape[1])
        self._tiles = [make_tile(shape, seed + n) for n in range(n_tiles)]
        gains = [self._settings.gamma**n for n in range(n_tiles)]
        begin_with(self._tiles, gains, weights)
        self._composite = self._tiles[0].stacked(self._tiles[1:], gains)
        self._gains = np.array(gains, np.float32)
        self._n_batches = self._next_column = self._n_carries = 0

    @property
    def tiles(self) -> Sequence[Tile]:
        """The tiles, the coarsest first."""
        return self._tiles

    @property
    def n_carries(self) -> int:
        """Weights that were written anew so far."""
        return self._n_carries

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x Wbar^T."""
        return self._composite.matvec(x)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d Wbar."""
        return self._composite.matvec_transposed(d)

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse the gradient into the finest tile, then visit the next columns."""
        finest = self._tiles[-1]
        finest.update(x, d, rate * self._settings.fast_rate / float(self._gains[-1]))
        self._n_batches += 1
        if self._n_batches % self._settings.visit_every:
            return
        width = finest.shape[1]
        first, n = self._next_column, min(self._settings.n_columns, width)
        self._next_column = (first + n) % width
        self._visit((first + np.arange(n)) % width)

    def snapshot(self) -> dict[str, Any]:
        """Return minibatches so far, the next column, and how many weights were written anew."""
        return {
            "n_batches": self._n_batches,
            "next_column": self._next_column,
            "n_carries": self._n_carries,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._n_batches = int(state["n_batches"])
        self._next_column, self._n_carries = int(state["next_column"]), int(state["n_carries"])

    def _visit(self, columns: Columns) -> None:
        is_grown = np.abs(self._tiles[-1].read_columns(columns)) > self._settings.threshold
        columns, is_grown = columns[is_grown.any(axis=0)], is_grown[:, is_grown.any(axis=0)]
        if len(columns):
            self._n_carries += int(is_grown.sum())
            self._write_anew(columns, is_grown)

    def _write_anew(self, columns: Columns, is_meant: NDArray[np.bool_]) -> None:
        """Move what the finest tile has gathered up, and leave the composite as it was.

        Args:
            columns: shape (n,).
            is_meant: which weights of these, shape (n_rows, n).
        """
        found = [tile.read_columns(columns) for tile in self._tiles]
        first = self._first_tiles(found)
        rest = np.einsum("t,tij->ij", self._gains, np.stack(found))  # of all that is to be held
        for n, tile in enumerate(self._tiles):
            is_last = n == len(self._tiles) - 1
            limit = np.float32(tile.dw_min / 2 if is_last else self._settings.rest * self._gamma)
            wanted = rest / self._gains[n]
            held = self._approach(tile, columns, wanted, found[n], is_meant & (first <= n), limit)
            rest = rest - self._gains[n] * held

    def _first_tiles(self, found: Sequence[WeightArray]) -> NDArray[np.intp]:
        """Return for each weight the finest tile that has room for a carry; those after it follow.

        Coarser ones are left alone. Where no tile has room it is the finest, which stays as it is.
        """
        has_room = [
            np.sign(found[-1]) * weights < self._settings.threshold for weights in found[:-1]
        ]
        first = np.full(found[-1].shape, len(found) - 1)
        for n, is_free in enumerate(has_room):
            first[is_free] = n
        return first

    def _approach(
        self,
        tile: Tile,
        columns: Columns,
        wanted: WeightArray,
        held: WeightArray,
        is_meant: NDArray[np.bool_],
        limit: np.float32,
    ) -> WeightArray:
        """Pulse entries until each is within ``limit`` of what is wanted; return what they hold."""
        for _ in range(self._settings.n_rounds):
            off = wanted - held
            is_off = is_meant & (np.abs(off) > limit)
            steps = np.rint(off / np.float32(tile.dw_min))
            n_pulses = np.where(is_off, steps, 0).astype(np.int32)
            if not n_pulses.any():
                break
            tile.pulse_columns(columns, n_pulses)
            held = tile.read_columns(columns)
        return held

    @property
    def _gamma(self) -> float:
        return self._settings.gamma
