from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from hil.store import RunDatabase, RunWriter
from hil.types import SweepTrace
from tests.procedures.conftest import Hil
from tests.support.discovery import METADATA, csv, made_up_loop, write_pair
from tests.support.supplied import supplied

FAILED, USAGE, ABORTED = 1, 2, 3
DISCOVERY = ("import", "memristor-discovery")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three loops of two devices, in the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "loops"
    write_pair(folder, "Rs5k_0p8V_10Hz_M1")
    write_pair(folder, "Rs5k_0p8V_10Hz_M2", made_up_loop(swing=0.5))
    write_pair(folder, "Rs47k_0p8V_10Hz_M1", made_up_loop(r_ohm=47e3))
    (folder / "metadata.toml").write_text(METADATA)
    return folder


def finished(database: str = "runs.sqlite") -> list[str]:
    """Return the status of every run."""
    with RunDatabase(database) as opened:
        return [run.status for run in opened.runs()]


def test_a_folder_is_imported_once(hil: Hil, folder: Path) -> None:
    said = hil(*DISCOVERY, "loops")
    assert said.code == 0, said.err
    assert said.err == ""
    assert "imported 3, left out as duplicates 0" in said.out
    assert str(Path("runs.sqlite").resolve()) in said.out
    again = hil(*DISCOVERY, "loops")
    assert again.code == FAILED
    assert again.err.count("\n") == again.err.count("left out, the same data as") == 3
    assert "imported 0, left out as duplicates 3" in again.out
    skipped = hil(*DISCOVERY, "loops", "--skip-duplicates")
    assert skipped.code == 0
    assert skipped.err == again.err
    assert finished() == ["finished"] * 3


def test_a_duplicate_does_not_keep_the_others_out(hil: Hil, folder: Path) -> None:
    write_pair(folder, "Rs5k_0p8V_10Hz_M3")
    said = hil(*DISCOVERY, "loops", "--json")
    assert said.code == FAILED
    assert "Rs5k_0p8V_10Hz_M3_memristor.csv" in said.error_line
    assert "(device M1)" in said.error_line
    assert "one name is wrong" in said.error_line
    summary = json.loads(said.out)
    assert len(summary["imported"]) == 3
    (left_out,) = summary["duplicates"]
    by_run = {one["run_id"]: one["device"] for one in summary["imported"]}
    assert by_run[left_out["same_as_run"]] == "M1"


def test_imported_runs_can_be_listed_shown_drawn_and_exported(hil: Hil, folder: Path) -> None:
    hil(*DISCOVERY, "loops")
    assert "BENCH (imported: Nobody, made up), station import" in hil("runs").out
    shown = hil("show", "latest")
    assert "series_resistor_ohm     5000" in shown.out
    assert hil("show", "latest", "--json").code == 0
    assert hil("plot", "latest", "--out", "a.png").code == 0
    assert Path("a.png").stat().st_size > 1000
    assert hil("export", "latest", "--out", "out").code == 0
    assert list(Path("out").glob("*-sweep_points.csv"))


def test_an_export_can_be_imported_as_a_table_if_it_was_measured(hil: Hil, folder: Path) -> None:
    hil("run", "iv-sweep", "--station", "twin", "--points", 50, "--loops", 1)
    hil("export", "latest", "--out", "out")
    (points,) = Path("out").glob("*-sweep_points.csv")
    facts = ("device=W01", "dopant=W", "series_resistor_ohm=10075", "attribution=us")
    settings = [word for fact in facts for word in ("--set", fact)]
    simulated = hil("import", "table", points, *settings)
    assert simulated.code == USAGE
    assert "'source' says 'twin'; only measured data" in simulated.error_line
    points.write_text(points.read_text().replace(",twin", ",bench"))
    said = hil("import", "table", points, *settings)
    assert said.code == 0, said.err
    assert finished() == ["finished"] * 2


def test_a_table_is_imported_with_its_metadata(hil: Hil, folder: Path) -> None:
    v_source_v, _, i_a = made_up_loop()
    Path("a.csv").write_text("v_source (V),i [mA]\n" + csv(v_source_v, i_a * 1e3))
    Path("m.toml").write_text(
        METADATA + 'device = "X"\nseries_resistor_ohm = 5000\nfrequency_hz = 10\nperiodic = true\n'
    )
    said = hil("import", "table", "a.csv", "--metadata", "m.toml", "--db", "other.sqlite")
    assert said.code == 0, said.err
    assert finished("other.sqlite") == ["finished"]
    assert not Path("runs.sqlite").exists()
    line = hil("import", "table", "a.csv", "--metadata", "nowhere.toml").error_line
    assert line == "nowhere.toml: cannot be read: No such file or directory"


BAD: dict[str, tuple[tuple[object, ...], int, tuple[str, ...]]] = {
    "no such folder": ((*DISCOVERY, "nowhere"), USAGE, ("nowhere", "no such file or folder")),
    "empty folder": ((*DISCOVERY, "empty"), USAGE, ("empty", "_memristor.csv")),
    "nothing asked for": (DISCOVERY, USAGE, ("PATH",)),
    "one bad file among good ones": ((*DISCOVERY, "loops", "bad"), USAGE, ("line 5", "'x'")),
    "no metadata": ((*DISCOVERY, "bare"), USAGE, ("dopant, attribution", "metadata.toml")),
    "bad setting": ((*DISCOVERY, "bare", "--set", "dopant=Sn"), USAGE, ("--set", "dopant", "Sn")),
    "no folder for the database": (
        (*DISCOVERY, "loops", "--db", "no/runs.sqlite"),
        FAILED,
        ("no/runs.sqlite", "does not exist"),
    ),
    "database that is none": (
        (*DISCOVERY, "loops", "--db", "loops/metadata.toml"),
        FAILED,
        ("metadata.toml",),
    ),
    "table that is a folder": (("import", "table", "loops"), USAGE, ("loops", "cannot be read")),
    "unknown format": (("import", "sing", "a"), USAGE, ("sing",)),
}


@pytest.mark.parametrize("case", BAD)
def test_a_refusal_is_one_line_and_writes_nothing(hil: Hil, folder: Path, case: str) -> None:
    (folder.parent / "empty").mkdir()
    write_pair(folder.parent / "bare")
    memristor, _ = write_pair(folder.parent / "bad")
    lines = memristor.read_text().splitlines()
    memristor.write_text("\n".join([*lines[:4], "0.1,x", *lines[5:]]))
    (folder.parent / "bad" / "metadata.toml").write_text(METADATA)
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    arguments, code, says = BAD[case]
    said = hil(*arguments)
    assert said.code == code
    for part in says:
        assert part in said.error_line
    assert {p: p.read_bytes() for p in folder.parent.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("n_signals", [1, 3])
def test_an_interrupt_leaves_whole_runs_only(
    hil: Hil, folder: Path, monkeypatch: pytest.MonkeyPatch, n_signals: int
) -> None:
    sweep, asked = RunWriter.sweep, []

    def interrupted(writer: RunWriter, trace: SweepTrace) -> None:
        sweep(writer, trace)
        asked.append(writer.run_id)
        if len(asked) == 2:
            for _ in range(n_signals):
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "sweep", interrupted)
        said = hil(*DISCOVERY, "loops")
    assert said.code == ABORTED
    assert said.error_line.startswith("aborted: 2 of 3 loops are stored; ")
    assert "imported 2," in said.out
    assert finished() == ["finished"] * 2
    rest = hil(*DISCOVERY, "loops", "--skip-duplicates")
    assert rest.code == 0
    assert finished() == ["finished"] * 3


def test_the_supplied_loops_are_imported_but_for_the_one_that_is_there_twice(
    hil: Hil, folder: Path
) -> None:
    said = hil(*DISCOVERY, supplied("knowm/w-sdc-iv"), "--metadata", folder / "metadata.toml")
    assert said.code == FAILED
    assert "Rs47k_0p8V_10Hz_M2_memristor.csv" in said.error_line
    assert "imported 17, left out as duplicates 1" in said.out
