"""The same procedure from plain Python, inside a pymeasure worker, and from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hil.store import RunDatabase
from procedures.registry import PROCEDURES
from procedures.runner import run
from tests.procedures.conftest import Hil, StationFile
from tests.support.runs import assert_switched_off, run_of, tables_of, work
from twin.opening import TwinInstruments

RUNS: list[tuple[str, dict[str, Any]]] = [
    ("iv-sweep", {"points": 16, "loops": 2}),
    ("read-array", {"repeats": 2, "devices": "W,Cr01"}),
    ("pulse-train", {"set_pulses": 3, "reset_pulses": 3, "cycles": 2}),
    ("program-verify", {"devices": "W01,W03", "target_siemens": 120e-6}),
    ("forming", {"devices": "W01,Cr01"}),
    ("retention", {"devices": "W,Cr01", "prepare_v": 0.6, "last_s": 20}),
    ("endurance", {"devices": "W01,Cr01", "n_cycles": 5}),
    ("on-chip-training", {"test_images": 12}),
    ("in-situ-training", {"test_images": 4, "epochs_max": 2, "test_every": 2, "batch_images": 4}),
]


@pytest.mark.parametrize(("name", "parameters"), RUNS, ids=[name for name, _ in RUNS])
def test_tables_are_the_same_wherever_it_runs(
    name: str,
    parameters: dict[str, Any],
    station_file: StationFile,
    tmp_path: Path,
    hil: Hil,
    benches: list[TwinInstruments],
) -> None:
    devices = {"W": 30, "Cr": 1} if name.endswith("-training") else {"W": 4, "Cr": 1}
    given = parameters | {"station": station_file(n_devices=devices), "seed": 5}
    files = [tmp_path / f"{way}.sqlite" for way in ("plain", "worker", "command")]

    assert run(PROCEDURES[name](database=str(files[0]), **given)).status == "finished"

    procedure = PROCEDURES[name](database=str(files[1]), **given)
    _, csv = work(procedure, tmp_path / "results.csv")
    assert procedure.status == procedure.FINISHED
    assert procedure.outcome == "finished"

    options = [part for key, v in given.items() for part in (f"--{key.replace('_', '-')}", v)]
    assert hil("run", name, *options, "--db", files[2]).code == 0

    plain, in_worker, by_command = (tables_of(file) for file in files)
    assert len(plain["records"]) > 0
    assert len(plain["energy"]) > 0
    for table, frame in plain.items():
        pd.testing.assert_frame_equal(in_worker[table], frame, obj=f"{table} in a worker")
        pd.testing.assert_frame_equal(by_command[table], frame, obj=f"{table} by command")
    emitted = plain["records"].drop(columns=["seq", "t_s"])
    pd.testing.assert_frame_equal(csv, emitted, check_dtype=False, rtol=1e-12)
    for file in files:
        assert (run_of(file).status, run_of(file).error) == ("finished", "")
    assert len(benches) == 3
    for bench in benches:
        assert_switched_off(bench)


def test_progress_and_all_topics_reach_the_listener(
    station_file: StationFile, database: Path
) -> None:
    heard: list[tuple[str, Any]] = []
    procedure = PROCEDURES["pulse-train"](
        station=station_file(), database=str(database), set_pulses=2, reset_pulses=2, cycles=1
    )
    run(procedure, lambda topic, record: heard.append((topic, record)))
    assert [topic for topic, _ in heard] == ["results", "progress"] * 4
    assert [record for topic, record in heard if topic == "progress"] == [25, 50, 75, 100]
    rows = [record for topic, record in heard if topic == "results"]
    assert all(list(row) == procedure.DATA_COLUMNS for row in rows)


def test_a_procedure_can_run_again(station_file: StationFile, database: Path) -> None:
    procedure = PROCEDURES["read-array"](station=station_file(), database=str(database))
    first, second = run(procedure), run(procedure)
    assert first.run_id != second.run_id
    one, two = tables_of(database, first.run_id), tables_of(database, second.run_id)
    pd.testing.assert_frame_equal(one["readings"], two["readings"])
    assert len(one["records"]) == len(two["records"]) == 6


def test_what_a_run_is_made_of_is_stored_with_it(station_file: StationFile, database: Path) -> None:
    station = station_file()
    outcome = run(PROCEDURES["read-array"](station=station, database=str(database), seed=11))
    with RunDatabase(database) as opened:
        row = opened.run(outcome.run_id)
    assert row["seed"] == 11
    assert row["station_toml"] == Path(station).read_text(encoding="utf-8")
    assert row["parameters"] == {
        "station": station,
        "database": str(database),
        "fallback": "station",
        "seed": 11,
        "devices": "all",
        "v_read_v": 0.1,
        "allow_reverse": False,
        "repeats": 1,
        "interval_s": 0.0,
    }
    assert "TWIN00000011" in row["board_identity"]["smu"]
    assert {"memristor-hil", "pymeasure", "numpy"} <= set(row["versions"])
    assert any("w-m1" in key for key in row["calibration"])
    assert row["source"] == "twin"
    assert row["ended_at"] > row["started_at"]
