"""A simulated tile: devices, pulsed updates, reads and products, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import UsageError
from hil.tiles import Products, PulseArray, Tile, TileCounts, WeightArray
from twin.tiles import reference
from twin.tiles.converters import Converters
from twin.tiles.management import MAX_SLOTS, Management, TrainPlan
from twin.tiles.responses import Response, draw_cells
from twin.tiles.stack import SimulatedStack
from twin.tiles.streams import key_of

try:
    from twin.tiles import kernels
except ImportError:  # without the extra 'fast': the same numbers, slowly
    kernels = None  # type: ignore[assignment]

_MANY_PULSES = 1 << 17  # from which threads are worth their start
_FIRST_SLOTS = ((1 << np.arange(MAX_SLOTS + 1, dtype=np.uint64)) - 1).astype(np.uint32)
_COLUMNS, _ROWS, _CELLS, _READ = range(4)  # streams of an update


@dataclass(frozen=True)
class TileCost:
    """Time and energy of what a tile does; all assumed until measured on an array.

    Attributes:
        slot_s: one slot of an update: 5 ns in arXiv 2510.02516, appendix I.
        product_s: one product or read: 40 ns there.
        pulse_j: one pulse on one cell: 1 V on 1 megohm for 5 ns.
        cell_j: one cell in one product: 7.29 nJ for 198,760 cells, appendix I.
    """

    slot_s: float = 5e-9
    product_s: float = 40e-9
    pulse_j: float = 5e-15
    cell_j: float = 7.29e-9 / 198_760


class SimulatedTile:
    """Implements ``hil.tiles.Tile``. All that is random follows from the seed and what was done.

    Args:
        response: of its devices, which are drawn from the seed.
        shape: (n_rows, n_columns).
        seed: of this tile.
        management: of update trains.
        converters: of products; None for exact ones.
        read_noise: standard deviation of a weight that is read.
        is_folded: take all pulses that a sample gives a cell as one step with as much noise: some
            times quicker, exact only while a step changes little.
        is_discrete: weights that are put into it are rounded to whole steps; with devices of equal
            steps they stay on that grid.
        cost: what pulses and products cost.
    """

    def __init__(
        self,
        response: Response,
        shape: tuple[int, int],
        seed: int,
        *,
        management: Management | None = None,
        converters: Converters | None = None,
        read_noise: float = 0.0,
        is_folded: bool = False,
        is_discrete: bool = False,
        cost: TileCost | None = None,
    ) -> None:
        self._seed, self._shape = seed, shape
        self._cells = draw_cells(response, shape, np.random.default_rng([seed, *b"devices"]))
        self._management = management or Management()
        self._converters, self._read_noise = converters, read_noise
        self._is_folded, self._is_discrete = is_folded, is_discrete
        self._cost = cost or TileCost()
        self._n_done = 0  # keys of draws
        self._n_changes = 0
        self._held: WeightArray = np.zeros(shape, np.float32)
        self._seen = np.zeros(shape, np.float32) if self._cells.write_sigma else self._held
        self._counts = TileCounts()

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns)."""
        return self._shape

    @property
    def counts(self) -> TileCounts:
        """What has been done so far."""
        return self._counts

    @property
    def dw_min(self) -> float:
        """Step of a mean device at weight 0."""
        return self._cells.dw_min

    @property
    def weights(self) -> WeightArray:
        """The weights themselves, (n_rows, n_columns), not to be written to: a simulator knows."""
        return self._seen

    @property
    def n_changes(self) -> int:
        """How often the weights may have changed."""
        return self._n_changes

    def set_weights(self, weights: WeightArray) -> None:
        """Put weights into the devices without any pulse, clipped to their bounds."""
        self._n_changes += 1
        if self._is_discrete:
            step = np.float32(self.dw_min)
            weights = np.rint(weights / step) * step
        clipped = np.clip(weights, self._cells.low, self._cells.high)
        self._held[...] = clipped
        self._seen[...] = clipped

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse outer products; see ``Tile.update``."""
        x, d = self._lines(x, 1, "x"), self._lines(d, 0, "d")
        key = self._next_key()
        x_key, d_key, cell_key = (key_of(key, stream) for stream in (_COLUMNS, _ROWS, _CELLS))
        plan = self._plan(x, d, rate)
        draw = reference.draw_trains if kernels is None else _trains
        x_trains, x_fired = draw(x, plan.x_scales, plan.n_slots, x_key)
        d_trains, d_fired = draw(d, plan.d_scales, plan.n_slots, d_key)
        n_pulses = int((x_fired * d_fired).sum(dtype=np.int64))
        self._pulse(x, x_trains, d, d_trains, plan.n_slots, cell_key, n_pulses)
        self._count(n_pulses, int(plan.n_slots.sum()), len(x))

    def pulse(self, n_pulses: PulseArray) -> None:
        """Give every cell a number of pulses; see ``Tile.pulse``.

        Raises:
            UsageError: another shape than the tile.
        """
        if n_pulses.shape != self._shape:
            raise UsageError(f"pulses have shape {n_pulses.shape}, the tile {self._shape}")
        if n_pulses.shape[0] <= n_pulses.shape[1]:
            self._pulse_lines(np.arange(self._shape[0]), n_pulses, are_rows=True)
        else:
            self._pulse_lines(np.arange(self._shape[1]), n_pulses.T, are_rows=False)

    def pulse_columns(self, columns: NDArray[np.intp], n_pulses: PulseArray) -> None:
        """Give the cells of some columns pulses; see ``Tile.pulse_columns``.

        Raises:
            UsageError: another shape than (n_rows, number of columns).
        """
        if n_pulses.shape != (self._shape[0], len(columns)):
            raise UsageError(
                f"pulses have shape {n_pulses.shape} for {len(columns)} columns of "
                f"{self._shape[0]} rows"
            )
        self._pulse_lines(columns, n_pulses.T, are_rows=False)

    def _pulse_lines(
        self, lines: NDArray[np.intp], n_pulses: PulseArray, *, are_rows: bool
    ) -> None:
        """Give the cells of some rows or columns pulses, one line after the other.

        Args:
            lines: shape (k,).
            n_pulses: of the cells of each, shape (k, n).
            are_rows: whether the lines are rows.
        """
        used = np.flatnonzero(n_pulses.any(axis=1))
        lines, n_pulses = lines[used], n_pulses[used]
        left = np.abs(n_pulses)
        while (n_most := int(left.max(initial=0))) > 0:
            now = np.minimum(left, MAX_SLOTS) if n_most > MAX_SLOTS else left
            left = left - now
            # One sample for each line: it fires in all slots, each line across in as many as asked.
            across = n_pulses.astype(np.float32)
            trains = _FIRST_SLOTS[now]
            along = np.zeros((len(lines), self._shape[0 if are_rows else 1]), np.float32)
            along_trains = np.zeros(along.shape, np.uint32)
            along[np.arange(len(lines)), lines] = -1.0
            along_trains[np.arange(len(lines)), lines] = _FIRST_SLOTS[-1]
            x, x_trains, d, d_trains = (
                (across, trains, along, along_trains)
                if are_rows
                else (along, along_trains, across, trains)
            )
            n_slots = now.max(axis=1).astype(np.int64)
            key = key_of(self._next_key(), _CELLS)
            made = int(now.sum())
            self._pulse(x, x_trains, d, d_trains, np.maximum(n_slots, 2), key, made)
            self._count(made, int(n_slots.sum()), 0)

    def _plan(self, x: WeightArray, d: WeightArray, rate: float) -> TrainPlan:
        management, k = self._management, len(x)
        if kernels is None:
            return management.plan(x, d, rate, self.dw_min)
        plan = TrainPlan(np.empty(k, np.int64), np.empty(k, np.float32), np.empty(k, np.float32))
        kernels.plan_trains(
            x,
            d,
            rate,
            self.dw_min,
            management.max_slots,
            management.fits_slots,
            management.balances,
            *plan,
        )
        return plan

    def _pulse(
        self,
        x: WeightArray,
        x_trains: NDArray[np.uint32],
        d: WeightArray,
        d_trains: NDArray[np.uint32],
        n_slots: NDArray[np.int64],
        key: int,
        n_pulses: int,
    ) -> None:
        self._n_changes += 1
        cells = self._cells
        lines = (x, x_trains, d, d_trains)
        if kernels is None:
            folded = self._is_folded
            reference.update(cells, self._held, self._seen, lines, n_slots, key, folded)
            return
        columns = np.empty(x.shape, np.int32)
        n_fired = np.empty(len(x), np.int64)
        kernels.list_fired(x_trains, columns, n_fired)
        kernels.use_threads(n_pulses > _MANY_PULSES)
        noise_up = cells.up if cells.noise_up is None else cells.noise_up
        noise_down = cells.down if cells.noise_down is None else cells.noise_down
        update = kernels.make_update(
            int(cells.law), cells.noise_up is not None, cells.write_sigma > 0
        )
        update(
            self._held,
            self._seen,
            cells.up,
            cells.up_slope,
            cells.down,
            cells.down_slope,
            cells.low,
            cells.high,
            noise_up,
            noise_down,
            cells.constants,
            x,
            x_trains,
            columns,
            n_fired,
            d,
            d_trains,
            n_slots,
            np.float32(cells.sigma),
            np.float32(cells.write_sigma),
            np.uint64(key),
            self._is_folded,
        )

    def read_column(self, column: int) -> WeightArray:
        """Read one column, (n_rows,), with the noise of a read."""
        return self._read(self._seen[:, column], 1)

    def read_columns(self, columns: NDArray[np.intp]) -> WeightArray:
        """Read columns, (n_rows, k), with the noise of a read."""
        return self._read(self._seen[:, columns], len(columns))

    def read_row(self, row: int) -> WeightArray:
        """Read one row, (n_columns,), with the noise of a read."""
        return self._read(self._seen[row], 1)

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return x W^T, through the converters if there are any."""
        return self.product(self._lines(x, 1, "x"), self._seen.T)

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return d W, through the converters if there are any."""
        return self.product(self._lines(d, 0, "d"), self._seen)

    def stacked(self, others: Sequence[Tile], gains: Sequence[float]) -> Products:
        """Return products of the sum; see ``Tile.stacked``.

        Raises:
            UsageError: other tiles than simulated ones, or of other shapes.
        """
        simulated = [tile for tile in others if isinstance(tile, SimulatedTile)]
        if len(simulated) != len(others):
            raise UsageError("a simulated tile is added to simulated tiles only")
        return SimulatedStack([self, *simulated], gains)

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes: with it ``restore`` goes on bit for bit."""
        return {
            "held": self._held.copy(),
            "seen": self._seen.copy(),
            "n_done": self._n_done,
            "counts": asdict(self._counts),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot of a tile that was made with the same arguments.

        Raises:
            UsageError: it is of a tile of another shape.
        """
        if state["held"].shape != self._shape:
            raise UsageError(
                f"the snapshot is of a tile of {state['held'].shape}, this one has {self._shape}"
            )
        self._n_changes += 1
        self._held[...] = state["held"]
        self._seen[...] = state["seen"]
        self._n_done = int(state["n_done"])
        self._counts = TileCounts(**state["counts"])

    def count_products(self, n_products: int) -> None:
        """Count products of which this tile gives a part."""
        n_cells = self._shape[0] * self._shape[1]
        self._counts.n_products += n_products
        self._counts.time_s += n_products * self._cost.product_s
        self._counts.energy_j += n_products * n_cells * self._cost.cell_j

    def product(self, x: WeightArray, matrix: WeightArray) -> WeightArray:
        """Multiply with a matrix of this shape or its transpose as this tile does it, counted."""
        self.count_products(len(x))
        if self._converters is None:
            exact: WeightArray = x @ matrix
            return exact
        return self._converters.product(lambda v: v @ matrix, x, self._noise())

    def _read(self, weights: WeightArray, n_reads: int) -> WeightArray:
        self._counts.n_reads += n_reads
        self._counts.time_s += n_reads * self._cost.product_s
        self._counts.energy_j += weights.size * self._cost.cell_j
        if not self._read_noise:
            return weights.copy()
        noise = self._noise().standard_normal(weights.shape, dtype=np.float32)
        return weights + np.float32(self._read_noise) * noise

    def _count(self, n_pulses: int, n_slots: int, n_updates: int) -> None:
        counts = self._counts
        counts.n_pulses += n_pulses
        counts.n_slots += n_slots
        counts.n_updates += n_updates
        counts.time_s += n_slots * self._cost.slot_s
        counts.energy_j += n_pulses * self._cost.pulse_j

    def _next_key(self) -> int:
        self._n_done += 1
        return key_of(self._seed, self._n_done)

    def _noise(self) -> np.random.Generator:
        return np.random.default_rng(key_of(self._next_key(), _READ))

    def _lines(self, values: WeightArray, axis: int, name: str) -> WeightArray:
        values = np.ascontiguousarray(np.atleast_2d(values), dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != self._shape[axis]:
            lines = "columns" if axis else "rows"
            raise UsageError(
                f"{name} has shape {values.shape}; the tile has {self._shape[axis]} {lines}"
            )
        return values


def _trains(
    values: WeightArray, scales: WeightArray, n_slots: NDArray[np.int64], key: int
) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    trains = np.empty(values.shape, np.uint32)
    fired = np.zeros((len(values), int(n_slots.max(initial=1))), np.int32)
    kernels.draw_trains(values, scales, n_slots, np.uint64(key), trains, fired)
    return trains, fired
