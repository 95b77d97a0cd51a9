"""A crossbar as its station describes it, with nominal devices: what its ports are to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.line_drops import wires_of
from hil.arrays import Coding
from hil.errors import UsageError
from hil.station import Station
from hil.types import BoardInfo, FloatArray, IndexArray
from twin.devices.base import Conduction, DeviceModel
from twin.memristors import build_memristors
from twin.network import CellLaw, CrossbarNetwork, NetworkState, Wires
from twin.opening import device_records

_MANY_VALUES = 1 << 20  # cells of all networks that are solved at once
_MAX_STEPS = 100
_CLOSE_RATIO = 1e-13


class LineReadings(NamedTuple):
    """Readings of one column each: what was put on the lines, and which column was sensed.

    Attributes:
        rows_v: shape (k, n_rows); NaN floats.
        columns_v: shape (k, n_columns).
        column: that was sensed, shape (k,).
    """

    rows_v: FloatArray
    columns_v: FloatArray
    column: IndexArray

    def part(self, here: slice) -> LineReadings:
        """Return some of them."""
        return LineReadings(self.rows_v[here], self.columns_v[here], self.column[here])


class Sensed(NamedTuple):
    """Currents of the model, and their derivatives by all that they depend on.

    Attributes:
        i_a: current of the sensed column, shape (k,).
        by_g: by the conductance of each cell, shape (k, n_cells).
        by_off: by how much of it is that of OFF switches while all of it stays the same.
        by_cells_a: by a relative change of the current of each cell.
        by_rows: by the voltage of each row, shape (k, n_rows); 0 where it floats.
        by_columns: by that of each column, shape (k, n_columns).
        by_wires_a: by a relative change of the resistances of all lines, shape (k,).
    """

    i_a: FloatArray
    by_g: FloatArray
    by_off: FloatArray
    by_cells_a: FloatArray
    by_rows: FloatArray
    by_columns: FloatArray
    by_wires_a: FloatArray


class ArrayModel:
    """The lines of an array, and cells of which only the conductance at a read voltage is known.

    How the current of a cell depends on its voltage follows from the record of its device: that of
    the state with this conductance, in part ON switches and in part OFF ones. Beyond the window of
    the record it is the shape at the nearest end, scaled.

    Args:
        station: whose device records give the shapes.
        info: of the board; its ``array`` gives the lines.
        v_read_v: at which the conductances hold.

    Raises:
        UsageError: the board is no array.
    """

    def __init__(self, station: Station, info: BoardInfo, v_read_v: float) -> None:
        if info.array is None:
            raise UsageError(
                f"board {info.kind!r} is no array: its cells are isolated, there is no network "
                f"to model"
            )
        self._shape, self._wires = info.shape, wires_of(info.array)
        self._network = CrossbarNetwork(info.shape, self._wires)
        self._selector_ohm = info.array.selector_ohm
        self._on, self._off = (_Switched.of(station, x, v_read_v) for x in (1.0, 0.0))

    def off_part(self, g_siemens: FloatArray) -> FloatArray:
        """Return how much of each conductance is that of OFF switches, by the records."""
        on, off = self._on.g_siemens, self._off.g_siemens
        inside = off * (on - g_siemens) / (on - off)
        return np.maximum(np.minimum(g_siemens, inside), 0.0)

    def sense(self, g_siemens: FloatArray, readings: LineReadings) -> Sensed:
        """Return what some readings of a passive array are to be, with exact derivatives.

        By reciprocity: what a change anywhere in the network does to the current of a column is
        what 1 V at this column alone does there, in the network of differential conductances
        (Tellegen, Philips Res. Rep. 7, 259, 1952). Costs two solutions for each reading.

        Args:
            g_siemens: conductances of all cells, row by row, shape (n_cells,).
            readings: what was read.

        Raises:
            UnmodelledError: the network has no solution, as with conductances far below 0.
        """
        step = max(1, _MANY_VALUES // len(g_siemens))
        parts = [
            self._sense(g_siemens, readings.part(slice(first, first + step)))
            for first in range(0, len(readings.column), step)
        ]
        return Sensed(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def multiply(
        self,
        g_siemens: FloatArray,
        inputs_v: FloatArray,
        *,
        coding: Coding = Coding.AMPLITUDE,
        transposed: bool = False,
        full_scale_v: float = np.nan,
    ) -> FloatArray:
        """Return the currents of a matrix-vector product as ``Board.matvec`` measures it.

        Args:
            g_siemens: conductances of all cells, row by row, shape (n_cells,).
            inputs_v: on the rows, or on the columns if transposed.
            coding: of the inputs.
            transposed: whether the columns are driven and the rows measured.
            full_scale_v: voltage of every input that is on, with time coding.
        """
        levels_v, shares = inputs_v[None], np.ones(1)
        if coding is Coding.TIME:
            levels_v, shares = _timed(inputs_v, full_scale_v)
        cells: CellLaw = self._cells(g_siemens, len(shares))
        if self._selector_ohm:
            # Transistors are wired by row: they are on in the rows that are driven.
            is_on = np.ones(1, dtype=bool) if transposed else (levels_v != 0)[:, :, None]
            cells = _BehindSelectors(cells, self._selector_ohm, is_on)
        rest_v = np.zeros(self._shape[0 if transposed else 1])
        rows_v, columns_v = (rest_v, -levels_v) if transposed else (levels_v, rest_v)
        state = self._network.solve_cells(cells, rows_v, columns_v)
        mean_a: FloatArray = shares @ (state.i_rows_a if transposed else state.i_columns_a)
        return mean_a

    def _sense(self, g_siemens: FloatArray, readings: LineReadings) -> Sensed:
        each = np.arange(len(readings.column))
        k = len(each)
        cells = self._cells(g_siemens, k)
        state = self._network.solve_cells(cells, readings.rows_v, readings.columns_v)
        probe_v = np.where(np.isnan(readings.columns_v), np.nan, 0.0)
        probe_v[each, readings.column] = 1.0
        probed = self._network.solve(
            np.maximum(cells.current(state.v_cell_v)[1], 0.0),
            np.where(np.isnan(readings.rows_v), np.nan, 0.0),
            probe_v,
        )
        by_current = -probed.v_cell_v.reshape(k, -1)
        by_on, by_all_off = (
            by_current * switched.volts(state.v_cell_v.reshape(-1), k)
            for switched in (self._on, self._off)
        )
        by_off = by_all_off - by_on
        return Sensed(
            i_a=state.i_columns_a[each, readings.column],
            by_g=by_on + self._off_slope(g_siemens) * by_off,
            by_off=by_off,
            by_cells_a=by_current * state.i_cell_a.reshape(k, -1),
            by_rows=-probed.i_rows_a,
            by_columns=probed.i_columns_a,
            by_wires_a=_drops_times_currents(self._wires, state, probed),
        )

    def _cells(self, g_siemens: FloatArray, k: int) -> _Cells:
        """Return the cells of k networks that are all alike."""
        off = self.off_part(g_siemens)
        return _Cells(
            self._on.conduction(k),
            np.tile((g_siemens - off) / self._on.g_siemens, k),
            self._off.conduction(k),
            np.tile(off / self._off.g_siemens, k),
        )

    def _off_slope(self, g_siemens: FloatArray) -> FloatArray:
        """Return the derivative of ``off_part``."""
        on, off = self._on.g_siemens, self._off.g_siemens
        above = np.where(g_siemens < on, -off / (on - off), 0.0)
        return np.where(g_siemens < off, np.where(g_siemens > 0, 1.0, 0.0), above)


class _Switched(NamedTuple):
    """Nominal devices with all switches at one side, and their conductances as they are read."""

    devices: DeviceModel
    g_siemens: FloatArray

    @classmethod
    def of(cls, station: Station, x: float, v_read_v: float) -> _Switched:
        """Return devices with this fraction of ON switches; the cells of an array all conduct."""
        model = station.table.twin.model
        devices = build_memristors(
            device_records(station),
            model="mss" if model == "mss-stochastic" else model,
            cycle_spread=False,
        )
        devices.x = np.full(devices.n_devices, x)
        return cls(devices, devices.conductance_siemens(np.arange(devices.n_devices), v_read_v))

    def conduction(self, k: int) -> Conduction:
        """Return how they conduct, k times over."""
        return self.devices.conduction(np.tile(np.arange(self.devices.n_devices), k))

    def volts(self, v_v: FloatArray, k: int) -> FloatArray:
        """Return the current of each over its conductance, shape (k, n_cells)."""
        return self.conduction(k).current(v_v)[0].reshape(k, -1) / self.g_siemens


@dataclass(frozen=True)
class _Cells:
    """Cells of which each is a part of an ON device and a part of an OFF one, side by side."""

    on: Conduction
    on_ratio: FloatArray
    off: Conduction
    off_ratio: FloatArray

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of each, shaped like the voltages."""
        across_v = v_v.reshape(-1)
        (on_a, on_slope), (off_a, off_slope) = self.on.current(across_v), self.off.current(across_v)
        i_a = self.on_ratio * on_a + self.off_ratio * off_a
        slope = self.on_ratio * on_slope + self.off_ratio * off_slope
        return i_a.reshape(v_v.shape), slope.reshape(v_v.shape)


@dataclass(frozen=True)
class _BehindSelectors:
    """Cells in series with a resistor each, where it is on; others conduct nothing."""

    cells: CellLaw
    r_ohm: float
    is_on: NDArray[np.bool_]

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of each, shaped like the voltages."""
        device_v, close_v = v_v, _CLOSE_RATIO * np.abs(v_v).max()
        for _ in range(_MAX_STEPS):
            i_a, slope = self.cells.current(device_v)
            step_v = (v_v - device_v - self.r_ohm * i_a) / (1 + self.r_ohm * slope)
            device_v = device_v + step_v
            if np.abs(step_v).max() <= close_v:
                break
        return self.is_on * i_a, self.is_on * slope / (1 + self.r_ohm * slope)


def _drops_times_currents(wires: Wires, one: NetworkState, other: NetworkState) -> FloatArray:
    """Return the sum of the drops on all lines in one state times the currents in the other."""
    lines = (
        (wires.r_word_ohm, one.word_segments_a, other.word_segments_a),
        (wires.r_bit_ohm, one.bit_segments_a, other.bit_segments_a),
        (wires.r_driver_ohm, one.i_rows_a, other.i_rows_a),
        (wires.r_sense_ohm, one.i_columns_a, other.i_columns_a),
    )
    sums = [r_ohm * (i_a * j_a).reshape(len(i_a), -1).sum(axis=1) for r_ohm, i_a, j_a in lines]
    total: FloatArray = np.sum(sums, axis=0)
    return total


def _timed(inputs_v: FloatArray, full_scale_v: float) -> tuple[FloatArray, FloatArray]:
    """Return levels and shares of the time: each input is on from the start, for its share."""
    shares = inputs_v / full_scale_v
    ends = np.unique(np.append(shares[shares > 0], 1.0))
    return np.where(shares >= ends[:, None], full_scale_v, 0.0), np.diff(ends, prepend=0.0)
