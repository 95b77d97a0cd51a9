"""``hil calibrate device``, from imported files to a record that a twin can be made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration.fitting.fit_parameters import HELD
from calibration.fitting.loop_simulator import LoopSimulator
from hil.records import load_record
from hil.store import RunDatabase
from tests.procedures.conftest import Hil
from tests.support.discovery import write_pair
from tests.support.planted_loops import M1_LIKE, sine_loop, with_current

IMPORT = ("--set", "dopant=W", "--set", "attribution=Nobody, made up", "--db", "runs.sqlite")
FIT = ("--db", "runs.sqlite", "--out", "records", "--starts", 1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hil: Hil) -> Path:
    monkeypatch.chdir(tmp_path)
    conditions = {"Rs5k_0p8V_100Hz_P1": (5e3, 100.0), "Rs47k_0p8V_1000Hz_P1": (47e3, 1e3)}
    loops = [sine_loop(r_ohm, f_hz) for r_ohm, f_hz in conditions.values()]
    values = {name: np.array([value]) for name, value in (HELD | M1_LIKE).items()}
    clean = [i_a[0] for i_a in LoopSimulator(loops, steps_per_point=9).current_a(values)]
    rng = np.random.default_rng(0)
    noisy = [
        i_a + 0.34e-3 / loop.r_series_ohm * rng.standard_normal(200)
        for i_a, loop in zip(clean, loops, strict=True)
    ]
    for name, loop in zip(conditions, with_current(loops, np.array(noisy)), strict=True):
        write_pair(tmp_path / "loops", name, (loop.v_source_v, loop.v_device_v, loop.i_a))
    assert hil("import", "memristor-discovery", "loops", *IMPORT).code == 0
    return tmp_path


def test_a_device_becomes_a_record(hil: Hil, here: Path) -> None:
    said = hil(
        "calibrate",
        "device",
        *FIT,
        "--id",
        "p1-1",
        "--plot",
        "fit.png",
        "--board-capacitance",
        0,
        "--load",
        0,
    )
    assert (said.code, said.err) == (0, "")
    assert "trade off" in said.out or "identified" in said.out
    assert (here / "fit.png").stat().st_size > 10_000
    record = load_record("p1-1", ["records"])
    assert record.head.subject == "P1"
    assert record.conditions.series_resistor_ohm == [5e3, 47e3]
    assert record.quality["r2_all"] > 0.99
    assert record.value("r_on_ohm") == pytest.approx(M1_LIKE["r_on_ohm"], rel=0.3)
    assert record.data is not None
    assert record.data.files
    with RunDatabase("runs.sqlite") as database:
        assert [row.record.record_id for row in database.calibrations()] == ["p1-1"]
    again = hil("calibrate", "device", *FIT, "--id", "p1-1")
    assert again.code == 2
    assert "never edited" in again.error_line


def test_wrong_usage_is_one_line(hil: Hil, here: Path) -> None:
    for arguments, words in (
        (("--device", "P9"), "P9"),
        (("--plot", "fit.doc"), ".png"),
        (("--id", "P1!"), "only a to z"),
        (("--test", "3 V"), "no loop's label"),
        (("nothing",), "nothing"),
    ):
        said = hil("calibrate", "device", *FIT, *arguments)
        assert said.code in (1, 2)
        assert words in said.error_line
    assert not (here / "records").exists()


def test_nothing_is_written_when_it_is_aborted(
    hil: Hil, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("calibration.fitting.fit.LoopProblem.descend", interrupted)
    said = hil("calibrate", "device", *FIT)
    assert said.code == 3
    assert said.err.strip() == "hil: aborted"
    assert not (here / "records").exists()


def test_json_is_one_document(hil: Hil, here: Path) -> None:
    said = hil(
        "calibrate",
        "device",
        *FIT,
        "--model",
        "mss",
        "--json",
        "--id",
        "p1-mss",
        "--test",
        "47 kOhm",
    )
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    assert found["record"]["record"]["id"] == "p1-mss"
    assert list(found["predicted"]) == ["47 kOhm 0.8 V 1 kHz"]
    assert set(found["identifiability"]) == {
        "r_on_ohm",
        "r_off_ohm",
        "v_on_v",
        "v_off_v",
        "tau_on_s",
    }
