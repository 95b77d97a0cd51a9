"""Gradients of layers are those of finite differences; networks learn on tiles."""

from __future__ import annotations

import numpy as np
import pytest

from hil.tiles import WeightArray
from procedures.learning.analog.layers import Convolution, Dense, Layer, MaxPool, Tanh
from procedures.learning.analog.network import (
    Network,
    first_weights,
    lenet5,
    log_softmax_loss,
    perceptron,
)
from procedures.learning.analog.residual import ResidualSchedule, ResidualWeights
from procedures.learning.analog.tiki_taka import BufferedTikiTaka, TikiTakaSettings
from procedures.learning.analog.weights import (
    DigitalWeights,
    LayerWeights,
    MixedPrecision,
)
from twin.tiles.presets import with_states
from twin.tiles.tile import SimulatedTile

RNG_SEED = 4


def digital(weights: WeightArray, number: int) -> DigitalWeights:
    return DigitalWeights(weights)


def check_input_gradient(layer: Layer, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(RNG_SEED)
    x = rng.normal(size=shape).astype(np.float32)
    toward = rng.normal(size=layer.forward(x).shape).astype(np.float32)
    gradient = layer.backward(toward)
    step = rng.normal(size=shape).astype(np.float32)
    h = np.float32(1e-2)
    ahead, behind = (float((layer.forward(x + s * h * step) * toward).sum()) for s in (1, -1))
    assert float((gradient * step).sum()) == pytest.approx((ahead - behind) / (2 * h), rel=5e-3)


def test_errors_at_inputs() -> None:
    rng = np.random.default_rng(RNG_SEED)
    check_input_gradient(Dense(digital(first_weights((4, 6), rng), 0), 4), (3, 6))
    convolution = Convolution(digital(first_weights((4, 2 * 9), rng), 0), 4, 3)
    check_input_gradient(convolution, (2, 7, 6, 2))
    check_input_gradient(Tanh(), (3, 5))
    pool = MaxPool()
    x = rng.permutation(64).reshape(1, 8, 4, 2).astype(np.float32)
    y = pool.forward(x)
    assert y[0, 0, 0, 0] == x[0, :2, :2, 0].max()
    back = pool.backward(y)
    assert (back[back != 0] == x[back != 0]).all()
    assert (back != 0).sum() == y.size


def test_a_convolution_is_a_sum_over_patches() -> None:
    rng = np.random.default_rng(RNG_SEED)
    w = first_weights((3, 2 * 4), rng)
    x = rng.normal(size=(1, 4, 5, 2)).astype(np.float32)
    y = Convolution(digital(w, 0), 3, 2).forward(x)
    assert y.shape == (1, 3, 4, 3)
    assert y[0, 1, 2] == pytest.approx(w @ x[0, 1:3, 2:4].ravel(), rel=1e-5)


def test_weights_move_down_the_gradient_of_the_loss() -> None:
    rng = np.random.default_rng(RNG_SEED)
    network = lenet5(digital, rng)
    x = rng.normal(size=(4, 28, 28, 1)).astype(np.float32)
    labels = np.array([1, 3, 5, 7])
    first = network.train(x, labels, 0.05).loss
    assert first == pytest.approx(np.log(10), abs=0.2)
    assert log_softmax_loss(network.outputs(x), labels).mean < first
    assert sum(w.size for w in (one._w for one in network.weights)) == 80_016  # type: ignore[attr-defined]


def make_tile(shape: tuple[int, int], seed: int) -> SimulatedTile:
    return SimulatedTile(with_states(10, spread=0.0), shape, seed)


def kinds(weights: WeightArray, number: int, kind: str) -> LayerWeights:
    seed = 100 * number
    if kind == "digital":
        return DigitalWeights(weights)
    if kind == "mixed precision":
        return MixedPrecision(make_tile, weights, seed)
    if kind == "tiki-taka 2":
        chosen = TikiTakaSettings(fast_rate=0.5, transfer_rate=1.0)
        return BufferedTikiTaka(make_tile, weights, seed, chosen)
    schedule = ResidualSchedule(0.4, 1.0, (2, 2), (0.1, 0.1), is_warm=True)
    return ResidualWeights(make_tile, weights, seed, schedule)


def trained(kind: str, n_epochs: int = 12) -> float:
    """Return the accuracy on a task of three classes in eight dimensions."""
    rng = np.random.default_rng(RNG_SEED)
    centres = rng.normal(size=(3, 8))
    labels = rng.integers(0, 3, 600)
    x = (0.5 * (centres[labels] + 0.5 * rng.normal(size=(600, 8)))).astype(np.float32)
    network: Network = perceptron(
        [8, 12, 3], lambda weights, number: kinds(weights, number, kind), rng
    )
    for epoch in range(n_epochs):
        for first in range(0, 400, 8):
            network.train(x[first : first + 8], labels[first : first + 8], 0.1)
        for weights in network.weights:
            if isinstance(weights, ResidualWeights) and epoch in (3, 6):
                weights.go_finer()
    return network.accuracy(x[400:], labels[400:])


@pytest.mark.parametrize("kind", ["digital", "mixed precision", "tiki-taka 2", "residual"])
def test_networks_learn_on_tiles_of_ten_states(kind: str) -> None:
    assert trained(kind) > 0.9


def squared_error(n_tiles: int, n_steps: int = 8000) -> float:
    """Return the error of least squares with composite weights, averaged over the last tenth."""
    rng = np.random.default_rng(RNG_SEED)
    wanted = rng.uniform(-0.5, 0.5, (4, 6)).astype(np.float32)
    n = n_tiles - 1
    periods, rates = tuple(20 if k == n - 1 else 10 for k in range(n)), (0.25,) * n
    schedule = ResidualSchedule(0.5, 0.2 if n else 0.02, periods, rates, is_warm=n > 0)
    weights = ResidualWeights(make_tile, np.zeros((4, 6), np.float32), 1, schedule)
    errors, every = [], np.eye(6, dtype=np.float32)
    for step in range(n_steps):
        x = rng.choice([-1, 1], (1, 6)).astype(np.float32)
        weights.update(x, weights.forward(x) - x @ wanted.T, 1.0)
        if step and step % (n_steps // 4 // max(n, 1)) == 0:
            weights.go_finer()
        if step > 0.9 * n_steps:
            errors.append(float(((weights.forward(every).T - wanted) ** 2).mean()))
    return float(np.mean(errors))


def test_the_error_falls_with_every_tile() -> None:
    errors = [squared_error(n_tiles) for n_tiles in (1, 2, 3)]
    assert errors[1] < errors[0] / 1.5
    assert errors[2] < errors[1] / 1.5
