"""What the command line says when all is well."""

from __future__ import annotations

import json
import sqlite3
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hil.station import parse_station, shipped_stations
from hil.store import TABLES, RunDatabase, RunWriter
from hil.store.values import from_json
from procedures.registry import PROCEDURES
from tests.procedures.conftest import Hil, StationFile
from tests.support.arrays import array_file
from tests.support.rigs import station_text
from tests.support.store_samples import run_start

SHORT = ("--set-pulses", 2, "--reset-pulses", 1, "--cycles", 1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(station_text(), encoding="utf-8")
    return tmp_path


def document(text: str) -> Any:
    """Return the one JSON document that a text is; strict, so without NaN and infinities."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def run(hil: Hil, *more: object) -> Any:
    said = hil("run", "pulse-train", *SHORT, "--station", "small.toml", "--json", *more)
    assert (said.code, said.err) == (0, "")
    return document(said.out)


def test_a_run_in_words(hil: Hil, here: Path) -> None:
    said = hil("run", "pulse-train", *SHORT, "--station", "small.toml")
    assert (said.code, said.err) == (0, "")
    assert "PulseTrain, finished" in said.out
    assert "TWIN, station small" in said.out
    assert f"database: {here / 'runs.sqlite'}" in said.out.splitlines()


def test_a_run_as_json(hil: Hil, here: Path) -> None:
    found = run(hil)
    assert found["status"] == "finished"
    assert found["source"] == "twin"
    assert found["n_pulses"] == 3
    assert found["rows"]["records"] == found["rows"]["readings"] == 3
    assert found["bench_time_s"] > 3 * 0.02
    assert found["energy"]["device_j"] > 0
    assert found["database"] == str(here / "runs.sqlite")


def test_show_and_runs_as_json_agree_with_the_run(hil: Hil) -> None:
    first, second = run(hil), run(hil, "--seed", 2)
    shown = hil("show", first["run_id"], "--json")
    assert shown.err == ""
    details = document(shown.out)
    for key in set(first) - {"database"}:
        assert details[key] == first[key], key
    assert details["parameters"]["set_pulses"] == 2
    assert details["versions"]
    listed = document(hil("runs", "--json").out)
    assert [entry["run_id"] for entry in listed] == [second["run_id"], first["run_id"]]
    assert {entry["status"] for entry in listed} == {"finished"}
    assert len(document(hil("runs", "--json", "-n", 1).out)) == 1


def test_numbers_that_are_none_are_json_all_the_same(hil: Hil, here: Path) -> None:
    writer = RunWriter.begin("runs.sqlite", run_start())
    for name, value in (("nan", float("nan")), ("inf", float("inf"))):
        writer.metric(name, value)
    writer.finish("finished")
    shown = hil("show", "--json")
    document(shown.out)
    metrics = from_json(shown.out)["metrics"]
    assert metrics["inf"] == float("inf")
    assert metrics["nan"] != metrics["nan"]
    document(hil("runs", "--json").out)
    assert hil("show").code == hil("runs").code == 0


def test_show_latest_and_the_beginning_of_an_id(hil: Hil) -> None:
    found = run(hil)
    for key in ("latest", found["run_id"], found["run_id"][:20].lower()):
        said = hil("show", key)
        assert said.code == 0
        assert found["run_id"] in said.out
    said = hil("show")
    assert "set_pulses" in said.out
    assert "TWIN00000001" in said.out


def test_runs_in_words_have_a_line_each(hil: Hil) -> None:
    ids = [run(hil)["run_id"] for _ in range(2)]
    lines = hil("runs").out.splitlines()
    assert [line.split()[0] for line in lines] == ids[::-1]
    assert all("finished" in line and "TWIN, station small" in line for line in lines)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_export_gives_back_what_is_in_the_database(file_format: str, hil: Hil, here: Path) -> None:
    if file_format == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet files need the extra 'parquet'")
    run_id = run(hil)["run_id"]
    said = hil("export", f"--{file_format}", "--out", "out")
    assert (said.code, said.err) == (0, "")
    files = [Path(line) for line in said.out.splitlines()]
    assert sorted(files) == sorted(Path("out").iterdir())
    names = {"runs", "pulses", "readings", "energy", "records"}
    assert {file.stem.removeprefix(f"{run_id}-") for file in files} == names
    read = pd.read_csv if file_format == "csv" else pd.read_parquet
    with RunDatabase("runs.sqlite") as opened:
        for name in names & set(TABLES):
            exported = read(Path("out") / f"{run_id}-{name}.{file_format}")
            pd.testing.assert_frame_equal(exported, opened.table(run_id, name), check_dtype=False)


def test_export_goes_to_a_folder_of_the_runs_name(hil: Hil, here: Path) -> None:
    run_id = run(hil)["run_id"]
    assert hil("export").code == 0
    assert len(list((here / run_id).glob("*.csv"))) == 5


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_procedure_has_a_picture(name: str, hil: Hil, here: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    n_devices = {"W": 30} if name.endswith("-training") else {"W": 2}
    (here / "more.toml").write_text(station_text("twin", n_devices=n_devices), encoding="utf-8")
    array_file(here / "array.toml", 3, 3)
    stations = (
        {"read-references": "references"}
        | dict.fromkeys(("program-array", "crossbar-map", "matvec"), "array.toml")
        | dict.fromkeys(("residual-training", "tile-least-squares"), "twin-tiles")
    )
    station = stations.get(name, "more.toml")
    assert hil("run", name, "--station", station).code == 0
    said = hil("plot", "--out", "picture.svg")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"picture: {here / 'picture.svg'}\n"
    root = ElementTree.fromstring((here / "picture.svg").read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")


def test_a_picture_is_a_png_of_the_runs_name(hil: Hil, here: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
    run_id = run(hil)["run_id"]
    assert hil("plot").code == 0
    assert (here / f"{run_id}.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_stations_and_procedures_are_listed(hil: Hil) -> None:
    said = hil("list")
    assert [line.split()[0] for line in said.out.splitlines()] == list(PROCEDURES)
    said = hil("stations")
    assert [line.split()[0] for line in said.out.splitlines()] == list(shipped_stations())
    assert {"twin", "twin-wire", "bench-2400"} <= set(shipped_stations())


@pytest.mark.parametrize("name", ["twin", "twin-wire", "bench-2400"])
def test_a_shipped_station_can_be_printed_and_used_as_a_file(
    name: str, hil: Hil, here: Path
) -> None:
    said = hil("stations", name)
    assert said.code == 0
    assert parse_station(said.out).name == name
    assert said.out == shipped_stations()[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROCEDURES)
def test_help_names_every_parameter_with_unit_and_range(name: str, hil: Hil) -> None:
    said = hil("run", name, "--help")
    assert said.code == 0
    for parameter in PROCEDURES[name].parameter_names():
        flag = "--db" if parameter == "database" else f"--{parameter.replace('_', '-')}"
        assert flag in said.out
    for command in ("", "run", "runs", "show", "export", "plot", "twin", "gui", "stations"):
        assert hil(*command.split(), "--help").code == 0


def test_version(hil: Hil) -> None:
    assert hil("--version").out.startswith("hil, version ")


def test_switches_are_given_in_two_ways(hil: Hil) -> None:
    for given in (("--allow-reverse",), ("--allow-reverse", "true"), ("--allow-reverse", "false")):
        options = ("--station", "small.toml", "--json")
        said = hil("run", "read-array", *given, *options)
        parameters = document(hil("show", "--json").out)["parameters"]
        assert said.code == 0
        assert parameters["allow_reverse"] is ("false" not in given)


# --- the fallback -------------------------------------------------------------------------------


def test_a_missing_bench_fails_unless_its_twin_may_take_over(hil: Hil, here: Path) -> None:
    arguments = ("run", "read-array", "--devices", "W01,W02", "--station", "bench-2400")
    refused = hil(*arguments)
    assert refused.code == 1
    assert "GPIB0::24::INSTR" in refused.error_line
    assert not (here / "runs.sqlite").exists()

    said = hil(*arguments, "--fallback", "twin")
    assert said.code == 0
    assert "Traceback" not in said.out + said.err
    assert "TWIN (fallback: " in said.out
    assert "GPIB0::24::INSTR" in said.out
    with closing(sqlite3.connect("runs.sqlite")) as database:
        ((source, reason, station, status),) = database.execute(
            "SELECT source, source_reason, station, status FROM runs"
        )
        sources = database.execute("SELECT DISTINCT source FROM readings").fetchall()
    assert (source, station, status) == ("twin", "bench-2400", "finished")
    assert reason.startswith("fallback: ")
    assert "GPIB0::24::INSTR" in reason
    assert sources == [("twin",)]
    for command in ("show", "runs"):
        assert reason in hil(command).out
        found = document(hil(command, "--json").out)
        summary = found if command == "show" else found[0]
        assert (summary["source"], summary["source_reason"]) == ("twin", reason)
    (event,) = document(hil("show", "--json").out)["events"]
    assert (event["kind"], event["level"]) == ("fallback", "warning")


def test_the_twin_that_takes_over_is_that_of_this_very_station(
    hil: Hil, station_file: StationFile
) -> None:
    station = station_file(
        "smu",
        source="bench",
        fallback="twin",
        addresses={"smu": "TCPIP0::127.0.0.1::1::SOCKET", "switch_board": "/dev/ttyNOPE"},
        n_devices={"W": 2, "C": 1},
        extra="[limits.W]\nmax_voltage_v = 0.9\n",
    )
    said = hil("run", "read-array", "--station", station, "--json")
    assert said.code == 0
    found = document(said.out)
    assert (found["source"], found["rows"]["readings"]) == ("twin", 3)
    assert "refused" in found["source_reason"]
    said = hil("run", "pulse-train", "--set-v", 1.0, "--station", station)
    assert said.code == 2
    assert "900 mV" in said.error_line
    said = hil("run", "read-array", "--station", station, "--fallback", "none")
    assert said.code == 1


@pytest.mark.parametrize("board", ["twin", "twin-wire"])
def test_a_twin_never_falls_back(board: str, hil: Hil, station_file: StationFile) -> None:
    said = hil(
        "run", "read-array", "--station", station_file(board), "--fallback", "twin", "--json"
    )
    assert document(said.out)["source_reason"] == ""


def test_nothing_asked_for_is_answered_with_help(hil: Hil) -> None:
    said = hil()
    assert said.code == 2
    assert "Usage: hil" in said.out
    assert said.err == ""
