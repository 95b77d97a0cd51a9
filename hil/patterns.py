"""Patterns of voltages on the lines of an array, and what driving one did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.arrays import Scheme
from hil.errors import UnsupportedError, UsageError
from hil.types import BoardInfo, CellArray, EnergySplit, FloatArray, Source


@dataclass(frozen=True)
class LinePattern:
    """Voltages on all lines at once, and which cells are meant.

    Attributes:
        rows_v: shape (n_rows,); NaN for a row that floats.
        columns_v: shape (n_columns,); NaN for a column that floats.
        cells: (row, column) of the cells that are meant, shape (n_cells, 2); all others are
            half-selected. Behind selectors only these conduct, with transistors whole rows.

    Raises:
        UsageError: arrays of other shapes, or no line is driven.
    """

    rows_v: FloatArray
    columns_v: FloatArray
    cells: CellArray

    def __post_init__(self) -> None:
        for name in ("rows_v", "columns_v"):
            lines_v = np.asarray(getattr(self, name), dtype=float)
            if lines_v.ndim != 1 or not len(lines_v):
                raise UsageError(f"{name} of a pattern has shape {lines_v.shape}; give (n_lines,)")
            object.__setattr__(self, name, lines_v)
        if np.isnan(self.rows_v).all() and np.isnan(self.columns_v).all():
            raise UsageError("all lines of the pattern float: there is nothing that drives")

    @property
    def cells_v(self) -> FloatArray:
        """Largest voltage that each cell may see, shape (rows, columns): lines without resistance.

        The sign is that of row against column. A line that floats may go anywhere between the
        lines that are driven.
        """
        driven_v = np.concatenate([self.rows_v, self.columns_v])
        low_v, high_v = np.nanmin(driven_v), np.nanmax(driven_v)
        row_high, row_low = (
            np.where(np.isnan(self.rows_v), v, self.rows_v) for v in (high_v, low_v)
        )
        column_low, column_high = (
            np.where(np.isnan(self.columns_v), v, self.columns_v) for v in (low_v, high_v)
        )
        most_v, least_v = (
            np.subtract.outer(row_high, column_low),
            np.subtract.outer(row_low, column_high),
        )
        worst_v: FloatArray = np.where(np.abs(most_v) >= np.abs(least_v), most_v, least_v)
        return worst_v


@dataclass(frozen=True)
class LineDrive:
    """What a pattern on the lines did.

    Attributes:
        pattern: as asked.
        width_s: of one pulse.
        n_pulses: how many.
        t_s: board clock at the end.
        i_rows_a: current into the array at every row at the end, shape (n_rows,).
        i_columns_a: current out of it at every column, shape (n_columns,).
        energy: of all pulses, arrays of shape (1,): ``device_j`` in the cells that were meant,
            ``half_select_j`` in all others, ``series_j`` in the lines, ``switch_j`` in selectors.
        source: bench or twin.
    """

    pattern: LinePattern
    width_s: float
    n_pulses: int
    t_s: float
    i_rows_a: FloatArray
    i_columns_a: FloatArray
    energy: EnergySplit
    source: Source


def bias(scheme: Scheme, info: BoardInfo, cell: tuple[int, int], amplitude_v: float) -> LinePattern:
    """Return the voltages of all lines that put ``amplitude_v`` on one cell.

    =========  =====================  ========================
    scheme     other rows             other columns
    =========  =====================  ========================
    isolated   floating               floating
    grounded   0                      0
    floating   floating               floating
    v/2        V / 2                  V / 2
    v/3        V / 3                  2 V / 3
    sdc        V a / (2 a + b)        V (a + b) / (2 a + b)
    =========  =====================  ========================

    with a the dead band in the direction of V and b that against it: cells on a selected line see
    V a / (2 a + b), all others V b / (2 a + b) the other way round. Equal bands make it V/3.

    Raises:
        UnsupportedError: the board is no array, or this one cannot be biased so.
    """
    array = info.array
    if array is None:
        raise UnsupportedError(f"board {info.kind!r} is no array: its cells are isolated already")
    if scheme not in array.schemes:
        raise UnsupportedError(
            f"a {array.cell_kind.value} array is not biased by scheme {scheme.value!r}; "
            f"it takes {', '.join(one.value for one in array.schemes)}"
        )
    along, against = array.bands_v(amplitude_v)
    whole = 2 * along + against
    shares = {
        Scheme.ISOLATED: (np.nan, np.nan),
        Scheme.GROUNDED: (0.0, 0.0),
        Scheme.FLOATING: (np.nan, np.nan),
        Scheme.HALF: (1 / 2, 1 / 2),
        Scheme.THIRD: (1 / 3, 2 / 3),
        Scheme.SDC: (along / whole, (along + against) / whole),
    }
    other_rows, other_columns = shares[scheme]
    rows_v = np.full(info.shape[0], other_rows * amplitude_v)
    columns_v = np.full(info.shape[1], other_columns * amplitude_v)
    rows_v[cell[0]], columns_v[cell[1]] = amplitude_v, 0.0
    return LinePattern(rows_v, columns_v, np.array([cell], dtype=np.intp))


def outer_pattern(
    rows: NDArray[np.bool_], columns: NDArray[np.bool_], amplitude_v: float, row_share: float = 0.5
) -> LinePattern:
    """Return the pattern of a parallel rank-1 update: V on the cells of some rows and columns.

    Selected rows are at ``row_share`` V, selected columns at ``-(1 - row_share)`` V, all other
    lines at 0 V: cells on one selected line only see that share of V.

    Args:
        rows: which rows, shape (n_rows,).
        columns: which columns, shape (n_columns,).
        amplitude_v: on the cells where both meet; positive is SET.
        row_share: part of it that the rows carry.

    Raises:
        UsageError: no row or no column is selected.
    """
    if not rows.any() or not columns.any():
        raise UsageError("an outer update needs at least one row and one column")
    return LinePattern(
        np.where(rows, row_share * amplitude_v, 0.0),
        np.where(columns, -(1 - row_share) * amplitude_v, 0.0),
        np.argwhere(np.logical_and.outer(rows, columns)),
    )
