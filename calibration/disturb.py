"""What driving some cells of an array does to the others: foreseen by records and network."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.line_drops import wires_of
from hil.errors import LimitError, StationError
from hil.patterns import LinePattern
from hil.station import Station
from hil.types import BoardInfo, FloatArray
from hil.units import text
from twin.crossbar_cells import ConnectedCells, connected_cells
from twin.devices.base import DeviceModel
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.memristors import build_memristors
from twin.network import CrossbarNetwork
from twin.opening import device_records
from twin.parameters import stack
from twin.waveforms import Constant

MARGIN_SIGMAS = 2.0
"""How many spreads of devices and cycles a threshold is taken to be lower: the safe side."""

_PARTS = 2.0 ** -np.array([7, 7, 6, 5, 4, 3, 2, 1])
"""Parts of a step at whose begin the network is solved anew: cells that switch do so early."""


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    Attributes:
        pattern: on the lines, and the cells that are meant.
        on_s: how long, all pulses together.
        after_siemens: conductance of the cells that are meant after it.
    """

    pattern: LinePattern
    on_s: float
    after_siemens: float


class DisturbModel:
    """Foresees the change of conductance of every cell that is not meant.

    Each cell has the conductance that it was read to have, and the law of its record. The network
    is solved eight times in a step, at times that double; in between the voltages of cells that are
    not meant stay, and one that is meant sees the network as a source behind a resistance. That is
    some 10 times cheaper than the twin, which goes on until states and network agree.

    Args:
        station: names the records of the devices.
        info: of its board, which is an array.
        margin_sigmas: how many spreads (from device to device, and from cycle to cycle) all
            thresholds are lower than in the records; 0 foresees the device of the record. Records
            without spreads have none.

    Raises:
        StationError: the station is no array.
    """

    def __init__(self, station: Station, info: BoardInfo, margin_sigmas: float = 0.0) -> None:
        if info.array is None:
            raise StationError(f"station {info.station!r} is no array: nothing is half-selected")
        self._info = info
        self._array = info.array
        self._network = CrossbarNetwork(info.shape, wires_of(info.array))
        self._devices = _nominal(station, margin_sigmas)
        self._all = np.arange(self._devices.n_devices)
        self._v_read_v = 0.0

    def begin(self, g_siemens: FloatArray, v_read_v: float) -> None:
        """Let every cell have this conductance, shape (rows, columns), as read at ``v_read_v``."""
        g_siemens = np.clip(g_siemens.ravel(), 0.0, 1.0)
        self._devices.adopt_conductance(self._all, g_siemens, v_read_v)
        self._v_read_v = v_read_v

    def change(self, pattern: LinePattern, on_s: float) -> FloatArray:
        """Return how one step changes every cell that is not meant, in S; shape (rows, columns).

        All cells are left changed: a further step goes on from there.
        """
        is_meant = np.zeros(self._info.shape, dtype=bool)
        is_meant[tuple(pattern.cells.T)] = True
        before, saved = self._conductance(), copy.deepcopy(self._devices)
        if not self._drive(pattern, on_s, is_meant) and not self._drive(pattern, 0.0, is_meant):
            return np.zeros(self._info.shape)  # others held at the begin and at the end
        self._devices = saved
        for part in _PARTS:
            self._drive(pattern, part * on_s, is_meant)
        return np.where(is_meant, 0.0, self._conductance() - before)

    def _drive(self, pattern: LinePattern, dt_s: float, is_meant: NDArray[np.bool_]) -> bool:
        """Drive all cells with the network as it is; return whether one moves that is not meant."""
        shape, selector_ohm = self._info.shape, self._array.selector_ohm
        conducting = connected_cells(self._array.cell_kind, pattern.cells, shape)
        cells = ConnectedCells(self._devices, conducting, selector_ohm)
        state = self._network.solve_cells(cells, pattern.rows_v, pattern.columns_v)
        across_v, i_a, slope = cells.behind_selectors(state.v_cell_v.reshape(-1)[cells.index])
        moves = ~self._devices.holds(cells.index, across_v)
        others_move = bool((moves & ~is_meant.ravel()[cells.index]).any())
        if not moves.any() or not dt_s > 0:
            return others_move
        siemens = np.zeros(shape)
        siemens.reshape(-1)[cells.index] = slope
        r_ohm = np.zeros(shape)
        r_ohm[tuple(pattern.cells.T)] = selector_ohm + self._network.thevenin_ohm(
            siemens, pattern.rows_v, pattern.columns_v, pattern.cells
        )
        moving = cells.index[moves]
        behind_ohm = r_ohm.reshape(-1)[moving]
        self._devices.drive(
            moving,
            Constant(across_v[moves] + behind_ohm * i_a[moves]),
            np.full(len(moving), dt_s),
            behind_ohm,
            np.full(len(moving), np.inf),
        )
        return others_move

    def _conductance(self) -> FloatArray:
        g_siemens = self._devices.conductance_siemens(self._all, self._v_read_v)
        return g_siemens.reshape(self._info.shape)

    def check(self, steps: Iterable[Step], budget_ratio: float) -> FloatArray:
        """Go through a plan; return the summed change of every cell, in S.

        A cell that is meant by a step has its conductance from there on, and its budget anew.

        Raises:
            LimitError: the sum for a cell is beyond its budget; cell, figure and step are named.
        """
        summed = np.zeros(self._info.shape)
        for k, step in enumerate(steps):
            summed += self.change(step.pattern, step.on_s)
            ratio = np.abs(summed) / (self._conductance() - summed)
            worst = np.unravel_index(np.argmax(ratio), ratio.shape)
            if ratio[worst] > budget_ratio:
                name = self._info.device_at(np.array(worst)).name
                raise LimitError(
                    f"the plan would change {name} at cell ({worst[0]}, {worst[1]}) by "
                    f"{text(summed[worst], 'S')} ({ratio[worst]:.1%}) in its first {k + 1} steps; "
                    f"the disturb budget is {budget_ratio:.1%}: lower the amplitude, shorten the "
                    f"pulses, or bias the lines by scheme sdc"
                )
            index = self._info.index_of(step.pattern.cells)
            self._devices.adopt_conductance(index, step.after_siemens, self._v_read_v)
            summed.reshape(-1)[index] = 0.0
        return summed


def _nominal(station: Station, margin_sigmas: float) -> DeviceModel:
    """Return the devices of the records, with thresholds that many spreads lower."""
    records = device_records(station)
    if not margin_sigmas or any(record.model != "gmss" for record in records):
        return build_memristors(records, model=station.table.twin.model, cycle_spread=False)
    parameters = stack(records, GmssParameters)
    both = {
        f"d2d_{name}": np.hypot(
            getattr(parameters, f"d2d_{name}"), getattr(parameters, f"c2c_{name}")
        )
        for name in ("v_on_v", "v_off_v")
    }
    none = np.zeros(parameters.n_devices)
    cycles = {name: none for name in parameters.names() if name.startswith("c2c_")}
    lower = np.zeros((parameters.n_devices, 4))
    lower[:, 2:] = -margin_sigmas
    return GmssDevices(_replaced(parameters, both | cycles).spread(lower))


def _replaced(parameters: GmssParameters, changes: dict[str, FloatArray]) -> GmssParameters:
    values = {name: getattr(parameters, name) for name in parameters.names()}
    return GmssParameters(**values | changes)
