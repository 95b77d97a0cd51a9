"""Results of studies in the run database: one row per task, written by one process."""

from __future__ import annotations

import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlite_utils import Database

from hil.errors import StoreError
from hil.store.files import (
    create_or_upgrade,
    open_for_reading,
    open_for_writing,
    store_errors,
)
from hil.store.schema import STUDY_RESULTS, TABLES
from hil.store.values import SqlValue, from_json, sql_text, to_json
from hil.types import Source

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class StudyResult:
    """How one task of a study ended.

    Attributes:
        key: identifies what was asked: the same key asks for the same run.
        label: what it is, for a person.
        task: what was asked, ready for JSON.
        seed: of the run.
        source: where the data come from.
        status: ``done`` or ``failed``.
        error: why it failed; empty otherwise.
        results: figures by name, ready for JSON.
        run_id: of the run, whether its rows are kept or not; empty if none began.
        versions: of the software that ran it.
        host: where it ran.
        pid: in which process.
        started_at: ISO 8601, UTC.
        ended_at: ISO 8601, UTC.
        rows: the whole run as a packed database (``pack_run``); empty if it is not to be kept.
    """

    key: str
    label: str
    task: Mapping[str, Any]
    seed: int
    source: Source
    status: str
    error: str
    results: Mapping[str, Any]
    run_id: str
    versions: Mapping[str, str]
    host: str
    pid: int
    started_at: str
    ended_at: str
    rows: bytes = b""


class StudyStore:
    """Results of one study in a run database. Use it from one process and thread, and close it.

    Args:
        path: the file; it is created if needed.
        study: name of the study.

    Raises:
        StoreError: from here and every method: nothing can be stored or read.
    """

    def __init__(self, path: Path | str, study: str) -> None:
        self.path = Path(path)
        self._study = study
        create_or_upgrade(self.path)
        with store_errors(self.path):
            self._database = open_for_writing(self.path)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def done(self) -> set[str]:
        """Return the keys of the tasks that are done."""
        with store_errors(self.path):
            rows = self._database.execute(
                "SELECT key FROM study_results WHERE study = ? AND status = ?", [self._study, DONE]
            ).fetchall()
        return {key for (key,) in rows}

    def add(self, result: StudyResult) -> None:
        """Enter a result, and the rows of its run if it brings them, in one transaction.

        The result is on the disk when this returns.
        """
        with store_errors(self.path), tempfile.TemporaryDirectory() as folder:
            other = _unpack(result, Path(folder)) if result.rows else None
            if other is not None:
                self._database.execute("ATTACH DATABASE ? AS other", [str(other)])
            try:
                with _transaction(self._database):
                    if other is not None:
                        _copy_run(self._database, result.run_id)
                    self._database.table("study_results").insert(self._row(result))
            finally:
                if other is not None:
                    self._database.execute("DETACH DATABASE other")

    def _row(self, result: StudyResult) -> dict[str, SqlValue]:
        (before,) = self._database.execute(
            "SELECT count(*) FROM study_results WHERE study = ? AND key = ?",
            [self._study, result.key],
        ).fetchone()
        return {
            "study": self._study,
            "key": result.key,
            "attempt": before + 1,
            "label": sql_text(result.label),
            "task": to_json(result.task),
            "seed": result.seed,
            "source": result.source.value,
            "status": result.status,
            "error": sql_text(result.error),
            "results": to_json(result.results),
            "run_id": result.run_id or None,
            "versions": to_json(result.versions),
            "host": result.host,
            "pid": result.pid,
            "started_at": result.started_at,
            "ended_at": result.ended_at,
        }


def read_study(path: Path | str, study: str) -> dict[str, dict[str, Any]]:
    """Return the last row of each task by its key; JSON columns are decoded.

    Raises:
        StoreError: there is no such database.
    """
    path = Path(path)
    columns = ", ".join(STUDY_RESULTS)
    with store_errors(path), closing(open_for_reading(path)) as database:
        rows = database.execute(
            f"SELECT {columns} FROM study_results WHERE study = ? ORDER BY attempt", [study]
        ).fetchall()
    found = {}
    for row in rows:
        named = dict(zip(STUDY_RESULTS, row, strict=True))
        found[named["key"]] = named | {
            name: from_json(named[name]) for name in ("task", "results", "versions")
        }
    return found


def pack_run(path: Path) -> bytes:
    """Return a run database, all of it, as bytes that ``StudyStore.add`` takes.

    Raises:
        StoreError: the file cannot be read.
    """
    with store_errors(path), tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        with closing(open_for_reading(path)) as run, closing(sqlite3.connect(copy)) as whole:
            run.conn.backup(whole)
            whole.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        return zlib.compress(copy.read_bytes(), level=1)


@contextmanager
def _transaction(database: Database) -> Iterator[None]:
    """All or nothing; another program that writes is waited for at the begin."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.commit()
    except BaseException:
        database.rollback()
        raise


def _unpack(result: StudyResult, folder: Path) -> Path:
    path = folder / "run.sqlite"
    try:
        path.write_bytes(zlib.decompress(result.rows))
        with closing(open_for_reading(path)) as run:
            if not run.execute("SELECT id FROM runs WHERE id = ?", [result.run_id]).fetchone():
                raise StoreError("the run is not among them")
    except (zlib.error, StoreError) as error:
        raise StoreError(f"the rows of run {result.run_id} arrived damaged: {error}") from error
    return path


def _copy_run(database: Database, run_id: str) -> None:
    """Copy a run out of the attached database ``other``; it is there once, however often asked."""
    for table, key in {"runs": "id", **dict.fromkeys(TABLES, "run_id")}.items():
        database.execute(
            f'INSERT OR IGNORE INTO "{table}" SELECT * FROM other."{table}" WHERE {key} = ?',
            [run_id],
        )
