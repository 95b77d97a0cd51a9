from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from calibration.references.board import board_record
from calibration.references.instrument import instrument_record
from calibration.references.readings import ReferenceReadings, join
from hil.errors import CalibrationError, UsageError
from hil.limits import LimitChecker
from hil.records import Record
from hil.station import parse_station
from procedures.read_references import is_allowed
from tests.support.references import RESISTORS, SHORTS, reference_station
from twin.opening import open_direct

LEVELS_V = (0.05, 0.1, 0.5, 1.0, 2.0)


def read(
    sockets: Sequence[Mapping[str, object]],
    seed: int,
    levels_v: Sequence[float] = LEVELS_V,
    load_ohm: float | None = 1e6,
) -> ReferenceReadings:
    station = parse_station(reference_station(sockets, load_ohm=load_ohm))
    board = open_direct(station, seed=seed, source_reason="")
    limits = LimitChecker(board.info, board.limits)
    names: list[str] = []
    rows = []
    for level_v in levels_v:
        allowed = [c for c in board.info.all_cells if is_allowed(c, level_v, limits)]
        for v_v in [level_v, -level_v] * 2 if allowed else []:
            r = board.measure(np.array(allowed), v_v, allow_reverse=True)
            names += [board.info.device_at(cell).name for cell in allowed]
            rows.append([r.v_read_v, r.v_source_v, r.i_a])
    return ReferenceReadings.of(station, board.info.identity, names, *np.concatenate(rows, axis=1))


def records(seed: int) -> tuple[Record, Record]:
    readings = join([read(SHORTS, seed), read(RESISTORS, seed)])
    instrument = instrument_record(readings, "smu")
    return instrument, board_record(readings, "board", instrument)


def test_errors_are_as_large_as_stated_over_many_boards() -> None:
    errors: list[float] = []
    for seed in range(15):
        _, board = records(seed)
        plant = open_direct(
            parse_station(reference_station(SHORTS)), seed=seed, source_reason=""
        ).plant
        truth = {f"r_path_p{k}_ohm": r for k, r in enumerate(plant.r_path_ohm.tolist())}
        truth["load_siemens"] = plant.load_siemens
        for name, value in truth.items():
            found = board.quantity(name)
            assert found.standard_uncertainty
            errors.append((found.value - value) / found.standard_uncertainty)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1, abs=0.25)
    assert np.mean(np.abs(errors) < 2) > 0.9


def test_a_leakage_that_the_station_does_not_know_is_found_or_bounded() -> None:
    readings = join([read(s, 1, load_ohm=None) for s in (SHORTS, RESISTORS)])
    board = board_record(readings, "board", instrument_record(readings, "smu"))
    load = board.quantity("load_siemens")
    assert load.standard_uncertainty
    assert abs(load.value) < 4 * load.standard_uncertainty < 1e-9


def test_what_the_readings_do_not_reach_is_left_to_the_data_sheet() -> None:
    readings = join([read(part, 2, levels_v=(0.05, 0.1)) for part in (SHORTS[:2], RESISTORS[:2])])
    record = instrument_record(readings, "smu")
    gains = {name for name in record.parameters if name.startswith("gain_")}
    assert gains == {"gain_1ua_ratio"}


def test_a_resistor_seen_on_two_ranges_ties_them_together() -> None:
    """The 100 kOhm reach the 10 uA range; the path of a short carries its gain on to 100 uA."""
    record = instrument_record(join([read(SHORTS[:2], 2), read(RESISTORS[:2], 2)]), "smu")
    assert record.quantity("gain_100ua_ratio").standard_uncertainty == pytest.approx(
        record.quantity("gain_10ua_ratio").standard_uncertainty, rel=0.2
    )


def test_readings_that_say_nothing_make_no_record() -> None:
    readings = read(SHORTS[:1], 3, levels_v=(0.1,))
    kept = readings.level_v > 0
    arrays = {
        name: getattr(readings, name)[kept] for name in ("device_index", "level_v", "v_v", "i_a")
    }
    with pytest.raises(CalibrationError, match="no more of the instrument than its data sheet"):
        instrument_record(replace(readings, **arrays), "smu")
    with pytest.raises(UsageError, match="no run was named"):
        join([])


def test_readings_of_two_instruments_are_not_mixed() -> None:
    with pytest.raises(CalibrationError, match="differ in smu_serial: TWIN00000001 and TWIN"):
        join([read(SHORTS, 1), read(RESISTORS, 2)])


def test_a_board_is_fitted_with_its_own_instrument() -> None:
    instrument, board = records(4)
    with pytest.raises(CalibrationError, match="fit that instrument first"):
        board_record(read(SHORTS, 5), "board", instrument)
    with pytest.raises(CalibrationError, match="fit that instrument first"):
        board_record(read(SHORTS, 4), "board", board)
