"""Choppers keep the symmetric point of the fast tile out of the weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hil.errors import ParameterError
from hil.tiles import PulseArray, TileMaker, WeightArray
from procedures.learning.analog.chopped import ChoppedSettings, ChoppedTikiTaka, ChoppedTransfer
from procedures.learning.analog.dynamic import DynamicSettings, DynamicTikiTaka
from procedures.learning.analog.network import perceptron
from procedures.learning.analog.tiki_taka import BufferedTikiTaka, TikiTakaSettings
from procedures.learning.analog.weights import LayerWeights
from twin.tiles.presets import with_states
from twin.tiles.responses import SoftBounds
from twin.tiles.tile import SimulatedTile

RNG_SEED = 4
SHAPE = (2, 3)
ZERO = np.zeros(SHAPE, np.float32)


class RecordedTile(SimulatedTile):
    """Remembers what was asked of it."""

    def __init__(self, response: SoftBounds, shape: tuple[int, int], seed: int) -> None:
        super().__init__(response, shape, seed)
        self.inputs: list[WeightArray] = []
        self.rates: list[float] = []
        self.reads: list[tuple[int, WeightArray]] = []
        self.pulses: list[tuple[list[int], PulseArray]] = []

    def update(self, x: WeightArray, d: WeightArray, rate: float) -> None:
        self.inputs.append(x.copy())
        self.rates.append(rate)
        super().update(x, d, rate)

    def read_column(self, column: int) -> WeightArray:
        read = super().read_column(column)
        self.reads.append((column, read))
        return read

    def pulse_columns(self, columns: NDArray[np.intp], n_pulses: PulseArray) -> None:
        self.pulses.append((columns.tolist(), n_pulses.copy()))
        super().pulse_columns(columns, n_pulses)


def make_recorded(shape: tuple[int, int], seed: int) -> RecordedTile:
    return RecordedTile(with_states(40, spread=0.1), shape, seed)


def recorded(weights: ChoppedTransfer) -> tuple[RecordedTile, RecordedTile]:
    slow, fast = weights.tiles
    assert isinstance(slow, RecordedTile)
    assert isinstance(fast, RecordedTile)
    return slow, fast


def run(weights: LayerWeights, n_steps: int, seed: int = RNG_SEED, rate: float = 0.5) -> None:
    """Feed minibatches of two samples, none of them with a zero in it."""
    rng = np.random.default_rng(seed)
    for _ in range(n_steps):
        x = rng.uniform(0.5, 1.0, (2, SHAPE[1])).astype(np.float32)
        weights.update(x, rng.normal(0.5, 1.0, (2, SHAPE[0])).astype(np.float32), rate)


def signs_of_columns(fast: RecordedTile) -> WeightArray:
    """Return the signs of a run's inputs, (n_batches, n_columns)."""
    return np.array([np.sign(x[0]) for x in fast.inputs])


# --- signs --------------------------------------------------------------------------------------


def test_signs_change_in_a_regular_period() -> None:
    weights = DynamicTikiTaka(make_recorded, ZERO, 1, DynamicSettings(chop_period=4))
    run(weights, 60)
    _, fast = recorded(weights)
    n_reads = np.array([[(batch + 2 - column) // 3 for column in range(3)] for batch in range(60)])
    assert (signs_of_columns(fast) == (-1.0) ** (n_reads // 4)).all()


def test_signs_change_at_random_after_a_read_of_their_column() -> None:
    weights = ChoppedTikiTaka(make_recorded, ZERO, 1, ChoppedSettings(chop_probability=0.3))
    run(weights, 3000)
    _, fast = recorded(weights)
    flips = np.argwhere(np.diff(signs_of_columns(fast), axis=0))
    assert all(batch % 3 == column for batch, column in flips)
    assert len(flips) == pytest.approx(0.3 * 3000, abs=4 * np.sqrt(0.3 * 0.7 * 3000))
    assert len(np.unique(np.diff(flips[:, 0]))) > 3


def test_signs_depend_on_the_seed_alone() -> None:
    def signs(seed: int, rate: float) -> WeightArray:
        weights = ChoppedTikiTaka(make_recorded, ZERO, seed, ChoppedSettings(chop_probability=0.3))
        run(weights, 100, rate=rate)
        return signs_of_columns(recorded(weights)[1])

    assert (signs(1, 0.5) == signs(1, 0.1)).all()
    assert (signs(1, 0.5) != signs(2, 0.5)).any()


# --- what is handed over ------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "n_reads"), [(1, 1), (3, 1), (2, 2), (1, 5)])
def test_transfers_touch_the_columns_read(every: int, n_reads: int) -> None:
    chosen = ChoppedSettings(transfer_every=every, n_reads=n_reads, granularity=2.0)
    weights = ChoppedTikiTaka(make_recorded, ZERO, 1, chosen)
    slow, fast = recorded(weights)
    rng = np.random.default_rng(RNG_SEED)
    n_due, n_seen, n_moved = min(n_reads, 3), 0, 0
    for batch in range(1, 61):
        before = slow.weights.copy()
        x = rng.uniform(0.5, 1.0, (1, 3)).astype(np.float32)
        weights.update(x, np.ones((1, 2), np.float32), 0.5)
        columns = [column for column, _ in fast.reads[n_seen:]]
        n_transfers = batch // every if batch % every == 0 else 0
        expected = range((n_transfers - 1) * n_due, n_transfers * n_due) if n_transfers else ()
        assert columns == [k % 3 for k in expected]
        moved = np.flatnonzero((slow.weights != before).any(axis=0))
        assert set(moved) <= set(columns)
        n_seen, n_moved = len(fast.reads), n_moved + len(moved)
    assert n_moved > 5
    assert not slow.inputs


def buffered(fast: RecordedTile, signs: WeightArray, gain: float) -> WeightArray:
    """Return what reads of a run in which every minibatch ended with one add up to."""
    total = np.zeros(SHAPE, np.float32)
    for batch, (column, read) in enumerate(fast.reads):
        total[:, column] += gain * signs[batch, column] * read
    return total


def test_the_buffer_is_the_sum_of_the_signed_reads() -> None:
    chosen = ChoppedSettings(fast_rate=0.2, transfer_rate=2.0, granularity=1e5)
    weights = ChoppedTikiTaka(make_recorded, ZERO, 1, chosen)
    run(weights, 200)
    slow, fast = recorded(weights)
    gain = 2.0 * 0.5 / (0.05 * 1e5 / 3)
    expected = buffered(fast, signs_of_columns(fast), gain)
    assert np.abs(expected).max() > 0.01
    assert weights.snapshot()["buffer"] == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert not slow.pulses


def test_whole_pulses_leave_the_buffer() -> None:
    chosen = ChoppedSettings(fast_rate=0.2, granularity=5.0, kept_ratio=0.25, max_pulses=2)
    weights = ChoppedTikiTaka(make_recorded, ZERO, 1, chosen)
    run(weights, 200)
    slow, fast = recorded(weights)
    signs, gain = signs_of_columns(fast), 0.5 / (0.05 * 5.0 / 3)
    total, made = np.zeros(SHAPE, np.float32), []
    for batch, (column, read) in enumerate(fast.reads):
        total[:, column] += gain * signs[batch, column] * read
        pulses = np.clip(np.trunc(total[:, column]), -2, 2)
        total[pulses != 0, column] *= 0.25
        if pulses.any():
            made.append(([column], pulses.tolist()))
    assert [(columns, pulses[:, 0].tolist()) for columns, pulses in slow.pulses] == made
    assert {-2, -1, 1, 2} <= {n for _, pulses in made for n in pulses}


def test_a_reference_is_taken_at_every_change_of_sign() -> None:
    chosen = DynamicSettings(fast_rate=0.2, granularity=1e5, chop_period=4, tail_weight=2.0)
    weights = DynamicTikiTaka(make_recorded, ZERO, 1, chosen)
    run(weights, 3 * 22)
    _, fast = recorded(weights)
    gain = 0.5 / (0.05 * 1e5 / 3)
    mean, reference, total = (np.zeros(SHAPE, np.float32) for _ in range(3))
    for k, (column, read) in enumerate(fast.reads):
        n_before = k // 3
        if n_before >= 4:
            sign = (-1) ** (n_before // 4)
            total[:, column] += gain * sign * (read - reference[:, column])
        mean[:, column] = 0.5 * mean[:, column] + 0.5 * read
        if n_before % 4 == 3:
            reference[:, column] = mean[:, column]
    state = weights.snapshot()
    assert state["mean"] == pytest.approx(mean, rel=1e-4)
    assert state["reference"] == pytest.approx(reference, rel=1e-4)
    assert state["buffer"] == pytest.approx(total, rel=1e-3, abs=1e-7)
    assert np.abs(total).max() > 1e-3


def test_nothing_is_handed_over_before_there_is_a_reference() -> None:
    chosen = DynamicSettings(granularity=0.5, chop_period=5)
    weights = DynamicTikiTaka(make_recorded, ZERO, 1, chosen)
    slow, _ = recorded(weights)
    run(weights, 3 * 5)
    assert not slow.pulses
    run(weights, 3)
    assert slow.pulses


# --- rates --------------------------------------------------------------------------------------


def test_the_fast_rate_follows_the_largest_inputs_and_errors() -> None:
    chosen = ChoppedSettings(fast_pulses=2.0, scale_kept=0.75)
    weights = ChoppedTikiTaka(make_recorded, ZERO, 1, chosen)
    _, fast = recorded(weights)

    def one(x: float, d: float) -> float:
        inputs = np.array([[x, -2 * x, x], [0.0, 0.0, 0.0]], np.float32)
        weights.update(inputs, np.array([[d, -d], [0.5 * d, 0.0]], np.float32), 0.1)
        return fast.rates[-1]

    assert one(1.0, 0.0) == 0.0
    assert one(1.0, 0.4) == pytest.approx(2.0 * 0.05 / (2.0 * 0.3))
    assert one(3.0, 0.4) == pytest.approx(2.0 * 0.05 / (3.0 * 0.3))
    assert one(0.0, 0.8) == pytest.approx(2.0 * 0.05 / (3.0 * (0.75 * 0.3 + 0.25 * 0.6)))


def test_how_fast_it_learns_does_not_depend_on_how_often_it_reads() -> None:
    def moved(**reads: int) -> float:
        chosen = ChoppedSettings(chop_probability=0.0, granularity=1e4, **reads)
        weights = ChoppedTikiTaka(make_recorded, ZERO, 1, chosen)
        for _ in range(600):
            weights.update(np.ones((1, 3), np.float32), np.ones((1, 2), np.float32), 0.5)
        total = weights.snapshot()["buffer"]
        assert (total < 0).all()
        return float(total.mean())

    assert moved(n_reads=3) == pytest.approx(moved(), rel=0.03)
    assert moved(transfer_every=5) == pytest.approx(moved(), rel=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transfer_every": 0}, "transfer_every = 0: at least 1"),
        ({"n_reads": 0}, "n_reads = 0: at least 1"),
        ({"max_pulses": 0}, "max_pulses = 0: at least 1"),
        ({"granularity": 0.0}, "granularity = 0: above 0"),
        ({"fast_pulses": -1.0}, "fast_pulses = -1: above 0"),
        ({"fast_rate": 0.0}, "fast_rate = 0: above 0"),
        ({"kept_ratio": 1.0}, r"kept_ratio = 1: a part in \[0, 1\)"),
        ({"scale_kept": float("nan")}, r"scale_kept = nan: a part in \[0, 1\)"),
        ({"chop_probability": 1.5}, r"chop_probability = 1.5: a probability is in \[0, 1\]"),
        ({"chop_period": 0}, "chop_period = 0: at least 1"),
        ({"tail_weight": 0.0}, "tail_weight = 0: above 0"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    kind = DynamicSettings if {"chop_period", "tail_weight"} & set(settings) else ChoppedSettings
    with pytest.raises(ParameterError, match=message):
        kind(**settings)


# --- going on from a snapshot -------------------------------------------------------------------


def chopped(make: TileMaker, weights: WeightArray, seed: int) -> ChoppedTransfer:
    chosen = ChoppedSettings(granularity=10.0, transfer_every=2, kept_ratio=0.1)
    return ChoppedTikiTaka(make, weights, seed, chosen)


def dynamic(make: TileMaker, weights: WeightArray, seed: int) -> ChoppedTransfer:
    chosen = DynamicSettings(granularity=10.0, transfer_every=2, chop_period=3, tail_weight=1.0)
    return DynamicTikiTaka(make, weights, seed, chosen)


def taken_to_pieces(weights: ChoppedTransfer) -> dict[str, Any]:
    """Return a snapshot of all, the numbers as they come back from a file."""
    state = weights.snapshot()
    numbers = {key: one for key, one in state.items() if not isinstance(one, np.ndarray)}
    return {
        "own": state | json.loads(json.dumps(numbers)),
        "tiles": [tile.snapshot() for tile in recorded(weights)],
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    assert one.keys() == other.keys()
    return all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("kind", [chopped, dynamic])
def test_it_goes_on_bit_for_bit(kind: Callable[..., ChoppedTransfer]) -> None:
    weights = kind(make_recorded, ZERO, 1)
    run(weights, 101)
    saved = deepcopy(taken_to_pieces(weights))
    run(weights, 100, seed=RNG_SEED + 1)
    resumed = kind(make_recorded, ZERO, 1)
    run(resumed, 7)
    resumed.restore(saved["own"])
    for tile, state in zip(recorded(resumed), saved["tiles"], strict=True):
        tile.restore(state)
    run(resumed, 100, seed=RNG_SEED + 1)
    assert same(resumed.snapshot(), weights.snapshot())
    for tile, original in zip(recorded(resumed), recorded(weights), strict=True):
        assert np.array_equal(tile.weights, original.weights)
    assert not np.array_equal(saved["tiles"][0]["held"], recorded(weights)[0].weights)


def test_a_snapshot_does_not_change_with_what_it_was_taken_of() -> None:
    for kind in (chopped, dynamic):
        weights = kind(make_recorded, ZERO, 1)
        run(weights, 101)
        state = weights.snapshot()
        before = deepcopy(state)
        run(weights, 50)
        assert same(state, before)
        assert not same(weights.snapshot(), before)


# --- learning -----------------------------------------------------------------------------------

STATES = 40.0
OFFSET = 0.4
"""Spread of up and down steps, relative: with soft bounds at 1 also that of symmetric points."""


def make_offset(offset: float) -> TileMaker:
    """Return a maker of a good slow tile (seed 1) and of a fast one with planted offsets."""

    def make_tile(shape: tuple[int, int], seed: int) -> SimulatedTile:
        response = SoftBounds(
            dw_min=2 / STATES,
            w_max=1.0,
            w_min=-1.0,
            dw_min_dtod=0.0,
            w_max_dtod=0.0,
            w_min_dtod=0.0,
            up_down_dtod=0.0 if seed == 1 else offset,
        )
        return SimulatedTile(response, shape, seed)

    return make_tile


def learner(kind: str, offset: float) -> LayerWeights:
    make, weights = make_offset(offset), np.zeros((4, 6), np.float32)
    if kind == "agad":
        return DynamicTikiTaka(make, weights, 1, DynamicSettings(granularity=100.0))
    if kind == "version 2":
        return BufferedTikiTaka(make, weights, 1, TikiTakaSettings(fast_rate=0.5))
    chance = 0.0 if kind == "without choppers" else 0.1
    chosen = ChoppedSettings(granularity=100.0, fast_pulses=3.0, chop_probability=chance)
    return ChoppedTikiTaka(make, weights, 1, chosen)


@cache
def weight_error(kind: str, offset: float, n_steps: int = 3000) -> float:
    """Return the error of weights after least squares, rms over the last fifth, in full scale."""
    rng = np.random.default_rng(RNG_SEED)
    wanted = rng.uniform(-0.5, 0.5, (4, 6)).astype(np.float32)
    weights, errors = learner(kind, offset), []
    slow = weights.tiles[0]
    assert isinstance(slow, SimulatedTile)
    for step in range(n_steps):
        x = rng.choice([-1, 1], (1, 6)).astype(np.float32)
        weights.update(x, weights.forward(x) - x @ wanted.T, 0.1)
        if step >= 0.8 * n_steps:
            errors.append(((slow.weights - wanted) ** 2).mean())
    return float(np.sqrt(np.mean(errors)))


KINDS = ["version 2", "without choppers", "chopped", "agad"]


@pytest.mark.parametrize("kind", KINDS)
def test_all_reach_the_target_without_offsets(kind: str) -> None:
    assert weight_error(kind, 0.0) < 1 / STATES + 0.03


@pytest.mark.parametrize("kind", ["version 2", "without choppers"])
def test_offsets_of_the_fast_tile_lead_version_2_astray(kind: str) -> None:
    assert weight_error(kind, OFFSET) > max(0.07, 2 * weight_error("chopped", OFFSET))


@pytest.mark.parametrize("kind", ["chopped", "agad"])
def test_choppers_reach_the_target_in_spite_of_offsets(kind: str) -> None:
    assert weight_error(kind, OFFSET) < 1 / STATES + 0.02


def accuracy(kind: Callable[..., ChoppedTransfer]) -> float:
    """Return the accuracy of a perceptron on three classes in eight dimensions."""
    rng = np.random.default_rng(RNG_SEED)
    centres = rng.normal(size=(3, 8))
    labels = rng.integers(0, 3, 600)
    x = (0.5 * (centres[labels] + 0.5 * rng.normal(size=(600, 8)))).astype(np.float32)

    def make_tile(shape: tuple[int, int], seed: int) -> SimulatedTile:
        return SimulatedTile(with_states(10), shape, seed)

    network = perceptron(
        [8, 12, 3], lambda weights, number: kind(make_tile, weights, 100 * number), rng
    )
    for first in range(0, 400 * 12, 8):
        batch = slice(first % 400, first % 400 + 8)
        network.train(x[batch], labels[batch], 0.1)
    return network.accuracy(x[400:], labels[400:])


@pytest.mark.parametrize("kind", [chopped, dynamic])
def test_networks_learn_on_tiles_of_ten_states_that_differ(
    kind: Callable[..., ChoppedTransfer],
) -> None:
    assert accuracy(kind) > 0.9
