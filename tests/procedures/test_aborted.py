"""A stop button pressed at every moment at which a procedure looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hil.store import RunDatabase
from procedures.base import BoardProcedure
from procedures.registry import PROCEDURES
from procedures.runner import run
from tests.procedures.conftest import StationFile
from tests.support.runs import (
    assert_switched_off,
    run_of,
    stopping_at,
    tables_of,
    work,
)
from twin.opening import TwinInstruments

RUNS: dict[str, dict[str, Any]] = {
    "iv-sweep": {"points": 8, "loops": 3},
    "read-array": {"repeats": 4},
    "pulse-train": {"set_pulses": 2, "reset_pulses": 2, "cycles": 1},
    "program-verify": {"devices": "W01", "target_siemens": 40e-6},
    "forming": {"compliance_start_a": 50e-6, "target_siemens": 120e-6},
    "retention": {"prepare_v": 0.5, "last_s": 3},
    "endurance": {"n_cycles": 2},
}
ROWS_PER_LOOK = {"iv-sweep": 8, "read-array": 3, "pulse-train": 1}


def n_looks(procedure_class: type[BoardProcedure], given: dict[str, Any]) -> int:
    """Return how often a procedure looks at the button when nobody presses it."""
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return False

    button = property(lambda self: look, lambda self, value: None)
    whole = type("Whole", (procedure_class,), {"should_stop": button})
    assert run(whole(**given)).status == "finished"
    return looks


@pytest.mark.parametrize("name", RUNS)
def test_stopping_at_any_look_leaves_a_safe_board_and_the_rows_so_far(
    name: str, station_file: StationFile, tmp_path: Path, benches: list[TwinInstruments]
) -> None:
    station = station_file(n_devices={"W": 3})
    given = RUNS[name] | {"station": station, "database": str(tmp_path / "whole.sqlite")}
    total = n_looks(PROCEDURES[name], given)
    whole = tables_of(tmp_path / "whole.sqlite")
    assert total >= 4
    database = tmp_path / "runs.sqlite"
    for k in range(1, total + 1):
        benches.clear()
        procedure = stopping_at(k, PROCEDURES[name])(**given | {"database": str(database)})
        outcome = run(procedure)
        assert outcome.status == "aborted", k
        summary, tables = run_of(database, outcome.run_id), tables_of(database, outcome.run_id)
        assert summary.status == "aborted"
        assert summary.ended_at is not None
        (bench,) = benches
        assert not bench.smu.output_on
        assert bench.bench.switch.position is None
        if bench.smu.output_off_count > 2:  # the output was on: it is off since
            assert_switched_off(bench)
        if name in ROWS_PER_LOOK:
            assert len(tables["records"]) == (k - 1) * ROWS_PER_LOOK[name], k
        for table in ("readings", "pulses", "sweep_points", "records"):
            n_rows = len(tables[table])
            if n_rows:
                pd.testing.assert_frame_equal(tables[table], whole[table].iloc[:n_rows])


def test_training_stops_between_two_pulses(
    station_file: StationFile, database: Path, benches: list[TwinInstruments]
) -> None:
    station = station_file(n_devices={"W": 30})
    given = {"station": station, "database": str(database), "reset_pulse": True}
    for k in (1, 17, 31, 60, 150):
        outcome = run(stopping_at(k, PROCEDURES["on-chip-training"])(**given))
        assert (outcome.status, outcome.error) == ("aborted", "stopped on request")
        tables = tables_of(database, outcome.run_id)
        n_resets = int((tables["pulses"]["width_s"] > 0.1).sum())
        assert n_resets == min(k - 1, 30)
        assert len(tables["energy"]) == len(tables["pulses"]) + len(tables["readings"])
        assert not benches[-1].smu.output_on


def test_the_stop_button_of_a_worker(
    station_file: StationFile, tmp_path: Path, database: Path, benches: list[TwinInstruments]
) -> None:
    for stop_at in (1, 2, 5):
        procedure = PROCEDURES["pulse-train"](
            station=station_file(), database=str(database), cycles=10_000
        )
        _, csv = work(procedure, tmp_path / f"{stop_at}.csv", stop_at)
        assert procedure.status == procedure.ABORTED
        summary = run_of(database)
        assert summary.status == procedure.outcome == "aborted"
        assert "stopped" in summary.error
        assert len(csv) == summary.n_rows["records"] == max(0, stop_at - 2)
        assert not benches[-1].smu.output_on


def test_an_abort_reaches_what_calls_execute_of_its_base_class(
    station_file: StationFile, database: Path
) -> None:
    went_on = []
    pulse_train = stopping_at(3, PROCEDURES["pulse-train"])

    class Twice(pulse_train):  # type: ignore[misc,valid-type]  # made at run time
        """Runs its base class and goes on."""

        def execute(self) -> None:
            super().execute()
            went_on.append("after the abort")

    outcome = run(Twice(station=station_file(), database=str(database)))
    assert outcome.status == "aborted"
    assert not went_on
    assert run_of(database).status == "aborted"


def test_a_subclass_that_is_stopped_after_its_base_class_finished_is_aborted(
    station_file: StationFile, database: Path
) -> None:
    base: Any = PROCEDURES["read-array"]

    class Longer(base):
        """Goes on after its base class."""

        def execute(self) -> None:
            super().execute()
            self.should_stop = lambda: True
            self.stop_if_asked()

    assert run(Longer(station=station_file(), database=str(database))).status == "aborted"
    with RunDatabase(database) as opened:
        assert opened.find("latest").status == "aborted"
