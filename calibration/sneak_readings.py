"""Readings of the cells of an array as equations: what was driven, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calibration.array_model import LineReadings
from hil.arrays import Scheme
from hil.correction import Correction
from hil.errors import UsageError
from hil.patterns import bias
from hil.types import BoardInfo, FloatArray, IndexArray, Readings
from hil.units import text

_DIGITS = 9  # of volts, in which read voltages are told apart


@dataclass(frozen=True)
class CellCurrents:
    """Mean of all readings of each cell under each scheme at each voltage; arrays of shape (k,).

    All levels on the lines come from the one source of the instrument. Its error, which the reading
    of the selected row tells, is taken for one offset of all of them.

    Attributes:
        v_read_v: the largest that was asked for.
        n_schemes: how many combinations of scheme and voltage there are.
        lines: what was driven, offset included.
        level_v: change of each line with the gain of the source: rows, columns.
        i_a: true current, by what is known of the ammeter.
        n_repeats: readings behind each.
        offset: which quantity of the correction is the offset of the ammeter.
        gain: which one its gain.
    """

    v_read_v: float
    n_schemes: int
    lines: LineReadings
    level_v: tuple[FloatArray, FloatArray]
    i_a: FloatArray
    n_repeats: FloatArray
    offset: IndexArray
    gain: IndexArray

    @classmethod
    def of(
        cls, taken: Mapping[Scheme, Readings], info: BoardInfo, correction: Correction
    ) -> CellCurrents:
        """Return the means; those of the first scheme at its largest voltage come first.

        Raises:
            UsageError: a cell was not read.
        """
        parts = []
        for scheme, readings in taken.items():
            asked_v = np.round(readings.v_read_v, _DIGITS)
            for v_read_v in sorted(set(asked_v.tolist()), reverse=True):
                here = np.flatnonzero(asked_v == v_read_v)
                parts.append(_of_one(readings, here, v_read_v, scheme, info, correction))
        if not parts:
            raise UsageError("no readings: sneak paths are taken out of readings of all cells")
        return _joined(parts)

    @property
    def n_unknowns(self) -> int:
        """Conductances, and if there are more currents than cells as many mixes."""
        n_cells = self.lines.rows_v.shape[1] * self.lines.columns_v.shape[1]
        return int(n_cells * min(self.n_schemes, 2))

    def shifted(self, offset_v: float = 0.0, gain_ratio: float = 0.0) -> LineReadings:
        """Return what was driven if all levels were off by this much, and the others by that."""
        rows_v, columns_v = (
            lines_v + np.where(lines_v == 0, 0.0, offset_v) + gain_ratio * level_v
            for lines_v, level_v in zip(self.lines[:2], self.level_v, strict=True)
        )
        return self.lines._replace(rows_v=rows_v, columns_v=columns_v)


def _joined(parts: list[CellCurrents]) -> CellCurrents:
    lines = zip(*(part.lines for part in parts), strict=True)
    rows_v, columns_v = zip(*(part.level_v for part in parts), strict=True)
    rest = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("i_a", "n_repeats", "offset", "gain")
    }
    return CellCurrents(
        v_read_v=max(part.v_read_v for part in parts),
        n_schemes=len(parts),
        lines=LineReadings(*(np.concatenate(each) for each in lines)),
        level_v=(np.concatenate(rows_v), np.concatenate(columns_v)),
        **rest,
    )


def _of_one(
    readings: Readings,
    here: IndexArray,
    v_read_v: float,
    scheme: Scheme,
    info: BoardInfo,
    correction: Correction,
) -> CellCurrents:
    """Return the means of those readings that are at one voltage."""
    cells, index = info.all_cells, info.index_of(readings.cells[here])
    n_repeats = np.bincount(index, minlength=len(cells)).astype(float)
    if not n_repeats.all():
        row, column = cells[int(np.argmin(n_repeats > 0))]
        raise UsageError(
            f"cell ({row}, {column}), {info.device_at((row, column)).name}, was not read at "
            f"{text(v_read_v, 'V')} under scheme {scheme.value!r}: its current flows in the "
            f"readings of others; read all cells"
        )
    reported_a = readings.i_a[here]
    offset, gain = correction.i_offset(reported_a), correction.gain(reported_a)
    true_a = (reported_a - correction.values[offset]) / correction.values[gain]
    v_v, i_a = (
        np.bincount(index, values, len(cells)) / n_repeats
        for values in (readings.v_source_v[here] - correction.values[0], true_a)
    )
    patterns = [bias(scheme, info, (int(row), int(column)), v_read_v) for row, column in cells]
    asked = [np.array([getattr(p, side) for p in patterns]) for side in ("rows_v", "columns_v")]
    error_v = (v_v - v_read_v)[:, None]
    rows_v, columns_v = (np.where(lines_v == 0, 0.0, lines_v + error_v) for lines_v in asked)
    # What the gain of the source does to other lines while the selected row is known.
    of_rows_v, of_columns_v = (np.where(x_v == 0, 0.0, x_v - v_read_v) for x_v in asked)
    last = np.zeros(len(cells), dtype=np.intp)
    last[index] = np.arange(len(index))  # of the ranges that it was read in, if there are several
    return CellCurrents(
        v_read_v=v_read_v,
        n_schemes=1,
        lines=LineReadings(rows_v, columns_v, cells[:, 1], np.arange(len(cells))),
        level_v=(of_rows_v, of_columns_v),
        i_a=i_a,
        n_repeats=n_repeats,
        offset=offset[last],
        gain=gain[last],
    )
