"""Networks of layers, trained by backpropagation on minibatches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.tiles import WeightArray
from procedures.learning.analog.layers import Convolution, Dense, Flatten, Layer, MaxPool, Tanh
from procedures.learning.analog.weights import LayerWeights

MakeWeights = Callable[[WeightArray, int], LayerWeights]
"""Makes the weights of a layer from what they begin with, and the number of the layer."""

Labels = NDArray[np.int64]


class Loss(NamedTuple):
    """Of a minibatch.

    Attributes:
        mean: negative logarithm of the probability of the right class.
        d: errors at the outputs, with the 1 / batch of the mean.
    """

    mean: float
    d: WeightArray


def log_softmax_loss(outputs: WeightArray, labels: Labels) -> Loss:
    """Return the loss of outputs (k, n_classes), of which the exponentials are probabilities."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    each = np.arange(len(labels))
    d = np.exp(log_p)
    d[each, labels] -= 1
    return Loss(-float(log_p[each, labels].mean()), d / np.float32(len(labels)))


class Network:
    """Layers one after the other.

    Args:
        layers: the first one takes the inputs.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)

    @property
    def weights(self) -> list[LayerWeights]:
        """The weights of all layers that have some."""
        return [one.weights for one in self.layers if isinstance(one, Dense | Convolution)]

    def outputs(self, x: WeightArray) -> WeightArray:
        """Return the outputs of the last layer."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def train(self, x: WeightArray, labels: Labels, rate: float) -> float:
        """Learn from a minibatch; return its loss before that."""
        loss = log_softmax_loss(self.outputs(x), labels)
        d = loss.d
        for layer in reversed(self.layers):
            d = layer.backward(d)
        for layer in self.layers:
            layer.update(rate)
        return loss.mean

    def accuracy(self, x: WeightArray, labels: Labels, batch: int = 500) -> float:
        """Return which part is classified right."""
        right = 0
        for first in range(0, len(x), batch):
            found = self.outputs(x[first : first + batch]).argmax(axis=1)
            right += int((found == labels[first : first + batch]).sum())
        return right / len(x)


def first_weights(shape: tuple[int, int], rng: np.random.Generator) -> WeightArray:
    """Return weights drawn evenly within 1 / sqrt(n_inputs) of zero, (n_outputs, n_inputs)."""
    bound = 1 / np.sqrt(shape[1])
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def perceptron(
    sizes: Sequence[int], make_weights: MakeWeights, rng: np.random.Generator
) -> Network:
    """Return dense layers of these sizes, tanh between them."""
    layers: list[Layer] = []
    for k, (n_inputs, n_outputs) in enumerate(pairwise(sizes)):
        if k:
            layers.append(Tanh())
        weights = make_weights(first_weights((n_outputs, n_inputs), rng), k)
        layers.append(Dense(weights, n_outputs))
    return Network(layers)


def lenet5(make_weights: MakeWeights, rng: np.random.Generator) -> Network:
    """Return the LeNet-5 of arXiv 2510.02516 for images (k, 28, 28, 1): 80,016 weights.

    Its code has 5 x 5 convolutions to 16 and 32 channels, pooling by 2 after each, and dense layers
    of 128 and 10, tanh in between.
    """

    def weights(n_outputs: int, n_inputs: int, number: int) -> LayerWeights:
        return make_weights(first_weights((n_outputs, n_inputs), rng), number)

    return Network(
        [
            Convolution(weights(16, 25, 0), 16, 5, is_first=True),
            Tanh(),
            MaxPool(),
            Convolution(weights(32, 400, 1), 32, 5),
            Tanh(),
            MaxPool(),
            Tanh(),
            Flatten(),
            Dense(weights(128, 512, 2), 128),
            Tanh(),
            Dense(weights(10, 128, 3), 10),
        ]
    )
