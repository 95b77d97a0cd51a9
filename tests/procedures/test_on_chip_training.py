from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hil.store import RunDatabase
from procedures.on_chip_training import OnChipTraining
from procedures.runner import run
from tests.support.runs import run_of, tables_of


def train(database: Path, station: str, **parameters: Any) -> dict[str, pd.DataFrame]:
    parameters = {"test_images": 24} | parameters
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
    readings = tables["readings"]
    n_rounds = int(records["Round"].max())
    by_purpose = readings["purpose"].value_counts()
    assert by_purpose["verify"] == records["Reads"].sum()
    assert by_purpose["read"] == 30 * n_rounds  # read back, not by the programmer
    assert by_purpose["inference"] == len(readings) - by_purpose["verify"] - by_purpose["read"]
    assert len(energy) == len(pulses) + len(readings)

    told = metrics(tables)
    programmed = circuit[writes][len(resets) :]
    assert told["reset_j"] == pytest.approx(circuit[writes][: len(resets)].sum(), rel=1e-9)
    parts = ("program_device_j", "program_series_j", "program_switch_j")
    assert sum(told[part] for part in parts) == pytest.approx(programmed.sum(), rel=1e-9)
    assert records["Program energy (J)"].sum() == pytest.approx(programmed.sum(), rel=1e-9)
    assert told["verify_j"] == pytest.approx(records["Verify energy (J)"].sum(), rel=1e-9)
    assert told["set_pulses"] + told["reset_pulses"] == n_programmed


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
    assert set(tables["records"]["Outcome"]) <= {"reached", "out of pulses", "stuck"}
    assert set(tables["records"]["Device"].str.rstrip("0123456789")) == {dopant}
    assert len(tables["records"]) == 30


def test_every_image_of_a_test_is_driven_through_the_devices(database: Path) -> None:
    tables = train(database, "twin", test_images=10, test_noise="0.1,0.2", rounds_max=1)
    found = metrics(tables)
    assert {"accuracy_clean", "accuracy_flip_0.1", "accuracy_flip_0.2"} <= set(found)
    inference = tables["readings"].query("purpose == 'inference'")
    # 8 clean images and 2 x 16 noisy ones, with 3 devices for every lit pixel
    assert len(inference) > 3 * 3 * (8 + 2 * 16)
    assert inference["v_read_v"].between(0, 0.1, inclusive="right").all()


def test_the_circuit_decides_as_the_controller_does(database: Path, tmp_path: Path) -> None:
    by_circuit = metrics(train(database, "twin", neurons="circuit", seed=3))
    by_controller = metrics(train(tmp_path / "other.sqlite", "twin", seed=3))
    assert by_circuit["target_flip_0.1"] == by_controller["target_flip_0.1"]
    assert by_circuit["accuracy_flip_0.1"] == pytest.approx(
        by_controller["accuracy_flip_0.1"], abs=0.1
    )


def test_a_board_without_neurons_refuses_them_before_the_run(database: Path) -> None:
    outcome = run(OnChipTraining(station="twin-wire", database=str(database), neurons="circuit"))
    assert (outcome.status, outcome.run_id) == ("failed", "")
    assert "has no neuron circuit" in outcome.error


def test_an_imposed_error_is_what_the_targets_are_off_by(database: Path) -> None:
    parameters = {"seed": 3, "rounds_max": 1, "test_images": 1, "tolerance_ratio": 0.01}
    plain = train(database, "twin", **parameters)["records"]
    path = database.with_name("error.sqlite")
    off = train(path, "twin", conductance_error=0.2, error_distribution="sign", **parameters)
    factors = off["records"]["Target (S)"].to_numpy() / plain["Target (S)"].to_numpy()
    assert sorted(set(np.round(factors, 6))) == [0.8, 1.2]
    assert 5 < (factors > 1).sum() < 25


def test_retraining_touches_only_what_is_off(database: Path) -> None:
    tables = train(database, "twin", seed=2, conductance_error=0.4, accuracy_goal=1.0, rounds_max=4)
    tuned = tables["metrics"].query("name == 'memristors_tuned'")["value"].tolist()
    assert tuned[0] == 30
    assert len(tuned) > 1, "40 % error spoils this seed"
    assert all(n < 30 for n in tuned[1:])
    clean = tables["metrics"].query("name == 'accuracy_clean'")["value"]
    assert clean.iloc[-1] > clean.iloc[0]


def test_a_check_later_sees_other_noise_and_retrains(database: Path) -> None:
    tables = train(
        database,
        "twin",
        training_noise=0.0,
        checks=1,
        check_interval_s=600.0,
        later_noise=0.2,
        retrain_below=1.0,
        test_images=40,
        rounds_max=1,
    )
    found = tables["metrics"].set_index("name")
    assert found.loc["retrained", "value"] == 1.0
    before, after = tables["metrics"].query("name == 'accuracy_flip_0.2'")["value"]
    assert found.loc["accuracy_at_check", "value"] == before
    assert after > before
    waited = tables["readings"]["t_s"].diff().max()
    assert waited > 600


def test_pairs_need_two_devices_for_each_weight(database: Path) -> None:
    outcome = run(
        OnChipTraining(station="twin", database=str(database), signed_weights="differential")
    )
    assert "has 30 devices of dopant W; the network needs 60" in outcome.error


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"test_noise": "0.1,often"}, "test_noise"),
        ({"test_noise": "1.7"}, "flip_ratio"),
        ({"test_sigma": "-1"}, "test_sigma"),
        ({"task": "drawn"}, "patterns"),
        ({"task": "drawn", "patterns_file": "nowhere.txt"}, "nowhere.txt"),
        ({"task": "handwriting", "mnist_folder": "nowhere"}, "nowhere"),
        ({"g_min_siemens": 1e-4, "g_max_siemens": 1e-5}, "rising order"),
    ],
)
def test_wrong_parameters_are_refused_before_the_run(
    parameters: dict[str, Any], says: str, database: Path
) -> None:
    outcome = run(OnChipTraining(station="twin", database=str(database), **parameters))
    assert (outcome.status, outcome.run_id) == ("failed", "")
    assert says in outcome.error
