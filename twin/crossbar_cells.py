"""The cells of a crossbar: devices behind their selectors, as the network sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.arrays import CellKind
from hil.errors import UnmodelledError
from hil.types import CellArray, FloatArray, IndexArray
from twin.devices.base import Conduction, DeviceModel

_MAX_ITERATIONS = 200
_CLOSE_RATIO = 1e-13


def connected_cells(kind: CellKind, cells: CellArray, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which cells conduct while some are meant, shape (n_rows, n_columns).

    All of a passive array; with transistors, whose gates are wired by row, the rows of these cells;
    behind switches these alone.
    """
    if kind is CellKind.PASSIVE:
        return np.ones(shape, dtype=bool)
    is_connected = np.zeros(shape, dtype=bool)
    if kind is CellKind.TRANSISTOR:
        is_connected[cells[:, 0]] = True
    else:
        is_connected[cells[:, 0], cells[:, 1]] = True
    return is_connected


class ConnectedCells:
    """How the cells conduct that are connected, in the state that they are in; a ``CellLaw``.

    Cells that are not connected conduct nothing.

    Args:
        devices: of all cells, row by row.
        is_connected: shape (n_rows, n_columns).
        selector_ohm: in series with each device.
    """

    def __init__(
        self, devices: DeviceModel, is_connected: NDArray[np.bool_], selector_ohm: float
    ) -> None:
        self.index: IndexArray = np.flatnonzero(is_connected)
        self._shape = is_connected.shape
        self._conduction: Conduction = devices.conduction(self.index)
        self._selector_ohm = selector_ohm
        self._near_v = np.zeros(len(self.index))

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of every cell, shape (1, n_rows, n_columns) like ``v_v``."""
        across_v = v_v.reshape(-1)[self.index]
        _, i_a, slope = self.behind_selectors(across_v)
        out_a, out_siemens = np.zeros(self._shape), np.zeros(self._shape)
        out_a.reshape(-1)[self.index], out_siemens.reshape(-1)[self.index] = i_a, slope
        return out_a[None], out_siemens[None]

    def behind_selectors(self, across_v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return device voltage, current, and dI/dV of the cell; arrays of shape (n_connected,).

        Args:
            across_v: voltage across each connected cell.

        Raises:
            UnmodelledError: no operating point was found.
        """
        r_ohm = self._selector_ohm
        if r_ohm == 0:
            i_a, slope = self._conduction.current(across_v)
            return across_v, i_a, slope
        v_v = self._near_v
        close_v = _CLOSE_RATIO * np.abs(across_v).max(initial=0.0)
        for _ in range(_MAX_ITERATIONS):
            i_a, slope = self._conduction.current(v_v)
            step_v = (across_v - v_v - r_ohm * i_a) / (1 + r_ohm * slope)
            v_v = v_v + step_v
            if np.abs(step_v).max(initial=0.0) <= close_v:
                self._near_v = v_v
                i_a, slope = self._conduction.current(v_v)
                return v_v, i_a, slope / (1 + r_ohm * slope)
        raise UnmodelledError(
            f"no operating point of a device behind {r_ohm:g} ohm at up to "
            f"{np.abs(across_v).max():g} V: its current is not finite there"
        )
