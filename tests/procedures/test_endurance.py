from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.errors import LinkError
from hil.store import RunDatabase
from hil.types import FloatArray, Readings
from procedures.endurance import Endurance
from procedures.runner import Outcome, run
from procedures.wearing import CLOSED, OPEN, STUCK_HIGH, STUCK_LOW, WORKS, Criteria, Wear
from tests.procedures.conftest import StationFile
from tests.support.planted import plant_pulses, plant_readings
from tests.support.runs import run_of, stopping_at, tables_of
from tests.support.verdicts import events_of, metrics_of, outcomes_of, text_of
from twin.opening import TwinInstruments

NAN = math.nan
CRITERIA = Criteria(min_window_ratio=2.0, open_siemens=50e-9)
DEVICES = {"W": 3}


@pytest.fixture
def given(station_file: StationFile, database: Path) -> dict[str, Any]:
    return {"station": station_file("twin", n_devices=DEVICES), "database": str(database)}


def n_pulses(database: Path, runs: list[str]) -> dict[tuple[str, str], int]:
    """Return the pulses of several runs together, by device and polarity."""
    found: dict[tuple[str, str], int] = {}
    for run_id in runs:
        for row in tables_of(database, run_id)["pulses"].to_dict("records"):
            key = row["device"], row["polarity"]
            found[key] = found.get(key, 0) + row["n_pulses"]
    return found


# --- judging ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_siemens", "off_siemens", "middle_siemens", "state"),
    [
        (200e-6, 10e-6, NAN, WORKS),
        (200e-6, -1e-9, NAN, WORKS),
        (20e-6, 10e-6, 45e-6, WORKS),
        (10e-9, 20e-9, NAN, OPEN),
        (-3e-9, 1e-9, 45e-6, OPEN),
        (200e-9, 200e-9, NAN, STUCK_LOW),
        (9e-6, 8e-6, NAN, STUCK_LOW),
        (40e-6, 30e-6, NAN, CLOSED),
        (40e-6, 30e-6, 45e-6, STUCK_LOW),
        (40e-6, 30e-6, 20e-6, STUCK_HIGH),
        (50e-6, 40e-6, 45e-6, CLOSED),
        (1e-3, 0.9e-3, NAN, STUCK_HIGH),
        (10e-6, 200e-6, 45e-6, CLOSED),
    ],
)
def test_how_two_readings_are_judged(
    on_siemens: float, off_siemens: float, middle_siemens: float, state: str
) -> None:
    assert CRITERIA.judge(on_siemens, off_siemens, middle_siemens) == state


def test_a_failure_takes_two_readings() -> None:
    wear = Wear()
    good, bad = 200e-6, 11e-6
    off = np.array([10e-6, 10e-6])
    assert wear.judged(CRITERIA, np.array([bad, good]), off) == WORKS
    assert wear.judged(CRITERIA, np.array([good, bad]), off) == WORKS
    assert wear.judged(CRITERIA, np.array([bad, bad]), off) == CLOSED


# --- devices that are what the test says ----------------------------------------------------------


def test_a_sound_device_is_read_after_ever_more_cycles(
    given: dict[str, Any], database: Path
) -> None:
    assert run(Endurance(**given, n_cycles=30, devices="W02,W01")).status == "finished"
    tables = tables_of(database)
    records = tables["records"]
    assert records["Cycle"].tolist() == [1, 1, 2, 2, 5, 5, 10, 10, 20, 20, 30, 30]
    assert records["Device"].tolist() == ["W02", "W01"] * 6
    assert set(records["State"]) == {WORKS}
    assert (records["On conductance (S)"] > 5 * records["Off conductance (S)"]).all()
    assert n_pulses(database, ["latest"]) == {
        (device, polarity): 30 for device in ("W01", "W02") for polarity in ("set", "reset")
    }
    for _, pulses in tables["pulses"].groupby("device"):
        assert pulses["polarity"].tolist() == ["set", "reset"] * 30
    assert len(tables["readings"]) == 12 * 4
    assert metrics_of(database) == {
        "W01/cycles": 30,
        "W02/cycles": 30,
        "W01/window_ratio": pytest.approx(records["Window ratio"].iloc[-1]),
        "W02/window_ratio": pytest.approx(records["Window ratio"].iloc[-2]),
        "devices_works": 2,
        "devices_failed": 0,
    }
    assert "W01: works, 30 cycles, last window" in text_of(database)


@pytest.mark.parametrize("defect", ["open", "stuck-low", "stuck-high"])
def test_a_broken_device_is_called_what_it_is(
    defect: str, station_file: StationFile, database: Path
) -> None:
    station = station_file("twin", n_devices=DEVICES, extra=f'[twin.defects]\nW02 = "{defect}"')
    procedure = Endurance(station=station, database=str(database), devices="W", n_cycles=2)
    assert run(procedure).status == "finished"
    assert outcomes_of(database) == {"W01": WORKS, "W02": defect.replace("-", " "), "W03": WORKS}
    assert metrics_of(database)["W02/failed_at"] == 1
    assert metrics_of(database)["devices_failed"] == 1
    (failed,) = events_of(database, "failed")
    assert failed["message"] == f"W02: {defect.replace('-', ' ')} at cycle 1"


@pytest.mark.parametrize(
    ("stuck", "is_set"), [(STUCK_LOW, True), (STUCK_HIGH, False)], ids=["low", "high"]
)
def test_a_device_that_gets_stuck_is_named_with_the_cycle_at_which_it_was_seen(
    stuck: str,
    is_set: bool,
    given: dict[str, Any],
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant_pulses(
        monkeypatch,
        lambda column, n, v: 1e-3 if column == 1 and n > 7 and (v > 0) == is_set else v,
    )
    assert run(Endurance(**given, n_cycles=20, devices="W")).status == "finished"
    assert outcomes_of(database) == {"W01": WORKS, "W02": stuck, "W03": WORKS}
    assert metrics_of(database)["W02/failed_at"] == 10
    assert f"W02: {stuck}, first {stuck} at cycle 10, 20 cycles" in text_of(database)
    assert n_pulses(database, ["latest"])["W02", "set"] == 20


def test_a_device_that_recovers_works_at_the_end_and_has_failed_all_the_same(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_pulses(monkeypatch, lambda column, n, v: 1e-3 if v > 0 and 4 <= n <= 6 else v)
    assert run(Endurance(**given, n_cycles=10)).status == "finished"
    assert outcomes_of(database) == {"W01": WORKS}
    assert metrics_of(database)["W01/failed_at"] == 5
    assert metrics_of(database)["devices_failed"] == 1
    assert "W01: works, first stuck low at cycle 5, 10 cycles" in text_of(database)


def test_a_device_that_has_failed_is_left_alone_if_asked(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_pulses(monkeypatch, lambda column, n, v: 1e-3 if column == 1 and v > 0 and n > 1 else v)
    procedure = Endurance(**given, n_cycles=10, devices="W", stop_at_failure=True)
    assert run(procedure).status == "finished"
    counts = n_pulses(database, ["latest"])
    assert counts["W02", "set"] == counts["W02", "reset"] == 2
    assert counts["W01", "set"] == counts["W03", "reset"] == 10


def test_one_wrong_reading_fails_nobody(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def glitching(readings: Readings) -> FloatArray:
        return np.where(np.arange(len(readings)) == 0, 15e-6, readings.g_siemens)

    plant_readings(monkeypatch, glitching)
    assert run(Endurance(**given, n_cycles=5)).status == "finished"
    assert outcomes_of(database) == {"W01": WORKS}
    assert events_of(database, "failed") == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"set_v": 2.5}, "amplitude 2.5 V"),
        ({"reset_v": -2.5}, "amplitude -2.5 V"),
        ({"width_s": 2.0}, "pulse width 2 s"),
        ({"v_read_v": 0.2}, "read voltage 200 mV"),
        ({"devices": "W09"}, "W09"),
        ({"resume": "01ABC"}, "parameter resume = '01ABC': "),
    ],
)
def test_a_bad_plan_is_refused_before_the_run(
    wrong: dict[str, Any], said: str, given: dict[str, Any]
) -> None:
    outcome = run(Endurance(**given | wrong))
    assert (outcome.status, outcome.run_id) == ("failed", "")
    assert said in outcome.error


# --- resuming -------------------------------------------------------------------------------------


def resumed(given: dict[str, Any], earlier: str, **more: Any) -> Outcome:
    return run(Endurance(**given | {"resume": earlier} | more))


def test_wherever_it_is_stopped_no_cycle_is_lost_or_counted_twice(
    given: dict[str, Any], database: Path
) -> None:
    given |= {"devices": "W01,W02", "n_cycles": 4}
    n_looks = 2 * (4 * 2 + 3 * 2)  # before each pulse and each read of the cycles 1, 2 and 4
    for k in range(1, n_looks + 1):
        first = run(stopping_at(k, Endurance)(**given))
        assert first.status == "aborted"
        done = n_pulses(database, [first.run_id])
        second = resumed(given, first.run_id)
        both = n_pulses(database, list(filter(None, [first.run_id, second.run_id])))
        if second.run_id:
            assert second.status == "finished", second.error
            (event,) = events_of(database, "resumed")
            assert event["data"]["run_id"] == first.run_id
            for name in ("W01", "W02"):
                wear = event["data"]["devices"][name]
                assert wear["n_set"] == done.get((name, "set"), 0)
                assert wear["n_reset"] == done.get((name, "reset"), 0)
            assert metrics_of(database)["W01/cycles"] == 4
            for record in tables_of(database, second.run_id)["records"].to_dict("records"):
                assert record["Cycle"] > done.get((record["Device"], "reset"), 0)
        else:  # all pulses were applied, only the last read was missing
            assert k == n_looks
            assert "give more cycles" in second.error
        assert set(both.values()) == {4}, k
        assert len(both) == 4
    whole = run(Endurance(**given))
    assert whole.status == "finished"
    assert run(stopping_at(n_looks + 1, Endurance)(**given)).status == "aborted"


def test_a_run_can_be_continued_again_and_again(given: dict[str, Any], database: Path) -> None:
    runs = [run(Endurance(**given, n_cycles=3)).run_id]
    for n_cycles in (7, 12, 30):
        outcome = resumed(given, runs[-1], n_cycles=n_cycles)
        assert outcome.status == "finished"
        assert metrics_of(database)["W01/cycles"] == n_cycles
        runs.append(outcome.run_id)
    assert set(n_pulses(database, runs).values()) == {30}
    cycles = [tables_of(database, run_id)["records"]["Cycle"].tolist() for run_id in runs]
    assert cycles == [[1, 2, 3], [4, 5, 7], [8, 10, 12], [13, 20, 30]]
    assert (
        events_of(database, "resumed")[0]["message"] == f"continues run {runs[-2]} after cycle 12"
    )


def test_what_a_device_was_like_before_is_remembered(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(Endurance(**given, n_cycles=2))
    with monkeypatch.context() as broken:
        # 20 uS in both states: low beside what this device did before, not by itself.
        plant_readings(broken, lambda readings: np.full(len(readings), 20e-6))
        second = resumed(given, first.run_id, n_cycles=4)
        assert outcomes_of(database) == {"W01": STUCK_LOW}
    third = resumed(given, second.run_id, n_cycles=10)
    assert third.status == "finished"
    assert outcomes_of(database) == {"W01": WORKS}
    assert metrics_of(database)["W01/failed_at"] == 3
    assert "W01: works, first stuck low at cycle 3, 10 cycles" in text_of(database)
    fourth = resumed(given, third.run_id, n_cycles=20, stop_at_failure=True)
    assert "have failed" in fourth.error
    assert fourth.run_id == ""


def test_a_run_that_failed_can_be_continued(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(column: int, n: int, v: float) -> float:
        if v > 0 and n == 8:
            raise LinkError("the cable was pulled")
        return v

    with monkeypatch.context() as broken:
        plant_pulses(broken, failing)
        first = run(Endurance(**given, n_cycles=10))
    assert first.status == "failed"
    second = resumed(given, first.run_id, n_cycles=10)
    assert second.status == "finished"
    assert set(n_pulses(database, [first.run_id, second.run_id]).values()) == {10}


KILLED = """
import os, signal, sys
from procedures.endurance import Endurance as Original
from procedures.runner import run

class Endurance(Original):
    "Dies before its 20th pulse or read."
    n_looks = 0
    def stop_if_asked(self):
        self.n_looks += 1
        if self.n_looks == 20:
            os.kill(os.getpid(), signal.SIGKILL)

run(Endurance(station=sys.argv[1], database=sys.argv[2], n_cycles=30))
"""
PULSES_BEFORE = 13  # cycles 1, 2 and 5 are read: 19 looks are 5 cycles with 6 reads, then 3 pulses


def test_a_run_whose_process_was_killed_can_be_continued(
    given: dict[str, Any], database: Path
) -> None:
    command = [sys.executable, "-c", KILLED, given["station"], given["database"]]
    killed = subprocess.run(command, capture_output=True, timeout=60, cwd=Path(__file__).parents[2])
    assert killed.returncode == -9, killed.stderr
    first = run_of(database)
    assert first.status == "running"
    assert first.is_stale
    assert first.n_pulses == PULSES_BEFORE
    second = resumed(given, first.run_id, n_cycles=30)
    assert second.status == "finished"
    assert set(n_pulses(database, [first.run_id, second.run_id]).values()) == {30}


def changed(database: Path, run_id: str, **columns: object) -> None:
    with sqlite3.connect(database) as opened:
        for column, value in columns.items():
            opened.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", [value, run_id])
    opened.close()


def test_a_run_that_is_still_running_is_left_alone(given: dict[str, Any], database: Path) -> None:
    first = run(Endurance(**given, n_cycles=2))
    changed(database, first.run_id, status="running")
    second = resumed(given, first.run_id, n_cycles=4)
    assert f"run {first.run_id} is still running" in second.error
    assert second.run_id == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"set_v": 0.9}, "had set_v = 0.8, but now it is 0.9"),
        ({"reset_v": -1.0}, "had reset_v = -1.2, but now it is -1.0"),
        ({"width_s": 0.03}, "had width_s = 0.02, but now it is 0.03"),
        ({"v_read_v": 0.05}, "had v_read_v = 0.1, but now it is 0.05"),
        ({"min_window_ratio": 3.0}, "had min_window_ratio = 2.0, but now it is 3.0"),
        ({"open_siemens": 1e-6}, "had open_siemens = 5e-08, but now it is 1e-06"),
        ({"devices": "W01"}, "had devices = 'W01,W02', but now it is 'W01'"),
        ({"devices": "W"}, "had devices = 'W01,W02', but now it is 'W'"),
        ({"n_cycles": 2}, "give more cycles"),
        ({"resume": "latest", "n_cycles": 1}, "give more cycles"),
    ],
)
def test_what_would_make_it_another_test_is_refused_with_both_values(
    more: dict[str, Any], said: str, given: dict[str, Any], database: Path
) -> None:
    given |= {"devices": "W01,W02", "n_cycles": 2}
    first = run(Endurance(**given))
    second = run(Endurance(**given | {"resume": first.run_id, "n_cycles": 5} | more))
    assert (second.status, second.run_id) == ("failed", "")
    assert said in second.error
    with RunDatabase(database) as opened:
        assert len(opened.runs()) == 1


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("procedure", "PulseTrain", "had procedure = 'PulseTrain', but now it is 'Endurance'"),
        ("station", "other", "had station = 'other', but now it is 'small'"),
        ("source", "bench", "had source = 'bench', but now it is 'twin'"),
    ],
)
def test_another_kind_of_run_is_refused(
    column: str, value: str, said: str, given: dict[str, Any], database: Path
) -> None:
    first = run(Endurance(**given, n_cycles=2))
    changed(database, first.run_id, **{column: value})
    assert said in resumed(given, first.run_id, n_cycles=5).error


def test_the_same_devices_may_be_named_otherwise(given: dict[str, Any]) -> None:
    first = run(Endurance(**given, n_cycles=1, devices="W"))
    second = resumed(given, first.run_id[:26], n_cycles=2, devices="W03,W01,W02")
    assert second.status == "finished", second.error


def test_a_run_that_never_said_what_it_continues_is_no_use(
    given: dict[str, Any], database: Path
) -> None:
    first = run(Endurance(**given, n_cycles=2))
    second = resumed(given, first.run_id, n_cycles=4)
    with sqlite3.connect(database) as opened:
        opened.execute("DELETE FROM events WHERE run_id = ?", [second.run_id])
    opened.close()
    third = resumed(given, second.run_id, n_cycles=6)
    assert f"resume the run before it: '{first.run_id}'" in third.error


def test_on_wires_it_is_resumed_as_well_and_nothing_is_left_on(
    station_file: StationFile, database: Path, benches: list[TwinInstruments]
) -> None:
    given = {"station": station_file(n_devices=DEVICES), "database": str(database), "n_cycles": 6}
    first = run(stopping_at(9, Endurance)(**given))
    second = resumed(given, first.run_id)
    assert (first.status, second.status) == ("aborted", "finished")
    assert set(n_pulses(database, [first.run_id, second.run_id]).values()) == {6}
    assert len(benches) == 2
    for bench in benches:
        assert not bench.smu.output_on
        assert bench.bench.switch.position is None
