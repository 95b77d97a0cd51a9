"""Writing a run: its own row at once, everything that happens in it a moment later."""

from __future__ import annotations

import os
import platform
import threading
import weakref
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from ulid import ULID

from hil.errors import StoreError, UsageError
from hil.patterns import LineDrive
from hil.store.batches import MAX_ROWS_BEHIND, BatchWriter, Chunk, Row
from hil.store.files import BUSY_TIMEOUT_S, create_or_upgrade, open_for_writing, store_errors
from hil.store.rows import RunRows
from hil.store.values import SqlValue, sql_float, sql_text, to_json
from hil.types import BoardInfo, Inference, MatVec, Pulses, Readings, SweepTrace

END_STATUSES = ("finished", "failed", "aborted")
Level = Literal["info", "warning", "error"]

_END_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class RunStart:
    """What is known of a run before it begins.

    Attributes:
        procedure: its name.
        parameters: all of them, also those left at their default.
        station: name of the station.
        station_toml: text of the station file.
        info: the board, its source, and why a twin stands in for a bench.
        seed: of the run; None if it uses none.
        versions: of the software, as ``software_versions`` gives them.
    """

    procedure: str
    parameters: Mapping[str, object]
    station: str
    station_toml: str
    info: BoardInfo
    seed: int | None
    versions: Mapping[str, str]


class RunWriter:
    """Stores one run. Made by ``begin``; every method may be called from any thread.

    A method that adds rows returns when they are at most 0.2 s and 200 rows from the disk, which
    takes microseconds unless the disk is slower than the caller. An energy row counts as a row.
    Rows of one operation and its energy are committed together.
    """

    def __init__(self, path: Path, run_id: str, info: BoardInfo, batches: BatchWriter) -> None:
        self._path = path
        self._run_id = run_id
        self._rows = RunRows.of(run_id, info)
        self._batches = batches
        self._lock = threading.RLock()
        self._next_seq = 0
        self._finished = False
        # A writer that is forgotten, or alive when Python ends, still puts its rows on the disk.
        weakref.finalize(self, batches.close)

    @classmethod
    def begin(
        cls, path: Path | str, start: RunStart, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> RunWriter:
        """Enter a run with status ``running`` and return its writer; creates the file if needed.

        The row of the run is on the disk when this returns.

        Raises:
            StoreError: no run can be stored at ``path``, or its data have no stored form.
        """
        path = Path(path)
        run_id = str(ULID())
        row = _run_row(run_id, start)
        create_or_upgrade(path, busy_timeout_s)
        with (
            store_errors(path),
            closing(open_for_writing(path, busy_timeout_s)) as database,
        ):
            database.table("runs").insert(row)
        try:
            return cls(path, run_id, start.info, BatchWriter(path, busy_timeout_s))
        except BaseException as error:  # Ctrl-C as well: the row says "running" already
            _end_run(path, run_id, "failed", f"did not begin: {error!r}")
            raise

    @property
    def run_id(self) -> str:
        """ULID of the run; sorts by time of begin."""
        return self._run_id

    @property
    def path(self) -> Path:
        """File that the run is stored in."""
        return self._path

    def readings(self, readings: Readings, purpose: str = "read") -> None:
        """Add readings and what they cost; ``purpose`` says what for (``read``, ``verify``)."""
        with self._lock:
            seq = self._count(len(readings))
            rows = self._rows.readings(seq, readings, purpose)
            self._put_with_energy("readings", rows, self._rows.energy(seq, readings))

    def pulses(self, pulses: Pulses) -> None:
        """Add pulses and what they cost."""
        with self._lock:
            seq = self._count(len(pulses))
            rows = self._rows.pulses(seq, pulses)
            self._put_with_energy("pulses", rows, self._rows.energy(seq, pulses))

    def sweep(self, trace: SweepTrace) -> None:
        """Add the points of a sweep, and its cost together with the last of them."""
        if not len(trace.t_s):
            return
        with self._lock:
            seq = self._count(len(trace.t_s))
            points = self._rows.sweep(seq, trace)
            energy = self._rows.sweep_energy(seq, trace)
            step = MAX_ROWS_BEHIND - 1
            for start in range(0, len(points), step):
                chunk: dict[str, list[Row]] = {"sweep_points": points[start : start + step]}
                if start + step >= len(points):
                    chunk["energy"] = [energy]
                self._batches.put(chunk)

    def inference(self, inference: Inference) -> None:
        """Add what a neuron circuit answered: one event, and one row of what all images cost."""
        if not len(inference):
            return
        with self._lock:
            seq = self._count(1)
            event = self._rows.inference(seq, inference)
            energy = self._rows.inference_energy(seq, inference)
            self._batches.put({"events": [event], "energy": [energy]})

    def matvec(self, product: MatVec) -> None:
        """Add a matrix-vector product: its readings and what each cost, or one row of energy."""
        if product.readings is not None:
            self.readings(product.readings, "matvec")
        with self._lock:
            seq = self._count(1)
            chunk = {"events": [self._rows.matvec(seq, product)]}
            if product.readings is None:
                chunk["energy"] = [self._rows.matvec_energy(seq, product)]
            self._batches.put(chunk)

    def line_drive(self, drive: LineDrive) -> None:
        """Add a pattern that was driven on the lines: one event, and one row of what it cost."""
        with self._lock:
            seq = self._count(1)
            event, energy = (
                self._rows.line_drive(seq, drive),
                self._rows.line_drive_energy(seq, drive),
            )
            self._batches.put({"events": [event], "energy": [energy]})

    def metric(
        self,
        name: str,
        value: float,
        unit: str = "",
        step: int | None = None,
        t_s: float | None = None,
    ) -> None:
        """Add a number that says how the run goes; ``step`` is the epoch, cycle or the like."""
        self._put("metrics", t_s, sql_text(name), sql_float(value), sql_text(unit), step)

    def snapshot(self, name: str, g_siemens: ArrayLike, t_s: float | None = None) -> None:
        """Add an array of conductances, (row, column); a vector becomes one row.

        Raises:
            UsageError: the array has more than two dimensions.
        """
        array = np.atleast_2d(np.asarray(g_siemens, dtype="<f8"))
        if array.ndim != 2:
            raise UsageError(f"a snapshot has rows and columns, not shape {array.shape}")
        n_rows, n_columns = array.shape
        self._put("snapshots", t_s, sql_text(name), n_rows, n_columns, array.tobytes())

    def event(
        self,
        kind: str,
        message: str,
        *,
        level: Level = "info",
        data: object = None,
        t_s: float | None = None,
    ) -> None:
        """Add something worth knowing; ``data`` is anything that has a JSON form."""
        stored = None if data is None else to_json(data)
        self._put("events", t_s, level, sql_text(kind), sql_text(message), stored)

    def record(self, record: Mapping[str, object], t_s: float | None = None) -> None:
        """Add what a procedure emitted.

        Raises:
            StoreError: a value has no JSON form.
        """
        self._put("records", t_s, to_json(record))

    def flush(self) -> None:
        """Wait until all rows so far are on the disk.

        Raises:
            StoreError: rows were lost.
        """
        self._batches.flush()

    def finish(self, status: str, error: str = "") -> None:
        """Flush, enter how the run ended, and close. Once that has worked, does nothing.

        May be called from another thread while one adds rows; that one gets a ``StoreError``. A
        run that lost rows is entered as failed even when ``status`` is ``finished``.

        Args:
            status: ``finished``, ``failed`` or ``aborted``.
            error: why, in one line; empty for none.

        Raises:
            StoreError: rows were lost, or the end could not be entered.
            UsageError: no such status; the run goes on.
        """
        if status not in END_STATUSES:
            raise UsageError(f"a run ends {', '.join(END_STATUSES)}, not {status!r}")
        if self._finished:
            return
        self._batches.close()
        failure = self._batches.failure
        if failure is not None:
            status = "failed" if status == "finished" else status
            error = "; ".join(filter(None, (error, f"rows were lost: {failure}")))
        _end_run(self._path, self._run_id, status, error)
        self._finished = True
        if failure is not None:
            raise StoreError(str(failure)) from failure

    def _count(self, n_rows: int) -> int:
        seq = self._next_seq
        self._next_seq += n_rows
        return seq

    def _put(self, table: str, t_s: float | None, *values: SqlValue) -> None:
        with self._lock:
            t = None if t_s is None else sql_float(t_s)
            self._batches.put({table: [(self._run_id, self._count(1), t, *values)]})

    def _put_with_energy(self, table: str, rows: list[Row], energy: list[Row]) -> None:
        step = MAX_ROWS_BEHIND // 2
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            chunk: Chunk = {table: rows[part], "energy": energy[part]}
            self._batches.put(chunk)


def _run_row(run_id: str, start: RunStart) -> dict[str, SqlValue]:
    info = start.info
    return {
        "id": run_id,
        "procedure": start.procedure,
        "parameters": to_json(start.parameters),
        "station": start.station,
        "station_toml": sql_text(start.station_toml),
        "source": info.source.value,
        "source_reason": sql_text(info.source_reason),
        "board_kind": info.kind,
        "board_identity": to_json(info.identity),
        "calibration": to_json(info.calibration),
        "versions": to_json(start.versions),
        "seed": start.seed,
        "started_at": _now(),
        "ended_at": None,
        "status": "running",
        "error": "",
        "host": platform.node(),
        "pid": os.getpid(),
    }


def _end_run(path: Path, run_id: str, status: str, error: str) -> None:
    """Enter the end of a run; waits long for a locked file, for there is no second chance."""
    with store_errors(path), closing(open_for_writing(path, _END_TIMEOUT_S)) as database:
        database.execute(
            "UPDATE runs SET status = ?, error = ?, ended_at = ? "
            "WHERE id = ? AND status = 'running'",
            [status, sql_text(error), _now(), run_id],
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
