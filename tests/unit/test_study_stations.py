from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from hil.errors import UsageError
from hil.opening import open_board
from hil.records import load_record
from hil.station import Station, load_station
from hil.types import Dopant
from procedures.studies.eslami.plan import questions, seeds
from procedures.studies.eslami.sensitivity import RANGES, draw_changes
from procedures.studies.stations import BASE_STATION, StationVariant
from procedures.studies.tasks import StudyTask
from tests.support.studies import train

DOPANTS = ("W", "Cr", "C")


def written(variant: StationVariant, folder: Path) -> Station:
    """The station of a variant, read back from its files."""
    for name, text in variant.files().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_station(str(folder / "station.toml"))


@pytest.mark.parametrize("dopant", DOPANTS)
@pytest.mark.parametrize("n_devices", [1, 30, 60])
def test_the_station_has_the_devices_that_were_asked_for(
    dopant: str, n_devices: int, tmp_path: Path
) -> None:
    table = written(StationVariant(dopant, n_devices), tmp_path).table
    assert len(table.devices) == n_devices
    assert {device.dopant for device in table.devices.values()} == {dopant}
    assert sorted(device.position for device in table.devices.values()) == list(range(n_devices))
    assert list(table.twin.records) == [dopant]


@pytest.mark.parametrize("dopant", DOPANTS)
def test_all_else_is_that_of_the_base_station(dopant: str, tmp_path: Path) -> None:
    base = load_station(BASE_STATION).table
    table = written(StationVariant(dopant), tmp_path).table
    assert (table.smu, table.switch_board, table.neurons) == (
        base.smu,
        base.switch_board,
        base.neurons,
    )
    assert table.neurons is not None
    assert table.twin.records[Dopant(dopant)] == base.twin.records[Dopant(dopant)]
    device = next(d for d in base.devices.values() if d.dopant == dopant)
    expected_ohm = device.series_resistor_ohm or base.circuit.series_resistor_ohm
    assert table.circuit.series_resistor_ohm == expected_ohm
    assert table.circuit.tolerance_ratio == base.circuit.tolerance_ratio


def test_the_spreads_and_the_noise_arrive(tmp_path: Path) -> None:
    plain = written(StationVariant(), tmp_path).table.twin
    assert (plain.device_spread, plain.cycle_spread, plain.instrument_noise) == (1.0, True, True)
    variant = StationVariant(device_spread=2.0, cycle_spread=False, instrument_noise=False)
    other = written(variant, tmp_path).table.twin
    assert (other.device_spread, other.cycle_spread, other.instrument_noise) == (2.0, False, False)


@pytest.mark.parametrize("dopant", DOPANTS)
def test_a_board_opens_on_it_and_says_that_it_is_a_twin(dopant: str, tmp_path: Path) -> None:
    changes = draw_changes(dopant, 1, 0) if dopant != "W" else {}
    station = written(StationVariant(dopant, 3, changes=changes), tmp_path)
    with open_board(station, seed=1) as board:
        assert board.info.source.value == "twin"
        assert board.info.shape[0] * board.info.shape[1] >= 3
        assert (board.measure(board.info.all_cells, 0.1).g_siemens > 0).all()


CHANGES = {"r_on_ohm": 1.5, "tau_on_s": 0.5, "v_on_v": 0.03, "c2c_v_on_v": -0.002}


def test_changes_are_factors_and_shifts_and_the_record_says_assumed(tmp_path: Path) -> None:
    station = written(StationVariant("Cr", 2, changes=CHANGES), tmp_path)
    (name,) = station.table.twin.records[Dopant.CR]
    base = load_record(load_station(BASE_STATION).table.twin.records[Dopant.CR][0])
    changed = load_record(name, [station.records_folder])
    assert name == f"{base.record_id}-changed"
    for key, old in base.parameters.items():
        new = changed.parameters[key]
        assert new.unit == old.unit
        if key not in CHANGES:
            assert new == old, key
            continue
        is_factor = key in ("r_on_ohm", "tau_on_s")
        expected = old.value * CHANGES[key] if is_factor else old.value + CHANGES[key]
        assert new.value == pytest.approx(expected, rel=1e-12)
        assert new.status == "assumed"
        assert "sensitivity" in new.source
    assert "Never report as measured" in str(changed.head.note)


def test_every_record_of_a_dopant_is_changed(tmp_path: Path) -> None:
    station = written(StationVariant("W", 2, changes={"v_on_v": 0.01}), tmp_path)
    base = load_station(BASE_STATION).table.twin.records[Dopant.W]
    assert station.table.twin.records[Dopant.W] == [f"{name}-changed" for name in base]


@pytest.mark.parametrize(
    "changes", [{"r_off_ohm": 1 / 3, "r_on_ohm": 2.0}, {"r_off_ohm": 0.05}, {"r_on_ohm": 20.0}]
)
def test_the_first_state_stays_between_the_ends(changes: dict[str, float], tmp_path: Path) -> None:
    station = written(StationVariant("C", 2, changes=changes), tmp_path)
    record = load_record(station.table.twin.records[Dopant.C][0], [station.records_folder])
    low, first, high = (record.value(f"r_{name}_ohm") for name in ("on", "init", "off"))
    assert low <= first < high


@pytest.mark.parametrize("dopant", ["Cr", "C"])
def test_every_draw_of_the_study_makes_a_station(dopant: str, tmp_path: Path) -> None:
    for seed in seeds():
        for draw in range(2):
            folder = tmp_path / f"{seed}-{draw}"
            folder.mkdir()
            changes = draw_changes(dopant, seed, draw)
            assert all(RANGES[name].low <= v <= RANGES[name].high for name, v in changes.items())
            with open_board(written(StationVariant(dopant, 2, changes=changes), folder), seed=1):
                pass


@pytest.mark.parametrize(
    ("variant", "named"),
    [
        (StationVariant("Au"), "Au"),
        (StationVariant("reference"), "reference"),
        (StationVariant(changes={"r_un_ohm": 2.0}), "r_un_ohm"),
    ],
)
def test_what_there_is_not_is_refused(variant: StationVariant, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        variant.files()


# --- keys ---------------------------------------------------------------------------------------

BASE = train(1)
assert isinstance(BASE.variant, StationVariant)
BASE_VARIANT = BASE.variant
VARIANTS: dict[str, dict[str, Any]] = {
    "dopant": {"dopant": "Cr"},
    "devices": {"n_devices": 3},
    "device spread": {"device_spread": 0.5},
    "cycle spread": {"cycle_spread": False},
    "instrument noise": {"instrument_noise": False},
    "changes": {"changes": {"v_on_v": 0.01}},
}
VARIED: dict[str, StudyTask] = {
    "procedure": replace(BASE, procedure="read-array", parameters={}),
    "parameter": replace(BASE, parameters={**BASE.parameters, "set_v": 0.4}),
    "seed": replace(BASE, seed=2),
    **{
        name: replace(BASE, variant=replace(BASE_VARIANT, **values))
        for name, values in VARIANTS.items()
    },
}


def test_every_field_of_a_variant_is_varied() -> None:
    varied = {name for values in VARIANTS.values() for name in values}
    assert varied == {field.name for field in fields(StationVariant)}


def test_every_field_that_decides_the_outcome_counts_for_the_key() -> None:
    keys = {name: task.key for name, task in VARIED.items()}
    assert BASE.key not in keys.values()
    assert len(set(keys.values())) == len(keys)


@pytest.mark.parametrize(
    "other", [{"label": "x"}, {"keeps_rows": True}, {"places": {"mnist_folder": "/data"}}]
)
def test_what_does_not_decide_the_outcome_does_not(other: dict[str, Any]) -> None:
    assert replace(BASE, **other).key == BASE.key


def test_a_default_that_is_given_is_the_same_as_one_that_is_left_out() -> None:
    given = replace(BASE, parameters={**BASE.parameters, "set_v": 0.5, "v_read_v": 0.1})
    assert given.key == BASE.key


def test_the_version_of_this_software_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = train(1).key
    monkeypatch.setattr(
        "procedures.studies.tasks.software_versions", lambda: {"memristor-hil": "99"}
    )
    assert train(1).key != before


def test_no_two_tasks_of_the_study_that_differ_share_a_key() -> None:
    asked: dict[str, Any] = {}
    for question in questions():
        for _, task in question.tasks((1, 2)):
            assert asked.setdefault(task.key, task.as_json) == task.as_json
    assert len(asked) > 100


def test_the_quick_study_is_a_part_of_the_whole_one() -> None:
    assert set(seeds(quick=True)) < set(seeds())
    whole, quick = (
        {task.key for q in questions(quick=is_quick) for _, task in q.tasks((1,))}
        for is_quick in (False, True)
    )
    assert quick < whole


PRINT_KEYS = """
from hil.types import Dopant
from procedures.studies.eslami.plan import questions
for question in questions(quick=True):
    for _, task in question.tasks((1,)):
        print(task.key)
"""


def test_keys_are_the_same_in_every_process() -> None:
    keys = [task.key for q in questions(quick=True) for _, task in q.tasks((1,))]
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-c", PRINT_KEYS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.split()
        assert printed == keys
