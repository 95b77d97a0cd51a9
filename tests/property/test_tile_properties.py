"""Compiled tiles are the numpy ones, whatever is pulsed into them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import UsageError
from twin.tiles import tile as tile_module
from twin.tiles.converters import Converters
from twin.tiles.management import Management
from twin.tiles.presets import find_preset, with_states
from twin.tiles.responses import Response, TabulatedStep
from twin.tiles.tile import SimulatedTile

SHAPES = st.tuples(st.integers(1, 9), st.sampled_from([1, 3, 31, 40, 70]))
RESPONSES = st.sampled_from(
    [
        with_states(10),
        find_preset("reram-array-om"),
        TabulatedStep(dw_min=0.1, curve_up=(1.0, 0.5), curve_down=(0.5, 1.0)),
    ]
)
HAS_KERNELS = vars(tile_module)["kernels"] is not None
MANAGEMENTS = st.builds(Management, st.integers(1, 31), st.booleans(), st.booleans())


def exercised(
    response: Response, shape: tuple[int, int], management: Management, folded: bool, seed: int
) -> SimulatedTile:
    tile = SimulatedTile(response, shape, seed, management=management, is_folded=folded)
    rng = np.random.default_rng(seed)
    for density in (0.1, 1.0):
        x = rng.uniform(-1, 1, (4, shape[1])) * (rng.random((4, shape[1])) < density)
        d = rng.uniform(-1, 1, (4, shape[0])) * (rng.random((4, shape[0])) < density)
        tile.update(x.astype(np.float32), d.astype(np.float32), float(rng.choice([0.01, 0.5])))
    tile.pulse(rng.integers(-40, 41, shape).astype(np.int32))
    return tile


@pytest.mark.skipif(not HAS_KERNELS, reason="needs the extra 'fast'")
@settings(deadline=None, max_examples=25)
@given(RESPONSES, SHAPES, MANAGEMENTS, st.booleans(), st.integers(0, 10**6))
def test_compiled_and_numpy_give_the_same_weights(
    response: Response, shape: tuple[int, int], management: Management, folded: bool, seed: int
) -> None:
    compiled = exercised(response, shape, management, folded, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile_module, "kernels", None)
        plain = exercised(response, shape, management, folded, seed)
    assert np.array_equal(compiled.weights, plain.weights)
    assert compiled.counts == plain.counts


@settings(deadline=None, max_examples=25)
@given(SHAPES, MANAGEMENTS, st.integers(0, 10**6))
def test_a_restored_tile_goes_on_bit_for_bit(
    shape: tuple[int, int], management: Management, seed: int
) -> None:
    response = with_states(21)
    tile = exercised(response, shape, management, False, seed)
    other = SimulatedTile(response, shape, seed, management=management)
    other.restore(tile.snapshot())
    x, d = np.ones((2, shape[1]), np.float32), np.ones((2, shape[0]), np.float32)
    for one in (tile, other):
        one.update(x, d, 0.1)
    assert np.array_equal(tile.weights, other.weights)
    assert tile.counts == other.counts


@settings(deadline=None, max_examples=25)
@given(SHAPES, st.integers(0, 10**6))
def test_only_lines_that_carry_something_change_cells(shape: tuple[int, int], seed: int) -> None:
    tile = SimulatedTile(with_states(10), shape, seed)
    rng = np.random.default_rng(seed)
    column, row = int(rng.integers(shape[1])), int(rng.integers(shape[0]))
    x = np.zeros((1, shape[1]), np.float32)
    d = np.zeros((1, shape[0]), np.float32)
    x[0, column], d[0, row] = 1.0, -1.0
    tile.update(x, d, 5.0)
    changed = np.argwhere(tile.weights != 0)
    assert changed.tolist() == [[row, column]]
    assert tile.weights[row, column] > 0
    assert tile.counts.n_pulses == tile.counts.n_slots == 25


@settings(deadline=None, max_examples=25)
@given(SHAPES, st.integers(0, 10**6))
def test_products_both_ways_belong_together(shape: tuple[int, int], seed: int) -> None:
    tile = exercised(with_states(100), shape, Management(), False, seed)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, shape[1])).astype(np.float32)
    d = rng.normal(size=(3, shape[0])).astype(np.float32)
    forth, back = tile.matvec(x), tile.matvec_transposed(d)
    assert (forth * d).sum(axis=1) == pytest.approx((back * x).sum(axis=1), rel=1e-3, abs=1e-4)
    assert tile.read_column(0) == pytest.approx(tile.weights[:, 0])
    assert tile.read_row(0) == pytest.approx(tile.weights[0])


@pytest.mark.parametrize(("fits", "balances"), [(True, True), (False, False), (True, False)])
def test_as_many_pulses_as_the_rate_asks_for(fits: bool, balances: bool) -> None:
    tile = SimulatedTile(
        with_states(200), (64, 64), 1, management=Management(fits_slots=fits, balances=balances)
    )
    rng = np.random.default_rng(2)
    x, d = (rng.uniform(-0.5, 0.5, (200, 64)).astype(np.float32) for _ in range(2))
    tile.update(x, d, 0.05)
    expected = 0.05 / 0.01 * np.abs(x).sum(axis=1) @ np.abs(d).sum(axis=1)
    assert tile.counts.n_pulses == pytest.approx(expected, rel=0.02)
    assert tile.counts.time_s == pytest.approx(tile.counts.n_slots * 5e-9)
    assert tile.counts.energy_j == pytest.approx(tile.counts.n_pulses * 5e-15)


@pytest.mark.parametrize("n", [16, 128, 512])
def test_converters_add_their_noise_and_steps(n: int) -> None:
    # 0.06 of noise, and the steps of 9 bits over +-12 and of 7 bits at the inputs.
    tile = SimulatedTile(with_states(1000), (n, n), 1, converters=Converters())
    rng = np.random.default_rng(3)
    tile.set_weights(rng.uniform(-0.2, 0.2, (n, n)).astype(np.float32))
    x = rng.uniform(-1, 1, (50, n)).astype(np.float32)
    x /= np.abs(x).max(axis=1, keepdims=True)
    error = tile.matvec(x) - x @ tile.weights.T
    steps = (24 / 510) ** 2 / 12 + n * (2 / 126) ** 2 / 12 * np.mean(tile.weights**2)
    assert error.std() == pytest.approx(np.sqrt(0.06**2 + steps), rel=0.05)
    assert not tile.matvec(np.zeros((1, n), np.float32)).any()


def test_outputs_that_clip_are_done_again_with_less() -> None:
    tile = SimulatedTile(
        with_states(1000, spread=0), (1, 100), 1, converters=Converters(output_noise=0)
    )
    tile.set_weights(np.ones((1, 100), np.float32))
    assert tile.matvec(np.ones((1, 100), np.float32)) == pytest.approx(
        100, rel=0.02
    )  # a step of the DAC


def test_another_shape_is_refused() -> None:
    tile = SimulatedTile(with_states(10), (2, 3), 1)
    with pytest.raises(UsageError, match="the tile has 3 columns"):
        tile.matvec(np.zeros((1, 2), np.float32))
    with pytest.raises(UsageError, match="the tile has 2 rows"):
        tile.matvec_transposed(np.zeros((1, 3), np.float32))
    with pytest.raises(UsageError, match=r"pulses have shape \(3, 2\)"):
        tile.pulse(np.zeros((3, 2), np.int32))
    with pytest.raises(UsageError, match=r"this one has \(2, 3\)"):
        tile.restore(SimulatedTile(with_states(10), (3, 2), 1).snapshot())
    with pytest.raises(UsageError, match="a train has 1 to 31"):
        Management(max_slots=32)
