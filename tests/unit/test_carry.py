"""A carry moves weights to coarser tiles, leaves their sum, and keeps the finest tile free."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import ParameterError
from hil.tiles import WeightArray
from procedures.learning.analog.carry import CarriedWeights, CarrySettings
from twin.tiles.presets import on_grid, with_states
from twin.tiles.responses import Response
from twin.tiles.tile import SimulatedTile

SHAPE = (16, 24)
RNG_SEED = 6


def carried(response: Response, settings: CarrySettings) -> CarriedWeights:
    rng = np.random.default_rng(RNG_SEED)
    return CarriedWeights(
        lambda shape, seed: SimulatedTile(response, shape, seed),
        rng.uniform(-0.3, 0.3, SHAPE).astype(np.float32),
        1,
        settings,
    )


def composite(weights: CarriedWeights) -> WeightArray:
    return weights.forward(np.eye(SHAPE[1], dtype=np.float32)).T


def drive(weights: CarriedWeights, n_pulses: int) -> None:
    """Fill the finest tile."""
    rng = np.random.default_rng(RNG_SEED)
    weights.tiles[-1].pulse(rng.choice([-n_pulses, n_pulses], SHAPE).astype(np.int32))


def visit_all(weights: CarriedWeights) -> None:
    weights.update(np.zeros((1, SHAPE[1]), np.float32), np.zeros((1, SHAPE[0]), np.float32), 0.1)


def test_ideal_devices_carry_without_loss() -> None:
    """Gain 1/2: a step of a tile is two of the next one, so that sums come out on the grid."""
    settings = CarrySettings(n_tiles=4, gamma=0.5, n_columns=24, visit_every=1)
    weights = carried(on_grid(20), settings)
    drive(weights, 8)
    before = composite(weights)
    finest = weights.tiles[-1].read_columns(np.arange(24))
    assert float(np.abs(finest).min()) > 0.7
    visit_all(weights)
    after = weights.tiles[-1].read_columns(np.arange(24))
    assert float(np.abs(after).max()) <= 0.2 + 1e-5, "the finest tile is free again"
    step = 0.1 * 0.5**3
    assert float(np.abs(composite(weights) - before).max()) <= step / 2 + 1e-5
    assert weights.n_carries == SHAPE[0] * SHAPE[1]


def test_real_devices_carry_with_an_error_of_a_fine_step() -> None:
    settings = CarrySettings(n_tiles=4, gamma=0.4, n_columns=24, visit_every=1, n_rounds=4)
    weights = carried(with_states(10), settings)
    drive(weights, 6)
    before = composite(weights)
    grown = np.abs(weights.tiles[-1].read_columns(np.arange(24)))
    visit_all(weights)
    freed = np.abs(weights.tiles[-1].read_columns(np.arange(24)))
    assert float(freed.mean()) < 0.5 * float(grown.mean())
    fine_step = 0.2 * 0.4**3
    error = (composite(weights) - before) / fine_step
    assert float(np.sqrt(np.mean(error**2))) < 1.5
    assert abs(float(error.mean())) < 0.15, "on average nothing is lost"


def test_only_columns_whose_turn_it_is_are_written() -> None:
    settings = CarrySettings(n_tiles=3, gamma=0.5, n_columns=5, visit_every=2)
    weights = carried(on_grid(20), settings)
    drive(weights, 8)
    every = np.arange(SHAPE[1])
    before = [tile.read_columns(every) for tile in weights.tiles]
    visit_all(weights)
    assert weights.n_carries == 0, "not yet"
    visit_all(weights)
    for tile, was in zip(weights.tiles[1:], before[1:], strict=True):
        is_changed = (tile.read_columns(every) != was).any(axis=0)
        assert np.flatnonzero(is_changed).tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(weights.tiles[0].read_columns(every), before[0]), "there was room before"


def test_a_full_tile_hands_on_to_the_one_before_it() -> None:
    settings = CarrySettings(n_tiles=3, gamma=0.5, n_columns=24, visit_every=1)
    weights = carried(on_grid(20), settings)
    rng = np.random.default_rng(RNG_SEED)
    signs = rng.choice([-1, 1], SHAPE).astype(np.int32)
    weights.tiles[1].pulse(9 * signs)
    weights.tiles[2].pulse(9 * signs)
    coarse = weights.tiles[0].read_columns(np.arange(24))
    visit_all(weights)
    moved = weights.tiles[0].read_columns(np.arange(24)) - coarse
    assert (moved * signs > 0.05).all()


def test_a_carry_goes_on_from_a_snapshot_bit_for_bit() -> None:
    settings = CarrySettings(n_tiles=3, gamma=0.4, n_columns=5, visit_every=1)
    rng = np.random.default_rng(RNG_SEED)
    x = rng.normal(size=(40, 2, 24)).astype(np.float32)
    d = rng.normal(size=(40, 2, 16)).astype(np.float32)
    one, other = carried(with_states(10), settings), carried(with_states(10), settings)
    for k in range(20):
        one.update(x[k], d[k], 0.05)
    own = one.snapshot()
    tiles = [tile.snapshot() for tile in one.tiles if isinstance(tile, SimulatedTile)]
    for k in range(20, 40):
        one.update(x[k], d[k], 0.05)
    other.restore(own)
    for tile, state in zip(other.tiles, tiles, strict=True):
        assert isinstance(tile, SimulatedTile)
        tile.restore(state)
    for k in range(20, 40):
        other.update(x[k], d[k], 0.05)
    assert one.n_carries == other.n_carries > 0
    assert np.array_equal(composite(one), composite(other))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"n_tiles": 1}, "n_tiles = 1: a carry needs two"),
        ({"gamma": 1.0}, "gamma = 1:"),
        ({"visit_every": 0}, "visit_every = 0: at least 1"),
        ({"threshold": 0.0}, "threshold = 0: above 0"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        CarrySettings(**values)  # type: ignore[arg-type]
