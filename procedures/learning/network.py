"""The 9-3-1 network of arXiv 2408.14680 (topology inferred: 30 synapses, 4 neurons, no bias).

Hidden neurons clip to 0..1, as an operational amplifier on one supply does, so that their outputs
can drive the second layer in the SET direction only; the output neuron is a comparator at zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.types import FloatArray
from procedures.learning.tasks import N_PIXELS, Task

N_HIDDEN = 3
N_WEIGHTS = N_PIXELS * N_HIDDEN + N_HIDDEN


@dataclass(frozen=True)
class Training:
    """How the target weights are found, before anything is programmed.

    Attributes:
        noise: probability that a pixel of a training image is flipped.
        weight_error: standard deviation of the relative error that every weight suffers in
            training, as it will on the devices.
        n_steps: gradient steps.
        n_restarts: random starts; the one with the best accuracy, then margin, is taken.
        rate: step size of Adam.
    """

    noise: float
    weight_error: float = 0.05
    n_steps: int = 600
    n_restarts: int = 12
    rate: float = 0.02


def outputs(weights: FloatArray, images: FloatArray) -> FloatArray:
    """Return the input of the output neuron's comparator for each image.

    Args:
        weights: in -1..1, shape (..., 30): three of each pixel, one to each hidden
            neuron, then the three of the output.
        images: shape (n_images, 9).

    Returns:
        Shape (..., n_images); positive means class 1.
    """
    hidden, last = _split(weights)
    active = np.clip(np.einsum("ni,...ih->...nh", images, hidden), 0.0, 1.0)
    result: FloatArray = np.einsum("...nh,...h->...n", active, last)
    return result


def accuracy(weights: FloatArray, images: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Return the share of images that are classified right; shape of ``weights`` less its last."""
    right: FloatArray = ((outputs(weights, images) > 0) == (labels == 1)).mean(axis=-1)
    return right


def train(task: Task, training: Training, rng: np.random.Generator) -> FloatArray:
    """Return target weights in -1..1, shape (30,); costs about a second and no pulse.

    Logistic loss on the comparator's input, Adam, all restarts side by side. Noise on pixels and
    errors on weights are redrawn at every step, so that the solution tolerates both.
    """
    weights = rng.uniform(-0.6, 0.6, (training.n_restarts, N_WEIGHTS))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, training.n_steps + 1):
        images, labels = task.noisy(4, training.noise, rng)
        disturbed = weights * (1 + training.weight_error * rng.standard_normal(weights.shape))
        gradient = _gradient(disturbed, images, labels)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        corrected = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weights = np.clip(weights - training.rate * corrected, -1.0, 1.0)
    best: FloatArray = weights[_best(weights, task, training, rng)]
    return best


_SHARPNESS = 4.0
_LEAK = 0.1


def _split(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    n_first = N_PIXELS * N_HIDDEN
    hidden = weights[..., :n_first].reshape(*weights.shape[:-1], N_PIXELS, N_HIDDEN)
    return hidden, weights[..., n_first:]


def _gradient(weights: FloatArray, images: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Gradient of the mean logistic loss; shape of ``weights``.

    The clipped neuron gets a small slope outside its range, or a dead neuron could never learn.
    """
    hidden, last = _split(weights)
    sums = np.einsum("ni,rih->rnh", images, hidden)
    active = np.clip(sums, 0.0, 1.0)
    slope = np.where((sums > 0) & (sums < 1), 1.0, _LEAK)
    z = _SHARPNESS * np.einsum("rnh,rh->rn", active, last)
    error = _SHARPNESS * (1 / (1 + np.exp(-z)) - labels) / len(labels)
    of_last = np.einsum("rn,rnh->rh", error, active)
    back = error[:, :, None] * last[:, None, :] * slope
    of_hidden = np.einsum("ni,rnh->rih", images, back)
    return np.concatenate([of_hidden.reshape(len(weights), -1), of_last], axis=1)


def _best(weights: FloatArray, task: Task, training: Training, rng: np.random.Generator) -> int:
    """Rank by accuracy under weight errors, then by the smallest margin on clean images."""
    trials = weights[:, None, :] * (
        1 + training.weight_error * rng.standard_normal((len(weights), 20, N_WEIGHTS))
    )
    robust = accuracy(trials, task.images, task.labels).mean(axis=-1)
    margins = (outputs(weights, task.images) * (2 * task.labels - 1)).min(axis=-1)
    return int(np.lexsort((margins, robust))[-1])
