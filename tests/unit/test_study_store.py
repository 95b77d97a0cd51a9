from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from sqlite_utils import Database

import hil.store.studies
from hil.errors import StoreError
from hil.store import (
    TABLES,
    RunDatabase,
    RunWriter,
    StudyStore,
    create_or_upgrade,
    pack_run,
    read_study,
)
from hil.store.schema import MIGRATIONS, STUDY_RESULTS, upgrade
from tests.support.store_samples import inference, pulses, readings, run_start, sweep
from tests.support.studies import result_of, train

TASK = train(1, label="a train")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, str]:
    """A database with one run that has rows in every table, unknown values among them."""
    path = tmp_path / "run.sqlite"
    writer = RunWriter.begin(path, run_start())
    writer.pulses(pulses())
    writer.readings(readings(3, [1e-5, float("nan"), float("inf")]))
    writer.sweep(sweep())
    writer.inference(inference())
    writer.metric("accuracy", float("nan"), step=3)
    writer.snapshot("end", [[1e-5, float("nan")]], t_s=1.0)
    writer.event("note", "something \udc80 odd", data={"x": float("inf")})
    writer.record({"seq": 1, "value": float("nan")})
    writer.finish("finished")
    return path, writer.run_id


def raw(path: Path, table: str) -> list[tuple[object, ...]]:
    """All rows of a table as SQLite has them, with the types of its values."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
    return sorted((tuple((type(v).__name__, v) for v in row) for row in rows), key=repr)


def n_rows(path: Path) -> dict[str, int]:
    return {name: len(raw(path, name)) for name in ("runs", "study_results", *TABLES)}


def test_a_result_comes_back_as_it_was(path: Path) -> None:
    found = {"metrics": {"loss": [[0, float("nan")], [1, float("inf")]]}, "epochs": []}
    sent = result_of(TASK, results=found, error="odd \udc80", run_id="01X")
    with StudyStore(path, "s") as store:
        store.add(sent)
    (row,) = read_study(path, "s").values()
    assert set(row) == set(STUDY_RESULTS)
    assert repr(row["results"]) == repr(found)
    assert (row["task"], row["versions"]) == (TASK.as_json, sent.versions)
    assert (row["status"], row["error"], row["attempt"]) == ("done", "odd \\udc80", 1)
    for name in ("key", "label", "seed", "run_id", "host", "pid", "started_at", "ended_at"):
        assert row[name] == getattr(sent, name)
    assert row["source"] == "twin"


def test_attempts_are_counted_and_the_last_one_is_read(path: Path) -> None:
    with StudyStore(path, "s") as store:
        for error in ("first", "second"):
            store.add(result_of(TASK, status="failed", error=error))
            assert store.done() == set()
        store.add(result_of(train(2)))
        assert read_study(path, "s")[TASK.key]["error"] == "second"
        store.add(result_of(TASK))
        assert store.done() == {TASK.key, train(2).key}
    rows = read_study(path, "s")
    assert {key: row["attempt"] for key, row in rows.items()} == {TASK.key: 3, train(2).key: 1}
    assert rows[TASK.key]["status"] == "done"
    assert n_rows(path)["study_results"] == 4


def test_ten_attempts_and_more_are_in_their_order(path: Path) -> None:
    with StudyStore(path, "s") as store:
        for k in range(12):
            store.add(result_of(TASK, status="failed", error=str(k)))
    assert read_study(path, "s")[TASK.key]["error"] == "11"


def test_studies_in_one_file_know_nothing_of_each_other(path: Path) -> None:
    with StudyStore(path, "a") as a, StudyStore(path, "b") as b:
        a.add(result_of(TASK))
        assert b.done() == set()
        b.add(result_of(TASK, status="failed"))
    assert read_study(path, "a")[TASK.key]["status"] == "done"
    assert read_study(path, "b")[TASK.key]["attempt"] == 1
    assert read_study(path, "c") == {}


def test_a_result_is_on_the_disk_when_it_has_been_added(path: Path, tmp_path: Path) -> None:
    store = StudyStore(path, "s")
    store.add(result_of(TASK))
    for name in (path.name, f"{path.name}-wal"):  # as a crash would leave them
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / "copy" / name).write_bytes((tmp_path / name).read_bytes())
    store.close()
    assert set(read_study(tmp_path / "copy" / path.name, "s")) == {TASK.key}


def test_a_run_is_copied_row_by_row(path: Path, run: tuple[Path, str]) -> None:
    source, run_id = run
    before = source.read_bytes()
    with StudyStore(path, "s") as store:
        store.add(result_of(TASK, run_id=run_id, rows=pack_run(source)))
    assert source.read_bytes() == before
    assert all(n_rows(source)[name] for name in TABLES), "the sample has rows in every table"
    for name in ("runs", *TABLES):
        assert raw(path, name) == raw(source, name), name
    with RunDatabase(path) as copy, RunDatabase(source) as original:
        assert copy.find("latest") == original.find("latest")
        for name in TABLES:
            pd.testing.assert_frame_equal(copy.table(run_id, name), original.table(run_id, name))
    with closing(Database(path)) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_run_of_an_open_writer_is_packed_as_far_as_it_is(tmp_path: Path, path: Path) -> None:
    writer = RunWriter.begin(tmp_path / "open.sqlite", run_start())
    writer.readings(readings())
    writer.flush()
    rows = pack_run(tmp_path / "open.sqlite")
    writer.finish("finished")
    with StudyStore(path, "s") as store:
        store.add(result_of(TASK, run_id=writer.run_id, rows=rows))
    with RunDatabase(path) as opened:
        assert opened.find("latest").n_rows["readings"] == 3


def test_a_run_that_comes_twice_is_there_once(path: Path, run: tuple[Path, str]) -> None:
    source, run_id = run
    rows = pack_run(source)
    with StudyStore(path, "s") as store:
        store.add(result_of(TASK, run_id=run_id, rows=rows))
        once = n_rows(path)
        store.add(result_of(TASK, run_id=run_id, rows=rows))
    assert n_rows(path) == once | {"study_results": 2}


def test_only_the_run_that_is_named_is_copied(path: Path, run: tuple[Path, str]) -> None:
    source, run_id = run
    other = RunWriter.begin(source, run_start())
    other.readings(readings())
    other.finish("finished")
    with StudyStore(path, "s") as store:
        store.add(result_of(TASK, run_id=run_id, rows=pack_run(source)))
    with RunDatabase(path) as opened:
        assert [summary.run_id for summary in opened.runs()] == [run_id]


@pytest.mark.parametrize("table", [*TABLES, "study_results"])
def test_a_crash_in_between_leaves_nothing_half(
    table: str, path: Path, run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, run_id = run
    rows = pack_run(source)
    with StudyStore(path, "s") as store:
        before = n_rows(path)
        # a table that refuses its rows, after others took theirs
        store._database.execute(
            f'CREATE TEMP TRIGGER no BEFORE INSERT ON main."{table}" '
            "BEGIN SELECT RAISE(ABORT, 'no more'); END"
        )
        with pytest.raises(StoreError, match="no more"):
            store.add(result_of(TASK, run_id=run_id, rows=rows))
        assert n_rows(path) == before
        store._database.execute("DROP TRIGGER no")
        store.add(result_of(TASK, run_id=run_id, rows=rows))
    assert n_rows(path) == n_rows(source) | {"study_results": 1}


def test_ctrl_c_in_between_leaves_nothing_half(
    path: Path, run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, run_id = run
    rows = pack_run(source)
    copy = hil.store.studies._copy_run

    def interrupted(database: Database, run_id: str) -> None:
        copy(database, run_id)
        raise KeyboardInterrupt

    with StudyStore(path, "s") as store:
        with monkeypatch.context() as patched:
            patched.setattr(hil.store.studies, "_copy_run", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.add(result_of(TASK, run_id=run_id, rows=rows))
        assert set(n_rows(path).values()) == {0}
        store.add(result_of(TASK, run_id=run_id, rows=rows))
    assert n_rows(path)["runs"] == 1


def foreign(folder: Path) -> bytes:
    with closing(sqlite3.connect(folder / "foreign.sqlite")) as connection:
        connection.execute("CREATE TABLE runs (id TEXT)")
    return (folder / "foreign.sqlite").read_bytes()


def test_damaged_rows_are_one_clear_line_and_leave_nothing(
    path: Path, run: tuple[Path, str], tmp_path: Path
) -> None:
    source, run_id = run
    rows = pack_run(source)
    bit = bytearray(rows)
    bit[len(bit) // 2] ^= 4
    damaged = {
        "no zlib": b"hello",
        "cut": rows[: len(rows) // 2],
        "one bit": bytes(bit),
        "nothing in it": zlib.compress(b""),
        "no database": zlib.compress(b"hello" * 1000),
        "another database": zlib.compress(foreign(tmp_path)),
    }
    with StudyStore(path, "s") as store:
        for what, data in damaged.items():
            with pytest.raises(StoreError, match=f"rows of run {run_id} arrived damaged") as caught:
                store.add(result_of(TASK, run_id=run_id, rows=data))
            assert "\n" not in str(caught.value), what
        with pytest.raises(StoreError, match="the run is not among them"):
            store.add(result_of(TASK, run_id="01OTHER", rows=rows))
        assert set(n_rows(path).values()) == {0}
        store.add(result_of(TASK, run_id=run_id, rows=rows))  # it can still be used
        assert store.done() == {TASK.key}


def test_packing_what_is_not_there_says_so_and_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        pack_run(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_reading_a_study_of_no_database_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        read_study(tmp_path / "none.sqlite", "s")


def test_a_result_that_has_no_stored_form_leaves_the_store_usable(path: Path) -> None:
    with StudyStore(path, "s") as store:
        with pytest.raises(StoreError, match="JSON"):
            store.add(result_of(TASK, results={"x": object()}))
        store.add(result_of(TASK))
    assert len(read_study(path, "s")) == 1


def test_nobody_writes_between_the_count_of_attempts_and_the_row(path: Path) -> None:
    with StudyStore(path, "s") as store, closing(Database(path)) as other:
        other.execute("PRAGMA busy_timeout = 0")
        answers: list[str] = []

        def writes_meanwhile(statement: str) -> None:
            if "count(*)" in statement:
                try:
                    other.execute("BEGIN IMMEDIATE")
                    answers.append("is let in")
                except sqlite3.OperationalError as error:
                    answers.append(str(error))

        store._database.conn.set_trace_callback(writes_meanwhile)
        store.add(result_of(TASK))
        store._database.conn.set_trace_callback(None)
        assert answers == ["database is locked"]
    assert len(read_study(path, "s")) == 1


def test_a_file_of_the_second_version_gets_the_table_and_keeps_its_runs(path: Path) -> None:
    with closing(Database(path)) as database:
        upgrade(database, MIGRATIONS[:2])
        assert "study_results" not in database.table_names()
    with pytest.raises(StoreError, match="older version"):
        read_study(path, "s")
    create_or_upgrade(path)
    assert read_study(path, "s") == {}
    with StudyStore(path, "s") as store:
        store.add(result_of(TASK))
    assert set(read_study(path, "s")) == {TASK.key}


def test_opening_a_study_upgrades_a_file_of_the_second_version(path: Path) -> None:
    with closing(Database(path)) as database:
        upgrade(database, MIGRATIONS[:2])
    with StudyStore(path, "s") as store:
        assert store.done() == set()


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder .* does not exist"):
        StudyStore(tmp_path / "no" / "study.sqlite", "s")
