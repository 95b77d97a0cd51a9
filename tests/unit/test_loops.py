from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.imports import (
    Duplicate,
    Facts,
    Stored,
    TableFacts,
    data_sha256,
    read_memristor_discovery,
    read_table,
    store_measurements,
)
from calibration.loops import Loop, read_loops, runs_with_loops
from calibration.sine import fit_sine
from hil.errors import StoreError, UsageError
from hil.store import RunDatabase, RunWriter
from hil.types import Dopant, Source
from procedures import IVSweep, PulseTrain, run
from tests.support.discovery import FACTS, csv, made_up_loop, write_pair
from tests.support.rigs import station_text
from tests.support.store_samples import run_start
from tests.support.supplied import supplied

SETTINGS = Facts.model_validate(FACTS)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


def store(database: Path, folder: Path) -> list[Stored | Duplicate]:
    return list(store_measurements(database, read_memristor_discovery([folder], None, SETTINGS)))


def loops_of(database: Path, device: str | None = None) -> list[Loop]:
    with RunDatabase(database) as opened:
        return read_loops(opened, runs_with_loops(opened), device)


# --- sines --------------------------------------------------------------------------------------


@given(
    st.floats(1e-3, 10),
    st.floats(-np.pi, np.pi),
    st.floats(-1, 1),
    st.integers(8, 500),
)
def test_a_sine_is_found_again(
    amplitude_v: float, phase_rad: float, offset_v: float, n: int
) -> None:
    v_v = offset_v + amplitude_v * np.sin(2 * np.pi * np.arange(n) / n + phase_rad)
    sine = fit_sine(v_v, 10.0)
    assert sine.amplitude_v == pytest.approx(amplitude_v, rel=1e-9)
    assert sine.offset_v == pytest.approx(offset_v, abs=1e-9)
    assert np.cos(sine.phase_rad - phase_rad) == pytest.approx(1, abs=1e-12)
    assert -np.pi <= sine.phase_rad <= np.pi
    assert sine.residual_v < 1e-9
    assert sine.is_sine


@pytest.mark.parametrize("periods", [0.5, 0.95, 1.05, 2.0])
def test_another_length_than_one_period_is_no_sine(periods: float) -> None:
    v_v = np.sin(2 * np.pi * periods * np.arange(200) / 200)
    assert not fit_sine(v_v, 10.0).is_sine


def test_zero_volt_is_no_sine() -> None:
    assert not fit_sine(np.zeros(200), 10.0).is_sine


# --- imported loops -----------------------------------------------------------------------------


@given(st.floats(-np.pi, np.pi))
def test_a_periodic_loop_begins_where_the_source_rises_through_zero(phase_rad: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        loop = aligned(patch, phase_rad)
    assert loop.sine is not None
    assert 0 <= loop.t_s[0] < 0.1 / 200
    expected_v = 0.8 * np.sin(2 * np.pi * 10 * loop.t_s)
    np.testing.assert_allclose(loop.v_source_v, expected_v, atol=1e-6)
    np.testing.assert_allclose(loop.v_source_v - 5000 * loop.i_a, loop.v_device_v, atol=1e-12)


def aligned(patch: pytest.MonkeyPatch, phase_rad: float) -> Loop:
    from calibration import loops

    v_source_v, v_device_v, i_a = made_up_loop(phase_rad=phase_rad)
    told = FACTS | {
        "device": "M1",
        "series_resistor_ohm": 5000.0,
        "frequency_hz": 10.0,
        "amplitude_v": 0.8,
        "periodic": True,
        "data_sha256": "0" * 64,
    }
    points = {
        "t_s": np.arange(200) / 2000,
        "v_source_v": v_source_v,
        "v_device_v": v_device_v,
        "i_a": i_a,
    }
    return loops._imported({"id": "X", "source": "bench", "parameters": told}, points)


def test_an_import_is_a_bench_run_that_nobody_takes_for_ours(
    tmp_path: Path, database: Path
) -> None:
    write_pair(tmp_path / "in")
    (done,) = store(database, tmp_path / "in")
    assert isinstance(done, Stored)
    with RunDatabase(database) as opened:
        details = opened.run(done.run_id)
        points = opened.arrays(done.run_id, "sweep_points")
    assert (details["source"], details["board_kind"], details["station"]) == (
        "bench",
        "import",
        "import",
    )
    assert details["procedure"] == "import"
    assert details["status"] == "finished"
    assert details["source_reason"] == "imported: Nobody, made up"
    assert details["parameters"]["dopant"] == "W"
    assert [file["name"] for file in details["parameters"]["files"]] == [
        "Rs5k_0p8V_10Hz_M1_memristor.csv",
        "Rs5k_0p8V_10Hz_M1_applied.csv",
    ]
    v_source_v, v_device_v, i_a = made_up_loop()
    np.testing.assert_array_equal(points["v_source_v"], v_source_v)  # raw, in file order
    assert set(points["source"]) == {"bench"}
    device_j = np.sum(v_device_v * i_a) / 2000
    assert details["energy"]["device_j"] == pytest.approx(device_j)
    assert details["energy"]["series_j"] == pytest.approx(np.sum(5000 * i_a**2) / 2000)
    assert np.isnan(details["energy"]["instrument_j"])


def test_a_stored_loop_is_read_as_it_was_measured(tmp_path: Path, database: Path) -> None:
    write_pair(tmp_path / "in")
    store(database, tmp_path / "in")
    (loop,) = loops_of(database)
    assert (loop.device, loop.dopant, loop.r_series_ohm) == ("M1", Dopant.W, 5000.0)
    assert loop.label == "5 kOhm 0.8 V 10 Hz"
    assert loop.source is Source.BENCH
    assert loop.attribution == "Nobody, made up"
    assert loop.is_periodic
    assert loop.frequency_hz == 10
    assert loop.amplitude_v == pytest.approx(0.8)
    assert loop.sine is not None
    assert loop.sine.phase_rad == pytest.approx(0.7)
    (read,) = read_memristor_discovery([tmp_path / "in"], None, SETTINGS)
    assert loop.sha256 == read.sha256
    first = int(np.argmin(np.abs(read.v_source_v - loop.v_source_v[0])))
    np.testing.assert_array_equal(np.roll(read.i_a, -first), loop.i_a)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=20))
def test_the_hash_sees_numbers_only(values: list[float]) -> None:
    a = np.array(values)
    assert data_sha256(a, a, a) == data_sha256(a * 1.0, a + 0.0, np.negative(-a))
    b = a.copy()
    b[-1] = np.nextafter(b[-1], 2)
    assert data_sha256(a, a, a) != data_sha256(a, a, b)


def test_the_same_data_again_are_left_out(tmp_path: Path, database: Path) -> None:
    memristor, applied = write_pair(tmp_path / "in")
    (first,) = store(database, tmp_path / "in")
    assert isinstance(first, Stored)
    (again,) = store(database, tmp_path / "in")
    assert isinstance(again, Duplicate)
    assert again.run_id == first.run_id
    assert "wrong" not in str(again)
    for file in (memristor, applied):  # another program's line endings change every byte
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    (saved_again,) = store(database, tmp_path / "in")
    assert isinstance(saved_again, Duplicate)
    assert len(loops_of(database)) == 1


def test_the_same_data_of_two_devices_are_named_on_both_sides(
    tmp_path: Path, database: Path
) -> None:
    write_pair(tmp_path / "in", "Rs5k_0p8V_10Hz_M2")
    write_pair(tmp_path / "in", "Rs5k_0p8V_10Hz_M1")
    stored, left_out = store(database, tmp_path / "in")
    assert isinstance(stored, Stored)
    assert isinstance(left_out, Duplicate)
    assert (stored.measurement.facts.device, left_out.device) == ("M1", "M1")
    assert "they cannot be of device M2 as well: one name is wrong" in str(left_out)
    with RunDatabase(database) as opened:
        events = opened.run(stored.run_id)["events"]
    assert [(e["level"], e["kind"]) for e in events] == [
        ("info", "import"),
        ("warning", "duplicate"),
    ]
    assert "device M2" in events[1]["message"]


def test_a_failed_import_may_be_tried_again(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path / "in")
    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "sweep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store(database, tmp_path / "in")
    with RunDatabase(database) as opened:
        (failed,) = opened.runs()
        assert failed.status == "failed"
        assert runs_with_loops(opened) == []
    (again,) = store(database, tmp_path / "in")
    assert isinstance(again, Stored)


def test_a_table_becomes_a_loop(tmp_path: Path, database: Path) -> None:
    v_source_v, v_device_v, i_a = made_up_loop()
    path = tmp_path / "a.csv"
    path.write_text("t_ms,v_source_v,i_a\n" + csv(np.arange(200.0) + 7, v_source_v, i_a))
    facts = {"device": "X", "series_resistor_ohm": 5000, **FACTS}
    measurement = read_table(path, settings=TableFacts.model_validate(facts))
    list(store_measurements(database, [measurement]))
    (loop,) = loops_of(database)
    np.testing.assert_allclose(loop.t_s, np.arange(200) * 1e-3, atol=1e-12)
    np.testing.assert_array_equal(loop.v_source_v, v_source_v)  # not periodic: not turned
    np.testing.assert_allclose(loop.v_device_v, v_device_v, atol=1e-12)
    assert (loop.is_periodic, loop.frequency_hz, loop.sine) == (False, None, None)
    assert loop.label == "5 kOhm 0.8 V"


def test_the_supplied_loops_become_seventeen(database: Path) -> None:
    done = store(database, supplied("knowm/w-sdc-iv"))
    (left_out,) = [d for d in done if isinstance(d, Duplicate)]
    assert "47k_0p8V_10Hz_M2" in left_out.measurement.name
    assert left_out.device == "M1"
    loops = loops_of(database)
    assert len(loops) == 17
    assert [len(loops_of(database, device)) for device in ("M1", "M2")] == [9, 8]
    for loop in loops:
        assert loop.sine is not None
        assert loop.sine.residual_ratio < 1e-3
        assert 0 <= loop.t_s[0] * 200 * (loop.frequency_hz or 0) < 1
        assert abs(loop.v_source_v[0]) < 0.8 * 2 * np.pi / 200 + 2e-3
        assert loop.v_source_v[50] == pytest.approx(loop.amplitude_v, abs=2e-3)


# --- our own runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ["twin", "twin-wire"])
def test_our_own_sweeps_are_loops(tmp_path: Path, database: Path, board: str) -> None:
    station = tmp_path / "station.toml"
    station.write_text(station_text(board), encoding="utf-8")
    done = run(
        IVSweep(
            station=str(station),
            device="W01",
            amplitude_v=0.6,
            points=20,
            loops=2,
            database=str(database),
        )
    )
    assert done.status == "finished", done.error
    first, second = loops_of(database, "W01")
    assert first.run_id == done.run_id
    assert first.r_series_ohm == 10_075.0
    assert first.label == "10 kOhm 0.8 V loop 1"
    assert second.label == "10 kOhm 0.8 V loop 2"
    assert (first.dopant, first.source, first.is_periodic) == (Dopant.W, Source.TWIN, False)
    assert first.t_s[0] == 0
    assert len(first.t_s) == 20
    assert first.frequency_hz == pytest.approx(1 / (20 * 0.01), rel=0.2)
    drop_v = first.v_source_v - first.v_device_v
    np.testing.assert_allclose(drop_v, first.r_series_ohm * first.i_a, atol=1e-9)
    assert first.sha256 != second.sha256


def test_what_holds_no_loop_is_refused(tmp_path: Path, database: Path) -> None:
    write_pair(tmp_path / "in")
    store(database, tmp_path / "in")
    pulses = run(PulseTrain(station="twin", cycles=1, database=str(database)))
    with RunDatabase(database) as opened:
        with pytest.raises(UsageError, match=r"PulseTrain\) holds no current-voltage loop"):
            read_loops(opened, [pulses.run_id])
        with pytest.raises(UsageError, match=r"no loop of device 'M9'.*loops of M1"):
            read_loops(opened, runs_with_loops(opened), "M9")
        with pytest.raises(StoreError, match="no run starts with"):
            read_loops(opened, ["nope"])
        assert len(read_loops(opened, runs_with_loops(opened) * 2)) == 1


def test_parameters_are_those_of_finished_runs_of_one_procedure(database: Path) -> None:
    for procedure, status in (("a", "finished"), ("b", "finished"), ("a", "failed")):
        writer = RunWriter.begin(database, run_start(procedure))
        writer.finish(status)
    with RunDatabase(database) as opened:
        ((_, parameters),) = opened.parameters_of("a").items()
    assert parameters["v_read_v"] == 0.05
