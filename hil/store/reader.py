"""Reading runs back, as numpy arrays and pandas frames."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hil.errors import StoreError
from hil.store.calibrations import StoredCalibration
from hil.store.files import open_for_reading, store_errors
from hil.store.rows import INFERENCE
from hil.store.schema import ENERGY_SPLIT, TABLES, order_of
from hil.store.values import SqlValue, float_array, from_json
from hil.types import FloatArray, Source

LATEST = "latest"

_JSON_COLUMNS = ("parameters", "board_identity", "calibration", "versions")


@dataclass(frozen=True)
class RunSummary:
    """One line about a run.

    Attributes:
        run_id: ULID.
        procedure: its name.
        station: name of the station.
        source: bench, twin or replay.
        source_reason: why a twin stands in for a bench; empty otherwise.
        status: ``running``, ``finished``, ``failed`` or ``aborted``.
        error: why it failed; empty otherwise.
        started_at: ISO 8601, UTC.
        ended_at: ISO 8601, UTC; None while it runs.
        host: machine it was started on.
        pid: process it was started in.
        n_pulses: pulses applied, over all cells.
        n_rows: rows by table.
    """

    run_id: str
    procedure: str
    station: str
    source: Source
    source_reason: str
    status: str
    error: str
    started_at: str
    ended_at: str | None
    host: str
    pid: int
    n_pulses: int
    n_rows: Mapping[str, int]

    @property
    def is_stale(self) -> bool:
        """Whether it says ``running`` and its process is gone.

        Only the machine that it was started on can tell; elsewhere this is False. A process id
        that has been given out again hides it.
        """
        return self.status == "running" and self.host == platform.node() and not _lives(self.pid)


@dataclass(frozen=True)
class Snapshot:
    """Conductances at one moment.

    Attributes:
        seq: its place in the run.
        t_s: board clock; NaN if it was not given.
        name: what it is of.
        g_siemens: shape (n_rows, n_columns).
    """

    seq: int
    t_s: float
    name: str
    g_siemens: FloatArray


class RunDatabase:
    """A run database, opened for reading; a run may go on writing to it meanwhile.

    Use it from one thread, and as a context manager or with ``close``.

    Args:
        path: the file.

    Raises:
        StoreError: from here and from every method: the file is missing, no run database, or
            damaged.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._database = open_for_reading(self.path)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def runs(self, limit: int | None = None) -> list[RunSummary]:
        """Return the runs, newest first."""
        ids = self._query(
            "SELECT id FROM runs ORDER BY started_at DESC, rowid DESC LIMIT ?",
            [-1 if limit is None else limit],
        )
        return [self._summary(run_id) for (run_id,) in ids]

    def find(self, key: str) -> RunSummary:
        """Return the run with this id, the only one whose id starts so, or ``latest``.

        Raises:
            StoreError: no run fits, or more than one; the message names them.
        """
        if key == LATEST:
            newest = self.runs(limit=1)
            if not newest:
                raise StoreError(f"{self.path}: holds no runs yet")
            return newest[0]
        ids = [
            run_id
            for (run_id,) in self._query(
                "SELECT id FROM runs WHERE substr(id, 1, ?) = ? ORDER BY id",
                [len(key), key.upper()],
            )
        ]
        if not ids:
            raise StoreError(f"{self.path}: no run starts with {key!r}")
        if len(ids) > 1:
            known = ", ".join(ids[:4]) + (", ..." if len(ids) > 4 else "")
            raise StoreError(f"{self.path}: {len(ids)} runs start with {key!r}: {known}")
        return self._summary(ids[0])

    def run(self, run_id: str) -> dict[str, Any]:
        """Return all that is known of a run as a whole.

        Returns:
            The columns of ``runs`` (JSON decoded), ``is_stale``, ``n_pulses``, ``n_rows`` by
            table, ``energy`` as of ``energy``, ``metrics`` with the last value of each name, and
            ``events`` as a list.
        """
        summary = self._summary(run_id)
        row = self._run_row(run_id)
        metrics = self._query(
            "SELECT name, value, max(seq) FROM metrics WHERE run_id = ? GROUP BY name", [run_id]
        )
        return {
            **{k: from_json(v) if k in _JSON_COLUMNS else v for k, v in row.items()},
            "is_stale": summary.is_stale,
            "n_pulses": summary.n_pulses,
            "n_rows": dict(summary.n_rows),
            "energy": self.energy(run_id),
            "metrics": {name: float(float_array([value])[0]) for name, value, _ in metrics},
            "events": self._events(run_id),
        }

    def parameters_of(self, procedure: str) -> dict[str, dict[str, Any]]:
        """Return the parameters of every finished run of a procedure by run id, oldest first."""
        rows = self._query(
            "SELECT id, parameters FROM runs WHERE procedure = ? AND status = 'finished' "
            "ORDER BY started_at, rowid",
            [procedure],
        )
        return {run_id: from_json(parameters) for run_id, parameters in rows}

    def calibrations(self) -> list[StoredCalibration]:
        """Return the calibration records that were added, newest first."""
        with store_errors(self.path):
            rows = list(
                self._database.query(
                    "SELECT * FROM calibrations ORDER BY added_at DESC, rowid DESC"
                )
            )
        return [StoredCalibration.of(row) for row in rows]

    def arrays(self, run_id: str, name: str) -> dict[str, NDArray[Any]]:
        """Return the columns of a table for one run, in the order in which things happened.

        Numbers that were not given are NaN; a column of integers with such becomes float. Text
        columns are of dtype object, with None where nothing was given.

        Args:
            run_id: a whole id.
            name: one of ``hil.store.TABLES``.
        """
        if name not in TABLES:
            raise StoreError(f"no table {name!r}; there are {', '.join(TABLES)}")
        self._run_row(run_id)
        columns = {k: kind for k, kind in TABLES[name].items() if k != "run_id"}
        selected = ", ".join(f'"{column}"' for column in columns)
        rows = self._query(
            f'SELECT {selected} FROM "{name}" WHERE run_id = ? ORDER BY {order_of(name)}', [run_id]
        )
        by_column = zip(*rows, strict=True) if rows else ((),) * len(columns)
        return {
            column: _array(list(values), kind)
            for (column, kind), values in zip(columns.items(), by_column, strict=True)
        }

    def table(self, run_id: str, name: str) -> pd.DataFrame:
        """Return a table for one run as a frame.

        Columns are as in the database, without ``run_id``, with two exceptions: ``records`` has a
        column per key (see ``records``), ``snapshots`` has a line per cell.
        """
        if name == "records":
            return self.records(run_id)
        if name == "snapshots":
            return _long(self.snapshots(run_id))
        return pd.DataFrame(self.arrays(run_id, name))

    def snapshots(self, run_id: str) -> list[Snapshot]:
        """Return the snapshots of a run, oldest first."""
        a = self.arrays(run_id, "snapshots")
        return [
            Snapshot(
                int(seq),
                float(t_s),
                name,
                np.frombuffer(blob, dtype="<f8").reshape(n_rows, n_columns).astype(np.float64),
            )
            for seq, t_s, name, n_rows, n_columns, blob in zip(*a.values(), strict=True)
        ]

    def records(self, run_id: str) -> pd.DataFrame:
        """Return what the procedure emitted: ``seq``, ``t_s``, and a column per key.

        A key that is itself ``seq`` or ``t_s`` becomes ``record.seq`` or ``record.t_s``.
        """
        a = self.arrays(run_id, "records")
        frame = pd.DataFrame([from_json(text) for text in a["data"]])
        frame = frame.rename(columns={"seq": "record.seq", "t_s": "record.t_s"})
        frame.insert(0, "seq", a["seq"])
        frame.insert(1, "t_s", a["t_s"])
        return frame

    def energy(self, run_id: str) -> dict[str, float]:
        """Return where the energy of a run went, in joule; the parts add up to all of it.

        Returns:
            ``device_j``, ``series_j``, ``switch_j`` of pulses and sweeps; ``verify_reads_j``, all
            three of reads and inference; ``half_select_j``; ``instrument_j``, an estimate. NaN
            where a row of it is NaN.
        """
        columns = ", ".join(ENERGY_SPLIT)
        rows = self._query(f"SELECT {columns} FROM energy_by_run WHERE run_id = ?", [run_id])
        if not rows:
            raise self._unknown(run_id)
        return dict(zip(ENERGY_SPLIT, map(float, float_array(list(rows[0]))), strict=True))

    def bench_time_s(self, run_id: str) -> float:
        """Return the board's clock at the last thing that was done to the board; 0 for nothing."""
        latest = [
            self._query(f'SELECT max(t_s) FROM "{table}" WHERE run_id = ?', [run_id])[0][0]
            for table in ("pulses", "readings", "sweep_points")
        ]
        inferred = "SELECT max(t_s) FROM events WHERE run_id = ? AND kind = ?"
        latest.append(self._query(inferred, [run_id, INFERENCE])[0][0])
        return max((float(t_s) for t_s in latest if t_s is not None), default=0.0)

    def _summary(self, run_id: str) -> RunSummary:
        row = self._run_row(run_id)
        n_rows = {
            name: int(
                self._query(f'SELECT count(*) FROM "{name}" WHERE run_id = ?', [run_id])[0][0]
            )
            for name in TABLES
        }
        ((n_pulses,),) = self._query(
            "SELECT coalesce(sum(n_pulses), 0) FROM pulses WHERE run_id = ?", [run_id]
        )
        return RunSummary(
            run_id=row["id"],
            procedure=row["procedure"],
            station=row["station"],
            source=Source(row["source"]),
            source_reason=row["source_reason"],
            status=row["status"],
            error=row["error"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            host=row["host"],
            pid=row["pid"],
            n_pulses=n_pulses,
            n_rows=n_rows,
        )

    def _run_row(self, run_id: str) -> dict[str, Any]:
        with store_errors(self.path):
            rows = list(self._database.query("SELECT * FROM runs WHERE id = ?", [run_id]))
        if not rows:
            raise self._unknown(run_id)
        return rows[0]

    def _events(self, run_id: str) -> list[dict[str, Any]]:
        frame = self.arrays(run_id, "events")
        return [
            {
                "seq": int(seq),
                "t_s": None if np.isnan(t_s) else float(t_s),
                "level": level,
                "kind": kind,
                "message": message,
                "data": None if data is None else from_json(data),
            }
            for seq, t_s, level, kind, message, data in zip(*frame.values(), strict=True)
        ]

    def _query(self, sql: str, values: list[SqlValue]) -> list[tuple[Any, ...]]:
        with store_errors(self.path):
            return self._database.execute(sql, values).fetchall()

    def _unknown(self, run_id: str) -> StoreError:
        return StoreError(f"{self.path}: no run {run_id!r}")


def _array(values: list[SqlValue], kind: type) -> NDArray[Any]:
    if kind is float or (kind is int and None in values):
        return float_array(values)
    if kind is int:
        return np.array(values, dtype=np.int64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _long(snapshots: list[Snapshot]) -> pd.DataFrame:
    columns = ["seq", "t_s", "name", "row", "column", "g_siemens"]
    lines = [
        (s.seq, s.t_s, s.name, row, column, g)
        for s in snapshots
        for (row, column), g in np.ndenumerate(s.g_siemens)
    ]
    return pd.DataFrame(lines, columns=columns)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
