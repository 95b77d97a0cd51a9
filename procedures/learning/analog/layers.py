"""Layers of networks: weights of any kind, and all that is digital in numpy, float32.

Images are (k, rows, columns, channels). A layer keeps what its ``backward`` needs of the last
``forward``, and what its ``update`` needs of both.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hil.tiles import WeightArray
from procedures.learning.analog.weights import LayerWeights


class Layer(Protocol):
    """A step of a network."""

    def forward(self, x: WeightArray) -> WeightArray:
        """Return the outputs of a minibatch."""
        ...

    def backward(self, d: WeightArray) -> WeightArray:
        """Return the errors at the inputs, from those at the outputs."""
        ...

    def update(self, rate: float) -> None:
        """Take a step down the gradient of the last minibatch."""
        ...


class Dense:
    """Fully connected: x W^T + b; the bias is digital.

    Args:
        weights: (n_outputs, n_inputs).
        n_outputs: length of the bias, which begins at 0.
        is_first: nobody asks for the errors at its inputs.
    """

    def __init__(self, weights: LayerWeights, n_outputs: int, is_first: bool = False) -> None:
        self._is_first = is_first
        self.weights = weights
        self.bias = np.zeros(n_outputs, np.float32)
        self._x = self._d = np.zeros((0, 0), np.float32)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return x W^T + b."""
        self._x = x
        return self.weights.forward(x) + self.bias

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d W; zeros if this is the first layer."""
        self._d = d
        return np.zeros_like(self._x) if self._is_first else self.weights.backward(d)

    def update(self, rate: float) -> None:
        """Change weights and bias."""
        self.weights.update(self._x, self._d, rate)
        self.bias -= np.float32(rate) * self._d.sum(axis=0)


class Convolution:
    """Two-dimensional, without padding: a dense layer on patches (row, column, channel).

    Args:
        weights: (n_channels out, size x size x n_channels in).
        n_outputs: channels out.
        size: of the kernel, both ways.
        is_first: nobody asks for the errors at its inputs.
    """

    def __init__(
        self, weights: LayerWeights, n_outputs: int, size: int, is_first: bool = False
    ) -> None:
        self.dense = Dense(weights, n_outputs, is_first)
        self._size, self._is_first = size, is_first
        self._shape: tuple[int, ...] = ()

    @property
    def weights(self) -> LayerWeights:
        """Of the patches."""
        return self.dense.weights

    @property
    def bias(self) -> WeightArray:
        """Of the channels."""
        return self.dense.bias

    def forward(self, x: WeightArray) -> WeightArray:
        """Return the images of all patches."""
        self._shape = x.shape
        windows = sliding_window_view(x, (self._size, self._size), axis=(1, 2))
        k, n_rows, n_columns = windows.shape[:3]
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(k * n_rows * n_columns, -1)
        return self.dense.forward(patches).reshape(k, n_rows, n_columns, -1)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return the errors at the inputs; zeros if this is the first layer."""
        k, n_rows, n_columns, n_channels = d.shape
        at_x = np.zeros(self._shape, np.float32)
        of_patches = self.dense.backward(np.ascontiguousarray(d.reshape(-1, n_channels)))
        if self._is_first:
            return at_x
        size = self._size
        at_patches = of_patches.reshape(k, n_rows, n_columns, size, size, -1)
        for row in range(size):
            for column in range(size):
                at_x[:, row : row + n_rows, column : column + n_columns] += at_patches[
                    :, :, :, row, column
                ]
        return at_x

    def update(self, rate: float) -> None:
        """Change weights and bias; every patch is a sample."""
        self.dense.update(rate)


class Tanh:
    """Hyperbolic tangent."""

    def __init__(self) -> None:
        self._y = np.zeros(0, np.float32)

    def forward(self, x: WeightArray) -> WeightArray:
        """Return tanh x."""
        self._y = np.tanh(x)
        return self._y

    def backward(self, d: WeightArray) -> WeightArray:
        """Return d (1 - y^2)."""
        return d * (1 - self._y**2)

    def update(self, rate: float) -> None:
        """Nothing to learn."""


class MaxPool:
    """The largest of every 2 x 2 pixels; rows and columns are even."""

    def __init__(self) -> None:
        self._is_largest: list[NDArray[np.bool_]] = []

    def forward(self, x: WeightArray) -> WeightArray:
        """Return images of half the size."""
        upper = np.maximum(*_quarters(x)[:2])
        largest: WeightArray = np.maximum(upper, np.maximum(*_quarters(x)[2:]))
        is_free = np.ones(largest.shape, np.bool_)
        self._is_largest = []
        for quarter in _quarters(x):
            is_largest = (quarter == largest) & is_free  # of equal ones the first
            is_free &= ~is_largest
            self._is_largest.append(is_largest)
        return largest

    def backward(self, d: WeightArray) -> WeightArray:
        """Return the errors at the pixels that were the largest."""
        k, n_rows, n_columns, n_channels = d.shape
        at_x = np.empty((k, 2 * n_rows, 2 * n_columns, n_channels), np.float32)
        for quarter, is_largest in zip(_quarters(at_x), self._is_largest, strict=True):
            np.multiply(d, is_largest, out=quarter)
        return at_x

    def update(self, rate: float) -> None:
        """Nothing to learn."""


def _quarters(x: WeightArray) -> list[WeightArray]:
    """Return views of every other pixel, which of four it is in order of row and column."""
    return [x[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]


class Flatten:
    """Images to vectors."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()

    def forward(self, x: WeightArray) -> WeightArray:
        """Return (k, all of an image)."""
        self._shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, d: WeightArray) -> WeightArray:
        """Return the errors as images."""
        return d.reshape(self._shape)

    def update(self, rate: float) -> None:
        """Nothing to learn."""
