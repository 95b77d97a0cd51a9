"""The 9-3-1 network, its tasks, and its weights on conductances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import ParameterError
from hil.types import MEMRISTORS, Dopant
from procedures.learning import network
from procedures.learning.mapping import DEFAULT_WINDOWS, ConductanceWindow
from procedures.learning.network import N_WEIGHTS, Training, accuracy, outputs, train
from procedures.learning.tasks import N_PIXELS, make_task, task_names
from twin.opening import DEFAULT_RECORDS
from twin.parameters import load_record


def test_the_network_has_thirty_synapses() -> None:
    assert N_WEIGHTS == 30


@pytest.mark.parametrize("name", task_names())
def test_a_task_has_two_classes_of_distinct_images(name: str) -> None:
    task = make_task(name)
    assert task.images.shape == (len(task.labels), N_PIXELS)
    assert set(np.unique(task.images)) == {0.0, 1.0}
    assert set(task.labels) == {0, 1}
    assert len(np.unique(task.images, axis=0)) == len(task.images)


def test_letters_are_what_they_are_called() -> None:
    first_t, first_l = make_task("T/L").images[[0, 4]].reshape(2, 3, 3)
    assert first_t.tolist() == [[1, 1, 1], [0, 1, 0], [0, 1, 0]]
    assert first_l.tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 1]]


def test_noise_flips_the_share_of_pixels_that_was_asked_for() -> None:
    task = make_task("T/L")
    images, labels = task.noisy(2000, 0.2, np.random.default_rng(1))
    flipped = (images != np.tile(task.images, (2000, 1))).mean()
    assert flipped == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / images.size))
    assert labels.tolist() == task.labels.tolist() * 2000
    clean, _ = task.noisy(3, 0.0, np.random.default_rng(1))
    assert (clean == np.tile(task.images, (3, 1))).all()


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
    monkeypatch.setattr(network, "_LEAK", 0.0)  # the leak is not part of the loss
    rng = np.random.default_rng(5)
    task = make_task("T/L")
    weights = rng.uniform(-0.3, 0.3, (1, N_WEIGHTS))

    def loss(w: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        z = network._SHARPNESS * outputs(w, task.images)
        return float(np.mean(np.log1p(np.exp(-z * (2 * task.labels - 1)))))

    gradient = network._gradient(weights, task.images, task.labels)[0]
    step = 1e-6
    for k in range(N_WEIGHTS):
        up, down = weights[0].copy(), weights[0].copy()
        up[k] += step
        down[k] -= step
        assert gradient[k] == pytest.approx((loss(up) - loss(down)) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("name", task_names())
def test_training_learns_every_task_and_stays_in_bounds(name: str) -> None:
    task = make_task(name)
    weights = train(task, Training(noise=0.05), np.random.default_rng(7))
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
                accuracy(train(task, Training(noise), rng), *task.noisy(200, 0.1, tests))
                for rng in seeds
            ]
        )
    assert scores[0.1] > scores[0.0] + 0.05


@given(
    st.floats(1e-7, 1e-3),
    st.floats(1.001, 100),
    st.lists(st.floats(-1, 1), min_size=1, max_size=30),
)
def test_weights_come_back_from_conductances(
    lowest: float, span: float, weights: list[float]
) -> None:
    window = ConductanceWindow(lowest, lowest * span)
    g = window.conductances(np.array(weights))
    assert (g >= lowest * (1 - 1e-9)).all()
    assert (g <= lowest * span * (1 + 1e-9)).all()
    # the narrower the window, the fewer digits of a weight it carries
    tolerance = 1e-14 * (window.g_ref_siemens / window.half_width_siemens + 1)
    assert window.weights(g) == pytest.approx(np.array(weights), abs=tolerance)


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


def test_no_such_task() -> None:
    with pytest.raises(ParameterError, match="one of"):
        make_task("cats/dogs")
