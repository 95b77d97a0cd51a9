"""Transfers touch the column that they should, at the step they should, and in the right tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hil.errors import ParameterError
from hil.tiles import Products, PulseArray, SummedProducts, Tile, TileCounts, WeightArray
from procedures.learning.analog.residual import (
    Plateau,
    ResidualSchedule,
    ResidualWeights,
    published_schedule,
    theory_schedule,
)
from procedures.learning.analog.tiki_taka import BufferedTikiTaka, TikiTaka, TikiTakaSettings
from procedures.learning.analog.weights import MixedPrecision, program


@dataclass
class ExactTile:
    """A tile without devices, that remembers what was done to it."""

    shape: tuple[int, int]
    dw_min: float = 0.25
    counts: TileCounts = field(default_factory=TileCounts)
    updates: list[tuple[WeightArray, WeightArray, float]] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.w = np.zeros(self.shape, np.float32)

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        self.updates.append((x, d, rate))
        self.w -= np.float32(rate) * (d.T @ x)

    def pulse(self, n_pulses: PulseArray) -> None:
        self.w += n_pulses * np.float32(self.dw_min)

    def pulse_columns(self, columns: NDArray[np.intp], n_pulses: PulseArray) -> None:
        self.w[:, columns] += n_pulses * np.float32(self.dw_min)

    def read_column(self, column: int) -> WeightArray:
        self.reads.append(column)
        return self.w[:, column].copy()

    def stacked(self, others: Sequence[Tile], gains: Sequence[float]) -> Products:
        return SummedProducts([self, *others], gains)

    def read_columns(self, columns: NDArray[np.intp]) -> WeightArray:
        self.reads.extend(columns.tolist())
        read: WeightArray = self.w[:, columns].copy()
        return read

    def read_row(self, row: int) -> WeightArray:
        read: WeightArray = self.w[row].copy()
        return read

    def matvec(self, x: WeightArray) -> WeightArray:
        return x @ self.w.T

    def matvec_transposed(self, d: WeightArray) -> WeightArray:
        return d @ self.w


def make_tile(shape: tuple[int, int], seed: int) -> ExactTile:
    return ExactTile(shape)


def exact(weights: ResidualWeights | TikiTaka | MixedPrecision) -> list[ExactTile]:
    tiles = [tile for tile in weights.tiles if isinstance(tile, ExactTile)]
    assert len(tiles) == len(weights.tiles)
    return tiles


SHAPE = (2, 3)
ZERO = np.zeros(SHAPE, np.float32)
X = np.ones((1, 3), np.float32)
D = np.array([[-1.0, 0.5]], np.float32)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 300))
def test_the_cascade_hands_over_in_its_periods(periods: list[int], n_steps: int) -> None:
    n = len(periods)
    schedule = ResidualSchedule(0.5, 0.1, tuple(periods), tuple(0.01 * (k + 1) for k in range(n)))
    weights = ResidualWeights(make_tile, ZERO, 1, schedule)
    tiles = exact(weights)
    for tile in tiles:
        tile.reads.clear()
    for _ in range(n_steps):
        weights.update(X, D, 1.0)
    expected = n_steps
    for source in range(n, 0, -1):
        assert len(tiles[source].updates) == expected
        expected //= periods[source - 1]
        target = tiles[source - 1]
        assert tiles[source].reads == [k % 3 for k in range(expected)]
        assert len(target.updates) == expected
        for k, (x, _, rate) in enumerate(target.updates):
            assert np.flatnonzero(x).tolist() == [k % 3]
            assert rate == 0.01 * source


@settings(deadline=None)
@given(st.integers(2, 5), st.integers(1, 4), st.lists(st.integers(0, 30), max_size=6))
def test_the_warm_start_fills_one_tile_after_the_other(
    n_tiles: int, period: int, stages: list[int]
) -> None:
    n = n_tiles - 1
    schedule = ResidualSchedule(0.5, 0.1, (period,) * n, (0.1,) * n, is_warm=True)
    weights = ResidualWeights(make_tile, ZERO, 1, schedule)
    tiles = exact(weights)
    for k, n_steps in enumerate(stages):
        before = [len(tile.updates) for tile in tiles]
        n_done = before[-1]
        for _ in range(n_steps):
            weights.update(X, D, 1.0)
        grown = [len(tile.updates) - n for tile, n in zip(tiles, before, strict=True)]
        assert grown[-1] == n_steps
        if k < n:
            assert weights.warm_tile == k
            due = (n_done + n_steps) // period - n_done // period
            assert grown[:-1] == [due if tile == k else 0 for tile in range(n)]
        else:
            assert weights.warm_tile is None
        weights.go_finer()


def test_what_is_handed_over_adds_to_the_target() -> None:
    schedule = ResidualSchedule(0.5, 0.25, (1,), (0.5,))
    weights = ResidualWeights(make_tile, ZERO, 1, schedule)
    weights.update(X, D, 1.0)
    coarse, fine = exact(weights)
    assert fine.w == pytest.approx(np.array([[0.25] * 3, [-0.125] * 3]))
    assert coarse.w == pytest.approx(np.array([[0.125, 0, 0], [-0.0625, 0, 0]]))
    composite = coarse.w + 0.5 * fine.w
    assert weights.forward(X) == pytest.approx(X @ composite.T)
    assert weights.backward(D) == pytest.approx(D @ composite)


def test_published_and_theory_schedules() -> None:
    published = published_schedule(4)
    assert published.periods == (5, 5, 2)
    assert published.transfer_rates == pytest.approx((0.12, 0.144, 0.1728))
    assert published.is_warm
    assert theory_schedule(3, 0.5).periods == (20, 100)
    assert published_schedule(1).n_tiles == 1
    assert ResidualWeights(make_tile, ZERO, 1, published_schedule(1)).warm_tile is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.5, 0.1, (1,), (0.1,)), "the gain of the next tile"),
        ((0.5, 0.1, (1, 2), (0.1,)), "2 periods and 1 transfer rates"),
        ((0.5, 0.1, (0,), (0.1,)), "after 1 update or more"),
    ],
)
def test_schedules_that_cannot_be(
    arguments: tuple[float, float, tuple[int, ...], tuple[float, ...]], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        ResidualSchedule(*arguments)
    with pytest.raises(ParameterError, match="every minibatch or less"):
        TikiTakaSettings(transfer_every=0)


def test_a_plateau_is_a_rise_at_first_and_two_in_five_later() -> None:
    plateau = Plateau(n_aggressive=1)
    assert [plateau.is_reached(loss) for loss in (3.0, 2.0, 2.5)] == [False, False, True]
    losses = (2.4, 2.5, 2.3, 2.2, 2.1, 2.0, 2.05, 2.04, 2.06)
    found = [plateau.is_reached(loss) for loss in losses]
    assert found == [False] * 8 + [True]


@given(st.integers(1, 4), st.integers(1, 60))
def test_tiki_taka_reads_a_column_in_turn(every: int, n_steps: int) -> None:
    chosen = TikiTakaSettings(fast_rate=0.01, transfer_every=every, gamma=0.5)
    weights = TikiTaka(make_tile, ZERO, 1, chosen)
    slow, fast = exact(weights)
    for _ in range(n_steps):
        weights.update(X, D, 0.1)
    assert fast.reads == [k % 3 for k in range(n_steps // every)]
    assert [np.flatnonzero(x).tolist() for x, _, _ in slow.updates] == [[k] for k in fast.reads]
    assert weights.forward(X) == pytest.approx(X @ (slow.w + 0.5 * fast.w).T, abs=1e-6)


def test_a_buffer_hands_over_whole_pulses_and_forgets() -> None:
    chosen = TikiTakaSettings(fast_rate=0.1, transfer_rate=1.0, kept_ratio=0.1)
    weights = BufferedTikiTaka(make_tile, ZERO, 1, chosen)
    slow, fast = exact(weights)
    buffer = np.zeros(SHAPE, np.float32)
    expected = np.zeros(SHAPE, np.float32)
    for k in range(60):
        weights.update(X, D, 0.2)
        column = k % 3
        buffer[:, column] += 0.2 * fast.w[:, column]
        n_pulses = np.clip(np.trunc(buffer[:, column] / 0.25), -1, 1)
        expected[:, column] += 0.25 * n_pulses
        buffer[n_pulses != 0, column] *= 0.1
    assert expected.any()
    assert slow.w == pytest.approx(expected)


@given(st.integers(1, 5), st.integers(1, 50))
def test_mixed_precision_loses_nothing(every: int, n_steps: int) -> None:
    weights = MixedPrecision(make_tile, ZERO, 1, transfer_every=every)
    (tile,) = exact(weights)
    for _ in range(n_steps):
        weights.update(X, D, 0.07)
    gradient = -0.07 * n_steps * (D.T @ X)
    if n_steps % every == 0:
        assert np.abs(tile.w - gradient).max() < 0.25 + 1e-4
    assert (tile.w % 0.25 == 0).all()


def test_a_tile_is_programmed_to_half_a_step() -> None:
    tile = ExactTile(SHAPE)
    wanted = np.array([[0.3, -0.6, 1.0], [0.0, 0.9, -0.2]], np.float32)
    program(tile, wanted)
    assert np.abs(tile.w - wanted).max() <= 0.125
