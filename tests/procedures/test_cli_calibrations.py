"""``hil calibrations``: what there is, how old it is, and what uses it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from hil.records import Validity, load_record, make_record, write_record
from hil.store import add_calibration
from procedures.reports.calibrations import list_calibrations
from tests.procedures.conftest import Hil
from tests.support.twins import OTHER, SOUND, twin_file

TODAY = datetime.date(2026, 12, 24)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    twin_file(tmp_path, "mine", drifted=[0])
    (tmp_path / "no-station.toml").write_text("a = 1", encoding="utf-8")
    sound = load_record(SOUND)
    for name, supersedes, until in (
        ("m1-new", SOUND, TODAY + datetime.timedelta(1)),
        ("m1-old", None, TODAY - datetime.timedelta(1)),
    ):
        head = sound.head.model_copy(
            update={"id": name, "supersedes": supersedes, "created": datetime.date(2026, 12, 1)}
        )
        record = make_record(
            head, sound.parameters, conditions=sound.conditions, validity=Validity.of(until)
        )
        write_record(record, "records")
    return tmp_path


def test_records_with_their_age_and_state(tmp_path: Path) -> None:
    rows = {row["id"]: row for row in list_calibrations(Path("records"), Path("none"), TODAY)}
    assert rows["m1-new"]["state"] == "valid"
    assert rows["m1-old"]["state"] == "expired"
    assert (rows[SOUND]["state"], rows[SOUND]["superseded_by"]) == ("superseded", "m1-new")
    assert rows["m1-new"]["age_days"] == 23
    assert rows["m1-new"]["subject"] == "Knowm W-SDC M1"


def test_what_uses_them(hil: Hil) -> None:
    run_id = json.loads(
        hil("run", "read-array", "--devices", "W01", "--station", "mine.toml", "--json").out
    )["run_id"]
    said = hil("calibrations", "--json")
    assert (said.code, said.err) == (0, "")
    rows = {row["id"]: row for row in json.loads(said.out)}
    assert "mine" in rows[OTHER]["stations"]
    assert rows[OTHER]["runs"] == [run_id]
    assert rows["m1-new"]["runs"] == rows["m1-new"]["stations"] == []


def test_records_that_only_the_database_has(hil: Hil, tmp_path: Path) -> None:
    (tmp_path / "records" / "m1-old.toml").rename(tmp_path / "records" / "gone")
    text = (tmp_path / "records" / "gone").read_bytes()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "m1-old.toml").write_bytes(text)
    add_calibration("runs.sqlite", load_record("m1-old", ["elsewhere"]))
    rows = {row["id"]: row for row in json.loads(hil("calibrations", "--json").out)}
    assert rows["m1-old"]["origin"] == "calibrations.m1-old"


def test_the_list_in_words(hil: Hil) -> None:
    said = hil("calibrations")
    lines = said.out.splitlines()
    assert lines[0].split()[:3] == ["id", "kind", "subject"]
    (line,) = (line for line in lines if line.startswith(f"{SOUND} "))
    assert "superseded by m1-new" in line


def test_one_record(hil: Hil) -> None:
    said = hil("calibrations", "show", SOUND)
    assert said.code == 0
    assert "[parameters.r_on_ohm]" in said.out
    assert "# superseded_by: m1-new" in said.out
    found = json.loads(hil("calibrations", "show", SOUND, "--json").out)
    assert found["toml"].startswith("[record]")
    said = hil("calibrations", "show", "w-m9")
    assert said.code == 2
    assert said.error_line.startswith("no calibration record 'w-m9'; there are")
