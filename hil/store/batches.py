"""The thread that puts rows on the disk, and the bound on how far it may be behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import chain
from pathlib import Path
from sqlite3 import SQLITE_LIMIT_VARIABLE_NUMBER

from sqlite_utils import Database

from hil.errors import StoreError
from hil.store.files import BUSY_TIMEOUT_S, open_for_writing, store_errors
from hil.store.schema import TABLES
from hil.store.values import SqlValue

MAX_ROWS_BEHIND = 200
"""Rows that were handed over and are not on the disk yet; more make the caller wait."""

MAX_LAG_S = 0.2
"""Age of the oldest such row, as long as the disk takes less than half of this for a commit."""

_GATHER_S = MAX_LAG_S / 2

Row = tuple[SqlValue, ...]
Chunk = Mapping[str, Sequence[Row]]
"""Rows by table, which reach the disk together or not at all."""


class BatchWriter:
    """Commits rows from a thread of its own, with its own connection.

    Every row counts until its transaction is on the disk. When the thread fails, the rows that it
    held are lost, and every later call says so.

    Args:
        path: a database of ours.
        busy_timeout_s: how long to wait for another program that holds it locked.
    """

    def __init__(self, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._changed = threading.Condition()
        self._waiting: list[Chunk] = []
        self._n_waiting = 0
        self._n_in_flight = 0
        self._oldest_s = 0.0
        self._hurry = False
        self._closing = False
        self._stopped = False
        self._failure: StoreError | None = None
        self._thread = threading.Thread(target=self._run, name="run-store", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> StoreError | None:
        """Why rows were lost, if any were."""
        return self._failure

    def put(self, chunk: Chunk) -> None:
        """Hand over at most ``MAX_ROWS_BEHIND`` rows; waits until they fit in.

        Raises:
            StoreError: rows were lost, or the writer is closed.
        """
        n_rows = sum(map(len, chunk.values()))
        with self._changed:
            while not self._stopped and not self._closing and not self._fits(n_rows):
                self._wake()
                self._changed.wait()
            self._check()
            if self._closing:
                raise StoreError(f"{self._path}: the run is closed, nothing can be added to it")
            if not self._waiting:
                self._oldest_s = time.monotonic()
            self._waiting.append(chunk)
            self._n_waiting += n_rows
            # Only when it matters: each wake-up costs a change of threads.
            if len(self._waiting) == 1 or self._is_due():
                self._changed.notify_all()

    def flush(self) -> None:
        """Wait until every row that was handed over is on the disk.

        Raises:
            StoreError: rows were lost.
        """
        with self._changed:
            while not self._stopped and (self._waiting or self._n_in_flight):
                self._wake()
                self._changed.wait()
            self._check()

    def close(self) -> None:
        """Flush and end the thread. Safe to call twice and from any thread; never raises."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _fits(self, n_rows: int) -> bool:
        return self._n_waiting + self._n_in_flight + n_rows <= MAX_ROWS_BEHIND

    def _is_due(self) -> bool:
        # Half full is due, so that the caller fills one half while the other is written.
        return self._hurry or self._closing or self._n_waiting >= MAX_ROWS_BEHIND // 2

    def _wake(self) -> None:
        self._hurry = True
        self._changed.notify_all()

    def _check(self) -> None:
        if self._failure is not None:
            raise StoreError(str(self._failure)) from self._failure

    def _run(self) -> None:
        try:
            with (
                store_errors(self._path),
                closing(open_for_writing(self._path, self._busy_timeout_s)) as database,
            ):
                while chunks := self._take():
                    self._commit(database, chunks)
                    self._done()
        except StoreError as error:
            self._failure = error
        except BaseException as error:
            # Whatever it is: the caller has to hear of it instead of waiting for ever.
            self._failure = StoreError(f"{self._path}: rows were lost: {error!r}")
            self._failure.__cause__ = error
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def _take(self) -> list[Chunk]:
        """Return what is to be committed next; nothing when the writer is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            rest_s = self._oldest_s + _GATHER_S - time.monotonic()
            self._changed.wait_for(self._is_due, timeout=rest_s)
            chunks, self._waiting = self._waiting, []
            self._n_in_flight, self._n_waiting = self._n_waiting, 0
            self._hurry = False
            return chunks

    def _commit(self, database: Database, chunks: list[Chunk]) -> None:
        rows_by_table: dict[str, list[Row]] = {}
        for chunk in chunks:
            for table, rows in chunk.items():
                rows_by_table.setdefault(table, []).extend(rows)
        max_values = database.conn.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER)
        with database.atomic():
            for table, rows in rows_by_table.items():
                n_rows = max_values // len(TABLES[table])
                for start in range(0, len(rows), n_rows):
                    part = rows[start : start + n_rows]
                    database.execute(_insert(table, len(part)), list(chain.from_iterable(part)))

    def _done(self) -> None:
        with self._changed:
            self._n_in_flight = 0
            self._changed.notify_all()


@lru_cache(maxsize=1024)
def _insert(table: str, n_rows: int) -> str:
    """Return one statement for many rows.

    The sqlite3 module gives the interpreter lock away at each step of a statement, and a caller
    that computes in Python hands it back after 5 ms: a statement per row would take 1 s for 200.
    """
    columns = ", ".join(f'"{column}"' for column in TABLES[table])
    one_row = f"({', '.join('?' * len(TABLES[table]))})"
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([one_row] * n_rows)}'
