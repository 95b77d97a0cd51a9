"""A map of an array is true, and its yield counts what is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.store import RunDatabase
from procedures.array_map import ArrayMap
from procedures.crossbar_map import (
    CONDUCTS,
    OPEN,
    STUCK_HIGH,
    STUCK_LOW,
    WORKING,
    CrossbarMap,
    judge_cells,
)
from procedures.runner import run
from tests.support.arrays import CALM, array_file, array_station, conductances, open_array

DEFECTS = '\n[twin.defects]\nR0C1 = "open"\nR1C2 = "stuck-low"\nR2C0 = "stuck-high"\n'


def mapped(
    tmp_path: Path, station: str, **parameters: object
) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, str]]:
    database = tmp_path / "runs.sqlite"
    outcome = run(CrossbarMap(station=station, database=str(database), **parameters))
    assert outcome.status == "finished", outcome.error
    with RunDatabase(database) as stored:
        whole = stored.run(outcome.run_id)
        maps = {one.name: one.g_siemens for one in stored.snapshots(outcome.run_id)}
    verdicts = {
        event["data"]["device"]: event["data"]["outcome"]
        for event in whole["events"]
        if event["kind"] == "verdict"
    }
    return whole["metrics"], maps, verdicts


@pytest.mark.parametrize("scheme", ["grounded", "floating", "v/2", "v/3", "sdc"])
def test_a_quiet_array_is_mapped_as_it_is(tmp_path: Path, scheme: str) -> None:
    path = array_file(tmp_path / "array.toml", 4, 5, **CALM)
    metrics, maps, verdicts = mapped(tmp_path, path, scheme=scheme, n_average=1)
    truth = conductances(open_array(array_station(4, 5, **CALM), seed=1))
    assert maps["found"] == pytest.approx(truth, rel=2e-3)
    assert metrics["devices_conducts"] == metrics["cells_asked"] == 20
    assert not verdicts
    if scheme == "v/2":
        assert np.abs(maps["found, raw"] / truth - 1).max() > 0.1


def test_what_is_broken_is_told_apart_by_exercise(tmp_path: Path) -> None:
    path = Path(array_file(tmp_path / "array.toml", 3, 4))
    path.write_text(path.read_text(encoding="utf-8") + DEFECTS, encoding="utf-8")
    metrics, maps, verdicts = mapped(tmp_path, str(path), exercise=True)
    assert verdicts == {"R0C1": OPEN, "R1C2": STUCK_LOW, "R2C0": STUCK_HIGH}
    assert metrics["devices_working"] == 9
    assert metrics["yield_ratio"] == 0.75
    assert list(maps) == ["found, raw", "found", "RESET, raw", "RESET", "SET, raw", "SET"]
    works = np.ones((3, 4), dtype=bool)
    works[[0, 1, 2], [1, 2, 0]] = False
    assert (maps["SET"] > 1.5 * maps["RESET"])[works].all()


def test_a_map_alone_changes_nothing_and_tells_only_what_is_open(tmp_path: Path) -> None:
    path = Path(array_file(tmp_path / "array.toml", 3, 4))
    path.write_text(path.read_text(encoding="utf-8") + DEFECTS, encoding="utf-8")
    metrics, maps, verdicts = mapped(tmp_path, str(path))
    assert verdicts == {"R0C1": OPEN}
    assert metrics["devices_conducts"] == 11
    assert list(maps) == ["found, raw", "found"]


def test_a_bank_is_mapped_without_a_network(tmp_path: Path) -> None:
    metrics, maps, _ = mapped(tmp_path, "twin", n_average=1)
    assert "residual_ratio_found" not in metrics
    assert np.array_equal(maps["found"], maps["found, raw"])


@pytest.mark.parametrize(
    ("station", "parameters", "message"),
    [
        ("twin", {"correct": "yes"}, "there are no sneak paths to take out"),
        ("twin", {"exercise": True}, "parameter set_v = 0 V"),
        ("twin", {"scheme": "v/2"}, "v/2"),
        ("twin-crossbar-16x16", {"v_read_v": 0.5}, "above the limit"),
        ("twin-crossbar-16x16", {"exercise": True, "set_v": 2.0}, "could drive"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, station: str, parameters: dict[str, object], message: str
) -> None:
    database = tmp_path / "a.db"
    outcome = run(CrossbarMap(station=station, database=str(database), **parameters))
    assert outcome.status == "failed"
    assert message in outcome.error
    assert not outcome.run_id


def test_verdicts_follow_from_the_levels() -> None:
    def level(*g: float) -> ArrayMap:
        values = np.array([g])
        return ArrayMap(values, values, np.full_like(values, 1e-6), np.nan)

    found = level(5e-5, 5e-5, 5e-5, 5e-7, 5e-7)
    low, high = level(1e-5, 9e-4, 2e-6, 5e-7, -2e-7), level(1e-4, 1e-3, 2e-6, 1e-4, 5e-7)
    thresholds = {"open_siemens": 1e-8, "split_siemens": 3e-5, "min_ratio": 1.5}
    expected = [WORKING, STUCK_HIGH, STUCK_LOW, WORKING, OPEN]
    assert judge_cells([found, low, high], **thresholds) == expected
    assert judge_cells([found], **thresholds) == [CONDUCTS] * 3 + [OPEN] * 2
