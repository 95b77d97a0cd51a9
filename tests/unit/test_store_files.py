from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

import hil.store.files
from hil.errors import StoreError
from hil.store import TABLES, RunDatabase, RunWriter, check_database, create_or_upgrade
from hil.store.schema import MIGRATIONS, SCHEMA_VERSION, _count_inference, upgrade
from tests.support.store_samples import readings, run_start


def stored_run(path: Path) -> str:
    writer = RunWriter.begin(path, run_start())
    writer.readings(readings())
    writer.finish("finished")
    return writer.run_id


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def make_text(path: Path) -> None:
    path.write_text("seq,g_siemens\n" * 50)


def make_short_text(path: Path) -> None:
    path.write_text("hello")


def make_foreign(path: Path) -> None:
    execute(path, "CREATE TABLE runs (id TEXT)", "INSERT INTO runs VALUES ('x')")


def make_foreign_with_log(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL", "CREATE TABLE t (x REAL)", "PRAGMA user_version = 1")


def make_newer(path: Path) -> None:
    stored_run(path)
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def make_damaged_header(path: Path) -> None:
    stored_run(path)
    data = bytearray(path.read_bytes())
    data[:16] = bytes(16)
    path.write_bytes(data)


def make_damaged_schema(path: Path) -> None:
    stored_run(path)
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)


def make_truncated(path: Path) -> None:
    stored_run(path)
    path.write_bytes(path.read_bytes()[:60])


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_text, "no SQLite database"),
        (make_short_text, "no SQLite database"),
        (make_foreign, "SQLite file of another program"),
        (make_foreign_with_log, "SQLite file of another program"),
        (make_newer, rf"newer version \(schema {SCHEMA_VERSION + 1}"),
        (make_damaged_header, "no SQLite database"),
        (make_damaged_schema, "damaged"),
        (make_truncated, "damaged"),
        (make_folder, "not a file"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_alone(
    tmp_path: Path, make: object, message: str
) -> None:
    path = tmp_path / "a.db"
    assert callable(make)
    make(path)
    before = contents(tmp_path)
    for refuse in (check_database, lambda p: RunWriter.begin(p, run_start()), create_or_upgrade):
        with pytest.raises(StoreError, match=message) as caught:
            refuse(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    if path.is_file():
        with pytest.raises(StoreError, match=message):
            RunDatabase(path)
    assert contents(tmp_path) == before


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no" / "a.db"
    for refuse in (check_database, lambda p: RunWriter.begin(p, run_start())):
        with pytest.raises(StoreError, match=r"folder .* does not exist"):
            refuse(path)
    assert not path.parent.exists()


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    # root may write anywhere, so permissions alone would not do
    path = tmp_path / "a.db"
    stored_run(path)
    locked = path if what == "file" else tmp_path
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != locked)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=f"{what} .*is not writable"):
        RunWriter.begin(path, run_start())
    assert contents(tmp_path) == before


def test_checking_creates_nothing_and_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    check_database(path)
    assert not contents(tmp_path)
    path.touch()
    check_database(path)
    assert contents(tmp_path) == {"a.db": b""}
    run_id = stored_run(path)
    before = contents(tmp_path)
    assert list(before) == ["a.db"]
    check_database(path)
    assert contents(tmp_path) == before
    with RunDatabase(path) as database:
        assert len(database.table(run_id, "readings")) == 3
    assert contents(tmp_path) == before


def test_checking_works_beside_a_run_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start())
    writer.readings(readings())
    writer.flush()
    names = sorted(p.name for p in tmp_path.iterdir())
    check_database(path)
    with RunDatabase(path) as database:
        writer.readings(readings())
        writer.flush()
        assert database.find("latest").n_rows["readings"] == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    writer.finish("finished")


def test_looking_at_a_file_does_not_drop_the_locks_of_a_run_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start())
    writer.readings(readings())
    writer.flush()
    check_database(path)
    with RunDatabase(path):
        pass
    RunWriter.begin(path, run_start()).finish("finished")
    # Another program that comes and goes: it must see that it is not the last one.
    other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM runs')"
    subprocess.run([sys.executable, "-c", f"{other}; c.close()", str(path)], check=True)
    assert (tmp_path / "a.db-wal").exists()
    writer.readings(readings())
    writer.finish("finished")
    with RunDatabase(path) as database:
        assert database.find(writer.run_id).n_rows["readings"] == 6


def test_a_journal_that_a_crash_left_is_cleared_up_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    crash = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('PRAGMA journal_mode = DELETE'); c.execute('PRAGMA cache_size = 1'); "
        "c.execute('BEGIN'); c.execute('CREATE TABLE t (x)'); "
        "[c.execute('INSERT INTO t VALUES (zeroblob(5000))') for _ in range(20)]; os._exit(9)"
    )
    stored_run(path)
    subprocess.run([sys.executable, "-c", crash, str(path)], check=False)
    assert (tmp_path / "a.db-journal").exists()
    check_database(path)
    stored_run(path)
    with RunDatabase(path) as database:
        assert len(database.runs()) == 2
        assert "t" not in database._database.table_names()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    stored_run(path)
    with RunDatabase(path) as database, pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._database.execute("DELETE FROM readings")


def test_a_reader_falls_back_where_no_log_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    run_id = stored_run(path)
    connect = hil.store.files._connect

    def connect_on_read_only_medium(path: Path, how: str, wait_s: float = 0.0) -> Database:
        if how == "mode=rw":
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path, how, wait_s)

    monkeypatch.setattr(hil.store.files, "_connect", connect_on_read_only_medium)
    with RunDatabase(path) as database:
        assert len(database.table(run_id, "readings")) == 3


def test_reading_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        RunDatabase(tmp_path / "a.db")
    (tmp_path / "b.db").touch()
    with pytest.raises(StoreError, match="empty file"):
        RunDatabase(tmp_path / "b.db")
    assert list(contents(tmp_path)) == ["b.db"]


def test_a_page_that_is_damaged_is_one_error_line(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start())
    for _ in range(100):
        writer.readings(readings())
    writer.finish("finished")
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'readings'"
        ).fetchall()
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    with RunDatabase(path) as database, pytest.raises(StoreError, match="damaged"):
        database.table(writer.run_id, "readings")


def add_humidity(database: Database) -> None:
    database.table("runs").add_column("humidity_ratio", float)


def fail_halfway(database: Database) -> None:
    database.table("runs").add_column("half", float)
    raise ZeroDivisionError


def test_an_older_file_is_migrated_in_one_transaction(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    run_id = stored_run(path)
    with closing(Database(path)) as database:
        with pytest.raises(ZeroDivisionError):
            upgrade(database, (*MIGRATIONS, add_humidity, fail_halfway))
        assert "humidity_ratio" not in database.table("runs").columns_dict
        upgrade(database, (*MIGRATIONS, add_humidity))
        upgrade(database, (*MIGRATIONS, add_humidity))
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
        row = database.table("runs").get(run_id)
        assert row["humidity_ratio"] is None
        assert database.table("readings").count == 3
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_older_file_is_brought_up_to_date_by_writing_and_refused_by_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    run_id = stored_run(path)
    newer = (*MIGRATIONS, add_humidity)
    monkeypatch.setattr(hil.store.files, "SCHEMA_VERSION", len(newer))
    monkeypatch.setattr(hil.store.files, "upgrade", lambda database: upgrade(database, newer))
    check_database(path)
    with pytest.raises(StoreError, match=r"older version.*create_or_upgrade"):
        RunDatabase(path)
    second = stored_run(path)
    with RunDatabase(path) as database:
        assert {run.run_id for run in database.runs()} == {run_id, second}
        assert "humidity_ratio" in database.run(run_id)


def test_an_older_file_learns_to_count_the_energy_of_inference(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    create_or_upgrade(path)
    now = view_of(path)
    before = MIGRATIONS[: MIGRATIONS.index(_count_inference)]
    old = tmp_path / "old.db"
    with closing(Database(old)) as database:
        upgrade(database, before)
    assert "'infer'" not in view_of(old)
    create_or_upgrade(old)
    assert view_of(old) == now
    assert "IN ('read', 'infer', 'matvec')" in now


def test_an_older_file_learns_what_the_sources_delivered(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(Database(old)) as database:
        upgrade(database, MIGRATIONS[:4])
        database.execute("DROP VIEW energy_by_run")  # as a file of that version has it
        database.execute("ALTER TABLE energy DROP COLUMN delivered_j")
        database.create_view("energy_by_run", "SELECT 'infer'")
        database.commit()
    run_id = stored_run(old)
    with closing(Database(old)) as database:
        (delivered_j,) = {
            row["delivered_j"] for row in database["energy"].rows_where("run_id = ?", [run_id])
        }
    assert delivered_j is None


def view_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        asked = "SELECT sql FROM sqlite_master WHERE name = 'energy_by_run'"
        return str(connection.execute(asked).fetchone()[0])


def test_a_file_created_by_hand_as_version_one_is_current(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    create_or_upgrade(path)
    with closing(Database(path)) as database:
        assert set(database.table_names()) == {
            "runs",
            "calibrations",
            "study_results",
            *TABLES,
        }
        assert set(database.view_names()) == {"energy_by_run", "conductances"}
        assert database.journal_mode == "wal"
        for name, columns in TABLES.items():
            assert database.table(name).columns_dict == columns
            assert [fk.other_table for fk in database.table(name).foreign_keys] == ["runs"]


def test_the_conductances_view_carries_source_and_procedure(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    stored_run(path)
    with closing(Database(path)) as database:
        rows = list(database.query("SELECT device, g_siemens, source, procedure FROM conductances"))
    assert [row["device"] for row in rows] == ["W0", "W1", "W2"]
    assert {(row["source"], row["procedure"]) for row in rows} == {("twin", "iv-sweep")}
    assert rows[0]["g_siemens"] == 1e-5


def test_every_column_is_in_the_reference() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/database.md").read_text(encoding="utf-8")
    sections = {part.split("`")[1]: part for part in text.split("\n### ")[1:]}
    others = {"runs": hil.store.schema.RUNS, "calibrations": hil.store.schema.CALIBRATIONS}
    for name, columns in {**others, **TABLES}.items():
        for column in columns:
            assert f"| `{column}` |" in sections[name], f"{name}.{column}"
