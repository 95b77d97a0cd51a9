"""What is shipped, and under which names."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import hil
from hil.station import shipped_stations
from procedures.registry import PROCEDURES, find_procedure
from twin.parameters import load_record, record_ids

ROOT = Path(hil.__file__).parents[1]

# Scripts rely on these.
COMMAND_LINE_NAMES = [
    *("iv-sweep", "read-array", "pulse-train", "program-verify", "on-chip-training"),
    *("in-situ-training", "read-references", "forming", "retention", "endurance"),
    *("program-array", "crossbar-map", "matvec", "residual-training"),
    "tile-least-squares",
]


def test_procedures_have_the_names_that_scripts_rely_on() -> None:
    assert list(PROCEDURES) == COMMAND_LINE_NAMES
    for name in COMMAND_LINE_NAMES:
        assert find_procedure(name) is PROCEDURES[name]


@pytest.mark.parametrize("name", COMMAND_LINE_NAMES)
def test_parameters_are_explained(name: str) -> None:
    procedure = PROCEDURES[name]
    assert len((procedure.__doc__ or "").strip()) > 40
    for parameter_name in procedure.parameter_names():
        parameter = getattr(procedure, parameter_name)
        assert parameter.name
        if unit := {"v": "V", "s": "s", "siemens": "S"}.get(parameter_name.split("_")[-1]):
            assert parameter.units == unit
        assert parameter.default is not None


def test_columns_that_have_a_unit_name_it() -> None:
    for procedure in PROCEDURES.values():
        assert len(set(procedure.DATA_COLUMNS)) == len(procedure.DATA_COLUMNS)
        for column in procedure.DATA_COLUMNS:
            if re.search(r"energy|voltage|time|current|conductance|width|target", column.lower()):
                assert re.search(r" \((V|A|s|S|J)\)$", column), column


def test_entry_points_lead_somewhere() -> None:
    for group in ("memristor_hil.boards", "memristor_hil.servers"):
        found = entry_points(group=group)
        assert found
        assert all(callable(entry.load()) for entry in found)
    (script,) = entry_points(group="console_scripts", name="hil")
    assert callable(script.load())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling", reason="building a wheel needs the extra 'dev'")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (path,) = folder.glob("*.whl")
    assert path.name.startswith("memristor_hil-")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert len(metadata) == 1
    assert tops - metadata == {"hil", "twin", "procedures", "calibration"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or "test" in name]


def test_the_wheel_holds_every_source_and_data_file(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for package in ("hil", "twin", "procedures", "calibration"):
        assert f"{package}/py.typed" in names
        for suffix in ("*.py", "*.toml", "*.j2"):
            for path in (ROOT / package).rglob(suffix):
                assert str(path.relative_to(ROOT)) in names
    assert {f"hil/stations/{name}.toml" for name in shipped_stations()} <= names
    assert {f"calibration/records/{name}.toml" for name in record_ids()} <= names


def test_records_are_data_with_a_unit_source_and_status() -> None:
    assert set(record_ids()) >= {"w-m1", "w-m2", "cr-assumed", "c-assumed"}
    for name in record_ids():
        record = load_record(name)
        assumed = "assumed" in name or name in ("w-typical", "w-pulsed")
        assert record.status == ("assumed" if assumed else "fitted")
        for entry in record.parameters.values():
            assert entry.source
            assert entry.unit
    assert not list((ROOT / "calibration" / "records").glob("*.py"))
