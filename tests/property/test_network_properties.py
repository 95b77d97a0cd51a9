from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hil.types import FloatArray
from tests.support.nodal import nodal_solve
from twin.network import CrossbarNetwork, Wires

NAIVE_ROUNDING_SIEMENS = 1e-13
"""Of the naive analysis, by the largest voltage: some ulp of it across 0.1 ohm."""

OHMS = st.sampled_from([0.0, 0.0, 0.1, 1.0, 10.0, 75.0])
ALL_WIRES = st.builds(Wires, OHMS, OHMS, OHMS, OHMS)


class Case(NamedTuple):
    g: FloatArray
    rows: FloatArray
    columns: FloatArray
    injected: FloatArray
    wires: Wires

    @property
    def network(self) -> CrossbarNetwork:
        n, m = self.g.shape
        return CrossbarNetwork((n, m), self.wires)

    @property
    def scale_a(self) -> float:
        """Largest current of a cell at 1 V, and of an injected one."""
        return float(self.g.max() + np.abs(self.injected).max())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    wires = draw(ALL_WIRES)
    open_cells, floating = draw(st.sampled_from([0, 0.2])), draw(st.sampled_from([0, 0.4, 0.9]))
    is_injected = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    g = np.exp(rng.uniform(np.log(1e-6), np.log(2e-3), (n, m)))
    g[rng.random((n, m)) < open_cells] = 0
    rows, columns = rng.uniform(-1, 1, n), rng.uniform(-1, 1, m)
    rows[rng.random(n) < floating] = np.nan
    columns[rng.random(m) < floating] = np.nan
    injected = rng.normal(0, 1e-4, (n, m)) * (g > 0) * is_injected
    return Case(g, rows, columns, injected, wires)


@settings(deadline=None, max_examples=80)
@given(cases(), st.sampled_from(["cg", "direct"]))
def test_equals_a_naive_nodal_analysis(case: Case, method: str) -> None:
    got = case.network.solve(
        case.g,
        case.rows,
        case.columns,
        injected_a=case.injected,
        method="cg" if method == "cg" else "direct",
    )
    expected = nodal_solve(case.g, case.wires, case.rows, case.columns, case.injected)
    largest_v = 1 + np.abs(got.word_v).max()
    small_a = 1e-9 * case.scale_a + NAIVE_ROUNDING_SIEMENS * largest_v
    near = pytest.approx(expected.i_cell_a, rel=1e-8, abs=small_a)
    assert got.i_cell_a[0] == near
    assert got.v_cell_v[0] == pytest.approx(got.word_v[0] - got.bit_v[0], rel=1e-13, abs=1e-14)
    rows = np.where(np.isnan(case.rows), 0, expected.i_cell_a.sum(axis=1))
    assert got.i_rows_a[0] == pytest.approx(rows, rel=1e-8, abs=1e-8 * case.scale_a)


NO_CURRENT = Case(
    np.array([[0.0, 0.00137249]]),
    np.array([-0.3763371]),
    np.array([-0.1533471, np.nan]),
    np.zeros((1, 2)),
    Wires(0.1, 0.0, 0.1, 0.0),
)
"""The only cell that conducts leads to a column that floats."""


@settings(deadline=None, max_examples=80)
@given(cases())
@example(NO_CURRENT)
def test_kirchhoff_holds_and_power_balances(case: Case) -> None:
    got = case.network.solve(case.g, case.rows, case.columns)
    assert got.residual_ratio < 1e-10
    used = got.cells_w.sum(axis=(1, 2)) + got.lines_w + got.ports_w
    assert used == pytest.approx(got.source_w, rel=1e-9, abs=1e-9 * case.scale_a)
    assert (got.i_rows_a[0][np.isnan(case.rows)] == 0).all()
    assert (got.i_columns_a[0][np.isnan(case.columns)] == 0).all()
    assert np.isfinite(got.word_v).all()
    assert np.isfinite(got.bit_v).all()


@settings(deadline=None, max_examples=40)
@given(cases())
def test_solutions_superpose(case: Case) -> None:
    network, zero = case.network, np.zeros_like
    parts = [
        network.solve(case.g, case.rows, case.columns * 0),
        network.solve(case.g, case.rows * 0, case.columns),
        network.solve(case.g, case.rows * 0, case.columns * 0, injected_a=case.injected),
    ]
    whole = network.solve(case.g, case.rows, case.columns, injected_a=case.injected)
    summed = sum((part.i_cell_a for part in parts), zero(whole.i_cell_a))
    assert whole.i_cell_a == pytest.approx(summed, rel=1e-8, abs=1e-9 * case.scale_a)


@settings(deadline=None, max_examples=40)
@given(cases(), st.integers(0, 5), st.integers(0, 5))
def test_transfer_is_reciprocal(case: Case, row: int, column: int) -> None:
    n, m = case.g.shape
    assume(row < n)
    assume(column < m)
    rows, columns = case.rows * 0, case.columns * 0
    rows[row] = columns[column] = 0.0
    forth, back = rows.copy(), columns.copy()
    forth[row], back[column] = 1.0, 1.0
    there = case.network.solve(case.g, forth, columns).i_columns_a[0, column]
    here = -case.network.solve(case.g, rows, back).i_rows_a[0, row]
    assert there == pytest.approx(here, rel=1e-8, abs=1e-10 * case.g.max())


@settings(deadline=None, max_examples=40)
@given(cases(), st.integers(2, 4), st.booleans(), st.booleans())
def test_a_batch_equals_one_by_one(case: Case, k: int, own_g: bool, own_pattern: bool) -> None:
    rng = np.random.default_rng(k)
    g = case.g * rng.uniform(0.5, 1, (k, 1, 1)) if own_g else case.g
    rows = case.rows * rng.uniform(0.5, 1, (k, 1))
    columns = np.repeat(case.columns[None], k, axis=0)
    if own_pattern:
        columns[0] = np.nan
    together = case.network.solve(g, rows, columns)
    assert together.i_cell_a.shape == (k, *case.g.shape)
    for one in range(k):
        alone = case.network.solve(g[one] if own_g else g, rows[one], columns[one])
        expected = pytest.approx(alone.i_cell_a[0], rel=1e-8, abs=1e-9 * case.scale_a)
        assert together.i_cell_a[one] == expected


@settings(deadline=None, max_examples=40)
@given(cases())
def test_thevenin_is_what_a_perturbation_sees(case: Case) -> None:
    assume(not (np.isnan(case.rows).all() and np.isnan(case.columns).all()))
    n, m = case.g.shape
    i, j = n // 2, m // 2
    seen = case.network.thevenin_ohm(case.g, case.rows, case.columns, np.array([[i, j]]))[0]
    without = case.g.copy()
    without[i, j] = 0
    source = np.zeros((n, m))
    source[i, j] = -1e-3
    zeroed = case.rows * 0, case.columns * 0
    solved = nodal_solve(without, case.wires, *zeroed, source)
    missing = without * (solved.word_v - solved.bit_v)
    assume(np.isfinite(seen) and seen < 1e8 and np.abs(missing).max() < 1)
    expected = (solved.word_v - solved.bit_v)[i, j] / 1e-3
    ill = NAIVE_ROUNDING_SIEMENS * seen  # conditioned: this over 0.1 ohm
    assert seen == pytest.approx(expected, rel=1e-7 + ill, abs=1e-9)
