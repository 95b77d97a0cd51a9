"""The 9-3-1 network of arXiv 2408.14680 in numbers: what it computes, and how targets are found.

Topology inferred: 30 synapses, 4 neurons, no bias. Hidden neurons clip to 0..1, as an operational
amplifier on one supply does, so that their outputs can drive the second layer in the SET direction
only; the output neuron is a comparator at zero. What the devices really compute is measured
(``procedures.learning.inference``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hil.types import FloatArray
from procedures.learning.images import N_PIXELS, Noise, Task

N_HIDDEN = 3
N_WEIGHTS = N_PIXELS * N_HIDDEN + N_HIDDEN

Disturb = Callable[[FloatArray, np.random.Generator], FloatArray]
"""Returns weights as devices would carry them, with an error that is drawn anew."""


@dataclass(frozen=True)
class Training:
    """How the target weights are found, before anything is programmed.

    Attributes:
        noise: of the training images.
        disturb: what the devices do to the weights; None for a network in floating point.
        bound: largest magnitude of a weight; inf for a network in floating point.
        n_steps: gradient steps.
        n_restarts: random starts; the one with the best accuracy, then margin, is taken.
        n_images: in a batch.
        rate: step size of Adam.
    """

    noise: Noise = field(default_factory=Noise)
    disturb: Disturb | None = None
    bound: float = 1.0
    n_steps: int = 600
    n_restarts: int = 12
    n_images: int = 32
    rate: float = 0.02


def outputs(weights: FloatArray, images: FloatArray) -> FloatArray:
    """Return the input of the output neuron's comparator for each image.

    Args:
        weights: shape (..., 30): three of each pixel, one to each hidden neuron, then the three of
            the output.
        images: shape (n_images, 9).

    Returns:
        Shape (..., n_images); positive means class 1.
    """
    hidden, last = split(weights)
    active = np.clip(images @ hidden, 0.0, 1.0)
    result: FloatArray = (active @ last[..., None])[..., 0]
    return result


def accuracy(weights: FloatArray, images: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Return the share of images that are classified right; shape of ``weights`` less its last."""
    right: FloatArray = ((outputs(weights, images) > 0) == (labels == 1)).mean(axis=-1)
    return right


def split(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weights of both layers, shapes (..., 9, 3) and (..., 3)."""
    n_first = N_PIXELS * N_HIDDEN
    hidden = weights[..., :n_first].reshape(*weights.shape[:-1], N_PIXELS, N_HIDDEN)
    return hidden, weights[..., n_first:]


def train(
    task: Task, training: Training, rng: np.random.Generator, start: FloatArray | None = None
) -> FloatArray:
    """Return target weights, shape (30,); costs a part of a second and no pulse.

    Logistic loss on the comparator's input, Adam, all restarts side by side. Noise on pixels and
    errors of devices are redrawn at every step, so that the solution tolerates both.

    Args:
        task: what to learn.
        training: how.
        rng: of starts, noise and errors.
        start: weights to go on from, shape (30,), for a retraining; random ones if not given.
    """
    weights = _starts(training, rng, start)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, training.n_steps + 1):
        images, labels = task.batch(training.n_images, training.noise, rng)
        seen = weights if training.disturb is None else training.disturb(weights, rng)
        gradient = _gradient(seen, images, labels)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        corrected = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weights = np.clip(weights - training.rate * corrected, -training.bound, training.bound)
    best: FloatArray = weights[_best(weights, task, training, rng)]
    return best


SHARPNESS = 4.0
"""Slope of the logistic loss: an output of one half counts as nearly certain."""

LEAK = 0.1
"""Slope of a clipped neuron in training; without it a dead neuron could never learn."""

_RETRAINING_SPREAD = 0.05
_N_TRIALS = 20
_N_RANKING = 256


def _starts(training: Training, rng: np.random.Generator, start: FloatArray | None) -> FloatArray:
    shape = (training.n_restarts, N_WEIGHTS)
    if start is None:
        return rng.uniform(-0.6, 0.6, shape)
    near = start + _RETRAINING_SPREAD * rng.standard_normal(shape)
    near[0] = start
    return np.clip(near, -training.bound, training.bound)


def _gradient(weights: FloatArray, images: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Gradient of the mean logistic loss; shape of ``weights``.

    The clipped neuron gets a small slope outside its range, or a dead neuron could never learn.
    """
    hidden, last = split(weights)
    sums = images @ hidden
    active = np.clip(sums, 0.0, 1.0)
    slope = np.where((sums > 0) & (sums < 1), 1.0, LEAK)
    z = SHARPNESS * (active @ last[..., None])[..., 0]
    # 1 / (1 + e^-z) by tanh, which cannot overflow
    error = SHARPNESS * ((1 + np.tanh(z / 2)) / 2 - labels) / len(labels)
    of_last = (error[:, None, :] @ active)[:, 0]
    back = error[:, :, None] * last[:, None, :] * slope
    of_hidden = images.T @ back
    return np.concatenate([of_hidden.reshape(len(weights), -1), of_last], axis=1)


def _best(weights: FloatArray, task: Task, training: Training, rng: np.random.Generator) -> int:
    """Rank by accuracy under device errors, then by the smallest margin on clean images."""
    images, labels = task.batch(_N_RANKING, Noise(), rng)
    trials = np.repeat(weights[:, None, :], _N_TRIALS, axis=1)
    if training.disturb is not None:
        trials = training.disturb(trials, rng)
    robust = accuracy(trials, images, labels).mean(axis=-1)
    margins = (outputs(weights, images) * (2 * labels - 1)).min(axis=-1)
    return int(np.lexsort((margins, robust))[-1])
