"""Opening run databases: which files are ours, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlite_utils import Database

from hil.errors import StoreError
from hil.store.schema import APPLICATION_ID, SCHEMA_VERSION, read_version, upgrade

BUSY_TIMEOUT_S = 5.0
"""How long to wait for another program that holds the file locked."""


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into ``StoreError``, with what to do."""
    try:
        yield
    except (sqlite3.Error, OSError, OverflowError) as error:
        raise StoreError(f"{path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    code = _primary_code(error)
    what_to_do = {
        sqlite3.SQLITE_BUSY: "locked by another program; close it there or take another file",
        sqlite3.SQLITE_LOCKED: "locked by another program; close it there or take another file",
        sqlite3.SQLITE_FULL: "the disk is full; free some space",
        sqlite3.SQLITE_CORRUPT: "damaged; restore a copy or take another file",
        sqlite3.SQLITE_NOTADB: "no SQLite database, or damaged; take another file",
        sqlite3.SQLITE_READONLY: "read-only; change its permissions or take another file",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that file and folder are writable",
    }
    return f"{what_to_do[code]} ({error})" if code in what_to_do else str(error)


def _primary_code(error: Exception) -> int:
    """Return SQLite's error code without the part that says in which of its calls; 0 for none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def check_database(path: Path | str) -> None:
    """Refuse a path at which no run could be stored. Writes nothing and creates no file.

    A path where nothing is yet, and an empty file, are fine: they become a new database.

    Raises:
        StoreError: the folder is missing or not writable, or the file is no run database, is
            damaged, or was made by a newer version.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise StoreError(f"{path}: folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise StoreError(f"{path}: folder {path.parent} is not writable; take another one")
    if path.exists():
        if not path.is_file():
            raise StoreError(f"{path}: not a file; take another path")
        if not os.access(path, os.W_OK):
            raise StoreError(f"{path}: file is not writable; change its permissions")
        if not _is_empty(path):
            _look_at(path)


def open_for_writing(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Open a database that is ours already, for one thread; the caller closes it.

    A commit returns when the rows are on the disk.
    """
    database = _connect(path, "mode=rw", busy_timeout_s)
    try:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        database.close()
        raise
    return database


def create_or_upgrade(path: Path | str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
    """Make ``path`` a database of the current version: create it, or migrate what is there.

    Raises:
        StoreError: as ``check_database``, or the file is locked or the disk is full.
    """
    path = Path(path)
    check_database(path)
    with (
        store_errors(path),
        closing(_connect(path, "mode=rwc", busy_timeout_s)) as database,
    ):
        if _n_pages(database):
            _check_ours(path, database)
        # Before WAL, so that the main file alone says what it is, even if this crashes.
        upgrade(database)
        _check_ours(path, database)
        _enable_wal(database, time.monotonic() + busy_timeout_s)


def open_for_reading(path: Path | str) -> Database:
    """Open a database of the current version; it refuses to be written. The caller closes it.

    Raises:
        StoreError: there is no such file, or it is not a run database of this version.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    if _is_empty(path):
        raise StoreError(f"{path}: empty file, no run has been stored in it")
    _look_at(path)
    with store_errors(path):
        database = _open_quietly(path)
        version = read_version(database)
    if version < SCHEMA_VERSION:
        database.close()
        raise StoreError(
            f"{path}: written by an older version (schema {version}); "
            "hil.store.create_or_upgrade(path) brings it up to date"
        )
    return database


def _open_quietly(path: Path) -> Database:
    """Open so that closing removes the log files of WAL again, which ``mode=ro`` leaves behind."""
    with suppress(sqlite3.OperationalError):  # on a read-only medium
        database = _connect(path, "mode=rw")
        try:
            database.execute("PRAGMA query_only = ON")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            database.close()
            raise
        return database
    return _connect(path, _untouched(path))


def _look_at(path: Path) -> None:
    """Refuse a file that is not ours. Creates no file beside it.

    Only through SQLite: opening the file otherwise and closing it again would drop the locks that
    SQLite holds on it in this process (https://www.sqlite.org/howtocorrupt.html, 2.2), and another
    program would then throw away the log of a run that goes on.
    """
    how = _untouched(path)
    with store_errors(path):
        try:
            with closing(_connect(path, how)) as database:
                _check_ours(path, database)
        except sqlite3.DatabaseError as error:
            if _primary_code(error) == sqlite3.SQLITE_READONLY:
                return  # a crash left a journal; whoever opens it for writing clears up and checks
            if how == _untouched(path):
                raise
            with closing(_connect(path, "mode=ro")) as database:  # a run has begun meanwhile
                _check_ours(path, database)


def _untouched(path: Path) -> str:
    """Return how to open a file without creating another one beside it.

    Where there is no log nobody writes to the file, so it can be read as if it never changed.
    """
    path = path.resolve()
    logs = (path.with_name(f"{path.name}-{log}") for log in ("wal", "journal"))
    return "mode=ro" if any(log.exists() for log in logs) else "immutable=1"


def _connect(path: Path, how: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    uri = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s)
    try:
        return Database(connection, execute_plugins=False)
    except sqlite3.Error:
        connection.close()
        raise


def _enable_wal(database: Database, deadline_s: float) -> None:
    """Switch to write-ahead logging; SQLite does not wait by itself while others have it open."""
    while True:
        try:
            database.enable_wal()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return


def _is_empty(path: Path) -> bool:
    with store_errors(path):
        return path.stat().st_size == 0


def _n_pages(database: Database) -> int:
    return int(database.execute("PRAGMA page_count").fetchone()[0])


def _check_ours(path: Path, database: Database) -> None:
    if not _n_pages(database):
        raise StoreError(f"{path}: no SQLite database; take another file")
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path}: SQLite file of another program; take another file")
    version = read_version(database)
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: written by a newer version (schema {version}, this program knows "
            f"{SCHEMA_VERSION}); upgrade memristor-hil or take another file"
        )
    if "runs" not in database.table_names():
        raise StoreError(f"{path}: damaged, it has no table 'runs'; restore a copy")
    database.execute("SELECT count(*) FROM runs").fetchone()
