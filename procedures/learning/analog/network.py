"""Networks of layers, trained by backpropagation on minibatches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hil.errors import UsageError
from hil.tiles import Restorable, Tile, WeightArray
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


class Learned(NamedTuple):
    """A minibatch before it was learned from.

    Attributes:
        loss: mean of it.
        n_right: samples that were classified right.
    """

    loss: float
    n_right: int


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

    @property
    def biases(self) -> list[WeightArray]:
        """The digital biases of the layers that have weights; they are changed in place."""
        return [one.bias for one in self.layers if isinstance(one, Dense | Convolution)]

    @property
    def tiles(self) -> list[Tile]:
        """All tiles, layer by layer, the coarsest of each first."""
        return [tile for weights in self.weights for tile in weights.tiles]

    def snapshot(self) -> dict[str, Any]:
        """Return all that changes, for ``restore``.

        Raises:
            UsageError: it is on tiles of real devices, which cannot go back.
        """
        return {
            "biases": [bias.copy() for bias in self.biases],
            "weights": [weights.snapshot() for weights in self.weights],
            "tiles": [_restorable(tile).snapshot() for tile in self.tiles],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the snapshot of a network that was made with the same arguments.

        Raises:
            UsageError: it is of another network, or the tiles are of real devices.
        """
        if len(state["tiles"]) != len(self.tiles) or len(state["biases"]) != len(self.biases):
            raise UsageError(
                f"the snapshot is of {len(state['biases'])} layers on {len(state['tiles'])} tiles, "
                f"this network has {len(self.biases)} on {len(self.tiles)}"
            )
        for bias, saved in zip(self.biases, state["biases"], strict=True):
            bias[...] = saved
        for weights, of_weights in zip(self.weights, state["weights"], strict=True):
            weights.restore(of_weights)
        for tile, of_tile in zip(self.tiles, state["tiles"], strict=True):
            _restorable(tile).restore(of_tile)

    def outputs(self, x: WeightArray) -> WeightArray:
        """Return the outputs of the last layer."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def train(self, x: WeightArray, labels: Labels, rate: float) -> Learned:
        """Learn from a minibatch; return how it was before that."""
        outputs = self.outputs(x)
        loss = log_softmax_loss(outputs, labels)
        d = loss.d
        for layer in reversed(self.layers):
            d = layer.backward(d)
        for layer in self.layers:
            layer.update(rate)
        return Learned(loss.mean, int((outputs.argmax(axis=1) == labels).sum()))

    def accuracy(self, x: WeightArray, labels: Labels, batch: int = 500) -> float:
        """Return which part is classified right."""
        right = 0
        for first in range(0, len(x), batch):
            found = self.outputs(x[first : first + batch]).argmax(axis=1)
            right += int((found == labels[first : first + batch]).sum())
        return right / len(x)


def _restorable(tile: Tile) -> Restorable:
    if not isinstance(tile, Restorable):
        raise UsageError("tiles of real devices cannot go back to an earlier state: no checkpoint")
    return tile


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
        layers.append(Dense(weights, n_outputs, is_first=k == 0))
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
