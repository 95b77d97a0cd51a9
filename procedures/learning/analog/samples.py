"""What networks on tiles are trained on, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.errors import ParameterError
from hil.tiles import WeightArray
from procedures.learning.analog.network import Labels
from procedures.learning.mnist import Digits, find_mnist, read_set

MNIST, DIGITS, COMPONENTS, XOR = "mnist", "digits", "digits-pca", "xor"
_SPLIT = 20
_N_TEST, _N_COMPONENTS = 360, 4
_CLASSES = (0, 1, 2)  # of digits-pca


@dataclass(frozen=True)
class Samples:
    """Inputs and classes, to learn from and to test with.

    Attributes:
        x: (n, n_inputs), or images (n, rows, columns, channels).
        labels: classes from 0 on, (n,).
        test_x: as ``x``.
        test_labels: as ``labels``.
    """

    x: WeightArray
    labels: Labels
    test_x: WeightArray
    test_labels: Labels

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return int(self.labels.max()) + 1

    @property
    def n_inputs(self) -> int:
        """Numbers in an input."""
        return int(np.prod(self.x.shape[1:]))

    def first(self, n: int) -> Samples:
        """Return the first ``n`` samples to learn from, all tests; all of them for 0."""
        return Samples(self.x[:n], self.labels[:n], self.test_x, self.test_labels) if n else self

    def held_back(self) -> Samples:
        """Return the training samples alone: the last fifth of them are the tests."""
        n = len(self.x) * 4 // 5
        return Samples(self.x[:n], self.labels[:n], self.x[n:], self.labels[n:])


def sample_names() -> list[str]:
    """Return the names of the tasks there are."""
    return list(_LOADERS)


def load_samples(name: str, mnist_folder: str = "") -> Samples:
    """Return the samples of a task.

    ``mnist``: all images, pixels 0 to 1. ``digits``: the 1797 digits of 8 x 8 pixels of UCI's
    optdigits that scikit-learn ships, 360 of them for tests. ``digits-pca``: the zeros, ones and
    twos among these, reduced to their first four principal components, of which the largest
    magnitude is 1. ``xor``: two inputs of -1 or 1, noise of 0.2 on them.

    Args:
        name: one of ``sample_names()``.
        mnist_folder: of the task ``mnist``; the usual places if not given, see ``find_mnist``.

    Raises:
        ParameterError: there is no such task, files are missing, or scikit-learn is.
    """
    if name not in _LOADERS:
        raise ParameterError(f"no task {name!r}; there are {', '.join(_LOADERS)}")
    return _LOADERS[name](mnist_folder)


def _mnist(folder: str) -> Samples:
    place = find_mnist(folder or None)
    train, test = read_set(place, "train"), read_set(place, "t10k")
    return Samples(_images(train), _labels(train), _images(test), _labels(test))


def _images(digits: Digits) -> WeightArray:
    return (digits.images.astype(np.float32) / np.float32(255))[..., None]


def _labels(digits: Digits) -> Labels:
    return digits.labels.astype(np.int64)


def _digits(_: str) -> Samples:
    x, labels = _optdigits()
    return _split(x / np.float32(16), labels, _N_TEST)


def _components(_: str) -> Samples:
    x, labels = _optdigits()
    of_classes = np.isin(labels, _CLASSES)
    whole = _split(x[of_classes] / np.float32(16), labels[of_classes], _N_TEST // 3)
    mean = whole.x.mean(axis=0)
    directions = np.linalg.svd(whole.x - mean, full_matrices=False)[2][:_N_COMPONENTS].T
    x, test_x = (whole.x - mean) @ directions, (whole.test_x - mean) @ directions
    most = np.abs(x).max()
    return Samples(x / most, whole.labels, test_x / most, whole.test_labels)


def _xor(_: str) -> Samples:
    rng = np.random.default_rng(_SPLIT)
    corners = rng.integers(0, 2, (500, 2))
    x = (2 * corners - 1 + 0.2 * rng.standard_normal(corners.shape)).astype(np.float32)
    return _split(x, (corners[:, 0] ^ corners[:, 1]).astype(np.int64), 300)


def _split(x: WeightArray, labels: Labels, n_test: int) -> Samples:
    rng = np.random.default_rng(_SPLIT)
    order = rng.permutation(len(x))
    test, train = order[:n_test], order[n_test:]
    return Samples(x[train], labels[train], x[test], labels[test])


def _optdigits() -> tuple[WeightArray, Labels]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ParameterError(
            "the tasks digits and digits-pca need scikit-learn: pip install 'memristor-hil[digits]'"
        ) from error
    x, labels = load_digits(return_X_y=True)
    return np.asarray(x, np.float32), np.asarray(labels, np.int64)


_LOADERS: dict[str, Callable[[str], Samples]] = {
    MNIST: _mnist,
    DIGITS: _digits,
    COMPONENTS: _components,
    XOR: _xor,
}
