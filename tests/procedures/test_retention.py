from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.store import RunDatabase
from hil.types import FloatArray, Readings
from procedures.registry import PROCEDURES
from procedures.retention import HELD, LOST, ROSE, UNREADABLE, Retention, fit_drift, judge
from procedures.runner import run
from tests.procedures.conftest import StationFile
from tests.support.planted import plant_readings
from tests.support.runs import run_of, stopping_at, tables_of
from tests.support.verdicts import metrics_of, outcomes_of, text_of

TIMES_S = np.geomspace(1, 1000, 10)


# --- the fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-0.05, 0.0, 0.02, 0.5])
def test_the_exponent_of_an_exact_drift_is_found(exponent: float) -> None:
    drift = fit_drift(TIMES_S, 70e-6 * (TIMES_S / 3) ** -exponent)
    assert drift.exponent_ratio == pytest.approx(exponent, abs=1e-12)
    assert drift.standard_ratio == pytest.approx(0, abs=1e-12)


def test_the_uncertainty_of_the_exponent_is_that_of_repeated_fits() -> None:
    rng = np.random.default_rng(1)
    scatter = np.exp(0.02 * rng.standard_normal((4000, len(TIMES_S))))
    drifts = [fit_drift(TIMES_S, TIMES_S**-0.03 * noise) for noise in scatter]
    exponents = np.array([drift.exponent_ratio for drift in drifts])
    stated = np.sqrt(np.mean([drift.standard_ratio**2 for drift in drifts]))
    assert exponents.mean() == pytest.approx(0.03, abs=4 * stated / np.sqrt(len(drifts)))
    assert stated == pytest.approx(exponents.std(), rel=0.05)


def test_what_cannot_be_fitted_is_not_a_number() -> None:
    assert np.isnan(fit_drift(TIMES_S[:1], np.ones(1)).exponent_ratio)
    two = fit_drift(TIMES_S[:2], np.ones(2))
    assert two.exponent_ratio == 0
    assert np.isnan(two.standard_ratio)
    assert np.isnan(fit_drift(TIMES_S, np.full(len(TIMES_S), np.nan)).exponent_ratio)
    holes = np.where(np.arange(len(TIMES_S)) == 4, -1e-9, TIMES_S**-0.1)
    assert fit_drift(TIMES_S, holes).exponent_ratio == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("ratios", "worst_ratio", "outcome"),
    [
        ([1.0, 1.09, 0.95], 1.09, HELD),
        ([1.0, 1.05, 0.8, 0.99], 0.8, LOST),
        ([1.0, 0.95, 6.5], 6.5, ROSE),
        ([np.nan, np.nan], np.nan, UNREADABLE),
    ],
)
def test_the_ratio_farthest_from_one_decides(
    ratios: list[float], worst_ratio: float, outcome: str
) -> None:
    found_ratio, found = judge(np.array(ratios), 0.1)
    assert found_ratio == pytest.approx(worst_ratio, nan_ok=True)
    assert found == outcome


# --- runs ---------------------------------------------------------------------------------------


def test_devices_that_hold_are_read_at_the_times_asked(
    station_file: StationFile, database: Path
) -> None:
    procedure = Retention(
        station=station_file("twin"), database=str(database), devices="W02,W01", prepare_v=0.6
    )
    assert run(procedure).status == "finished"
    tables = tables_of(database)
    records, pulses = tables["records"], tables["pulses"]
    assert records["Device"].tolist() == ["W02", "W01"] * 10
    assert pulses["amplitude_v"].tolist() == [0.6, 0.6]
    for device, rows in records.groupby("Device"):
        asked_s = np.geomspace(1, 1000, 10)
        assert (rows["Time since start (s)"] >= asked_s).all()
        assert rows["Time since start (s)"].to_numpy() == pytest.approx(asked_s, abs=0.1)
        pulsed_s = pulses["t_s"][pulses["device"] == device].item()
        read_s = tables["readings"].query("device == @device")["t_s"].to_numpy()
        assert rows["Time since start (s)"].tolist() == pytest.approx((read_s - pulsed_s).tolist())
        assert rows["Ratio"].iloc[0] == 1
        assert rows["Ratio"].to_numpy() == pytest.approx(np.ones(10), abs=0.02)
    with RunDatabase(database) as opened:
        snapshots = opened.snapshots(opened.find("latest").run_id)
    assert [snapshot.name for snapshot in snapshots] == [f"pass {k}" for k in range(1, 11)]
    for snapshot in snapshots:
        assert np.isnan(snapshot.g_siemens[0, 2:]).all()
        assert (snapshot.g_siemens[0, :2] > 0).all()
    metrics = metrics_of(database)
    assert metrics["devices_held"] == 2
    assert abs(metrics["W01/drift_exponent"]) < 5 * metrics["W01/drift_exponent_standard"] + 1e-3


def test_planted_drifts_are_found_and_named(
    station_file: StationFile, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exponents = np.array([0.02, 0.2, -0.3, 0.0])

    def drifting(readings: Readings) -> FloatArray:
        drifted: FloatArray = readings.g_siemens * readings.t_s ** -exponents[readings.cells[:, 1]]
        return drifted

    plant_readings(monkeypatch, drifting)
    procedure = Retention(
        station=station_file("twin"), database=str(database), tolerance_ratio=0.2, last_s=1e4
    )
    assert run(procedure).status == "finished"
    metrics = metrics_of(database)
    for k, exponent in enumerate(exponents):
        found, standard = (
            metrics[f"W{k + 1:02d}/drift_exponent{more}"] for more in ("", "_standard")
        )
        assert found == pytest.approx(exponent, abs=5 * standard + 1e-3)
    assert metrics["W02/worst_ratio"] == pytest.approx(1e4**-0.2, rel=0.05)
    assert {name: value for name, value in metrics.items() if name.startswith("devices")} == {
        "devices_held": 2,
        "devices_lost": 1,
        "devices_rose": 1,
    }
    assert outcomes_of(database) == {"W01": HELD, "W02": LOST, "W03": ROSE, "W04": HELD}
    assert "W02: lost, drift exponent 0.2 ±" in text_of(database)
    assert "W02/drift_exponent" not in text_of(database)


def test_an_open_device_has_no_ratio(station_file: StationFile, database: Path) -> None:
    station = station_file("twin", extra='[twin.defects]\nW01 = "open"')
    procedure = Retention(station=station, database=str(database), devices="W01,W02", last_s=10)
    assert run(procedure).status == "finished"
    metrics = metrics_of(database)
    assert metrics["devices_unreadable"] == metrics["devices_held"] == 1
    assert "W01/worst_ratio" not in metrics


def test_a_run_that_is_stopped_tells_what_it_saw(station_file: StationFile, database: Path) -> None:
    stopped = stopping_at(12, Retention)
    procedure = stopped(station=station_file("twin"), database=str(database), devices="W01")
    assert run(procedure).status == "aborted"
    n_passes = len(tables_of(database)["records"])
    assert 1 < n_passes < 10
    assert metrics_of(database)["devices_held"] == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"last_s": 0.5}, "last_s = 0.5 s is before first_s = 1 s"),
        ({"prepare_v": 2.5}, "amplitude 2.5 V"),
        ({"prepare_v": 0.5, "prepare_width_s": 2.0}, "pulse width 2 s"),
        ({"v_read_v": 0.2}, "read voltage 200 mV"),
        ({"devices": "W99"}, "W99"),
    ],
)
def test_a_bad_plan_is_refused_before_the_run(
    station_file: StationFile, database: Path, given: dict[str, Any], said: str
) -> None:
    outcome = run(PROCEDURES["retention"](station=station_file(), database=str(database), **given))
    assert (outcome.status, outcome.run_id) == ("failed", "")
    assert said in outcome.error


def test_an_unprepared_device_gets_no_pulse(station_file: StationFile, database: Path) -> None:
    run(Retention(station=station_file("twin"), database=str(database), last_s=5))
    assert run_of(database).n_pulses == 0
