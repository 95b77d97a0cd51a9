"""A compliance of one request: it holds there, not above the limit, and not afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from hil.errors import BoardError, LimitError
from hil.types import Dopant
from tests.support.rigs import Rig

SET_V, RESET_V, WIDTH_S = 1.0, -1.0, 0.02
LIMITED_A = 10e-6
ACCURACY_RATIO = 0.01


def w_cells(rig: Rig, n: int = 1) -> Any:
    return rig.board.info.cells_of(Dopant.W)[:n]


def protection_a(rig: Rig) -> float:
    """Return the compliance that the instrument is set to."""
    assert rig.instruments is not None
    return rig.instruments.smu._setup.compliance_a


def test_the_current_of_a_pulse_is_limited(twin_rig: Rig) -> None:
    board, cells = twin_rig.board, w_cells(twin_rig, 2)
    pulses = board.pulse(cells, SET_V, WIDTH_S, 2, compliance_a=LIMITED_A)
    assert pulses.i_end_a == pytest.approx([LIMITED_A] * 2, rel=ACCURACY_RATIO)
    assert (board.pulse(cells, SET_V, WIDTH_S).i_end_a > 3 * LIMITED_A).all()


def test_less_current_leaves_less_conductance(twin_rig: Rig) -> None:
    board, cells = twin_rig.board, w_cells(twin_rig)
    left_siemens = []
    for compliance_a in (2e-6, LIMITED_A, 50e-6, None):
        board.pulse(cells, RESET_V, WIDTH_S, 5)
        board.pulse(cells, SET_V, WIDTH_S, compliance_a=compliance_a)
        left_siemens.append(float(board.measure(cells, 0.1).g_siemens[0]))
    assert left_siemens == sorted(left_siemens)
    assert left_siemens[-1] > 3 * left_siemens[0]


def test_it_limits_a_reset_as_well(twin_rig: Rig) -> None:
    board, cells = twin_rig.board, w_cells(twin_rig)
    board.pulse(cells, SET_V, WIDTH_S)
    pulses = board.pulse(cells, -0.2, WIDTH_S, compliance_a=1e-6)
    assert pulses.i_end_a == pytest.approx([-1e-6], rel=ACCURACY_RATIO)


def test_the_energy_of_a_limited_pulse_is_that_of_its_current(twin_rig: Rig) -> None:
    board, cells = twin_rig.board, w_cells(twin_rig)
    board.pulse(cells, SET_V, WIDTH_S)
    pulses = board.pulse(cells, SET_V, WIDTH_S, compliance_a=LIMITED_A)
    series_j = LIMITED_A**2 * 10_000 * WIDTH_S
    assert pulses.energy.series_j == pytest.approx([series_j], rel=0.05)
    assert (pulses.energy.source_j < SET_V * LIMITED_A * WIDTH_S * 1.01).all()


@pytest.mark.parametrize(
    ("dopant", "compliance_a"),
    [
        (Dopant.W, 1.001e-3),
        (Dopant.C, 51e-6),
        (Dopant.W, 0.0),
        (Dopant.W, -1e-6),
        (Dopant.W, float("nan")),
        (Dopant.W, float("inf")),
    ],
)
def test_a_compliance_that_is_not_allowed_is_refused_before_a_byte(
    twin_rig: Rig, dopant: Dopant, compliance_a: float
) -> None:
    cells = twin_rig.board.info.cells_of(dopant)
    before = twin_rig.traces()
    with pytest.raises(LimitError, match="compliance"):
        twin_rig.board.pulse(cells, 0.3, WIDTH_S, compliance_a=compliance_a)
    assert twin_rig.traces() == before


def test_the_limit_itself_is_allowed(twin_rig: Rig) -> None:
    board, cells = twin_rig.board, twin_rig.board.info.cells_of(Dopant.C)
    assert len(board.pulse(cells, 0.3, WIDTH_S, compliance_a=50e-6)) == 1


def test_the_instrument_has_its_ordinary_compliance_back(wire_rig: Rig) -> None:
    board, cells = wire_rig.board, w_cells(wire_rig)
    board.pulse(cells, SET_V, WIDTH_S)
    ordinary_a = protection_a(wire_rig)
    assert ordinary_a == board.limits[Dopant.W].max_current_a
    for afterwards in (
        lambda: board.pulse(cells, SET_V, WIDTH_S),
        lambda: board.measure(cells, 0.1),
        lambda: board.sweep(cells[0], [0.1, 0.2], 0.01),
    ):
        board.pulse(cells, SET_V, WIDTH_S, compliance_a=LIMITED_A)
        assert protection_a(wire_rig) == pytest.approx(LIMITED_A)
        afterwards()
        assert protection_a(wire_rig) == ordinary_a


def test_a_source_that_limits_a_plain_pulse_is_still_an_error(wire_rig: Rig) -> None:
    board, cells = wire_rig.board, wire_rig.board.info.cells_of(Dopant.C)
    assert wire_rig.plant is not None
    wire_rig.plant.r_path_ohm[:] = 1.0  # somebody has shorted the series resistors
    pulses = board.pulse(cells, SET_V, WIDTH_S, compliance_a=LIMITED_A)
    assert pulses.i_end_a == pytest.approx([LIMITED_A], rel=ACCURACY_RATIO)
    with pytest.raises(BoardError, match="limited its current"):
        board.pulse(cells, SET_V, WIDTH_S)
