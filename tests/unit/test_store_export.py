from __future__ import annotations

import builtins
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from hil.errors import HilError, StoreError
from hil.store import RunDatabase, RunWriter, export_run
from hil.store.export import Format
from tests.support.store_samples import pulses, readings, run_start, sweep


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "a.db"
    writer = RunWriter.begin(path, run_start())
    writer.readings(readings(3, [1e-5, math.nan, math.inf]))
    writer.pulses(pulses(3))
    writer.sweep(sweep(4))
    writer.metric("accuracy", 0.9, step=3)
    writer.metric("loss", 0.1)
    writer.snapshot("weights", [[1.0, 2.0], [3.0, 4.0]])
    writer.record({"a": 1.0, "name": "x, y", "list": [1, 2]})
    writer.record({"a": math.nan, "mixed": "text"})
    writer.record({"mixed": 2})
    writer.finish("finished")
    return path, writer.run_id


TABLE_NAMES = {
    "runs", "readings", "pulses", "sweep_points", "energy", "metrics", "snapshots", "records",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_table_with_rows_becomes_a_file(
    tmp_path: Path, run: tuple[Path, str], kind: Format
) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="pip install memristor-hil[parquet]")
    path, run_id = run
    folder = tmp_path / "out" / "deep"
    with RunDatabase(path) as database:
        files = export_run(database, run_id, folder, kind)
        g_siemens = database.arrays(run_id, "readings")["g_siemens"]
    assert {file.name for file in files} == {f"{run_id}-{name}.{kind}" for name in TABLE_NAMES}
    assert sorted(folder.iterdir()) == sorted(files)

    def load(name: str) -> pd.DataFrame:
        file = folder / f"{run_id}-{name}.{kind}"
        return pd.read_csv(file) if kind == "csv" else pd.read_parquet(file)

    assert_array_equal(load("readings")["g_siemens"], g_siemens)
    assert load("runs")["id"].tolist() == [run_id]
    assert load("snapshots")["g_siemens"].tolist() == [1.0, 2.0, 3.0, 4.0]
    records = load("records")
    assert records["name"][0] == "x, y"
    assert records["list"][0] == "[1, 2]"
    assert records["mixed"].dropna().tolist() == ["text", "2"]
    assert pd.isna(records["name"][2])


def test_nothing_is_overwritten(tmp_path: Path, run: tuple[Path, str]) -> None:
    path, run_id = run
    folder = tmp_path / "out"
    folder.mkdir()
    there = folder / f"{run_id}-pulses.csv"
    there.write_text("mine")
    with RunDatabase(path) as database:
        with pytest.raises(StoreError, match=r"pulses\.csv: exists already"):
            export_run(database, run_id, folder)
        assert list(folder.iterdir()) == [there]
        assert there.read_text() == "mine"
        there.unlink()
        export_run(database, run_id, folder)


def test_a_failure_halfway_leaves_no_file(
    tmp_path: Path, run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, run_id = run
    to_csv = pd.DataFrame.to_csv

    def fails_once(self: pd.DataFrame, file: Path, **options: Any) -> None:
        if "energy" in file.name:
            raise OSError(28, "No space left on device")
        to_csv(self, file, **options)

    monkeypatch.setattr(pd.DataFrame, "to_csv", fails_once)
    with (
        RunDatabase(path) as database,
        pytest.raises(StoreError, match="No space left on device"),
    ):
        export_run(database, run_id, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_parquet_without_its_package_says_what_to_install(
    tmp_path: Path, run: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, run_id = run
    real = builtins.__import__

    def without_pyarrow(name: str, *rest: Any, **options: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with (
        RunDatabase(path) as database,
        pytest.raises(HilError, match=r"pip install memristor-hil\[parquet\]"),
    ):
        export_run(database, run_id, tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()
