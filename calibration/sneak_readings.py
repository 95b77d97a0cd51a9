"""Readings of the cells of an array as equations: what was driven, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

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
        rows_v: asked of the rows, shape (k, n_rows); NaN floats.
        columns_v: asked of the columns, shape (k, n_columns).
        column: that was sensed.
        v_read_v: asked of the selected row.
        error_v: how much more the source gave, by what is known of the voltmeter.
        i_a: current, by what is known of the ammeter.
        n_repeats: readings behind each.
        offset: which quantity of the correction is the offset of the ammeter.
        gain: which one its gain.
    """

    rows_v: FloatArray
    columns_v: FloatArray
    column: IndexArray
    v_read_v: FloatArray
    error_v: FloatArray
    i_a: FloatArray
    n_repeats: FloatArray
    offset: IndexArray
    gain: IndexArray

    @classmethod
    def of(
        cls, taken: Mapping[Scheme, Readings], info: BoardInfo, correction: Correction
    ) -> CellCurrents:
        """Return the means.

        Raises:
            UsageError: no readings, or a cell was not read.
        """
        parts = [
            _of_one(readings, here, scheme, info, correction)
            for scheme, readings in taken.items()
            for here in _by_voltage(readings)
        ]
        if not parts:
            raise UsageError("no readings: sneak paths are taken out of readings of all cells")
        return cls(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls))
        )

    @property
    def driven(self) -> LineReadings:
        """What was on the lines; those at 0 V are on no source."""
        rows_v, columns_v = (
            np.where(lines_v == 0, 0.0, lines_v + self.error_v[:, None])
            for lines_v in (self.rows_v, self.columns_v)
        )
        return LineReadings(rows_v, columns_v, self.column)


def _by_voltage(readings: Readings) -> Iterator[IndexArray]:
    asked_v = np.round(readings.v_read_v, _DIGITS)
    for v_read_v in np.unique(asked_v):
        yield np.flatnonzero(asked_v == v_read_v)


def _of_one(
    readings: Readings, here: IndexArray, scheme: Scheme, info: BoardInfo, correction: Correction
) -> CellCurrents:
    """Return the means of readings under one scheme at one voltage."""
    cells, index = info.all_cells, info.index_of(readings.cells[here])
    n_cells, v_read_v = len(cells), float(readings.v_read_v[here[0]])
    n_repeats = np.bincount(index, minlength=n_cells).astype(float)
    if not n_repeats.all():
        row, column = cells[int(np.argmin(n_repeats))]
        raise UsageError(
            f"cell ({row}, {column}), {info.device_at((row, column)).name}, was not read at "
            f"{text(v_read_v, 'V')} under scheme {scheme.value!r}: its current flows in the "
            f"readings of others; read all cells"
        )
    values, reported_a = correction.values, readings.i_a[here]
    offset, gain = correction.i_offset(reported_a), correction.gain(reported_a)
    i_a = np.bincount(index, (reported_a - values[offset]) / values[gain]) / n_repeats
    patterns = [bias(scheme, info, (int(row), int(column)), v_read_v) for row, column in cells]
    given_v = float(readings.v_source_v[here].mean()) - values[0]
    return CellCurrents(
        rows_v=np.array([pattern.rows_v for pattern in patterns]),
        columns_v=np.array([pattern.columns_v for pattern in patterns]),
        column=cells[:, 1],
        v_read_v=np.full(n_cells, v_read_v),
        error_v=np.full(n_cells, given_v - v_read_v),
        i_a=i_a,
        n_repeats=n_repeats,
        offset=correction.i_offset(i_a),
        gain=correction.gain(i_a),
    )
