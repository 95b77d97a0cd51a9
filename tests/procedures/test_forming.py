from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.arrays import ArrayInfo, CellKind, Scheme
from hil.station import load_station
from hil.store import RunDatabase
from hil.types import FloatArray, Readings
from procedures.forming import Forming
from procedures.forming_ramp import ALREADY, FORMED, LEAKY, NOT_FORMED, Former, FormingRamp
from procedures.runner import run
from tests.procedures.conftest import StationFile
from tests.support.planted import plant_pulses, plant_readings
from tests.support.rigs import direct_rig, small_station
from tests.support.runs import run_of, stopping_at, tables_of
from tests.support.verdicts import events_of, metrics_of, outcomes_of, text_of
from twin.opening import TwinInstruments

DEFAULT = FormingRamp()
N_STEPS = len(DEFAULT.amplitudes_v) * len(DEFAULT.compliances_a)
ARRAY = ArrayInfo(
    cell_kind=CellKind.PASSIVE,
    r_word_ohm=1.0,
    r_bit_ohm=1.0,
    r_driver_ohm=1.0,
    r_sense_ohm=1.0,
    selector_ohm=0.0,
    min_device_ohm=10_000.0,
    dead_on_v=0.12,
    dead_off_v=0.08,
    read_scheme=Scheme.GROUNDED,
    write_scheme=Scheme.HALF,
    read_noise_ratio=0.0,
)


@pytest.fixture
def given(station_file: StationFile, database: Path) -> dict[str, Any]:
    return {"station": station_file("twin"), "database": str(database)}


# --- the ramp -----------------------------------------------------------------------------------


def test_each_ramp_ends_at_its_largest_value() -> None:
    ramp = FormingRamp(
        start_v=0.2,
        step_v=0.15,
        max_v=0.7,
        compliance_start_a=3e-6,
        compliance_factor=3,
        compliance_max_a=50e-6,
    )
    assert ramp.amplitudes_v == pytest.approx([0.2, 0.35, 0.5, 0.65, 0.7])
    assert ramp.compliances_a == pytest.approx([3e-6, 9e-6, 27e-6, 50e-6])
    one = replace(ramp, start_v=0.7, compliance_start_a=50e-6)
    assert one.amplitudes_v == [0.7]
    assert one.compliances_a == [50e-6]


def test_whole_steps_hit_the_end_once() -> None:
    assert DEFAULT.amplitudes_v[-2:] == pytest.approx([0.95, 1.0])
    assert len(DEFAULT.amplitudes_v) == 17
    assert DEFAULT.compliances_a == pytest.approx([5e-6, 10e-6, 20e-6, 40e-6, 50e-6])


# --- runs ---------------------------------------------------------------------------------------


def test_a_new_device_is_formed_with_as_little_current_as_it_takes(
    given: dict[str, Any], database: Path
) -> None:
    assert run(Forming(**given, devices="W01,C01,Cr01")).status == "finished"
    tables = tables_of(database)
    records, pulses, readings = tables["records"], tables["pulses"], tables["readings"]
    assert outcomes_of(database) == dict.fromkeys(("W01", "C01", "Cr01"), FORMED)
    for _, row in records.iterrows():
        mine = pulses[pulses["device"] == row["Device"]]
        sets = mine[mine["polarity"] == "set"]
        assert row["Pulses"] == len(mine) == len(sets) + 1
        assert row["Reads"] == (readings["device"] == row["Device"]).sum()
        assert sets["amplitude_v"].iloc[-1] == row["Amplitude (V)"]
        assert sets["i_end_a"].max() <= row["Compliance (A)"] * 1.01
        assert row["Compliance (A)"] <= 20e-6
        assert mine["polarity"].iloc[-1] == "reset"
        last = readings[readings["device"] == row["Device"]].iloc[-3:]
        assert (last["g_siemens"].iloc[:2] >= DEFAULT.target_siemens).all()
        assert last["g_siemens"].iloc[2] == row["Reset conductance (S)"]
        assert row["Reset conductance (S)"] < row["Conductance (S)"] / 2
        energy = tables["energy"].query("operation == 'pulse'")
        spent = energy[energy["device"] == row["Device"]][["device_j", "series_j", "switch_j"]]
        assert row["Pulse energy (J)"] == pytest.approx(spent.to_numpy().sum())
    metrics = metrics_of(database)
    assert metrics["devices_formed"] == 3
    assert metrics["W01/formed_at_v"] == records["Amplitude (V)"].iloc[0]
    assert metrics["W01/formed_at_a"] == records["Compliance (A)"].iloc[0]
    assert "W01: formed, at " in text_of(database)


def test_without_a_reset_devices_stay_formed(given: dict[str, Any], database: Path) -> None:
    assert run(Forming(**given, reset_v=0)).status == "finished"
    tables = tables_of(database)
    assert set(tables["pulses"]["polarity"]) == {"set"}
    assert np.isnan(tables["records"]["Reset conductance (S)"].iloc[0])
    assert outcomes_of(database) == {"W01": FORMED}


@pytest.mark.parametrize(
    ("defect", "outcome", "n_pulses"),
    [("stuck-high", ALREADY, 0), ("stuck-low", NOT_FORMED, N_STEPS), ("open", NOT_FORMED, N_STEPS)],
)
def test_a_broken_device_is_told_from_a_new_one(
    defect: str, outcome: str, n_pulses: int, station_file: StationFile, database: Path
) -> None:
    station = station_file("twin", extra=f'[twin.defects]\nW01 = "{defect}"')
    assert run(Forming(station=station, database=str(database))).status == "finished"
    assert outcomes_of(database) == {"W01": outcome}
    assert run_of(database).n_pulses == n_pulses
    assert (tables_of(database)["pulses"]["amplitude_v"] > 0).all()
    assert "W01/formed_at_v" not in metrics_of(database)


def test_a_device_that_does_not_reset_is_leaky(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_pulses(monkeypatch, lambda column, n, v: v if v > 0 else -1e-3)
    assert run(Forming(**given, devices="W01")).status == "finished"
    assert outcomes_of(database) == {"W01": LEAKY}
    record = tables_of(database)["records"].iloc[0]
    assert record["Reset conductance (S)"] > record["Conductance (S)"] / 2
    assert record["Amplitude (V)"] > 0


def test_one_reading_at_the_target_ends_nothing(
    given: dict[str, Any], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_seen = 0

    def glitching(readings: Readings) -> FloatArray:
        nonlocal n_seen
        n_seen += 1
        return np.full(len(readings), 80e-6 if n_seen % 2 else 4e-6)

    plant_readings(monkeypatch, glitching)
    assert run(Forming(**given)).status == "finished"
    assert outcomes_of(database) == {"W01": NOT_FORMED}
    assert run_of(database).n_pulses == N_STEPS


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"devices": "C01", "compliance_max_a": 60e-6}, "compliance 60 µA on C01"),
        ({"compliance_max_a": 2e-3}, "compliance 2 mA on W01"),
        ({"compliance_start_a": 1e-4}, "compliance_start_a = 0.0001 A is above compliance_max_a"),
        ({"start_v": 1.1}, "start_v = 1.1 V is above max_v = 1 V"),
        ({"max_v": 2.5}, "amplitude 2.5 V"),
        ({"reset_v": -2.5}, "amplitude -2.5 V"),
        ({"width_s": 2.0}, "pulse width 2 s"),
        ({"v_read_v": 0.2}, "read voltage 200 mV"),
        ({"devices": "W09"}, "W09"),
    ],
)
def test_what_would_exceed_a_limit_is_refused_before_anything_is_driven(
    wrong: dict[str, Any], said: str, given: dict[str, Any], database: Path
) -> None:
    outcome = run(Forming(**given | wrong))
    assert (outcome.status, outcome.run_id) == ("failed", "")
    assert said in outcome.error
    if database.exists():
        with RunDatabase(database) as opened:
            assert opened.runs() == []


def test_the_stop_button_works_between_any_two_pulses(
    given: dict[str, Any], database: Path
) -> None:
    for k in range(1, 6):
        assert run(stopping_at(k, Forming)(**given)).status == "aborted"
        assert run_of(database).n_pulses == k - 1


def test_on_wires_the_source_limits_and_nothing_is_left_on(
    station_file: StationFile, database: Path, benches: list[TwinInstruments]
) -> None:
    assert run(Forming(station=station_file(), database=str(database))).status == "finished"
    record = tables_of(database)["records"].iloc[0]
    assert record["Outcome"] == FORMED
    pulses = tables_of(database)["pulses"].query("polarity == 'set'")
    assert pulses["i_end_a"].max() <= record["Compliance (A)"] * 1.01
    (bench,) = benches
    assert not bench.smu.output_on
    assert bench.bench.switch.position is None


# --- where nothing limits the current -------------------------------------------------------------


class Noting:
    """A board that notes with which compliance it was pulsed."""

    def __init__(self, board: Any) -> None:
        self.board = board
        self.compliances_a: list[float | None] = []

    def measure(self, cells: Any, v_read_v: float) -> Any:
        return self.board.measure(cells, v_read_v)

    def pulse(self, cells: Any, v: float, width_s: float, *, compliance_a: float | None) -> Any:
        self.compliances_a.append(compliance_a)
        return self.board.pulse(cells, v, width_s, compliance_a=compliance_a)


def test_a_passive_array_gets_a_ramp_of_the_amplitude_alone() -> None:
    rig = direct_rig(small_station("twin"))
    info = replace(rig.board.info, array=ARRAY)
    ramp = Forming()._ramp(info)
    assert not ramp.is_limited
    assert ramp.compliances_a == [np.inf]
    board: Any = Noting(rig.board)
    formed = Former(board, ramp).form((0, 0))
    assert formed.outcome == FORMED
    assert np.isnan(formed.compliance_a)
    assert formed.amplitude_v == pytest.approx(ramp.amplitudes_v[formed.n_pulses - 2])
    assert set(board.compliances_a) == {None}


@pytest.mark.parametrize("kind", [CellKind.TRANSISTOR, CellKind.SWITCHED])
def test_arrays_with_selectors_are_limited(kind: CellKind) -> None:
    info = replace(
        direct_rig(small_station("twin")).board.info, array=replace(ARRAY, cell_kind=kind)
    )
    assert Forming()._ramp(info).compliances_a == DEFAULT.compliances_a


def test_a_run_on_a_passive_array_says_that_nothing_limited_it(
    tmp_path: Path, database: Path
) -> None:
    small = load_station("twin-crossbar-16x16").text
    for lines in ("rows", "columns"):
        small = small.replace(f"{lines} = 16", f"{lines} = 3")
    (tmp_path / "array.toml").write_text(small, encoding="utf-8")
    procedure = Forming(
        station=str(tmp_path / "array.toml"),
        database=str(database),
        devices="R1C2,R0C0",
        max_v=0.5,
        reset_v=-0.45,
    )
    outcome = run(procedure)
    assert outcome.status == "finished", outcome.error
    (event,) = events_of(database, "no-compliance")
    assert event["level"] == "warning"
    assert "amplitude alone" in event["message"]
    records = tables_of(database)["records"]
    assert records[["Row", "Column"]].to_numpy().tolist() == [[1, 2], [0, 0]]
    assert records["Compliance (A)"].isna().all()
