"""A crossbar as its station describes it, with nominal devices: what its ports are to measure."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hil.arrays import Coding
from hil.errors import UsageError
from hil.station import Station
from hil.types import BoardInfo, FloatArray, IndexArray
from twin.devices.base import Conduction, DeviceModel
from twin.memristors import build_memristors
from twin.network import CrossbarNetwork, NetworkState, Wires
from twin.opening import device_records

_MANY_VALUES = 1 << 20  # cells of all networks that are solved at once
_STEP_RATIO = 1e-4  # of a conductance, for the derivative of the current of its cell
_SMALL_SIEMENS = 1e-9
_SHORT_SIEMENS = 1e3  # beyond any window
_MAX_STEPS = 100
_CLOSE_RATIO = 1e-13


class LineReadings(NamedTuple):
    """Readings of one column each: what was put on the lines, and which column was sensed.

    Attributes:
        rows_v: shape (k, n_rows); NaN floats.
        columns_v: shape (k, n_columns).
        column: that was sensed, shape (k,).
        cell: index of the cell that was meant, row by row, shape (k,).
    """

    rows_v: FloatArray
    columns_v: FloatArray
    column: IndexArray
    cell: IndexArray

    def parts(self, length: int) -> Iterator[LineReadings]:
        """Yield the same in pieces."""
        for first in range(0, len(self.cell), length):
            here = slice(first, first + length)
            yield LineReadings(
                self.rows_v[here], self.columns_v[here], self.column[here], self.cell[here]
            )


class Sensed(NamedTuple):
    """What the model has for each reading.

    Attributes:
        i_a: current of the sensed column, shape (k,).
        i_cell_a: current through the cell that was meant, shape (k,).
    """

    i_a: FloatArray
    i_cell_a: FloatArray


@dataclass(frozen=True)
class _Mix:
    """The difference between two shapes that both conduct 1 S at the read voltage.

    Attributes:
        off: cells with all switches OFF.
        off_siemens: their conductance at the read voltage.
        on: cells with all switches ON.
        on_siemens: their conductance.
    """

    off: Conduction
    off_siemens: FloatArray
    on: Conduction
    on_siemens: FloatArray

    def volts(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the difference of the currents over 1 S, and its derivative by the voltage."""
        (off_a, off_slope), (on_a, on_slope) = self.off.current(v_v), self.on.current(v_v)
        return (
            off_a / self.off_siemens - on_a / self.on_siemens,
            off_slope / self.off_siemens - on_slope / self.on_siemens,
        )


@dataclass(frozen=True)
class _Cells:
    """Cells of given conductances in k networks at once, as the solver takes them."""

    conduction: Conduction
    share: FloatArray
    mix_siemens: FloatArray
    mix: _Mix
    selector_ohm: float

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of each, shaped like the voltages."""
        across_v = v_v.reshape(-1)
        i_a, slope = self._behind_selectors(across_v) if self.selector_ohm else self._at(across_v)
        return i_a.reshape(v_v.shape), slope.reshape(v_v.shape)

    def _at(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        i_a, slope = self.conduction.current(v_v)
        i_a, slope = self.share * i_a, self.share * slope
        if self.mix_siemens.any():
            mix_v, mix_slope = self.mix.volts(v_v)
            i_a, slope = i_a + self.mix_siemens * mix_v, slope + self.mix_siemens * mix_slope
        return i_a, slope

    def _behind_selectors(self, across_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        r_ohm, v_v = self.selector_ohm, across_v
        close_v = _CLOSE_RATIO * np.abs(across_v).max(initial=0.0)
        for _ in range(_MAX_STEPS):
            i_a, slope = self._at(v_v)
            step_v = (across_v - v_v - r_ohm * i_a) / (1 + r_ohm * slope)
            v_v = v_v + step_v
            if np.abs(step_v).max(initial=0.0) <= close_v:
                break
        return i_a, slope / (1 + r_ohm * slope)


class ArrayModel:
    """The lines of an array, and cells of which only the conductance at a read voltage is known.

    How the current of a cell depends on its voltage follows from the nominal record of its device:
    that of the state with this conductance. Beyond the window of the record it is the shape at the
    nearest end, scaled. Devices differ from their records in how much of the conductance is that of
    OFF switches, which bends more than that of ON switches: ``mix_siemens`` is how much more of it
    is OFF than the record has for this conductance.

    Args:
        station: whose device records give the shapes.
        info: of the board; its ``array`` gives the lines.
        v_read_v: at which the conductances hold.
        wires_ratio: of the resistances of all lines to what ``info`` says.

    Attributes:
        off_siemens: conductance of each device with all switches OFF, by its record.

    Raises:
        UsageError: the board is no array.
    """

    def __init__(
        self, station: Station, info: BoardInfo, v_read_v: float, wires_ratio: float = 1.0
    ) -> None:
        array = info.array
        if array is None:
            raise UsageError(
                f"board {info.kind!r} is no array: its cells are isolated, there is no network "
                f"to model"
            )
        line_ohm = (array.r_word_ohm, array.r_bit_ohm, array.r_driver_ohm, array.r_sense_ohm)
        self.shape, self._v_read_v = info.shape, v_read_v
        self._network = CrossbarNetwork(info.shape, Wires(*(wires_ratio * r for r in line_ohm)))
        self._selector_ohm = array.selector_ohm
        self._devices = _nominal_devices(station)
        self.off_siemens, self._off = self._end(0.0)
        self._on_siemens, self._on = self._end(_SHORT_SIEMENS)

    def read(
        self, g_siemens: FloatArray, mix_siemens: FloatArray, readings: LineReadings
    ) -> Sensed:
        """Return the currents of some readings.

        Args:
            g_siemens: conductances of all cells, row by row, shape (n_cells,).
            mix_siemens: of each cell, shape (n_cells,).
            readings: what was read.

        Raises:
            UnmodelledError: the network has no solution, as with conductances far below 0.
        """
        parts = [
            self._sensed(self._solve(g_siemens, mix_siemens, part)[0], part)
            for part in self._parts(readings)
        ]
        return Sensed(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def differentiate(
        self, g_siemens: FloatArray, mix_siemens: FloatArray, readings: LineReadings
    ) -> tuple[Sensed, FloatArray, FloatArray]:
        """Return currents, and their derivatives by conductances and by mixes, shape (k, n_cells).

        The derivatives are exact, by reciprocity: that of the current of a column is the change of
        the current of a cell at a fixed voltage, times the voltage that 1 V at that column alone
        puts on the cell in the network of differential conductances.
        """
        sensed, slopes = [], []
        for part in self._parts(readings):
            state, cells = self._solve(g_siemens, mix_siemens, part)
            v_v = state.v_cell_v
            sensed.append(self._sensed(state, part))
            adjoint = self._network.solve(
                np.maximum(cells.current(v_v)[1], 0.0),
                np.where(np.isnan(part.rows_v), np.nan, 0.0),
                _one_at(part.columns_v, part.column),
            )
            for_each = (len(part.cell), -1)
            by_g = -adjoint.v_cell_v * self._by_conductance(g_siemens, mix_siemens, v_v, cells)
            by_mix = -adjoint.v_cell_v * cells.mix.volts(v_v.reshape(-1))[0].reshape(v_v.shape)
            slopes.append((by_g.reshape(for_each), by_mix.reshape(for_each)))
        by_g, by_mix = (np.concatenate(each) for each in zip(*slopes, strict=True))
        return Sensed(*map(np.concatenate, zip(*sensed, strict=True))), by_g, by_mix

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
        steps = [(inputs_v, 1.0)]
        if coding is Coding.TIME:
            steps = _timed(inputs_v, full_scale_v)
        total_a = np.zeros(self.shape[0 if transposed else 1])
        cells = self._cells(g_siemens, np.zeros_like(g_siemens), 1)
        for level_v, share in steps:
            rest_v = np.zeros(len(total_a))
            rows_v, columns_v = (rest_v, -level_v) if transposed else (level_v, rest_v)
            state = self._network.solve_cells(cells, rows_v, columns_v)
            total_a += share * (state.i_rows_a if transposed else state.i_columns_a)[0]
        return total_a

    def _parts(self, readings: LineReadings) -> Iterator[LineReadings]:
        return readings.parts(max(1, _MANY_VALUES // (self.shape[0] * self.shape[1])))

    def _solve(
        self, g_siemens: FloatArray, mix_siemens: FloatArray, part: LineReadings
    ) -> tuple[NetworkState, _Cells]:
        cells = self._cells(g_siemens, mix_siemens, len(part.cell))
        return self._network.solve_cells(cells, part.rows_v, part.columns_v), cells

    def _sensed(self, state: NetworkState, part: LineReadings) -> Sensed:
        each = np.arange(len(part.cell))
        through_a = state.i_cell_a.reshape(len(each), -1)[each, part.cell]
        return Sensed(state.i_columns_a[each, part.column], through_a)

    def _cells(self, g_siemens: FloatArray, mix_siemens: FloatArray, k: int) -> _Cells:
        index = np.arange(len(g_siemens))
        self._devices.adopt_conductance(index, np.maximum(g_siemens, 0.0), self._v_read_v)
        adopted = self._devices.conductance_siemens(index, self._v_read_v)
        off, on = (_tiled(devices, index, k) for devices in (self._off, self._on))
        return _Cells(
            _tiled(self._devices, index, k),
            np.tile(g_siemens / adopted, k),
            np.tile(mix_siemens, k),
            _Mix(off, np.tile(self.off_siemens, k), on, np.tile(self._on_siemens, k)),
            self._selector_ohm,
        )

    def _end(self, g_siemens: float) -> tuple[FloatArray, DeviceModel]:
        """Return the devices at one end of their window, and their conductances there."""
        devices = copy.deepcopy(self._devices)
        index = np.arange(devices.n_devices)
        devices.adopt_conductance(index, g_siemens, self._v_read_v)
        return devices.conductance_siemens(index, self._v_read_v), devices

    def _by_conductance(
        self, g_siemens: FloatArray, mix_siemens: FloatArray, v_v: FloatArray, cells: _Cells
    ) -> FloatArray:
        """Return the derivative of the current of every cell by its conductance, like ``v_v``."""
        step = _STEP_RATIO * np.maximum(np.abs(g_siemens), _SMALL_SIEMENS)
        more = self._cells(g_siemens + step, mix_siemens, len(v_v))
        change_a = more.current(v_v)[0] - cells.current(v_v)[0]
        by_g: FloatArray = change_a / step.reshape(self.shape)
        return by_g


def _nominal_devices(station: Station) -> DeviceModel:
    """Return devices that are exactly what their records say; the cells of an array all conduct."""
    model = station.table.twin.model
    model = "mss" if model == "mss-stochastic" else model
    return build_memristors(device_records(station), model=model, cycle_spread=False)


def _tiled(devices: DeviceModel, index: IndexArray, k: int) -> Conduction:
    return devices.conduction(np.tile(index, k))


def _one_at(columns_v: FloatArray, column: IndexArray) -> FloatArray:
    at_v = np.where(np.isnan(columns_v), np.nan, 0.0)
    at_v[np.arange(len(column)), column] = 1.0
    return at_v


def _timed(inputs_v: FloatArray, full_scale_v: float) -> list[tuple[FloatArray, float]]:
    """Return levels and shares of the time: each input is on from the start, for its share."""
    shares = inputs_v / full_scale_v
    ends = np.unique(shares[shares > 0])
    return [
        (np.where(shares >= end, full_scale_v, 0.0), float(end - before))
        for before, end in zip([0.0, *ends[:-1]], ends, strict=True)
    ]
