"""The 9-3-1 network, its tasks, and its weights on conductances."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import ParameterError
from hil.types import MEMRISTORS, Dopant
from procedures.learning import network
from procedures.learning.mapping import DEFAULT_WINDOWS, ConductanceWindow
from procedures.learning.network import N_WEIGHTS, Training, accuracy, outputs, train
from procedures.learning.tasks import N_PIXELS, Noise, make_task
from twin.opening import DEFAULT_RECORDS
from twin.parameters import load_record


def test_the_network_has_thirty_synapses() -> None:
    assert N_WEIGHTS == 30


def test_outputs_by_hand() -> None:
    weights = np.zeros(N_WEIGHTS)
    hidden = weights[: N_PIXELS * network.N_HIDDEN].reshape(N_PIXELS, network.N_HIDDEN)
    hidden[0] = (0.5, -0.3, 0.9)  # from the first pixel
    hidden[1] = (0.2, -0.3, 0.9)  # from the second: the third neuron clips at 1
    weights[-3:] = (1.0, 1.0, -0.5)
    image = np.zeros((1, N_PIXELS))
    image[0, :2] = 1.0
    assert outputs(weights, image) == pytest.approx([0.7 - 0.5 * 1.0])


def test_the_gradient_agrees_with_differences_away_from_the_kinks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "LEAK", 0.0)  # the leak is not part of the loss
    rng = np.random.default_rng(5)
    task = make_task("T/L")
    weights = rng.uniform(-0.3, 0.3, (1, N_WEIGHTS))

    def loss(w: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        z = network.SHARPNESS * outputs(w, task.images)
        return float(np.mean(np.log1p(np.exp(-z * (2 * task.labels - 1)))))

    gradient = network._gradient(weights, task.images, task.labels)[0]
    step = 1e-6
    for k in range(N_WEIGHTS):
        up, down = weights[0].copy(), weights[0].copy()
        up[k] += step
        down[k] -= step
        assert gradient[k] == pytest.approx((loss(up) - loss(down)) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("name", ["T/L", "X/O", "bars"])
def test_training_learns_every_task_and_stays_in_bounds(name: str) -> None:
    task = make_task(name)
    weights = train(task, Training(Noise(0.05)), np.random.default_rng(7))
    assert weights.shape == (N_WEIGHTS,)
    assert np.abs(weights).max() <= 1
    assert accuracy(weights, task.images, task.labels) == 1.0


def test_training_with_noise_helps_against_noise() -> None:
    """The paper's claim, on this reconstruction: mean over ten seeds, 10 % flipped pixels."""
    task = make_task("T/L")
    scores = {}
    for noise in (0.0, 0.1):
        seeds = [np.random.default_rng(seed) for seed in range(10)]
        tests = np.random.default_rng(99)
        scores[noise] = np.mean(
            [
                accuracy(
                    train(task, Training(Noise(noise)), rng), *task.test(1600, Noise(0.1), tests)
                )
                for rng in seeds
            ]
        )
    assert scores[0.1] > scores[0.0] + 0.05


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 1e-4), (2e-4, 1e-4), (1e-4, 1e-4)])
def test_a_window_has_two_ends(lowest: float, highest: float) -> None:
    with pytest.raises(ParameterError, match="rising order"):
        ConductanceWindow(lowest, highest)


@pytest.mark.parametrize("dopant", MEMRISTORS)
def test_the_default_window_lies_between_off_and_on_of_the_devices(dopant: Dopant) -> None:
    window = DEFAULT_WINDOWS[dopant]
    for name in DEFAULT_RECORDS[dopant]:
        values = load_record(name).values()
        assert 1 / values["r_off_ohm"] < window.g_min_siemens
        assert window.g_max_siemens < 1 / values["r_on_ohm"]
