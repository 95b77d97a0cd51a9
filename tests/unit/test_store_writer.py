from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlite_utils import Database

import hil.store.batches
import hil.store.files
from hil.errors import StoreError
from hil.store import MAX_ROWS_BEHIND, RunDatabase, RunWriter
from hil.store.batches import BatchWriter, Chunk
from tests.support.store_samples import pulses, readings, run_start

WAIT_S = 30.0  # for what must happen; a test that gets there hangs no longer than this


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Two events: a commit has begun; commits may go on."""
    begun, free = threading.Event(), threading.Event()
    commit = BatchWriter._commit

    def held(self: BatchWriter, database: Database, chunks: list[Chunk]) -> None:
        begun.set()
        assert free.wait(WAIT_S)
        commit(self, database, chunks)

    monkeypatch.setattr(BatchWriter, "_commit", held)
    yield begun, free
    free.set()


def test_the_caller_waits_when_200_rows_are_behind(
    tmp_path: Path, gate: tuple[threading.Event, threading.Event]
) -> None:
    begun, free = gate
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    n_added = 0
    stalled = threading.Event()
    done = threading.Event()
    wait = writer._batches._changed.wait

    def noticed(timeout: float | None = None) -> bool:
        if threading.current_thread() is thread:
            stalled.set()
        return wait(timeout)

    writer._batches._changed.wait = noticed  # type: ignore[method-assign]

    def add() -> None:
        nonlocal n_added
        for k in range(500):
            writer.record({"k": k})
            n_added += 1
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    assert begun.wait(WAIT_S)
    assert stalled.wait(WAIT_S)
    assert n_added == MAX_ROWS_BEHIND
    assert not done.is_set()
    with RunDatabase(tmp_path / "a.db") as database:
        assert database.find("latest").n_rows["records"] == 0
    free.set()
    thread.join()
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        assert database.records(writer.run_id)["k"].tolist() == list(range(500))


def test_no_more_than_the_bound_is_ever_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    put = BatchWriter.put

    def watched(self: BatchWriter, chunk: Chunk) -> None:
        put(self, chunk)
        sizes.append(self._n_waiting + self._n_in_flight)

    monkeypatch.setattr(BatchWriter, "put", watched)
    writer = RunWriter.begin(tmp_path / "a.db", run_start(n=1000))
    writer.readings(readings(1000))
    writer.pulses(pulses(3))
    writer.flush()
    assert writer._batches._n_waiting + writer._batches._n_in_flight == 0
    writer.finish("finished")
    assert max(sizes) <= MAX_ROWS_BEHIND
    with RunDatabase(tmp_path / "a.db") as database:
        assert database.find("latest").n_rows["energy"] == 1003


def test_rows_reach_the_disk_without_being_asked_to(tmp_path: Path) -> None:
    committed = threading.Event()
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    done = writer._batches._done

    def watched() -> None:
        done()
        committed.set()

    writer._batches._done = watched  # type: ignore[method-assign]
    writer.record({"k": 1})
    assert committed.wait(WAIT_S)
    with RunDatabase(tmp_path / "a.db") as database:
        assert database.find("latest").n_rows["records"] == 1
    writer.finish("finished")


def test_finish_from_another_thread_frees_a_caller_that_waits(
    tmp_path: Path, gate: tuple[threading.Event, threading.Event]
) -> None:
    begun, free = gate
    writer = RunWriter.begin(tmp_path / "a.db", run_start(n=1000))
    heard: list[str] = []

    def add() -> None:
        try:
            writer.readings(readings(1000))
        except StoreError as error:
            heard.append(str(error))

    adding = threading.Thread(target=add)
    adding.start()
    assert begun.wait(WAIT_S)
    finishing = threading.Thread(target=writer.finish, args=("aborted",))
    finishing.start()
    adding.join(WAIT_S)
    assert "the run is closed" in heard[0]
    free.set()
    finishing.join(WAIT_S)
    with RunDatabase(tmp_path / "a.db") as database:
        run = database.find("latest")
        assert run.status == "aborted"
        assert 0 < run.n_rows["readings"] == run.n_rows["energy"] < 1000


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_locked_file_is_an_error_on_flush_and_marks_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start(), busy_timeout_s=0.05)
    with locked(path):
        writer.readings(readings())
        with pytest.raises(StoreError, match=r"a\.db: locked by another program"):
            writer.flush()
        with pytest.raises(StoreError, match="locked by another program"):
            writer.readings(readings())
    with pytest.raises(StoreError, match="locked by another program"):
        writer.finish("finished")
    writer.finish("finished")
    with RunDatabase(path) as database:
        run = database.find("latest")
    assert run.status == "failed"
    assert "rows were lost" in run.error


def test_a_locked_file_is_an_error_when_a_run_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    RunWriter.begin(path, run_start()).finish("finished")
    with locked(path), pytest.raises(StoreError, match="locked by another program"):
        RunWriter.begin(path, run_start(), busy_timeout_s=0.05)
    with RunDatabase(path) as database:
        assert len(database.runs()) == 1


def test_a_full_disk_is_an_error_and_never_a_deadlock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_for_writing = hil.store.files.open_for_writing

    def small(path: Path, busy_timeout_s: float) -> Database:
        database = open_for_writing(path, busy_timeout_s)
        database.execute("PRAGMA max_page_count = 60")
        return database

    monkeypatch.setattr(hil.store.batches, "open_for_writing", small)
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start(n=1000))
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        for _ in range(100):
            writer.readings(readings(1000))
    with pytest.raises(StoreError, match="the disk is full"):
        writer.finish("failed", "board is gone")
    with RunDatabase(path) as database:
        run = database.find("latest")
    assert run.status == "failed"
    assert run.error.startswith("board is gone; rows were lost")
    assert 0 < run.n_rows["readings"] == run.n_rows["energy"]


def test_even_a_mistake_in_the_thread_reaches_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(self: BatchWriter, database: Database, chunks: list[Chunk]) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(BatchWriter, "_commit", mistaken)
    writer = RunWriter.begin(tmp_path / "a.db", run_start())
    writer.record({})
    with pytest.raises(StoreError, match="rows were lost: KeyError"):
        writer.flush()
    with pytest.raises(StoreError, match="rows were lost"):
        writer.finish("finished")


def test_a_file_that_vanishes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start())
    writer.flush()
    writer.finish("finished")
    path.rename(tmp_path / "b.db")
    late = BatchWriter(path)
    with pytest.raises(StoreError, match="cannot be opened"):
        while True:  # the thread may need a moment to find out
            late.put({"records": []})
    late.close()
    assert not path.exists()


CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.support.store_samples import pulses, readings, run_start
from hil.store import RunWriter
writer = RunWriter.begin(sys.argv[1], run_start())
n = 0
while True:
    writer.pulses(pulses(1))
    writer.readings(readings(1))
    writer.record({"n": n})
    n += 5
    print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
def test_kill_9_loses_no_more_than_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    command = [sys.executable, "-c", CHILD, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 2000:
                os.kill(child.pid, signal.SIGKILL)
                break
        rest = child.stdout.read().split("\n")
    promised = max(int(n) for n in (line, *rest[:-1]))
    with RunDatabase(path) as database:
        run = database.find("latest")
        assert run.status == "running"
        assert run.is_stale
        stored = sum(run.n_rows.values())
        assert promised - MAX_ROWS_BEHIND <= stored <= promised + 5
        operations = run.n_rows["pulses"] + run.n_rows["readings"]
        assert run.n_rows["energy"] == operations
        seq = [database.arrays(run.run_id, t)["seq"] for t in ("pulses", "readings", "records")]
        assert sorted(int(n) for part in seq for n in part) == list(range(sum(map(len, seq))))
