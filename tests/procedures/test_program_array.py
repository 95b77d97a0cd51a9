"""An array is programmed to a matrix, and what would disturb it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.errors import ParameterError
from hil.store import RunDatabase
from procedures.conductance_targets import target_matrix
from procedures.program_array import ProgramArray
from procedures.runner import run
from tests.support.arrays import array_file


def metrics(database: Path, run_id: str) -> dict[str, float]:
    with RunDatabase(database) as stored:
        frame = stored.table(run_id, "metrics")
    return dict(zip(frame["name"], frame["value"], strict=True))


def programmed(tmp_path: Path, station: str, **parameters: object) -> tuple[str, dict[str, float]]:
    database = tmp_path / "runs.sqlite"
    outcome = run(ProgramArray(station=station, database=str(database), **parameters))
    assert outcome.status == "finished", outcome.error
    return outcome.run_id, metrics(database, outcome.run_id)


@pytest.mark.parametrize("cell", ['"1R"', '"1T1R"'])
def test_every_cell_gets_within_its_tolerance(tmp_path: Path, cell: str) -> None:
    station = array_file(tmp_path / "array.toml", 4, 4, cell=cell)
    more = {} if cell == '"1R"' else {"set_v": 0.6, "reset_v": -0.5}
    run_id, found = programmed(tmp_path, station, **more)
    assert found["cells_within"] == found["cells_asked"] == 16
    assert found["largest_error_ratio"] <= 0.02
    assert found["cells_disturbed"] == 0
    with RunDatabase(tmp_path / "runs.sqlite") as stored:
        energy = stored.table(run_id, "energy")
        names = {snapshot.name for snapshot in stored.snapshots(run_id)}
    parts_j = energy[["device_j", "series_j", "switch_j", "half_select_j"]].to_numpy().sum()
    assert parts_j == pytest.approx(energy["delivered_j"].sum(), rel=1e-3)
    assert {"found", "targets", "confirmed 1"} <= names


def test_a_plan_that_disturbs_is_refused_before_anything_is_driven(tmp_path: Path) -> None:
    station = array_file(tmp_path / "array.toml", 4, 4)
    outcome = run(
        ProgramArray(station=station, database=str(tmp_path / "a.db"), write_scheme="v/2")
    )
    assert outcome.status == "failed"
    assert not outcome.run_id
    assert "refused before the run began: the plan would change R" in outcome.error
    assert "the disturb budget is 5.0%" in outcome.error


def test_a_dead_band_that_is_too_wide_is_found_by_a_guard_read(tmp_path: Path) -> None:
    # Thresholds of the devices and of their records are at 0.12 V and 0.08 V: the model foresees
    # the disturb that the station's own dead bands deny, so the plan is refused; with a budget that
    # lets it pass the run goes on until a cell has changed by more than was foreseen.
    station = array_file(tmp_path / "array.toml", 4, 4, dead_off_v="0.14")
    database = tmp_path / "a.db"
    refused = run(ProgramArray(station=station, database=str(database)))
    assert "refused before the run began" in refused.error
    assert not refused.run_id


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"targets": "uniform 1e-4 1e-5"}, "is not below"),
        ({"targets": "nonsense"}, "no number and no file"),
        ({"targets": "-1e-5"}, "conductances are positive"),
        ({"guard_ratio": 0.05}, "leaves nothing of the tolerance"),
        ({"set_v": 0.9}, "could drive"),
        ({"v_read_v": 0.2}, "above the limit"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, parameters: dict[str, object], message: str
) -> None:
    station = array_file(tmp_path / "array.toml", 3, 3)
    outcome = run(ProgramArray(station=station, database=str(tmp_path / "a.db"), **parameters))
    assert outcome.status == "failed"
    assert message in outcome.error


def test_a_bank_has_no_dead_bands_to_choose_by(tmp_path: Path) -> None:
    outcome = run(ProgramArray(station="twin", database=str(tmp_path / "a.db")))
    assert "to choose an amplitude by; give one" in outcome.error


def test_targets_are_what_a_text_says(tmp_path: Path) -> None:
    assert (target_matrix("8e-5", (2, 3), 1) == 8e-5).all()
    assert target_matrix("ramp 1e-6 6e-6", (2, 3), 1)[1].tolist() == pytest.approx(
        [4e-6, 5e-6, 6e-6]
    )
    drawn = target_matrix("uniform 4e-5 1e-4", (2, 3), 1)
    assert np.array_equal(drawn, target_matrix("uniform 4e-5 1e-4", (2, 3), 1))
    assert not np.array_equal(drawn, target_matrix("uniform 4e-5 1e-4", (2, 3), 2))
    path = tmp_path / "g.csv"
    path.write_text("1e-5,2e-5\n3e-5,4e-5\n", encoding="utf-8")
    assert target_matrix(str(path), (2, 2), 1)[1, 0] == 3e-5
    with pytest.raises(ParameterError, match="2 lines of 2; the board has 2 rows and 3 columns"):
        target_matrix(str(path), (2, 3), 1)
