from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.errors import UsageError
from hil.types import EnergySplit, Pulses, Readings, Source
from procedures.learning.mapping import DEFAULT_WINDOWS
from procedures.program_verify import ProgramVerify
from procedures.programming import EXHAUSTED, REACHED, Programmer, WriteVerify
from procedures.runner import run
from tests.procedures.conftest import StationFile
from tests.support.rigs import Rig, direct_rig, in_process_rig, small_station
from tests.support.runs import run_of, tables_of

W_WINDOW = DEFAULT_WINDOWS["W"]  # type: ignore[index]  # a StrEnum is its string
TARGETS_SIEMENS = np.linspace(W_WINDOW.g_min_siemens, W_WINDOW.g_max_siemens, 7)
DEVICES = {"W": 4}


@pytest.fixture(params=["twin", "twin-wire"])
def rig(request: pytest.FixtureRequest) -> Rig:
    if request.param == "twin":
        return direct_rig(small_station("twin", n_devices=DEVICES))
    return in_process_rig(small_station(n_devices=DEVICES))


def test_targets_over_the_whole_window_are_reached_up_and_down(rig: Rig) -> None:
    settings = WriteVerify()
    programmer = Programmer(rig.board, settings)
    targets = [*TARGETS_SIEMENS, *TARGETS_SIEMENS[::-1], W_WINDOW.g_min_siemens]
    for column in range(2):  # one device of each fitted record
        for target in targets:
            outcome = programmer.program((0, column), float(target))
            assert outcome.status == REACHED
            assert abs(outcome.residual_ratio) <= settings.tolerance_ratio
            readings = rig.board.measure([[0, column]], 0.1)
            truth = rig.truth_siemens([[0, column]])[0]
            slack = settings.tolerance_ratio + readings.g_expanded_siemens[0] / target
            assert abs(truth / target - 1) <= slack
            assert outcome.n_set + outcome.n_reset <= settings.n_pulses_max


def test_a_tighter_tolerance_is_kept_as_well(rig: Rig) -> None:
    outcome = Programmer(rig.board, WriteVerify(tolerance_ratio=0.01)).program((0, 0), 100e-6)
    assert outcome.status == REACHED
    assert abs(outcome.residual_ratio) <= 0.01


def test_a_device_that_is_at_its_target_gets_no_pulse(rig: Rig) -> None:
    programmer = Programmer(rig.board, WriteVerify())
    programmer.program((0, 0), 100e-6)
    again = programmer.program((0, 0), 100e-6)
    assert (again.status, again.n_set, again.n_reset) == (REACHED, 0, 0)
    assert again.n_reads == 1 + WriteVerify.n_confirm
    assert again.program_j == 0 < again.verify_j


def test_too_few_pulses_are_an_outcome_of_their_own(rig: Rig) -> None:
    outcome = Programmer(rig.board, WriteVerify(n_pulses_max=2)).program((0, 0), 200e-6)
    assert outcome.status == EXHAUSTED
    assert outcome.n_set + outcome.n_reset == 2
    assert abs(outcome.residual_ratio) > WriteVerify.tolerance_ratio
    measured = rig.board.measure([[0, 0]], 0.1).g_siemens[0]
    assert outcome.g_siemens == pytest.approx(measured, rel=0.01)


def test_other_devices_are_left_alone(rig: Rig) -> None:
    before = rig.truth_siemens([[0, 0], [0, 2], [0, 3]])
    Programmer(rig.board, WriteVerify()).program((0, 1), 150e-6)
    assert rig.truth_siemens([[0, 0], [0, 2], [0, 3]]).tolist() == before.tolist()


@pytest.mark.parametrize("target_siemens", [0.0, -1e-6, float("nan")])
def test_a_target_that_is_none_is_refused(rig: Rig, target_siemens: float) -> None:
    before = rig.traces()
    with pytest.raises(UsageError):
        Programmer(rig.board, WriteVerify()).program((0, 0), target_siemens)
    assert rig.traces() == before


class Relaxing:
    """A board with one device that falls back ``n_times`` after it was set, while nobody looks."""

    def __init__(self, n_times: int) -> None:
        self.n_times = n_times
        self.g_siemens = 20e-6
        self.t_s = 0.0
        self.calls: list[str] = []
        self.clock = self

    def now_s(self) -> float:
        return self.t_s

    def sleep_s(self, dt_s: float) -> None:
        self.calls.append("sleep")
        self.t_s += dt_s
        if self.n_times and self.g_siemens > 90e-6:
            self.n_times -= 1
            self.g_siemens = 80e-6

    def measure(self, cells: Any, v_read_v: Any, scheme: Any = None) -> Readings:
        self.calls.append("read")
        one, energy = np.ones(1), energy_of_one()
        g = np.array([self.g_siemens])
        return Readings(
            np.asarray(cells), one, one, one, one, one, g, one, one, energy, Source.TWIN
        )

    def pulse(self, cells: Any, amplitude_v: Any, width_s: Any, scheme: Any = None) -> Pulses:
        self.calls.append("pulse")
        self.g_siemens = 100e-6 if amplitude_v > 0 else 20e-6
        one = np.ones(1)
        n = np.ones(1, dtype=np.int64)
        return Pulses(np.asarray(cells), one, one, one, one, n, one, energy_of_one(), Source.TWIN)


def energy_of_one() -> EnergySplit:
    zero = np.zeros(1)
    return EnergySplit(np.ones(1), zero, zero, zero, zero, "integral")


@pytest.mark.parametrize("n_confirm", [0, 1, 3])
def test_confirming_reads_are_real_reads_after_a_wait(n_confirm: int) -> None:
    board: Any = Relaxing(0)
    outcome = Programmer(board, WriteVerify(n_confirm=n_confirm)).program((0, 0), 100e-6)
    assert outcome.status == REACHED
    assert board.calls == ["read", "pulse", "read", *["sleep", "read"] * n_confirm]
    assert outcome.n_reads == 2 + n_confirm
    assert outcome.g_siemens == 100e-6
    assert outcome.verify_j == 2 + n_confirm
    assert outcome.program_j == 1


def test_a_device_that_relaxes_is_set_again() -> None:
    board: Any = Relaxing(2)
    outcome = Programmer(board, WriteVerify()).program((0, 0), 100e-6)
    assert outcome.status == REACHED
    assert board.calls.count("pulse") == 3
    assert outcome.n_set == 3


def test_the_procedure_stores_one_row_a_device_and_what_it_cost(
    station_file: StationFile, database: Path
) -> None:
    procedure = ProgramVerify(
        station=station_file(), database=str(database), devices="W02,W01", target_siemens=80e-6
    )
    assert run(procedure).status == "finished"
    tables = tables_of(database)
    records, energy = tables["records"], tables["energy"]
    assert records["Device"].tolist() == ["W02", "W01"]
    assert records["Outcome"].tolist() == [REACHED] * 2
    assert (records["Residual"].abs() <= 0.05).all()
    assert (records["Conductance (S)"] / records["Target (S)"] - 1).tolist() == pytest.approx(
        records["Residual"].tolist(), abs=1e-12
    )
    parts = energy[["device_j", "series_j", "switch_j"]].sum(axis=1)
    for row in records.itertuples():
        mine = energy["device"] == row.Device
        assert len(tables["readings"].query("device == @row.Device")) == row.Reads
        pulses = tables["pulses"].query("device == @row.Device")
        assert (pulses["polarity"] == "set").sum() == row._10
        for operation, column in (("pulse", "Program energy (J)"), ("read", "Verify energy (J)")):
            total = parts[mine & (energy["operation"] == operation)].sum()
            assert records[column][records["Device"] == row.Device].sum() == pytest.approx(total)
    metrics = dict(zip(tables["metrics"]["name"], tables["metrics"]["value"], strict=True))
    assert metrics == {"cells_reached": 2, "cells_asked": 2}


def test_out_of_pulses_is_finished_and_says_so(station_file: StationFile, database: Path) -> None:
    procedure = ProgramVerify(
        station=station_file(), database=str(database), target_siemens=200e-6, n_pulses_max=1
    )
    assert run(procedure).status == "finished"
    tables = tables_of(database)
    assert tables["records"]["Outcome"].tolist() == [EXHAUSTED]
    assert run_of(database).n_pulses == 1
    assert tables["metrics"].set_index("name")["value"]["cells_reached"] == 0
