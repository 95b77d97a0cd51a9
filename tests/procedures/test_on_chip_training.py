from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hil.store import RunDatabase
from procedures.on_chip_training import OnChipTraining
from procedures.runner import run
from tests.support.runs import run_of, tables_of


def train(database: Path, station: str, **parameters: Any) -> dict[str, pd.DataFrame]:
    outcome = run(OnChipTraining(station=station, database=str(database), **parameters))
    assert outcome.status == "finished", outcome
    return tables_of(database, outcome.run_id)


def metrics(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    frame = tables["metrics"]
    return dict(zip(frame["name"], frame["value"], strict=True))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("station", ["twin", "twin-wire"])
def test_the_shipped_stations_learn(station: str, seed: int, database: Path) -> None:
    tables = train(database, station, seed=seed)
    found = metrics(tables)
    assert found["accuracy_clean"] >= 0.97
    assert 0.5 < found["accuracy_noisy"] <= found["accuracy_clean"]
    assert found["memristors_reached"] == 30
    last = tables["records"].tail(30)
    assert last["Device"].nunique() == 30
    assert set(last["Device"].str[0]) == {"W"}
    assert (last["Residual"].abs() <= 0.05).all()
    snapshot = tables["snapshots"]
    measured = snapshot["g_siemens"].dropna()
    assert len(measured) == 30 * len(tables["records"]) // 30


def test_energy_and_pulses_of_a_run_are_the_sums_of_its_rows(database: Path) -> None:
    tables = train(database, "twin-wire", seed=4, reset_pulse=True)
    records, energy, pulses = tables["records"], tables["energy"], tables["pulses"]
    summary = run_of(database)
    with RunDatabase(database) as opened:
        split = opened.energy(summary.run_id)
    assert summary.n_pulses == pulses["n_pulses"].sum()
    resets = pulses[pulses["width_s"] > 0.1]
    n_programmed = (records["SET pulses"] + records["RESET pulses"]).sum()
    assert summary.n_pulses == n_programmed + len(resets)
    assert len(resets) == 30
    assert (resets["amplitude_v"] == -1.0).all()

    writes, reads = (energy["operation"] == o for o in ("pulse", "read"))
    for part in ("device_j", "series_j", "switch_j"):
        assert split[part] == pytest.approx(energy.loc[writes, part].sum(), rel=1e-12)
    circuit = energy[["device_j", "series_j", "switch_j"]].sum(axis=1)
    assert split["verify_reads_j"] == pytest.approx(circuit[reads].sum(), rel=1e-12)
    assert split["instrument_j"] == pytest.approx(energy["instrument_j"].sum(), rel=1e-12)
    n_rounds = int(records["Round"].max())
    last_reads = 30 * n_rounds  # read back for classification, not by the programmer
    assert len(tables["readings"]) == records["Reads"].sum() + last_reads
    assert len(energy) == len(pulses) + len(tables["readings"])
    spent = circuit.sum() - circuit[writes][: len(resets)].sum()
    told = records["Program energy (J)"].sum() + records["Verify energy (J)"].sum()
    assert 0.8 * spent < told < spent


def test_the_reset_pulse_costs_time_and_energy(database: Path) -> None:
    without = train(database, "twin", seed=6)
    with_it = train(database, "twin", seed=6, reset_pulse=True)
    first = with_it["pulses"].head(30)
    assert (first["width_measured_s"] >= 0.2 - 1e-9).all()
    assert first["t_s"].max() >= 30 * 0.2
    cost_j = with_it["energy"].head(30)[["device_j", "series_j", "switch_j"]].sum().sum()
    assert cost_j > 0
    time_s = metrics(with_it)["training_time_s"] - metrics(without)["training_time_s"]
    assert time_s > 3.0, "30 x 200 ms, less what a known state saves"
    assert with_it["energy"]["instrument_j"].sum() > without["energy"]["instrument_j"].sum()


def test_a_seed_makes_a_run(tmp_path: Path) -> None:
    one, two = (train(tmp_path / f"{k}.sqlite", "twin-wire", seed=8) for k in range(2))
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name], obj=name)


def test_another_seed_makes_another_run(database: Path) -> None:
    eight, nine = (train(database, "twin", seed=seed)["records"] for seed in (8, 9))
    same = eight["Target (S)"].to_numpy() == nine["Target (S)"].to_numpy()
    assert same.sum() < 10, "only those at the ends of the window may be"


def test_rounds_follow_until_the_goal_is_reached(database: Path) -> None:
    tables = train(database, "twin", seed=1, accuracy_goal=1.0, rounds_max=3, tolerance_ratio=0.4)
    clean = tables["metrics"].query("name == 'accuracy_clean'")
    assert clean["step"].tolist() == list(range(1, len(clean) + 1))
    assert (clean["value"].iloc[:-1] < 1.0).all()
    assert clean["value"].iloc[-1] == 1.0 or len(clean) == 3
    assert tables["records"]["Round"].unique().tolist() == clean["step"].tolist()


@pytest.mark.parametrize("task", ["X/O", "bars"])
def test_other_tasks(task: str, database: Path) -> None:
    assert metrics(train(database, "twin", task=task))["accuracy_clean"] >= 0.97


@pytest.mark.parametrize("dopant", ["Cr", "C"])
def test_assumed_devices_train_or_run_out_of_pulses(dopant: str, database: Path) -> None:
    tables = train(database, "twin", dopant=dopant, rounds_max=1, n_pulses_max=60)
    assert set(tables["records"]["Outcome"]) <= {"reached", "out of pulses"}
    assert set(tables["records"]["Device"].str.rstrip("0123456789")) == {dopant}
    assert len(tables["records"]) == 30
