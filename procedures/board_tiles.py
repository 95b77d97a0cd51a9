"""Parts of a board as tiles: weights are conductances, changed by real pulses, found by reads.

A tile's inputs lie on rows of the array and its outputs on columns, so that a product is the
currents of columns. On a bank of switched devices a tile takes devices in turn. All that is done
goes through the ``Board`` and is logged there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Coding
from hil.board import Board
from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.tiles import Products, PulseArray, SummedProducts, Tile, TileCounts, WeightArray
from hil.types import (
    MEMRISTORS,
    BoardInfo,
    Capability,
    CellArray,
    EnergySplit,
    FloatArray,
)

_MAX_SLOTS = 31
_N_PROBES = 3  # SET and RESET pulses on each device, from which the mean step is taken


@dataclass(frozen=True)
class PulseScheme:
    """How weights are read and written; voltages and widths are assumed until tried on a bench.

    Attributes:
        set_v: amplitude at the source of a pulse upwards.
        reset_v: of one downwards, negative.
        set_width_s: of a pulse upwards.
        reset_width_s: of one downwards.
        low_siemens: conductance of weight -1.
        high_siemens: of weight 1.
        read_v: of reads and products.
        is_reset_abrupt: a RESET pulse erases a device instead of taking a step: downwards it is
            erased and then set again, pulse by pulse, until it holds what was asked.
        n_set_max: pulses of such a setting, at most.
        multiplies_on_lines: products are currents of the lines of an array; else its devices are
            read one by one, once for a minibatch, and multiplied in floating point.

    Raises:
        ParameterError: a window that is none.
    """

    set_v: float = 0.4
    reset_v: float = -0.5
    set_width_s: float = 3e-6
    reset_width_s: float = 1e-5
    low_siemens: float = 8e-6
    high_siemens: float = 26e-6
    read_v: float = 0.1
    is_reset_abrupt: bool = False
    n_set_max: int = 20
    multiplies_on_lines: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.low_siemens < self.high_siemens:
            raise ParameterError(
                f"low_siemens = {self.low_siemens:g} S, high_siemens = {self.high_siemens:g} S: "
                f"weights need a window between them"
            )

    @property
    def middle_siemens(self) -> float:
        """Conductance of weight 0."""
        return (self.low_siemens + self.high_siemens) / 2

    @property
    def half_siemens(self) -> float:
        """Conductance of a weight of 1 above that."""
        return (self.high_siemens - self.low_siemens) / 2

    def weights(self, g_siemens: FloatArray) -> WeightArray:
        """Return the weights of conductances."""
        return np.asarray((g_siemens - self.middle_siemens) / self.half_siemens, np.float32)

    def check(self, cells: CellArray, limits: LimitChecker) -> None:
        """Try pulses and reads on the limits.

        Raises:
            LimitError: a device may not see one of them.
        """
        limits.check_read(cells, self.read_v, allow_reverse=False)
        limits.check_pulse(cells, self.set_v, self.set_width_s, 1)
        limits.check_pulse(cells, self.reset_v, self.reset_width_s, 1)


class BoardTiles:
    """Hands out tiles of one board; a ``TileMaker``.

    In an array, tiles of one shape that are made one after the other lie side by side on the same
    rows as long as there are columns: their products are measured together. Each tile begins with
    pulses on all its devices, from which its mean step is found.

    Args:
        board: array or bank.
        scheme: voltages, widths, window.
    """

    def __init__(self, board: Board, scheme: PulseScheme) -> None:
        self._board, self._scheme = board, scheme
        self._places = Places(board.info)

    def __call__(self, shape: tuple[int, int], seed: int) -> BoardTile:
        """Return a tile (n_rows, n_columns) on devices that no tile has yet.

        Raises:
            ParameterError: there are not enough left.
        """
        cells = self._places.take(shape)
        return BoardTile(self._board, self._scheme, cells, seed)


class Places:
    """Which devices tiles have; can be tried without a board.

    Args:
        info: of the board.
    """

    def __init__(self, info: BoardInfo) -> None:
        self._info = info
        self._is_array = info.array is not None
        self._row = self._column = self._n_rows = self._n_taken = 0
        self._shape: tuple[int, int] | None = None

    def take(self, shape: tuple[int, int]) -> CellArray:
        """Return the cells of a tile (n_rows, n_columns), shape (n_rows, n_columns, 2).

        Raises:
            ParameterError: there are not enough left.
        """
        return self._rectangle(shape) if self._is_array else self._in_turn(shape)

    def _rectangle(self, shape: tuple[int, int]) -> CellArray:
        n_outputs, n_inputs = shape
        n_rows, n_columns = self._info.shape
        if shape != self._shape or self._column + n_outputs > n_columns:
            self._row, self._column = self._row + self._n_rows, 0
            self._shape, self._n_rows = shape, n_inputs
        if self._row + n_inputs > n_rows or n_outputs > n_columns:
            raise ParameterError(
                f"no room for a tile of {n_outputs} outputs and {n_inputs} inputs: board "
                f"{self._info.kind!r} has {n_rows} x {n_columns} devices, rows from {self._row} on "
                f"are free; take fewer or smaller tiles"
            )
        rows = self._row + np.arange(n_inputs)
        columns = self._column + np.arange(n_outputs)
        self._column += n_outputs
        return np.stack(np.meshgrid(rows, columns), axis=-1).astype(np.intp)

    def _in_turn(self, shape: tuple[int, int]) -> CellArray:
        n_cells = shape[0] * shape[1]
        cells = np.concatenate([self._info.cells_of(dopant) for dopant in MEMRISTORS])
        if self._n_taken + n_cells > len(cells):
            raise ParameterError(
                f"no room for a tile of {shape[0]} outputs and {shape[1]} inputs: "
                f"{len(cells) - self._n_taken} of the {len(cells)} memristors of station "
                f"{self._info.station!r} are left; take fewer or smaller tiles"
            )
        taken = cells[self._n_taken : self._n_taken + n_cells]
        self._n_taken += n_cells
        return taken.reshape(*shape, 2)


class BoardTile:
    """Implements ``hil.tiles.Tile`` on devices of a board.

    An update draws the trains of its lines here, as a simulated tile does, but gives the pulses of
    a whole minibatch on a device one after the other; opposite ones cancel.

    Args:
        board: that the devices are on.
        scheme: voltages, widths, window.
        cells: shape (n_rows, n_columns, 2).
        seed: of trains.
    """

    def __init__(self, board: Board, scheme: PulseScheme, cells: CellArray, seed: int) -> None:
        self._board, self._scheme, self._cells = board, scheme, cells
        self._rng = np.random.default_rng(seed)
        self._counts = TileCounts()
        self._dw_min = self._find_step()

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_columns)."""
        return self._cells.shape[0], self._cells.shape[1]

    @property
    def dw_min(self) -> float:
        """Mean step of its devices, found when it was made."""
        return self._dw_min

    @property
    def counts(self) -> TileCounts:
        """What has been done so far; time is that of the board's clock."""
        return replace(self._counts)

    @property
    def cells(self) -> CellArray:
        """Its devices, shape (n_rows, n_columns, 2)."""
        return self._cells

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        """Pulse outer products; see ``Tile.update``."""
        n_pulses = np.zeros(self.shape, np.int32)
        for one_x, one_d in zip(np.atleast_2d(x), np.atleast_2d(d), strict=True):
            n_pulses += self._coincidences(one_x, one_d, rate)
            self._counts.n_updates += 1
        self.pulse(n_pulses)

    def pulse(self, n_pulses: PulseArray) -> None:
        """Give every device its pulses; see ``Tile.pulse``."""
        up, down = n_pulses.clip(min=0), (-n_pulses).clip(min=0)
        self._steps(up, self._scheme.set_v, self._scheme.set_width_s)
        if not self._scheme.is_reset_abrupt:
            self._steps(down, self._scheme.reset_v, self._scheme.reset_width_s)
        elif down.any():
            self._set_again(down)

    def pulse_columns(self, columns: NDArray[np.intp], n_pulses: PulseArray) -> None:
        """Give the devices of some columns pulses; see ``Tile.pulse_columns``."""
        every = np.zeros(self.shape, np.int32)
        every[:, columns] = n_pulses
        self.pulse(every)

    def read_column(self, column: int) -> WeightArray:
        """Read one column, (n_rows,)."""
        return self._read(self._cells[:, column])

    def read_columns(self, columns: NDArray[np.intp]) -> WeightArray:
        """Read some columns, (n_rows, k)."""
        return self._read(self._cells[:, columns])

    def read_row(self, row: int) -> WeightArray:
        """Read one row, (n_columns,)."""
        return self._read(self._cells[row])

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return x W^T: currents of the columns of an array, or of reads of a bank."""
        return self.stacked([], [1.0]).matvec(x)

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return d W."""
        return self.stacked([], [1.0]).matvec_transposed(d)

    def stacked(self, others: Sequence[Tile], gains: Sequence[float]) -> Products:
        """Return products with the sum; tiles on the same rows of an array are read at once."""
        tiles = [self, *(tile for tile in others if isinstance(tile, BoardTile))]
        if len(tiles) != 1 + len(others):
            return SummedProducts([self, *others], gains)
        return BoardProducts(self._board, self._scheme, tiles, gains)

    def count(self, energy: EnergySplit, time_s: float, *, n_reads: int, n_products: int) -> None:
        """Count what was done with this tile from outside."""
        self._counts.n_reads += n_reads
        self._counts.n_products += n_products
        self._counts.energy_j += float(energy.source_j.sum())
        self._counts.time_s += time_s

    def _find_step(self) -> float:
        """Pulse all devices up and down; return their mean step."""
        steps, before = [], self._read(self._cells)
        for k in range(2 * _N_PROBES):
            self.pulse(np.full(self.shape, 1 if k % 2 == 0 else -1, np.int32))
            after = self._read(self._cells)
            steps.append(np.abs(after - before).mean())
            before = after
        return max(float(np.mean(steps)), 1e-3)

    def _coincidences(self, x: WeightArray, d: WeightArray, rate: float) -> PulseArray:
        """Draw how often each pair of lines fires together; the sign is that of the step."""
        x_most, d_most = float(np.abs(x).max()), float(np.abs(d).max())
        n_wanted = rate * x_most * d_most / self._dw_min
        if not n_wanted > 0:
            return np.zeros(self.shape, np.int32)
        n_slots = int(min(max(np.ceil(n_wanted), 1), _MAX_SLOTS))
        share = np.sqrt(min(1.0, n_wanted / n_slots))
        columns = self._rng.random((n_slots, len(x))) < share * np.abs(x) / x_most
        rows = self._rng.random((n_slots, len(d))) < share * np.abs(d) / d_most
        together = np.einsum("qi,qj->ij", rows.astype(np.int32), columns.astype(np.int32))
        self._counts.n_slots += n_slots
        signed: PulseArray = (-np.sign(np.outer(d, x)) * together).astype(np.int32)
        return signed

    def _steps(self, n_pulses: PulseArray, amplitude_v: float, width_s: float) -> None:
        for n in np.unique(n_pulses[n_pulses > 0]).tolist():
            chosen = self._cells[n_pulses == n]
            start_s = self._board.clock.now_s()
            done = self._board.pulse(chosen, amplitude_v, width_s, n)
            self._counts.n_pulses += n * len(chosen)
            self.count(done.energy, self._board.clock.now_s() - start_s, n_reads=0, n_products=0)

    def _set_again(self, down: PulseArray) -> None:
        """Erase the devices that go down, and set each until it holds what was asked."""
        is_meant = down > 0
        wanted = self._read(self._cells) - np.float32(self.dw_min_or_one) * down
        self._steps(is_meant.astype(np.int32), self._scheme.reset_v, self._scheme.reset_width_s)
        for _ in range(self._scheme.n_set_max):
            is_low = is_meant & (self._read(self._cells) < wanted)
            if not is_low.any():
                return
            self._steps(is_low.astype(np.int32), self._scheme.set_v, self._scheme.set_width_s)

    @property
    def dw_min_or_one(self) -> float:
        """The step; a tenth of the window until it is found."""
        return getattr(self, "_dw_min", 0.2)

    def _read(self, cells: CellArray) -> WeightArray:
        start_s = self._board.clock.now_s()
        readings = self._board.measure(cells.reshape(-1, 2), self._scheme.read_v)
        n_reads = cells.shape[1] if cells.ndim == 3 else 1
        self.count(
            readings.energy, self._board.clock.now_s() - start_s, n_reads=n_reads, n_products=0
        )
        return self._scheme.weights(readings.g_siemens).reshape(cells.shape[:-1])


class BoardProducts:
    """Products with the sum of tiles of a board; implements ``hil.tiles.Products``.

    In an array each sign of the inputs is a product of its own, because reads are in the SET
    direction: lines are on for as long as the magnitudes say, for devices are not linear in the
    voltage, and currents are subtracted. A bank is read device by device,
    once for a minibatch, and multiplied in floating point; so is an array if the scheme says so.

    Args:
        board: that the tiles are on.
        scheme: voltages and window.
        tiles: of one shape.
        gains: of each.
    """

    def __init__(
        self, board: Board, scheme: PulseScheme, tiles: Sequence[BoardTile], gains: Sequence[float]
    ) -> None:
        self._board, self._scheme, self._tiles = board, scheme, list(tiles)
        self._gains = np.array(gains)
        self._is_on_lines = board.info.array is not None and scheme.multiplies_on_lines

    def matvec(self, x: WeightArray) -> WeightArray:
        """Return x (sum of gain W)^T."""
        if not self._is_on_lines:
            return x @ self._read_sum().T
        return np.stack([self._product(one, transposed=False) for one in x]).astype(np.float32)

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        """Return d (sum of gain W)."""
        if not self._is_on_lines:
            return d @ self._read_sum()
        return np.stack([self._product(one, transposed=True) for one in d]).astype(np.float32)

    def _read_sum(self) -> WeightArray:
        weights = [tile.read_columns(np.arange(tile.shape[1])) for tile in self._tiles]
        total: WeightArray = np.einsum("t,tij->ij", self._gains.astype(np.float32), weights)
        return total

    def _product(self, inputs: WeightArray, *, transposed: bool) -> FloatArray:
        """Return the product with one vector, (n_rows,), or (n_columns,) if transposed."""
        most = float(np.abs(inputs).max())
        n_out = self._tiles[0].shape[1 if transposed else 0]
        if most == 0:
            return np.zeros(n_out)
        shares = inputs.astype(float) / most
        total = np.zeros(n_out)
        for together in self._groups(transposed):
            gains = self._gains[together]
            currents = np.zeros((len(together), n_out))
            for sign in (1.0, -1.0):
                part = np.clip(sign * shares, 0, None)
                if part.any():
                    currents += sign * self._currents_a(together, part, transposed)
            g_siemens = currents / self._scheme.read_v  # of all inputs, sum of share times G
            middle = self._scheme.middle_siemens * shares.sum()
            total += gains @ ((g_siemens - middle) / self._scheme.half_siemens)
        return most * total

    def _groups(self, transposed: bool) -> list[list[int]]:
        """Return which tiles are driven together: on the same lines, measured on different ones."""
        if transposed:
            return [[k] for k in range(len(self._tiles))]
        groups: dict[int, list[int]] = {}
        for k, tile in enumerate(self._tiles):
            groups.setdefault(int(tile.cells[0, 0, 0]), []).append(k)
        return list(groups.values())

    def _currents_a(self, together: list[int], part: FloatArray, transposed: bool) -> FloatArray:
        """Drive the inputs of some tiles; return the currents of the outputs, (n_tiles, n_out)."""
        axis = 1 if transposed else 0
        first = self._tiles[together[0]].cells
        driven = first[:, 0, 1] if transposed else first[0, :, 0]
        inputs_v = np.zeros(self._board.info.shape[axis])
        inputs_v[driven] = self._scheme.read_v * part
        start_s = self._board.clock.now_s()
        product = self._board.matvec(inputs_v, coding=Coding.TIME, transposed=transposed)
        taken_s = (self._board.clock.now_s() - start_s) / len(together)
        currents_a = []
        for k in together:
            tile = self._tiles[k]
            measured = tile.cells[0, :, 0] if transposed else tile.cells[:, 0, 1]
            currents_a.append(product.currents_a[measured])
            tile.count(_share(product.energy, len(together)), taken_s, n_reads=0, n_products=1)
        return np.array(currents_a)


def has_simulated_tiles(info: BoardInfo) -> bool:
    """Return whether a board makes tiles itself."""
    return Capability.TILES in info.capabilities


def _share(energy: EnergySplit, n: int) -> EnergySplit:
    return EnergySplit(
        energy.device_j / n,
        energy.series_j / n,
        energy.switch_j / n,
        energy.half_select_j / n,
        energy.instrument_j / n,
        energy.method,
    )
