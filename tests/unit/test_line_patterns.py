"""How lines are biased, and what that puts on every cell."""

from __future__ import annotations

import numpy as np
import pytest

from hil.arrays import CellKind, Scheme
from hil.errors import UnsupportedError, UsageError
from hil.patterns import LinePattern, bias, outer_pattern
from hil.types import BoardInfo
from tests.support.arrays import PASSIVE_SCHEMES, array_station, open_array
from tests.support.store_samples import board_info


@pytest.fixture(scope="module")
def info() -> BoardInfo:
    with open_array(array_station(4, 5)) as board:
        return board.info


@pytest.mark.parametrize("scheme", PASSIVE_SCHEMES)
@pytest.mark.parametrize("amplitude_v", [0.3, -0.25])
def test_the_selected_cell_sees_all_of_it(
    info: BoardInfo, scheme: Scheme, amplitude_v: float
) -> None:
    pattern = bias(scheme, info, (2, 3), amplitude_v)
    assert pattern.cells.tolist() == [[2, 3]]
    assert pattern.rows_v[2] == amplitude_v
    assert pattern.columns_v[3] == 0


def test_half_and_third_are_what_they_say(info: BoardInfo) -> None:
    across = {
        scheme: bias(scheme, info, (0, 0), 0.3).cells_v for scheme in (Scheme.HALF, Scheme.THIRD)
    }
    half, third = across[Scheme.HALF], across[Scheme.THIRD]
    assert np.allclose([half[0, 1], half[1, 0], half[1, 1]], [0.15, 0.15, 0.0])
    assert np.allclose([third[0, 1], third[1, 0], third[1, 1]], [0.1, 0.1, -0.1])


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_sdc_scheme_fills_the_dead_band_to_its_edges(info: BoardInfo, side: float) -> None:
    assert info.array is not None
    assert info.array.most_v(side) == pytest.approx(0.32 if side > 0 else 0.28)
    across_v = bias(Scheme.SDC, info, (1, 1), side * info.array.most_v(side)).cells_v
    across_v[1, 1] = 0.0
    low_v, high_v = across_v.min(), across_v.max()
    assert (low_v, high_v) == (pytest.approx(-0.08), pytest.approx(0.12))
    # No other scheme of the passive ones bears as much.
    for other in (Scheme.HALF, Scheme.THIRD, Scheme.GROUNDED):
        worse = bias(other, info, (1, 1), side * info.array.most_v(side)).cells_v
        worse[1, 1] = 0.0
        assert worse.max() > high_v + 1e-3 or worse.min() < low_v - 1e-3


def test_equal_dead_bands_make_it_a_third() -> None:
    with open_array(array_station(3, 3, dead_on_v="0.1", dead_off_v="0.1")) as board:
        sdc, third = (bias(s, board.info, (0, 0), 0.3) for s in (Scheme.SDC, Scheme.THIRD))
    assert np.allclose(sdc.rows_v, third.rows_v)
    assert np.allclose(sdc.columns_v, third.columns_v)


def test_a_floating_line_may_go_anywhere_between_the_driven_ones() -> None:
    pattern = LinePattern(np.array([0.3, np.nan]), np.array([0.0, np.nan]), np.array([[0, 0]]))
    assert np.allclose(np.abs(pattern.cells_v), 0.3)


def test_schemes_that_an_array_has_not_are_refused(info: BoardInfo) -> None:
    with pytest.raises(UnsupportedError, match=r"1R array is not biased by scheme 'isolated'"):
        bias(Scheme.ISOLATED, info, (0, 0), 0.1)
    with open_array(array_station(3, 3, cell='"1T1R"')) as board:
        assert board.info.array is not None
        assert board.info.array.cell_kind is CellKind.TRANSISTOR
        with pytest.raises(UnsupportedError, match=r"1T1R array.*takes isolated"):
            bias(Scheme.HALF, board.info, (0, 0), 0.1)
    with pytest.raises(UnsupportedError, match="no array"):
        bias(Scheme.HALF, board_info(), (0, 0), 0.1)


def test_an_outer_pattern_adds_up_where_both_meet() -> None:
    rows, columns = np.array([True, False, True]), np.array([False, True])
    pattern = outer_pattern(rows, columns, 0.3)
    assert pattern.cells.tolist() == [[0, 1], [2, 1]]
    assert np.allclose(pattern.cells_v, [[0.15, 0.3], [0.0, 0.15], [0.15, 0.3]])
    with pytest.raises(UsageError, match="at least one row"):
        outer_pattern(np.zeros(3, dtype=bool), columns, 0.3)


def test_a_pattern_that_drives_nothing_is_refused() -> None:
    nothing = np.full(2, np.nan)
    with pytest.raises(UsageError, match="all lines of the pattern float"):
        LinePattern(nothing, nothing, np.array([[0, 0]]))
    with pytest.raises(UsageError, match="rows_v of a pattern has shape"):
        LinePattern(np.zeros((2, 2)), nothing, np.array([[0, 0]]))
