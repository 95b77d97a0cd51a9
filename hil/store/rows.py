"""From results of a board to rows of the database; columns in the order of the schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

from hil.patterns import LineDrive
from hil.store.batches import Row
from hil.store.values import SqlValue, sql_float, sql_floats, to_json
from hil.types import (
    BoardInfo,
    CellArray,
    EnergySplit,
    Inference,
    MatVec,
    Polarity,
    Pulses,
    Readings,
    SweepTrace,
)

INFERENCE = "inference"
"""Kind of the events that hold what a neuron circuit answered."""

MATVEC = "matvec"
"""Kind of the events that hold a matrix-vector product."""

LINES = "lines"
"""Kind of the events that hold a pattern on the lines of an array."""

_NO_CELL: tuple[SqlValue, SqlValue, str] = (None, None, "")


@dataclass(frozen=True)
class RunRows:
    """Builds the rows of one run.

    Attributes:
        run_id: the run.
        names: of the devices, row by row.
        n_columns: of the board.
    """

    run_id: str
    names: tuple[str, ...]
    n_columns: int

    @classmethod
    def of(cls, run_id: str, info: BoardInfo) -> RunRows:
        """Return the builder for a run on this board."""
        return cls(run_id, tuple(device.name for device in info.devices), info.shape[1])

    def readings(self, first_seq: int, readings: Readings, purpose: str) -> list[Row]:
        """Return one row per cell."""
        r = readings
        n = len(r)
        v_read_v = sql_floats(r.v_read_v)
        return list(
            zip(
                repeat(self.run_id, n),
                range(first_seq, first_seq + n),
                sql_floats(r.t_s),
                *self._cells(r.cells),
                repeat(purpose, n),
                map(_polarity, v_read_v),
                v_read_v,
                sql_floats(r.v_source_v),
                sql_floats(r.v_device_v),
                sql_floats(r.i_a),
                sql_floats(r.g_siemens),
                sql_floats(r.g_expanded_siemens),
                sql_floats(r.width_s),
                repeat(r.source.value, n),
                strict=True,
            )
        )

    def pulses(self, first_seq: int, pulses: Pulses) -> list[Row]:
        """Return one row per cell."""
        p = pulses
        n = len(p)
        amplitude_v = sql_floats(p.amplitude_v)
        return list(
            zip(
                repeat(self.run_id, n),
                range(first_seq, first_seq + n),
                sql_floats(p.t_s),
                *self._cells(p.cells),
                map(_polarity, amplitude_v),
                amplitude_v,
                sql_floats(p.width_s),
                sql_floats(p.width_measured_s),
                p.n_pulses.tolist(),
                sql_floats(p.i_end_a),
                repeat(p.source.value, n),
                strict=True,
            )
        )

    def sweep(self, first_seq: int, trace: SweepTrace) -> list[Row]:
        """Return one row per point."""
        n = len(trace.t_s)
        return list(
            zip(
                repeat(self.run_id, n),
                range(first_seq, first_seq + n),
                sql_floats(trace.t_s),
                *(repeat(value, n) for value in self._cell(trace.cell)),
                repeat(first_seq, n),
                sql_floats(trace.v_source_v),
                sql_floats(trace.v_device_v),
                sql_floats(trace.i_a),
                repeat(trace.source.value, n),
                strict=True,
            )
        )

    def energy(self, first_seq: int, of: Readings | Pulses) -> list[Row]:
        """Return one row per cell, each for the reading or pulse with the same place."""
        n = len(of)
        operation = "read" if isinstance(of, Readings) else "pulse"
        return list(
            zip(
                repeat(self.run_id, n),
                range(first_seq, first_seq + n),
                sql_floats(of.t_s),
                *self._cells(of.cells),
                repeat(operation, n),
                *_parts(of.energy),
                repeat(of.energy.method, n),
                _delivered(of.energy, n),
                strict=True,
            )
        )

    def sweep_energy(self, first_seq: int, trace: SweepTrace) -> Row:
        """Return the row of a whole sweep."""
        t_s = sql_floats(trace.t_s[-1:])[0]
        return self._one_energy(first_seq, t_s, self._cell(trace.cell), "sweep", trace.energy)

    def inference(self, seq: int, inference: Inference) -> Row:
        """Return the event of an inference."""
        n_images, n_outputs = inference.output_v.shape
        names = ("inputs_v", "hidden_v", "output_v", "decisions")
        data = to_json({name: getattr(inference, name) for name in names})
        message = f"neuron circuit: {n_images} images, {n_outputs} outputs"
        t_s = sql_float(inference.t_s[-1])
        return (self.run_id, seq, t_s, "info", INFERENCE, message, data)

    def inference_energy(self, seq: int, inference: Inference) -> Row:
        """Return the row of a whole inference, which is of no single cell."""
        t_s = sql_float(inference.t_s[-1])
        return self._one_energy(seq, t_s, _NO_CELL, "infer", inference.energy)

    def matvec(self, seq: int, product: MatVec) -> Row:
        """Return the event of a matrix-vector product."""
        names = ("inputs_v", "currents_a", "coding", "transposed", "full_scale_v", "width_s")
        data = to_json({name: getattr(product, name) for name in names})
        t_s = sql_float(product.t_s)
        return (self.run_id, seq, t_s, "info", MATVEC, "matrix-vector product", data)

    def matvec_energy(self, seq: int, product: MatVec) -> Row:
        """Return the row of a product that was not measured cell by cell."""
        t_s = sql_float(product.t_s)
        return self._one_energy(seq, t_s, _NO_CELL, "matvec", product.energy)

    def line_drive(self, seq: int, drive: LineDrive) -> Row:
        """Return the event of a pattern that was driven on the lines of an array."""
        pattern = drive.pattern
        data = to_json(
            {
                "rows_v": pattern.rows_v,
                "columns_v": pattern.columns_v,
                "cells": pattern.cells,
                "width_s": drive.width_s,
                "n_pulses": drive.n_pulses,
                "i_rows_a": drive.i_rows_a,
                "i_columns_a": drive.i_columns_a,
            }
        )
        message = f"lines driven for {len(pattern.cells)} cells, {drive.n_pulses} pulses"
        return (self.run_id, seq, sql_float(drive.t_s), "info", LINES, message, data)

    def line_drive_energy(self, seq: int, drive: LineDrive) -> Row:
        """Return the row of what that cost."""
        return self._one_energy(seq, sql_float(drive.t_s), _NO_CELL, "lines", drive.energy)

    def _one_energy(
        self,
        seq: int,
        t_s: SqlValue,
        cell: tuple[SqlValue, SqlValue, str],
        operation: str,
        energy: EnergySplit,
    ) -> Row:
        whole = energy.summed
        parts = (part[0] for part in _parts(whole))
        return (
            self.run_id,
            seq,
            t_s,
            *cell,
            operation,
            *parts,
            whole.method,
            *_delivered(whole, 1),
        )

    def _cells(self, cells: CellArray) -> tuple[list[int], list[int], list[str]]:
        rows, columns = cells[:, 0].tolist(), cells[:, 1].tolist()
        places = zip(rows, columns, strict=True)
        return rows, columns, [self.names[r * self.n_columns + c] for r, c in places]

    def _cell(self, cell: Sequence[int]) -> tuple[int, int, str]:
        row, column = map(int, cell)
        return row, column, self.names[row * self.n_columns + column]


def _delivered(energy: EnergySplit, n: int) -> list[SqlValue]:
    return [None] * n if energy.delivered_j is None else sql_floats(energy.delivered_j)


def _polarity(v: SqlValue) -> str | None:
    if not isinstance(v, float) or v == 0:
        return None
    return Polarity.SET.value if v > 0 else Polarity.RESET.value


def _parts(energy: EnergySplit) -> tuple[list[SqlValue], ...]:
    return (
        sql_floats(energy.device_j),
        sql_floats(energy.series_j),
        sql_floats(energy.switch_j),
        sql_floats(energy.half_select_j),
        sql_floats(energy.instrument_j),
    )
