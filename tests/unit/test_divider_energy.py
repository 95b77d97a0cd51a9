from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hil.store import RunDatabase, RunWriter
from procedures.reports.divider import divider_energy
from procedures.reports.summary import as_text, summarise
from tests.support.rigs import SWITCH_OHM, small_station
from tests.support.store_samples import pulses, readings, run_start

STATION = small_station()


def written(path: Path, station_toml: str = STATION.text, last_is_read: bool = True) -> RunDatabase:
    start = replace(run_start(n=3), station_toml=station_toml)
    info = replace(start.info, devices=STATION.devices[:3])
    writer = RunWriter.begin(path, replace(start, info=info))
    writer.readings(readings(3, [1.0, 1.0, 1.0]))
    writer.pulses(pulses(3, 0.8))
    writer.readings(readings(3, [1e-4, 2e-4, 4e-4]))
    writer.pulses(pulses(3, -1.0))
    if last_is_read:
        writer.readings(readings(3, [1e-5, 1e-5, 1e-5]))
    writer.finish("finished")
    return RunDatabase(path)


def test_takes_the_resistance_after_the_pulse(tmp_path: Path) -> None:
    with written(tmp_path / "a.sqlite") as database:
        compared = divider_energy(database, database.find("latest").run_id)
    fixed_ohm = 10e3 + SWITCH_OHM
    expected_j = sum(
        n * 0.02 * (0.64 / (1 / g + fixed_ohm) + 1.0 / (1e5 + fixed_ohm))
        for n, g in zip((1, 2, 3), (1e-4, 2e-4, 4e-4), strict=True)
    )
    assert compared is not None
    assert compared["formula_j"] == pytest.approx(expected_j, rel=1e-12)
    assert compared["device_j"] == pytest.approx(2 * (1.0 + 2.0 + 3.0))
    assert compared["factor_ratio"] == pytest.approx(expected_j / 12.0)
    assert (compared["n_pulses"], compared["n_left_out"]) == (12, 0)


def test_leaves_out_pulses_that_nobody_read(tmp_path: Path) -> None:
    with written(tmp_path / "a.sqlite", last_is_read=False) as database:
        run = database.find("latest")
        compared = divider_energy(database, run.run_id)
        shown = as_text(summarise(database, run))
    assert compared is not None
    assert compared["device_j"] == pytest.approx(6.0)
    assert (compared["n_pulses"], compared["n_left_out"]) == (6, 6)
    assert "6 pulses that no read followed are left out" in shown


def test_says_nothing_without_a_usable_station(tmp_path: Path) -> None:
    with written(tmp_path / "a.sqlite", station_toml='name = "x"\n') as database:
        run = database.find("latest")
        assert divider_energy(database, run.run_id) is None
        assert "divider" not in as_text(summarise(database, run))
