from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.comparing.compare import compare_run
from calibration.comparing.drift import check_drift
from calibration.comparing.loop_features import loop_features
from calibration.comparing.loop_replay import replay_loops, start_siemens
from calibration.comparing.verdicts import AGREES, DIFFERS, UNKNOWN, loop_overlay, loop_verdicts
from calibration.imports import Facts, read_memristor_discovery, store_measurements
from calibration.loops import Loop, read_loops
from hil.errors import StationError, UsageError
from hil.records import Validity, make_record, write_record
from hil.store import RunDatabase, RunWriter
from hil.types import Dopant
from procedures.base import BoardProcedure
from procedures.iv_sweep import IVSweep
from procedures.program_verify import ProgramVerify
from procedures.pulse_train import PulseTrain
from procedures.runner import run
from tests.support.store_samples import run_start
from tests.support.supplied import supplied
from tests.support.twins import OTHER, SOUND, twin_file
from twin.devices.mss import MssDevices
from twin.parameters import load_record, stack_records

SHORT = {"set_pulses": 4, "reset_pulses": 4, "cycles": 1}


def resistor_loop(r_ohm: float = 15e3, r_series_ohm: float = 5e3) -> Loop:
    t_s = np.arange(200) / 200
    v_v = 0.8 * np.sin(2 * np.pi * t_s)
    i_a = v_v / (r_ohm + r_series_ohm)
    return Loop(
        device="R1",
        dopant=Dopant.W,
        run_id="",
        r_series_ohm=r_series_ohm,
        t_s=t_s,
        v_source_v=v_v,
        v_device_v=i_a * r_ohm,
        i_a=i_a,
        is_periodic=True,
        frequency_hz=1.0,
        amplitude_v=0.8,
        sha256="",
        label="5 kOhm 0.8 V 1 Hz",
    )


def stored(database: Path, procedure: type[BoardProcedure], **parameters: Any) -> str:
    outcome = run(procedure(database=str(database), **parameters))
    assert outcome.status == "finished", outcome.error
    return outcome.run_id


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


def test_the_figures_of_a_resistor() -> None:
    loop = resistor_loop()
    found = loop_features(loop)
    assert found.energy_j == pytest.approx(15e3 * (0.8 / 20e3) ** 2 / 2, rel=1e-3)
    assert found.set_v == pytest.approx(0.6)
    assert found.g_before_siemens == pytest.approx(1 / 15e3)
    assert found.g_after_siemens == pytest.approx(1 / 15e3)
    assert start_siemens(loop) == pytest.approx(1 / 15e3)


def test_a_device_that_gives_way_and_comes_back_is_read_off_where_it_does() -> None:
    loop = resistor_loop()
    on = (np.arange(200) >= 30) & (np.arange(200) < 120)
    r_ohm = np.where(on, 2e3, 50e3)
    i_a = loop.v_source_v / (r_ohm + 5e3)
    loop = replace(loop, i_a=i_a, v_device_v=i_a * r_ohm)
    found = loop_features(loop)
    assert found.g_before_siemens == pytest.approx(1 / 50e3)
    assert found.g_after_siemens == pytest.approx(1 / 2e3)
    assert found.set_v == pytest.approx(loop.v_device_v[29])
    assert found.reset_v == pytest.approx(loop.v_device_v[120])


def test_a_loop_agrees_with_itself_and_not_with_twice_the_current() -> None:
    loop = resistor_loop()
    same = loop_verdicts(loop, loop, 0.1)
    assert {v.verdict for v in same} == {AGREES, UNKNOWN}  # a resistor has no RESET
    assert loop_overlay(loop, loop, 0.1).r2 == 1.0
    twice = replace(loop, i_a=2 * loop.i_a)
    (current, energy) = (v for v in loop_verdicts(twice, loop, 0.1) if v.decides)
    assert current.quantity == "current (rms)"
    assert current.ratio == pytest.approx(1 / (2 * 0.1))
    assert current.verdict == energy.verdict == DIFFERS


def test_a_periodic_loop_is_driven_until_it_repeats() -> None:
    devices = MssDevices(stack_records([load_record(SOUND)]))
    loop = resistor_loop()
    (first,) = replay_loops([loop], devices)
    once_more = devices.conductance_siemens(np.array([0]))
    (second,) = replay_loops([replace(loop, i_a=first.i_a, v_device_v=first.v_device_v)], devices)
    assert devices.conductance_siemens(np.array([0])) == pytest.approx(once_more, rel=2e-3)
    assert np.abs(second.i_a - first.i_a).max() < 0.01 * np.abs(first.i_a).max()
    drop_v = first.v_source_v - first.v_device_v
    np.testing.assert_allclose(drop_v, first.i_a * 5e3, atol=1e-12)


def test_a_train_of_pulses_agrees_with_its_own_twin(tmp_path: Path, database: Path) -> None:
    station = twin_file(tmp_path, "a")
    stored(database, PulseTrain, station=station, seed=3, **SHORT)
    with RunDatabase(database) as opened:
        report = compare_run(opened, "latest", station)
    assert (report.verdict, report.differing) == (AGREES, [])
    assert {v.quantity for v in report.verdicts} == {"conductance", "end current", "energy"}
    (overlay,) = report.overlays
    assert (overlay.device, overlay.quantity, len(overlay.measured)) == ("W01", "conductance", 8)
    assert overlay.r2 > 0.999
    assert report.twins["W01"].record_id == SOUND
    (note,) = report.notes
    assert note.startswith("W01: pulsed before anything was read")


@pytest.mark.parametrize("against", ["record", "station"])
def test_and_differs_from_that_of_another_device(
    tmp_path: Path, database: Path, against: str
) -> None:
    stored(database, PulseTrain, station=twin_file(tmp_path, "a"), set_v=0.3, **SHORT)
    twin = OTHER if against == "record" else twin_file(tmp_path, "b", drifted=[0])
    with RunDatabase(database) as opened:
        report = compare_run(opened, "latest", twin)
        tolerant = compare_run(opened, "latest", twin, model_ratio=2.0)
    assert report.differing == ["W01"]
    assert report.twins["W01"].record_id == OTHER
    assert tolerant.verdict == AGREES


def test_sweeps_are_compared_point_by_point(tmp_path: Path, database: Path) -> None:
    station = twin_file(tmp_path, "a", board="twin-wire")
    stored(database, IVSweep, station=station, device="W02", points=32)
    with RunDatabase(database) as opened:
        same = compare_run(opened, "latest", SOUND)
        other = compare_run(opened, "latest", OTHER)
    assert [o.conditions for o in same.overlays] == [
        "10 kOhm 0.8 V loop 1",
        "10 kOhm 0.8 V loop 2",
    ]
    assert same.verdict == AGREES
    assert min(o.r2 for o in same.overlays) > 0.995
    assert other.differing == ["W02"]


def test_the_devices_that_have_drifted_are_named(tmp_path: Path, database: Path) -> None:
    sound = twin_file(tmp_path, "sound", n=2)
    moved = twin_file(tmp_path, "moved", drifted=[1], n=2)
    before = stored(database, ProgramVerify, station=sound, devices="W")
    after = stored(database, ProgramVerify, station=moved, devices="W")
    with RunDatabase(database) as opened:
        assert check_drift(opened, [before], SOUND).drifted == []
        checked = check_drift(opened, [before, after, "latest"], SOUND)
    assert checked.drifted == ["W02"]
    assert len(checked.reports) == 2  # none twice
    assert {event["device"] for event in checked.events} == {"W02"}
    assert {event["run_id"] for event in checked.events} == {after}
    by_name = {found.device: found for found in checked.devices}
    assert by_name["W01"].verdict == AGREES
    assert by_name["W01"].n_apart == 0
    assert by_name["W02"].record_ids == (SOUND,)


def test_what_cannot_be_compared_is_refused(tmp_path: Path, database: Path) -> None:
    RunWriter.begin(
        database,
        replace(
            run_start(), station_toml=Path(twin_file(tmp_path, "a")).read_text(encoding="utf-8")
        ),
    ).finish("finished")
    with RunDatabase(database) as opened:
        with pytest.raises(UsageError, match="nothing that a twin could be compared with"):
            compare_run(opened, "latest", SOUND)
        with pytest.raises(StationError, match=r"no station 'w-m9'.*nor a record: .*w-m1"):
            compare_run(opened, "latest", "w-m9")


@pytest.fixture
def own_records(tmp_path: Path) -> Path:
    """A folder with three records of W03: the last of them is current."""
    folder = tmp_path / "own"
    sound = load_record(SOUND)
    for k, supersedes in ((1, None), (2, "w03-1"), (3, "w03-2")):
        head = sound.head.model_copy(
            update={
                "id": f"w03-{k}",
                "subject": "board A W03",
                "created": datetime.date(2026, 12, k),
                "supersedes": supersedes,
            }
        )
        validity = Validity.of(None, {"v_source_v": (-0.3, 0.3)})
        record = make_record(
            head, sound.record.parameters, conditions=sound.record.conditions, validity=validity
        )
        write_record(record, folder)
    return folder


def test_without_a_choice_the_newest_record_of_the_device_is_taken(
    tmp_path: Path, database: Path, own_records: Path
) -> None:
    station = twin_file(tmp_path, "a")
    stored(database, IVSweep, station=station, device="W03", points=40, loops=1)
    with RunDatabase(database) as opened:
        report = compare_run(opened, "latest", folder=own_records)
    twin = report.twins["W03"]
    assert (twin.record_id, twin.why) == ("w03-3", "newest record of board A W03")
    assert any("outside the validity range of record w03-3: v_source_v" in n for n in report.notes)
    assert report.verdict == AGREES


def test_a_device_without_a_record_is_compared_with_another_one_and_it_says_so(
    tmp_path: Path, database: Path, own_records: Path
) -> None:
    stored(database, PulseTrain, station=twin_file(tmp_path, "a"), **SHORT)
    with RunDatabase(database) as opened:
        report = compare_run(opened, "latest", folder=own_records)
    assert "there is NO RECORD OF W01" in report.twins["W01"].why


@pytest.fixture(scope="module")
def knowm(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunDatabase, dict[str, Loop]]]:
    folder = supplied("knowm/w-sdc-iv")
    path = tmp_path_factory.mktemp("knowm") / "runs.sqlite"
    measurements = read_memristor_discovery(
        [folder], None, Facts(dopant="W", attribution="Knowm Memristor Discovery, Knowm Inc.")
    )
    list(store_measurements(path, measurements))
    with RunDatabase(path) as opened:
        loops = read_loops(opened, [run.run_id for run in opened.runs()])
        yield opened, {f"{loop.device} {loop.label}": loop for loop in loops}


@pytest.mark.parametrize(("device", "record"), [("M1", "w-m1"), ("M2", "w-m2")])
def test_a_measured_loop_agrees_with_the_record_fitted_to_it(
    knowm: tuple[RunDatabase, dict[str, Loop]], device: str, record: str
) -> None:
    database, loops = knowm
    report = compare_run(database, loops[f"{device} 5 kOhm 0.8 V 10 Hz"].run_id, record)
    assert report.source == "bench"
    assert report.verdict == AGREES
    (overlay,) = report.overlays
    assert overlay.r2 > 0.96
    assert "Knowm" in report.attribution


def test_and_not_with_one_that_has_moved(knowm: tuple[RunDatabase, dict[str, Loop]]) -> None:
    database, loops = knowm
    report = compare_run(database, loops["M1 5 kOhm 0.3 V 10 Hz"].run_id, "cr-assumed")
    assert report.differing == ["M1"]
