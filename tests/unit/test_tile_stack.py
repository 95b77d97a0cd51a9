"""Tiles that are added before one converter; columns of pulses; shifted zeros."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import UsageError
from hil.tiles import SummedProducts
from procedures.learning.analog.zero_shift import ShiftedTile, shifting
from twin.tiles.converters import Converters
from twin.tiles.presets import on_grid, with_states
from twin.tiles.responses import SoftBounds
from twin.tiles.tile import SimulatedTile

SHAPE = (3, 5)
GAINS = [1.0, 0.5, 0.25]
RNG_SEED = 2


def tiles() -> list[SimulatedTile]:
    made = [SimulatedTile(with_states(10), SHAPE, seed) for seed in range(3)]
    rng = np.random.default_rng(RNG_SEED)
    for tile in made:
        tile.set_weights(rng.uniform(-0.5, 0.5, SHAPE).astype(np.float32))
    return made


def total(parts: list[SimulatedTile]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return sum(
        (np.float32(gain) * part.weights for gain, part in zip(GAINS, parts, strict=True)),
        np.zeros(SHAPE, np.float32),
    )


def test_a_stack_multiplies_with_the_sum_whichever_tile_has_changed() -> None:
    parts = tiles()
    stack = parts[0].stacked(parts[1:], GAINS)
    summed = SummedProducts(parts, GAINS)
    rng = np.random.default_rng(RNG_SEED)
    x = rng.normal(size=(4, 5)).astype(np.float32)
    d = rng.normal(size=(4, 3)).astype(np.float32)
    for changed in (None, 2, 0, 1, 2, 2):
        if changed is not None:
            before = total(parts)
            parts[changed].update(x, d, 0.5)
            assert not np.array_equal(total(parts), before)
        assert stack.matvec(x) == pytest.approx(x @ total(parts).T, abs=1e-5)
        assert stack.matvec_transposed(d) == pytest.approx(d @ total(parts), abs=1e-5)
        assert summed.matvec(x) == pytest.approx(x @ total(parts).T, abs=1e-5)


def test_every_tile_of_a_stack_counts_its_products() -> None:
    parts = tiles()
    stack = parts[0].stacked(parts[1:], GAINS)
    stack.matvec(np.ones((4, 5), np.float32))
    stack.matvec_transposed(np.ones((2, 3), np.float32))
    assert [part.counts.n_products for part in parts] == [6, 6, 6]
    assert parts[0].counts.energy_j == parts[2].counts.energy_j > 0


def test_the_noise_of_a_converter_comes_once_for_the_sum_of_tiles() -> None:
    converters = Converters(input_bits=0, output_bits=0, output_noise=0.1)
    parts = [SimulatedTile(on_grid(10), SHAPE, seed, converters=converters) for seed in range(3)]
    stack = parts[0].stacked(parts[1:], [1.0, 1.0, 1.0])
    outputs = stack.matvec(np.ones((3000, 5), np.float32))
    apart = sum(part.matvec(np.ones((3000, 5), np.float32)) for part in parts)
    assert float(np.std(outputs)) == pytest.approx(0.1, rel=0.05)
    assert float(np.std(apart)) == pytest.approx(0.1 * np.sqrt(3), rel=0.05)


def test_tiles_of_different_shapes_cannot_be_stacked() -> None:
    one, other = SimulatedTile(on_grid(4), (2, 2), 1), SimulatedTile(on_grid(4), (2, 3), 1)
    with pytest.raises(UsageError, match=r"tiles of one shape"):
        one.stacked([other], [1.0, 0.5])


def test_pulses_on_columns_are_those_on_the_whole_tile() -> None:
    tile = SimulatedTile(on_grid(20), SHAPE, 1, is_discrete=True)
    pulses = np.array([[3, 0], [-2, 5], [0, -7]], np.int32)
    tile.pulse_columns(np.array([4, 1]), pulses)
    wanted = np.zeros(SHAPE)
    wanted[:, [4, 1]] = 0.1 * pulses
    assert tile.weights == pytest.approx(wanted, abs=1e-6)
    assert tile.counts.n_pulses == 17
    assert tile.read_columns(np.array([1, 4])) == pytest.approx(wanted[:, [1, 4]], abs=1e-6)
    with pytest.raises(UsageError, match="2 columns of 3 rows"):
        tile.pulse_columns(np.array([0, 1]), pulses.T)


def test_more_pulses_than_slots_are_given_in_turns() -> None:
    tile = SimulatedTile(on_grid(200), SHAPE, 1, is_discrete=True)
    tile.pulse_columns(np.array([2]), np.array([[70], [-40], [0]], np.int32))
    assert tile.weights[:, 2] == pytest.approx([0.7, -0.4, 0.0], abs=1e-5)


def test_weights_on_a_grid_stay_on_it() -> None:
    tile = SimulatedTile(on_grid(10), SHAPE, 1, is_discrete=True)
    rng = np.random.default_rng(RNG_SEED)
    tile.set_weights(rng.uniform(-1, 1, SHAPE).astype(np.float32))
    x, d = rng.normal(size=(9, 5)), rng.normal(size=(9, 3))
    tile.update(x.astype(np.float32), d.astype(np.float32), 0.3)
    assert tile.counts.n_pulses > 10
    steps = tile.weights / 0.2
    assert np.abs(steps - np.rint(steps)).max() < 1e-5


# --- zero shifting ------------------------------------------------------------------------------

ASYMMETRIC = SoftBounds(
    dw_min=0.02, w_max=1.0, w_min=-1.0, up_down_dtod=0.3, dw_min_dtod=0.1, dw_min_std=0.0
)


def test_alternating_pulses_take_the_zero_to_the_symmetric_point() -> None:
    base = SimulatedTile(ASYMMETRIC, (20, 10), 1)
    shifted = ShiftedTile(base, 300)
    assert float(np.std(shifted.reference)) > 0.1, "their symmetric points differ"
    assert float(np.abs(shifted.read_columns(np.arange(10))).max()) < 0.03
    ones = np.ones((20, 10), np.int32)
    before = shifted.read_columns(np.arange(10))
    shifted.pulse(ones)
    up = shifted.read_columns(np.arange(10)) - before
    before = shifted.read_columns(np.arange(10))
    shifted.pulse(-ones)
    down = shifted.read_columns(np.arange(10)) - before
    assert float(np.abs((up + down) / up).max()) < 0.2, "steps are alike there"


def test_shifted_tiles_multiply_without_their_reference() -> None:
    make = shifting(lambda shape, seed: SimulatedTile(ASYMMETRIC, shape, seed), 50)
    one, other = make(SHAPE, 1), make(SHAPE, 2)
    x = np.random.default_rng(RNG_SEED).normal(size=(4, 5)).astype(np.float32)
    stack = one.stacked([other], [1.0, 0.5])
    every = np.arange(5)
    weights = one.read_columns(every) + 0.5 * other.read_columns(every)
    assert stack.matvec(x) == pytest.approx(x @ weights.T, abs=1e-5)
    assert one.matvec(x) == pytest.approx(x @ one.read_columns(every).T, abs=1e-5)
    assert one.read_row(1) == pytest.approx(one.read_columns(every)[1])
    assert one.read_column(3) == pytest.approx(one.read_columns(every)[:, 3])


def test_zero_shifting_takes_some_pulses() -> None:
    with pytest.raises(UsageError, match="4 or more"):
        shifting(lambda shape, seed: SimulatedTile(ASYMMETRIC, shape, seed), 3)
