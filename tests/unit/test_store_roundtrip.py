from __future__ import annotations

import math
import os
import platform
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hil.errors import StoreError, UsageError
from hil.store import RunDatabase, RunWriter, software_versions
from hil.types import Source
from tests.support.store_samples import pulses, readings, run_start, sweep

VOLTS = ("v_read_v", "v_source_v", "v_device_v")


def begin(path: Path, procedure: str = "iv-sweep") -> RunWriter:
    return RunWriter.begin(path, run_start(procedure))


def test_the_run_row_is_there_before_anything_happens(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    with RunDatabase(tmp_path / "a.db") as database:
        summary = database.find(writer.run_id)
        assert summary.status == "running"
        assert (summary.host, summary.pid) == (platform.node(), os.getpid())
        assert not summary.is_stale
        run = database.run(writer.run_id)
    writer.finish("finished")
    assert math.isnan(run["parameters"]["target"])
    assert run["parameters"]["limit"] == math.inf
    assert run["source"] == "twin"
    assert run["source_reason"] == "no answer on GPIB0::24"
    assert run["board_identity"] == {"smu": "TWIN 2400"}
    assert run["calibration"] == {"smu": "none"}
    assert run["seed"] == 7
    assert run["started_at"].endswith("+00:00")
    assert run["ended_at"] is None


def test_readings_and_pulses_come_back(tmp_path: Path) -> None:
    g = [1e-5, math.nan, math.inf]
    sent, pulsed = readings(3, g), pulses(3, amplitude_v=-0.6)
    writer = begin(tmp_path / "a.db")
    writer.pulses(pulsed)
    writer.readings(sent, purpose="verify")
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        r = database.arrays(writer.run_id, "readings")
        p = database.arrays(writer.run_id, "pulses")
        e = database.arrays(writer.run_id, "energy")
    for name in (*VOLTS, "t_s", "i_a", "g_siemens", "g_expanded_siemens", "width_s"):
        assert_array_equal(r[name], getattr(sent, name))
    for name in ("t_s", "amplitude_v", "width_s", "width_measured_s", "n_pulses", "i_end_a"):
        assert_array_equal(p[name], getattr(pulsed, name))
    assert r["device"].tolist() == ["W0", "W1", "W2"]
    assert_array_equal(r["column"], [0, 1, 2])
    assert set(r["polarity"]) == {"set"}
    assert set(p["polarity"]) == {"reset"}
    assert set(r["purpose"]) == {"verify"}
    assert set(r["source"]) == {"twin"}
    assert_array_equal(np.concatenate([p["seq"], r["seq"]]), np.arange(6))
    assert_array_equal(e["of_seq"], np.arange(6))
    assert e["operation"].tolist() == ["pulse"] * 3 + ["read"] * 3


def test_energy_split_adds_up_to_everything(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    writer.pulses(pulses(3))
    writer.readings(readings(3))
    writer.sweep(sweep())
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        split = database.energy(writer.run_id)
        rows = database.arrays(writer.run_id, "energy")
    assert split["device_j"] == pytest.approx(6 + 100)
    assert split["series_j"] == pytest.approx(0.6 + 10)
    assert split["switch_j"] == pytest.approx(0.06 + 1)
    assert split["verify_reads_j"] == pytest.approx(6e-3 * 1.11)
    assert split["half_select_j"] == pytest.approx(0.006 + 0.006e-3 + 0.1)
    assert split["instrument_j"] == pytest.approx(0.0006 + 0.0006e-3 + 0.01)
    everything = sum(
        rows[name].sum()
        for name in ("device_j", "series_j", "switch_j", "half_select_j", "instrument_j")
    )
    assert sum(split.values()) == pytest.approx(everything)


def test_an_unknown_energy_makes_its_part_of_the_split_unknown(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    read = readings(3)
    read.energy.switch_j[1] = math.nan
    writer.readings(read)
    writer.pulses(pulses(3))
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        split = database.energy(writer.run_id)
    assert math.isnan(split["verify_reads_j"])
    assert split["switch_j"] == pytest.approx(0.06)


def test_a_run_without_energy_has_a_split_of_zeros(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        assert set(database.energy(writer.run_id).values()) == {0.0}
        assert len(database.table(writer.run_id, "readings")) == 0


def test_a_long_sweep_keeps_its_points_and_its_energy(tmp_path: Path) -> None:
    sent = sweep(1000)
    writer = begin(tmp_path / "a.db")
    writer.event("note", "first")
    writer.sweep(sent)
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        points = database.table(writer.run_id, "sweep_points")
        energy = database.table(writer.run_id, "energy")
    assert_array_equal(points["i_a"], sent.i_a)
    assert_array_equal(points["seq"], np.arange(1, 1001))
    assert set(points["sweep_seq"]) == {1}
    assert set(points["device"]) == {"W1"}
    assert energy[["of_seq", "operation", "device_j"]].to_numpy().tolist() == [[1, "sweep", 100.0]]


def test_metrics_snapshots_events_and_records_come_back(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    writer.metric("accuracy", 0.5, "1", step=0, t_s=1.5)
    writer.metric("accuracy", math.nan, "1", step=1)
    writer.snapshot("weights", [[1e-5, math.nan], [math.inf, -0.25]], t_s=2.0)
    writer.event("fallback", "twin \udcff", level="warning", data={"tried": ["a", 3]})
    writer.record({"Voltage (V)": 0.1, "g": np.float32(0.5), "seq": 9})
    writer.record({"Voltage (V)": -math.inf, "extra": Source.BENCH})
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        metrics = database.table(writer.run_id, "metrics")
        (snapshot,) = database.snapshots(writer.run_id)
        run = database.run(writer.run_id)
        records = database.records(writer.run_id)
        long = database.table(writer.run_id, "snapshots")
    assert_array_equal(metrics["value"], [0.5, math.nan])
    assert_array_equal(metrics["t_s"], [1.5, math.nan])
    assert metrics["step"].tolist() == [0, 1]
    assert_array_equal(snapshot.g_siemens, [[1e-5, math.nan], [math.inf, -0.25]])
    assert (snapshot.name, snapshot.t_s) == ("weights", 2.0)
    assert long[["row", "column"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    (event,) = run["events"]
    assert event["message"] == "twin \\udcff"
    assert event["data"] == {"tried": ["a", 3]}
    assert event["t_s"] is None
    assert math.isnan(run["metrics"]["accuracy"])
    assert_array_equal(records["Voltage (V)"], [0.1, -math.inf])
    assert records["record.seq"][0] == 9
    assert records["extra"][1] == "bench"
    assert_array_equal(records["seq"], [4, 5])


def test_what_has_no_stored_form_is_refused_at_once(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    with pytest.raises(StoreError, match="dict cannot be stored as JSON"):
        writer.record({"port": object()})
    with pytest.raises(UsageError, match="rows and columns"):
        writer.snapshot("g", np.zeros((2, 2, 2)))
    writer.record({"ok": 1})
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        assert database.find("latest").n_rows["records"] == 1


def test_a_seed_too_large_for_sqlite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a\.db"):
        RunWriter.begin(tmp_path / "a.db", run_start(seed=2**70))


def test_runs_are_listed_newest_first_and_found_by_prefix(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    ids = []
    for name in ("one", "two", "three"):
        writer = begin(path, name)
        writer.pulses(pulses(3))
        writer.finish("failed" if name == "two" else "finished", "boom" if name == "two" else "")
        ids.append(writer.run_id)
    with RunDatabase(path) as database:
        assert [run.procedure for run in database.runs()] == ["three", "two", "one"]
        assert [run.procedure for run in database.runs(limit=1)] == ["three"]
        assert database.find("latest").run_id == ids[-1]
        assert database.find(ids[0].lower()).procedure == "one"
        two = database.find(ids[1])
        assert (two.status, two.error, two.n_pulses) == ("failed", "boom", 6)
        assert two.n_rows["energy"] == 3
        with pytest.raises(StoreError, match=f"3 runs start with '01': {min(ids)}"):
            database.find("01")
        with pytest.raises(StoreError, match="no run starts with 'XYZ'"):
            database.find("XYZ")
        with pytest.raises(StoreError, match="no table 'currents'; there are pulses"):
            database.arrays(ids[0], "currents")
        with pytest.raises(StoreError, match="no run 'nope'"):
            database.table("nope", "pulses")


def test_finish_works_from_another_thread_and_twice(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    writer.readings(readings())
    with pytest.raises(UsageError, match="not 'done'"):
        writer.finish("done")
    thread = threading.Thread(target=writer.finish, args=("aborted", "stop was pressed"))
    thread.start()
    thread.join()
    writer.finish("finished")
    with pytest.raises(StoreError, match="the run is closed"):
        writer.readings(readings())
    with RunDatabase(tmp_path / "a.db") as database:
        run = database.find("latest")
    assert (run.status, run.error, run.n_rows["readings"]) == ("aborted", "stop was pressed", 3)
    assert run.ended_at is not None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db"]


def test_results_without_cells_add_nothing(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    writer.readings(readings(0))
    writer.pulses(pulses(0))
    writer.sweep(sweep(0))
    writer.finish("finished")
    with RunDatabase(tmp_path / "a.db") as database:
        assert set(database.find("latest").n_rows.values()) == {0}


def test_a_forgotten_writer_still_puts_its_rows_on_the_disk(tmp_path: Path) -> None:
    writer = begin(tmp_path / "a.db")
    run_id = writer.run_id
    writer.readings(readings())
    del writer
    with RunDatabase(tmp_path / "a.db") as database:
        assert database.find(run_id).n_rows["readings"] == 3


def test_two_runs_are_written_into_one_new_file_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            together.wait()
            writer = begin(path, name)
            for k in range(30):
                writer.readings(readings(start=float(k)))
            writer.finish("finished")
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with RunDatabase(path) as database:
        runs = database.runs()
        assert sorted(run.procedure for run in runs) == list("abcd")
        for run in runs:
            assert run.n_rows["readings"] == run.n_rows["energy"] == 90
            t_s = database.arrays(run.run_id, "readings")["t_s"]
            assert_array_equal(t_s, np.add.outer(np.arange(30.0), np.arange(3.0)).ravel())


def test_versions_name_what_matters() -> None:
    versions = software_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert {"pymeasure", "pyvisa", "pyvisa-py", "pyserial", "sqlite-utils", "SQLite"} <= set(
        versions
    )
