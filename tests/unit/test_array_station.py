"""Station files of arrays, and the limits that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import LimitError, StationError, UnsupportedError, UsageError
from hil.opening import open_board
from hil.patterns import LinePattern
from hil.station import load_station, parse_station
from tests.support.arrays import array_station, array_text, open_array


def test_devices_are_named_by_row_and_column_and_carry_the_lines_to_them() -> None:
    station = load_station("twin-crossbar-16x16")
    assert len(station.devices) == 256
    assert station.shape == (16, 16)
    first, last = station.devices[0], station.devices[-1]
    assert (first.name, last.name) == ("R00C00", "R15C15")
    # driver 10, sense 10, 2 per segment: 1 + 16 segments for the first, 16 + 1 for the last
    assert first.series_resistor_ohm == last.series_resistor_ohm == pytest.approx(54.0)
    assert station.devices[15].series_resistor_ohm == pytest.approx(20 + 2 * 16 + 2 * 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": "0"}, r"array\.rows"),
        ({"dopant": '"reference"'}, r"array\.dopant.*W, Cr or C"),
        ({"selector_ohm": "50.0"}, r"selector_ohm.*passive array has no selectors"),
        ({"write_scheme": '"isolated"'}, r"write_scheme.*not biased by 'isolated'"),
        ({"r_word_ohm": "-1.0"}, r"array\.r_word_ohm"),
        ({"min_device_ohm": "0.0"}, r"array\.min_device_ohm"),
    ],
)
def test_what_makes_no_array_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(StationError, match=message):
        array_station(**({"n_rows": 4, "n_columns": 4} | change))  # type: ignore[arg-type]


def test_an_array_brings_its_own_circuit() -> None:
    with pytest.raises(StationError, match=r"circuit.*leave this table out beside \[array\]"):
        parse_station(array_text() + "\n[circuit]\nseries_resistor_ohm = 1000.0\n")


def test_defects_are_of_devices_of_the_station() -> None:
    with pytest.raises(StationError, match=r"no device 'R9C9'"):
        parse_station(array_text() + '\n[twin.defects]\nR9C9 = "open"\n')
    with pytest.raises(StationError, match=r"defects"):
        parse_station(array_text() + '\n[twin.defects]\nR0C0 = "broken"\n')


def test_the_board_of_an_array_needs_one() -> None:
    text = load_station("twin").text.replace('board = "twin"', 'board = "twin-crossbar"')
    with pytest.raises(StationError, match=r"needs a table \[array\]"):
        open_board(parse_station(text))


def test_a_device_that_is_on_limits_the_voltage_of_an_array() -> None:
    with open_array(array_station()) as board:
        # 1 mA through 500 ohm and some 40 ohm of lines: 0.54 V
        board.pulse([[0, 0]], 0.5, 1e-6)
        with pytest.raises(LimitError, match=r"600 mV on R0C0.*stay below"):
            board.pulse([[0, 0]], 0.6, 1e-6)


def test_lines_are_checked_on_every_cell() -> None:
    with open_array(array_station(3, 3)) as board:
        rows_v, columns_v = np.array([0.3, 0.0, 0.0]), np.array([0.0, -0.3, 0.0])
        with pytest.raises(LimitError, match=r"R0C1 at cell \(0, 1\)"):
            board.drive_lines(LinePattern(rows_v, columns_v, np.array([[0, 0]])), 1e-6)
        fine = LinePattern(rows_v, np.zeros(3), np.array([[0, 0]]))
        with pytest.raises(LimitError, match="pulse width"):
            board.drive_lines(fine, 2.0)
        with pytest.raises(UsageError, match="number of pulses"):
            board.drive_lines(fine, 1e-6, 0)
        with pytest.raises(UsageError, match="for 3 rows and 2 columns"):
            board.drive_lines(LinePattern(rows_v, np.zeros(2), np.array([[0, 0]])), 1e-6)
        with pytest.raises(UsageError, match="outside the board"):
            board.drive_lines(LinePattern(rows_v, np.zeros(3), np.array([[3, 0]])), 1e-6)
        with pytest.raises(UnsupportedError, match="passive array"):
            board.pulse([[0, 0]], 0.3, 1e-6, compliance_a=1e-5)


def test_a_bank_has_neither_lines_nor_schemes() -> None:
    with open_board("twin") as board:
        with pytest.raises(UnsupportedError, match="has no lines"):
            board.drive_lines(LinePattern(np.zeros(1), np.zeros(90), np.array([[0, 0]])), 1e-3)
        for act in (
            lambda: board.measure([[0, 0]], 0.1, scheme="v/2"),  # type: ignore[arg-type]
            lambda: board.pulse([[0, 0]], 0.3, 1e-3, scheme="v/2"),  # type: ignore[arg-type]
        ):
            with pytest.raises(UnsupportedError, match="no array"):
                act()
        with pytest.raises(UnsupportedError, match="amplitudes, not times"):
            board.matvec([0.05], coding="time")  # type: ignore[arg-type]
        product = board.matvec(np.r_[0.05, np.zeros(89)], transposed=True)
        assert product.currents_a.shape == (1,)
