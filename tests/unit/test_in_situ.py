"""The rule of in-situ learning: gradients from answers, pulses from gradients."""

from __future__ import annotations

import numpy as np
import pytest

from hil.types import MEMRISTORS, Dopant
from procedures.learning.images import Noise
from procedures.learning.in_situ import V_HOLD_V, Accumulator, PulseLadder, gradient
from procedures.learning.inference import Response
from procedures.learning.mapping import DEFAULT_WINDOWS, ConductanceWindow, WeightMap
from procedures.learning.network import N_WEIGHTS, accuracy, outputs, split
from procedures.learning.tasks import make_task


def answer(weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]], images: object) -> Response:
    hidden, last = split(weights)
    active = np.clip(np.asarray(images) @ hidden, 0, 1)
    output = active @ last
    return Response(active, output, (output > 0).astype(np.int64), 0.0)


def test_the_gradient_is_that_of_the_loss_where_no_neuron_clips() -> None:
    task = make_task("T/L")
    rng = np.random.default_rng(2)
    weights = np.concatenate([rng.uniform(0.02, 0.15, 27), rng.uniform(-0.5, 0.5, 3)])
    found = gradient(answer(weights, task.images), task.images, task.labels, weights[27:])

    def loss(w: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        z = 4.0 * outputs(w, task.images)
        return float(np.mean(np.log1p(np.exp(-z * (2 * task.labels - 1))))) / 4.0

    for k in range(N_WEIGHTS):
        up, down = weights.copy(), weights.copy()
        up[k] += 1e-6
        down[k] -= 1e-6
        assert found[k] == pytest.approx((loss(up) - loss(down)) / 2e-6, abs=1e-7)


def test_a_pulse_is_due_when_gradients_have_added_up() -> None:
    gradients = Accumulator(3, threshold=1.0)
    step = np.array([0.4, -0.6, 0.0])
    assert gradients.directions(step).tolist() == [0, 0, 0]
    assert gradients.directions(step).tolist() == [0, 1, 0]  # against the gradient
    assert gradients.directions(step).tolist() == [-1, 0, 0]
    assert gradients.directions(-step).tolist() == [0, 0, 0]  # what led to a pulse is forgotten


def test_a_threshold_that_grows_makes_late_pulses_rarer() -> None:
    gradients = Accumulator(1, threshold=1.0, growth_ratio=1.0)
    pulses = [int(gradients.directions(np.array([-1.5]))[0]) for _ in range(20)]
    assert sum(pulses[:5]) > sum(pulses[-5:])


def ladder(dopant: Dopant = Dopant.W, n_levels: int = 10) -> PulseLadder:
    r_ohm = 10_075.0 if dopant is Dopant.W else 47_075.0
    weight_map = WeightMap(DEFAULT_WINDOWS[dopant], r_ohm)
    return PulseLadder(weight_map, V_HOLD_V[dopant], n_levels, 4, np.random.default_rng(1))


def test_amplitudes_follow_the_levels() -> None:
    steps = ladder()
    before = steps.set_v
    assert steps.step(np.array([1, -1, 0, 1])).tolist() == [True, True, False, True]
    after = steps.set_v
    assert after[0] > before[0]
    assert after[1] < before[1]
    assert after[2] == before[2]


def test_an_amplitude_is_what_takes_a_device_with_this_hold_voltage_to_its_weight() -> None:
    window, r_ohm, v_hold_v = ConductanceWindow(25e-6, 100e-6), 10e3, 0.2
    weight_map = WeightMap(window, r_ohm)
    steps = PulseLadder(weight_map, v_hold_v, 10, 200, np.random.default_rng(1))
    # V_hold (1 + R G), backwards
    g_siemens = (steps.set_v / v_hold_v - 1) / r_ohm
    weights = weight_map.weights(g_siemens)
    assert weights.min() == pytest.approx(-0.5, abs=0.03)
    assert weights.max() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("dopant", MEMRISTORS)
def test_levels_end_somewhere(dopant: Dopant) -> None:
    steps = ladder(dopant)
    for _ in range(40):
        steps.step(np.array([1, 1, -1, -1]))
    assert not steps.step(np.array([1, 1, -1, -1])).any()
    assert (steps.set_v[:2] == steps.set_max_v).all()
    assert (steps.set_v > 0).all()
    assert steps.set_max_v < 2.0


def test_the_rule_learns_on_ideal_devices() -> None:
    """100 epochs of 16 images with 10 % flips. One start in ten may die: nothing restarts here."""
    task = make_task("T/L")
    scores = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        levels = rng.uniform(-0.5, 0.5, N_WEIGHTS)
        gradients = Accumulator(N_WEIGHTS, 0.05, 0.05)
        for _ in range(100):
            images, labels = task.batch(16, Noise(0.1), rng)
            found = gradient(answer(levels, images), images, labels, levels[27:])
            levels = np.clip(levels + gradients.directions(found) / 8, -1, 1)
        scores.append(float(accuracy(levels, task.images, task.labels)))
    assert sum(score == 1.0 for score in scores) >= 8
