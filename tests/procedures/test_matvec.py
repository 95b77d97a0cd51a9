"""Products of an array are those that its network predicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hil.store import RunDatabase
from procedures.matvec import MatVec
from procedures.runner import run
from tests.support.arrays import CALM, array_file


def multiplied(
    tmp_path: Path, station: str, **parameters: object
) -> tuple[dict[str, float], pd.DataFrame]:
    database = tmp_path / "runs.sqlite"
    outcome = run(MatVec(station=station, database=str(database), **parameters))
    assert outcome.status == "finished", outcome.error
    with RunDatabase(database) as stored:
        return stored.run(outcome.run_id)["metrics"], stored.records(outcome.run_id)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("coding", ["amplitude", "time"])
def test_a_quiet_array_multiplies_as_its_network_predicts(
    tmp_path: Path, coding: str, transposed: bool
) -> None:
    path = array_file(tmp_path / "array.toml", 4, 6, **CALM)
    metrics, records = multiplied(tmp_path, path, coding=coding, transposed=transposed, n_vectors=3)
    assert len(records) == 3 * (4 if transposed else 6)
    assert metrics["error_network_largest_ratio"] < 2e-3
    # What bends is left out by time coding; what is lost in the lines is not.
    assert metrics["error_ideal_rms_ratio"] > metrics["error_network_rms_ratio"]


def test_time_avoids_the_nonlinear_read(tmp_path: Path) -> None:
    path = array_file(tmp_path / "array.toml", 4, 6, **CALM)
    errors = [
        multiplied(tmp_path, path, coding=coding)[0]["error_ideal_rms_ratio"]
        for coding in ("amplitude", "time")
    ]
    assert errors[1] < errors[0] / 5


def test_a_noisy_array_stays_close(tmp_path: Path) -> None:
    metrics, records = multiplied(tmp_path, "twin-crossbar-16x16")
    assert len(records) == 160
    assert metrics["error_network_rms_ratio"] < 0.04
    assert metrics["product_energy"] > 0


def test_a_bank_multiplies_cell_by_cell(tmp_path: Path) -> None:
    # At another voltage than that of the map, conductances are others: what a bank leaves out.
    metrics, records = multiplied(tmp_path, "twin", inputs="0.1")
    assert len(records) == 90
    assert metrics["error_network_rms_ratio"] < 0.05


def test_inputs_come_from_a_file(tmp_path: Path) -> None:
    path = array_file(tmp_path / "array.toml", 2, 3, **CALM)
    inputs = tmp_path / "inputs.csv"
    inputs.write_text("0.1,0\n0,0.1\n", encoding="utf-8")
    _, records = multiplied(tmp_path, path, inputs=str(inputs))
    measured = records["Measured current (A)"].to_numpy().reshape(2, 3)
    _, both = multiplied(tmp_path, path, inputs="0.1")
    summed = both["Measured current (A)"].to_numpy()
    assert measured.sum(axis=0) == pytest.approx(summed, rel=1e-2)
    assert (measured > 0).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"inputs": "nonsense"}, "no voltage and no file"),
        ({"inputs": "0.5"}, "above the limit"),
        ({"inputs": "0"}, "all inputs are 0 V"),
        ({"v_max_v": 0.5}, "above the limit"),
        ({"coding": "time", "station": "twin"}, "reads one device after the other"),
        ({"inputs": "short.csv"}, "has vectors of 3; the board takes 2"),
        ({"inputs": "words.csv"}, "words.csv"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    array_file(tmp_path / "array.toml", 2, 3)
    np.savetxt("short.csv", np.full((1, 3), 0.1), delimiter=",")
    Path("words.csv").write_text("a,b\n", encoding="utf-8")
    outcome = run(MatVec(**({"station": "array.toml", "database": "a.db"} | parameters)))
    assert outcome.status == "failed"
    assert message in outcome.error
    assert not outcome.run_id
