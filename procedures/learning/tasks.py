"""Binary image classification on 3 x 3 pixels (arXiv 2408.14680); patterns are a reconstruction.

The paper's abstract gives the image size and that there are two classes; its patterns are unknown.
Every class here is a set of patterns, so that the clean test set is more than two images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.errors import ParameterError
from hil.types import FloatArray

N_PIXELS = 9

_T, _L = ("###", ".#.", ".#."), ("#..", "#..", "###")
_X, _O = ("#.#", ".#.", "#.#"), ("###", "#.#", "###")
_TOP, _LEFT = ("###", "...", "..."), ("#..", "#..", "#..")


@dataclass(frozen=True)
class Task:
    """Images and their classes.

    Attributes:
        name: of the task.
        images: clean images, 0 or 1, shape (n_images, 9).
        labels: class of each, 0 or 1, shape (n_images,).
    """

    name: str
    images: FloatArray
    labels: NDArray[np.int64]

    def noisy(
        self, n_copies: int, flip_probability: float, rng: np.random.Generator
    ) -> tuple[FloatArray, NDArray[np.int64]]:
        """Return copies of all images in which each pixel is flipped with this probability.

        Returns:
            Images, shape (n_copies * n_images, 9), and their labels.
        """
        images = np.tile(self.images, (n_copies, 1))
        flips = rng.random(images.shape) < flip_probability
        return np.where(flips, 1.0 - images, images), np.tile(self.labels, n_copies)


def task_names() -> list[str]:
    """Return the names of the tasks there are."""
    return list(_CLASSES)


def make_task(name: str) -> Task:
    """Return a task by its name.

    ``T/L``: both letters in four orientations. ``X/O``: one pattern each. ``bars``: the three
    horizontal against the three vertical bars.

    Raises:
        ParameterError: there is no such task.
    """
    if name not in _CLASSES:
        raise ParameterError(f"task {name!r}: one of {', '.join(_CLASSES)}")
    classes = [make() for make in _CLASSES[name]]
    images = np.array([image.ravel() for patterns in classes for image in patterns])
    labels = np.repeat([0, 1], [len(patterns) for patterns in classes])
    return Task(name, images, labels.astype(np.int64))


def _pixels(rows: tuple[str, ...]) -> FloatArray:
    return np.array([[float(char == "#") for char in row] for row in rows])


def _turned(rows: tuple[str, ...]) -> list[FloatArray]:
    return [np.rot90(_pixels(rows), k) for k in range(4)]


def _shifted(rows: tuple[str, ...], axis: int) -> list[FloatArray]:
    return [np.roll(_pixels(rows), k, axis) for k in range(3)]


_CLASSES: dict[str, tuple[Callable[[], list[FloatArray]], ...]] = {
    "T/L": (lambda: _turned(_T), lambda: _turned(_L)),
    "X/O": (lambda: [_pixels(_X)], lambda: [_pixels(_O)]),
    "bars": (lambda: _shifted(_TOP, 0), lambda: _shifted(_LEFT, 1)),
}
