"""Handwritten digits of MNIST on 3 x 3 pixels.

MNIST puts the centre of mass of the ink on the centre of pixel (14, 14), so the 21 x 21 pixels
around that one, rows and columns 4 to 24, hold 98.5 % of the ink. They become nine blocks of 7 x 7,
each of which is averaged. The means are divided by the 99th percentile of all block means of the
training images, so that ink fills the range of an input driver, and clipped to 0..1.

Black and white: a pixel is lit above the mean of that pixel over the training images. A level of
0.5 for all pixels separates worse on the training set, because corner blocks hardly ever reach it:
the best possible table of the 512 images is right in 95.5 % against 99.3 % for 0/1, and in 67.2 %
against 77.5 % for 3/8. Test images had no part in this choice.
An image may end up all dark (9 % of the ones of 0/1). It drives no device, and a network without
a bias takes it for class 0; so the digit that is dark more often is better off as class 0: 1/0.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hil.errors import ParameterError
from hil.types import FloatArray
from procedures.learning.images import N_PIXELS, Labels, Task
from procedures.learning.mnist import Digits, find_mnist, read_set

_FIRST, _BLOCK, _N_BLOCKS = 4, 7, 3
_PERCENTILE = 99


def load_handwriting(folder: str | Path, digits: str, binary: bool = False) -> Task:
    """Return two digits of MNIST as a task; takes about a second.

    Training images are those of the official training set (12,665 for 0/1), test images those of
    the official test set (2,115); scale and level come from the training images alone.

    Args:
        folder: of the four IDX files, each with or without ``.gz``.
        digits: class 0 and class 1, for example ``3/8``.
        binary: whether pixels are 0 or 1; gray in 0..1 otherwise.

    Raises:
        ParameterError: this is no pair of digits, or a file is missing, damaged or not MNIST.
    """
    pair = _pair(digits)
    folder = Path(folder)
    images, labels = _chosen(read_set(folder, "train"), pair, folder)
    test_images, test_labels = _chosen(read_set(folder, "t10k"), pair, folder)
    scale = float(np.percentile(images, _PERCENTILE)) or 1.0
    images, test_images = np.clip(images / scale, 0, 1), np.clip(test_images / scale, 0, 1)
    if binary:
        level = images.mean(axis=0)
        images, test_images = 1.0 * (images > level), 1.0 * (test_images > level)
    return Task(f"handwriting {digits}", images, labels, test_images, test_labels)


def block_means(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> FloatArray:
    """Return the means of the nine central blocks of images of shape (n, 28, 28).

    Returns:
        Shape (n, 9), row by row, in units of the images.
    """
    end = _FIRST + _BLOCK * _N_BLOCKS
    centre = images[:, _FIRST:end, _FIRST:end]
    blocks = centre.reshape(-1, _N_BLOCKS, _BLOCK, _N_BLOCKS, _BLOCK)
    means: FloatArray = blocks.mean(axis=(2, 4), dtype=np.float64).reshape(-1, N_PIXELS)
    return means


def _pair(digits: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9])/([0-9])", digits.strip())
    if not match or match[1] == match[2]:
        raise ParameterError(
            f"digits {digits!r}: two different digits with a slash between them, for example 3/8"
        )
    return int(match[1]), int(match[2])


def _chosen(found: Digits, pair: tuple[int, int], folder: Path) -> tuple[FloatArray, Labels]:
    """Return blocks and classes of the images of two digits."""
    for digit in pair:
        if digit not in found.labels:
            raise ParameterError(
                f"{folder}: a set without any digit {digit}; put the complete MNIST files there"
            )
    of_pair = np.isin(found.labels, pair)
    labels = (found.labels[of_pair] == pair[1]).astype(np.int64)
    return block_means(found.images[of_pair]), labels


__all__ = ["block_means", "find_mnist", "load_handwriting"]
