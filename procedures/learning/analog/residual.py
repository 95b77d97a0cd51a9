"""Multi-tile residual learning (arXiv 2510.02516): a weight is a sum of tiles of falling gain.

Wbar = sum over n of gamma^n W(n), W(0) the coarsest. Gradients go to the finest tile alone. What
adds up there is handed down, a column at a time: read from tile n + 1 and pulsed into tile n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.errors import ParameterError
from hil.tiles import Tile, TileMaker, WeightArray
from procedures.learning.analog.weights import begin_with, transfer_column


@dataclass(frozen=True)
class ResidualSchedule:
    """When and how strongly tiles hand over; all of it is free.

    Attributes:
        gamma: gain of each tile over that of the one before it, in (0, 1).
        fast_rate: learning rate of the finest tile (alpha).
        periods: T of each tile but the coarsest, the finest last: its updates between two
            transfers. The finest tile is updated with every minibatch.
        transfer_rates: beta of each tile but the coarsest, the finest last.
        is_frozen: nothing is handed over once the warm start is over; coarse tiles stay as they
            are.
        scales_fast_rate: ``fast_rate`` is times the learning rate of the step, not by itself.
        is_warm: begin with the warm start: all transfers go to one tile, the coarsest first, until
            ``go_finer`` has been called for each.

    Raises:
        ParameterError: a gain, a period or a number of rates that cannot be.
    """

    gamma: float
    fast_rate: float
    periods: tuple[int, ...]
    transfer_rates: tuple[float, ...]
    is_warm: bool = False
    is_frozen: bool = False
    scales_fast_rate: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.gamma < 1:
            raise ParameterError(f"gamma = {self.gamma:g}: the gain of the next tile is in (0, 1)")
        if len(self.periods) != len(self.transfer_rates):
            raise ParameterError(
                f"{len(self.periods)} periods and {len(self.transfer_rates)} transfer rates: each "
                f"tile but the coarsest has one of both"
            )
        if any(period < 1 for period in self.periods):
            raise ParameterError(
                f"periods {self.periods}: a tile hands over after 1 update or more"
            )

    @property
    def n_tiles(self) -> int:
        """How many tiles there are."""
        return len(self.periods) + 1


def published_schedule(n_tiles: int, gamma: float = 0.5) -> ResidualSchedule:
    """Return the schedule of the paper's LeNet-5 on MNIST (appendix K), for a number of tiles.

    Source i, counted from the finest, hands over every 2 x 5^i minibatches with a rate of
    0.1 x 1.2^(N - i). The rate of the finest tile is not in the text. Here it is 1 / gamma^N times
    the learning rate, so that the composite weight follows the learning rate whatever N is; the
    rate of 1 to which its code defaults makes three tiles diverge.
    """
    n = n_tiles - 1
    periods = tuple(2 if k == n - 1 else 5 for k in range(n))
    rates = tuple(0.1 * 1.2 ** (n - (n - 1 - k)) for k in range(n))
    return ResidualSchedule(
        gamma, gamma**-n, periods, rates, is_warm=n_tiles > 1, scales_fast_rate=True
    )


def theory_schedule(n_tiles: int, gamma: float, *, ratio: int = 20) -> ResidualSchedule:
    """Return a schedule with the separation of time scales that theorem 3 asks for.

    The finest tile gets 5 ``ratio`` updates between transfers, others ``ratio``; rates are gamma^2.
    """
    n = n_tiles - 1
    periods = tuple(5 * ratio if k == n - 1 else ratio for k in range(n))
    return ResidualSchedule(gamma, 0.5, periods, (gamma**2,) * n)


class ResidualWeights:
    """The composite weights of one layer.

    Args:
        make_tile: of the layer's shape, called for every tile.
        weights: to begin with; see ``begin_with``.
        seed: of the coarsest tile; the others have the next ones.
        schedule: when and how to hand over.
    """

    def __init__(
        self, make_tile: TileMaker, weights: WeightArray, seed: int, schedule: ResidualSchedule
    ) -> None:
        shape = (weights.shape[0], weights.shape[1])
        self._tiles = [make_tile(shape, seed + n) for n in range(schedule.n_tiles)]
        self._schedule = schedule
        gains = [schedule.gamma**n for n in range(schedule.n_tiles)]
        begin_with(self._tiles, gains, weights)
        self._composite = self._tiles[0].stacked(self._tiles[1:], gains)
        self._columns = [0] * schedule.n_tiles
        self._n_updates = [0] * schedule.n_tiles
        self._warm_tile = 0 if schedule.is_warm else schedule.n_tiles - 1

    @property
    def tiles(self) -> Sequence[Tile]:
        """The tiles, the coarsest first."""
        return self._tiles

    @property
    def warm_tile(self) -> int | None:
        """Which tile the warm start fills; None once the cascade runs."""
        return self._warm_tile if self._warm_tile < len(self._tiles) - 1 else None

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x Wbar^T: currents of all tiles, summed with their gains."""
        return self._composite.matvec(x)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d Wbar."""
        return self._composite.matvec_transposed(d)

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse the gradient into the finest tile, and hand over what is due.

        The finest tile has a rate of its own; ``rate`` counts only if the schedule says so.
        """
        finest = len(self._tiles) - 1
        scale = rate if self._schedule.scales_fast_rate else 1.0
        self._tiles[finest].update(x, d, self._schedule.fast_rate * scale)
        self._updated(finest)

    def go_finer(self) -> None:
        """Go on to the next tile of the warm start, as when the loss no longer falls."""
        self._warm_tile = min(self._warm_tile + 1, len(self._tiles) - 1)

    def snapshot(self) -> dict[str, Any]:
        """Return where every tile is in its period and columns, and how far the warm start is."""
        return {
            "columns": list(self._columns),
            "n_updates": list(self._n_updates),
            "warm_tile": self._warm_tile,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._columns = [int(column) for column in state["columns"]]
        self._n_updates = [int(n) for n in state["n_updates"]]
        self._warm_tile = int(state["warm_tile"])

    def _updated(self, n: int) -> None:
        """Count an update of a tile, and hand over a column if its period is full."""
        self._n_updates[n] += 1
        if n == 0 or self._n_updates[n] % self._schedule.periods[n - 1]:
            return
        if self._schedule.is_frozen and self.warm_tile is None:
            return
        target = n - 1 if self.warm_tile is None else self.warm_tile
        column = self._columns[n]
        self._columns[n] = (column + 1) % self._tiles[n].shape[1]
        read = self._tiles[n].read_column(column)
        transfer_column(read, self._tiles[target], column, self._schedule.transfer_rates[n - 1])
        if self.warm_tile is None:
            self._updated(target)


class Plateau:
    """Tells when a loss no longer falls, as the paper's warm start asks it after every epoch.

    The first switches are aggressive: the loss rose. Later ones are mild: two of the last five
    changes were not down.

    Args:
        n_aggressive: switches that are.
        margin: by which a loss rises or falls to count.
    """

    def __init__(self, n_aggressive: int = 4, margin: float = 1e-4) -> None:
        self._n_aggressive, self._margin = n_aggressive, margin
        self._losses: list[float] = []
        self._n_switches = 0

    def is_reached(self, loss: float) -> bool:
        """Take a loss; return whether it is time for the next tile, and if so begin anew."""
        self._losses.append(loss)
        rises = np.diff(self._losses[-6:]) > self._margin
        if self._n_switches < self._n_aggressive:
            reached = len(rises) > 0 and bool(rises[-1])
        else:
            reached = len(rises) == 5 and int(rises.sum()) >= 2
        if reached:
            self._n_switches += 1
            self._losses.clear()
        return reached

    def snapshot(self) -> dict[str, Any]:
        """Return the losses since the last switch, and how many switches there were."""
        return {"losses": list(self._losses), "n_switches": self._n_switches}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot."""
        self._losses = [float(loss) for loss in state["losses"]]
        self._n_switches = int(state["n_switches"])
