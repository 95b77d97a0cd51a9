from __future__ import annotations

import datetime
import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from hil.errors import StoreError
from hil.records import Head, Quantity, Record, make_record
from hil.store import RunDatabase, add_calibration, create_or_upgrade
from hil.store.schema import MIGRATIONS, upgrade


def sample(
    record_id: str = "board-1", value: float = 75.0, supersedes: str | None = None
) -> Record:
    head = Head(
        id=record_id,
        kind="board",
        subject="switch board 1",
        created=datetime.date(2026, 11, 22),
        software="memristor-hil 0.2.0",
        supersedes=supersedes,
    )
    quantity = Quantity(value=value, unit="ohm", source="a short", status="fitted")
    return make_record(head, {"r_switch_ohm": quantity})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


def test_records_come_back_newest_first_with_their_text(path: Path) -> None:
    records = [sample(), sample("board-2", 76.0, supersedes="board-1")]
    for record in records:
        add_calibration(path, record)
    with RunDatabase(path) as database:
        stored = database.calibrations()
    assert [s.record.record_id for s in stored] == ["board-2", "board-1"]
    assert [s.record.sha256 for s in stored] == [r.sha256 for r in reversed(records)]
    assert stored[0].record.tables == records[1].tables
    assert stored[0].added_at >= stored[1].added_at


def test_the_same_record_is_added_once_and_another_of_its_name_refused(path: Path) -> None:
    for _ in range(2):
        add_calibration(path, sample())
    with pytest.raises(StoreError, match="holds another calibration record 'board-1'"):
        add_calibration(path, sample(value=80.0))
    with RunDatabase(path) as database:
        (stored,) = database.calibrations()
    assert stored.record.value("r_switch_ohm") == 75.0


@pytest.mark.parametrize("sql", ["UPDATE calibrations SET toml = ''", "DELETE FROM calibrations"])
def test_nobody_edits_a_record_in_the_file(path: Path, sql: str) -> None:
    add_calibration(path, sample())
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never edited"):
        connection.execute(sql)
    connection.close()


def test_a_file_of_the_first_version_gets_the_table(path: Path) -> None:
    database = Database(path)
    upgrade(database, MIGRATIONS[:1])
    assert "calibrations" not in database.table_names()
    database.close()
    create_or_upgrade(path)
    add_calibration(path, sample())
    with RunDatabase(path) as opened:
        assert len(opened.calibrations()) == 1
