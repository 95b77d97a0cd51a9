"""A crossbar of devices between resistive lines, and how its states move under a pattern."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hil.errors import UnmodelledError
from hil.types import FloatArray, IndexArray
from twin.crossbar_cells import ConnectedCells
from twin.devices.base import DeviceModel, Response
from twin.network import CrossbarNetwork, NetworkState, Wires
from twin.waveforms import Constant

_TOLERANCE_V = 2e-4
"""How far the voltage on a device that switches may be from that of the network after a step. A
threshold is some 12 mV wide: this is 2 % of a rate, at the end of a step."""

_BALANCE_RATIO = 2e-4
"""How far energies may be out of balance after a step: they are integrated as if all devices that
switch did so at the same pace."""

_SHORTEST_RATIO = 1e-7  # of a drive; states that jump faster than that are taken as they come
_MANY = 32  # from here on the resistance that a device sees is estimated


@dataclass(frozen=True)
class CrossbarInputs:
    """What is imposed on an array.

    Attributes:
        rows_v: at the port of each row; NaN floats.
        columns_v: at the port of each column; NaN floats.
        is_connected: cells whose selector conducts, shape (n_rows, n_columns); all of a passive
            array.
        i_limit_a: at which the one source limits its current, where it drives one cell alone.
    """

    rows_v: FloatArray
    columns_v: FloatArray
    is_connected: NDArray[np.bool_]
    i_limit_a: float = np.inf


@dataclass(frozen=True)
class CrossbarOutputs:
    """What a drive did.

    Attributes:
        device_j: dissipated in each device, shape (n_rows, n_columns).
        selector_j: in its selector.
        lines_j: in all lines, drivers and sense resistors.
        delivered_j: by all sources, found at their terminals.
        charge_rows_c: into the array at every row.
        charge_columns_c: out of it at every column.
        state: of the network at the end.
    """

    device_j: FloatArray
    selector_j: FloatArray
    lines_j: float
    delivered_j: float
    charge_rows_c: FloatArray
    charge_columns_c: FloatArray
    state: NetworkState

    @property
    def imbalance_ratio(self) -> float:
        """Difference between what was delivered and what was dissipated, over the latter."""
        parts_j = float(self.device_j.sum() + self.selector_j.sum()) + self.lines_j
        return abs(self.delivered_j - parts_j) / parts_j if parts_j > 0 else 0.0

    def __add__(self, later: CrossbarOutputs) -> CrossbarOutputs:
        """Join two drives: everything adds, the state is the later one."""
        sums = {
            f.name: getattr(self, f.name) + getattr(later, f.name)
            for f in fields(self)
            if f.name != "state"
        }
        return CrossbarOutputs(**sums, state=later.state)


class CrossbarPlant:
    """Devices in an array, with the lines between them.

    In a step every device that may switch sees the rest of the network as a source behind a
    resistance (Thevenin), and is integrated with it as exactly as one in a bank; the network is
    then solved anew. Steps are as long as both agree on the voltages at their end: a drive of one
    device takes one step. Devices within their dead band rest; reads do not count as their wear.
    Capacitances of lines are not modelled.

    Args:
        devices: of all cells, row by row.
        shape: (n_rows, n_columns).
        wires: resistances of the lines.
        selector_ohm: of a selector that conducts.
    """

    def __init__(
        self,
        devices: DeviceModel,
        shape: tuple[int, int],
        wires: Wires,
        selector_ohm: float = 0.0,
    ) -> None:
        self.devices = devices
        self.network = CrossbarNetwork(shape, wires)
        self._shape = shape
        self._wires = wires
        self._selector_ohm = selector_ohm
        self._near: NetworkState | None = None

    def rest(self, dt_s: float) -> None:
        """Let time pass with nothing connected."""
        if self.devices.is_volatile:
            self.devices.rest(np.arange(self.devices.n_devices), dt_s)

    def operating_point(self, inputs: CrossbarInputs) -> NetworkState:
        """Return currents and voltages with these inputs; no time passes."""
        return self._solve(inputs)[0]

    def advance(self, inputs: CrossbarInputs, dt_s: float) -> CrossbarOutputs:
        """Let time pass with these inputs.

        Raises:
            UnmodelledError: states and network do not come to terms.
        """
        before = self._solve(inputs)
        total: CrossbarOutputs | None = None
        left_s = h_s = dt_s
        while left_s > 0 or total is None:
            h_s = min(h_s, left_s)
            outputs, after, excess = self._try_step(
                inputs, before, h_s, is_last_try=h_s <= _SHORTEST_RATIO * dt_s
            )
            if outputs is not None:
                total = outputs if total is None else total + outputs
                left_s = left_s - h_s if h_s < left_s else 0.0
                before = after
            h_s *= min(4.0, max(0.1, 0.8 / max(excess, 1e-3)))
        return total

    def _solve(self, inputs: CrossbarInputs) -> tuple[NetworkState, ConnectedCells]:
        cells = ConnectedCells(self.devices, inputs.is_connected, self._selector_ohm)
        state = self._near = self._solve_at(inputs, cells, 1.0)
        i_a = np.abs(state.i_rows_a).max()
        if i_a <= inputs.i_limit_a:
            return state, cells
        # The source lets its voltage fall until the current is at its limit.
        low, high = 0.0, 1.0
        for _ in range(100):
            share = 0.5 * (low + high)
            state = self._solve_at(inputs, cells, share)
            i_a = np.abs(state.i_rows_a).max()
            low, high = (share, high) if i_a < inputs.i_limit_a else (low, share)
            if abs(i_a - inputs.i_limit_a) < 1e-9 * inputs.i_limit_a:
                return state, cells
        raise UnmodelledError(f"no voltage gives the compliance of {inputs.i_limit_a:g} A")

    def _solve_at(
        self, inputs: CrossbarInputs, cells: ConnectedCells, share: float
    ) -> NetworkState:
        near = self._near
        if near is not None and not _float_alike(near, inputs):
            near = None  # what a line that floats was left at is no place to begin
        return self.network.solve_cells(
            cells, share * inputs.rows_v, share * inputs.columns_v, near=near
        )

    def _try_step(
        self,
        inputs: CrossbarInputs,
        before: tuple[NetworkState, ConnectedCells],
        h_s: float,
        *,
        is_last_try: bool,
    ) -> tuple[CrossbarOutputs | None, tuple[NetworkState, ConnectedCells], float]:
        """Make a step, or take it back; return what it did, and its error over what is allowed."""
        state, cells = before
        across_v = state.v_cell_v.reshape(-1)[cells.index]
        device_v, i_a, slope = cells.behind_selectors(across_v)
        moves = ~self.devices.holds(cells.index, device_v)
        moving = cells.index[moves]
        saved = copy.deepcopy(self.devices) if len(moving) else None
        r_ohm = self._thevenin_ohm(inputs, cells, slope, moving)
        response = self._drive(inputs, moving, across_v[moves], i_a[moves], r_ohm, h_s)
        if self.devices.is_volatile:
            others = np.setdiff1d(np.arange(self.devices.n_devices), moving, assume_unique=True)
            self.devices.rest(others, h_s)
        after = self._solve(inputs)
        end_v = after[1].behind_selectors(after[0].v_cell_v.reshape(-1)[cells.index])[0]
        excess = np.abs(end_v[moves] - response.v_device_end_v).max(initial=0.0) / _TOLERANCE_V
        outputs = self._outputs(
            state, after[0], h_s, moving, response, _shape_moments(i_a[moves], r_ohm, response, h_s)
        )
        excess = max(excess, outputs.imbalance_ratio / _BALANCE_RATIO)
        if excess > 1 and not is_last_try and saved is not None:
            self.devices = saved
            return None, before, float(excess)
        return outputs, after, float(excess)

    def _thevenin_ohm(
        self,
        inputs: CrossbarInputs,
        cells: ConnectedCells,
        slope_siemens: FloatArray,
        moving: IndexArray,
    ) -> FloatArray:
        """Return the resistance that each device sees, its selector included."""
        if not len(moving):
            return np.zeros(0)
        places = np.stack(np.divmod(moving, self._shape[1]), axis=1)
        if len(moving) > _MANY:
            row, column = places.T
            wires = self._wires
            r_ohm = (
                wires.r_driver_ohm
                + wires.r_word_ohm * (column + 1)
                + wires.r_bit_ohm * (self._shape[0] - row)
                + wires.r_sense_ohm
            )
        else:
            siemens = np.zeros(self._shape)
            siemens.reshape(-1)[cells.index] = slope_siemens
            r_ohm = self.network.thevenin_ohm(siemens, inputs.rows_v, inputs.columns_v, places)
        total_ohm: FloatArray = r_ohm + self._selector_ohm
        return total_ohm

    def _drive(
        self,
        inputs: CrossbarInputs,
        moving: IndexArray,
        across_v: FloatArray,
        i_a: FloatArray,
        r_ohm: FloatArray,
        h_s: float,
    ) -> Response:
        open_v = across_v + (r_ohm - self._selector_ohm) * i_a
        limit_a = np.full(len(moving), inputs.i_limit_a)
        if np.isfinite(inputs.i_limit_a):  # one cell alone, and the source is not at its limit yet
            open_v = np.full(len(moving), np.nanmax(inputs.rows_v) - np.nanmin(inputs.columns_v))
        if not len(moving):
            return Response(*(np.zeros(0) for _ in fields(Response)))
        return self.devices.drive(
            moving, Constant(open_v), np.full(len(moving), h_s), r_ohm, limit_a
        )

    def _line_currents(
        self, before: NetworkState, after: NetworkState
    ) -> list[tuple[float, tuple[FloatArray, FloatArray]]]:
        """Return the resistances of lines and ports, and the currents at both ends of a step."""
        wires = self._wires
        return [
            (wires.r_word_ohm, (before.word_segments_a[0], after.word_segments_a[0])),
            (wires.r_bit_ohm, (before.bit_segments_a[0], after.bit_segments_a[0])),
            (wires.r_driver_ohm, (before.i_rows_a[0], after.i_rows_a[0])),
            (wires.r_sense_ohm, (before.i_columns_a[0], after.i_columns_a[0])),
        ]

    def _outputs(
        self,
        before: NetworkState,
        after: NetworkState,
        h_s: float,
        moving: IndexArray,
        response: Response,
        moments: tuple[float, float],
    ) -> CrossbarOutputs:
        """Integrate powers over a step in which everything moves as the currents of the cells do.

        With sources that stand still all voltages are linear in the currents of the devices that
        move: powers are quadratic in how far these have come, whose mean and mean square are known.
        """
        cells_j = h_s * _mean_product(
            (before.v_cell_v[0], after.v_cell_v[0]),
            (before.i_cell_a[0], after.i_cell_a[0]),
            moments,
        )
        lines_j = h_s * sum(
            r_ohm * _mean_product(currents_a, currents_a, moments).sum()
            for r_ohm, currents_a in self._line_currents(before, after)
        )
        through_a = (before.i_cell_a[0], after.i_cell_a[0])
        selector_j = h_s * self._selector_ohm * _mean_product(through_a, through_a, moments)
        delivered_j = h_s * ((1 - moments[0]) * before.source_w[0] + moments[0] * after.source_w[0])
        device_j = cells_j - selector_j
        device_j.reshape(-1)[moving] = response.device_j
        first = moments[0]
        return CrossbarOutputs(
            device_j,
            selector_j,
            float(lines_j),
            float(delivered_j),
            h_s * ((1 - first) * before.i_rows_a[0] + first * after.i_rows_a[0]),
            h_s * ((1 - first) * before.i_columns_a[0] + first * after.i_columns_a[0]),
            after,
        )


def _float_alike(state: NetworkState, inputs: CrossbarInputs) -> bool:
    return np.array_equal(np.isnan(state.rows_v[0]), np.isnan(inputs.rows_v)) and np.array_equal(
        np.isnan(state.columns_v[0]), np.isnan(inputs.columns_v)
    )


def _shape_moments(
    i_a: FloatArray, r_ohm: FloatArray, response: Response, h_s: float
) -> tuple[float, float]:
    """Return mean and mean square of how far the largest change of a current has come, 0 to 1."""
    change_a = response.i_end_a - i_a
    if not len(change_a) or not h_s > 0:
        return 0.5, 1 / 3
    k = int(np.argmax(np.abs(change_a)))
    if abs(change_a[k]) <= 1e-9 * abs(i_a[k]):
        return 0.5, 1 / 3
    first = (response.charge_c[k] / h_s - i_a[k]) / change_a[k]
    first = min(max(first, 0.0), 1.0)
    if r_ohm[k] == 0:  # nothing but the device dissipates
        return first, first
    square_a2 = response.resistors_j[k] / (r_ohm[k] * h_s)
    second = (square_a2 - i_a[k] ** 2 - 2 * i_a[k] * change_a[k] * first) / change_a[k] ** 2
    return first, min(max(second, first**2), first)


def _mean_product(
    a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray], moments: tuple[float, float]
) -> FloatArray:
    """Return the mean of a product of two quantities that both go from one value to another.

    How far they have come is the same for both, with mean and mean square ``moments``.
    """
    first, second = moments
    (a0, a1), (b0, b1) = a, b
    da, db = a1 - a0, b1 - b0
    mean: FloatArray = a0 * b0 + (a0 * db + b0 * da) * first + da * db * second
    return mean
