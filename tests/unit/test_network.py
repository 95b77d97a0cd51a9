from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import root

from hil.errors import UnmodelledError, UsageError
from hil.types import FloatArray
from tests.support.nodal import nodal_solve
from tests.support.peers import badcrossbar_currents
from twin.network import CrossbarNetwork, Wires


def log_uniform(shape: tuple[int, ...], low_ohm: float, high_ohm: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.exp(rng.uniform(np.log(low_ohm), np.log(high_ohm), shape))


def inputs(n: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).uniform(0, 0.5, n)


@dataclass
class Diodes:
    """i = g (v + rise sinh(v / scale)) with its slope; stiff where the scale is small."""

    g_siemens: FloatArray
    scale_v: float = 0.05

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        g, scale = self.g_siemens, self.scale_v
        return g * (v_v + scale * np.sinh(v_v / scale)), g * (1 + np.cosh(v_v / scale))


class Jumping:
    """From nothing to 1 mA at 0.2 V, with nothing in between."""

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.where(v_v > 0.2, 1e-3, 0.0), np.full_like(v_v, 1e-6)


@pytest.mark.parametrize("n", [16, 64, 128, 256])
def test_equals_badcrossbar(n: int) -> None:
    r_ohm, rows = log_uniform((n, n), 5e3, 1e5, n), inputs(n)
    ohms = (0.1, 1.0, 10.0) if n < 128 else {128: (10.0, 0.1), 256: (1.0,)}[n]
    for r_wire_ohm in ohms:
        columns_a, cells_a = badcrossbar_currents(r_ohm, rows, r_wire_ohm, r_wire_ohm)
        got = CrossbarNetwork((n, n), Wires(r_wire_ohm, r_wire_ohm)).solve(
            1 / r_ohm, rows, np.zeros(n)
        )
        assert got.i_columns_a[0] == pytest.approx(columns_a, rel=1e-9)
        assert got.i_cell_a[0] == pytest.approx(cells_a, rel=1e-9, abs=1e-9 * cells_a.max())


def test_equals_badcrossbar_where_one_side_has_no_resistance() -> None:
    r_ohm, rows = log_uniform((12, 9), 5e2, 5e3, 3), inputs(12)
    for ohms in ((0.0, 5.0), (5.0, 0.0), (2.0, 7.0)):
        columns_a, _ = badcrossbar_currents(r_ohm, rows, *ohms)
        got = CrossbarNetwork((12, 9), Wires(*ohms)).solve(1 / r_ohm, rows, np.zeros(9))
        assert got.i_columns_a[0] == pytest.approx(columns_a, rel=1e-9)


def test_without_resistance_it_is_a_product() -> None:
    g, rows = 1 / log_uniform((7, 5), 1e3, 1e5, 0), inputs(7)
    got = CrossbarNetwork((7, 5), Wires(0, 0)).solve(g, rows, np.zeros(5))
    assert got.i_columns_a[0] == pytest.approx(rows @ g, rel=1e-15)
    assert got.residual_ratio == 0
    assert (got.word_v == np.broadcast_to(rows[:, None], (1, 7, 5))).all()


def test_resistance_that_vanishes_leads_to_the_limit() -> None:
    g, rows, columns = 1 / log_uniform((6, 8), 1e3, 1e5, 0), inputs(6), np.zeros(8)
    rows[2] = columns[3] = np.nan
    limit = CrossbarNetwork((6, 8), Wires(0, 0, 0, 0)).solve(g, rows, columns)
    tiny = CrossbarNetwork((6, 8), Wires(1e-9, 1e-9, 1e-9, 1e-9)).solve(g, rows, columns)
    assert tiny.i_cell_a == pytest.approx(limit.i_cell_a, rel=1e-10)
    assert tiny.residual_ratio < 1e-10


@pytest.mark.parametrize("pattern", ["driven", "half", "one cell"])
def test_hard_arrays_converge(pattern: str) -> None:
    n = 256
    rows, columns = inputs(n), np.zeros(n)
    if pattern == "half":
        rows[::2] = columns[1::2] = np.nan
    elif pattern == "one cell":
        rows[1:] = columns[:-1] = np.nan
    g = 1 / log_uniform((n, n), 500, 1500, 5)
    got = CrossbarNetwork((n, n), Wires(10, 10)).solve(g, rows, columns)
    assert got.residual_ratio < 1e-10
    used = got.cells_w.sum() + got.lines_w[0] + got.ports_w[0]
    assert used == pytest.approx(got.source_w[0], rel=1e-9)


def test_floating_lines_of_large_arrays_keep_their_accuracy() -> None:
    """Segments conduct 10^7 times better than cells; potentials hang on the cells alone."""
    n = 160
    rows, columns = inputs(n), np.zeros(n)
    rows[5:] = columns[::2] = np.nan
    g = 1 / log_uniform((n, n), 1e5, 1e6, 5)
    network = CrossbarNetwork((n, n), Wires(0.01, 0.01, 50.0, 50.0))
    got = network.solve(g, rows, columns)
    assert got.residual_ratio < 1e-10
    direct = network.solve(g, rows, columns, method="direct")
    assert got.i_columns_a == pytest.approx(direct.i_columns_a, rel=1e-7, abs=1e-15)


def test_many_inputs_of_a_small_array_are_factored() -> None:
    g, k = 1 / log_uniform((8, 8), 1e3, 1e4, 0), 80
    rows = np.random.default_rng(0).uniform(-1, 1, (k, 8))
    rows[:, 0] = np.nan
    network = CrossbarNetwork((8, 8), Wires(1, 1))
    auto, by_gradients = (
        network.solve(g, rows, np.zeros(8)),
        network.solve(g, rows, np.zeros(8), method="cg"),
    )
    assert auto.n_iterations == 1 < by_gradients.n_iterations
    assert auto.i_cell_a == pytest.approx(by_gradients.i_cell_a, rel=1e-9, abs=1e-15)


def test_a_warm_start_needs_no_iteration_and_few_after_a_small_change() -> None:
    g, rows = 1 / log_uniform((32, 32), 1e3, 1e4, 0), inputs(32)
    network = CrossbarNetwork((32, 32), Wires(1, 1))
    first = network.solve(g, rows, np.zeros(32))
    again = network.solve(g, rows, np.zeros(32), near=first)
    assert again.n_iterations <= 1
    assert again.i_cell_a == pytest.approx(first.i_cell_a, rel=1e-12)
    changed = g.copy()
    changed[3, 4] *= 1.001
    warm = network.solve(changed, rows, np.zeros(32), near=first)
    cold = network.solve(changed, rows, np.zeros(32))
    assert warm.n_iterations < cold.n_iterations
    assert warm.i_cell_a == pytest.approx(cold.i_cell_a, rel=1e-10)


def test_a_warm_start_from_another_floating_pattern_is_as_good() -> None:
    g, rows, columns = 1 / log_uniform((9, 7), 1e3, 1e4, 0), inputs(9), np.zeros(7)
    network = CrossbarNetwork((9, 7), Wires(1, 0, 10, 0))
    first = network.solve(g, rows, columns)
    rows[3] = columns[2] = np.nan
    expected = network.solve(g, rows, columns)
    got = network.solve(g, rows, columns, near=first)
    assert got.i_cell_a == pytest.approx(expected.i_cell_a, rel=1e-9)


def test_dead_lines_rest_at_zero_and_islands_carry_nothing() -> None:
    g = 1 / log_uniform((4, 5), 1e3, 1e4, 0)
    g[1] = 0
    rows, columns = np.full(4, 0.7), np.full(5, 0.2)
    rows[1] = rows[2] = columns[3] = np.nan
    g[2, :] = g[:, 3] = 0
    g[2, 3] = 1e-4  # a floating row and a floating column that only know each other
    for wires in (Wires(1, 1, 10, 10), Wires(0, 0), Wires(0, 1)):
        got = CrossbarNetwork((4, 5), wires).solve(g, rows, columns)
        assert got.word_v[0, 1] == pytest.approx(np.zeros(5), abs=0)
        assert got.i_cell_a[0, 2] == pytest.approx(np.zeros(5), abs=1e-18)
        assert got.residual_ratio < 1e-12


def test_segments_and_ports_add_up() -> None:
    g, rows, columns = 1 / log_uniform((5, 6), 1e3, 1e4, 0), inputs(5), np.full(6, -0.1)
    rows[1] = columns[4] = np.nan
    wires = Wires(3, 4, 20, 30)
    got = CrossbarNetwork((5, 6), wires).solve(g, rows, columns)
    along = (got.word_v[:, :, :-1] - got.word_v[:, :, 1:]) / 3
    assert got.word_segments_a[:, :, 1:] == pytest.approx(along, rel=1e-6, abs=1e-12)
    down = (got.bit_v[:, :-1] - got.bit_v[:, 1:]) / 4
    assert got.bit_segments_a[:, :-1] == pytest.approx(down, rel=1e-6, abs=1e-12)
    assert (got.word_segments_a[:, :, 0] == got.i_rows_a).all()
    assert (got.bit_segments_a[:, -1] == got.i_columns_a).all()
    first = rows - got.i_rows_a[0] * (20 + 3)
    driven = ~np.isnan(rows)
    assert got.word_v[0, driven, 0] == pytest.approx(first[driven], rel=1e-12)


# --- cells that are not linear --------------------------------------------------------------------


@pytest.mark.parametrize("wires", [Wires(30, 50, 100, 20), Wires(0, 0, 100, 0), Wires(0, 0)])
def test_nonlinear_cells_equal_linear_ones_of_their_chords(wires: Wires) -> None:
    law = Diodes(1 / log_uniform((3, 2), 1e3, 1e4, 0))
    rows, columns = np.array([0.3, np.nan, -0.2]), np.array([0.0, 0.1])

    got = CrossbarNetwork((3, 2), wires).solve_cells(law, rows, columns)
    assert got.residual_ratio < 1e-9
    linear = CrossbarNetwork((3, 2), wires).solve(
        law.current(got.v_cell_v)[0][0] / got.v_cell_v[0], rows, columns
    )
    assert linear.i_cell_a == pytest.approx(got.i_cell_a, rel=1e-8)


def test_nonlinear_cells_of_a_driven_array_equal_a_general_root_finder() -> None:
    law, wires = Diodes(1 / log_uniform((3, 2), 1e3, 1e4, 0)), Wires(30, 50, 100, 20)
    rows, columns = np.array([0.3, 0.1, -0.2]), np.array([0.0, 0.1])

    def difference(v_v: FloatArray) -> FloatArray:
        i_a, _ = law.current(v_v.reshape(1, 3, 2))
        solved = nodal_solve(np.zeros((3, 2)), wires, rows, columns, i_a[0])
        return np.ravel(solved.word_v - solved.bit_v) - v_v

    expected = root(difference, np.zeros(6), tol=1e-13)
    assert expected.success
    got = CrossbarNetwork((3, 2), wires).solve_cells(law, rows, columns)
    assert got.v_cell_v.ravel() == pytest.approx(expected.x, rel=1e-8, abs=1e-12)


def test_stiff_cells_converge_from_nothing_and_at_once_from_nearby() -> None:
    law = Diodes(1 / log_uniform((16, 16), 1e3, 1e5, 0), scale_v=0.02)
    network, rows = CrossbarNetwork((16, 16), Wires(1, 1, 50, 50)), np.full(16, 1.0)
    rows[3:9] = np.nan
    cold = network.solve_cells(law, rows, np.zeros(16))
    assert cold.residual_ratio < 1e-9
    warm = network.solve_cells(law, rows, np.zeros(16), near=cold)
    assert warm.n_iterations == 0
    assert (warm.i_cell_a == cold.i_cell_a).all()


def test_a_batch_of_nonlinear_cells_equals_one_by_one() -> None:
    law = Diodes(1 / log_uniform((6, 5), 1e3, 1e4, 0))
    network = CrossbarNetwork((6, 5), Wires(2, 3, 10, 10))
    rows = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 6))
    together = network.solve_cells(law, rows, np.zeros(5))
    for k in range(4):
        alone = network.solve_cells(law, rows[k], np.zeros(5))
        assert together.i_cell_a[k] == pytest.approx(alone.i_cell_a[0], rel=1e-8, abs=1e-16)


def test_cells_without_a_working_point_end_in_an_error() -> None:
    network = CrossbarNetwork((2, 2), Wires(500, 500, 500, 500))
    with pytest.raises(UnmodelledError, match="does not converge"):
        network.solve_cells(Jumping(), np.full(2, 1.0), np.zeros(2))


# --- Thevenin -------------------------------------------------------------------------------------


def test_thevenin_of_many_cells_at_once() -> None:
    g, rows, columns = 1 / log_uniform((5, 4), 1e3, 1e4, 0), np.zeros(5), np.zeros(4)
    rows[1] = columns[2] = np.nan
    cells = np.array([[0, 0], [4, 2], [1, 3], [1, 2]])
    network = CrossbarNetwork((5, 4), Wires(1, 2, 10, 20))
    got = network.thevenin_ohm(g, rows, columns, cells)
    for (i, j), r_ohm in zip(cells, got, strict=True):
        for g_own in (0.0, 1e-3):
            changed, source = g.copy(), np.zeros((5, 4))
            changed[i, j], source[i, j] = g_own, -1e-3
            solved = nodal_solve(changed, Wires(1, 2, 10, 20), rows, columns, source)
            seen = (solved.word_v - solved.bit_v)[i, j] / 1e-3
            assert seen == pytest.approx(1 / (1 / r_ohm + g_own), rel=1e-9)
    assert network.thevenin_ohm(g, rows, columns, np.empty((0, 2), int)).shape == (0,)


def test_thevenin_without_wires_is_nothing_and_of_an_island_infinite() -> None:
    network, g = CrossbarNetwork((2, 2), Wires(0, 0)), np.full((2, 2), 1e-4)
    cell = np.array([[0, 0]])
    assert network.thevenin_ohm(g, [0, 0], [0, 0], cell) == pytest.approx([0.0])
    assert network.thevenin_ohm(g, [np.nan, 0], [np.nan, 0], cell) == pytest.approx([2e4])
    g[0, 1] = 0
    assert network.thevenin_ohm(g, [np.nan, 0], [np.nan, 0], cell)[0] == np.inf


# --- what cannot be meant -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [(-1e-6, "0 or more"), (np.nan, "0 or more"), (np.inf, "a short is not a cell")],
)
def test_conductances_that_cannot_be_meant_are_refused(value: float, said: str) -> None:
    g = np.full((2, 3), 1e-4)
    g[1, 2] = value
    with pytest.raises(UsageError, match=rf"cell \(1, 2\).*{said}"):
        CrossbarNetwork((2, 3), Wires(1, 1)).solve(g, np.zeros(2), np.zeros(3))


def test_wrong_shapes_and_values_are_refused() -> None:
    network, g = CrossbarNetwork((2, 3), Wires(1, 1)), np.full((2, 3), 1e-4)
    with pytest.raises(UsageError, match="g_siemens"):
        network.solve(g.T, np.zeros(2), np.zeros(3))
    with pytest.raises(UsageError, match="rows_v: 3 voltages for 2 lines"):
        network.solve(g, np.zeros(3), np.zeros(3))
    with pytest.raises(UsageError, match="different numbers of networks"):
        network.solve(g, np.zeros((2, 2)), np.zeros((3, 3)))
    with pytest.raises(UsageError, match="infinite voltage"):
        network.solve(g, np.array([0, np.inf]), np.zeros(3))
    with pytest.raises(UsageError, match="finite currents"):
        network.solve(g, np.zeros(2), np.zeros(3), injected_a=g * np.nan)
    with pytest.raises(UsageError, match="a cell outside"):
        network.thevenin_ohm(g, np.zeros(2), np.zeros(3), np.array([[2, 0]]))
    with pytest.raises(UsageError, match="r_bit_ohm = -1"):
        CrossbarNetwork((2, 3), Wires(1, -1))
    with pytest.raises(UsageError, match="at least one row"):
        CrossbarNetwork((0, 3), Wires(1, 1))
