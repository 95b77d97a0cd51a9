"""A memristor crossbar with resistance in its wires, solved exactly.

Word line i has its port before column 0, bit line j behind the last row; the path through cell
(i, j) is r_driver + (j + 1) r_word + R + (n - i) r_bit + r_sense, as in badcrossbar (Joksas and
Mehonic, SoftwareX 12, 2020) with neither driver nor sense resistors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hil.errors import UsageError
from hil.types import CellArray, FloatArray
from twin.network_equations import Conductances, Method, Ports, solve_linear
from twin.network_lines import Lines
from twin.network_newton import CellLaw, solve_cells
from twin.network_state import NetworkState, Wires

__all__ = ["CellLaw", "CrossbarNetwork", "NetworkState", "Wires"]

_CACHED_VALUES = 1 << 20  # floating patterns are kept up to this many cells
_MANY_VALUES = 1 << 22  # cells of all networks that are solved at once
_ALONE_RATIO = 1e-3
"""Of the current through a cell in parallel with the network, the least part for the network.

Below, taking the cell out of their sum would cost too many digits.
"""
_MISSING_A = 1e-3  # of one ampere; what converges leaves far less, and islands far more
_TINY_SIEMENS = 1e-300
_OPEN_RATIO = 1e-11  # the part below which nothing but the cell itself conducts


class CrossbarNetwork:
    """Solves arrays of one shape with the same wires.

    What depends on the wires and on which ports float is kept between calls. A solve of n x m cells
    costs some ten passes over them for each iteration of conjugate gradients: 2 to 10 of them for
    memristors of kiloohms, some 60 where the wires of a line exceed its cells by far.

    Args:
        shape: (n, m): rows (word lines) and columns (bit lines).
        wires: their resistances.

    Raises:
        UsageError: an empty array, or a resistance that is negative or not finite.
    """

    def __init__(self, shape: tuple[int, int], wires: Wires) -> None:
        if len(shape) != 2 or min(shape) < 1:
            raise UsageError(f"crossbar of shape {shape}: needs at least one row and one column")
        for name, r_ohm in vars(wires).items():
            if not 0 <= r_ohm < np.inf:
                raise UsageError(f"{name} = {r_ohm} ohm: needs a finite value of 0 or more")
        self.shape, self.wires = (int(shape[0]), int(shape[1])), wires
        self._known: dict[tuple[int, bytes], Lines] = {}

    def solve(
        self,
        g_siemens: ArrayLike,
        rows_v: ArrayLike,
        columns_v: ArrayLike,
        *,
        injected_a: ArrayLike | None = None,
        tolerance: float = 1e-12,
        near: NetworkState | None = None,
        method: Method = "auto",
    ) -> NetworkState:
        """Solve linear cells: i = g v + injected.

        Args:
            g_siemens: conductances, (n, m), or (k, n, m) for as many networks; 0 is an open cell.
            rows_v: voltage at the port of every word line, (n,) or (k, n); NaN where it floats.
            columns_v: of every bit line, (m,) or (k, m).
            injected_a: current of a source in parallel to each cell, (n, m) or (k, n, m).
            tolerance: 2-norm of the currents that are missing at nodes, over that of the cells'.
            near: a solution to begin with.
            method: conjugate gradients, a sparse factorisation, or whichever is better.

        Returns:
            The state of all k networks. A floating line without a conducting cell is at 0 V.

        Raises:
            UsageError: an array of the wrong shape, or a value that cannot be meant.
            UnmodelledError: no method brings the residual down to the tolerance.
        """
        g = _cells("g_siemens", g_siemens, self.shape)
        if not (g.min() >= 0 and g.max() < np.inf):
            raise UsageError(_wrong_conductance(g))
        injected = None
        if injected_a is not None:
            injected = _cells("injected_a", injected_a, self.shape)
            if not np.isfinite(injected).all():
                raise UsageError("injected_a: needs finite currents")
        ports = self._ports(rows_v, columns_v)
        _same_k(g=g, rows_v=ports.rows_v, columns_v=ports.columns_v, injected_a=injected)
        return solve_linear(Conductances(g, ports), ports, injected, tolerance, near, method)

    def solve_cells(
        self,
        cells: CellLaw,
        rows_v: ArrayLike,
        columns_v: ArrayLike,
        *,
        tolerance: float = 1e-10,
        near: NetworkState | None = None,
    ) -> NetworkState:
        """Solve cells of any law by Newton's method; for laws that only rise it always converges.

        Args:
            cells: the law.
            rows_v: voltage at the port of every word line, (n,) or (k, n); NaN where it floats.
            columns_v: of every bit line, (m,) or (k, m).
            tolerance: 2-norm of the currents that are missing at nodes, over that of the cells'.
            near: a solution to begin with.

        Raises:
            UsageError: an array of the wrong shape.
            UnmodelledError: it does not converge, as for cells of negative resistance.
        """
        ports = self._ports(rows_v, columns_v)
        _same_k(rows_v=ports.rows_v, columns_v=ports.columns_v)
        return solve_cells(cells, ports, tolerance, near)

    def thevenin_ohm(
        self, g_siemens: ArrayLike, rows_v: ArrayLike, columns_v: ArrayLike, cells: CellArray
    ) -> FloatArray:
        """Return the resistance that the rest of the network has for each of some cells.

        All sources are zeroed: ports with a voltage are shorted, floating ones stay open.

        Args:
            g_siemens: conductances, (n, m).
            rows_v: voltages at the row ports, (n,); only which of them float matters.
            columns_v: voltages at the column ports, (m,).
            cells: (row, column) of each, (c, 2); their own conductance is taken out.

        Returns:
            Resistances, (c,); inf where nothing else connects the ends of the cell.

        Raises:
            UsageError: an array of the wrong shape, or a cell outside.
        """
        g = _cells("g_siemens", g_siemens, self.shape)
        cells = np.asarray(cells, dtype=np.intp).reshape(-1, 2)
        if cells.size and not ((cells >= 0) & (cells < self.shape)).all():
            raise UsageError(f"thevenin_ohm: a cell outside of an array of shape {self.shape}")
        zeroed = [np.where(np.isnan(_lines("", x)), np.nan, 0.0) for x in (rows_v, columns_v)]
        step = max(1, _MANY_VALUES // g[0].size)
        parts = [cells[first : first + step] for first in range(0, len(cells), step)]
        found = [self._thevenin_ohm(g, zeroed[0], zeroed[1], part) for part in parts]
        return np.concatenate(found) if found else np.empty(0)

    def _thevenin_ohm(
        self, g: FloatArray, rows_v: FloatArray, columns_v: FloatArray, cells: CellArray
    ) -> FloatArray:
        rows, columns = cells.T
        each = np.arange(len(cells))
        own = g[0, rows, columns]
        together = self._seen_ohm(g, rows_v, columns_v, cells)
        rest = 1 - np.where(
            own > 0, own * np.minimum(together, 1 / np.maximum(own, _TINY_SIEMENS)), 0.0
        )
        few = (rest < _ALONE_RATIO) & (rest > _OPEN_RATIO)
        with np.errstate(divide="ignore"):
            found = np.where(rest > _OPEN_RATIO, together / np.maximum(rest, _OPEN_RATIO), np.inf)
        if few.any():
            without = np.repeat(g, len(cells), axis=0)
            without[each, rows, columns] = 0.0
            found[few] = self._seen_ohm(without[few], rows_v, columns_v, cells[few])
        return found

    def _seen_ohm(
        self, g: FloatArray, rows_v: FloatArray, columns_v: FloatArray, cells: CellArray
    ) -> FloatArray:
        """Return the voltage that one ampere from bit to word line makes at each cell."""
        each = np.arange(len(cells))
        injected = np.zeros((len(cells), *self.shape))
        injected[each, cells[:, 0], cells[:, 1]] = -1.0
        state = self.solve(g, rows_v, columns_v, injected_a=injected)
        seen_v = state.v_cell_v[each, cells[:, 0], cells[:, 1]]
        # Where nothing leads from one end to the other, the ampere is missing at some node.
        return np.where(state.violations_a < _MISSING_A, seen_v, np.inf)

    def _ports(self, rows_v: ArrayLike, columns_v: ArrayLike) -> Ports:
        rows, columns = _lines("rows_v", rows_v), _lines("columns_v", columns_v)
        for name, values, length in (
            ("rows_v", rows, self.shape[0]),
            ("columns_v", columns, self.shape[1]),
        ):
            if values.shape[1] != length:
                raise UsageError(f"{name}: {values.shape[1]} voltages for {length} lines")
        open_rows, open_columns = np.isnan(rows), np.isnan(columns)
        words, bits = self._side(-1, open_rows), self._side(-2, open_columns)
        from_rows, from_columns = rows, columns
        if words.has_floating or bits.has_floating:
            reference = _reference_v(rows, columns, open_rows, open_columns)
            from_rows = np.where(open_rows, reference, rows)
            from_columns = np.where(open_columns, reference, columns)
        # One sum is not finite exactly where a value is not, and cheap for small arrays.
        if not np.isfinite(from_rows.sum() + from_columns.sum()):
            raise UsageError("rows_v, columns_v: an infinite voltage; NaN lets a port float")
        return Ports(rows, columns, from_rows, from_columns, words, bits, self.wires)

    def _side(self, axis: int, floating: np.ndarray) -> Lines:
        if len(floating) > 1 and (floating == floating[0]).all():
            floating = floating[:1]
        key = (axis, floating.tobytes())
        lines = self._known.get(key)
        if lines is None:
            wires = self.wires
            ohms = (wires.r_word_ohm, wires.r_driver_ohm)
            if axis == -2:
                ohms = (wires.r_bit_ohm, wires.r_sense_ohm)
            lines = Lines(axis, self.shape, *ohms, floating)
            if (len(self._known) + 1) * floating.size * self.shape[axis] > _CACHED_VALUES:
                self._known.clear()
            self._known[key] = lines
        return lines


def _reference_v(
    rows_v: FloatArray, columns_v: FloatArray, open_rows: np.ndarray, open_columns: np.ndarray
) -> FloatArray:
    """Return the voltage of the first port that does not float, (1 or k, 1).

    Floating lines are counted from it: where all ports are at one voltage, nothing is left to do.
    """
    k = max(len(rows_v), len(columns_v))
    both = np.hstack([np.broadcast_to(x, (k, x.shape[1])) for x in (columns_v, rows_v)])
    opened = np.isnan(both)
    first = np.argmin(opened, axis=1)
    reference_v: FloatArray = np.nan_to_num(both[np.arange(k), first], nan=0.0)[:, None]
    return reference_v


def _cells(name: str, values: ArrayLike, shape: tuple[int, int]) -> FloatArray:
    """Return values of every cell as (k, n, m)."""
    array = np.asarray(values, dtype=float)
    if array.ndim not in (2, 3) or array.shape[-2:] != shape or not len(array):
        raise UsageError(f"{name}: shape {array.shape}, needs {shape} or (k, *{shape})")
    return array if array.ndim == 3 else array[None]


def _lines(name: str, values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=float)  # a copy: the state keeps it
    if array.ndim not in (1, 2) or not len(array):
        raise UsageError(f"{name}: shape {array.shape}, needs one voltage for each line")
    return array if array.ndim == 2 else array[None]


def _same_k(**arrays: FloatArray | None) -> None:
    if all(x is None or len(x) == 1 for x in arrays.values()):
        return
    lengths = {name: len(x) for name, x in arrays.items() if x is not None and len(x) > 1}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {k}" for name, k in lengths.items())
        raise UsageError(f"different numbers of networks: {shown}")


def _wrong_conductance(g_siemens: FloatArray) -> str:
    wrong = ~(g_siemens >= 0) | np.isinf(g_siemens)
    _, row, column = (int(index) for index in np.argwhere(wrong)[0])
    value = float(g_siemens[wrong][0])
    hint = "a short is not a cell" if value == np.inf else "needs a finite value of 0 or more"
    return f"conductance of cell ({row}, {column}) = {value:g} S: {hint}"
