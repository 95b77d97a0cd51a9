from __future__ import annotations

import datetime
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.references.board import fit_board
from calibration.references.instrument import fit_instrument
from hil.errors import CalibrationError, StationError
from hil.opening import open_board
from hil.records import write_record
from hil.station import Station, load_station
from hil.store import RunDatabase, add_calibration
from procedures.cli import main
from procedures.read_references import ReadReferences
from procedures.runner import run
from tests.support.references import RESISTORS, SHORTS, read_references, reference_station
from tests.support.rigs import in_process_rig
from twin.board import TwinBoard
from twin.opening import open_direct

SEED = 5
UNKNOWN: list[dict[str, Any]] = [
    {"name": "D0", "reference_ohm": 3e5},
    {"name": "D1", "reference_ohm": 2e4},
    {"name": "D2", "reference_ohm": 2.5e3},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of calibration runs, and the records fitted to them."""
    folder = tmp_path_factory.mktemp("calibration")
    runs = [read_references(folder, sockets, SEED) for sockets in (SHORTS, RESISTORS)]
    database = folder / "runs.sqlite"
    instrument = fit_instrument(database, runs, "smu-1")
    board = fit_board(database, runs, "board-1", instrument)
    for record in (instrument, board):
        write_record(record, folder / "records")
        add_calibration(database, record)
    return folder


BOTH = ("smu-1", "board-1")


def station(folder: Path, records: tuple[str, ...] = BOTH, **options: Any) -> Station:
    path = folder / f"use-{len(list(folder.glob('use-*')))}.toml"
    path.write_text(reference_station(UNKNOWN, records=records, **options), encoding="utf-8")
    return load_station(path)


def opened(station: Station, seed: int = SEED) -> TwinBoard:
    return open_direct(station, seed=seed, source_reason="")


def test_estimates_are_within_their_uncertainty_of_the_truth(folder: Path) -> None:
    with RunDatabase(folder / "runs.sqlite") as database:
        board, smu = (stored.record for stored in database.calibrations())
    with opened(station(folder, ())) as truth:
        paths = truth.plant.r_path_ohm
        load = truth.plant.load_siemens
    for k in range(len(UNKNOWN)):
        path = board.quantity(f"r_path_p{k}_ohm")
        assert path.standard_uncertainty is not None
        assert abs(path.value - paths[k]) < 4 * path.standard_uncertainty
        assert path.standard_uncertainty < 2e-4 * paths[k]
    leak = board.quantity("load_siemens")
    assert leak.standard_uncertainty is not None
    assert abs(leak.value - load) < 4 * leak.standard_uncertainty
    assert 74 < board.value("r_switch_ohm") < 76
    assert {name for name in smu.parameters if name.startswith("gain")} == {
        f"gain_{name}_ratio" for name in ("1ua", "10ua", "100ua", "1ma")
    }
    assert smu.quality["chi2_ratio"] == pytest.approx(1, abs=0.3)
    assert smu.conditions.instrument_serial == "TWIN00000005"
    assert board.correlation("r_path_p0_ohm", "smu-1:gain_10ua_ratio") > 0.1


@pytest.mark.parametrize("kind", ["twin", "twin-wire"])
def test_records_make_readings_better_on_either_twin(folder: Path, kind: str) -> None:
    bare, applied = (station(folder, records, board=kind) for records in ((), BOTH))
    g_truth = 1 / np.array([socket["reference_ohm"] for socket in UNKNOWN])
    found = []
    for used in (bare, applied):
        with open_board(used, seed=SEED) as board:
            readings = board.measure(board.info.all_cells, 0.1)
            found.append(readings)
            named = {name for name in board.info.calibration if "device" not in name}
        errors = np.abs(readings.g_siemens - g_truth)
        assert (errors <= 2 * readings.g_expanded_siemens).all()
    assert named == {"instrument record smu-1", "board record board-1"}
    improvement = found[0].g_expanded_siemens / found[1].g_expanded_siemens
    assert (improvement > 3).all()
    assert np.allclose(found[0].i_a, found[1].i_a, rtol=1e-3), "stored as the instrument said"


def test_both_twins_apply_the_same_correction(folder: Path) -> None:
    expanded = []
    for kind in ("twin", "twin-wire"):
        with open_board(station(folder, board=kind, noise=False), seed=SEED) as board:
            expanded.append(board.measure(board.info.all_cells, 0.1))
    assert expanded[0].g_siemens == pytest.approx(expanded[1].g_siemens, rel=1e-5)
    assert expanded[0].g_expanded_siemens == pytest.approx(expanded[1].g_expanded_siemens, rel=1e-4)


def test_a_run_says_which_records_it_used(folder: Path, tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite"
    path = station(folder).origin
    outcome = run(ReadReferences(station=path, database=str(database), seed=SEED, repeats=1))
    assert outcome.status == "finished"
    record = (folder / "records" / "smu-1.toml").read_bytes()
    with RunDatabase(database) as stored:
        used = stored.run(outcome.run_id)["calibration"]
    assert used["instrument record smu-1"] == f"sha256 {hashlib.sha256(record).hexdigest()}"


def test_a_calibrated_station_can_be_calibrated_again(folder: Path) -> None:
    run_id = read_references(folder, RESISTORS, SEED, records=BOTH)
    shorts = read_references(folder, SHORTS, SEED, records=BOTH)
    again = fit_instrument(folder / "runs.sqlite", [run_id, shorts], "smu-2", supersedes="smu-1")
    with RunDatabase(folder / "runs.sqlite") as database:
        stored = {each.record.record_id: each.record for each in database.calibrations()}
    for name in ("v_offset_v", "gain_10ua_ratio"):
        quantity = again.quantity(name)
        assert quantity.standard_uncertainty is not None
        assert abs(quantity.value - stored["smu-1"].value(name)) < 6 * quantity.standard_uncertainty
    assert again.head.supersedes == "smu-1"


@pytest.mark.parametrize("kind", ["twin", "twin-wire"])
def test_a_foreign_record_is_refused(folder: Path, kind: str) -> None:
    with pytest.raises(CalibrationError, match=r"smu-1 is .*'TWIN00000005', but 'TWIN00000006'"):
        open_board(station(folder, ("smu-1",), board=kind), seed=6)
    with pytest.raises(CalibrationError, match="of the switch board with UUID"):
        open_board(station(folder, ("board-1",), board=kind), seed=6)


def test_it_is_refused_before_any_output_goes_on(folder: Path) -> None:
    sent: list[bytes] = []
    with pytest.raises(CalibrationError):
        in_process_rig(station(folder), 6, before_smu=lambda _, data: sent.append(data))
    text = b"".join(sent).decode().upper()
    assert "*IDN?" in text
    assert "OUTP" not in text
    assert "SOUR" not in text


def test_an_expired_record_is_refused_and_the_command_line_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunDatabase(folder / "runs.sqlite") as database:
        runs = [summary.run_id for summary in database.runs()][-2:]
    created = datetime.date.today() - datetime.timedelta(days=400)
    old = fit_instrument(folder / "runs.sqlite", runs, "smu-old", created=created)
    write_record(old, folder / "records")
    path = station(folder, ("smu-old",)).origin
    database_path = tmp_path / "none.sqlite"
    with pytest.raises(SystemExit) as end:
        main(
            ["run", "read-references", "--station", path, "--db", str(database_path), "--seed", "5"]
        )
    assert end.value.code == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "instrument record 'smu-old' expired on" in lines[0]
    assert "35 days ago" in lines[0]
    assert not database_path.exists()


def test_resistors_that_were_changed_are_noticed(folder: Path) -> None:
    other = [socket | {"series_resistor_ohm": 4.7e4} for socket in UNKNOWN]
    text = reference_station(other, records=BOTH)
    path = folder / "changed.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"r_path_p0_ohm = 10.*, but the station says 47"):
        opened(load_station(path))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (("nothing",), "no calibration record 'nothing'"),
        (("smu-1", "smu-1"), "more than one instrument record"),
    ],
)
def test_records_that_make_no_sense(folder: Path, records: tuple[str, ...], message: str) -> None:
    with pytest.raises(StationError, match=message):
        opened(station(folder, records))


def test_a_twin_that_stands_in_applies_no_record_of_the_bench(folder: Path) -> None:
    text = (
        reference_station(UNKNOWN, board="smu", source="bench", records=("smu-1",))
        .replace('address = "twin:"', 'address = "TCPIP0::127.0.0.1::1::SOCKET"', 1)
        .replace('address = "twin:"', 'address = "/dev/ttyNOPE"', 1)
    )
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    with open_board(load_station(path), fallback="twin", seed=6) as board:
        assert board.info.calibration["instrument record smu-1"] == (
            "not applied: a twin stands in"
        )


def test_the_wrong_thing_in_a_socket_is_noticed(tmp_path: Path) -> None:
    """A station that says 10 kOhm where 12 kOhm sits."""
    run_id = read_references(tmp_path, SHORTS, SEED)
    wrong = [dict(socket) for socket in RESISTORS]
    wrong[2]["reference_ohm"] = 12e3
    other = read_references(tmp_path, wrong, SEED)
    connection = sqlite3.connect(tmp_path / "runs.sqlite")
    with connection:
        connection.execute(
            "UPDATE runs SET station_toml = replace(station_toml, '12000.0', '10000.0')"
        )
    connection.close()
    with pytest.raises(CalibrationError, match="check what is in the sockets"):
        fit_instrument(tmp_path / "runs.sqlite", [run_id, other], "smu-1")


def test_only_references_are_driven(folder: Path) -> None:
    memristor = {"name": "W01", "dopant": "W"}
    path = folder / "mixed.toml"
    path.write_text(reference_station([*UNKNOWN, memristor]), encoding="utf-8")
    database = str(folder / "mixed.sqlite")
    refused = run(ReadReferences(station=str(path), database=database, devices="W01"))
    assert refused.status == "failed"
    assert "memristor, no reference" in refused.error
    done = run(ReadReferences(station=str(path), database=database, repeats=1, levels="0.1"))
    assert done.status == "finished"
    with RunDatabase(database) as stored:
        devices = set(stored.arrays(done.run_id, "readings")["device"])
    assert devices == {"D0", "D1", "D2"}


def test_a_record_of_another_range_is_refused(folder: Path) -> None:
    text = reference_station(UNKNOWN, records=("smu-1",))
    wider = '[limits.reference]\nmax_voltage_v = 5.0\nreason = "a resistor"\n[devices]'
    path = folder / "wider.toml"
    path.write_text(text.replace("[devices]", wider), encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"of the 2 V range, but .* its 20 V range"):
        opened(load_station(path))
