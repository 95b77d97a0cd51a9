"""Binary image classification on 3 x 3 pixels (arXiv 2408.14680), by name: a reconstruction.

The paper's abstract gives the image size and that there are two classes; its patterns are unknown.
Every class here is a set of patterns, so that the clean test set is more than two images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hil.errors import ParameterError
from hil.types import FloatArray
from procedures.learning.handwriting import find_mnist, load_handwriting
from procedures.learning.images import N_PIXELS, Noise, Task, bayes_accuracy
from procedures.learning.patterns import load_patterns

DRAWN, HANDWRITING = "drawn", "handwriting"

_T, _L = ("###", ".#.", ".#."), ("#..", "#..", "###")
_X, _O = ("#.#", ".#.", "#.#"), ("###", "#.#", "###")
_TOP, _LEFT = ("###", "...", "..."), ("#..", "#..", "#..")


def task_names() -> list[str]:
    """Return the names of the tasks there are."""
    return [*_CLASSES, DRAWN, HANDWRITING]


def make_task(
    name: str,
    *,
    patterns_file: str | Path | None = None,
    digits: str = "0/1",
    mnist_folder: str | Path | None = None,
    binary_pixels: bool = False,
) -> Task:
    """Return a task by its name; what a task does not need is not looked at.

    ``T/L``: both letters in four orientations. ``X/O``: one pattern each. ``bars``: the three
    horizontal against the three vertical bars. ``drawn``: patterns of a text file. ``handwriting``:
    two digits of MNIST, reduced; takes about a second.

    Args:
        name: one of ``task_names()``.
        patterns_file: of the task ``drawn``; see ``procedures.learning.patterns``.
        digits: of the task ``handwriting``: class 0, a slash, class 1.
        mnist_folder: where its files are; the usual places if not given, see ``find_mnist``.
        binary_pixels: whether handwriting is in black and white.

    Raises:
        ParameterError: there is no such task, or a file is missing or wrong.
    """
    if name == DRAWN:
        if not patterns_file:
            raise ParameterError(f"task {DRAWN!r} needs a file of patterns; set patterns_file")
        return load_patterns(patterns_file)
    if name == HANDWRITING:
        return load_handwriting(find_mnist(mnist_folder), digits, binary=binary_pixels)
    if name not in _CLASSES:
        raise ParameterError(f"task {name!r}: one of {', '.join(task_names())}")
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

__all__ = [
    "DRAWN",
    "HANDWRITING",
    "N_PIXELS",
    "Noise",
    "Task",
    "bayes_accuracy",
    "make_task",
    "task_names",
]
